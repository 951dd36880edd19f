"""A month's file: its sums are those of its cells, whatever was stored in whatever order, and damage is seen."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.costs.query import Part, grouped
from lollmsbot_keys.core.model.snapshot import Cell, ClosedDay, Day
from lollmsbot_keys.edges.state.codec.money import cells_tree
from lollmsbot_keys.edges.state.month_file import Month, NewerMonth, NotAMonth, decode
from tests.examples import examples
from tests.strategies import DAY, TODAY, open_days

closings = st.lists(
    st.builds(
        lambda number, day, name: ClosedDay(TODAY - number * DAY, day._replace(part=name)),
        st.integers(0, 3),
        open_days,
        st.sampled_from(["a", "b", "\ud800"]),
    ),
    max_size=6,
)


def written(days: list[ClosedDay]) -> Month:
    month = Month("2026-11", "2026-10")
    for day in days:
        month.put(day)
    return decode(month.encode())


def without_histogram(cell: Cell) -> Cell:
    return cell._replace(latencies=Cell().latencies)


def stored(days: list[ClosedDay]) -> list[Part]:
    """What must be there: of two parts with one name, the later one."""
    return [(when, day) for (when, _), day in {(one.date, one.day.part): one.day for one in days}.items()]


@settings(max_examples=examples(80))
@given(closings)
def test_the_cells_that_are_read_are_those_that_were_stored(days: list[ClosedDay]) -> None:
    month = written(days)
    assert {(when, name): month.day((when, name)) for when, name in month.parts} == {
        (when, day.part): day for when, day in stored(days)
    }
    assert [when for when, _ in month.parts] == sorted(when for when, _ in month.parts)
    assert (month.name, month.after) == ("2026-11", "2026-10")


@settings(max_examples=examples(80))
@given(closings)
def test_the_sums_are_those_of_the_cells(days: list[ClosedDay]) -> None:
    month, parts = written(days), stored(days)
    for when, day in parts:
        by_key = grouped([(when, day)], lambda _, place: place._replace(model="", pillar=""))
        assert month.sums((when, day.part)).cells == {at: without_histogram(cell) for at, cell in by_key.items()}
    models = grouped(parts, lambda _, place: place._replace(key="", pillar=""))
    assert month.models().cells == {at: without_histogram(cell) for at, cell in models.items()}
    pillars = grouped(parts, lambda _, place: place._replace(key="", model=""))
    assert month.pillars().cells == {at: without_histogram(cell) for at, cell in pillars.items()}


@settings(max_examples=examples(50))
@given(closings)
def test_a_month_of_version_1_means_the_same(days: list[ClosedDay]) -> None:
    tree: dict[str, dict[str, object]] = {}
    for when, day in stored(days):
        tree.setdefault(str(when), {})[day.part] = cells_tree(day)
    old = json.dumps({"version": 1, "month": "2026-11", "days": tree}).encode() + b"\n"
    upgraded, month = decode(old), written(days)
    assert set(upgraded.parts) == set(month.parts)
    assert all(upgraded.day(part) == month.day(part) for part in month.parts)
    assert all(upgraded.sums(part) == month.sums(part) for part in month.parts)
    assert upgraded.models().cells == month.models().cells


DAYS = [ClosedDay(TODAY - timedelta(number), Day.of(f"p{number}", {})) for number in range(3)]


@pytest.mark.parametrize("cut", range(1, 160, 7))
def test_a_month_that_was_cut_is_none(cut: int) -> None:
    with pytest.raises(NotAMonth):
        decode(written(DAYS).encode()[:-cut])


def test_lines_that_do_not_belong_together_are_seen() -> None:
    head, whole, *lines = written(DAYS).encode().splitlines(keepends=True)
    swapped = decode(b"".join([head, whole, lines[1], lines[0], lines[2]]))
    with pytest.raises(NotAMonth):
        swapped.day(swapped.parts[-1])
    with pytest.raises(NotAMonth):
        decode(b"".join([head, whole, *lines, lines[0]]))
    with pytest.raises(NotAMonth):
        decode(b"".join([head, b"{}\n", *lines])).models()


def test_a_newer_version_is_refused() -> None:
    newer = written(DAYS).encode().replace(b'"version":2', b'"version":3')
    with pytest.raises(NewerMonth) as refused:
        decode(newer)
    assert refused.value.args == (3,)


def test_the_part_of_a_day_is_found_by_its_name() -> None:
    month = written(DAYS)
    assert month.day((date(2026, 11, 22), "p1")) == Day.of("p1", {})
    with pytest.raises(NotAMonth):
        month.day((date(2026, 11, 22), "p2"))
