"""The compiled configuration on disk, so that an unchanged one is neither parsed nor checked again.

It is only an optimisation: a cache with any fault counts as absent. It holds no secret: of secrets only the references,
and of alert URLs (which carry credentials) only that there are some.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lollmsbot_keys._version import __version__
from lollmsbot_keys.edges.config.build import Compiled
from lollmsbot_keys.edges.files.regular import open_plain

if TYPE_CHECKING:
    from lollmsbot_keys.edges.config.variables import Override

FORMAT = 5
"""The version of the compiled tree: raise it when the tree changes its shape."""

_FILES = 3
_LARGEST_BYTES = 4 << 20
SETTLED_NS = 50_000_000
"""The age that a file must have when it is read: a younger one may change again without a new time of change."""

Identity = list[object]


def identity(sources: Iterable[Path], overrides: Sequence[Override]) -> Identity | None:
    """Return all that the compiled form depends on.

    These are the files as they are now, lbk's own code, and the values of the variables. `None` where a source is not a
    regular file, such as a pipe: it can be read only once.
    """
    code = [
        _file_identity(Path(__file__).with_name(f"{part}.py"))
        for part in ("build", "merge", "rules", "schema", "values")
    ]
    files = [_file_identity(path) for path in sources]
    if any(found == [] for found in files):
        return None
    return [FORMAT, __version__, code, files, json.loads(json.dumps(overrides, default=str))]


def has_user_file(found: Identity) -> bool:
    """Say whether the last source of an identity exists."""
    return len(cast("list[list[object]]", found[_FILES])[-1]) > 1


def read(path: Path, wanted: Identity) -> tuple[Compiled, tuple[str, ...]] | None:
    """Return the compiled tree and its warnings.

    `None` unless they were made from `wanted` and nobody else could have written them.
    """
    try:
        with open_plain(path) as file:
            found = os.fstat(file.fileno())
            if found.st_size > _LARGEST_BYTES or not _ours(found):
                return None
            document = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("identity") != wanted:
        return None
    compiled, warnings = document.get("config"), document.get("warnings")
    if not isinstance(compiled, dict) or not isinstance(warnings, list):
        return None
    return cast("Compiled", compiled), tuple(map(str, warnings))


def write(path: Path, made_from: Identity, compiled: Compiled, warnings: Sequence[str]) -> None:
    """Keep a compiled tree, by atomic replace, mode 0600.

    Best effort: no failure is reported, and none leaves files behind.
    """
    text = json.dumps(
        {"identity": made_from, "warnings": list(warnings), "config": compiled}, separators=(",", ":"), allow_nan=False
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError:
        return
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            written_ns = os.fstat(file.fileno()).st_mtime_ns
        if _settled(made_from, written_ns):
            temporary.replace(path)
        else:
            temporary.unlink()
    except OSError:
        temporary.unlink(missing_ok=True)


def _file_identity(path: Path) -> list[object]:
    """Return path, size, times and inode of a file.

    Only the path where there is no file; an empty list where it is not a regular file.
    """
    try:
        found = path.stat()
    except OSError:
        return [str(path)]
    if not stat.S_ISREG(found.st_mode):
        return []
    return [str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino]


def _settled(made_from: Identity, now_ns: int) -> bool:
    changed = [int(cast("int", found[3])) for found in cast("list[list[object]]", made_from[_FILES]) if len(found) > 3]
    return all(abs(now_ns - changed_ns) > SETTLED_NS for changed_ns in changed)


def _ours(found: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or (found.st_uid == os.geteuid() and not found.st_mode & 0o022)
