"""Calls, tokens and money for people, and the marks of figures that are not the provider's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.snapshot import Cell


class Mark(NamedTuple):
    """A sign before an amount, its meaning, and the part of a sum that it concerns."""

    sign: str
    meaning: str
    part: Callable[[Cell], Decimal]


MARKS = (
    Mark("~", "estimated from tokens at a dated price", lambda sums: sums.estimated_usd),
    Mark("*", "of unknown price, booked at the most it can have cost", lambda sums: sums.unknown_usd),
    Mark(
        "?", "unconfirmed, nobody saw the end: booked at the most it can have cost", lambda sums: sums.unconfirmed_usd
    ),
)


def marks(sums: Cell) -> str:
    """Return the signs for the parts of `sums` that are not the provider's own figure."""
    return "".join(mark.sign for mark in MARKS if mark.part(sums))


def remarks(sums: Mapping[str, Cell]) -> Iterator[str]:
    """Yield one line for each mark that stands before some of `sums`, with the amount of each.

    The keys of `sums` are the names that the line uses.
    """
    for mark in MARKS:
        parts = [f"{amount(part)} USD of {name}" for name, cell in sums.items() if (part := mark.part(cell))]
        if parts:
            yield f"{mark.sign} {mark.meaning}: {', '.join(parts)}"


def amount(value: Decimal, *, short: bool = False) -> str:
    """Format dollars to the millionth, or with `short` to four digits; never 0 for what is more."""
    digits = 4 if short else 6
    least = Decimal(1).scaleb(-digits)
    if value and abs(value) < least / 2:
        return f"<{least}"
    return f"{value:.{digits}f}"


def round_amount(value: Decimal) -> str:
    """Format an amount that is only known roughly: `0.0123`, `1.23`, `1234`."""
    digits = 4 if abs(value) < Decimal("0.1") else 2 if abs(value) < 1000 else 0
    return f"{value:.{digits}f}"


def limit(value: Decimal) -> str:
    """Format a budget as a person writes it: `50.00`, `0.015`."""
    return f"{value:.2f}" if value == round(value, 2) else f"{value.normalize():f}"


def count(number: int, *, short: bool = False) -> str:
    """Format calls or tokens; `short`: `9999`, `12.3k`, `123k`, `1.2M`."""
    if not short or abs(number) < 10_000:
        return str(number)
    scaled, unit = Decimal(number), ""
    for unit in ("k", "M", "G"):  # noqa: B007 - the last one is used
        scaled /= 1000
        if abs(scaled) < Decimal("999.5"):
            break
    return f"{scaled:.0f}{unit}" if abs(scaled) >= Decimal("99.95") else f"{scaled:.1f}{unit}"
