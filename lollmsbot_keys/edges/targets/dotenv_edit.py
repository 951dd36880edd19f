"""The change of one variable in a dotenv text; every other character stays.

python-dotenv's parser splits the text, and also reads the new text before anybody uses it. A shell that sources the
file must find the same value: a way of quoting that the two read differently is not used, and a line that other
programs read differently is not changed (`obstacle`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from dotenv.parser import Binding

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.edges.files.dotenv_reading import BYTE_ORDER_MARK, pieces, values
from lollmsbot_keys.edges.targets.dotenv_readers import disagreement

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
_PLAIN = re.compile(r"(?:[A-Za-z0-9_@%+:,./-]*[A-Za-z0-9_@%+,./-]={0,2})?")
_REFERENCE = re.compile(r"\$\{[^}:]*(?::-[^}]*)?\}")
"""The references that python-dotenv replaces by a variable's value, inside quotes too, unless that is switched off."""


class _Place(NamedTuple):
    """The place of an assignment: the text before its name, the text after its value, and its quote."""

    head: str
    tail: str
    quote: str = ""


def value_of(text: str, name: str) -> str | None:
    """Return the value of `name`, taken literally; "" if it stands without a value, `None` if absent."""
    found = values(text)
    return found[name] or "" if name in found else None


def obstacle(text: str, name: str) -> str | None:
    """Return why `name` cannot be changed for all programs that read `text`; `None` if it can.

    The words follow the file's path.
    """
    body = text.removeprefix(BYTE_ORDER_MARK)
    return disagreement(body, pieces(body), name)


def with_value(text: str, name: str, value: str, *, for_shells: bool = True) -> str | None:
    """Return `text` with `value` for `name`, or `None` where no way of quoting works.

    It is set everywhere where `name` has the value that counts now, or at the end. Without `for_shells` it has to be
    right for python-dotenv only, and then there is a way for every value that python-dotenv ever gave.
    """
    mark = BYTE_ORDER_MARK * text.startswith(BYTE_ORDER_MARK)
    body = text.removeprefix(BYTE_ORDER_MARK)
    bindings = pieces(body)
    made: str | None = body
    for at in _counting(bindings, name) or [len(bindings)]:
        if made is not None:
            made = _with_one(made, at, name, value, for_shells=for_shells)
    return None if made is None else mark + made


def without(text: str, name: str) -> str:
    """Return `text` without the lines that give `name` its value."""
    mark = BYTE_ORDER_MARK * text.startswith(BYTE_ORDER_MARK)
    bindings = pieces(text.removeprefix(BYTE_ORDER_MARK))
    parts = [binding.original.string for binding in bindings]
    for at in _counting(bindings, name):
        line = parts[at]
        parts[at] = line[: len(line) - len(line.lstrip())].rstrip(" \t")
    return mark + "".join(parts)


def _counting(bindings: Sequence[Binding], name: str) -> list[int]:
    """Return the pieces that give `name` the value that counts.

    That is the value of the last one, or a bare name where none has a value.
    """
    named = [(at, binding.value) for at, binding in enumerate(bindings) if binding.key == name]
    given = [value for _, value in named if value is not None]
    return [at for at, value in named if value == given[-1]] if given else [at for at, _ in named[-1:]]


def _with_one(body: str, at: int, name: str, value: str, *, for_shells: bool) -> str | None:
    """Return `body` with `value` in its piece `at`, or in a new line behind the last piece."""
    bindings = pieces(body)
    wanted = [(binding.key, binding.value) for binding in bindings]
    wanted[at : at + 1] = [(name, value)]
    place = (_found(bindings, at) if at < len(bindings) else None) or _at_the_end(body, bindings)
    for quoted in _quotings(value, place.quote, for_shells=for_shells):
        made = f"{place.head}{name}={quoted}{place.tail}"
        if _named(pieces(made)) == [(key, given or "") for key, given in wanted if key is not None]:
            return made
    return None


def _named(bindings: Iterable[Binding]) -> list[tuple[str, str]]:
    return [(binding.key, binding.value or "") for binding in bindings if binding.key is not None]


def _found(bindings: Sequence[Binding], at: int) -> _Place | None:
    line = _LINE.match(bindings[at].original.string)
    if line is None:
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


def _at_the_end(body: str, bindings: Sequence[Binding]) -> _Place:
    """Return the place for a new line at the end.

    It has the line end of the last one, and `export` where all others have it.
    """
    ends = re.findall(r"\r\n|\n|\r", body)
    end = ends[-1] if ends else "\n"
    head = body if not body or body.endswith(("\n", "\r")) else body + end
    named = [binding.original.string.split(maxsplit=1)[0] for binding in bindings if binding.key is not None]
    exported = bool(named) and all(word == "export" for word in named)
    return _Place(head + "export " * exported, end)


def _quotings(value: str, quote: str, *, for_shells: bool) -> Iterator[str]:
    """Yield ways to write `value` that a shell reads exactly, first the quote in use.

    So going back leaves no trace. Not all are right for python-dotenv, which takes two backslashes in single quotes for
    one: the caller parses the result with it.
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
    r"""Return the value in double quotes; `None` if it has a dollar sign or a backquote.

    `\\` and `\"` mean the same to shells and python-dotenv; `\$` and an escaped backquote only to a shell.
    """
    if "$" in value or "`" in value:
        return None
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
