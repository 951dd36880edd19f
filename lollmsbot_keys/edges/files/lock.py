"""One exclusive lock on a file, with a time limit, for processes and for threads.

The holder has its mark in the file. While marks change the queue moves, however long it is; the time limit is for one
holder that stays.

A blocking `flock` lets waiting processes in without polling: with sixteen of them that is several times faster, and far
fairer, than asking every 50 ms. It has no time limit of its own, so where the lock is not free at once a helper thread
waits for it. Windows has no `flock`; there the filelock package does the same by polling.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic_ns

from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.edges.environment.processes import is_alive, this_process
from lollmsbot_keys.errors import StateError

PATIENCE = timedelta(seconds=30)
"""The longest wait: the lock is held for milliseconds, and a holder that has it for longer than this is stuck."""
_LOOKS = 8
"""The number of looks, within its patience, by which a waiter sees whether the holder has changed."""


@contextmanager
def locked(path: Path, patience: timedelta = PATIENCE) -> Iterator[None]:
    """Hold the exclusive lock `path`.

    The file is created with mode 0600 and never removed, which would split the lock in two.

    Raises:
        StateError: it could not be had within `patience`.
        OSError: the file cannot be made or locked here.
    """
    if sys.platform == "win32":
        with _polled(path, patience):
            yield
        return
    me = this_process()  # known before anybody waits for it
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _flock(descriptor, path, patience)
        _leave_mark(descriptor, me)
        yield
    finally:
        os.close(descriptor)


def _leave_mark(descriptor: int, me: Owner) -> None:
    """Write into the lock's file who holds it now.

    No two marks are the same. Without room for the mark the lock still holds.
    """
    with suppress(OSError):
        os.pwrite(descriptor, b"%d %s %s %d\n" % (*_encoded(me), monotonic_ns()), 0)


def _encoded(owner: Owner) -> tuple[int, bytes, bytes]:
    return owner.pid, owner.boot.encode() or b"-", owner.started.encode() or b"-"


def _mark(descriptor: int) -> bytes:
    return os.pread(descriptor, 256, 0).partition(b"\n")[0]


def _holder(mark: bytes) -> int | None:
    """Return the holder's process number, if it certainly is a process that lives here."""
    with suppress(ValueError):
        pid, boot, started, _ = mark.decode().split()
        if is_alive(Owner(int(pid), boot, started)):
            return int(pid)
    return None


def _stuck(path: Path, patience: timedelta, mark: bytes = b"") -> StateError:
    seconds, pid = f"{patience.total_seconds():.0f} s", _holder(mark)
    if pid is None:
        return StateError(
            f"Another process has held {path} for {seconds} and lets nobody in. It may be of another container or an "
            f"older lbk; fuser -v {path} names all who have it open."
        )
    return StateError(
        f"Process {pid} has held {path} for {seconds} and lets nobody in. If it hangs, end it (kill {pid}): the state "
        "stays whole, and its calls stay booked at the most they can have cost."
    )


def is_moving(wait: Callable[[], bool], mark: Callable[[], bytes]) -> bool:
    """Say whether `wait` succeeds while the queue still moves.

    It does not move any more when the same `mark` is seen after so many time limits of `wait` in a row.
    """
    seen, still = mark(), 0
    while not wait():
        before, seen = seen, mark()
        still = still + 1 if seen == before else 0
        if still == _LOOKS:
            return False
    return True


def _flock(descriptor: int, path: Path, patience: timedelta) -> None:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _flock_in_a_thread(descriptor, path, patience)


def _flock_in_a_thread(descriptor: int, path: Path, patience: timedelta) -> None:
    """Wait for the lock in a thread.

    The lock belongs to the open file, so it is free again when both descriptors are closed: a caller that gave up
    cannot leave it behind, however late the thread gets it.
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
    step = patience.total_seconds() / _LOOKS
    if not is_moving(lambda: finished.wait(step), lambda: _mark(descriptor)):
        raise _stuck(path, patience, _mark(descriptor))
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
