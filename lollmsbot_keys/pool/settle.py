"""The settlements of one question's attempts: booked in the state, told to the listener, written to the log.

The answer is worth more than its entry: where the state cannot be written any more, the entry is kept beside it for the
next process that can write. Where nothing can be written, the hold stays, and lapses to the full charge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from lollmsbot_keys.core.alerts.thresholds import crosses
from lollmsbot_keys.core.model.outcome import Attempt, OutcomeKind
from lollmsbot_keys.core.model.snapshot import Hold, Snapshot
from lollmsbot_keys.core.model.unsettled import Settlement
from lollmsbot_keys.core.money.charges import Charge
from lollmsbot_keys.core.money.ledger import milliseconds
from lollmsbot_keys.core.routing.claim import Claim
from lollmsbot_keys.core.state.adoption import settlement_of
from lollmsbot_keys.core.state.events import Event, Released, Remembered, record
from lollmsbot_keys.core.state.settlement import (
    Finished,
    charge_for,
    cools_until,
    events_of,
    tokens_beyond,
    was_charged_for_free,
)
from lollmsbot_keys.edges.state.write_queue import Kept
from lollmsbot_keys.errors import StateError
from lollmsbot_keys.pool.context import AskContext


class Settler:
    """The settlements of one question.

    `attempts` are those that are settled, or are about to be.
    """

    def __init__(self, context: AskContext) -> None:
        self._engine, self._queue = context.engine, context.queue
        self._listener, self._log = context.listener, context.log
        self._last: asyncio.Future[datetime | None] | None = None
        self.attempts: list[Attempt] = []
        self.crossed = False
        """Whether this question's calls crossed a line that people want to be told of."""

    async def settle(self, claimed: Claim, finished: Finished) -> Charge:
        """Write down what became of an attempt, and return its charge.

        After an answer nothing depends on the entry, and until it is written the hold stands for it: then it is left to
        the queue, and nobody waits.
        """
        charge, until = charge_for(finished), None
        change, kept = self._change(finished, charge), partial(self._kept, finished, charge)
        if finished.outcome.failure is None:
            self._last = self._queue.later(change, kept)
            self._last.add_done_callback(self._settled)
        else:
            try:
                until = await self._queue.update(change, kept)
            except StateError as error:
                self._not_settled(error)
        self._tell(finished, until, charge)
        if self._log is not None:
            self._log.attempt(claimed, finished, charge, self.attempts[-1])
        return charge

    def _change(
        self, finished: Finished, charge: Charge
    ) -> Callable[[Snapshot, datetime], tuple[Snapshot, datetime | None]]:
        config, hold, outcome = self._engine.config, finished.hold, finished.outcome

        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, datetime | None]:
            events = self._events(finished, charge, now)
            if charge.amount_usd > hold.amount_usd:
                events = (Remembered(hold), *events)
            after = snapshot
            for event in events:
                after = record(after, event, now)
            self.crossed |= crosses(config, snapshot, after, hold, now)
            return after, cools_until(after, finished.candidate, now) if outcome.failure else None

        return change

    def _events(self, finished: Finished, charge: Charge, now: datetime) -> Sequence[Event]:
        if finished.outcome.kind is OutcomeKind.UNPROVEN:
            return (Released(finished.hold.id),)
        return events_of(finished, charge, self._engine.config.cooldowns, now)

    def _kept(self, finished: Finished, charge: Charge) -> Settlement:
        return settlement_of(finished.hold, self._events(finished, charge, self._engine.clock()))

    async def release(self, hold: Hold) -> None:
        """Give a hold back because nothing was sent.

        An error that prevents it is told to the listener.
        """
        await self._record((Released(hold.id),), lambda: Settlement(hold))

    async def record(self, *events: Event) -> None:
        """Write down other events that this question brought to light.

        An error that prevents it is told to the listener.
        """
        await self._record(events, None)

    async def _record(self, events: Sequence[Event], kept: Callable[[], Settlement] | None) -> None:
        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
            for event in events:
                snapshot = record(snapshot, event, now)
            return snapshot, None

        try:
            await self._queue.update(change, kept)
        except StateError as error:
            self._listener.notice(str(error))

    def when_settled(self, then: Callable[[], None]) -> None:
        """Call `then` once all attempts are settled; at once if they are already."""
        if self._last is None or self._last.done():
            then()
        else:
            self._last.add_done_callback(lambda _: then())

    def _settled(self, last: asyncio.Future[datetime | None]) -> None:
        error = last.exception()
        if isinstance(error, StateError):
            self._not_settled(error)
        elif error is not None:
            raise error

    def _not_settled(self, error: StateError) -> None:
        if isinstance(error, Kept):
            place = self._engine.state.unsettled
            self._listener.notice(
                f"{error} What the call cost is kept in {place}: the next lbk that can write books it."
            )
        else:
            self._listener.notice(f"{error} The call stays booked at the most it can have cost.")

    def _tell(self, finished: Finished, until: datetime | None, charge: Charge) -> None:
        candidate, outcome = finished.candidate, finished.outcome
        attempt = Attempt(
            key=candidate.key,
            provider=candidate.provider,
            model=candidate.model,
            outcome=outcome.kind,
            status=outcome.status,
            latency_ms=milliseconds(finished.latency),
            cooldown_until=until,
            detail=outcome.failure.evidence if outcome.failure else "",
        )
        self.attempts.append(attempt)
        self._listener.attempt(attempt)
        if was_charged_for_free(finished, charge):
            self._listener.notice(
                f"{candidate.model} is not free any more: {candidate.label} was charged {charge.amount_usd:f} USD for "
                "it. That is booked, and the model is left out. Remove it from providers.openrouter.free_models."
            )
        elif charge.amount_usd > finished.hold.amount_usd:
            self._listener.notice(_excess(finished, charge))


def _excess(finished: Finished, charge: Charge) -> str:
    """Say that a call cost more than was held for it, and what follows."""
    candidate, beyond = finished.candidate, tokens_beyond(finished)
    booked = f"{candidate.label} cost {charge.amount_usd:f} USD, more than the {finished.hold.amount_usd:f} held for it"
    if beyond:
        return (
            f"{booked}: {candidate.model} took {beyond} prompt tokens more than were expected of its template. "
            "That is booked, and expected from now on."
        )
    return f'{booked} by the known price of {candidate.model}: check [models."{candidate.model}"].'
