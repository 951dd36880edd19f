"""A file for the textfile collector of Prometheus's node_exporter.

The collector reads it at every scrape, as another user.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from functools import partial
from pathlib import Path

from lollmsbot_keys.edges.files.atomic import OWNER_ONLY, replace_file
from lollmsbot_keys.errors import ConfigError

FOR_ALL_TO_READ = 0o644
LONGEST = 16_000_000
"""The most bytes that are read of an earlier text; ours has a few ten thousand."""


def earlier_text(path: Path) -> bytes:
    """Return the text at `path`; none where there is no file that can be read.

    Raises:
        ConfigError: something is there that is no file, and must not be replaced by one.
    """
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path} is no regular file. Name one for --output, or leave the option out to print.")
        with path.open("rb") as file:
            return file.read(LONGEST)
    except OSError:  # what cannot be written to either says so when it is written to
        return b""


def put(path: Path, text: bytes) -> None:
    """Replace the file, so that no scrape sees half of it.

    A new one is readable for everybody, whatever the umask; an old one keeps its mode, and its owners where this
    process may give files away.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        replace_file(path, text, durable=False, mode=OWNER_ONLY, last_look=partial(_opened_up, path))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(
            f"Cannot write {path}: {reason}. Nothing was changed. Mend the folder, or name another with --output."
        ) from None


def _opened_up(path: Path, descriptor: int) -> None:
    try:
        former = path.stat()
    except FileNotFoundError:
        former = None
    if hasattr(os, "fchmod"):
        if former is not None:
            with suppress(PermissionError):
                os.fchown(descriptor, former.st_uid, former.st_gid)
        os.fchmod(descriptor, FOR_ALL_TO_READ if former is None else stat.S_IMODE(former.st_mode))
