"""The fingerprints of secrets, and the key without which they are worthless."""

from __future__ import annotations

import os
import time
from pathlib import Path

from lollmsbot_keys.edges.files.regular import read_plain
from lollmsbot_keys.errors import StateError

KEY_BYTES = 32
_PATIENCE_S = 1.0


def fingerprint(characters: str, key: bytes | None) -> str:
    """Return 64 bits in hex, or "" without a `key`.

    Keyed, so that a stolen state file does not help to guess a secret.
    """
    if key is None:
        return ""
    try:  # where hashlib has it from: hashlib itself loads OpenSSL, which every start would feel
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b

    return blake2b(characters.encode(), key=key, digest_size=8).hexdigest()


def installation_key(path: Path, *, create: bool) -> bytes | None:
    """Return the 32 random bytes in `path`; `None` without a file, if none is to be made.

    Processes that start together end with the same key: the first that links its complete file into place wins.

    Raises:
        StateError: the file cannot be read or made, or is no key.
    """
    try:
        found = _read(path)
        if found is None and create:
            _create(path)
            found = _read(path)
    except OSError as error:
        raise StateError(
            f"Cannot use {path}, which lies beside the state: {error.strerror}. Mend that folder's permissions, or "
            "choose another state file with --state or LBK_STATE."
        ) from None
    if found is None:
        if create:
            raise StateError(f"The fingerprint key {path} vanished while it was made. Try again.")
        return None
    if len(found) != KEY_BYTES:
        raise StateError(
            f"The fingerprint key {path} has {len(found)} bytes instead of {KEY_BYTES}. Restore it, or delete it: "
            "then every secret counts as new, and a disabled key is tried again."
        )
    return found


def _read(path: Path) -> bytes | None:
    give_up = time.monotonic() + _PATIENCE_S
    while True:
        try:
            found = read_plain(path, KEY_BYTES + 1)
        except FileNotFoundError:
            return None
        # Short only while another process, on a file system without links, is between creating and writing.
        if len(found) >= KEY_BYTES or time.monotonic() > give_up:
            return found
        time.sleep(0.01)


def _create(path: Path) -> None:
    """Put a new key at `path` unless one is there by now."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        _write_new(fresh)
        try:
            os.link(fresh, path)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            _write_new(path)
    except FileExistsError:
        return
    finally:
        fresh.unlink(missing_ok=True)


def _write_new(path: Path) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.urandom(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
