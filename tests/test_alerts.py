"""What people are told of, and what they are not: one world, one alert at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lollmsbot_keys.core.alerts import thresholds
from lollmsbot_keys.core.alerts.evaluate import alerts
from lollmsbot_keys.core.alerts.keys import overdue, usable
from lollmsbot_keys.core.alerts.thresholds import crosses
from lollmsbot_keys.core.model.alert import POOL, STANDSTILL, Alert, AlertKind
from lollmsbot_keys.core.model.config import Alerts, Config, Provider
from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.model.request import Facts, Reach, Reason
from lollmsbot_keys.core.model.snapshot import (
    Cell,
    CellKey,
    ClosedDay,
    Cooldown,
    Day,
    Disabled,
    Hold,
    Raised,
    Scope,
    Sighting,
    Snapshot,
    Spender,
)
from lollmsbot_keys.core.model.summary import ProviderDay, Use
from lollmsbot_keys.core.money.charges import Charge
from lollmsbot_keys.core.state.events import Claimed, Lapsed, Settled, record
from lollmsbot_keys.core.state.usage_baseline import LEAST_CALLS, LEAST_DAYS, lengthened
from tests.strategies import (
    CONFIG,
    DAY,
    FACTS,
    HOUR,
    KEY_NAMES,
    ME,
    MINUTE,
    NOW,
    TODAY,
    by_scope,
    calls,
    fingerprint,
    key_scope,
    provider_of,
    spent,
    with_key,
    with_settings,
)

DAILY = "providers.ollama.daily_budget_usd"
NOBODY = Facts({})
"""What cron sees: no secret at all."""
PRICELESS = CONFIG._replace(routing=CONFIG.routing._replace(default_model="nobody-knows"))
"""Nobody knows what an ordinary call costs here, so a whole budget is a whole budget."""


def told(
    snapshot: Snapshot, config: Config = PRICELESS, facts: Facts = NOBODY, at: timedelta = timedelta()
) -> list[Alert]:
    return list(alerts(config, snapshot, facts, NOW + at))


def named(snapshot: Snapshot, config: Config = PRICELESS, facts: Facts = NOBODY) -> list[tuple[str, str | None]]:
    """Names, and the threshold of each."""
    return [(a.name, f"{a.threshold:f}" if a.threshold is not None else None) for a in told(snapshot, config, facts)]


def test_nothing_is_wrong_with_an_empty_pool() -> None:
    assert told(Snapshot()) == []
    assert told(Snapshot(), facts=FACTS) == []


# --- budgets ---


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ({"O1": "37.499999"}, None),
        ({"O1": "37.50"}, "75"),
        ({"O1": "20", "O2": "17.5"}, "75"),
        ({"O1": "49.999999"}, "75"),
        ({"O1": "50"}, "100"),
        ({"O1": "60"}, "100"),
    ],
)
def test_the_highest_share_that_is_reached(amounts: Mapping[str, str], expected: str | None) -> None:
    assert named(Snapshot(days=spent(amounts))) == ([] if expected is None else [(f"budget {DAILY}", expected)])


def test_shares_are_those_of_the_configuration() -> None:
    config = PRICELESS._replace(alerts=Alerts((Decimal(10), Decimal(50), Decimal("99.5"))))
    for amount, expected in (("4.9", []), ("5", ["10"]), ("25", ["50"]), ("49.75", ["99.5"]), ("70", ["99.5"])):
        assert [share for _, share in named(Snapshot(days=spent({"O1": amount})), config)] == expected
    silent = PRICELESS._replace(alerts=Alerts(()))
    assert named(Snapshot(days=spent({"O1": "70"})), silent) == []


def test_what_is_held_is_not_spent() -> None:
    hold = Hold("h", ME, NOW, NOW + HOUR, TODAY, "O1", Provider.OLLAMA, "kimi", "", Decimal(45))
    snapshot = record(Snapshot(days=spent({"O1": "4"})), Claimed(hold, takes_turn=False), NOW)
    assert named(snapshot) == []
    assert named(record(snapshot, Lapsed(frozenset({"h"})), NOW)) == [(f"budget {DAILY}", "75")]


def test_every_budget_of_provider_and_key_and_of_day_and_month() -> None:
    config = with_key(
        with_settings(PRICELESS, Provider.OLLAMA, lambda s: s._replace(monthly_budget_usd=Decimal(100))),
        "O2",
        lambda k: k._replace(daily_budget_usd=Decimal(10), monthly_budget_usd=Decimal(11)),
    )
    yesterday = TODAY - DAY
    snapshot = Snapshot(
        days=spent({"O1": "30", "O2": "8"}),
        closed={yesterday: {Spender(Provider.OLLAMA, "O1"): Decimal(50), Spender(Provider.OLLAMA, "O2"): Decimal(4)}},
        months={"2026-11": {Spender(Provider.OLLAMA, "O1"): Decimal(50), Spender(Provider.OLLAMA, "O2"): Decimal(4)}},
    )
    found = {a.name: a for a in told(snapshot, config)}
    assert {name: (f"{a.threshold}", a.window, a.key) for name, a in found.items()} == {
        f"budget {DAILY}": ("75", "2026-11-23", None),
        "budget providers.ollama.monthly_budget_usd": ("75", "2026-11", None),
        "budget keys.O2.daily_budget_usd": ("75", "2026-11-23", "O2"),
        "budget keys.O2.monthly_budget_usd": ("100", "2026-11", "O2"),
    }
    assert {a.grave for a in found.values() if a.threshold == 100} == {True}
    assert next(a.key for a in told(snapshot, config)) == "O2", "what is used up comes first"


def test_a_budget_is_used_up_when_no_ordinary_call_fits_into_the_rest() -> None:
    """The default model costs 3 USD a million tokens here, and 4096 of them come out at most: 0.0124416 USD."""
    assert named(Snapshot(days=spent({"O1": "49.987"})), CONFIG) == [(f"budget {DAILY}", "75")]
    (alert,) = told(Snapshot(days=spent({"O1": "49.988"})), CONFIG)
    assert alert.threshold == 100
    assert "49.99 of 50 USD (99 %); the rest is too little for an ordinary call" in alert.message
    small = with_settings(CONFIG, Provider.OLLAMA, lambda s: s._replace(daily_budget_usd=Decimal("0.01")))
    for snapshot in (Snapshot(days=spent({"O1": "0.0001"})), Snapshot()):
        (alert,) = told(snapshot, small)
        assert (alert.name, alert.level, alert.grave, alert.window) == (f"budget {DAILY}", 10_000, True, "")
        call = thresholds.ordinary(small, Provider.OLLAMA, NOW)
        assert call is not None
        assert alert.message == (
            f"{DAILY} cannot pay one call of the default cap: it is 0.01 USD, and kimi may cost "
            f"{call.bound_usd:.4f}. Raise it, or lower routing.max_output_tokens."
        )


@pytest.mark.parametrize(
    ("spent_usd", "held_usd", "budget_usd", "expected"),
    [
        ("3", "0", "4", True),
        ("2.99", "0", "4", False),
        ("2.9999", "0", "4", False),  # shown as 75.0 %
        ("0", "4", "4", False),
        ("1", "3", "4", False),
        ("0", "0", "0", False),
        ("0.01", "0", "0", True),
        ("9", "0", None, False),
    ],
)
def test_a_share_is_reached_by_what_is_spent(
    spent_usd: str, held_usd: str, budget_usd: str | None, *, expected: bool
) -> None:
    """As `costs --alert` has it, so `alert` in the document of `costs`."""
    budget = None if budget_usd is None else Decimal(budget_usd)
    use = Use(Cell(cost_usd=Decimal(spent_usd)), Decimal(held_usd), budget)
    for day, month in ((use, Use()), (Use(), use)):
        assert ProviderDay(Provider.OLLAMA, day, month, Decimal(75)).alert is expected
        assert not ProviderDay(Provider.OLLAMA, day, month, None).alert


def test_a_budget_of_nothing_is_no_news_until_something_is_spent() -> None:
    closed = with_settings(PRICELESS, Provider.OLLAMA, lambda s: s._replace(daily_budget_usd=Decimal(0)))
    assert named(Snapshot(days=spent({"R1": "1"})), closed) == []
    assert named(Snapshot(days=spent({"O1": "0.01"})), closed) == [(f"budget {DAILY}", "100")]


def test_each_budget_that_no_ordinary_call_fits_into_is_told() -> None:
    config = with_key(CONFIG, "R1", lambda key: key._replace(monthly_budget_usd=Decimal("0.001")))
    config = with_key(config, "O1", lambda key: key._replace(daily_budget_usd=Decimal(0)))
    config = with_settings(config, Provider.OPENROUTER, lambda it: it._replace(daily_budget_usd=Decimal("0.002")))
    small = {"keys.R1.monthly_budget_usd", "providers.openrouter.daily_budget_usd"}
    assert thresholds.too_small(config, NOW).keys() == small
    assert {alert.name for alert in told(Snapshot(), config)} == {f"budget {setting}" for setting in small}
    unpriced = config._replace(routing=config.routing._replace(default_model="nobody-knows"))
    assert thresholds.too_small(unpriced, NOW) == {}, "OpenRouter does not have that model"
    poor = with_settings(unpriced, Provider.OLLAMA, lambda it: it._replace(daily_budget_usd=Decimal("0.1")))
    assert thresholds.too_small(poor, NOW).keys() == {DAILY}, "an unknown price is bounded, too"


def test_an_ordinary_call_is_one_of_the_model_that_answers() -> None:
    """The default model may be retired: what answers in its place may be dearer, and is then all that is refused."""
    retired = CONFIG.model("kimi")._replace(retired_on=TODAY)
    config = CONFIG._replace(models={**CONFIG.models, "kimi": retired})
    config = with_settings(config, Provider.OLLAMA, lambda it: it._replace(daily_budget_usd=Decimal("0.015")))
    (words,) = thresholds.too_small(config, NOW).values()
    assert "it is 0.015 USD, and kimi-2 may cost 0.016" in words
    assert named(Snapshot(), config) == [(f"budget {DAILY}", None)]
    assert thresholds.too_small(config, NOW - 2 * DAY) == {}, "then it answers itself"
    left = with_settings(config, Provider.OLLAMA, lambda it: it._replace(daily_budget_usd=Decimal(1)))
    assert named(Snapshot(days=spent({"O1": "0.985"})), left) == [(f"budget {DAILY}", "100")]


def test_a_day_that_begins_does_not_end_what_the_month_goes_on_refusing() -> None:
    """Else "resolved" would be told while every call is refused."""
    config = with_settings(CONFIG, Provider.OLLAMA, lambda it: it._replace(monthly_budget_usd=Decimal(50)))
    held = told(Snapshot(months={"2026-11": {Spender(Provider.OLLAMA, "O1"): Decimal(50)}}), config)
    (month,) = held
    assert f"budget {DAILY}" in month.covers
    assert all("openrouter" not in name for name in month.covers)


def test_a_budget_that_became_too_small_is_not_told_to_be_over() -> None:
    small = with_settings(CONFIG, Provider.OLLAMA, lambda it: it._replace(daily_budget_usd=Decimal("0.02")))
    (before,) = told(Snapshot(days=spent({"O1": "0.015"})), small)
    smaller = with_settings(CONFIG, Provider.OLLAMA, lambda it: it._replace(daily_budget_usd=Decimal("0.01")))
    (after,) = told(Snapshot(days=spent({"O1": "0.005"})), smaller)
    assert (before.name, before.level) == (after.name, after.level)


# --- nothing answers ---


def out(key: str, since: timedelta, until: timedelta) -> Cooldown:
    return Cooldown(key_scope(key), Reason.COOLING_DOWN, NOW + since, NOW + until)


ALL_OUT = [out(key, -20 * MINUTE - number * MINUTE, HOUR) for number, key in enumerate(KEY_NAMES)]
USED = {key: Sighting(fingerprint(key), NOW - DAY) for key in KEY_NAMES}


def still(
    *cooldowns: Cooldown,
    config: Config = PRICELESS,
    facts: Facts = NOBODY,
    **fields: Any,  # noqa: ANN401 - those of a snapshot
) -> Alert | None:
    snapshot = Snapshot(cooldowns=by_scope(*cooldowns), sightings=USED)._replace(**fields)
    return next((a for a in told(snapshot, config, facts) if a.kind is AlertKind.STANDSTILL), None)


def test_all_keys_out_for_an_hour_is_told_with_the_time_since_when() -> None:
    alert = still(*ALL_OUT)
    assert alert is not None
    assert (alert.grave, alert.since) == (True, NOW - 20 * MINUTE)
    assert alert.message.startswith(
        "Nothing could answer since 2026-11-23 05:40 UTC: O1: cooling down until 2026-11-23"
    )
    assert alert.message.endswith("See: lbk route")
    answered = still(*ALL_OUT, successes={"O1": NOW - MINUTE})
    assert answered is not None
    assert answered.since == NOW - MINUTE


@pytest.mark.parametrize(
    ("cooldowns", "fields"),
    [
        (ALL_OUT[1:], {}),
        (ALL_OUT, {"sightings": {}}),
        ([out(key, -MINUTE, 3 * MINUTE) for key in KEY_NAMES], {}),
        ([], {}),
    ],
)
def test_no_standstill_while_one_is_left_or_for_a_moment_or_where_nobody_asks(
    cooldowns: list[Cooldown], fields: dict[str, Any]
) -> None:
    assert still(*cooldowns, **fields) is None


def test_a_moment_after_a_longer_standstill_does_not_end_it() -> None:
    """An outage is one cooldown of a few minutes after another."""
    known = {STANDSTILL: Raised("2026-11-23", 0, NOW - HOUR, "nothing could answer", lasting=True)}
    alert = still(*(out(key, -MINUTE, 3 * MINUTE) for key in KEY_NAMES), alerts=known)
    assert alert is not None
    assert alert.since == NOW - HOUR


def test_a_standstill_has_other_reasons_too() -> None:
    refused = {key: Disabled(fingerprint(key), NOW - HOUR) for key in KEY_NAMES}
    assert still(disabled=refused) is not None
    spent_all = {"O1": "50", "R1": "20"}
    assert still(days=spent(spent_all)) is not None
    held = Hold("h", ME, NOW, NOW + HOUR, TODAY, "O1", Provider.OLLAMA, "kimi", "", Decimal(50))
    assert still(days=spent({"R1": "20"}), holds={"h": held}) is None, "what is held comes back"
    here = Facts({}, {Provider.LOCAL: frozenset({"kimi"})})
    assert still(days=spent(spent_all), config=CONFIG, facts=here) is None, "the daemon of this machine answers"


def test_while_nothing_answers_no_budget_is_told_to_be_over() -> None:
    known = {f"budget {DAILY}": Raised("2026-11-22", 10_000, NOW - DAY, "it"), "rotation O1": Raised("", 0, NOW, "it")}
    alert = still(*ALL_OUT, alerts=known)
    assert alert is not None
    assert alert.covers == (f"budget {DAILY}",)


def test_the_words_of_a_budget() -> None:
    (alert,) = told(Snapshot(days=spent({"O1": "38.125"})))
    assert (alert.title, alert.provider) == ("ollama: 75 % of the budget for 2026-11-23", Provider.OLLAMA)
    assert alert.message == (
        "ollama has spent 38.12 of 50 USD (76 %) of its budget for 2026-11-23. When all of it is spent, its calls are "
        "refused until midnight (UTC). See: lbk costs"
    )


# --- forecasts ---


def busy(count: int, usd: str, known: Iterable[str] = ()) -> Snapshot:
    """A day with so many calls by one key, all within the last hour, at that sum; and the cost of days before it."""
    place = CellKey(Provider.OLLAMA, "O1", "kimi", "")
    closed = {
        TODAY - number * DAY: {Spender(Provider.OLLAMA, "O1"): Decimal(cost)} for number, cost in enumerate(known, 1)
    }
    months = {"2026-11": {Spender(Provider.OLLAMA, "O1"): sum(map(Decimal, known), Decimal(0))}}
    days = {TODAY: Day.of("p", {place: Cell(calls=count, cost_usd=Decimal(usd))})}
    return Snapshot(days=days, hours={"O1": calls(count)}, closed=closed, months=months)


FORECAST = f"forecast {DAILY}"


def test_a_budget_that_will_not_last() -> None:
    (alert,) = told(busy(10, "14"))  # six hours into the day: 2.33 an hour, in the last one 14
    assert (alert.kind, alert.name, alert.window) == (AlertKind.FORECAST, FORECAST, "2026-11-23")
    assert alert.message.startswith(
        "ollama will have used up its budget for 2026-11-23 at about 2026-11-23 10:25 (UTC)"
    )
    assert told(busy(10, "2")) == []


def test_no_forecast_before_two_hours_and_ten_calls() -> None:
    assert told(busy(9, "14")) == []
    early = busy(10, "14")
    assert told(early, at=-4 * HOUR - MINUTE) == []
    assert [a.name for a in told(early, at=-4 * HOUR)] == [FORECAST]


def test_a_forecast_is_over_only_when_it_is_clearly_below_the_budget() -> None:
    """46 USD are expected: within a tenth of the budget."""
    near = busy(10, "6.7")._replace(hours={"O1": calls(5)})
    assert told(near) == []
    raised = Raised("2026-11-23", 0, NOW - HOUR, "it")
    assert [a.name for a in told(near._replace(alerts={FORECAST: raised}))] == [FORECAST]
    assert told(near._replace(alerts={FORECAST: raised._replace(over=NOW)})) == []
    assert told(near._replace(alerts={FORECAST: raised._replace(window="2026-11-22")})) == []
    assert told(busy(10, "2")._replace(alerts={FORECAST: raised})) == []


def test_a_month_that_will_not_last_stays_so_through_the_morning() -> None:
    config = with_settings(PRICELESS, Provider.OLLAMA, lambda s: s._replace(monthly_budget_usd=Decimal(100)))
    name = "forecast providers.ollama.monthly_budget_usd"
    (alert,) = told(busy(10, "3", ["10", "10", "10"]), config)
    assert (alert.name, alert.window) == (name, "2026-11")
    raised = Raised("2026-11", 0, NOW - DAY, "it")
    assert [a.name for a in told(busy(1, "0.1", ["10", "10", "10"])._replace(alerts={name: raised}), config)] == [name]
    assert told(busy(1, "0.1", ["10", "10", "10"]), config) == []
    assert told(busy(10, "3", ["1", "1", "1"])._replace(alerts={name: raised}), config) == []


def test_a_forecast_is_a_providers() -> None:
    """A key's budget is not held against what the provider will cost."""
    config = with_key(PRICELESS, "O1", lambda key: key._replace(daily_budget_usd=Decimal(20)))
    assert [a.name for a in told(busy(10, "14"), config)] == [FORECAST]


