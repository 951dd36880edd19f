r"""Harmless text from outside: no terminal control, no bidirectional overrides, no CI commands.

A terminal obeys what it is sent, so a model's answer or a provider's error could rename a window, hide a line or write
to the clipboard. Whole sequences go, not only their ESC, so that no debris is left. What stays: every printable
character, ``\n``, ``\t``, and the joiners that emoji and many scripts need.

Every streaming class here gives the same text for any split of its input: ``feed`` all chunks, then ``flush``.
"""

from __future__ import annotations

import re
from functools import cache

LONGEST_STRING = 4096
"""The most characters of a control string (window title, hyperlink, …), after which it is taken to end."""

_STRING_START = r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])"
_STRING_BODY = r"[^\n\x07\x18\x1a\x1b\x9c]"
_CSI = r"(?:\x1b\[|\x9b)[\x20-\x3f]{0,256}"
_ESCAPE = r"\x1b[\x20-\x2f]{0,16}"
_LETTERS_OF_TROUBLE = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
_HIGH, _LOW = r"[\ud800-\udbff]", r"[\udc00-\udfff]"


@cache
def _control() -> re.Pattern[str]:
    # A newline ends a control string: one stray introducer must not swallow the rest of an answer. The terminators
    # need no place here: each is trouble by itself.
    return re.compile(
        f"{_STRING_START}{_STRING_BODY}{{0,{LONGEST_STRING}}}"
        rf"|{_CSI}[\x40-\x7e]?"
        rf"|{_ESCAPE}[\x30-\x7e]?"
        f"|{_LETTERS_OF_TROUBLE}"
        f"|{_HIGH}{_LOW}?|{_LOW}"
    )


@cache
def _unfinished() -> re.Pattern[str]:
    """Return the pattern of matches of `_control` that more text could make longer."""
    return re.compile(f"{_STRING_START}{_STRING_BODY}{{0,{LONGEST_STRING}}}|{_CSI}|{_ESCAPE}|{_HIGH}")


def _replacement(match: re.Match[str]) -> str:
    # Half a surrogate pair cannot be written to any stream. Two halves that arrived apart are one character.
    found = match[0]
    if not "\ud800" <= found[0] <= "\udfff":
        return ""
    return found.encode("utf-16", "surrogatepass").decode("utf-16") if len(found) == 2 else "\ufffd"


def clean(text: str) -> str:
    r"""Remove terminal control from `text`.

    ``\r\n`` becomes ``\n``, a lone ``\r`` goes.
    """
    return _control().sub(_replacement, text)


def clean_line(text: str) -> str:
    """Return `text` as one harmless line.

    It is cleaned, each run of white space becomes one blank, and none stays at the ends. GitHub's runner takes `##[`
    for a command anywhere in a line, of stderr too, so that is broken up.
    """
    return " ".join(clean(text).split()).replace("##[", "##\\[")


class Cleaner:
    """The function `clean` for text in chunks.

    It holds back an unfinished sequence only (at most a few kilobytes).
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = ""

    def feed(self, chunk: str) -> str:
        """Return the harmless text that is certain after `chunk`."""
        text = self._held + chunk
        last = None
        for match in _control().finditer(text):
            last = match
        if last is None:
            return text
        grows = _unfinished().fullmatch(text, last.start()) is not None
        end = last.start() if grows else len(text)
        self._held = text[end:]
        return clean(text[:end])

    def flush(self) -> str:
        """Return the text that was held back, at the end of all text."""
        held, self._held = self._held, ""
        return clean(held)


@cache
def _commands() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the patterns of places where a workflow command begins.

    The first is for text that begins in the middle of a line, the second for text that begins a line.
    """
    # The runner trims white space, then wants `::` and the name of a command, which begins with a letter. It finds the
    # older `##[name]` anywhere in a line.
    anywhere, start = r"(?<=##)(?=\[)", r"[^\S\n\r]*)(?=::[A-Za-z])"
    return re.compile(rf"{anywhere}|([\n\r]{start}"), re.compile(rf"{anywhere}|((?:\A|[\n\r]){start}")


class WorkflowCommandGuard:
    r"""A filter that keeps GitHub Actions from obeying text.

    One backslash stands where a command would begin.

    ``::add-mask::x`` at the start of a line becomes ``\::add-mask::x``, ``##[error]`` anywhere becomes ``##\[error]``.
    ``::1`` or ``a::b`` stay. Source: ActionCommand.cs of actions/runner.
    """

    __slots__ = ("_at_start", "_held")

    def __init__(self) -> None:
        self._at_start = True
        self._held = ""

    def feed(self, chunk: str) -> str:
        """Return the guarded text that is certain after `chunk`.

        At most two characters are held back.
        """
        text = self._held + chunk
        end = len(text) - self._undecided(text)
        self._held = text[end:]
        return self._pass(text[:end])

    def flush(self) -> str:
        """Return the text that was held back, at the end of all text.

        The next text begins a line.
        """
        rest = self._pass(self._held)
        self._held, self._at_start = "", True
        return rest

    def _pass(self, text: str) -> str:
        if not text:
            return ""
        guarded = text
        if "::" in text or "##[" in text:
            guarded = _commands()[self._at_start].sub(lambda match: f"{match[1] or ''}\\", text)
        self._at_start = self._is_start(text)
        return guarded

    def _is_start(self, text: str) -> bool:
        """Say whether only white space stands between the last line break and the end of `text`."""
        line = max(text.rfind("\n"), text.rfind("\r")) + 1
        return (line > 0 or self._at_start) and not text[line:].strip()

    def _undecided(self, text: str) -> int:
        """Count the characters at the end of `text` that may begin a command."""
        if text.endswith("#"):
            return 2 if text.endswith("##") else 1
        if not text.endswith(":"):
            return 0
        size = 2 if text.endswith("::") else 1
        return size if self._is_start(text[:-size]) else 0


def guard_workflow_commands(text: str) -> str:
    """Return `text` in a form that GitHub Actions may print.

    It begins a line.
    """
    guard = WorkflowCommandGuard()
    return guard.feed(text) + guard.flush()
