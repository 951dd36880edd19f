"""The wait for a key to come free, in one queue of all processes that wait.

Time alone is waited for where `--wait` asks for it. Money that is only held comes back in a moment, so that is waited
for without being asked, as with a lock: as long as calls end or begin, and no longer than an attempt may be silent.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum, auto

from lollmsbot_keys.core.model.snapshot import Snapshot, Waiter
from lollmsbot_keys.core.routing.claim import Nothing, held, passing
from lollmsbot_keys.core.state.events import Event, Waiting, WaitOver, record
from lollmsbot_keys.errors import StateError
from lollmsbot_keys.pool.context import AskContext

_LOOK_AGAIN = timedelta(seconds=1)
"""The longest pause: keys also come free by a reset, a settled hold, or a mended secret."""
_NEXT = timedelta(milliseconds=50)
"""The pause for each place in the queue: those further behind look less often, so that two hundred do no harm."""
UNMOVED = timedelta(seconds=10)
"""The longest wait without `--wait` for money that is held, while no call begins or ends."""
_SHARE = 10
"""The divisor of the time without a change; the result makes the pause longer."""
_MARGIN = timedelta(milliseconds=5)


class Wait(Enum):
    """The end of a wait."""

    NO_USE = auto()  # not asked for, nothing comes back by itself, or not in time
    NOT_YET = auto()
    CAME_FREE = auto()


class WaitQueue:
    """The waiting of one question.

    `ticket` names its place in the queue while it has one.
    """

    def __init__(self, context: AskContext) -> None:
        self._engine, self._queue, self._owner = context.engine, context.queue, context.owner
        self._prompt, self._listener = context.prompt, context.listener
        self._since: datetime | None = None
        self._moved: datetime | None = None
        self._on_their_way: frozenset[str] = frozenset()
        self._keys: Mapping[str, datetime] = {}
        self.ticket: str | None = None

    async def wait(self, nothing: Nothing) -> Wait:
        """Wait a little for the first key of the plan to come free."""
        now, back, holding = self._engine.clock(), passing(nothing.plan), held(nothing.plan)
        any_moment = nothing.queued or bool(holding)
        if self._prompt.wait is None and not any_moment:
            return Wait.NO_USE
        self._since = since = min(self._since or now, now)  # refused again, it stays ahead of later ones
        if self._moved is None or self._on_their_way != nothing.on_their_way:
            self._moved, self._on_their_way = now, nothing.on_their_way
        if self.ticket is not None and not nothing.queued and self._keys.keys() - {key for _, key in back} - {*holding}:
            self._keys = {}  # one was reset, or its secret mended: this counts only once
            return Wait.CAME_FREE
        keys = {**{key: free for free, key in reversed(back)}, **dict.fromkeys(holding, since)} or self._keys
        free_at, deadline = back[0][0] if back else None, self._deadline(since, self._moved)
        soonest = now if any_moment else free_at
        if soonest is None or now >= deadline or soonest > deadline:
            return Wait.NO_USE
        await self._queue_up(keys, since)
        self._listener.waiting(now if nothing.queued else nothing.plan.retry_at or soonest)
        look_again = (nothing.ahead + 1) * _NEXT + (now - self._moved) / _SHARE if any_moment else _LOOK_AGAIN
        pause = min(look_again, _LOOK_AGAIN, deadline - now, *([free_at - now + _MARGIN] if free_at else ()))
        await asyncio.sleep(max(pause, timedelta()).total_seconds())
        return Wait.CAME_FREE if free_at is not None and free_at <= self._engine.clock() else Wait.NOT_YET

    def _deadline(self, since: datetime, moved: datetime) -> datetime:
        if self._prompt.wait is not None:
            return since + self._prompt.wait
        return min(since + self._prompt.timeout, moved + UNMOVED)

    async def leave(self) -> None:
        """Give the place in the queue back.

        A place that cannot be given back ends with the process.
        """
        if self._since is not None:
            self._listener.done_waiting()
        if self.ticket is not None:
            ticket, self.ticket = self.ticket, None
            with suppress(StateError):
                await self._record(WaitOver(frozenset({ticket})))

    async def _queue_up(self, keys: Mapping[str, datetime], since: datetime) -> None:
        """Take a place in the queue, or update which keys are of use, and from when.

        A question that can no longer use a key keeps nobody else from it.
        """
        if self.ticket is not None and keys == self._keys:
            return
        self._keys = keys
        # The ticket is known before it is written, so that a cancelled question gives it back too.
        self.ticket = self.ticket or os.urandom(8).hex()
        longest = self._prompt.timeout if self._prompt.wait is None else self._prompt.wait
        until = since + longest + _LOOK_AGAIN
        waiter = Waiter(self._owner, since, until, self._prompt.request.priority, keys)
        await self._record(Waiting(self.ticket, waiter))

    async def _record(self, event: Event) -> None:
        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
            return record(snapshot, event, now), None

        await self._queue.update(change)
