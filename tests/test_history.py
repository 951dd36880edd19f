"""Closed days: each leaves the state once, whoever comes first after midnight, and no crash loses or doubles one."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.model.statement import By, DaySpan
from lollmsbot_keys.core.money import amounts
from lollmsbot_keys.core.money.charges import Charge, unconfirmed
from lollmsbot_keys.core.state.events import Claimed, Found, Lapsed, Settled, record
from lollmsbot_keys.edges.state.codec import decode
from lollmsbot_keys.edges.state.history import History, Stored
from lollmsbot_keys.edges.state.store import StateFile
from lollmsbot_keys.errors import StateError
from tests.support import PATIENCE_S, claimed, finished, hold, opened, settled, spending, spent, start, together

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
AGES = date(2000, 1, 1), date(2099, 12, 31)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def at(path: Path, moment: datetime, warn: Callable[[str], None] = lambda _message: None) -> StateFile:
    return opened(path, clock=lambda: moment, warn=warn)


def kept(path: Path, since: date = AGES[0], until: date = AGES[1]) -> dict[date, list[Decimal]]:
    """The cost of each part of each day in the history."""
    days: dict[date, list[Decimal]] = {}
    for day, content in History(path.with_name("history"), print).days(since, until):
        days.setdefault(day, []).append(sum(content.spent.values(), Decimal(0)))
    return days


def everything(path: Path) -> Decimal:
    """All money that anybody has a record of."""
    return sum((sum(parts) for parts in kept(path).values()), Decimal(0)) + spent(decode(path.read_bytes()))


# Closing


def test_a_day_leaves_after_midnight_and_its_sums_stay(path: Path) -> None:
    at(path, NOON).update(spending("1.50"))
    assert not path.with_name("history").exists()
    at(path, NOON + timedelta(days=1)).update(spending("0.25"))
    assert kept(path) == {NOON.date(): [Decimal("1.50")]}
    snapshot = decode(path.read_bytes())
    assert list(snapshot.days) == [NOON.date() + timedelta(days=1)]
    assert [sum(sums.values()) for sums in snapshot.closed.values()] == [Decimal("1.50")]
    assert {month: sum(sums.values()) for month, sums in snapshot.months.items()} == {"2026-11": Decimal("1.50")}


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_the_history_is_for_its_owner_only(path: Path) -> None:
    before = os.umask(0)
    try:
        at(path, NOON).update(spending())
        at(path, NOON + timedelta(days=1)).update(spending())
    finally:
        os.umask(before)
    folder = path.with_name("history")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [file.stat().st_mode & 0o777 for file in folder.iterdir()] == [0o600]


def test_whoever_comes_first_after_midnight_closes_the_day_and_only_they(path: Path) -> None:
    script = """
