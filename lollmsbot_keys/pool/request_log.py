"""The log's part about one question: every attempt, and a refusal."""

from __future__ import annotations

import os

from lollmsbot_keys._version import __version__
from lollmsbot_keys.core.model.log_record import Entry, LoggedCost, Sent
from lollmsbot_keys.core.model.outcome import Attempt, Usage
from lollmsbot_keys.core.model.request import Plan
from lollmsbot_keys.core.money.charges import Charge
from lollmsbot_keys.core.routing.claim import Claim
from lollmsbot_keys.core.state.settlement import Finished
from lollmsbot_keys.edges.log.codec import encode
from lollmsbot_keys.edges.log.writer import EventLog
from lollmsbot_keys.pool.prompt import Listener
from lollmsbot_keys.runtime import Engine


class RequestLog:
    """One question's part of the log, under the id `request`."""

    def __init__(self, log: EventLog, engine: Engine, listener: Listener) -> None:
        self._log, self._engine, self._listener = log, engine, listener
        self._attempts = 0
        self.request = os.urandom(8).hex()

    def attempt(self, claimed: Claim, finished: Finished, charge: Charge, attempt: Attempt) -> None:
        """Log an attempt that ended and was booked at `charge`."""
        self._attempts += 1
        usage, hold = finished.outcome.usage or Usage(), claimed.hold
        booked = LoggedCost(
            hold=hold.id,
            hold_usd=hold.amount_usd,
            cost_usd=charge.cost_usd,
            cost_source=charge.source,
            charged_usd=charge.amount_usd,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
        )
        sent = Sent(self._attempts, claimed.candidate, attempt, booked, finished.failover)
        now = self._engine.clock()
        self._write(Entry(now, self.request, hold.claimed, claimed.plan, sent, __version__))

    def refused(self, plan: Plan) -> None:
        """Log that no candidate of `plan` may take the question."""
        now = self._engine.clock()
        self._write(Entry(now, self.request, now, plan, None, __version__))

    def _write(self, entry: Entry) -> None:
        # Not in a thread: writing takes less time than a thread switch, and ends before the answer is given.
        problem = self._log.append(encode(entry, self._engine.secrets.scrubber.text))
        if problem is not None:
            self._listener.notice(problem)
