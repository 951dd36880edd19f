"""The usual use of a key by its own last days, and the line above which use is unusual.

People should look at use above it. The line is drawn at three times the median of the days on which the key was used,
or six times their usual distance from it (the median absolute deviation) above it, whichever is higher. One wild day
among them moves neither, and a key whose days always differ widely is given its room. Below a floor nothing is worth a
message, and a few days say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeVar

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.snapshot import ClosedDay, Snapshot, Spender

T = TypeVar("T")

LEAST_DAYS = 5
TRAILING_DAYS = 8
TIMES_THE_MEDIAN = 3
SPREADS = 6
LEAST_CALLS = Decimal(50)
LEAST_USD = Decimal(1)
"""The least calls and dollars that can be unusual: nobody wants to be woken for pennies."""


class Usual(NamedTuple):
    """The usual use of a key on `days` of its last days.

    Above `line` the use of a day is unusual.
    """

    days: int
    median: Decimal
    line: Decimal


def usual_calls(snapshot: Snapshot, key: str, today: date) -> Usual | None:
    """Return the usual calls of a day, or `None` if too few days are known."""
    return _usual([Decimal(calls) for calls in _recent(snapshot.trail.get(key, {}), today) if calls], LEAST_CALLS)


def usual_cost(snapshot: Snapshot, spender: Spender, today: date) -> Usual | None:
    """Return the usual cost of a day in US dollars, or `None` if too few days are known."""
    costs = [sums[spender] for sums in _recent(snapshot.closed, today) if spender in sums]
    return _usual(costs, LEAST_USD)


def calls_of(snapshot: Snapshot, key: str, day: date) -> int:
    """Count the calls of `key` on an open day."""
    content = snapshot.days.get(day)
    return sum(cell.calls for place, cell in content.cells.items() if place.key == key) if content is not None else 0


def cost_of(snapshot: Snapshot, spender: Spender, day: date) -> Decimal:
    """Return the spending of `spender` on an open day."""
    content = snapshot.days.get(day)
    return content.spent.get(spender, Decimal(0)) if content is not None else Decimal(0)


def lengthened(snapshot: Snapshot, closed: Iterable[ClosedDay]) -> Snapshot:
    """Return the snapshot with the calls of days that left it.

    They stay as long as the cost of those days does.
    """
    trail = {key: dict(days) for key, days in snapshot.trail.items()}
    for day, content in closed:
        for place, cell in content.cells.items():
            if place.key:
                days = trail.setdefault(place.key, {})
                days[day] = days.get(day, 0) + cell.calls
    kept = {key: {day: n for day, n in days.items() if day in snapshot.closed} for key, days in trail.items()}
    return snapshot._replace(trail={key: days for key, days in kept.items() if days})


def _recent(by_day: Mapping[date, T], today: date) -> list[T]:
    oldest = today - timedelta(days=TRAILING_DAYS)
    return [value for day, value in by_day.items() if oldest <= day < today]


def _usual(values: Sequence[Decimal], floor: Decimal) -> Usual | None:
    if len(values) < LEAST_DAYS:
        return None
    middle = _median(values)
    spread = _median([abs(value - middle) for value in values])
    return Usual(len(values), middle, max(TIMES_THE_MEDIAN * middle, middle + SPREADS * spread, floor))


def _median(values: Sequence[Decimal]) -> Decimal:
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2
