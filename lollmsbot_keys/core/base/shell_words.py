"""The meaning of words of a shell's command line, without running anything.

Only what is certain is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_PIECE = re.compile(
    r"""
    '(?P<literal>[^']*)'?
    | "(?P<quoted>(?:\\.|[^"\\])*)"?
    | \\(?P<escaped>.)
    | (?P<bare>[^'"\\]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_VARIABLE = re.compile(r"(?<!\\)\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_ESCAPED = re.compile(r'\\(["\\\n])')


def unquoted(word: str, variables: Mapping[str, str]) -> str | None:
    """Return `word` without quotes and with its variables, or `None` if only the shell could tell.

    A quote without an end counts as ended. A leading ``~`` stays, because it is a matter of paths.
    """
    found: list[str] = []
    for piece in _PIECE.finditer(word):
        literal, quoted, escaped, bare = piece.groups()
        text = quoted or bare or ""
        if re.search(r"[$`]", _VARIABLE.sub("", text)):
            return None
        meant = expanded(text, variables)
        found.append(literal or escaped or (_ESCAPED.sub(r"\1", meant) if quoted else meant))
    return "".join(found)


def expanded(word: str, variables: Mapping[str, str]) -> str:
    """Replace the variables in `word`, and remove those that are not set."""
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], ""), word)


def option(words: Sequence[str], long: str, short: str) -> str | None:
    """Return the last value given to an option, as `--key X`, `--key=X`, `-k X` or `-kX`.

    Words after `--` are no options.
    """
    given = None
    for place, word in enumerate(words):
        name, sign, value = word.partition("=")
        if word == "--":
            break
        if word in {long, short}:
            given = words[place + 1] if place + 1 < len(words) else given
        elif name == long and sign:
            given = value
        elif word.startswith(short) and not word.startswith("--"):
            given = word.removeprefix(short)
    return given
