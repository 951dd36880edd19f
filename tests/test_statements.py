"""Statements over real files: the same day never shows two sums, whoever closes it while it is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.snapshot import Cell, Hold, Snapshot
from lollmsbot_keys.core.model.statement import By, Gap, Statement
from lollmsbot_keys.core.money.amounts import budget_day
from lollmsbot_keys.core.state.expiry import Housekeeping
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.edges.state.store import StateFile
from lollmsbot_keys.errors import StateError
from lollmsbot_keys.runtime import Engine
from tests.support import PATIENCE_S, claimed, hold, opened, settled, spending, start

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")


class Clocked:
    """An `lbk` whose clock is set by hand, on files in one folder."""

    def __init__(self, folder: Path, now: datetime, zone: str = "UTC") -> None:
        self.now = now
        config = folder / "config.toml"
        config.write_text(f'timezone = "{zone}"\n', "utf-8")
        environment = Environment({"HOME": str(folder)})
        self.engine = Engine.open(
            config, folder / "state.json", environment=environment, clock=lambda: self.now, create=False
        )

    def spend(self, amount_usd: str, *, model: str = "kimi-k2.6", pillar: str = "soul", key: str = "") -> None:
        """One call, now."""

        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
            held = self._hold(amount_usd, model, pillar, key)
            return settled(claimed(snapshot, held, now), held, now), None

        self.engine.state.update(change)

    def _hold(self, amount_usd: str, model: str, pillar: str, key: str) -> Hold:
        held = hold(self.now, amount_usd)._replace(model=model, pillar=pillar)
        if key:
            held = held._replace(key=key, provider=Provider.OPENROUTER)
        return held._replace(day=budget_day(self.now, self.engine.config.timezone))

    def report(self, by: By = By.KEY, since: date | None = None) -> Statement:
        return self.engine.statement(by, since)

    def by_day(self, since: date) -> dict[str, Decimal]:
        return {row.name: row.sums.cost_usd for row in self.report(By.DAY, since).rows}


# --- one sum for a day, however it is asked for ---


@pytest.fixture
def lived(tmp_path: Path) -> Clocked:
    """Ninety days over four months, some with several parts, because the clock was wrong for a while."""
    world = Clocked(tmp_path, NOON - 90 * DAY)
    for number in range(91):
        world.now = NOON - (90 - number) * DAY
        world.spend(f"0.{number + 1:03}", model=f"m{number % 3}", pillar=("soul", "guardian", "")[number % 3])
        world.spend("0.001", key="OPENROUTER_API_KEY_1", model="a/b", pillar="")
        if number % 10 == 9:
            world.now -= 3 * DAY
            world.spend("0.0005")
    world.now = NOON
    return world


def test_every_grouping_of_every_span_agrees(lived: Clocked) -> None:
    first = (NOON - 90 * DAY).date()
    for since in [None, *(first + number * DAY for number in (0, 1, 20, 60, 73, 89))]:
        statements = [lived.report(by, since) for by in By]
        totals = {statement.total for statement in statements}
        assert len(totals) == 1
        for statement in statements:
            rows = Cell.total(row.sums for row in statement.rows)
            assert rows._replace(latencies=()) == statement.total._replace(latencies=())
            assert Cell.total(key.sums for key in statement.keys) == statement.total
            assert statement.gaps == ()


def test_a_month_from_its_sums_is_the_same_as_from_its_days(lived: Clocked) -> None:
    """A whole month is read from its second line, a part of one from all its cells: day by day that is the same."""
    whole = {(row.name, row.provider): row.sums.cost_usd for row in lived.report(By.MODEL, date(2026, 9, 1)).rows}
    later = {(row.name, row.provider): row.sums.cost_usd for row in lived.report(By.MODEL, date(2026, 9, 30)).rows}
    days = {name: cost for name, cost in lived.by_day(date(2026, 9, 1)).items() if name < "2026-09-30"}
    assert sum(whole.values()) - sum(later.values()) == sum(days.values())


def test_today_is_the_same_in_every_report_also_after_it_was_closed_by_a_wrong_clock(tmp_path: Path) -> None:
    world = Clocked(tmp_path, NOON)
    world.spend("1.50", pillar="soul")
    world.now = NOON + 5 * DAY
    world.spend("4.00")
    world.now = NOON + MINUTE
    world.spend("0.25", pillar="")
    today = world.report()
    assert today.total.cost_usd == Decimal("1.75")
    assert today.summary.total.cost_usd == Decimal("1.75")
    assert today.summary.providers[0].today_usd == Decimal("1.75")
    assert today.summary.keys[0].day.sums.calls == 2
    for by in By:
        assert Cell.total(row.sums for row in world.report(by).rows).cost_usd == Decimal("1.75"), by
        assert world.report(by, NOON.date().replace(day=1)).total.cost_usd == Decimal("1.75"), by


def test_a_day_that_a_crash_left_in_both_places_counts_once(tmp_path: Path) -> None:
    world = Clocked(tmp_path, NOON)
    world.spend("1.50")
    state = world.engine.state.path
    before = state.read_bytes()
    world.now = NOON + DAY
    world.spend("0.25")
    state.write_bytes(before)
    for by in By:
        assert world.report(by, NOON.date()).total.cost_usd == Decimal("1.50")
        assert Cell.total(row.sums for row in world.report(by, NOON.date()).rows).cost_usd == Decimal("1.50")
    assert world.report(By.KEY, NOON.date()).gaps == ()


class Busy(StateFile):
    """A state in which somebody else closes a day right before and right after each reading."""

    def __init__(self, path: Path, begin: datetime) -> None:
        keeper = Housekeeping(UTC, timedelta(days=8))
        super().__init__(path, keeper=keeper, clock=lambda: begin, warn=print)
        self._moment = begin
        self._other = opened(path, clock=lambda: self._moment)

    def read(self, now: datetime | None = None) -> Snapshot:
        self._close()
        snapshot = super().read(now)
        self._close()
        return snapshot

    def _close(self) -> None:
        self._other.update(spending("1.00"))
        self._moment += DAY


@pytest.mark.parametrize("by", By)
def test_a_day_that_is_closed_between_the_two_readings_is_there_once(by: By, tmp_path: Path) -> None:
    world = Clocked(tmp_path, NOON + 30 * DAY)
    calm = world.engine
    busy = Busy(calm.state.path, NOON)
    engine = Engine(calm.config, busy, calm.secrets, calm.environment, calm.clock, calm.warnings)
    for number in range(1, 20, 2):
        found = engine.statement(by, NOON.date())
        assert (found.total.calls, found.gaps) == (number, ())
        assert found.total.cost_usd == number
        assert Cell.total(row.sums for row in found.rows).calls == number


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_while_somebody_closes_days_no_day_is_lost_or_doubled(tmp_path: Path) -> None:
    """A writer closes a day with every call. Each reading must see an unbroken row of days at one dollar each."""
    script = """
