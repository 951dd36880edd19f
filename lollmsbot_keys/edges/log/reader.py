"""The search for one request in the log and its older parts.

Other processes may write them and put them aside at the same time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from errno import EINVAL, EISDIR
from pathlib import Path

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.log_record import Entry
from lollmsbot_keys.edges.files.regular import open_plain
from lollmsbot_keys.edges.log.codec import NewerEntry, NotAnEntry, decode
from lollmsbot_keys.edges.log.writer import OLDER_FILES, older
from lollmsbot_keys.errors import ConfigError, UsageError

LAST = "last"
"""The word for the request with the newest line."""
LONGEST_LINE = 1_000_000
"""The limit in bytes: our lines have a few thousand, and longer ones are not ours."""
_LOOKED_AT = 100
"""The number of lines at the end of a file among which one should be ours and whole."""


class _Found(NamedTuple):
    entries: list[Entry]
    newer: int | None = None


def entries_of(path: Path, request: str) -> tuple[Entry, ...]:
    """Return all entries of `request` in the log at `path`: its attempts in their order, then a refusal.

    They are ordered by their numbers: a clock may stand still, or step back.

    Raises:
        UsageError: it has nothing of it.
        ConfigError: there is no log at `path`, it cannot be read, or only a newer lbk could.
    """
    files = _parts(path)
    if request == LAST:
        request = _newest(files, path)
    found = [_search(file, request) for file in files]
    entries = {_place(entry): entry for part in found for entry in part.entries}
    if entries:
        return tuple(entry for _, entry in sorted(entries.items()))
    newer = next((part.newer for part in found if part.newer is not None), None)
    if newer is not None:
        raise ConfigError(f"{path} has request {request}, written by a newer lbk (version {newer}). Update this one.")
    raise UsageError(
        f"There is no request {request!r} in {path} or its older parts. An id is what lbk ask "
        f"prints with -v, and request_id in --json; {LAST} is the newest."
    )


def _place(entry: Entry) -> tuple[bool, int, datetime]:
    """Return the place of this line among those of its request.

    A line that was read twice has one place.
    """
    if entry.sent is None:
        return True, 0, entry.time
    return False, entry.sent.number, datetime.min.replace(tzinfo=UTC)


def _parts(path: Path) -> list[Path]:
    """Return the log and its older parts, newest first, also those that do not exist yet.

    In this order, a part that is put aside meanwhile is read twice, and none is missed.
    """
    parts = [path, *(older(path, number) for number in range(1, OLDER_FILES + 1))]
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path} is no file, so nothing can be read back. Name one with --log-file.")
        if not any(part.exists() for part in parts):
            raise ConfigError(f"There is no log {path}. lbk ask --log-file {path} writes one.")
    except OSError as error:
        raise _unreadable(path, error) from None
    return parts


def _newest(files: list[Path], path: Path) -> str:
    for file in files:
        for line in reversed(deque(_lines(file), _LOOKED_AT)):
            with suppress(NotAnEntry, NewerEntry):
                return decode(line).request
        found = None
        for line in _lines(file):  # nearly never: somebody else writes there too
            with suppress(NotAnEntry, NewerEntry):
                found = decode(line).request
        if found is not None:
            return found
    raise UsageError(f"There is no request in {path} yet.")


def _search(file: Path, request: str) -> _Found:
    wanted, entries, newer = request.encode("utf-8", "replace"), list[Entry](), None
    for line in _lines(file):
        if wanted not in line:
            continue
        try:
            entry = decode(line)
        except NewerEntry as error:
            newer = error.args[0]
        except NotAnEntry:
            pass
        else:
            if entry.request == request:
                entries.append(entry)
    return _Found(entries, newer)


def _lines(file: Path) -> Iterator[bytes]:
    """Yield the lines of the file, without those that are too long.

    A file that does not exist any more, or is not a regular one, has none.
    """
    try:
        with open_plain(file) as log:
            inside = False  # of a line that is too long
            while line := log.readline(LONGEST_LINE):
                ended = line.endswith(b"\n") or len(line) < LONGEST_LINE
                if ended and not inside:
                    yield line
                inside = not ended
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno in {EINVAL, EISDIR}:  # no part of the log has ever been a pipe or a folder
            return
        raise _unreadable(file, error) from None


def _unreadable(path: Path, error: OSError) -> ConfigError:
    reason = error.strerror or type(error).__name__
    return ConfigError(f"Cannot read the log {path}: {reason}. Mend that, or name another with --log-file.")
