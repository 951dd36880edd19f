"""A terminal of one's own: real programs at a real pty, which is their controlling terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from tests.support import PATIENCE_S, ROOT

# A new session has no terminal: it must take the one at its standard input.
TAKE_IT = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
CTRL_C, CTRL_D, CTRL_Z = "\x03", "\x04", "\x1a"


class Terminal:
    """A program at a terminal of so many columns; `drawn` is everything that it wrote there."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], *, columns: int = 80) -> None:
        self._argv, self._env, self._columns = argv, env, columns
        self.drawn = ""

    def __enter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        self.resize(self._columns)
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_IT, *self._argv],
            env={"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "PATH": os.defpath, **self._env},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        # Kept open: a terminal that nobody has open is gone, and with it what was set.
        self._theirs = theirs
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._theirs)
        os.close(self._ours)

    def resize(self, columns: int) -> None:
        """Make the window so wide."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def until(self, text: str, times: int = 1) -> None:
        """Wait for `text` to have been drawn so often."""
        deadline = time.monotonic() + PATIENCE_S / 2
        while self.drawn.count(text) < times:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.drawn!r}"
            self._read(1.0)

    def ended(self) -> int:
        """The exit code, once it has ended and everything was read."""
        deadline = time.monotonic() + PATIENCE_S / 2
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"still running: {self.drawn!r}"
            self._read(0.05)
        while self._read(0.0):
            pass
        return self.process.returncode

    def shows_typing(self) -> bool:
        """Whether what is typed can be seen."""
        return bool(termios.tcgetattr(self._theirs)[3] & termios.ECHO)

    def _read(self, patience: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], patience)
        if ready:
            self.drawn += os.read(self._ours, 65_536).decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(ready)
