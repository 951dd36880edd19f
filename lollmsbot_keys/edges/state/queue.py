"""Many changes of one event loop, few writes: what gathers while one write is under way goes into the next.

No law is loosened by it: whoever asked for a change goes on only when that change is on the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from lollmsbot_keys.core.state import Snapshot
from lollmsbot_keys.edges.state.file import StateFile

T = TypeVar("T")


class _Impossible(NamedTuple):
    """The answer of a change that could not be made."""

    error: BaseException


class StateQueue:
    """Changes to one state file from one event loop."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        self._pending: list[tuple[Callable[[Snapshot, datetime], tuple[Snapshot, Any]], asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def update(self, change: Callable[[Snapshot, datetime], tuple[Snapshot, T]]) -> T:
        """Apply `change` and return its answer, once it is on the disk.

        A cancelled caller cannot take a change back: it is made all the same. Whoever would undo it then must shield
        this from being cancelled, and wait for the answer.

        Raises:
            StateError: the state cannot be read or written.
            Exception: whatever `change` raises; changes of others that share the write are made all the same.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.append((change, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await future

    async def _write(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            changes = [_alone(change) for change, _ in batch]
            work = asyncio.get_running_loop().run_in_executor(None, self._state.update_all, changes)
            while not work.done():
                # Cancelled is this task only when its loop ends: what somebody asked for is written all the same.
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({work})
            error = work.exception()
            answers = work.result() if error is None else [_Impossible(error)] * len(batch)
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():
                    continue
                if isinstance(answer, _Impossible):
                    future.set_exception(answer.error)
                else:
                    future.set_result(answer)


def _alone(
    change: Callable[[Snapshot, datetime], tuple[Snapshot, Any]],
) -> Callable[[Snapshot, datetime], tuple[Snapshot, Any]]:
    """`change`, so that what is wrong with it stays with whoever asked for it."""

    def step(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, Any]:
        try:
            return change(snapshot, now)
        except Exception as error:  # noqa: BLE001 - it is raised again where it belongs
            return snapshot, _Impossible(error)

    return step
