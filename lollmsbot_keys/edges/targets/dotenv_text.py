"""One variable of a dotenv text, changed; every other character stays.

What a line means is python-dotenv's to say: its parser splits the text, and reads what was made before anybody uses it.
A shell that sources the file must find the same value; a way of quoting that the two read differently is not taken.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from dotenv.parser import Binding, parse_stream

from lollmsbot_keys.core.noun import NamedTuple

_BOM = "\ufeff"
_LINE = re.compile(
    r"""
    (?P<before>\s*(?:export[^\S\r\n]+)?)
    (?:'[^']+'|[^=\#\s]+)                                         # the name
    (?:[^\S\r\n]*=(?P<blank>[^\S\r\n]*)
        (?:(?P<quoted>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")(?=[^\S\r\n]*(?:\#|[\r\n]|\Z))
          |(?P<bare>[^\r\n]*?)(?=[^\S\r\n]+\#|[^\S\r\n]*(?:[\r\n]|\Z)))
    )?
    (?P<after>.*)\Z
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"[A-Za-z0-9_@%+:,./-]*")
_REFERENCE = re.compile(r"\$\{[^}:]*(?::-[^}]*)?\}")
"""What python-dotenv replaces by a variable's value, inside quotes too, for those who do not switch that off."""


class _Place(NamedTuple):
    """Where an assignment is, or would be: the text before its name, the text after its value, the quote it has."""

    head: str
    tail: str
    quote: str = ""


def value_of(text: str, name: str) -> str | None:
    """What python-dotenv reads as `name`, taken literally; "" where it is named without a value, `None` if absent."""
    found = [value for key, value in _values(text.removeprefix(_BOM)) if key == name]
    return found[-1] if found else None


def with_value(text: str, name: str, value: str, *, for_shells: bool = True) -> str | None:
    """`text` with `value` for `name`: the last time it stands there, which is what readers go by, or at the end.

    `None` where no way of quoting does. Without `for_shells` it has to be right for python-dotenv only, and then there
    is a way for every value that python-dotenv ever gave.
    """
    body = text.removeprefix(_BOM)
    bindings = _parsed(body)
    wanted = _values(body)
    at = max((index for index, (key, _) in enumerate(wanted) if key == name), default=len(wanted))
    wanted[at : at + 1] = [(name, value)]
    place = _found(bindings, name) or _at_the_end(body, bindings)
    for quoted in _quotings(value, place.quote, for_shells=for_shells):
        made = f"{place.head}{name}={quoted}{place.tail}"
        if _values(made) == wanted:
            return text[: len(text) - len(body)] + made
    return None


def without(text: str, name: str) -> str:
    """`text` without the line that readers take `name` from."""
    bindings = _parsed(text.removeprefix(_BOM))
    at = _last(bindings, name)
    if at is None:
        return text
    line = bindings[at].original.string
    blank_lines = line[: len(line) - len(line.lstrip())].rstrip(" \t")
    parts = [binding.original.string for binding in bindings]
    parts[at] = blank_lines
    return text[: len(text) - len(text.removeprefix(_BOM))] + "".join(parts)


def _parsed(body: str) -> list[Binding]:
    return list(parse_stream(io.StringIO(body)))


def _values(body: str) -> list[tuple[str, str]]:
    return [(binding.key, binding.value or "") for binding in _parsed(body) if binding.key is not None]


def _last(bindings: list[Binding], name: str) -> int | None:
    return max((index for index, binding in enumerate(bindings) if binding.key == name), default=None)


def _found(bindings: list[Binding], name: str) -> _Place | None:
    at = _last(bindings, name)
    line = None if at is None else _LINE.match(bindings[at].original.string)
    if at is None or line is None:
        return None
    blank, quoted, bare, after = line["blank"] or "", line["quoted"], line["bare"] or "", line["after"]
    if blank and bare.startswith("#"):  # `NAME= # nothing yet` has a comment and no value
        after = blank + bare + after
    elif after.startswith("#"):  # `NAME='value'#comment`: a shell takes both for one word
        after = f" {after}"
    parts = [binding.original.string for binding in bindings]
    # Blanks around the = and quotes around the name are gone: no shell understands them.
    head = "".join(parts[:at]) + line["before"]
    return _Place(head, after + "".join(parts[at + 1 :]), quoted[0] if quoted else "")


def _at_the_end(body: str, bindings: list[Binding]) -> _Place:
    """A line of its own, ended as the last one is, and exported where all others are."""
    ends = re.findall(r"\r\n|\n|\r", body)
    end = ends[-1] if ends else "\n"
    head = body if not body or body.endswith(("\n", "\r")) else body + end
    named = [binding.original.string.split(maxsplit=1)[0] for binding in bindings if binding.key is not None]
    exported = bool(named) and all(word == "export" for word in named)
    return _Place(head + "export " * exported, end)


def _quotings(value: str, quote: str, *, for_shells: bool) -> Iterator[str]:
    """Ways to write `value` that a shell reads exactly; first the one in use, so that going back leaves no trace.

    Not all are right for python-dotenv, which takes two backslashes in single quotes for one: it is asked afterwards.
    """
    if for_shells and _REFERENCE.search(value):
        return
    ways = {"": _plain(value), "'": _single(value), '"': _double(value)}
    for way in dict.fromkeys([quote, *ways]):
        if (written := ways[way]) is not None:
            yield written
    if not for_shells:
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        yield f"'{escaped}'"


def _plain(value: str) -> str | None:
    return value if _PLAIN.fullmatch(value) else None


def _single(value: str) -> str | None:
    # A backslash before the closing quote is one thing to python-dotenv up to 1.2.1, and another to later ones.
    return None if "'" in value or value.endswith("\\") else f"'{value}'"


def _double(value: str) -> str | None:
    r"""`\\` and `\"` mean the same to both; `\$` and an escaped backquote only to a shell."""
    if "$" in value or "`" in value:
        return None
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