def test_what_is_used_up_needs_no_forecast() -> None:
    (alert,) = told(busy(10, "55"))
    assert (alert.name, alert.covers) == (f"budget {DAILY}", (FORECAST,))


# --- keys ---


def test_a_disabled_key_seen_by_who_has_its_secret_and_who_has_not() -> None:
    snapshot = Snapshot(disabled={"O1": Disabled(fingerprint("O1"), NOW - HOUR, "401", "who are you?")})
    for facts in (NOBODY, FACTS):
        (alert,) = told(snapshot, facts=facts)
        assert (alert.kind, alert.key, alert.window, alert.since) == (AlertKind.KEY_DISABLED, "O1", "", NOW - HOUR)
        assert "lbk reset-limits O1" in alert.message
        assert "who are you" not in alert.message, "a provider's words may name somebody"


def test_a_replaced_secret_ends_it_wherever_it_was_seen() -> None:
    snapshot = Snapshot(disabled={"O1": Disabled("old", NOW - HOUR)})
    assert told(snapshot, facts=FACTS) == []
    assert [a.key for a in told(snapshot)] == ["O1"]
    assert told(snapshot._replace(sightings={"O1": Sighting("new", NOW)})) == []
    seen = told(snapshot._replace(sightings={"O1": Sighting("old", NOW)}))
    assert [a.key for a in seen if a.kind is AlertKind.KEY_DISABLED] == ["O1"]


