"""The one query behind every report: parts of days go in, their sums come out, grouped.

A part is one opening of a day: in the state, in the history, or, after a crash, in both, where it counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta
from typing import TypeVar, assert_never

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Config, Provider
from lollmsbot_keys.core.model.request import PriceList
from lollmsbot_keys.core.model.snapshot import Cell, CellKey, Day, Snapshot, Spender
from lollmsbot_keys.core.model.statement import By, DaySpan, Gap, Row, Statement, Survey
from lollmsbot_keys.core.model.summary import KeyDay, PriceDates, Summary
from lollmsbot_keys.core.money import amounts
from lollmsbot_keys.core.money.pricing import pricing

Part = tuple[date, Day]
T = TypeVar("T")


def grouped(parts: Iterable[Part], group: Callable[[date, CellKey], T]) -> dict[T, Cell]:
    """Sum up everything in `parts`, by what `group` makes of the day and the place of each cell."""
    cells: dict[T, list[Cell]] = {}
    for day, content in parts:
        for place, cell in content.cells.items():
            cells.setdefault(group(day, place), []).append(cell)
    return {label: Cell.total(found) for label, found in cells.items()}


def by_spender(parts: Iterable[Part]) -> dict[Spender, Cell]:
    """Sum up `parts` by key; local has the name "" as its key."""
    return grouped(parts, lambda _day, place: Spender(place.provider, place.key))


def in_state(snapshot: Snapshot) -> AbstractSet[tuple[date, str]]:
    """Return the parts that the state still has, by day and name."""
    return {(day, content.part) for day, content in snapshot.days.items()}


def parts_of(snapshot: Snapshot, stored: Iterable[Part], span: DaySpan) -> list[Part]:
    """Return all parts of the span's days.

    `stored` are those of the history that the state does not have (`in_state`). The state must have been read before
    the history was: a day that is closed in between is then in both, never in neither, and what the state said of it
    counts.
    """
    return [part for part in (*stored, *snapshot.days.items()) if span.since <= part[0] <= span.until]


def statement(
    summary: Summary, config: Config, by: By, span: DaySpan, parts: Sequence[Part], named: Sequence[Part] | None = None
) -> Statement:
    """Make the report over `parts`.

    `named` is the same money by model or pillar, where `parts` have it only by key.
    """
    sums = by_spender(parts)
    return Statement(
        summary=summary,
        span=span,
        by=by,
        keys=tuple(key_sums(summary.keys, sums)),
        rows=tuple(rows(parts if named is None else named, by, span, config)),
        total=Cell.total(sums.values()),
    )


def key_sums(keys: Iterable[KeyDay], sums: Mapping[Spender, Cell]) -> Iterator[KeyDay]:
    """Yield the keys with these sums, then the keys of the ledger that are no longer configured, then local."""
    known = set()
    for key in keys:
        spender = Spender(key.provider, key.key or "")
        known.add(spender)
        yield key._replace(sums=sums.get(spender, Cell()))
    for spender in sorted(sums.keys() - known, key=lambda it: (it.provider is Provider.LOCAL, it)):
        yield KeyDay(spender.key or None, spender.provider, sums[spender], None)


# --- rows ---


class Label(NamedTuple):
    """The name of a row, see `Row`."""

    name: str
    provider: Provider | None = None


def rows(parts: Iterable[Part], by: By, span: DaySpan, config: Config) -> list[Row]:
    """Return one row for each key, provider, model, pillar or day that has calls.

    What is configured comes in its order; models and pillars by what they cost, the dearest first. From the first day
    with calls on, every day has a row, so that a row is always as long as a day.
    """
    found = grouped(parts, lambda day, place: label(by, day, place))
    if by is By.DAY and found:
        first = date.fromisoformat(min(found).name)
        for number in range((span.until - first).days + 1):
            found.setdefault(Label(str(first + timedelta(days=number))), Cell())
    order = {key.name: place for place, key in enumerate(config.keys)}
    unsorted = [Row(name, provider, sums) for (name, provider), sums in found.items()]
    return sorted(unsorted, key=lambda row: _place(row, by, order))


def label(by: By, day: date, place: CellKey) -> Label:
    """Return the label of the row that a cell belongs to."""
    match by:
        case By.KEY:
            return Label(place.key, place.provider)
        case By.PROVIDER:
            return Label(place.provider, place.provider)
        case By.MODEL:
            return Label(place.model, place.provider)
        case By.PILLAR:
            return Label(place.pillar)
        case By.DAY:
            return Label(day.isoformat())
        case _:
            assert_never(by)


def _place(row: Row, by: By, order: Mapping[str, int]) -> tuple[object, ...]:
    provider = tuple(Provider).index(row.provider) if row.provider is not None else 0
    match by:
        case By.KEY:
            former, local = len(order), len(order) + 1
            return order.get(row.name, former if row.name else local), row.name, provider
        case By.PROVIDER | By.DAY:
            return provider, row.name
        case By.MODEL | By.PILLAR:
            return -row.sums.cost_usd, -row.sums.calls, row.name, provider
        case _:
            assert_never(by)


# --- what is behind the sums ---


def price_dates(config: Config, listed: PriceList, parts: Iterable[Part], now: datetime) -> PriceDates | None:
    """Return the dates of the prices behind the estimates in `parts`; `None` where none of them has one."""
    estimated = {
        (place.provider, place.model)
        for _, content in parts
        for place, cell in content.cells.items()
        if cell.estimated_usd
    }
    prices = (pricing(config, listed, provider, model, now).price for provider, model in estimated)
    dates = [price.priced_on for price in prices if price is not None and price.priced_on is not None]
    return PriceDates(min(dates), max(dates)) if dates else None


def gaps(snapshot: Snapshot, stored: Iterable[Part], survey: Survey) -> Iterator[Gap]:
    """Yield the months whose history lacks days.

    `stored` is everything that it has of the surveyed months, except what the state still has. Of the last months the
    state knows what they cost; of others there is only the word of the history itself.
    """
    sums = grouped(stored, lambda day, place: (amounts.month_of(day), Spender(place.provider, place.key)))
    for month in survey.months:
        known, damaged = snapshot.months.get(month), survey.damaged.get(month, "")
        if known is None:
            if damaged or month in survey.missing:
                yield Gap(month, None, damaged)
            continue
        short = (cost - sums.get((month, spender), Cell()).cost_usd for spender, cost in known.items())
        lacking = sum((amount for amount in short if amount > 0), amounts.NOTHING)
        # A clock that stepped back can make a month without a spender, for a day that cost nothing.
        if lacking or (known and month not in survey.present):
            yield Gap(month, lacking or None, damaged)
