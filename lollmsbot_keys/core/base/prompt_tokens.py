"""The most tokens that a prompt can come to, for any model.

A bound needs this figure of the words.

A tokenizer makes at most one token of a byte, but some write a text in a normal form first (Qwen and MiniMax in NFC,
Claude in NFKC), which may be longer, and by a Unicode older or newer than Python's. Those of the SentencePiece kind put
a mark before each text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from typing import Literal

MESSAGE_TOKENS = 16
"""The tokens of a template around each further message (at most 14 were seen). The first has the model's own figure."""

_FORMS: tuple[Literal["NFC", "NFKC"], ...] = ("NFC", "NFKC")
_APART = "\n"
"""A character that no normal form joins to another one, or makes out of one."""
_PLAIN = re.compile(r"[\x00-\x7f]+(?=[\x00-\x7f])")
"""ASCII before ASCII, which no normal form changes, nor its neighbours."""


def most_tokens(texts: Collection[str]) -> int:
    """Return the most tokens that a conversation of these messages comes to.

    What the model's template adds is not included.
    """
    return sum(map(_of_text, texts)) + MESSAGE_TOKENS * max(0, len(texts) - 1)


def _of_text(text: str) -> int:
    if text.isascii():  # a flag of the text: no character is looked at, of however many
        return len(text) + 1
    rest = _PLAIN.sub("", text)
    return len(text) - len(rest) + _longest(rest) + 1


def _longest(text: str) -> int:
    """Return the bytes of the longest form of `text`.

    The forms are `text` as it is, its normal forms, and the longest form of each character by itself.
    """
    from unicodedata import is_normalized, normalize  # a hot command has no text

    if is_normalized("NFKC", text):  # then it is in NFC too, and so is each of its characters
        return _bytes(text)
    forms = (normalize(form, text) for form in _FORMS)
    return max(_bytes(text), *map(_bytes, forms), _one_by_one(text))


def _one_by_one(text: str) -> int:
    """Return the sum of the longest forms of the characters, in bytes."""
    from unicodedata import normalize

    counts = Counter(text)
    line_ends = counts.pop(_APART, 0)
    each = _APART.join(counts)
    forms = (normalize(form, each).split(_APART) for form in _FORMS)
    sizes = (max(map(_bytes, found)) for found in zip(counts, *forms, strict=True))
    return line_ends + sum(size * count for size, count in zip(sizes, counts.values(), strict=True))


def _bytes(text: str) -> int:
    """Count the bytes of `text`.

    Half a character, which a shell may pass, counts as a whole one, because another character may be sent in its place.
    """
    return len(text.encode("utf-8", "surrogatepass"))