def test_a_key_that_nobody_wants_is_no_news() -> None:
    snapshot = Snapshot(disabled={"O1": Disabled("", NOW), "gone": Disabled("", NOW)})
    assert told(snapshot, with_key(PRICELESS, "O1", lambda key: key._replace(enabled=False))) == []


def pool(*lost: str, worked: Iterable[str] = KEY_NAMES, before: Iterable[str] = KEY_NAMES) -> Snapshot:
    return Snapshot(
        successes=dict.fromkeys(worked, NOW - DAY),
        usable={TODAY - DAY: frozenset(before)},
        disabled={key: Disabled(fingerprint(key), NOW - HOUR) for key in lost},
    )


def shrunk(snapshot: Snapshot, config: Config = PRICELESS) -> Alert | None:
    return next((alert for alert in told(snapshot, config) if alert.kind is AlertKind.POOL), None)


def test_the_last_key_of_several() -> None:
    assert shrunk(pool("O1", "O2", "R1")) is None
    alert = shrunk(pool("O1", "O2", "R1", "R2"))
    assert alert is not None
    assert (alert.name, alert.key, alert.provider, alert.level) == (POOL, "R3", Provider.OPENROUTER, 1)
    assert alert.message.startswith("Only R3 is left of the 5 that could be used on 2026-11-22; O1 (disabled), ")
    none_left = shrunk(pool(*KEY_NAMES))
    assert none_left is not None
    assert (none_left.key, none_left.level, none_left.title) == (None, 2, "pool: no key is left")


