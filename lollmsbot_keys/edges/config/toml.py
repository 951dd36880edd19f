"""The text of a TOML file, and the tree in it.

A fault in either becomes a `ConfigError` that names the place.
"""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from lollmsbot_keys.core.model.config_origin import ConfigProblems, Problem

if TYPE_CHECKING:
    from lollmsbot_keys.edges.config.merge import Table

_LARGEST_BYTES = 1 << 20
_TWICE = {
    "Cannot overwrite": "a name that already has a value",
    "Cannot declare": "a table that is already there",
    "Cannot mutate": "a table that is already complete",
    "Duplicate": "a name that already has a value",
}
"""Our words for the parser's messages about repeated names, which quote the name."""
_OF_BACKSLASHES = ("Unescaped", "Invalid hex value")
"""The parser's words about backslashes between double quotes."""


@overload
def read(path: Path, *, must_exist: Literal[True] = True) -> str: ...
@overload
def read(path: Path, *, must_exist: bool) -> str | None: ...
def read(path: Path, *, must_exist: bool = True) -> str | None:
    """Read the file's text; return `None` if there is no such file and none must exist."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        if not must_exist:
            return None
        raise _wrong(path, "there is no such file. Write one: lbk config init") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "impossible path"
        raise _wrong(path, f"cannot be read: {reason.lower()}") from None
    if len(data) > _LARGEST_BYTES:
        raise _wrong(path, f"is larger than {_LARGEST_BYTES >> 20} MiB, so hardly a configuration")
    return _decode(data, path)


def parse(text: str, path: str) -> Table:
    """Parse a TOML text into a tree, with decimal numbers in place of binary ones."""
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except RecursionError:
        raise ConfigProblems(Problem("is nested too deeply", file=path)) from None
    except (ValueError, ArithmeticError) as error:
        raise ConfigProblems(_syntax(error, text, path)) from None


def _syntax(error: Exception, text: str, path: str) -> Problem:
    """Return the place and the fault, but never the wrong line itself: it may hold a secret."""
    if not isinstance(error, tomllib.TOMLDecodeError):
        return Problem("no valid TOML: a number or a date that cannot be", file=path)
    message = str(error)
    place = re.search(r"\(at line (\d+), column (\d+)\)$", message)
    line = int(place[1]) if place else text.rstrip("\n").count("\n") + 1
    column = f", column {place[2]}" if place else ", at the end"
    what = re.sub(r" \(at [^()]*\)$", "", message)
    for beginning, meaning in _TWICE.items():
        what = meaning if what.startswith(beginning) else what
    if what.startswith(_OF_BACKSLASHES):
        what += r". A path with backslashes stands between single quotes: 'C:\Users\me'"
    return Problem(f"no valid TOML{column}: {what}", file=path, line=line)


def _decode(data: bytes, path: Path) -> str:
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _wrong(path, "begins with a byte order mark. Save it as plain UTF-8.", line=1)
    if b"\0" in data:
        raise _wrong(path, "holds a NUL byte, so it is no text", line=data.count(b"\n", 0, data.index(b"\0")) + 1)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _wrong(path, "holds bytes that are no UTF-8. Save it as UTF-8", line=line) from None


def _wrong(path: Path, message: str, line: int | None = None) -> ConfigProblems:
    return ConfigProblems(Problem(message, file=str(path), line=line))
