"""The run of one command as a shell would run it: its signals, its exit code."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

_SIGNALLED = 128
_GRACE_S = 5.0
_MANY = 4096
_ENDINGS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_CHILD = tuple(getattr(signal, name) for name in ("SIGCHLD",) if hasattr(signal, name))


class Signals:
    """The signals of the process, which come to `received` instead of ending it while this is entered.

    It works in the main thread only. If SIGINT was ignored when we were started (a shell's background job, nohup), it
    stays ignored. Waiting is reading from a socket that every signal writes to: a signal that comes just before a
    blocking call would otherwise be seen only when that call returns.
    """

    def __init__(self) -> None:
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self._main = threading.current_thread() is threading.main_thread()
        self._heard, self._bell = socket.socketpair()
        self._bell.settimeout(0)
        self._former_bell = -1
        self.first: int | None = None

    def __enter__(self) -> Self:
        if self._main:
            self._former_bell = signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
            for number in (signal.SIGINT, *_ENDINGS, *_CHILD):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._main:
            signal.set_wakeup_fd(self._former_bell)
        self._heard.close()
        self._bell.close()

    def listen(self) -> None:
        """Sleep until the next signal, or not at all if one has come since the last time."""
        self._heard.recv(_MANY)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if number not in _CHILD:
            self.first = self.first or number
            self.received(number)

    def received(self, number: int) -> None:
        """Act on a signal, between two instructions of the main thread."""


class Patience(Signals):
    """A wait that a signal ends."""

    def wait(self) -> int:
        """Wait for a signal, and return its number."""
        while self.first is None:
            self.listen()
        return self.first


class Child(Signals):
    """The one command that is run, to which signals are passed on.

    At a terminal the command shares our process group: Ctrl-C reaches both from there, and we leave it to the command.
    Without one it gets a group of its own, so that a signal sent to us ends all that it has started.
    """

    def __init__(self) -> None:
        super().__init__()
        self._process: subprocess.Popen[bytes] | None = None
        self._own_group = os.name == "posix" and not _has_terminal()
        self._impatience: threading.Timer | None = None
        self._missed: list[int] = []  # what came while the command was being started

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run the command, and return its exit code; 128 + n after signal n.

        Raises:
            OSError: it cannot be started; a FileNotFoundError where there is no such command.
        """
        program = shutil.which(command[0], path=environment.get("PATH"))
        if program is None:
            raise PermissionError(command[0]) if Path(command[0]).exists() else FileNotFoundError(command[0])
        if self.first in _ENDINGS:
            return _SIGNALLED + int(self.first or 0)
        self._process = subprocess.Popen(  # noqa: S603  running the user's command is what this is for
            list(command),
            executable=program,
            env=dict(environment),
            process_group=0 if self._own_group else None,
        )
        missed, self._missed = self._missed, []
        for number in missed:
            self._send(number)
        try:
            code = self._waited(self._process)
        finally:
            if self._impatience is not None:
                self._impatience.cancel()
        return _SIGNALLED - code if code < 0 else code

    def _waited(self, process: subprocess.Popen[bytes]) -> int:
        if not (self._main and _CHILD):
            return process.wait()
        while (code := process.poll()) is None:
            self.listen()
        return code

    def received(self, number: int) -> None:
        ending = number in _ENDINGS
        if ending and self._impatience is None:
            self._impatience = threading.Timer(_GRACE_S, self._send, (getattr(signal, "SIGKILL", signal.SIGTERM),))
            self._impatience.daemon = True
            self._impatience.start()
        if ending or self._own_group:
            self._send(number)

    def _send(self, number: int) -> None:
        if self._process is None:
            self._missed.append(number)
            return
        with contextlib.suppress(ProcessLookupError):
            if self._own_group:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)


def _has_terminal() -> bool:
    """Say whether a terminal controls this process.

    Its Ctrl-C then reaches the whole process group.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