def test_a_pool_of_one_key_has_not_shrunk() -> None:
    assert shrunk(pool(worked=["O1"], before=["O1"])) is None
    assert shrunk(pool("O1", worked=["O1"], before=["O1"])) is None
    only = PRICELESS._replace(keys=PRICELESS.keys[:1])
    assert shrunk(pool("O2", "R1", "R2", "R3"), only) is None
    off = PRICELESS
    for key in KEY_NAMES[1:]:
        off = with_key(off, key, lambda k: k._replace(enabled=False))
    assert shrunk(pool("O2", "R1"), off) is None


def test_only_what_could_be_used_on_the_day_before_can_be_lost() -> None:
    assert shrunk(pool("O1", "O2", "R1", "R2", before=["R3"])) is None
    assert shrunk(pool("O1", "O2", "R1", "R2")._replace(usable={TODAY: frozenset(KEY_NAMES)})) is None
    long_ago = pool("O1", "O2", "R1", "R2")._replace(usable={TODAY - 4 * DAY: frozenset(KEY_NAMES)})
    assert shrunk(long_ago) is not None, "a weekend without cron"


def test_a_key_that_never_worked_is_no_help() -> None:
    assert shrunk(pool("O1", "O2", worked=["O1", "O2", "R1"], before=["O1", "O2", "R1"])) is not None
    assert shrunk(pool("O1", "O2", worked=["O1", "O2", "R1", "R2"], before=["O1", "O2"])) is None


