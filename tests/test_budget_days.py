"""Budget days: from midnight to midnight of the configured zone, through daylight saving, leap days and year ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.request import Reason, Request, SetAside
from lollmsbot_keys.core.model.snapshot import Snapshot, Spender
from lollmsbot_keys.core.money.amounts import budget_day, day_end, last_of_month, month_end, month_of
from lollmsbot_keys.core.money.budgets import Budgets
from tests.examples import examples
from tests.strategies import CONFIG, NOW, World, spent, with_key, with_settings

MICROSECOND = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "now", "day", "end"),
    [
        ("UTC", "2026-11-23T23:59:59", "2026-11-23", "2026-11-24T00:00"),
        ("UTC", "2026-11-24T00:00:00", "2026-11-24", "2026-11-25T00:00"),
        ("UTC", "2026-12-31T23:59:59", "2026-12-31", "2027-01-01T00:00"),
        ("UTC", "2028-02-28T12:00", "2028-02-28", "2028-02-29T00:00"),
        ("UTC", "2028-02-29T12:00", "2028-02-29", "2028-03-01T00:00"),
        ("Europe/Berlin", "2026-12-31T23:30", "2027-01-01", "2027-01-01T23:00"),
        ("Pacific/Kiritimati", "2026-12-31T10:00", "2027-01-01", "2027-01-01T10:00"),  # UTC+14
        ("Pacific/Pago_Pago", "2027-01-01T10:59", "2026-12-31", "2027-01-01T11:00"),  # UTC-11
        ("Asia/Kathmandu", "2026-11-23T18:14", "2026-11-23", "2026-11-23T18:15"),  # UTC+5:45
        ("America/Santiago", "2026-09-06T03:59", "2026-09-05", "2026-09-06T04:00"),  # no midnight that night
        ("America/Santiago", "2026-09-06T04:00", "2026-09-06", "2026-09-07T03:00"),
        ("America/Santiago", "2026-04-05T03:30", "2026-04-04", "2026-04-05T04:00"),  # 23:30 for the second time
        ("Asia/Beirut", "2026-03-28T22:00", "2026-03-29", "2026-03-29T21:00"),  # the day begins at one o'clock
        ("America/Havana", "2024-11-03T04:30", "2024-11-03", "2024-11-04T05:00"),  # midnight comes twice
        ("America/Havana", "2024-11-03T05:30", "2024-11-03", "2024-11-04T05:00"),
    ],
)
def test_the_day_that_a_moment_lies_in_and_its_end(zone: str, now: str, day: str, end: str) -> None:
    timezone = UTC if zone == "UTC" else ZoneInfo(zone)
    assert budget_day(at(now), timezone) == date.fromisoformat(day)
    assert day_end(date.fromisoformat(day), timezone) == at(end)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Europe/Berlin", "2026-11-23", 24),
        ("America/Santiago", "2026-09-06", 23),
        ("America/Santiago", "2026-04-04", 25),
        ("Asia/Beirut", "2026-03-29", 23),
        ("America/Havana", "2024-11-03", 25),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("UTC", "2028-02-29", 24),
    ],
)
def test_how_long_a_day_lasts(zone: str, day: str, hours: float) -> None:
    timezone = UTC if zone == "UTC" else ZoneInfo(zone)
    this = date.fromisoformat(day)
    assert day_end(this, timezone) - day_end(this - timedelta(days=1), timezone) == timedelta(hours=hours)


ZONES: list[tzinfo] = [
    UTC,
    *map(
        ZoneInfo,
        (
            "Europe/Berlin",
            "America/Santiago",
            "Asia/Beirut",
            "America/Havana",
            "America/Nuuk",
            "Africa/Cairo",
            "Asia/Kathmandu",
            "Pacific/Kiritimati",
            "Pacific/Apia",
        ),
    ),
]


@settings(max_examples=examples(300))
@given(st.sampled_from(ZONES), st.datetimes(datetime(2015, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_day_ends_once_and_the_next_one_begins_there(timezone: tzinfo, now: datetime) -> None:
    day = budget_day(now, timezone)
    end = day_end(day, timezone)
    assert now < end <= now + timedelta(hours=25)
    assert budget_day(end - MICROSECOND, timezone) == day
    assert budget_day(end, timezone) == day + timedelta(days=1)


@settings(max_examples=examples(300))
@given(st.sampled_from(ZONES), st.datetimes(datetime(2015, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_month_ends_with_its_last_day(timezone: tzinfo, now: datetime) -> None:
    day = budget_day(now, timezone)
    last, end = last_of_month(day), month_end(day, timezone)
    assert month_of(last) == month_of(day) != month_of(last + timedelta(days=1))
    assert end == day_end(last, timezone) > now
    assert budget_day(end, timezone) == last + timedelta(days=1)


@pytest.mark.parametrize(
    ("zone", "day", "end"),
    [
        ("UTC", "2028-02-03", "2028-03-01T00:00"),  # a leap year
        ("UTC", "2026-02-28", "2026-03-01T00:00"),
        ("UTC", "2026-12-31", "2027-01-01T00:00"),
        ("Europe/Berlin", "2026-03-01", "2026-03-31T22:00"),  # the clock changes within the month
        ("Europe/Berlin", "2026-10-31", "2026-10-31T23:00"),
        ("Pacific/Kiritimati", "2026-11-30", "2026-11-30T10:00"),
    ],
)
def test_when_a_month_ends(zone: str, day: str, end: str) -> None:
    timezone = UTC if zone == "UTC" else ZoneInfo(zone)
    assert month_end(date.fromisoformat(day), timezone) == at(end)


@pytest.mark.parametrize(
    ("zone", "now", "again"),
    [
        ("Europe/Berlin", "2026-03-20T12:00", "2026-03-31T22:00"),
        ("UTC", "2028-02-29T12:00", "2028-03-01T00:00"),
        ("UTC", "2026-12-31T23:59", "2027-01-01T00:00"),
    ],
)
@pytest.mark.parametrize("owner", ["providers.ollama", "keys.O1"])
def test_a_used_up_month_comes_back_with_the_next_one(zone: str, now: str, again: str, owner: str) -> None:
    timezone = UTC if zone == "UTC" else ZoneInfo(zone)
    if owner == "keys.O1":
        config = with_key(CONFIG, "O1", lambda it: it._replace(monthly_budget_usd=Decimal(1)))
    else:
        config = with_settings(CONFIG, Provider.OLLAMA, lambda it: it._replace(monthly_budget_usd=Decimal(1)))
    month = month_of(budget_day(at(now), timezone))
    used_up = Snapshot(months={month: {Spender(Provider.OLLAMA, "O1"): Decimal("1.00")}})
    world = World(Request(key="O1"), config._replace(timezone=timezone), used_up, now=at(now))
    (candidate,) = world.plan().candidates
    assert candidate.set_aside is not None
    assert (candidate.set_aside.reason, candidate.set_aside.until) == (Reason.OVER_BUDGET, at(again))
    assert f"this month, this call could cost 0.0124, {owner}.monthly_budget_usd is 1" in candidate.set_aside.detail
    assert not world._replace(now=at(again) - MICROSECOND).plan().candidates[0].eligible
    assert world._replace(now=at(again)).plan().candidates[0].eligible


def test_of_a_used_up_day_and_month_the_month_is_named_because_it_lasts_longer() -> None:
    config = with_key(
        CONFIG, "O1", lambda it: it._replace(daily_budget_usd=Decimal(1), monthly_budget_usd=Decimal("1.00"))
    )
    world = World(Request(key="O1"), config, Snapshot(days=spent({"O1": "1"})))
    (candidate,) = world.plan().candidates
    assert candidate.set_aside is not None
    assert candidate.set_aside.until == at("2026-12-01T00:00")
    assert "keys.O1.monthly_budget_usd" in candidate.set_aside.detail


def test_what_is_used_up_is_told_by_the_budget_that_is_used_up_for_longest() -> None:
    def used_up(daily: str, monthly: str) -> SetAside | None:
        config = with_key(
            CONFIG, "O1", lambda it: it._replace(daily_budget_usd=Decimal(daily), monthly_budget_usd=Decimal(monthly))
        )
        snapshot = Snapshot(days=spent({"O1": "1"}))
        return Budgets(config, snapshot, NOW).used_up(config.keys[0])

    month = SetAside(Reason.OVER_BUDGET, at("2026-12-01T00:00"), "nothing is left of keys.O1.monthly_budget_usd")
    day = SetAside(Reason.OVER_BUDGET, at("2026-11-24T00:00"), "nothing is left of keys.O1.daily_budget_usd")
    assert used_up("2", "2") is None
    assert used_up("1", "2") == day
    assert used_up("2", "1") == used_up("1", "1") == used_up("1", "0.5") == month


def test_a_call_that_no_month_could_pay_for_waits_for_none() -> None:
    config = with_key(CONFIG, "O1", lambda it: it._replace(monthly_budget_usd=Decimal("0.01")))
    (candidate,) = World(Request(key="O1"), config).plan().candidates
    assert candidate.set_aside is not None
    assert (candidate.set_aside.reason, candidate.set_aside.until) == (Reason.OVER_BUDGET, None)


@pytest.mark.parametrize(
    ("zone", "now", "again"),
    [
        ("America/Santiago", "2026-09-06T03:30", "2026-09-06T04:00"),
        ("Europe/Berlin", "2026-10-25T12:00", "2026-10-25T23:00"),
        ("UTC", "2026-12-31T23:59", "2027-01-01T00:00"),
    ],
)
def test_a_used_up_budget_comes_back_when_its_zone_says_so(zone: str, now: str, again: str) -> None:
    timezone = UTC if zone == "UTC" else ZoneInfo(zone)
    config = with_settings(CONFIG, Provider.OLLAMA, lambda it: it._replace(daily_budget_usd=Decimal(1)))
    used_up = Snapshot(days=spent({"O2": "1.00"}, budget_day(at(now), timezone)))
    world = World(Request(key="O1"), config._replace(timezone=timezone), used_up, now=at(now))
    (candidate,) = world.plan().candidates
    assert candidate.set_aside is not None
    assert (candidate.set_aside.reason, candidate.set_aside.until) == (Reason.OVER_BUDGET, at(again))
    assert not world._replace(now=at(again) - MICROSECOND).plan().candidates[0].eligible
    assert world._replace(now=at(again)).plan().candidates[0].eligible
