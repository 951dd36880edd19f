"""One line of the log: the decision for a request at one moment, and its result."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.outcome import Attempt, CostSource
from lollmsbot_keys.core.model.request import Candidate, Plan


class LoggedCost(NamedTuple):
    """The tokens and the cost of an attempt, and what was held for it.

    `cost_usd` is `None` where only the bound is known; `charged_usd` is what the ledger has for it all the same.
    """

    hold: str
    hold_usd: Decimal
    cost_usd: Decimal | None
    cost_source: CostSource
    charged_usd: Decimal
    prompt_tokens: int
    completion_tokens: int


class Sent(NamedTuple):
    """One attempt: the candidate that was claimed for it, its end and its cost.

    The candidate need not be the plan's choice: others may have waited longer for that one. `number` counts a request's
    attempts from 1, `failover` is true where it stood in for a failed one.
    """

    number: int
    candidate: Candidate
    attempt: Attempt
    booked: LoggedCost
    failover: bool


class Entry(NamedTuple):
    """A decision for `request`, made at `decided` and written down at `time`.

    `sent` is `None` where nothing might take the request. `lbk` is the version that decided.
    """

    time: datetime
    request: str
    decided: datetime
    plan: Plan
    sent: Sent | None
    lbk: str