@pytest.mark.parametrize(("length", "lost"), [(HOUR, False), (23 * HOUR, False), (DAY, True), (7 * DAY, True)])
def test_a_key_is_lost_that_is_left_out_for_a_day(length: timedelta, *, lost: bool) -> None:
    out = by_scope(
        *(Cooldown(key_scope(key), Reason.NO_CREDIT, NOW - MINUTE, NOW - MINUTE + length) for key in KEY_NAMES[:3]),
        Cooldown(
            Scope(Reach.ACCOUNT, Provider.OPENROUTER, account=f"R2#{fingerprint('R2')}"),
            Reason.COOLING_DOWN,
            NOW - MINUTE,
            NOW - MINUTE + length,
        ),
        Cooldown(Scope(Reach.MODEL, Provider.OPENROUTER, model="kimi"), Reason.COOLING_DOWN, NOW, NOW + 8 * DAY),
    )
    snapshot = pool()._replace(cooldowns=out, sightings={"R2": Sighting(fingerprint("R2"), NOW)})
    assert usable(PRICELESS, snapshot, NOBODY, NOW) == ({"R3"} if lost else set(KEY_NAMES))
    assert (shrunk(snapshot) is not None) is lost


def test_overdue_rotations() -> None:
    one, other = overdue(CONFIG, [("O1", 1), ("R1", 12)])
    assert (one.kind, one.key, one.provider, one.window) == (AlertKind.ROTATION_OVERDUE, "O1", Provider.OLLAMA, "")
    assert "should have been replaced 1 day ago. Replace it: lbk rotate O1" in one.message
    assert "12 days ago" in other.message