import sys
from datetime import datetime
from pathlib import Path
from tests.support import opened, spending
moment = datetime.fromisoformat(sys.argv[2])
state = opened(Path(sys.argv[1]), clock=lambda: moment)
sys.stdin.read()
state.update(spending("0.01"))
"""
    for amount in ("1.00", "0.50"):
        at(path, NOON).update(spending(amount))
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    moments = [midnight + timedelta(milliseconds=number) for number in range(12)]
    argvs = [[sys.executable, "-c", script, str(path), moment.isoformat()] for moment in moments]
    with together(argvs, os.environ) as processes:
        for process in processes:
            done = finished(process)
            assert done.returncode == 0, done.stderr
    assert kept(path) == {NOON.date(): [Decimal("1.50")]}
    snapshot = decode(path.read_bytes())
    assert spent(snapshot) == Decimal("0.12")
    assert [sum(sums.values()) for sums in snapshot.months.values()] == [Decimal("1.50")]


def test_a_minute_before_midnight_nothing_leaves(path: Path) -> None:
    at(path, NOON).update(spending())
    at(path, datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC)).update(spending())
    assert not path.with_name("history").exists()


def test_several_days_over_a_month_end_go_each_to_its_month(path: Path) -> None:
    last, first = datetime(2026, 11, 30, 12, tzinfo=UTC), datetime(2026, 12, 1, 12, tzinfo=UTC)
    at(path, last).update(spending("1.00"))
    at(path, first).update(spending("2.00"))
    at(path, first + timedelta(days=5)).update(spending("4.00"))
    assert sorted(file.name for file in path.with_name("history").iterdir()) == ["2026-11.json", "2026-12.json"]
    assert kept(path) == {last.date(): [Decimal("1.00")], first.date(): [Decimal("2.00")]}
    assert kept(path, since=first.date()) == {first.date(): [Decimal("2.00")]}


# Crashes


def test_a_crash_after_the_history_was_written_doubles_nothing(path: Path) -> None:
    """The state as it was before midnight comes back: the next process closes the same day again."""
    at(path, NOON).update(spending("1.50"))
    before = path.read_bytes()
    for number in range(3):
        at(path, NOON + timedelta(days=1)).update(spending("0.25"))
        assert kept(path) == {NOON.date(): [Decimal("1.50")]}, number
        for file in (path, at(path, NOON).copy):
            file.write_bytes(before)
    at(path, NOON).update(spending("0.50"))  # another process, whose clock says it is not yet midnight
    at(path, NOON + timedelta(days=1)).update(spending("0.25"))
    assert kept(path) == {NOON.date(): [Decimal("2.00")]}
    assert everything(path) == Decimal("2.25")


@pytest.mark.parametrize("step", ["history", "state"])
def test_a_write_that_fails_at_midnight_neither_loses_nor_doubles(path: Path, step: str) -> None:
    at(path, NOON).update(spending("1.50"))
    state = at(path, NOON + timedelta(days=1))
    blocked = {
        "history": state.history / f".2026-11.json.{os.getpid()}.new",
        "state": path.with_name(f".{path.name}.{os.getpid()}.new"),
    }[step]
    (blocked / "occupied").mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(StateError):
            state.update(spending("0.25"))
        assert spent(decode(path.read_bytes())) == Decimal("1.50")
    shutil.rmtree(blocked)
    state.update(spending("0.25"))
    assert kept(path) == {NOON.date(): [Decimal("1.50")]}
    assert everything(path) == Decimal("1.75")


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_kill_9_around_midnight_neither_loses_nor_doubles(path: Path) -> None:
    """Each update comes a day after the last one, so that almost every moment lies within a closing."""
    script = """
import sys
from datetime import datetime, timedelta
from pathlib import Path
from tests.support import opened, spending
moment = datetime.fromisoformat(sys.argv[2])
state = opened(Path(sys.argv[1]), clock=lambda: moment)
while True:
    state.update(spending("1.00"))
    print("done", flush=True)
    moment += timedelta(days=1)
