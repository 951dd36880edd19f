"""The settlement of a call, kept beside a state that could not be written.

It is enough for the next process to book the call.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.outcome import CostSource, Usage
from lollmsbot_keys.core.model.snapshot import Cooldown, Hold, Scope


class UnsettledCharge(NamedTuple):
    """The booking of the call: the fields of its charge, and those of its entry."""

    amount_usd: Decimal
    cost_usd: Decimal | None
    source: CostSource
    unconfirmed: bool
    usage: Usage
    latency: timedelta
    failed: bool
    failover: bool
    outcome: str
    generation: str


class Settlement(NamedTuple):
    """The end of the call that `hold` stands for.

    `booked` is `None` where nothing was sent, and nothing is charged. The rest is what its outcome says of its key and
    model; `template_tokens` is 0 where it taught nothing.
    """

    hold: Hold
    booked: UnsettledCharge | None = None
    cooled: tuple[Cooldown, ...] = ()
    strikes: tuple[Cooldown, ...] = ()
    answered: tuple[Scope, ...] = ()
    template_tokens: int = 0
