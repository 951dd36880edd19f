"""The characters that stdout's encoding can show, and text cut to fit."""

from __future__ import annotations

import sys
from decimal import Decimal

GAP = 2
"""Blanks between two columns."""


def can_print(text: str) -> bool:
    """Say whether stdout's encoding has these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def shortened(text: str, longest: int) -> str:
    """Return `text`, cut to its beginning where it is longer than `longest` characters."""
    if len(text) <= longest:
        return text
    cut = "…" if can_print("…") else "..."
    return text[: longest - len(cut)] + cut


def usd(amount: Decimal) -> str:
    """Format an amount for people, to a millionth, since calls cost fractions of a cent."""
    return f"{amount:.6f}".rstrip("0").rstrip(".") + " USD"