"""
    acknowledged, moment = 0, NOON
    for _ in range(10):
        writer = start([sys.executable, "-c", script, str(path), moment.isoformat()], os.environ)
        assert writer.stdout is not None
        begun = os.read(writer.stdout.fileno(), 65_536).decode()  # `readline` would keep what it read too much of
        writer.kill()
        out, _ = writer.communicate(timeout=PATIENCE_S)
        done = (begun + out).count("done")
        acknowledged += done
        recorded = int(everything_once(path))
        assert acknowledged <= recorded <= acknowledged + 1
        acknowledged = recorded
        moment += timedelta(days=done + 1)
    assert len(kept(path)) >= 9
    assert all(parts == [Decimal("1.00")] for parts in kept(path).values())


def everything_once(path: Path) -> Decimal:
    """All recorded money; a day that a crash left in the state and in the history counts once, as for any reader."""
    snapshot = decode(path.read_bytes())
    months = History(path.with_name("history"), print).between(DaySpan(*AGES)).months
    stored = {part for month in months for _, part in month.parts}
    again = [day for day in snapshot.days.values() if day.part in stored]
    return everything(path) - sum((sum(day.spent.values(), Decimal(0)) for day in again), Decimal(0))


# Late news


def test_a_late_settlement_goes_into_the_day_of_its_claim(path: Path) -> None:
    held = hold(NOON, "0.70")
    at(path, NOON).update(lambda snapshot, now: (claimed(snapshot, held, now), None))
    at(path, NOON).update(spending("0.10"))
    tomorrow = at(path, datetime(2026, 11, 21, 0, 30, tzinfo=UTC))
    tomorrow.update(spending("0.01"))
    assert not path.with_name("history").exists(), "a day with an open hold stays"
    tomorrow.update(lambda snapshot, now: (settled(snapshot, held, now), None))
    tomorrow.update(lambda snapshot, now: (settled(snapshot, held, now), None))
    assert kept(path) == {NOON.date(): [Decimal("0.80")]}
    assert everything(path) == Decimal("0.81")


def test_a_settlement_after_the_lapse_corrects_the_day_once(path: Path) -> None:
    held = hold(NOON, "0.70")
    tomorrow = NOON + timedelta(hours=13)

    def lapse(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
        return record(record(snapshot, Claimed(held, takes_turn=True), now), Lapsed(frozenset({held.id})), now), None

    at(path, NOON + timedelta(hours=11)).update(lapse)
    assert spent(decode(path.read_bytes())) == Decimal("0.70")
    for _ in range(2):
        at(path, tomorrow).update(settling(held.id, "0.20"))
    assert kept(path) == {NOON.date(): [Decimal("0.20")]}
    assert everything(path) == Decimal("0.20")


def settling(hold_id: str, amount_usd: str) -> Callable[[Snapshot, datetime], tuple[Snapshot, None]]:
    def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
        from lollmsbot_keys.core.money.charges import Charge

        charge = Charge(Decimal(amount_usd), Decimal(amount_usd), "provider")
        took = timedelta(seconds=1)
        return record(snapshot, Settled(hold_id, charge, Usage(1, 1), took, failed=False, failover=False), now), None

    return change


def test_a_lapsed_hold_lets_its_day_go_when_no_correction_came(path: Path) -> None:
    held = hold(NOON, "0.70")

    def lapse(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
        return record(record(snapshot, Claimed(held, takes_turn=True), now), Lapsed(frozenset({held.id})), now), None

    at(path, NOON).update(lapse)
    at(path, NOON + timedelta(days=1)).update(spending("0.01"))
    assert kept(path) == {NOON.date(): [Decimal("0.70")]}
    at(path, NOON + timedelta(days=1)).update(settling(held.id, "0.20"))
    assert everything(path) == Decimal("0.71"), "after that, late news is no news"


# Two states in one place


def test_two_states_in_one_folder_share_no_history(tmp_path: Path) -> None:
    names = ["state.json", "a.json", "b.json", "a", "b.txt", "a.txt", "state"]
    for name in names:
        at(tmp_path / name, NOON).update(spending("1.00"))
        at(tmp_path / name, NOON + timedelta(days=1)).update(spending("0.25"))
    states = [at(tmp_path / name, NOON) for name in names]
    for state in states:
        stored = History(state.history, print).days(*AGES)
        assert [sum(content.spent.values()) for _, content in stored] == [Decimal("1.00")], state.path
    assert (states[0].history, states[1].history) == (tmp_path / "history", tmp_path / "a-history")
    own = [path for state in states for path in (state.path, state.history, state.cache, state.copy, state.lock)]
    assert len(own) == len(set(own))
    assert {state.fingerprint_key for state in states} == {tmp_path / "fingerprint.key"}


# Wrong clocks


def test_a_clock_that_steps_back_over_midnight_adds_a_part_and_no_budget(path: Path) -> None:
    at(path, NOON).update(spending("1.00"))
    at(path, NOON + timedelta(days=1)).update(spending("0.25"))
    at(path, NOON).update(spending("0.50"))
    at(path, NOON + timedelta(days=2)).update(spending("0.01"))
    assert kept(path)[NOON.date()] == [Decimal("1.00"), Decimal("0.50")]
    snapshot = decode(path.read_bytes())
    assert sum(snapshot.closed[NOON.date()].values()) == Decimal("1.50")
    assert everything(path) == Decimal("1.76")


@pytest.mark.parametrize("step", [1, 40], ids=["days", "months"])
@pytest.mark.parametrize("order", [1, -1], ids=["forwards", "backwards"])
def test_a_clock_that_wandered_over_many_days_leaves_no_fresh_budget(path: Path, step: int, order: int) -> None:
    """More of them than the state remembers, to and fro; then it is today again, and tomorrow."""
    for amount in ("1.00", "0.50"):
        for number in range(12)[::order]:
            at(path, NOON).update(spending(amount))
            at(path, NOON + timedelta(days=5 + number * step)).update(spending("9.00"))
            assert len(decode(path.read_bytes()).closed) <= 9
    for days, day_usd in ((0, 18), (-1, 0), (1, 0), (5 + 3 * step, 18)):
        moment = NOON + timedelta(days=days)
        stored = [(day, sum(parts)) for day, parts in kept(path).items()]
        for snapshot in (at(path, moment).read(), at(path, moment).update(lambda snapshot, _: (snapshot, snapshot))):
            open_days = [(day, sum(content.spent.values())) for day, content in snapshot.days.items()]
            in_month = sum(usd for day, usd in (*stored, *open_days) if f"{day:%Y-%m}" == f"{moment:%Y-%m}")
            assert sum(amounts.recorded(snapshot, moment.date()).values()) == day_usd
            assert sum(amounts.recorded_in_month(snapshot, f"{moment:%Y-%m}").values()) == in_month


@pytest.mark.parametrize("step", [1, 40], ids=["days", "months"])
def test_what_comes_late_for_a_day_that_was_dropped_is_not_all_of_it(path: Path, step: int) -> None:
    """A broken-off call's true figure, found when the state had only the history to ask about its day."""
    held = hold(NOON, "1.00")
    charge = unconfirmed(held.amount_usd, held.provider)
    lost = Settled(held.id, charge, Usage(), timedelta(), failed=True, failover=False, generation="gen-1")
    at(path, NOON).update(lambda snapshot, now: (record(claimed(snapshot, held, now), lost, now), None))
    at(path, NOON).update(spending("2.00"))
    for number in range(12)[::-1]:
        at(path, NOON + timedelta(days=50 + number * step)).update(spending("9.00"))
    found = Found("gen-1", Charge(Decimal("0.40"), Decimal("0.40"), "provider"), Usage(1, 1))
    at(path, NOON + timedelta(days=50)).update(lambda snapshot, now: (record(snapshot, found, now), None))
    snapshot = at(path, NOON).read()
    assert sum(amounts.recorded(snapshot, NOON.date()).values()) == Decimal("2.40")
    assert sum(amounts.recorded_in_month(snapshot, "2026-11").values()) == Decimal("2.40")
    assert sum(doubt.unconfirmed_usd for doubt in snapshot.uncertain.get("2026-11", {}).values()) == 0