# --- use ---


def used(today: int, before: Iterable[int], usd: str = "0", cost_before: Iterable[str] = ()) -> Snapshot:
    """A key's calls of today and of the days before, latest first."""
    place = CellKey(Provider.OLLAMA, "O1", "kimi", "")
    return Snapshot(
        days={TODAY: Day.of("p", {place: Cell(calls=today, cost_usd=Decimal(usd))})},
        trail={"O1": {TODAY - number * DAY: count for number, count in enumerate(before, 1) if count}},
        closed={
            TODAY - number * DAY: {Spender(Provider.OLLAMA, "O1"): Decimal(cost)}
            for number, cost in enumerate(cost_before, 1)
        },
    )


def is_unusual(snapshot: Snapshot) -> bool:
    return any(alert.kind is AlertKind.UNUSUAL for alert in told(snapshot))


@pytest.mark.parametrize(
    ("today", "before", "expected"),
    [
        (301, [100, 100, 100, 100, 100], True),
        (300, [100, 100, 100, 100, 100], False),
        (9_999, [100, 100, 100, 100], False),  # too few days
        (9_999, [100, 100, 100, 100, 0, 0, 0, 0], False),  # an idle day says nothing of a day's use
        (301, [100, 100, 9_000, 100, 100], True),  # one wild day moves nothing
        (451, [100, 100, 20, 150, 200], True),  # such days differ by 50 as a rule: up to 400
        (400, [100, 100, 20, 150, 200], False),
        (50, [1, 1, 1, 1, 1], False),
        (51, [1, 1, 1, 1, 1], True),
    ],
)
def test_calls_far_above_the_last_days(today: int, before: list[int], *, expected: bool) -> None:
    assert is_unusual(used(today, before)) is expected