import sys
from datetime import datetime, timedelta
from pathlib import Path
from tests.support import opened, spending
moment = datetime.fromisoformat(sys.argv[2])
state = opened(Path(sys.argv[1]), clock=lambda: moment)
for number in range(420):
    state.update(spending("1.00"))
    moment += timedelta(days=1)
print("done", flush=True)
"""
    world = Clocked(tmp_path, NOON)
    argv = [sys.executable, "-c", script, str(tmp_path / "state.json"), NOON.isoformat()]
    writer = start(argv, os.environ)
    world.now = NOON + 420 * DAY
    seen, readings = 0, 0
    try:
        while writer.poll() is None or seen < 420:
            by = (By.DAY, By.MODEL)[readings % 2]
            found = world.report(by, NOON.date())
            assert found.gaps == ()
            assert found.total.cost_usd == found.total.calls >= seen
            if by is By.DAY:
                days = [row.sums.cost_usd for row in found.rows]
                assert days == [1] * found.total.calls + [0] * (len(days) - found.total.calls)
            assert Cell.total(row.sums for row in found.rows).cost_usd == found.total.cost_usd
            seen, readings = found.total.calls, readings + 1
    finally:
        writer.kill()
        _, talk = writer.communicate(timeout=PATIENCE_S)
    assert (seen, talk) == (420, "")
    assert readings > 20


# --- budget days, with a clock that passes every trap of a calendar ---


def moments() -> Iterator[datetime]:
    """Around new year, the leap day, both changes of the clock, and the month ends between: every two hours and ten."""
    for begin, days in (("2027-12-30", 3), ("2028-02-27", 4), ("2028-03-25", 3), ("2028-10-28", 5)):
        now = datetime.fromisoformat(begin).replace(tzinfo=UTC)
        for number in range(days * 11):
            yield now + number * timedelta(hours=2, minutes=10)
        for midnight in range(days):
            instant = datetime.fromisoformat(begin).replace(tzinfo=BERLIN) + midnight * DAY
            yield instant.astimezone(UTC) - timedelta(microseconds=1)
            yield instant.astimezone(UTC)


def test_days_and_months_end_at_the_zones_midnight_through_a_year_of_traps(tmp_path: Path) -> None:
    world, days = Clocked(tmp_path, NOON, "Europe/Berlin"), dict[str, Decimal]()
    for number, now in enumerate(sorted(moments())):
        world.now, amount = now, Decimal(number + 1).scaleb(-4)
        world.spend(str(amount))
        local = now.astimezone(BERLIN)
        days[f"{local:%Y-%m-%d}"] = days.get(f"{local:%Y-%m-%d}", Decimal(0)) + amount
        if number % 5:
            continue
        month = sum((cost for day, cost in days.items() if day[:7] == f"{local:%Y-%m}"), Decimal(0))
        today = world.report()
        assert (str(today.summary.day), today.total.cost_usd) == (f"{local:%Y-%m-%d}", days[f"{local:%Y-%m-%d}"])
        assert today.summary.month_usd == month
        assert world.report(By.KEY, local.date().replace(day=1)).total.cost_usd == month
    found = {day: cost for day, cost in world.by_day(date(2027, 12, 1)).items() if cost}
    assert found == days
    assert {"2027-12-31", "2028-01-01", "2028-02-29", "2028-03-26", "2028-10-29"} <= found.keys()


def test_a_call_that_began_before_midnight_belongs_to_the_day_it_was_held_in(tmp_path: Path) -> None:
    evening = datetime(2026, 11, 30, 22, 59, 59, tzinfo=UTC)  # a second before December in Berlin
    world = Clocked(tmp_path, evening, "Europe/Berlin")
    held = hold(evening, "0.70")._replace(day=date(2026, 11, 30))
    world.engine.state.update(lambda snapshot, now: (claimed(snapshot, held, now), None))
    world.now = evening + 5 * MINUTE
    world.spend("0.10")
    world.engine.state.update(lambda snapshot, now: (settled(snapshot, held, now), None))
    assert world.by_day(date(2026, 11, 30)) == {"2026-11-30": Decimal("0.70"), "2026-12-01": Decimal("0.10")}
    assert world.report().summary.month_usd == Decimal("0.10")
    assert world.report(By.KEY, date(2026, 12, 1)).total.cost_usd == Decimal("0.10")


def test_a_held_call_counts_against_the_month_it_began_in(tmp_path: Path) -> None:
    evening = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    world = Clocked(tmp_path, evening)
    held = hold(evening, "0.70")
    world.engine.state.update(lambda snapshot, now: (claimed(snapshot, held, now), None))
    assert world.report().summary.providers[0].month.held_usd == Decimal("0.70")
    world.now = evening + 2 * MINUTE
    assert world.report().summary.providers[0].month.held_usd == 0


# --- what is damaged or gone is never a wrong sum ---


@pytest.fixture
def three_months(tmp_path: Path) -> Clocked:
    world = Clocked(tmp_path, datetime(2026, 9, 20, 12, tzinfo=UTC))
    for month, cost in ((9, "1.00"), (10, "2.00"), (11, "4.00")):
        for day in (18, 20):
            world.now = datetime(2026, month, day, 12, tzinfo=UTC)
            world.spend(cost)
    world.spend("0.50")
    return world


def month_file(world: Clocked, month: str) -> Path:
    return world.engine.state.history / f"{month}.json"


def test_a_damaged_month_is_an_error_where_it_is_asked_for_and_only_there(three_months: Clocked) -> None:
    month_file(three_months, "2026-10").write_text("{")
    for by in By:
        with pytest.raises(StateError, match=r"2026-10\.json is damaged.*Put a copy of it"):
            three_months.report(by, date(2026, 10, 31))
        assert three_months.report(by, date(2026, 11, 1)).total.cost_usd == Decimal("8.50")
    assert three_months.report().total.cost_usd == Decimal("4.50")


@pytest.mark.parametrize(
    ("line", "since"),
    [(1, date(2026, 10, 1)), (3, date(2026, 10, 19))],
    ids=["the whole month by model", "one day of it"],
)
def test_damage_below_the_first_line_is_seen_by_those_who_need_it(
    three_months: Clocked, line: int, since: date
) -> None:
    file = month_file(three_months, "2026-10")
    lines = file.read_bytes().splitlines(keepends=True)
    lines[line] = b"[]\n"
    file.write_bytes(b"".join(lines))
    with pytest.raises(StateError, match=r"2026-10\.json is damaged"):
        three_months.report(By.MODEL, since)
    assert three_months.report(By.KEY, since).gaps == ()


def test_a_missing_month_is_told_with_what_it_cost(three_months: Clocked) -> None:
    month_file(three_months, "2026-10").unlink()
    for by in By:
        found = three_months.report(by, date(2026, 9, 1))
        assert found.gaps == (Gap("2026-10", Decimal("4.00")),)
        assert found.total.cost_usd == Decimal("10.50")
    assert three_months.report(By.KEY, date(2026, 11, 1)).gaps == ()


def test_a_month_that_lost_a_day_is_told(three_months: Clocked) -> None:
    """The file was put back from a backup that is older than its last day."""
    file = month_file(three_months, "2026-10")
    head, _, first, _ = file.read_bytes().splitlines(keepends=True)
    day, part = '"2026-10-18":{', '},"2026-10-20"'
    text = head.decode()
    file.write_bytes((text[: text.index(part)] + "}}}\n").encode() + b'{"models":[],"pillars":[]}\n' + first)
    assert day in text
    assert three_months.report(By.KEY, date(2026, 9, 1)).gaps == (Gap("2026-10", Decimal("2.00")),)


def test_a_month_that_was_damaged_when_it_was_written_is_told(three_months: Clocked) -> None:
    file = month_file(three_months, "2026-11")
    file.write_text("not mine")
    three_months.now += DAY
    three_months.spend("0.01")
    assert file.with_name("2026-11.json.damaged-1").read_text() == "not mine"
    found = three_months.report(By.KEY, date(2026, 11, 1))
    assert found.gaps == (Gap("2026-11", Decimal("4.00"), "2026-11.json.damaged-1"),)


def test_an_old_month_that_is_missing_is_missed_by_the_one_after_it(tmp_path: Path) -> None:
    world = Clocked(tmp_path, NOON)
    for number in range(8):
        world.now = NOON + number * 31 * DAY
        world.spend("1.00")
    month_file(world, "2026-12").unlink()
    assert world.report(By.KEY, NOON.date()).gaps == (Gap("2026-12"),)
    month_file(world, "2026-11").unlink()
    assert world.report(By.KEY, NOON.date()).gaps == (Gap("2026-12"),), "with nothing before it, nobody knows"


def test_what_has_grown_too_old_is_not_missed(tmp_path: Path) -> None:
    world = Clocked(tmp_path, NOON)
    for number in range(18):
        world.now = NOON + number * 31 * DAY
        world.spend("1.00")
    found = world.report(By.KEY, NOON.date())
    assert (found.gaps, found.total.calls) == ((), 16)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_month_that_may_not_be_read_is_an_error(three_months: Clocked) -> None:
    month_file(three_months, "2026-10").chmod(0)
    with pytest.raises(StateError, match=r"Cannot read .*2026-10\.json: Permission denied"):
        three_months.report(By.KEY, date(2026, 10, 1))


def test_a_folder_in_the_place_of_a_month_is_an_error(three_months: Clocked) -> None:
    file = month_file(three_months, "2026-10")
    file.unlink()
    file.mkdir()
    with pytest.raises(StateError, match=r"Cannot read .*2026-10\.json: Is a directory"):
        three_months.report(By.KEY, date(2026, 10, 1))


def test_today_does_not_touch_the_history(three_months: Clocked) -> None:
    for file in three_months.engine.state.history.iterdir():
        file.write_text("{")
    assert three_months.report().total.cost_usd == Decimal("4.50")
    assert three_months.engine.summary().month_usd == Decimal("8.50")
