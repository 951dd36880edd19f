"""The replacing of whole files: a reader sees the old text or the new one, after a crash too."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

OWNER_ONLY = 0o600
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would write line breaks of its own
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)  # a pipe in a file's place is an error, and nobody waits for its reader


def replace_file(
    path: Path,
    content: bytes,
    *,
    durable: bool,
    mode: int = OWNER_ONLY,
    last_look: Callable[[int], None] | None = None,
) -> None:
    """Put `content` at `path`, with `mode` from its first byte on.

    `durable` also survives a loss of power. The temporary file is named after the process, so that the one of a killed
    process is used again, and such files do not pile up. `last_look` gets the finished file's descriptor just before it
    takes its place; an error that it raises prevents that.

    Raises:
        OSError: the disk is full, the folder cannot be written, …; `path` is then as it was.
    """
    temporary = os.fspath(path.parent / f".{path.name}.{os.getpid()}.new")
    descriptor = _new_file(temporary, mode)
    try:
        try:
            _write_all(descriptor, content)
            if durable:
                os.fsync(descriptor)
            if last_look is not None:
                last_look(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)  # noqa: PTH105 - on the way of every call; a Path costs as much again
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
    if durable:
        sync_folder(path.parent)


def overwrite_file(path: Path, content: bytes) -> None:
    """Put `content` at `path` without replacing the file.

    This is cheaper, but not for a file that must never be torn.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | _BINARY | _AT_ONCE, OWNER_ONLY)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, OWNER_ONLY)
        _write_all(descriptor, content)
        os.ftruncate(descriptor, len(content))
    finally:
        os.close(descriptor)


def _new_file(temporary: str, mode: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
    try:
        return os.open(temporary, flags, mode)
    except FileExistsError:
        Path(temporary).unlink()
        return os.open(temporary, flags, mode)


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def sync_folder(folder: Path) -> None:
    """Make the new name durable.

    Where folders cannot be opened (Windows), the system takes care of it.
    """
    with suppress(PermissionError, NotImplementedError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