@pytest.mark.parametrize(
    ("today", "before", "expected"),
    [
        ("6.01", ["2", "2", "2", "2", "2"], True),
        ("6", ["2", "2", "2", "2", "2"], False),
        ("1", ["0.01"] * 8, False),
        ("1.01", ["0.01"] * 8, True),
        ("9", ["0.01"] * 4, False),
    ],
)
def test_cost_far_above_the_last_days(today: str, before: list[str], *, expected: bool) -> None:
    assert is_unusual(used(1, [], today, before)) is expected


def test_the_rule_is_in_the_message() -> None:
    (alert,) = (a for a in told(used(301, [100] * 6, "6.5", ["2"] * 8)) if a.kind is AlertKind.UNUSUAL)
    assert alert.message == (
        "O1 was used far more than on its last days: 301 calls (the median of 6 days is 100, and up to 300 would be "
        "nothing unusual) and 6.50 USD (the median of 8 days is 2, and up to 6 would be nothing unusual). If that is "
        "not your doing, replace its secret. See: lbk costs"
    )


def test_days_beyond_the_last_ones_and_from_the_future_do_not_count() -> None:
    far = used(9_999, [])._replace(trail={"O1": {TODAY + number * DAY: 10 for number in range(8)}})
    assert not is_unusual(far)
    assert not is_unusual(far._replace(trail={"O1": {TODAY - number * DAY: 10 for number in range(9, 19)}}))


def test_closed_days_leave_their_calls_behind_for_as_long_as_their_cost() -> None:
    def closing(day: int, counts: Mapping[str, int]) -> ClosedDay:
        cells = {
            CellKey(provider_of(key) if key else Provider.LOCAL, key, model, ""): Cell(calls=count)
            for key, count in counts.items()
            for model in ("kimi", "plain:8b")
        }
        return ClosedDay(TODAY - day * DAY, Day.of("p", cells))

    days = [closing(2, {"O1": 3, "": 5}), closing(1, {"O1": 1, "R1": 4}), closing(1, {"O1": 1})]
    closed: Mapping[date, Mapping[Spender, Decimal]] = {TODAY - number * DAY: {} for number in (1, 2)}
    old = {"O1": {TODAY - 9 * DAY: 7}, "R3": {TODAY - 9 * DAY: 7}}
    after = lengthened(Snapshot(trail=old, closed=closed), days)
    assert after.trail == {"O1": {TODAY - 2 * DAY: 6, TODAY - DAY: 4}, "R1": {TODAY - DAY: 8}}


