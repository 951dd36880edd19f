"""`--wait`: a place in the queue for the first key that comes free, fair between all processes that wait."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum, auto

from lollmsbot_keys.core.claim import Nothing, passing
from lollmsbot_keys.core.owner import Owner
from lollmsbot_keys.core.record import Event, Waiting, WaitOver, record
from lollmsbot_keys.core.state import Snapshot, Waiter
from lollmsbot_keys.edges.state.queue import StateQueue
from lollmsbot_keys.engine import Engine
from lollmsbot_keys.errors import StateError
from lollmsbot_keys.pool.question import Listener, Question

_LOOK_AGAIN = timedelta(seconds=1)
"""Keys also come free otherwise than by time: a reset, a settled hold, a mended secret."""
_NEXT = timedelta(milliseconds=50)
_MARGIN = timedelta(milliseconds=5)


class Wait(Enum):
    """How a wait ended."""

    NO_USE = auto()  # not asked for, nothing comes back by itself, or not in time
    NOT_YET = auto()
    CAME_FREE = auto()


class Queueing:
    """The waiting of one question. `ticket` names its place in the queue while it has one."""

    def __init__(self, engine: Engine, queue: StateQueue, owner: Owner, question: Question, listener: Listener) -> None:
        self._engine, self._queue, self._owner = engine, queue, owner
        self._question, self._listener = question, listener
        self._since: datetime | None = None
        self._deadline: datetime | None = None
        self._keys: Mapping[str, datetime] = {}
        self.ticket: str | None = None

    async def wait(self, nothing: Nothing) -> Wait:
        """Wait a little for the first key of the plan to come free."""
        if self._question.wait is None:
            return Wait.NO_USE
        now = self._engine.clock()
        self._deadline = self._deadline or now + self._question.wait
        back = passing(nothing.plan)
        if self.ticket is not None and not nothing.queued and self._keys.keys() - {key for _, key in back}:
            self._keys = {}  # somebody reset one, or mended its secret: once, lest the same news counts twice
            return Wait.CAME_FREE
        keys = {key: since for since, key in reversed(back)} or self._keys
        free_at = now if nothing.queued else back[0][0] if back else None
        if free_at is None or now >= self._deadline or free_at > self._deadline:
            return Wait.NO_USE
        await self._queue_up(keys, now)
        self._listener.waiting(free_at)
        pause = _NEXT if nothing.queued else min(_LOOK_AGAIN, free_at - now + _MARGIN, self._deadline - now)
        await asyncio.sleep(max(pause, timedelta()).total_seconds())
        return Wait.CAME_FREE if free_at <= self._engine.clock() else Wait.NOT_YET

    async def leave(self) -> None:
        """Give the place in the queue back. A place that cannot be given back ends with the process."""
        if self._deadline is not None:
            self._listener.done_waiting()
        if self.ticket is not None:
            ticket, self.ticket = self.ticket, None
            with suppress(StateError):
                await self._record(WaitOver(frozenset({ticket})))

    async def _queue_up(self, keys: Mapping[str, datetime], now: datetime) -> None:
        self._keys = keys
        if self.ticket is not None or self._deadline is None:
            return
        self._since = min(self._since or now, now)  # refused once more, it is still ahead of those who came later
        self.ticket = os.urandom(8).hex()  # known before it is written: who is cancelled meanwhile gives it back too
        waiter = Waiter(self._owner, self._since, self._deadline + _LOOK_AGAIN, self._question.request.priority, keys)
        await self._record(Waiting(self.ticket, waiter))

    async def _record(self, event: Event) -> None:
        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
            return record(snapshot, event, now), None

        await self._queue.update(change)
