"""The words of `command:PROGRAM ARGUMENTS`; there is no shell."""

from __future__ import annotations

import sys


def words(line: str, *, windows: bool = sys.platform == "win32") -> list[str]:
    r"""Split `line` as a POSIX shell does; on Windows a backslash is one, and only " quotes.

    Raises:
        ValueError: a quote has no end.
    """
    import shlex

    if not windows:
        return shlex.split(line)
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape, lexer.quotes = True, "", "", '"'
    return list(lexer)