# --- all of them ---


def test_the_gravest_come_first() -> None:
    snapshot = pool("O1", "O2", "R1", "R2")._replace(
        days={TODAY: Day.of("p", {
            CellKey(Provider.OLLAMA, "O1", "kimi", ""): Cell(calls=60, cost_usd=Decimal(40)),
            CellKey(Provider.OPENROUTER, "R1", "kimi", ""): Cell(calls=1, cost_usd=Decimal(21)),
        })},
        hours={"O1": calls(60)},
        trail={"O1": {TODAY - number * DAY: 1 for number in range(1, 9)}},
    )  # fmt: skip
    assert [alert.name for alert in told(snapshot)] == [
        STANDSTILL,
        "pool",
        *(f"disabled {key}" for key in ("O1", "O2", "R1", "R2")),
        "budget providers.openrouter.daily_budget_usd",
        f"budget {DAILY}",
        FORECAST,
        "unusual O1",
    ]


def test_since_when() -> None:
    snapshot = Snapshot(days=spent({"O1": "40"}))
    (alert,) = told(snapshot)
    assert alert.since == NOW
    known = Raised("2026-11-23", 7500, NOW - HOUR, "it")
    (alert,) = told(snapshot._replace(alerts={alert.name: known}))
    assert alert.since == NOW - HOUR
    for other in (known._replace(over=NOW), known._replace(window="2026-11-22")):
        (alert,) = told(snapshot._replace(alerts={alert.name: other}))
        assert alert.since == NOW


# --- what a single call crosses ---


def one_call(before: Snapshot, usd: str, config: Config = PRICELESS, key: str = "O1") -> bool:
    """Whether a call that cost so much crosses a line."""
    hold = Hold("h", ME, NOW, NOW + HOUR, TODAY, key, provider_of(key), "kimi", "", Decimal(1))
    before = record(before, Claimed(hold, takes_turn=False), NOW)
    charge = Charge(Decimal(usd), Decimal(usd), "provider")
    settled = Settled("h", charge, Usage(1, 1), MINUTE, failed=False, failover=False)
    return crosses(config, before, record(before, settled, NOW), hold, NOW)


@pytest.mark.parametrize(
    ("spent_before", "usd", "expected"),
    [
        ("37", "0.4", False),
        ("37", "0.5", True),
        ("38", "0.5", False),
        ("49.5", "0.5", True),
        ("50", "1", False),
        ("12", "0.4", False),  # at six o'clock a quarter of the budget is what may be spent
        ("12", "0.6", True),
        ("13", "0.6", False),
    ],
)
def test_the_call_that_crosses_a_line(spent_before: str, usd: str, *, expected: bool) -> None:
    assert one_call(Snapshot(days=spent({"O1": spent_before})), usd) is expected
    assert one_call(Snapshot(days=spent({"O2": spent_before})), usd) is expected, "the budget is the provider's"


def test_a_call_crosses_its_own_budgets_only() -> None:
    tight = with_key(PRICELESS, "O1", lambda key: key._replace(monthly_budget_usd=Decimal(4)))
    before = Snapshot(days=spent({"O1": "2.9", "R1": "19.9"}))
    assert one_call(before, "0.2", tight)
    assert not one_call(before, "0.2", tight, "O2")
    assert one_call(before, "0.2", tight, "R1")


def test_the_call_that_makes_a_key_unusual() -> None:
    calls_before = used(int(LEAST_CALLS) - 1, [1] * 8, "0.9", ["0.01"] * 8)
    assert not one_call(calls_before, "0.05")
    assert one_call(calls_before, "0.2")
    more = used(int(LEAST_CALLS), [1] * 8, "0", ["0"] * 8)
    assert one_call(more, "0")
    assert not one_call(used(int(LEAST_CALLS) + 1, [1] * 8, "0", ["0"] * 8), "0")
    assert not one_call(used(int(LEAST_CALLS), [1] * (LEAST_DAYS - 1), "0", ["0"] * 8), "0")
