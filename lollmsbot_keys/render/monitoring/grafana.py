"""The Grafana dashboard for one configuration.

Its keys and providers can be chosen, and its thresholds are the colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from lollmsbot_keys.core.model.config import Config
from lollmsbot_keys.core.model.metric_family import KEY_STATES
from lollmsbot_keys.render.monitoring.grafana_panels import (
    ENOUGH_CALLS,
    SOURCE,
    Column,
    GridPosition,
    Look,
    Panel,
    Query,
    Tree,
    bars,
    course,
    panel_tree,
    stat,
    states,
    table,
)
from lollmsbot_keys.render.monitoring.prometheus_rules import STALE_AFTER_S, limited

SCHEMA = 39
"""The version of the model that Grafana 11 reads; later versions of Grafana bring it up to date by themselves."""

_POOL = 'instance=~"$instance", pool=~"$pool"'
_HERE = f'{_POOL}, provider=~"$provider"'
_KEYS = f'{_HERE}, key=~"$key"'
_RATE = "$__rate_interval"
_STATE_COLOURS = ("green", "yellow", "orange", "dark-orange", "light-yellow", "purple", "red", "dark-red", "text")
_STATES = {
    str(number): (state.replace("_", " "), colour)
    for number, (state, colour) in enumerate(zip(KEY_STATES, _STATE_COLOURS, strict=True))
}
_USD = Look("currencyUSD")
_TIME = Look("s", decimals=0)
_SINCE = ("last_success_timestamp_seconds", "secret_age_seconds")
_LASTS = -1
"""The value for a budget that is not used up in time, at the present pace."""


def dashboard(config: Config) -> Tree:
    """Return the dashboard as Grafana imports it, or provisions it from a file."""
    panels = (*_today(config), *_traffic(), *_trouble(), *_budgets(config), *_keys(config))
    return {
        "title": "lbk: the pool of LLM keys",
        "uid": "lbk-pool",
        "description": "Made by lbk metrics --grafana; make it anew when keys, budgets or alerts.at_percent change.",
        "tags": ["lbk"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "1m",
        "fiscalYearStartMonth": 0,
        "links": [],
        "annotations": {"list": []},
        "templating": {"list": list(_variables(config))},
        "panels": [panel_tree(number, panel) for number, panel in enumerate(panels, 1)],
    }


# --- what can be chosen ---


def _variables(config: Config) -> Iterator[Tree]:
    yield {
        "name": "DS_PROMETHEUS",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "hide": 0,
    }
    yield _measured("instance", "Machine", "lbk_build_info")
    # One at a time: the same key may be in several pools. Figures from before there were names have none.
    yield _measured("pool", "Pool", 'lbk_build_info{instance=~"$instance"}')
    yield _choice("provider", "Provider", [provider.value for provider in config.providers])
    yield _choice("key", "Key", [*(key.name for key in config.keys), "local"])


def _measured(name: str, label: str, series: str) -> Tree:
    query = f"label_values({series}, {name})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": query,
        "refresh": 2,
        "sort": 1,
        "hide": 0,
        "includeAll": False,
        "multi": False,
    }


def _choice(name: str, label: str, values: Sequence[str]) -> Tree:
    everything = {"text": ["All"], "value": ["$__all"], "selected": True}
    options = [{"text": value, "value": value, "selected": False} for value in values]
    return {
        "name": name,
        "label": label,
        "type": "custom",
        "query": ",".join(values),
        "options": [{**everything, "text": "All", "value": "$__all"}, *options],
        "current": everything,
        "includeAll": True,
        "allValue": ".*",  # former keys too, while they still count
        "multi": True,
        "hide": 0,
    }


# --- panels, from the top down ---


def _today(config: Config) -> Iterator[Panel]:
    keys = sum(key.enabled for key in config.keys)
    failovers, calls = (f"sum(rate(provider_{what}_total{{{_HERE}}}[1h]))" for what in ("failovers", "calls"))
    figures: Sequence[tuple[str, str, str, Look]] = (
        ("Spent today", "US dollars charged on this budget day.", f"sum(daily_cost_usd{{{_KEYS}}})", _USD),
        ("Spent this month", "US dollars charged in this month.", f"sum(monthly_cost_usd{{{_KEYS}}})", _USD),
        ("Calls today", "Failed ones too.", f"sum(lbk_daily_calls{{{_KEYS}}})", Look("short")),
        (
            "Keys ready",
            f"Keys that may be used now, of {keys} that are switched on.",
            f'sum(lbk_key_state{{{_KEYS}, state="ready"}})',
            Look("short", ((None, "red"), (1, "yellow"), (max(keys, 2), "green")), highest=keys),
        ),
        (
            "Failovers in the last hour",
            "Calls that stood in for one that had failed, of all calls.",
            f"{failovers} / ({calls} > 0) or vector(0)",
            Look("percentunit", ((None, "green"), (0.1, "yellow"), (0.5, "red")), decimals=0),
        ),
        (
            "Age of these figures",
            "Time since lbk metrics last ran.",
            f"time() - max(lbk_metrics_last_run_timestamp_seconds{{{_POOL}}})",
            Look("s", ((None, "green"), (STALE_AFTER_S / 3, "yellow"), (STALE_AFTER_S, "red")), decimals=0),
        ),
    )
    for number, (title, description, expression, look) in enumerate(figures):
        yield stat(title, description, expression, look, GridPosition(4 * number, 0, 4, 4))


def _traffic() -> Iterator[Panel]:
    yield course(
        "Calls by key",
        "Calls a minute.",
        [Query(f"60 * sum by (key) (rate(api_calls_total{{{_KEYS}}}[{_RATE}]))", "{{key}}")],
        Look("reqpm"),
        GridPosition(0, 4, 12, 8),
        stacked=True,
    )
    yield course(
        "Cost by provider",
        "US dollars an hour.",
        [Query(f"3600 * sum by (provider) (rate(api_cost_usd_total{{{_KEYS}}}[{_RATE}]))", "{{provider}}")],
        _USD,
        GridPosition(12, 4, 12, 8),
        stacked=True,
    )


def _trouble() -> Iterator[Panel]:
    buckets = f"sum by (provider, le) (rate(api_latency_seconds_bucket{{{_KEYS}}}[{_RATE}]))"
    failovers = f"sum by (provider) (rate(provider_failovers_total{{{_HERE}}}[{_RATE}]))"
    calls = f"sum by (provider) (rate(provider_calls_total{{{_HERE}}}[{_RATE}]))"
    yield course(
        "Latency, 95th percentile",
        "Of twenty calls, one takes longer.",
        [Query(f"histogram_quantile(0.95, {buckets})", "{{provider}}")],
        Look("s"),
        GridPosition(0, 12, 8, 8),
    )._replace(interval=ENOUGH_CALLS)
    yield course(
        "Failover rate",
        "Share of a provider's calls that stood in for one that had failed.",
        [Query(f"{failovers} / ({calls} > 0)", "{{provider}}")],
        Look("percentunit", highest=1),
        GridPosition(8, 12, 8, 8),
    )._replace(interval=ENOUGH_CALLS)
    errors = course(
        "Errors by outcome",
        "Calls that gave no whole answer, an hour.",
        [Query(f"3600 * sum by (outcome) (rate(api_errors_total{{{_KEYS}}}[{_RATE}])) > 0", "{{outcome}}")],
        Look("short"),
        GridPosition(16, 12, 8, 8),
        stacked=True,
    )
    yield errors._replace(custom={**errors.custom, "drawStyle": "bars"})  # with gaps, areas would be specks


def _budgets(config: Config) -> Iterator[Panel]:
    colours = _colours(config.alerts.at_percent)
    used = Query(f"budget_utilization_percent{{{_HERE}}}", "{{provider}} {{key}} {{window}}")
    yield bars(
        "Budget use",
        "Spent and held; at 100 % nothing more is sent.",
        [used._replace(instant=True)],
        Look("percent", colours, highest=100, decimals=0),
        GridPosition(0, 20, 8, 8),
    )
    left = [Query(_time_left("provider"), "{{provider}} {{window}}", instant=True)]
    if any(map(limited, config.keys)):
        left.append(Query(_time_left("key"), "{{key}} {{window}}", instant=True))
    hours = ((None, "red"), (3_600, "orange"), (4 * 3_600, "yellow"), (24 * 3_600, "green"))
    yield bars(
        "Time left to a budget",
        "Until it is used up at the pace of the last hour; lasts: it begins anew before that.",
        left,
        Look("s", hours, highest=24 * 3_600, decimals=0, words={str(_LASTS): ("lasts", "green")}),
        GridPosition(8, 20, 8, 8),
    )
    yield course(
        "Budget use over time",
        "The dashed lines are alerts.at_percent.",
        [used],
        Look("percent", colours),
        GridPosition(16, 20, 8, 8),
    )


def _time_left(scope: str) -> str:
    """Return the PromQL expression for the seconds to the end of each budget in `scope`, or `_LASTS`.

    `scope` is a provider or a key.
    """
    budget = f'{_HERE}, scope="{scope}"'
    owner = f"instance, job, pool, provider{', key' if scope == 'key' else ''}"
    return (
        f"clamp_min(lbk_budget_limit_usd{{{budget}}} * (1 - budget_utilization_percent{{{budget}}} / 100), 0)\n"
        f"  / on ({owner}) group_left ()\n"
        f"  clamp_min(sum by ({owner}) (rate(api_cost_usd_total{{{_HERE}}}[1h])), 1e-9)\n"
        "  < on (instance, job, pool, window) group_left () (lbk_budget_end_timestamp_seconds - time())\n"
        f"or 0 * lbk_budget_limit_usd{{{budget}}} - {-_LASTS}"
    )


def _colours(shares: tuple[Decimal, ...]) -> list[tuple[float | None, str]]:
    """Return the thresholds of a budget: green below the lowest share that alerts, red from the highest on."""
    between = ["yellow", "orange", "semi-dark-orange", "dark-orange"]
    warm = [between[min(place, len(between) - 1)] for place in range(len(shares) - 1)]
    return [(None, "green"), *zip(map(float, shares), [*warm, "red"], strict=False)]


def _keys(config: Config) -> Iterator[Panel]:
    in_state = "\n  or ".join(
        f'{number} * lbk_key_state{{{_KEYS}, state="{state}"}}' for number, state in enumerate(KEY_STATES)
    )
    state = Look("short", lowest=None, words=_STATES)
    now_in = f"sum by (key) ({in_state})"
    yield states(
        "Key state",
        "Which keys could be used, and why the others could not.",
        Query(now_in, "{{key}}"),
        state,
        GridPosition(0, 28, 24, 8),
    )
    threshold = float(config.routing.ollama_usage_threshold_percent) / 100
    use = f"lbk_key_hourly_calls{{{_KEYS}}} / lbk_key_hourly_calls_limit{{{_KEYS}}}"
    hourly = Look("percentunit", ((None, "green"), (threshold, "yellow"), (1, "red")), decimals=0)
    success, age = (f"max by (key) (lbk_key_{what}{{{_KEYS}}})" for what in _SINCE)
    columns = (
        Column("State", now_in, state),
        Column("Calls today", f"sum by (key) (lbk_daily_calls{{{_KEYS}}})", Look("short")),
        Column("Cost today", f"sum by (key) (daily_cost_usd{{{_KEYS}}})", _USD),
        Column("Of its hourly calls", f"max by (key) ({use})", hourly),
        Column("Left out for", f"max by (key) (lbk_key_cooldown_seconds{{{_KEYS}}})", _TIME),
        Column("Since last answer", f"time() - {success}", _TIME),
        Column("Age of its secret", age, _TIME),
    )
    yield table("Keys", "Each key as it is now.", "key", columns, GridPosition(0, 36, 16, 9))
    yield course(
        "Held for calls on their way",
        "US dollars that budgets keep free until the calls end.",
        [Query(f"sum by (provider) (lbk_holds_usd{{{_KEYS}}})", "{{provider}}")],
        _USD,
        GridPosition(16, 36, 8, 9),
        stacked=True,
    )
