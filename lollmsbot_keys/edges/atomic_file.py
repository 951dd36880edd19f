"""Replacing a file whole: a reader sees the old text or the new one, and a crash leaves one of them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

OWNER_ONLY = 0o600


def replace_file(path: Path, content: bytes, *, durable: bool, mode: int = OWNER_ONLY) -> None:
    """Put `content` at `path`, with `mode` from its first byte on. `durable` also survives a loss of power.

    The temporary file is named after the process, so that what a killed one left behind is reused, not piled up.

    Raises:
        OSError: the disk is full, the folder cannot be written, …; `path` is then as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    with suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            _write_all(descriptor, content)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _sync_folder(folder: Path) -> None:
    """Make the new name durable. Where folders cannot be opened (Windows), the system sees to it."""
    with suppress(PermissionError, NotImplementedError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
