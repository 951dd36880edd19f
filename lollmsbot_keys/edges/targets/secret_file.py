"""A text file that holds secrets, changed whole: never half written, never readable by others, no edit lost."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.edges.files.atomic import OWNER_ONLY, replace_file
from lollmsbot_keys.edges.secrets.sources import LARGEST_FILE_BYTES
from lollmsbot_keys.errors import SecretError

_TRIES = 20
_PATIENCE_S = 10.0


class _Disturbed(Exception):
    """The error that another program changed the file since it was read."""


class _Look(NamedTuple):
    """The file as it was at one moment; `None` where there was none."""

    text: str | None
    status: os.stat_result | None

    def hold_against(self, now: os.stat_result | None) -> None:
        """Raise `_Disturbed` unless the file is still the same."""
        if _identity(self.status) != _identity(now):
            raise _Disturbed


class TextFile:
    """The text at `path`.

    `path` may be a link: then the link stays, and the file it points to changes.
    """

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Raise `SecretError` unless the file and its folder can be used.

        The folder counts because a new file will replace the old one there.
        """
        real = self._real()
        folder = real.parent
        try:
            found = _status(folder)  # since Python 3.14 is_dir says no where it may not look
        except NotADirectoryError:
            found = None
        except OSError as error:
            raise SecretError(f"Cannot look into {folder}: {error.strerror}. Mend that, or correct the path.") from None
        if found is None or not stat.S_ISDIR(found.st_mode):
            raise SecretError(f"There is no folder {folder}. Make it, or correct the path: mkdir -p {str(folder)!r}")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SecretError(f"{folder} is not yours to write in, and {real.name} is replaced whole. Mend that first.")
        status = self._look(real).status
        if status is None:
            return
        if not os.access(real, os.W_OK):
            raise SecretError(f"{self.path} is write-protected. If that is not meant: chmod u+w {str(real)!r}")
        if hasattr(os, "geteuid") and os.geteuid() not in {0, status.st_uid}:
            raise SecretError(f"{self.path} belongs to another user, who could not read a new one of yours.")

    def read(self) -> str | None:
        """Return the text, with a byte order mark if it has one; `None` where there is no file."""
        return self._look(self._real()).text

    def edit(self, change: Callable[[str | None], str]) -> None:
        """Replace the text by the result of `change`.

        Afterwards its owner can read it, and a group that could before. Where another program changes the file
        meanwhile, `change` is called again with the new text.
        """

        def replace(real: Path, seen: _Look) -> None:
            text = change(seen.text)

            def last_look(descriptor: int) -> None:
                seen.hold_against(_status(real))
                if seen.status is not None and hasattr(os, "fchown"):
                    _keep_readers(descriptor, seen.status)

            if text != seen.text or _is_loose(seen.status):
                replace_file(real, text.encode(), durable=True, last_look=last_look)

        self._undisturbed(replace)

    def remove(self) -> None:
        """Remove the file, if there is one; of a link, the file it points to."""

        def unlink(real: Path, seen: _Look) -> None:
            seen.hold_against(_status(real))
            real.unlink(missing_ok=True)

        self._undisturbed(unlink)

    def _undisturbed(self, act: Callable[[Path, _Look], None]) -> None:
        real = self._real()
        try:
            with _alone_in(real.parent) as alone:
                if alone:
                    _clear_leftovers(real)
                for _ in range(_TRIES):
                    with suppress(_Disturbed):
                        return act(real, self._look(real))
        except OSError as error:
            raise SecretError(
                f"{self.path} cannot be written: {error.strerror}. Mend that, or write to another place with --to."
            ) from None
        raise SecretError(f"Another program keeps changing {self.path}. Stop it, and try again.")

    def _look(self, real: Path) -> _Look:
        try:
            status = _status(real)
            if status is None:
                return _Look(None, None)
            if not stat.S_ISREG(status.st_mode):
                raise SecretError(f"{self.path} is no ordinary file, so it cannot be replaced by a new one.")
            with real.open("rb") as file:
                status = os.fstat(file.fileno())
                content = file.read(LARGEST_FILE_BYTES + 1)
        except FileNotFoundError:  # gone in between
            return _Look(None, None)
        except OSError as error:
            raise SecretError(f"{self.path} cannot be read: {error.strerror}. Mend that, or choose another.") from None
        if len(content) > LARGEST_FILE_BYTES:
            raise SecretError(f"{self.path} is larger than {LARGEST_FILE_BYTES >> 20} MiB: no file of secrets is.")
        try:
            return _Look(content.decode(), status)
        except UnicodeDecodeError:  # its message would quote the bytes
            raise SecretError(f"{self.path} is no UTF-8 text. Save it as UTF-8, or choose another.") from None

    def _real(self) -> Path:
        try:
            return Path(os.path.realpath(self.path))
        except (OSError, ValueError):  # a NUL, or links in a circle where the system minds
            raise SecretError(f"{str(self.path)!r} is no path.") from None


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _identity(status: os.stat_result | None) -> tuple[int, ...]:
    if status is None:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _is_loose(status: os.stat_result | None) -> bool:
    return status is None or (os.name == "posix" and stat.S_IMODE(status.st_mode) != _mode(status))


def _mode(status: os.stat_result) -> int:
    """Return the file's mode from now on.

    Where a group alone could read it, that stays: it was set on purpose, perhaps for a service.
    """
    mode = stat.S_IMODE(status.st_mode)
    return mode if mode & stat.S_IRGRP and not mode & stat.S_IRWXO else OWNER_ONLY


def _keep_readers(descriptor: int, former: os.stat_result) -> None:
    """Give a new file the owner and the group of the former one.

    Root may edit another user's file.
    """
    os.fchown(descriptor, former.st_uid, -1)
    if (mode := _mode(former)) != OWNER_ONLY:
        with suppress(PermissionError):  # of a group that this user is not in: then it stays closed
            os.fchown(descriptor, -1, former.st_gid)
            os.fchmod(descriptor, mode)


def _clear_leftovers(real: Path) -> None:
    """Remove the unfinished new files of killed processes: they may hold a secret."""
    for leftover in real.parent.glob(f".{escape(real.name)}.*.new"):
        if leftover.suffixes[-2:-1] and leftover.suffixes[-2][1:].isdigit():
            leftover.unlink(missing_ok=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[bool]:
    """Keep every other `lbk` from editing a file of `folder`.

    The lock is on the folder itself, and leaves no file. The value says whether it was possible. On Windows and some
    file systems it is not: there only the look before replacing protects.
    """
    if sys.platform == "win32":
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield _lock(descriptor, folder)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> bool:
    import fcntl

    give_up = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise SecretError(
                    f"Another program has kept {folder} locked for {_PATIENCE_S:.0f} s. Find it with: fuser -v {folder}"
                ) from None
            time.sleep(0.01)
        except OSError:
            return False
        else:
            return True
