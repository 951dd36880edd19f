"""Numbers from other writers, of every kind and form.

Only figures that somebody can mean are taken.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

MOST_CHARACTERS = 40
_BEYOND = Decimal(10**15)
_LEAST_EXPONENT = -30
"""The least exponent of a price or share. A smaller one, written without an exponent, may take gigabytes."""


def number(value: object) -> Decimal | None:
    """Read a number, or return `None` if `value` cannot be one.

    It may be a number or a text. Its size and precision must be those of real figures. Python's own reading also takes
    `1_0` and the digits of other scripts, which nobody means in an answer.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, str) and (len(value) > MOST_CHARACTERS or "_" in value or not value.isascii()):
        return None
    try:
        found = Decimal(value) if isinstance(value, int | Decimal) else Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not found.is_finite() or not -_BEYOND < found < _BEYOND or len(str(found)) > MOST_CHARACTERS:
        return None
    if not found:
        return Decimal(0)  # there are others, of a million places
    return found if found.adjusted() >= _LEAST_EXPONENT else None
