"""What a snapshot means for a monitoring system: which samples, with which labels, and that counters never go back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from lollmsbot_keys.core.metrics.collect import measured
from lollmsbot_keys.core.metrics.monotonic import carry
from lollmsbot_keys.core.model.config import Config, Provider
from lollmsbot_keys.core.model.metric_family import KEY_STATES, Family, MetricType, Sample, ShownCounters
from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.model.request import Facts, Reach, Reason
from lollmsbot_keys.core.model.snapshot import (
    LATENCY_BOUNDS_MS,
    Cell,
    CellKey,
    Day,
    Disabled,
    Failed,
    Hold,
    Scope,
    Sighting,
    Snapshot,
    Spender,
)
from lollmsbot_keys.core.money.charges import Charge
from lollmsbot_keys.core.state.events import Claimed, Lapsed, Settled, record
from lollmsbot_keys.edges.prometheus.text_format import remembering, shown_in, text_of
from tests.examples import examples
from tests.strategies import (
    CONFIG,
    FACTS,
    HOUR,
    ME,
    MINUTE,
    NOW,
    TODAY,
    World,
    by_scope,
    calls,
    configs,
    cooling,
    fingerprint,
    key_scope,
    snapshots,
    spent,
    with_key,
    with_settings,
    worlds,
)

FRESH = Snapshot()
O1 = Spender(Provider.OLLAMA, "O1")
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def families(
    snapshot: Snapshot = FRESH, config: Config = CONFIG, facts: Facts = FACTS, now: datetime = NOW
) -> dict[str, Family]:
    return {family.name: family for family in measured(config, snapshot, facts, now, "1.2.3")}


def values(found: Iterable[Family]) -> Values:
    return {
        (sample.name, frozenset(sample.labels.items())): float(sample.value)
        for family in found
        for sample in family.samples
    }


def value(family: Family, suffix: str = "", **labels: str) -> float:
    """The value of the one sample that has these labels, and perhaps others."""
    (found,) = [
        sample.value
        for sample in family.samples
        if sample.name == family.name + suffix and labels.items() <= sample.labels.items()
    ]
    return float(found)


def table(family: Family, *names: str) -> dict[tuple[str, ...], float]:
    return {tuple(sample.labels.get(name, "") for name in names): float(sample.value) for sample in family.samples}


# --- counters ---


def test_what_one_key_did() -> None:
    cell = Cell(
        calls=7,
        errors=2,
        failovers=3,
        prompt_tokens=1_000,
        completion_tokens=200,
        cost_usd=Decimal("0.125"),
        latency_ms=61_500,
        latencies=(1, 0, 2, 0, 0, 0, 0, 0, 0, 1, 1),
    )
    found = families(Snapshot(totals={O1: cell}, failures={Failed(*O1, "timeout"): 2}))
    mine = {"key": "O1", "provider": "ollama"}
    assert value(found["api_calls_total"], **mine) == 7
    assert value(found["api_tokens_total"], **mine, direction="in") == 1_000
    assert value(found["api_tokens_total"], **mine, direction="out") == 200
    assert value(found["api_cost_usd_total"], **mine) == 0.125
    assert value(found["api_cost_total"], **mine) == 0.125
    assert value(found["api_errors_total"], **mine, outcome="timeout") == 2
    assert value(found["api_errors_total"], **mine, outcome="lapsed") == 0
    latency = found["api_latency_seconds"]
    assert value(latency, "_sum", **mine) == 61.5
    assert value(latency, "_count", **mine) == 5
    bounds = [s.labels["le"] for s in latency.samples if s.name.endswith("_bucket") and s.labels["key"] == "O1"]
    assert bounds == [*map(str, (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)), "+Inf"]
    assert [value(latency, "_bucket", **mine, le=bound) for bound in bounds] == [1, 1, 3, 3, 3, 3, 3, 3, 3, 4, 5]
    assert value(found["provider_calls_total"], provider="ollama") == 7
    assert value(found["provider_failovers_total"], provider="ollama") == 3
    assert value(found["provider_calls_total"], provider="openrouter") == 0


def test_types_follow_from_what_values_do() -> None:
    for family in families().values():
        total = family.name.endswith("_total") and family.name != "api_cost_total"
        histogram = family.name.endswith("latency_seconds")
        assert family.kind is (
            MetricType.COUNTER if total else MetricType.HISTOGRAM if histogram else MetricType.GAUGE
        ), family.name


def test_keys_that_did_nothing_are_there_with_zeros() -> None:
    everybody = {("O1",), ("O2",), ("R1",), ("R2",), ("R3",), ("local",)}
    found = families()
    for name in ("api_calls_total", "api_cost_usd_total", "daily_cost_usd", "monthly_cost_usd", "lbk_holds"):
        assert table(found[name], "key") == dict.fromkeys(everybody, 0), name
    assert set(table(found["api_errors_total"], "key")) == everybody


def test_local_calls_have_a_key_of_that_name() -> None:
    found = families(Snapshot(totals={Spender(Provider.LOCAL, ""): Cell(calls=2)}, successes={"": NOW}))
    assert value(found["api_calls_total"], key="local", provider="local") == 2
    assert value(found["lbk_key_last_success_timestamp_seconds"], key="local") == NOW.timestamp()


def test_a_former_key_still_counts() -> None:
    gone = Spender(Provider.OPENROUTER, "OLD")
    found = families(Snapshot(totals={gone: Cell(calls=4, cost_usd=Decimal(1))}, failures={Failed(*gone, "junk"): 1}))
    assert value(found["api_calls_total"], key="OLD", provider="openrouter") == 4
    assert value(found["provider_calls_total"], provider="openrouter") == 4
    assert table(found["api_errors_total"], "key", "outcome")["OLD", "junk"] == 1
    assert ("OLD", "timeout") not in table(found["api_errors_total"], "key", "outcome")


def test_labels_stay_bounded_whatever_the_state_holds() -> None:
    strange = [Spender(Provider.OLLAMA, name) for name in ('"\n# HELP', "\ud800", "x" * 300, "\x1b[31m")]
    strangers = [Spender(Provider.OLLAMA, f"S{number}") for number in range(500)]
    cells = {CellKey(*spender, "kimi", ""): Cell(calls=1, cost_usd=Decimal(1)) for spender in (*strange, *strangers)}
    snapshot = Snapshot(
        totals={spender: Cell(calls=1) for spender in strange},
        failures={Failed(*O1, f"what {number}"): 1 for number in range(50)},
        days={TODAY: Day.of("part", cells)},
    )
    found = families(snapshot)
    assert table(found["api_calls_total"], "key", "provider")["(other)", "ollama"] == 4
    assert table(found["api_errors_total"], "key", "outcome")["O1", "(other)"] == 50
    assert table(found["daily_cost_usd"], "key")["(other)",] == 504
    for family in found.values():
        assert len(family.samples) < 200, family.name


@settings(max_examples=examples(40))
@given(worlds())
def test_every_state_can_be_told_and_read_back(world: World) -> None:
    """By the official client, and by its parser: valid names, no series twice, and no label but these."""
    found = measured(world.config, world.snapshot, world.facts, world.now, "1.2.3")
    ids = [sample.id for family in found for sample in family.samples]
    assert len(ids) == len(set(ids))
    assert len({family.name for family in found}) == len(found)
    known = {"key", "provider", "direction", "outcome", "le", "window", "scope", "state", "version"}
    assert {name for _, labels in ids for name, _ in labels} <= known
    read = {
        (sample.name, frozenset(sample.labels.items() - {("pool", "a")})): sample.value
        for metric in text_string_to_metric_families(text_of(found, "a").decode())
        for sample in metric.samples
    }
    assert read == values(found)
    assert all(map(math.isfinite, read.values()))


@settings(max_examples=examples(40))
@given(snapshots())
def test_a_histogram_is_one(snapshot: Snapshot) -> None:
    latency = families(snapshot)["api_latency_seconds"]
    for key in {sample.labels["key"] for sample in latency.samples}:
        buckets = [s.value for s in latency.samples if s.labels["key"] == key and "le" in s.labels]
        assert len(buckets) == len(LATENCY_BOUNDS_MS) + 1
        assert buckets == sorted(buckets)
        assert buckets[-1] == value(latency, "_count", key=key)


def a_hold(number: int, amount: Decimal) -> Hold:
    return Hold(f"h{number}", ME, NOW, NOW + HOUR, TODAY, "O1", Provider.OLLAMA, "kimi", "", amount)


_steps = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["claim", "settle", "fail", "lapse"]), st.integers(0, 300)),
    max_size=25,
)


@settings(max_examples=examples(50))
@given(_steps)
def test_counters_follow_the_state_upwards_only(steps: list[tuple[int, str, int]]) -> None:
    """Also where a hold lapses in full and a late settlement says that the call cost less."""
    snapshot = Snapshot()
    before = values(family for family in families(snapshot).values() if family.kind is not MetricType.GAUGE)
    for number, step, cents in steps:
        amount = Decimal(cents) / 100
        took = timedelta(milliseconds=10 * cents)
        match step:
            case "claim":
                snapshot = record(snapshot, Claimed(a_hold(number, amount), takes_turn=True), NOW)
            case "lapse":
                snapshot = record(snapshot, Lapsed(frozenset({f"h{number}"})), NOW)
            case _:
                failed = step == "fail"
                end = Settled(
                    f"h{number}", Charge(amount, amount, "provider"), Usage(1, 2), took, failed, failed, "junk"
                )
                snapshot = record(snapshot, end, NOW)
        after = values(family for family in families(snapshot).values() if family.kind is not MetricType.GAUGE)
        assert {place: (was, after[place]) for place, was in before.items() if after[place] < was} == {}
        before = after


# --- counters of a state that went back ---


def counter(*amounts: float) -> tuple[Family, ...]:
    samples = tuple(Sample("c_total", {"key": f"K{place}"}, amount) for place, amount in enumerate(amounts))
    gauge = Family("g", MetricType.GAUGE, "", (Sample("g", {}, amounts[0]),))
    return Family("c_total", MetricType.COUNTER, "", samples), gauge


def shown(steps: Iterable[tuple[float, ...]]) -> list[list[float]]:
    """What is shown after each reading of a state, through text that is written and read back each time."""
    memory, rows = ShownCounters(), []
    for amounts in steps:
        found, memory = carry(counter(*amounts), memory)
        memory = shown_in(remembering(text_of(found, "a"), memory))
        rows.append([float(sample.value) for sample in found[0].samples])
    return rows


def test_what_a_restored_state_has_lost_is_put_on_top() -> None:
    assert shown([(1000, 5), (990, 5), (991, 6), (1002, 6), (7, 6), (8, 9)]) == [
        [1000, 5],
        [1000, 5],
        [1001, 6],
        [1012, 6],
        [1012, 6],
        [1013, 9],
    ]


def test_gauges_follow_downwards() -> None:
    _, memory = carry(counter(1000), ShownCounters())
    (_, gauge), _ = carry(counter(990), memory)
    assert gauge.samples[0].value == 990


_readings = st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), max_size=8)


@settings(max_examples=examples(40))
@given(_readings)
@example([(0.939, 0), (0.283, 0)])  # 0.283 + (0.939 - 0.283) is a little less than 0.939
def test_nothing_that_is_shown_ever_goes_back(readings: list[tuple[float, float]]) -> None:
    for column in zip(*shown(readings), strict=True):
        assert list(column) == sorted(column)


@settings(max_examples=examples(40))
@given(_readings)
def test_nothing_is_put_on_top_of_what_only_grows(readings: list[tuple[float, float]]) -> None:
    growing = [tuple(sorted(column)) for column in zip(*readings, strict=True)]
    rows = list(zip(*growing, strict=True))
    assert shown(rows) == [list(row) for row in rows]


@pytest.mark.parametrize(
    "text",
    [b"", b"\xff\xfe", b"no metrics {", b"c_total 1\n# lbk carries over: [[1]]\n", b"# lbk carries over: {}\n" * 2],
)
def test_a_text_that_is_not_ours_is_nothing_to_go_on_from(text: bytes) -> None:
    assert not shown_in(text).carried


# --- money ---


def test_the_day_and_the_month_without_what_is_held() -> None:
    yesterday = TODAY - timedelta(days=1)
    snapshot = Snapshot(
        days=spent({"O1": "1.5", "R1": "0.25"}) | spent({"O1": "3"}, yesterday),
        months={f"{TODAY:%Y-%m}": {O1: Decimal(10)}, "2026-10": {O1: Decimal(99)}},
        holds={"h": a_hold(1, Decimal("0.5")), "l": a_hold(2, Decimal(7))._replace(lapsed=True)},
    )
    found = families(snapshot)
    assert table(found["daily_cost_usd"], "key")["O1",] == 1.5
    assert table(found["monthly_cost_usd"], "key")["O1",] == 14.5
    assert table(found["monthly_cost_usd"], "key")["R1",] == 0.25
    assert table(found["lbk_daily_calls"], "key")["O1",] == 1
    assert (table(found["lbk_holds"], "key")["O1",], table(found["lbk_holds_usd"], "key")["O1",]) == (1, 0.5)


def budgeted() -> Config:
    config = with_settings(CONFIG, Provider.OLLAMA, lambda s: s._replace(monthly_budget_usd=Decimal(200)))
    config = with_settings(config, Provider.OPENROUTER, lambda s: s._replace(daily_budget_usd=Decimal(0)))
    return with_key(config, "O1", lambda key: key._replace(daily_budget_usd=Decimal(4), monthly_budget_usd=Decimal(40)))


def test_every_budget_with_what_is_spent_or_held() -> None:
    snapshot = Snapshot(
        days=spent({"O1": "1.5", "O2": "8"}),
        months={f"{TODAY:%Y-%m}": {O1: Decimal(10)}},
        holds={"h": a_hold(1, Decimal("0.5"))},
    )
    found = families(snapshot, budgeted())
    names = ("scope", "provider", "key", "window")
    assert table(found["budget_utilization_percent"], *names) == {
        ("provider", "ollama", "", "day"): 20.0,  # 10 of 50
        ("provider", "ollama", "", "month"): 10.0,  # 20 of 200
        ("provider", "openrouter", "", "day"): 100.0,  # nothing of nothing
        ("key", "ollama", "O1", "day"): 50.0,  # 2 of 4
        ("key", "ollama", "O1", "month"): 30.0,  # 12 of 40
    }
    limits = table(found["lbk_budget_limit_usd"], *names)
    assert sorted(limits.values()) == [0, 4, 40, 50, 200]


def test_where_spending_is_heading_once_that_can_be_told() -> None:
    early = families(Snapshot(days=spent({"O1": "6"})))
    assert early["lbk_forecast_usd"].samples == ()
    cells = {CellKey(*O1, "kimi", ""): Cell(calls=40, cost_usd=Decimal(6))}
    later = families(Snapshot(days={TODAY: Day.of("part", cells)}, hours={"O1": calls(7, NOW - 10 * MINUTE)}))
    assert value(later["lbk_forecast_usd"], provider="ollama", window="day") == pytest.approx(24, rel=0.05)


def test_when_budgets_begin_anew_in_a_zone_of_their_own() -> None:
    config = CONFIG._replace(timezone=ZoneInfo("Europe/Berlin"))
    found = families(config=config, now=datetime(2026, 3, 29, 12, tzinfo=UTC))  # 23 hours long there
    start, end = (table(found[f"lbk_budget_{side}_timestamp_seconds"], "window") for side in ("start", "end"))
    assert end["day",] - start["day",] == 23 * 3600
    assert datetime.fromtimestamp(start["month",], UTC) == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert datetime.fromtimestamp(end["month",], UTC) == datetime(2026, 3, 31, 22, tzinfo=UTC)


# --- keys ---


def states(snapshot: Snapshot, config: Config = CONFIG, facts: Facts = FACTS) -> dict[str, str]:
    """Each key's state. That it has exactly one is checked on the way."""
    found: dict[str, str] = {}
    for (key, state), one in table(families(snapshot, config, facts)["lbk_key_state"], "key", "state").items():
        if one:
            assert one == 1
            assert key not in found
            found[key] = state
    return found


