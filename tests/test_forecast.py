"""Forecasts: exact where the pace is steady, calm where it is not, and silent where little is known."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.costs.forecast import Forecast, forecast
from lollmsbot_keys.core.model.config import Config, Provider
from lollmsbot_keys.core.model.snapshot import Cell, CellKey, Day, Snapshot, Spender
from lollmsbot_keys.core.money.amounts import budget_day, day_end, of_provider, recorded_in_month
from lollmsbot_keys.core.state.call_window import minute_of
from tests.examples import examples
from tests.strategies import CONFIG, DAY, HOUR, MINUTE, ZONES, moments, snapshots, with_settings

OLLAMA, O1 = Provider.OLLAMA, Spender(Provider.OLLAMA, "O1")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CENT, LEAST = Decimal("0.01"), Decimal("1e-20")


def budgets(daily: str | None = None, monthly: str | None = None, config: Config = CONFIG) -> Config:
    return with_settings(
        config,
        OLLAMA,
        lambda it: it._replace(
            daily_budget_usd=None if daily is None else Decimal(daily),
            monthly_budget_usd=None if monthly is None else Decimal(monthly),
        ),
    )


def spent(
    today: str,
    *,
    calls: int = 120,
    last_hour: int = 10,
    days: tuple[str, ...] = (),
    now: datetime = NOON,
    month: str | None = None,
) -> Snapshot:
    """So much today, so many calls in the last hour, and so much on the days before (yesterday first)."""
    day = budget_day(now, UTC)
    closed = {day - (number + 1) * DAY: {O1: Decimal(cost)} for number, cost in enumerate(days)}
    closed_sum = sum((sums[O1] for when, sums in closed.items() if when.month == day.month), Decimal(0))
    so_far = Decimal(month) if month is not None else closed_sum
    cells = {CellKey(OLLAMA, "O1", "kimi", ""): Cell(calls=calls, cost_usd=Decimal(today))}
    return Snapshot(
        days={day: Day.of("p", cells)},
        closed=closed,
        months={f"{day:%Y-%m}": {O1: so_far}},
        hours={"O1": {minute_of(now - 30 * MINUTE): last_hour}},
    )


def look(snapshot: Snapshot, config: Config = CONFIG, now: datetime = NOON) -> Forecast:
    return forecast(config, snapshot, OLLAMA, now)


# --- a steady pace ---


def test_a_steady_pace_is_carried_on_exactly() -> None:
    """A dollar every two hours, as on all days before: 12 a day, 10 days to come after the 20th."""
    found = look(spent("6", days=("12",) * 7, month="228"), budgets("9", "300"))
    assert (found.day_usd, found.month_usd, found.reason) == (Decimal(12), Decimal(228 + 12 + 10 * 12), "")
    assert found.reached == NOON + 6 * HOUR
    assert found.monthly_reached == datetime(2026, 11, 26, tzinfo=UTC)


def test_budgets_that_last_are_not_reached() -> None:
    found = look(spent("6", days=("12",) * 7, month="228"), budgets("12.01", "360.01"))
    assert (found.reached, found.monthly_reached) == (None, None)
    none = look(spent("6", days=("12",) * 7), budgets())
    assert (none.reached, none.monthly_reached) == (None, None)


def test_what_is_used_up_is_reached_now() -> None:
    found = look(spent("6", days=("12",) * 7, month="228"), budgets("6", "200"))
    assert (found.reached, found.monthly_reached) == (NOON, NOON)


def test_the_month_may_be_reached_today() -> None:
    assert look(spent("6", days=("12",) * 7, month="228"), budgets(None, "235")).monthly_reached == NOON + 2 * HOUR


def test_on_the_last_day_the_month_needs_no_days_to_come() -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    found = look(spent("6", now=now, month="100"), budgets(None, "110"), now)
    assert (found.day_usd, found.month_usd, found.reason) == (Decimal(12), Decimal(112), "")
    assert found.monthly_reached == now + 8 * HOUR


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [("Europe/Berlin", "2026-03-29", 23), ("Europe/Berlin", "2026-10-25", 25), ("America/Havana", "2024-11-03", 25)],
)
def test_a_day_is_as_long_as_it_is(zone: str, day: str, hours: int) -> None:
    timezone, today = ZoneInfo(zone), date.fromisoformat(day)
    begin = day_end(today - DAY, timezone)
    cells = {CellKey(OLLAMA, "O1", "kimi", ""): Cell(calls=100, cost_usd=Decimal(10))}
    now = begin + 10 * HOUR
    snapshot = Snapshot(days={today: Day.of("p", cells)}, hours={"O1": {minute_of(now) - 5: 10}})
    found = look(snapshot, CONFIG._replace(timezone=timezone), now)
    assert found.day_usd == hours


# --- an unsteady one ---


@pytest.mark.parametrize(
    ("name", "snapshot", "least", "most"),
    [
        ("a burst in the last hour", spent("6", last_hour=100, days=("12",) * 7), "11.9", "12.1"),
        ("an hour of silence", spent("6", last_hour=0, days=("12",) * 7), "11.9", "12.1"),
        ("one dear day before", spent("6", days=("900", *("12",) * 6)), "11.9", "12.1"),
        ("a night's batch, and nothing since", spent("12", last_hour=0, days=("12",) * 7), "17.9", "18.1"),
        ("ten times as much as ever", spent("60", days=("12",) * 7), "119", "121"),
        ("a pool that is new", spent("6", last_hour=20), "14.9", "15.1"),
    ],
)
def test_one_odd_figure_does_not_move_it(name: str, snapshot: Snapshot, least: str, most: str) -> None:
    found = look(snapshot)
    assert found.day_usd is not None
    assert Decimal(least) < found.day_usd < Decimal(most), name


def test_quiet_days_count_as_they_come_again() -> None:
    """Five days of seven at 14: ten a day on average. A day without calls is one as well."""
    found = look(spent("7", days=("14", "0", "0", "14", "14", "14", "14"), month="0"))
    assert found.month_usd == 14 + 10 * 10
    snapshot = spent("7", month="0")
    idle = snapshot._replace(closed={date(2026, 11, 10): {O1: Decimal(5)}, date(2026, 11, 19): {O1: Decimal(70)}})
    assert look(idle).month_usd == 14 + 10 * 10, "one day of 70 in a week, and the day before the week is none of it"


# --- little data ---


@pytest.mark.parametrize(
    ("snapshot", "now", "words"),
    [
        (spent("6", calls=9), NOON, "9 of 10 calls"),
        (Snapshot(), NOON, "0 of 10 calls"),
        (
            spent("6", now=NOON.replace(hour=1, minute=59)),
            NOON.replace(hour=1, minute=59),
            "less than two hours of the day",
        ),
    ],
)
def test_too_early_to_tell(snapshot: Snapshot, now: datetime, words: str) -> None:
    found = look(snapshot, budgets("1", "1"), now)
    assert found[:4] == (None, None, None, None)
    assert found.reason.startswith("too early to tell")
    assert words in found.reason


def test_after_two_hours_and_ten_calls_something_can_be_said() -> None:
    now = NOON.replace(hour=2)
    assert look(spent("1", calls=10, now=now), now=now).day_usd is not None


def test_of_the_month_nothing_is_said_before_three_days_are_known() -> None:
    two = look(spent("6", days=("12", "12"), month="24"), budgets(None, "31"))
    assert (two.day_usd, two.month_usd) == (Decimal(12), None)
    assert two.reason == "too early to tell of the month: 2 of 3 days before today are known"
    assert two.monthly_reached == NOON + 2 * HOUR, "but what happens today can be told"
    assert look(spent("6", days=("12",) * 3)).month_usd is not None


def test_calls_of_another_provider_are_not_its_own() -> None:
    found = forecast(CONFIG, spent("6", days=("12",) * 7), Provider.OPENROUTER, NOON)
    assert found.reason.endswith("0 of 10 calls today")


# --- laws ---


@settings(max_examples=examples(200))
@given(
    snapshots(), moments(-2 * DAY, 8 * DAY), st.sampled_from(ZONES), st.sampled_from(["0", "0.5", "2", "1000", None])
)
def test_whatever_the_state_it_makes_sense(
    snapshot: Snapshot, now: datetime, zone: ZoneInfo, budget: str | None
) -> None:
    config = budgets(budget, budget, CONFIG._replace(timezone=zone))
    found = look(snapshot, config, now)
    day = budget_day(now, zone)
    if found.day_usd is None:
        assert found.reason
        assert found[:4] == (None, None, None, None)
        return
    assert (found.month_usd is None) == bool(found.reason)
    if found.month_usd is not None:
        so_far = of_provider(recorded_in_month(snapshot, f"{day:%Y-%m}"), OLLAMA)
        assert found.month_usd >= so_far, "nothing is unspent"
    assert found.reached is None or now <= found.reached <= day_end(day, zone)
    if budget is not None and found.day_usd > Decimal(budget) + CENT:
        assert found.reached is not None
    if found.reached is not None and found.reached > now:
        assert found.day_usd >= Decimal(budget or 0)


@settings(max_examples=examples(100))
@given(st.integers(2, 23), st.integers(0, 500), st.integers(1, 50))
def test_more_spent_is_never_less_ahead(hour: int, cents: int, more: int) -> None:
    now = NOON.replace(hour=hour)

    def ahead(amount: int) -> Decimal:
        found = look(spent(str(Decimal(amount) / 100), days=("1", "2", "3"), now=now), now=now)
        assert found.day_usd is not None
        return found.day_usd

    assert ahead(cents) <= ahead(cents + more) + LEAST
