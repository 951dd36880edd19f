"""The comparison of our ledger with the provider's: how far two sums differ, and why.

Ours are sums of budget days; theirs are sums of a UTC day, a UTC month, or of hours. Only what lies in the same time is
compared. A day that the time cuts through belongs to it in whole, in part or not at all, and nobody knows which: it
explains up to its own sum. What no cause explains was spent by somebody else, or is not booked as it should be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.period import Window
from lollmsbot_keys.core.model.reconciliation import Bin, Cause, Comparison, Figures, Part, ReportedUsage
from lollmsbot_keys.core.model.snapshot import Cell, Sighting, Snapshot, Spender
from lollmsbot_keys.core.money.amounts import NOTHING, budget_day, day_end
from lollmsbot_keys.core.state.call_window import minute_of

TOLERANCE_USD = Decimal("0.01")
"""The difference that needs no cause: a cent, because providers round."""
LATE_FOR = timedelta(minutes=5)
"""The time for which a call may still be missing in a provider's sums; no provider promises one."""
ESTIMATE_MARGIN = Decimal("0.25")
"""The possible error of an estimate, as a share, where the provider tells no tokens."""

Sums = Mapping[tuple[date, Spender], Cell]


class Books(NamedTuple):
    """Our side at one moment: the state, and the sums of every day in question."""

    snapshot: Snapshot
    sums: Sums


class Group(NamedTuple):
    """The keys that a provider counts in one sum.

    Those of one secret, or of one account (`per_account`). `asked` names all keys that are in some group. What others
    of the ledger spent may be of any account.
    """

    provider: Provider
    keys: tuple[str, ...]
    per_account: bool
    asked: frozenset[str] = frozenset()


class LedgerQuestion(NamedTuple):
    """The sums to compare: those of one group, from `since` until its provider was asked."""

    group: Group
    told: ReportedUsage
    since: datetime
    zone: tzinfo


class _Sides(NamedTuple):
    """Both sums, each at the least and at the most that can lie in the time.

    `known`: our most before anybody asked.
    """

    known: Cell
    least: Cell
    ours: Cell
    least_theirs: Figures
    theirs: Figures


def begin_of(window: Window, now: datetime, zone: tzinfo) -> datetime:
    """Return when the budget day or month of `now` began, in UTC."""
    day = budget_day(now, zone)
    return _start(day.replace(day=1) if window is Window.MONTH else day, zone)


def compare(question: LedgerQuestion, before: Books, after: Books, tolerance: Decimal) -> Comparison:
    """Compare both sides, with the causes of the difference.

    `before` and `after` are our books from before and after the provider was asked.
    """
    group, told, since, _ = question
    _, known = _ours(question, before.sums, group.keys)
    sides = _Sides(known, *_ours(question, after.sums, group.keys), *within(told.bins, since, told.at))
    less = sides.theirs.usd < sides.ours.cost_usd
    causes = _of_less(question, sides, after) if less else _of_more(question, sides, after)
    difference = abs(sides.theirs.usd - sides.ours.cost_usd)
    ours = sides.ours
    return Comparison(
        keys=group.keys,
        provider=group.provider,
        per_account=group.per_account,
        ours=Figures(ours.cost_usd, ours.calls, ours.prompt_tokens, ours.completion_tokens),
        theirs=sides.theirs,
        since=since,
        at=told.at,
        parts=tuple(_dealt_out(difference, causes)),
        tolerance_usd=tolerance,
        first_seen=max((mark.since for mark in _new_secrets(question, after)), default=None),
    )


def uncompared(group: Group, books: Books, problem: str) -> Comparison:
    """Return what we booked for a group whose provider told no sum.

    It covers the days in question. `problem` says why there is nothing to compare.
    """
    ours = Cell.total(
        cell
        for (_, spender), cell in books.sums.items()
        if spender.provider is group.provider and spender.key in group.keys
    )
    figures = Figures(ours.cost_usd, ours.calls, ours.prompt_tokens, ours.completion_tokens)
    return Comparison(group.keys, group.provider, group.per_account, figures, problem=problem)


def within(bins: Iterable[Bin], since: datetime, until: datetime) -> tuple[Figures, Figures]:
    """Return the least and the most that can lie between two times.

    A bin that one of the times cuts through counts in the second only.
    """
    least = most = Figures()
    for one in bins:
        if one.since < until and one.until > since:
            most = _added(most, one.figures)
            if since <= one.since and one.until <= until:
                least = _added(least, one.figures)
    return least, most


def total(told: ReportedUsage) -> Figures:
    """Return the sum of everything that a provider told."""
    return within(told.bins, told.since, told.at)[1]


# --- causes ---