def test_a_crash_after_a_dropped_month_was_written_doubles_nothing(path: Path) -> None:
    """A call keeps its day open while the clock wanders; its end is in the history, but not in the state."""
    held = hold(NOON, "0.50")
    at(path, NOON).update(spending("1.00"))
    at(path, NOON).update(lambda snapshot, now: (claimed(snapshot, held, now), None))
    for number in range(1, 12):
        at(path, NOON + timedelta(days=40 * number)).update(spending("9.00"))
    before = path.read_bytes()
    at(path, NOON + timedelta(days=480)).update(lambda snapshot, now: (settled(snapshot, held, now), None))
    assert kept(path)[NOON.date()] == [Decimal("1.50")]
    for file in (path, at(path, NOON).copy):
        file.write_bytes(before)
    snapshot = at(path, NOON).read()
    assert sum(amounts.recorded(snapshot, NOON.date()).values()) == Decimal("1.00")
    assert sum(amounts.recorded_in_month(snapshot, "2026-11").values()) == Decimal("1.00")


def test_a_clock_a_year_ahead_deletes_nothing(path: Path) -> None:
    for days in range(0, 90, 30):
        at(path, NOON + timedelta(days=days)).update(spending("1.00"))
    at(path, NOON + timedelta(days=400)).update(spending("9.00"))
    at(path, NOON + timedelta(days=91)).update(spending("1.00"))
    at(path, NOON + timedelta(days=92)).update(spending("1.00"))
    wanted = {NOON.date() + timedelta(days=number) for number in (0, 30, 60, 91, 400)}
    assert set(kept(path)) == wanted
    assert everything(path) == Decimal("14.00")


# For years


def test_four_hundred_days_are_kept_and_the_state_stays_small(path: Path) -> None:
    sizes = []
    for number in range(440):
        at(path, NOON + timedelta(days=number)).update(spending("1.00"))
        sizes.append(path.stat().st_size)
    today = NOON.date() + timedelta(days=439)
    wanted = [today - timedelta(days=number) for number in range(400, 0, -1)]
    assert list(kept(path, since=wanted[0], until=today)) == wanted
    assert Counter(len(parts) for parts in kept(path).values()).keys() == {1}
    assert len(list(path.with_name("history").iterdir())) <= 16
    assert max(sizes) < 4096
    assert max(sizes[120:]) <= max(sizes[:120]) + 16


# Damaged files


DAMAGES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\x00",
    b'{"version": 1}',
    b'{"version": 1, "days": []}',
    b'{"version": 1, "days": {"2026-11-20": []}}',
    b'{"version": 1, "days": {"2026-11-19": 7}}',
    b'{"version": "x", "days": {}}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=range(len(DAMAGES)))
