"""The readings of one name in a dotenv text by different programs.

Where they differ, no change of the name is right for all. docs/env-files.md has what each program does, as it was
measured. They agree on ``[export ]NAME=VALUE [# comment]`` where the value is one word, as a shell sees it, and the
name stands there once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dotenv.parser import Binding

from lollmsbot_keys.core.base.namedtuple import NamedTuple

_SHELL = re.compile(
    r"""
      (?P<comment> (?<![^\s;&|()]) \# [^\n]* )
    | (?P<quoted> '[^']*' | "(?:\\.|[^"\\])*" )
    | (?P<open> ['"] )
    | (?P<word> (?<![^\s;&|()]) [A-Za-z_][A-Za-z0-9_]* (?==) )
    | \\. | .
    """,
    re.VERBOSE | re.DOTALL,
)
"""The pieces of a text as a shell sees them; `open` is a quote without an end, behind which it reads nothing."""
_ASSIGNMENT = re.compile(
    r"""
    (?P<before> \s* (?:export[ \t]+)? )
    (?: '[^']+' | [^=\#\s]+ )
    (?: [ \t]* = [ \t]*
        (?: '(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" | [^\s'"`;&|<>()]* )
        (?<! \\ ) (?: [ \t]* \# .* | [ \t\r\n]* )
    )?
    [ \t\r\n]*
    """,
    re.VERBOSE | re.DOTALL,
)
"""A line with one name, one word for its value, and nothing else but a comment.

For python-dotenv any white space ends a value; for shells only blanks and tabs do, and the rest is a part of it.
"""
_LONE_RETURN = re.compile(r"\r(?!\n)")
_CONTINUED = re.compile(r"(?<!\\)(?:\\\\)*\\(?:\r\n|\r|\n)[^\S\r\n]*(?:export[^\S\r\n]+)?['\"]?\Z")
_ALONE = "Give every assignment a line of its own."


class _Assignment(NamedTuple):
    """One assignment: where its name begins, its value, and whether it has a line of its own.

    The value `None` is a bare name.
    """

    at: int
    value: str | None
    alone: bool


def disagreement(body: str, bindings: Sequence[Binding], name: str) -> str | None:
    """Return why programs differ about `name`; `None` where they do not.

    The words follow the file's path, and quote no value. `bindings` are python-dotenv's pieces of `body`, which has no
    byte order mark.
    """
    found = list(_assignments(bindings, name))
    for one in found:
        if not one.alone:
            return f"{_on(body, one.at)} has more than the value of {name}, and programs read it differently. {_ALONE}"
        if _goes_on(body, one.at):
            return (
                f"{_on(body, one.at)} has {name} inside a quote, or behind a backslash at the end of the line before, "
                "for some programs. Mend the line where that begins."
            )
    if (lone := _LONE_RETURN.search(body)) is not None:
        return (
            f"{_on(body, lone.start())} has a carriage return without a line feed, which ends a line for some programs "
            "only. Save the file with LF."
        )
    others = {*_shell_words(body, name), *_named_lines(body, name)} - {one.at for one in found}
    if others:
        return f"{_on(body, min(others))} names {name} in a way that only some programs read. {_ALONE}"
    if (begun := _endless(body)) is not None:
        return f"{_on(body, begun)} begins a quote without an end, which takes in other lines for some. Mend that line."
    if not found and _CONTINUED.search(body if body.endswith(("\n", "\r")) else f"{body}\n"):
        return "its last line ends in a backslash, so that some programs take the next one for a part of it. Remove it."
    given = [one for one in found if one.value is not None]
    if len({one.value for one in given}) > 1:
        lines = ", ".join(str(_line(body, one.at)) for one in given)
        return f"gives {name} different values (lines {lines}); some programs take the first. Leave one of them."
    return None


def _assignments(bindings: Sequence[Binding], name: str) -> Iterator[_Assignment]:
    start = 0
    for binding in bindings:
        text = binding.original.string
        if binding.key == name:
            line = _ASSIGNMENT.match(text)
            at = start + (line.end("before") if line is not None else 0)
            yield _Assignment(at, binding.value, line is not None and line.end() == len(text))
        start += len(text)


def _shell_words(body: str, name: str) -> Iterator[int]:
    """Yield where a shell sees `NAME=` outside quotes and comments."""
    return (piece.start() for piece in _pieces(body) if piece["word"] == name)


def _named_lines(body: str, name: str) -> Iterator[int]:
    """Yield where a line begins with the name.

    Some programs know no quotes over several lines, or accept `NAME: value`.
    """
    line = rf"(?:\A|(?<=[\r\n]))[^\S\r\n]*(?:export[^\S\r\n]+)?(?P<name>(['\"]?){name}\2)[^\S\r\n]*[=:]"
    return (found.start("name") for found in re.finditer(line, body))


def _goes_on(body: str, at: int) -> bool:
    """Say whether a shell or systemd takes the text `at` for the rest of something earlier.

    systemd continues comments too.
    """
    return _CONTINUED.search(body, 0, at) is not None or any(
        piece.start() < at < piece.end() for piece in _pieces(body) if piece["quoted"] is not None
    )


def _endless(body: str) -> int | None:
    """Return where a value begins with a quote that does not end."""
    opened = (piece.start() for piece in _SHELL.finditer(body) if piece["open"] is not None)
    return next((at for at in opened if body[at - 1 : at] == "="), None)


def _pieces(body: str) -> Iterator[re.Match[str]]:
    for piece in _SHELL.finditer(body):
        if piece["open"] is not None:
            return
        yield piece


def _on(body: str, at: int) -> str:
    return f"line {_line(body, at)}"


def _line(body: str, at: int) -> int:
    return len(re.findall(r"\r\n|\n|\r", body[:at])) + 1