def _of_less(question: LedgerQuestion, sides: _Sides, books: Books) -> Iterator[tuple[Cause, Decimal]]:
    """Yield the causes why a provider may have booked less than we did, the surest first.

    Each with how much it can explain.
    """
    ours = sides.ours
    yield Cause.MEANWHILE, ours.cost_usd - sides.known.cost_usd
    yield Cause.UNCONFIRMED, ours.unconfirmed_usd
    yield Cause.UNKNOWN_PRICE, ours.unknown_usd
    if any(mark.generation > 1 for mark in _new_secrets(question, books)):
        yield Cause.FORMER_SECRET, ours.cost_usd
    yield Cause.DAY_BOUNDARY, ours.cost_usd - sides.least.cost_usd
    yield Cause.ESTIMATES, ours.estimated_usd
    yield Cause.LATE, _recent(question, ours, books.snapshot)


def _of_more(question: LedgerQuestion, sides: _Sides, books: Books) -> Iterator[tuple[Cause, Decimal]]:
    """Yield the causes why a provider may have booked more than we did, the surest first.

    Each with how much it can explain.
    """
    group = question.group
    held = (hold.amount_usd for hold in books.snapshot.holds.values() if hold.key in group.keys and not hold.lapsed)
    yield Cause.ON_THEIR_WAY, sum(held, NOTHING)
    yield Cause.DAY_BOUNDARY, sides.theirs.usd - sides.least_theirs.usd
    if group.per_account:
        others = {spender.key for _, spender in books.sums} - group.asked
        yield Cause.FORMER_KEYS, _ours(question, books.sums, others)[1].cost_usd
    yield Cause.ESTIMATES, _by_price(sides)


def _new_secrets(question: LedgerQuestion, books: Books) -> list[Sighting]:
    """Return the keys' present secrets that came into use within the time."""
    marks = (books.snapshot.sightings.get(name) for name in question.group.keys)
    return [mark for mark in marks if mark is not None and mark.since > question.since]


def _by_price(sides: _Sides) -> Decimal:
    """Compute how much of the difference a wrong price of the counted tokens can explain.

    Where the provider tells tokens, the share of them that we do not know of has nothing to do with prices. Those from
    a cache count as known: some servers leave them out of what they tell with an answer.
    """
    ours, theirs = sides.ours, sides.theirs
    if not ours.estimated_usd:
        return NOTHING
    if theirs.prompt_tokens is None or theirs.completion_tokens is None:
        return ours.estimated_usd * ESTIMATE_MARGIN
    unknown = max(
        _share(theirs.prompt_tokens - theirs.cached_tokens - ours.prompt_tokens, theirs.prompt_tokens),
        _share(theirs.completion_tokens - ours.completion_tokens, theirs.completion_tokens),
    )
    return max(NOTHING, theirs.usd - ours.cost_usd - theirs.usd * unknown)


def _share(part: int, whole: int) -> Decimal:
    return Decimal(part) / whole if part > 0 and whole > 0 else NOTHING


def _recent(question: LedgerQuestion, ours: Cell, snapshot: Snapshot) -> Decimal:
    """Compute the cost of the calls of the last minutes, each taken as an average one of the time."""
    if not ours.calls:
        return NOTHING
    since = minute_of(question.told.at - LATE_FOR)
    buckets = (snapshot.hours.get(name, {}) for name in question.group.keys)
    recent = sum(count for bucket in buckets for minute, count in bucket.items() if minute >= since)
    return ours.cost_usd * min(Decimal(1), Decimal(recent) / ours.calls)


def _dealt_out(difference: Decimal, causes: Iterable[tuple[Cause, Decimal]]) -> Iterator[Part]:
    """Divide the difference among its causes in their order, to each as much as it can explain."""
    left = difference
    for cause, most in causes:
        part = min(left, most)
        if part > 0:
            yield Part(cause, part, most)
            left -= part


# --- sums ---


def _ours(question: LedgerQuestion, sums: Sums, names: Collection[str]) -> tuple[Cell, Cell]:
    """Return our sums of some keys, at the least and at the most.

    Only the first day can be cut: no day has calls from the future.
    """
    zone, since, until = question.zone, question.since, question.told.at
    reaching = [
        (day, cell)
        for (day, spender), cell in sums.items()
        if spender.provider is question.group.provider
        and spender.key in names
        and _start(day, zone) < until
        and day_end(day, zone) > since
    ]
    whole = Cell.total(cell for day, cell in reaching if _start(day, zone) >= since)
    return whole, Cell.total(cell for _, cell in reaching)


def _start(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def _added(one: Figures, other: Figures) -> Figures:
    return Figures(
        one.usd + other.usd,
        _sum(one.calls, other.calls),
        _sum(one.prompt_tokens, other.prompt_tokens),
        _sum(one.completion_tokens, other.completion_tokens),
        one.cached_tokens + other.cached_tokens,
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
