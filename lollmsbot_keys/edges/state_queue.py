"""Many changes of one event loop, few writes: what gathers while one write is under way goes into the next.

No law is loosened by it: whoever asked for a change goes on only when that change is on the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from lollmsbot_keys.core.state import Snapshot
from lollmsbot_keys.edges.state_file import StateFile

T = TypeVar("T")


class _Impossible(NamedTuple):
    """The answer of a change that raised."""

    error: Exception


class StateQueue:
    """Changes to one state file from one event loop."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        self._pending: list[tuple[Callable[[Snapshot, datetime], tuple[Snapshot, Any]], asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def update(self, change: Callable[[Snapshot, datetime], tuple[Snapshot, T]]) -> T:
        """Apply `change` and return its answer, once it is on the disk.

        A cancelled caller cannot take a change back: it happens or it does not, and `update` ends only when that is
        known, with the answer if there is one, so that the caller can undo what it no longer wants.

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
            try:
                answers = await asyncio.to_thread(self._state.update_all, [_alone(change) for change, _ in batch])
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to those who wait for it
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
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
