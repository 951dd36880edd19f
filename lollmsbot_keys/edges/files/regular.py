"""The reading of plain files.

A pipe or a device in the place of one is refused: nobody waits for it.
"""

from __future__ import annotations

import os
import stat
from errno import EINVAL, EISDIR
from io import BufferedReader
from pathlib import Path

_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def open_plain(path: Path) -> BufferedReader:
    """Open the file at `path` for reading.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    return open(path, "rb", opener=_opened)


def read_plain(path: Path, most: int = -1) -> bytes:
    """Read the file at `path`, at most its first `most` bytes.

    Raises as `open_plain` does.
    """
    with open(path, "rb", buffering=0, opener=_opened) as file:
        return file.read(most)


def _opened(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | _AT_ONCE)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise OSError(EISDIR, os.strerror(EISDIR))
    raise OSError(EINVAL, "it is not a regular file")
