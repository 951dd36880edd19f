"""The start of asynchronous work, so that Ctrl-C has one meaning at every moment."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def run(work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run `work` to its end, as `asyncio.run` does.

    A Ctrl-C that comes while the loop is being made waits until the work has begun, and cancels that: half a loop
    cannot be closed, and Python says so with a traceback.

    Raises:
        KeyboardInterrupt: there was one, and the work has ended.
    """

    async def begun() -> _T:
        _let_through()
        return await work()

    if hasattr(signal, "pthread_sigmask"):  # Windows has none
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return asyncio.run(begun())
    finally:
        _let_through()


def _let_through() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
