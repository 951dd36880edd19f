"""The sums of each day, and the booking of finished calls into them.

A finished day leaves the state. A call belongs to the day its hold was claimed in, so a day leaves only when no hold of
it is open any more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import reduce

from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.model.snapshot import (
    LATENCY_BOUNDS_MS,
    Cell,
    CellKey,
    ClosedDay,
    Day,
    Hold,
    Snapshot,
    Spender,
    Uncertain,
)
from lollmsbot_keys.core.money.amounts import NOTHING, Moment, dropped, month_of
from lollmsbot_keys.core.money.charges import Charge

MOST_CELLS = 200
"""The most combinations of key, model and pillar with their own cell in a day, so that the state stays small."""
OTHER = "(other)"
CLOSED_DAYS_KEPT = 8
MONTHS_KEPT = 3


def entry(charge: Charge, usage: Usage, *, latency: timedelta | None, failed: bool, failover: bool) -> Cell:
    """Make the cell of one finished call.

    `latency` is `None` where nobody saw the end.
    """
    call = Cell(
        calls=1,
        errors=int(failed),
        failovers=int(failover),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        latency_ms=milliseconds(latency) if latency is not None else 0,
        latencies=_bucket(latency),
    )
    return added(call, _amounts(charge, 1))


def book(snapshot: Snapshot, hold: Hold, call: Cell) -> Snapshot:
    """Add one finished call to the day that its hold was claimed in."""
    return _post(snapshot, hold, call)


def unbook(snapshot: Snapshot, hold: Hold, charge: Charge) -> Snapshot:
    """Take back the booking of a failed call of unknown cost.

    The provider told the true figure later.
    """
    return _post(snapshot, hold, added(Cell(calls=-1, errors=-1), _amounts(charge, -1)))


def milliseconds(duration: timedelta) -> int:
    return max(0, round(duration / timedelta(milliseconds=1)))


def _amounts(charge: Charge, sign: int) -> Cell:
    amount = sign * charge.amount_usd
    return Cell(
        cost_usd=amount,
        estimated_usd=amount if charge.source == "estimate" else NOTHING,
        unconfirmed_usd=amount if charge.unconfirmed else NOTHING,
        unknown_usd=amount if charge.source == "unknown" and not charge.unconfirmed else NOTHING,
    )


def _bucket(latency: timedelta | None) -> tuple[int, ...]:
    counts = [0] * (len(LATENCY_BOUNDS_MS) + 1)
    if latency is not None:
        counts[bisect_left(LATENCY_BOUNDS_MS, milliseconds(latency))] = 1
    return tuple(counts)


def _post(snapshot: Snapshot, hold: Hold, entry: Cell) -> Snapshot:
    day = snapshot.days.get(hold.day) or Day(part=hold.id)
    place = CellKey(hold.provider, hold.key, hold.model, hold.pillar)
    if place not in day.cells and len(day.cells) >= MOST_CELLS:
        place = CellKey(hold.provider, hold.key, OTHER, OTHER)
    cells = {**day.cells, place: added(day.cells.get(place), entry)}
    spender = Spender(hold.provider, hold.key)
    spent = {**day.spent, spender: day.spent.get(spender, NOTHING) + entry.cost_usd}
    return snapshot._replace(days={**snapshot.days, hold.day: Day(day.part, cells, spent)})


def added(one: Cell | None, other: Cell) -> Cell:
    """Add two cells.

    Adding is the only operation on a cell.
    """
    if one is None:
        return other
    return Cell(
        calls=one.calls + other.calls,
        errors=one.errors + other.errors,
        failovers=one.failovers + other.failovers,
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        cost_usd=one.cost_usd + other.cost_usd,
        estimated_usd=one.estimated_usd + other.estimated_usd,
        unconfirmed_usd=one.unconfirmed_usd + other.unconfirmed_usd,
        unknown_usd=one.unknown_usd + other.unknown_usd,
        latency_ms=one.latency_ms + other.latency_ms,
        latencies=tuple(a + b for a, b in zip(one.latencies, other.latencies, strict=True)),
    )


def close_days(snapshot: Snapshot, today: date) -> tuple[Snapshot, tuple[ClosedDay, ...]]:
    """Take out every day that is over and has no open hold.

    The sums of the last ones stay for the budgets. A day from the future is over too: only a clock that has since
    stepped back can have made it. Its sums stay, so that the day is not a fresh budget when it really comes. If these
    sums have dropped a day since (`forgotten`), a further part of it alone would be too little: the history has all its
    parts.
    """
    busy = {hold.day for hold in snapshot.holds.values()}
    over = [d for d in snapshot.days if d not in busy and (d < today or d > today + timedelta(days=1))]
    if not over:
        return snapshot, ()
    closed, months, uncertain = dict(snapshot.closed), dict(snapshot.months), dict(snapshot.uncertain)
    for day in sorted(over):
        spent, month = snapshot.days[day].spent, month_of(day)
        if not dropped(closed, day):
            closed[day] = _sums(closed.pop(day, {}), spent)
        if not dropped(months, month):
            months[month] = _sums(months.pop(month, {}), spent)
            uncertain[month] = _doubts(uncertain.get(month, {}), snapshot.days[day])
    months = _last(months, MONTHS_KEPT)
    remaining = snapshot._replace(
        days={day: content for day, content in snapshot.days.items() if day not in over},
        closed=_last(closed, CLOSED_DAYS_KEPT),
        months=months,
        uncertain={month: doubts for month, doubts in uncertain.items() if doubts and month in months},
    )
    return remaining, tuple(ClosedDay(day, snapshot.days[day]) for day in sorted(over))


def recalled(snapshot: Snapshot, today: date, stored: Iterable[tuple[date, Day]]) -> Snapshot:
    """Return the snapshot with the dropped sums of `today` and its month (`forgotten`).

    Other days had taken their place. `stored` is all that the history has of that month, except what the state still
    has.
    """
    parts, month = list(stored), month_of(today)
    nothing: Sums = {}
    certain: Mapping[Spender, Uncertain] = {}
    if today not in snapshot.closed:
        sums = reduce(_sums, (content.spent for day, content in parts if day == today), nothing)
        snapshot = snapshot._replace(closed={**snapshot.closed, today: sums})
    if month not in snapshot.months:
        sums = reduce(_sums, (content.spent for _, content in parts), nothing)
        doubts = reduce(_doubts, (content for _, content in parts), certain)
        uncertain = {**snapshot.uncertain, month: doubts} if doubts else snapshot.uncertain
        snapshot = snapshot._replace(months={**snapshot.months, month: sums}, uncertain=uncertain)
    return snapshot


def _sums(one: Mapping[Spender, Decimal], other: Mapping[Spender, Decimal]) -> dict[Spender, Decimal]:
    return {spender: one.get(spender, NOTHING) + other.get(spender, NOTHING) for spender in {**one, **other}}


def _doubts(known: Mapping[Spender, Uncertain], day: Day) -> dict[Spender, Uncertain]:
    """Add the uncertain sums of `day` to `known`, and leave out spenders without any."""
    doubts = dict(known)
    for place, cell in day.cells.items():
        spender = Spender(place.provider, place.key)
        doubts[spender] = added_doubts(doubts.get(spender, Uncertain()), cell)
    return {spender: doubt for spender, doubt in doubts.items() if any(doubt)}


def added_doubts(doubt: Uncertain, other: Cell | Uncertain) -> Uncertain:
    """Add the uncertain amounts of both."""
    return Uncertain(
        doubt.estimated_usd + other.estimated_usd,
        doubt.unconfirmed_usd + other.unconfirmed_usd,
        doubt.unknown_usd + other.unknown_usd,
    )


Sums = Mapping[Spender, Decimal]


def _last(sums: Mapping[Moment, Sums], kept: int) -> dict[Moment, Sums]:
    """Return the entries that were closed last, and always the latest one.

    Their dates do not matter for the order. While the latest lies ahead, some may have been dropped whose time is still
    to come.
    """
    if len(sums) <= kept:
        return dict(sums)
    latest: Moment = max(sums)
    remaining = {latest, *[moment for moment in sums if moment != latest][1 - kept :]}
    return {moment: sums[moment] for moment in sums if moment in remaining}