def test_a_damaged_month_is_kept_aside_and_does_not_stop_the_day(path: Path, damage: bytes) -> None:
    at(path, NOON).update(spending("1.50"))
    folder = path.with_name("history")
    folder.mkdir()
    (folder / "2026-11.json").write_bytes(damage)
    warnings: list[str] = []
    at(path, NOON + timedelta(days=1), warnings.append).update(spending("0.25"))
    assert kept(path) == {NOON.date(): [Decimal("1.50")]}
    assert [file.read_bytes() for file in folder.glob("*.damaged*")] == [damage]
    assert len(warnings) == 1
    assert "2026-11.json" in warnings[0]
    assert everything(path) == Decimal("1.75")


def test_all_damaged_files_of_one_month_are_kept(path: Path) -> None:
    folder = path.with_name("history")
    folder.mkdir()
    for number, damage in enumerate((b"one", b"two")):
        at(path, NOON + timedelta(days=number)).update(spending("1.00"))
        (folder / "2026-11.json").write_bytes(damage)
    at(path, NOON + timedelta(days=2)).update(spending("1.00"))
    (folder / "2026-11.json").write_bytes(b"three")
    at(path, NOON + timedelta(days=3)).update(spending("1.00"))
    assert {file.read_bytes() for file in folder.glob("*.damaged*")} == {b"one", b"two", b"three"}


def test_reports_say_which_month_is_damaged(path: Path) -> None:
    folder = path.with_name("history")
    folder.mkdir()
    at(path, NOON).update(spending("1.50"))
    at(path, NOON + timedelta(days=1)).update(spending("0.25"))
    good = (folder / "2026-11.json").read_bytes()
    cells: tuple[object, ...] = (7, None, [7], [{}], [[]])
    days: list[dict[str, object]] = [{"2026-11-20": {"part": cell}} for cell in cells]
    old = [{"version": 1, "month": "2026-11", "days": tree} for tree in (*days, {"yesterday": {"part": []}})]
    deeper = [json.dumps(tree).encode() + b"\n" for tree in old]
    values = (b'"much"', b'"NaN"', b"1.5", b"null")
    deeper += [good.replace(b'"1.50"', value) for value in values]
    for damage in (*DAMAGES, *deeper):
        (folder / "2026-11.json").write_bytes(damage)
        with pytest.raises(StateError, match=r"2026-11\.json is damaged"):
            kept(path)
    lines = good.splitlines(keepends=True)
    assert [line.count(b'"1.50"') for line in lines] == [1, 2, 1]
    reading: list[Callable[[Stored], object]] = [  # what each line is read for
        lambda stored: list(stored.sums(frozenset())),
        lambda stored: list(stored.named(By.MODEL, DaySpan(*AGES), frozenset())),
        lambda _: kept(path),
    ]
    for place, value in product(range(3), values):
        damaged = [line.replace(b'"1.50"', value) if at == place else line for at, line in enumerate(lines)]
        (folder / "2026-11.json").write_bytes(b"".join(damaged))
        with pytest.raises(StateError, match=r"2026-11\.json is damaged"):
            reading[place](History(folder, print).between(DaySpan(*AGES)))


def test_a_month_of_a_newer_lbk_is_refused_and_untouched(path: Path) -> None:
    at(path, NOON).update(spending("1.50"))
    folder = path.with_name("history")
    folder.mkdir()
    newer = b'{"version": 3, "days": {"2026-11-19": {}}}\n'
    (folder / "2026-11.json").write_bytes(newer)
    before = path.read_bytes()
    with pytest.raises(StateError, match="newer lbk"):
        at(path, NOON + timedelta(days=1)).update(spending("0.25"))
    with pytest.raises(StateError, match="newer lbk"):
        kept(path)
    assert (folder / "2026-11.json").read_bytes() == newer
    assert path.read_bytes() == before


def test_other_files_in_the_folder_are_left_alone(path: Path) -> None:
    folder = path.with_name("history")
    folder.mkdir()
    (folder / "notes.json").write_text("mine")
    at(path, NOON).update(spending("1.50"))
    at(path, NOON + timedelta(days=1)).update(spending("0.25"))
    assert kept(path) == {NOON.date(): [Decimal("1.50")]}
    assert (folder / "notes.json").read_text() == "mine"