def test_each_key_is_in_one_state() -> None:
    config = with_key(CONFIG, "R3", lambda key: key._replace(enabled=False))
    config = with_key(config, "R2", lambda key: key._replace(daily_budget_usd=Decimal(1)))
    snapshot = Snapshot(
        cooldowns=by_scope(cooling(key_scope("O1"), ends_in=10 * MINUTE)),
        hours={"O2": calls(100)},
        disabled={"R1": Disabled(fingerprint("R1"), NOW)},
        days=spent({"R2": "1"}),
    )
    assert states(snapshot, config) == {
        "O1": "cooling_down",
        "O2": "hourly_limit",
        "R1": "disabled",
        "R2": "over_budget",
        "R3": "off",
    }
    left = table(families(snapshot, config)["lbk_key_cooldown_seconds"], "key")
    assert left == {("O1",): 600, ("O2",): 0, ("R1",): 0, ("R2",): 0, ("R3",): 0}
    assert table(families(snapshot)["lbk_key_hourly_calls"], "key")["O2",] == 100
    assert table(families(snapshot)["lbk_key_hourly_calls_limit"], "key")["R1",] == 200


def test_what_is_out_by_its_account_is_out() -> None:
    account = Scope(Reach.ACCOUNT, Provider.OPENROUTER, account=f"R1#{fingerprint('R1')}")
    found = states(Snapshot(cooldowns=by_scope(cooling(account, reason=Reason.NO_CREDIT))))
    assert (found["R1"], found["R2"]) == ("no_credit", "ready")


