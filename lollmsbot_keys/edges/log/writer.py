"""The writer of the log, for any number of processes; it puts the file aside when it has grown.

No process waits for another in order to write: a line is one write to the end of the file, which the system does not
mix with another's. A line that a killed process or a full disk left unfinished gets an end before the next one. Only
putting a full file aside takes a lock, under which it is looked at again, so that it is done once.
"""

from __future__ import annotations

import os
import re
import stat
from datetime import timedelta
from errno import ENOSPC
from pathlib import Path
from time import monotonic

from lollmsbot_keys.edges.files.atomic import OWNER_ONLY
from lollmsbot_keys.edges.files.lock import locked
from lollmsbot_keys.errors import StateError

LARGEST_BYTES = 10_000_000
"""The size beyond which a file is put aside."""
OLDER_FILES = 5
"""The number of older files: `NAME.1` is the newest of them."""

_PATIENCE = timedelta(seconds=1)
"""The longest wait for the lock, which is held for some renaming; no answer should wait longer."""
PAUSE = timedelta(minutes=1)
"""The time for which the file grows on after a wait without success, so that not every attempt waits."""

_OPEN_ALREADY = re.compile(r"/dev/(?:fd/(\d{1,4})|(stdout|stderr))")
"""Names of descriptors. Opened anew, a file would be written to from two places at once."""

_TO_THE_END = os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
"""The flags for pipes and terminals: an answer must not wait until somebody reads the log."""


class EventLog:
    """The log at `path`: a file or a stream such as `/dev/stderr`.

    A missing file is made with mode 0600.
    """

    def __init__(
        self,
        path: Path,
        *,
        largest_bytes: int = LARGEST_BYTES,
        older_files: int = OLDER_FILES,
        pause: timedelta = PAUSE,
    ) -> None:
        self._descriptor = _descriptor(path)
        self._is_stream = self._descriptor is not None or _is_stream(path)
        # The real file is put aside, not a link to it.
        self.path = path if self._is_stream else Path(os.path.realpath(path))
        self._largest, self._older, self._pause = largest_bytes, older_files, pause
        self._problem, self._unended = "", False
        self._in_the_way, self._try_again_at = "", 0.0

    def append(self, line: bytes) -> str | None:
        """Add `line`, which has its end, and return a new problem, if there is one.

        It never raises. A problem is returned once, until a line is written without one.
        """
        problem, reason = "", None
        try:
            reason = self._make_room(len(line))
            if reason is not None:
                problem = "grows beyond its size"
            self._write(line)
        except (OSError, ValueError) as error:
            problem = "has a gap from now on"
            reason = (error.strerror if isinstance(error, OSError) else None) or "impossible path"
        told, self._problem = self._problem, problem
        if not problem or problem == told:
            return None
        return (
            f"The log {self.path} {problem}: {reason}. Answers go on all the same. Mend that, or name another with "
            "--log-file."
        )

    def _write(self, line: bytes) -> None:
        descriptor = self._open()
        try:
            if self._unended or (not self._is_stream and _ends_inside_a_line(descriptor)):
                line = b"\n" + line
            self._unended = False
            written = os.write(descriptor, line)
            if written < len(line):
                self._unended = self._is_stream
                raise OSError(ENOSPC, os.strerror(ENOSPC))
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        if self._descriptor is not None:
            return os.dup(self._descriptor)
        if self._is_stream:
            return os.open(self.path, os.O_WRONLY | _TO_THE_END | _AT_ONCE)
        flags = os.O_RDWR | os.O_CREAT | _TO_THE_END
        try:
            return os.open(self.path, flags, OWNER_ONLY)
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path, flags, OWNER_ONLY)

    # --- putting aside ---

    def _make_room(self, size: int) -> str | None:
        """Put the file aside if `size` more bytes are too many.

        A failure of this must not prevent the line.
        """
        if self._is_stream or not self._too_large(size):
            return None
        if monotonic() < self._try_again_at:
            return self._in_the_way
        try:
            with locked(self.path.with_name(f"{self.path.name}.lock"), _PATIENCE):
                if self._too_large(size):
                    self._put_aside()
        except StateError as stuck:
            self._in_the_way = str(stuck).rstrip(".")
        except OSError as error:
            self._in_the_way = f"it cannot be put aside: {error.strerror}"
        else:
            return None
        self._try_again_at = monotonic() + self._pause.total_seconds()
        return self._in_the_way

    def _too_large(self, size: int) -> bool:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size > 0 and found.st_size + size > self._largest

    def _put_aside(self) -> None:
        """Move each older file on by one, up to the first gap.

        A process that is killed here leaves a gap, and loses nothing.
        """
        mode = stat.S_IMODE(self.path.stat().st_mode)
        numbers = range(1, self._older + 1)
        last = next((number for number in numbers if not older(self.path, number).exists()), self._older)
        for number in range(last, 1, -1):
            older(self.path, number - 1).replace(older(self.path, number))
        self.path.replace(older(self.path, 1))
        os.close(self._open())
        if mode != OWNER_ONLY:  # somebody lets a log shipper read it
            self.path.chmod(mode)


def older(path: Path, number: int) -> Path:
    """Return the older part of the log at `path` with this number; 1 is the newest."""
    return path.with_name(f"{path.name}.{number}")


def _descriptor(path: Path) -> int | None:
    found = _OPEN_ALREADY.fullmatch(os.fspath(path))
    if found is None:
        return None
    return int(found[1]) if found[1] else {"stdout": 1, "stderr": 2}[found[2]]


def _is_stream(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _ends_inside_a_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    if not size:
        return False
    os.lseek(descriptor, size - 1, os.SEEK_SET)  # writing goes to the end all the same
    return os.read(descriptor, 1) != b"\n"
