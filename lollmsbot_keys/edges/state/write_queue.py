"""Many changes of one event loop, few writes: changes gather during one write and go into the next.

No law is weaker for it. A caller that waits for a change goes on only when it is on the disk. A change that nobody
waits for keeps its place in the order, and goes with the next change that somebody does wait for, or a moment later.
Writing has a thread of its own: asyncio's threads may all be waiting for a keychain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.model.unsettled import Settlement
from lollmsbot_keys.edges.state.store import StateFile
from lollmsbot_keys.errors import StateError

T = TypeVar("T")

COMPANY_S = 0.005
"""The time that a change without a waiting caller waits for a change with one."""


class Kept(StateError):
    """The error of a state that cannot be written, while the settlement lies beside it for the next process."""


class _Impossible(NamedTuple):
    """The answer of a change that could not be made."""

    error: BaseException


class _Asked(NamedTuple):
    """A change that was asked for, and the settlement to keep if the change cannot be written."""

    change: Callable[[Snapshot, datetime], tuple[Snapshot, Any]]
    future: asyncio.Future[Any]
    kept: Callable[[], Settlement] | None


class StateQueue:
    """Changes to one state file from one event loop."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        self._pending: list[_Asked] = []
        self._left: list[_Asked] = []
        """The changes that could be put nowhere on the disk: they go with the next write of any caller."""
        self._writer: asyncio.Task[None] | None = None
        self._awaited = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "lbk-state")  # begins with the first write, ends with the queue

    def update(
        self,
        change: Callable[[Snapshot, datetime], tuple[Snapshot, T]],
        kept: Callable[[], Settlement] | None = None,
    ) -> asyncio.Future[T]:
        """Apply `change` and give its answer, once it is on the disk.

        A cancelled caller cannot take a change back: it is made all the same. A caller that must undo it then has to
        shield this from being cancelled, and wait for the answer.

        Raises:
            Kept: the state cannot be written; `kept` lies beside it.
            StateError: the state cannot be read or written.
            Exception: whatever `change` raises; changes of others that share the write are made all the same.
        """
        future = self._add(change, kept)
        self._awaited.set()
        return future

    def later(
        self,
        change: Callable[[Snapshot, datetime], tuple[Snapshot, T]],
        kept: Callable[[], Settlement] | None = None,
    ) -> asyncio.Future[T]:
        """Apply `change` as `update` does, when nobody waits for it.

        It is made soon, and before all changes that are asked for after it.
        """
        return self._add(change, kept)

    async def written(self) -> None:
        """Wait until every change is on the disk, or known to be impossible."""
        if self._left and (self._writer is None or self._writer.done()):
            self._writer = asyncio.create_task(self._write())
        while self._writer is not None and not self._writer.done():
            self._awaited.set()
            await asyncio.wait({self._writer})

    def _add(
        self,
        change: Callable[[Snapshot, datetime], tuple[Snapshot, T]],
        kept: Callable[[], Settlement] | None,
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.append(_Asked(change, future, kept))
        if self._writer is None or self._writer.done():
            self._begin()
        return future

    def _begin(self) -> None:
        self._writer = asyncio.create_task(self._write())
        self._writer.add_done_callback(self._ended)

    def _ended(self, writer: asyncio.Task[None]) -> None:
        # A loop that ends may have cancelled it before its first step: then nobody would ever be answered.
        if writer is self._writer and self._pending:
            self._begin()

    async def _write(self) -> None:
        while self._pending or self._left:
            await self._wait_for_company()
            batch, self._pending, self._left = [*self._left, *self._pending], [], []
            work = asyncio.get_running_loop().run_in_executor(self._thread, self._made, batch)
            while not work.done():
                # Cancelled is this task only when its loop ends: what somebody asked for is written all the same.
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({work})
            for asked, answer in zip(batch, work.result(), strict=True):
                if asked.future.done():
                    continue
                if isinstance(answer, _Impossible):
                    asked.future.set_exception(answer.error)
                else:
                    asked.future.set_result(answer)
            if not self._pending:  # what is left waits for somebody else's write
                return

    def _made(self, batch: Sequence[_Asked]) -> list[Any]:
        """Return the answers to `batch`; this runs in the thread.

        A settlement that cannot be written is kept where that is possible.
        """
        try:
            return self._state.update_all([_alone(asked.change) for asked in batch])
        except StateError as error:
            return [self._otherwise(asked, error) for asked in batch]
        except BaseException as error:  # noqa: BLE001 - it is raised again where it belongs
            return [_Impossible(error)] * len(batch)

    def _otherwise(self, asked: _Asked, error: StateError) -> _Impossible:
        if asked.kept is None:
            return _Impossible(error)
        try:
            self._state.keep(asked.kept())
        except StateError:
            self._left.append(asked)
            return _Impossible(error)
        return _Impossible(Kept(str(error)))

    async def _wait_for_company(self) -> None:
        if not self._awaited.is_set():
            with suppress(asyncio.CancelledError, TimeoutError):  # as above: a loop that ends is no reason to forget
                async with asyncio.timeout(COMPANY_S):
                    await self._awaited.wait()
        self._awaited.clear()


def _alone(
    change: Callable[[Snapshot, datetime], tuple[Snapshot, Any]],
) -> Callable[[Snapshot, datetime], tuple[Snapshot, Any]]:
    """Return `change` so that its errors reach only the caller who asked for it."""

    def step(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, Any]:
        try:
            return change(snapshot, now)
        except Exception as error:  # noqa: BLE001 - it is raised again where it belongs
            return snapshot, _Impossible(error)

    return step
