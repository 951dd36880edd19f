"""The characters that can stand inside a secret and leave it readable: line breaks, blanks, invisible ones."""

from __future__ import annotations

import re

MOST_UNSEEN = 1024
"""The most invisible characters in one place of an answer that are held until it is known what they stand in."""

INK = re.compile("[!-~]+")
"""The characters of secrets and their forms: printable ASCII without blanks. All others are a gap."""
SEEN = re.compile(
    r"[^\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""All visible characters: all but format characters (Cf) and Default_Ignorable_Code_Point of Unicode 16, and
the empty Braille cell."""


class Thin:
    """A text without its gaps, and the place of each of its characters in the whole text."""

    __slots__ = ("_kept", "_places", "_whole", "text")

    def __init__(self, text: str, kept: re.Pattern[str]) -> None:
        self.text = "".join(kept.findall(text))
        self._whole, self._kept = text, kept
        self._places: list[int] | None = None

    def place(self, at: int) -> int:
        """Return where the character at `at` stands; behind the last one, the end of the whole text."""
        if at >= len(self.text):
            return len(self._whole)
        if self._places is None:
            self._places = [place for run in self._kept.finditer(self._whole) for place in range(*run.span())]
        return self._places[at]


def thin(text: str, kept: re.Pattern[str] | None) -> Thin | None:
    """Return `text` without the characters that are not `kept`; `None` if all of them are."""
    if kept is None or (kept is SEEN and text.isascii()) or not text or kept.fullmatch(text):
        return None
    return Thin(text, kept)
