"""When secrets are due: the weeks of the month, through zones and clocks, and rotations that stand still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lollmsbot_keys.core.model.request import Facts
from lollmsbot_keys.core.model.rotation_journal import Age, Replacement, Standing, Step, TargetRecord
from lollmsbot_keys.core.model.snapshot import Sighting, Snapshot
from lollmsbot_keys.core.rotation.schedule import overdue, standings, week_after
from tests.strategies import CONFIG, DAY, FACTS, HOUR, ZONES, fingerprint, snapshots, with_key

KEY = "O1"
WEEKLY = with_key(CONFIG, KEY, lambda key: key._replace(rotate_week=2))
HELD = Facts({KEY: fingerprint(KEY)})


def on(day: int, month: int = 11, hour: int = 12, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def seen(since: datetime, generation: int = 1) -> Snapshot:
    return Snapshot(sightings={KEY: Sighting(fingerprint(KEY), since, generation, ("older",))})


def stands(snapshot: Snapshot, now: datetime, facts: Facts = HELD, at_work: frozenset[str] = frozenset()) -> Standing:
    return next(found for found in standings(WEEKLY, snapshot, facts, now, at_work) if found.key == KEY)


@pytest.mark.parametrize(
    ("since", "now", "status", "due", "late"),
    [
        (on(1), on(7), Age.OK, on(8, hour=0), 0),
        (on(1), on(8, hour=0), Age.DUE, on(8, hour=0), 0),
        (on(1), on(14, hour=23), Age.DUE, on(8, hour=0), 0),
        (on(1), on(15, hour=0), Age.OVERDUE, on(8, hour=0), 1),
        (on(1), on(17, hour=1), Age.OVERDUE, on(8, hour=0), 3),
        (on(8, hour=0), on(20), Age.OK, on(8, 12, hour=0), 0),  # it came with the week
        (on(10), on(11), Age.OK, on(8, 12, hour=0), 0),
        (on(20), on(21), Age.OK, on(8, 12, hour=0), 0),
        (on(20), on(10, 12), Age.DUE, on(8, 12, hour=0), 0),
        (on(20, 6), on(20, 9), Age.OVERDUE, on(8, 7, hour=0), 68),  # for ever since the first week that it missed
        (on(20, 12), on(1, 1, year=2027), Age.OK, on(8, 1, hour=0, year=2027), 0),
        (on(20), on(10), Age.OK, on(8, 12, hour=0), 0),  # a clock that stepped back
    ],
)
def test_a_secret_is_due_in_its_week_and_late_after_it(
    since: datetime, now: datetime, status: Age, due: datetime, late: int
) -> None:
    found = stands(seen(since), now)
    assert (found.status, found.due, found.late) == (status, due, late)
    assert overdue(WEEKLY, seen(since), HELD, now) == (((KEY, late),) if status is Age.OVERDUE else ())


def test_nobody_asks_for_a_key_without_a_week_or_that_is_switched_off() -> None:
    for config in (
        with_key(WEEKLY, KEY, lambda key: key._replace(rotate_week=None)),
        with_key(WEEKLY, KEY, lambda key: key._replace(enabled=False)),
    ):
        (found,) = (one for one in standings(config, seen(on(1, 1)), HELD, on(20)) if one.key == KEY)
        assert (found.status, found.due) == (Age.OK, None)


def test_a_secret_that_nobody_has_seen() -> None:
    assert stands(Snapshot(), on(20), Facts({})).status is Age.UNKNOWN
    fresh = stands(Snapshot(), on(20))
    assert (fresh.status, fresh.since, fresh.generation) == (Age.OK, on(20), 1)
    replaced = stands(seen(on(1, 1)), on(20), Facts({KEY: "another"}))
    assert (replaced.status, replaced.since, replaced.generation) == (Age.OK, on(20), 2)
    for held in ("older", ""):  # a shell that is still open; a source that is slow to ask
        assert stands(seen(on(1, 1)), on(20), Facts({KEY: held})).status is Age.OVERDUE
    assert stands(seen(on(1, 1)), on(20), Facts({})).status is Age.OVERDUE  # cron has no variables


def _rotation(step: Step, changed: datetime, until: datetime | None = None, *, done: bool = False) -> Replacement:
    return Replacement(step, done, changed, changed, until=until, places=(TargetRecord("file:/x", ""),))


def test_a_rotation_that_stands_still_is_due_and_then_overdue() -> None:
    snapshot = seen(on(20), 2)._replace(rotations={KEY: _rotation(Step.GRACE, on(20), on(21))})
    assert stands(snapshot, on(20)).status is Age.OK
    assert stands(snapshot, on(21)).status is Age.DUE
    late = stands(snapshot, on(29))
    assert (late.status, late.step, late.until, late.late) == (Age.OVERDUE, Step.GRACE, on(21), 2)
    stopped = seen(on(20))._replace(rotations={KEY: _rotation(Step.STORE, on(20))})
    assert stands(stopped, on(20)).status is Age.DUE
    assert stands(stopped, on(28)).status is Age.OVERDUE
    assert stands(stopped, on(28), at_work=frozenset({KEY})).status is Age.OK


def test_a_rotation_that_is_over_or_came_to_nothing_is_none() -> None:
    over = _rotation(Step.FORGET, on(1), done=True)
    nothing = Replacement(Step.OBTAIN, done=False, began=on(1), changed=on(1))
    for rotation in (over, nothing):
        found = stands(seen(on(16))._replace(rotations={KEY: rotation}), on(20))
        assert (found.status, found.step) == (Age.OK, None)


@given(st.integers(1, 4), st.sampled_from(ZONES), st.integers(0, 3 * 365 * 24 * 60))
def test_a_week_is_seven_days_of_its_zone_and_the_first_after_a_moment(
    number: int, zone: ZoneInfo, minutes: int
) -> None:
    since = on(1, 1, 0) + timedelta(minutes=minutes)
    week = week_after(since, number, zone)
    begins, ends = week.begins.astimezone(zone), week.ends.astimezone(zone)
    assert since < week.begins <= since + 40 * DAY
    assert (ends.date() - begins.date()).days == 7
    assert begins.day == 7 * number - 6
    assert abs((week.ends - week.begins) - 7 * DAY) <= HOUR
    assert (begins - timedelta(microseconds=1)).astimezone(zone).date() < begins.date()
    assert week_after(week.begins - timedelta(microseconds=1), number, zone) == week


@given(snapshots())
def test_every_key_has_a_place_in_the_list(snapshot: Snapshot) -> None:
    found = standings(WEEKLY, snapshot, FACTS, on(23))
    assert [one.key for one in found] == [key.name for key in WEEKLY.keys]
    assert all((one.late > 0) == (one.status is Age.OVERDUE) for one in found)
    assert all(one.since is not None or one.status is Age.UNKNOWN or one.step for one in found)
