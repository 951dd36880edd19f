r"""Text from outside, made harmless: no terminal control, no bidirectional overrides, no CI commands.

A terminal obeys what it is sent, so a model's answer or a provider's error could rename a window, hide a line or write
to the clipboard. Whole sequences go, not only their ESC, so that no debris is left. What stays: every printable
character, ``\n``, ``\t``, and the joiners that emoji and many scripts need.

Every streaming class here gives the same text for any split of its input: ``feed`` all chunks, then ``flush``.
"""

from __future__ import annotations

import re
from functools import cache

LONGEST_STRING = 4096
"""A control string (window title, hyperlink, …) is believed to end after so many characters, whatever it says."""

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
    """A match of `_control` that more text could make longer."""
    return re.compile(f"{_STRING_START}{_STRING_BODY}{{0,{LONGEST_STRING}}}|{_CSI}|{_ESCAPE}|{_HIGH}")


def _replacement(match: re.Match[str]) -> str:
    # Half a surrogate pair cannot be written to any stream. Two halves that arrived apart are one character.
    found = match[0]
    if not "\ud800" <= found[0] <= "\udfff":
        return ""
    return found.encode("utf-16", "surrogatepass").decode("utf-16") if len(found) == 2 else "\ufffd"


def clean(text: str) -> str:
    r"""`text` without terminal control; ``\r\n`` becomes ``\n``, a lone ``\r`` goes."""
    return _control().sub(_replacement, text)


def clean_line(text: str) -> str:
    """`text` as one harmless line: cleaned, every run of white space one blank, none at the ends.

    GitHub's runner takes `##[` for a command anywhere in a line, of stderr too, so that is broken up.
    """
    return " ".join(clean(text).split()).replace("##[", "##\\[")


class Cleaner:
    """`clean` for text that comes in chunks; holds back an unfinished sequence only (at most a few kilobytes)."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = ""

    def feed(self, chunk: str) -> str:
        """The harmless text that is certain after `chunk`."""
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
        """What is left once no more text comes."""
        held, self._held = self._held, ""
        return clean(held)


@cache
def _commands() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Places where a workflow command begins: for text that begins in the middle of a line, and at the start of one."""
    # The runner trims white space, then wants `::` and the name of a command, which begins with a letter. It finds the
    # older `##[name]` anywhere in a line.
    anywhere, start = r"(?<=##)(?=\[)", r"[^\S\n\r]*)(?=::[A-Za-z])"
    return re.compile(rf"{anywhere}|([\n\r]{start}"), re.compile(rf"{anywhere}|((?:\A|[\n\r]){start}")


class WorkflowCommandGuard:
    r"""Keeps text from being obeyed by GitHub Actions, with one backslash where a command would begin.

    ``::add-mask::x`` at the start of a line becomes ``\::add-mask::x``, ``##[error]`` anywhere becomes ``##\[error]``.
    ``::1`` or ``a::b`` stay. Source: ActionCommand.cs of actions/runner.
    """

    __slots__ = ("_at_start", "_held")

    def __init__(self) -> None:
        self._at_start = True
        self._held = ""

    def feed(self, chunk: str) -> str:
        """The guarded text that is certain after `chunk`; at most two characters are held back."""
        text = self._held + chunk
        end = len(text) - self._undecided(text)
        self._held = text[end:]
        return self._pass(text[:end])

    def flush(self) -> str:
        """What is left once no more text comes; the next text begins a line."""
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
        """Whether only white space stands between the last line break and the end of `text`."""
        line = max(text.rfind("\n"), text.rfind("\r")) + 1
        return (line > 0 or self._at_start) and not text[line:].strip()

    def _undecided(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a command."""
        if text.endswith("#"):
            return 2 if text.endswith("##") else 1
        if not text.endswith(":"):
            return 0
        size = 2 if text.endswith("::") else 1
        return size if self._is_start(text[:-size]) else 0


def guard_workflow_commands(text: str) -> str:
    """`text` as GitHub Actions may print it; it begins a line."""
    guard = WorkflowCommandGuard()
    return guard.feed(text) + guard.flush()