def test_whoever_watches_need_not_have_the_secrets() -> None:
    seen = {"O1": Sighting(fingerprint("O1"), NOW), "O2": Sighting(fingerprint("O2"), NOW)}
    snapshot = Snapshot(sightings=seen, disabled={"O2": Disabled(fingerprint("O2"), NOW)})
    found = states(snapshot, facts=Facts({}))
    assert (found["O1"], found["O2"], found["R1"]) == ("ready", "disabled", "no_secret")


def test_a_secret_that_is_here_counts_before_one_that_was_seen() -> None:
    snapshot = Snapshot(sightings={"O1": Sighting("old", NOW)}, disabled={"O1": Disabled("old", NOW)})
    assert states(snapshot)["O1"] == "ready"


def test_ages_and_times() -> None:
    snapshot = Snapshot(
        sightings={"O1": Sighting("a", NOW - 3 * HOUR), "O2": Sighting("b", NOW + HOUR)},
        successes={"R1": NOW - MINUTE, "GONE": NOW},
    )
    found = families(snapshot)
    assert table(found["lbk_key_secret_age_seconds"], "key") == {("O1",): 3 * 3600, ("O2",): 0}
    assert table(found["lbk_key_last_success_timestamp_seconds"], "key") == {("R1",): NOW.timestamp() - 60}
    assert value(found["lbk_metrics_last_run_timestamp_seconds"]) == NOW.timestamp()
    assert value(found["lbk_build_info"], version="1.2.3") == 1


@settings(max_examples=examples(40))
@given(configs(), snapshots())
def test_exactly_one_state_each_whatever_happened(config: Config, snapshot: Snapshot) -> None:
    assert set(states(snapshot, config)) == {key.name for key in config.keys}


def test_help_is_one_line_of_plain_text() -> None:
    for family in families().values():
        assert re.fullmatch(r"[A-Z1][ -~]{10,120}\.", family.help), family.help
    assert len(KEY_STATES) == len(set(KEY_STATES))
