"""The one query: whatever a report is grouped by, it has the same sums, and says so where something is lacking."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.costs import query
from lollmsbot_keys.core.costs.query import Part
from lollmsbot_keys.core.model.config import Price, Provider
from lollmsbot_keys.core.model.request import PriceList
from lollmsbot_keys.core.model.snapshot import Cell, CellKey, Day, Snapshot, Spender
from lollmsbot_keys.core.model.statement import By, DaySpan, Gap, Survey
from lollmsbot_keys.core.model.summary import PriceDates
from lollmsbot_keys.core.money.ledger import added
from tests.examples import examples
from tests.strategies import CONFIG, DAY, NOW, TODAY, dates, open_days, provider_of

OLLAMA, OPENROUTER, LOCAL = Provider.OLLAMA, Provider.OPENROUTER, Provider.LOCAL
WHOLE = DaySpan(TODAY - 9 * DAY, TODAY + 9 * DAY)
parts_drawn = st.lists(st.tuples(dates, open_days), max_size=6)


def cell(cost: str, calls: int = 1, estimated: str = "0") -> Cell:
    return Cell(calls=calls, cost_usd=Decimal(cost), estimated_usd=Decimal(estimated))


def place(key: str = "O1", model: str = "kimi", pillar: str = "") -> CellKey:
    return CellKey(provider_of(key) if key else LOCAL, key, model, pillar)


def part(day: date, *cells: tuple[CellKey, Cell], name: str = "p") -> Part:
    return day, Day.of(name, dict(cells))


@settings(max_examples=examples(150))
@given(parts_drawn)
def test_every_grouping_has_the_same_total_and_loses_nothing(parts: list[Part]) -> None:
    by_hand = reduce(added, (each for _, day in parts for each in day.cells.values()), Cell())
    for by in By:
        found = query.rows(parts, by, WHOLE, CONFIG)
        assert Cell.total(row.sums for row in found) == by_hand
        assert len({(row.name, row.provider) for row in found}) == len(found), "one row each"


@given(parts_drawn)
def test_a_total_is_what_adding_one_by_one_gives(parts: list[Part]) -> None:
    cells = [each for _, day in parts for each in day.cells.values()]
    assert Cell.total(cells) == reduce(added, cells, Cell())


@given(parts_drawn, dates, dates)
def test_spans_that_meet_make_up_the_whole(parts: list[Part], one: date, other: date) -> None:
    """What is left of a border and what is right of it is everything, wherever the border is."""
    snapshot, first, last = Snapshot(), min(one, other) - 9 * DAY, max(one, other) + 9 * DAY
    left = query.parts_of(snapshot, parts, DaySpan(first, one))
    right = query.parts_of(snapshot, parts, DaySpan(one + DAY, last))
    assert sorted(map(repr, left + right)) == sorted(map(repr, query.parts_of(snapshot, parts, DaySpan(first, last))))


def test_rows_come_in_an_order_that_people_expect() -> None:
    parts = [
        part(
            TODAY,
            (place("R1", "moon/kimi", "soul"), cell("1")),
            (place("former", "moon/kimi"), cell("9")),
            (place("", "kimi"), cell("0", calls=5)),
            (place("O2", "kimi"), cell("3")),
        ),
    ]

    def names(by: By) -> list[tuple[str, Provider | None]]:
        return [(row.name, row.provider) for row in query.rows(parts, by, WHOLE, CONFIG)]

    assert names(By.KEY) == [("O2", OLLAMA), ("R1", OPENROUTER), ("former", OPENROUTER), ("", LOCAL)]
    assert names(By.PROVIDER) == [("ollama", OLLAMA), ("openrouter", OPENROUTER), ("local", LOCAL)]
    assert names(By.MODEL) == [("moon/kimi", OPENROUTER), ("kimi", OLLAMA), ("kimi", LOCAL)], "the dearest first"
    assert names(By.PILLAR) == [("", None), ("soul", None)]


def test_every_day_from_the_first_call_on_has_a_row() -> None:
    parts = [part(TODAY - 3 * DAY, (place(), cell("1"))), part(TODAY - DAY, (place(), cell("2")))]
    found = query.rows(parts, By.DAY, DaySpan(TODAY - 30 * DAY, TODAY), CONFIG)
    assert [row.name for row in found] == ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]
    assert [row.sums.cost_usd for row in found] == [1, 0, 2, 0]
    assert query.rows([], By.DAY, WHOLE, CONFIG) == []


def test_the_dates_of_the_prices_behind_estimates_and_of_no_others() -> None:
    old, new = date(2026, 7, 2), date(2026, 11, 9)
    models = {
        name: CONFIG.models[name]._replace(price=Price(Decimal(1), Decimal(2), day))
        for name, day in (("kimi", old), ("kimi-2", new), ("kimi-3", None))
    }
    config = CONFIG._replace(models={**CONFIG.models, **models})

    def dated(*names: str, estimated: str = "1") -> PriceDates | None:
        cells = [(place("O1", name), cell("1", estimated=estimated)) for name in names]
        return query.price_dates(config, PriceList(), [part(TODAY, *cells)], NOW)

    assert dated("kimi") == PriceDates(old, old)
    assert dated("kimi", "kimi-2", "kimi-3") == PriceDates(old, new)
    assert dated("kimi-2", estimated="0") is None, "the provider's own figure has no dated price behind it"
    assert dated("kimi-3") is None
    assert dated("nobody-knows") is None


# --- what the history lacks ---

SPENDER = Spender(OLLAMA, "O1")
STORED = [part(date(2026, 10, 5), (place("O1"), cell("2.50")))]


def survey(*, present: bool = True, missing: bool = False, damaged: str = "") -> Survey:
    month = "2026-10"
    return Survey(
        (month,),
        frozenset({month} if present else ()),
        frozenset({month} if missing else ()),
        {month: damaged} if damaged else {},
    )


@pytest.mark.parametrize(
    ("known", "seen", "gap"),
    [
        ({SPENDER: "2.50"}, survey(), None),
        ({SPENDER: "2.00"}, survey(), None),  # the state knows only the late news of an old month
        ({SPENDER: "2.51"}, survey(), Gap("2026-10", Decimal("0.01"))),
        ({SPENDER: "2.51"}, survey(damaged="x.damaged-1"), Gap("2026-10", Decimal("0.01"), "x.damaged-1")),
        ({SPENDER: "2.50"}, survey(damaged="x.damaged-1"), None),  # it was restored since
        ({SPENDER: "2.00", Spender(OPENROUTER, "R1"): "0.10"}, survey(), Gap("2026-10", Decimal("0.10"))),
        ({SPENDER: "0"}, survey(present=False), Gap("2026-10")),  # calls that cost nothing are lost too
        ({}, survey(present=False), None),  # a clock stepped back into a month without calls
        (None, survey(), None),
        (None, survey(present=False), None),  # nobody called in that month, or the pool is younger
        (None, survey(present=False, missing=True), Gap("2026-10")),
        (None, survey(damaged="x.damaged-1"), Gap("2026-10", None, "x.damaged-1")),
    ],
)
def test_what_is_lacking_is_told(known: dict[Spender, str] | None, seen: Survey, gap: Gap | None) -> None:
    months = {} if known is None else {"2026-10": {who: Decimal(cost) for who, cost in known.items()}}
    found = list(query.gaps(Snapshot(months=months), STORED, seen))
    assert found == ([] if gap is None else [gap])
