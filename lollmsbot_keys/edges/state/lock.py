"""One exclusive lock on a file, with a time limit, for processes and for threads.

A blocking `flock` lets waiting processes in without polling: with sixteen of them that is several times faster, and
far fairer, than asking every 50 ms. It has no time limit of its own, so where the lock is not free at once a helper
thread waits for it. Windows has no `flock`; there the filelock package does the same by polling.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from lollmsbot_keys.errors import StateError

PATIENCE = timedelta(seconds=30)
"""The lock is held for milliseconds; whoever waits longer than this waits for a process that is stuck."""


@contextmanager
def locked(path: Path, patience: timedelta = PATIENCE) -> Iterator[None]:
    """Hold the exclusive lock `path` (created with mode 0600; never removed, which would split it in two).

    Raises:
        StateError: it could not be had within `patience`.
        OSError: the file cannot be made or locked here.
    """
    if sys.platform == "win32":
        with _polled(path, patience):
            yield
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _flock(descriptor, path, patience)
        yield
    finally:
        os.close(descriptor)


def _stuck(path: Path, patience: timedelta) -> StateError:
    return StateError(
        f"Another process has held {path} for {patience.total_seconds():.0f} s. "
        f"Find it with: fuser -v {path}; it is safe to end it."
    )


def _flock(descriptor: int, path: Path, patience: timedelta) -> None:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _flock_in_a_thread(descriptor, path, patience)


def _flock_in_a_thread(descriptor: int, path: Path, patience: timedelta) -> None:
    """Wait in a thread.

    The lock belongs to the open file, so when both descriptors are closed it is free again: whoever gave up cannot
    leave it behind, however late the thread gets it.
    """
    import fcntl
    import threading

    own = os.dup(descriptor)
    failures: list[OSError] = []
    finished = threading.Event()

    def wait() -> None:
        try:
            fcntl.flock(own, fcntl.LOCK_EX)
        except OSError as error:
            failures.append(error)
        finally:
            os.close(own)
            finished.set()

    threading.Thread(target=wait, daemon=True, name="lbk-lock").start()
    if not finished.wait(patience.total_seconds()):
        raise _stuck(path, patience)
    if failures:
        raise failures[0]


if sys.platform == "win32":

    @contextmanager
    def _polled(path: Path, patience: timedelta) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            with FileLock(path, timeout=patience.total_seconds(), poll_interval=0.005):
                yield
        except Timeout:
            raise _stuck(path, patience) from None
