"""The text that stands for a character that an encoding does not have."""

from __future__ import annotations

_STAND_INS = {
    **dict.fromkeys("\u2010\u2011\u2012–\u2212─·", "-"),
    **dict.fromkeys("\u2018’\u201a\u2032", "'"),
    **dict.fromkeys("“”„«»″", '"'),
    **dict.fromkeys("•▪", "*"),
    **dict.fromkeys("\u00a0\u2002\u2003\u2009\u202f", " "),
    "—": "--",
    "…": "...",
    "×": "x",
    "→": "->",
    "←": "<-",
    "⇒": "=>",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "✓": "+",
    "✗": "x",
    "€": "EUR",
    # These only join or vary what is around them.
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufe0e\ufe0f", ""),
}


def stand_in(text: str) -> str:
    """Replace the characters of `text` that are not ASCII.

    A character that nothing in ASCII resembles keeps its number, as Python and JSON write it.
    """
    return "".join(map(_spelt, text))


def has_likeness(text: str) -> bool:
    """Say whether every character of `text` is ASCII or has a likeness there."""
    return all(char.isascii() or char in _STAND_INS for char in text)


def _spelt(char: str) -> str:
    if char.isascii():
        return char
    return _STAND_INS.get(char) or ("" if char in _STAND_INS else char.encode("ascii", "backslashreplace").decode())
