"""The recording and alerting rules for Prometheus, made for one configuration's providers, budgets and thresholds.

Times and shares are those of `lbk costs --alert` where it has them. Alerts name what, which, and what next; the time
that a wrong moment is forgiven (`for`) follows from how fast each figure can change by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from lollmsbot_keys._version import __version__
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Config, Key, ProviderSettings

STALE_AFTER_S = 900
"""The age in seconds from which figures count for nothing.

A cron line that runs each minute, or every five, has missed several turns.
"""

_SAME = "instance, job, pool"
_BUDGET = f"{_SAME}, provider, window"
_COME_BACK = "ready|cooling_down|hourly_limit|over_budget|held"
"""The states that end by themselves; in another one a key is lost to the pool until somebody does something."""


class _Alert(NamedTuple):
    """One alerting rule.

    `forgiven` is how long its condition must hold.
    """

    name: str
    condition: str
    forgiven: str
    severity: str
    summary: str
    description: str
    threshold: str | None = None


def rules_tree(config: Config) -> dict[str, object]:
    """Return the rule file as Prometheus reads it."""
    return {"groups": [{"name": "lbk", "rules": [*_recorded(), *map(_rule, _alerts(config))]}]}


def rules_yaml(config: Config) -> str:
    """Return the rules as YAML for people, with what they were made for at the top."""
    keys = ", ".join(key.name for key in config.keys) or "no key"
    shares = ", ".join(f"{_number(share)} %" for share in config.alerts.at_percent) or "none"
    lines = [
        f"# Made by lbk {__version__} for {keys}; shares of a budget that alert: {shares}.",
        "# Make it anew when budgets or alerts.at_percent change: lbk metrics --rules",
        "groups:",
        "  - name: lbk",
        "    rules:",
    ]
    for rule in [*_recorded(), *map(_rule, _alerts(config))]:
        lines += _item(rule, "      ")
    return "\n".join(lines) + "\n"


def limited(owner: ProviderSettings | Key) -> bool:
    """Say whether `owner` has a budget of its own."""
    return owner.daily_budget_usd is not None or owner.monthly_budget_usd is not None


# --- what is recorded ---


def _recorded() -> Iterator[dict[str, object]]:
    yield {
        "record": "lbk:keys_usable:sum",
        "expr": f'sum by ({_SAME}) (lbk_key_state{{state=~"{_COME_BACK}"}})',
    }
    yield {
        "record": "provider:lbk_failovers:ratio_rate1h",
        "expr": f"sum by ({_SAME}, provider) (rate(provider_failovers_total[1h]))\n"
        f"/ (sum by ({_SAME}, provider) (rate(provider_calls_total[1h])) > 0)",
    }
    yield {
        "record": "provider:api_latency_seconds:p95_rate1h",
        "expr": f"histogram_quantile(0.95,\n  sum by ({_SAME}, provider, le) (rate(api_latency_seconds_bucket[1h])))",
    }


# --- what alerts ---


def _alerts(config: Config) -> Iterator[_Alert]:
    keys = any(map(limited, config.keys))
    if keys or any(map(limited, config.providers.values())):
        yield from _budget_used(config.alerts.at_percent)
        yield _provider_forecast()
    if keys:
        yield _key_forecast()
    yield from _pool()
    yield from _measuring()


_WHOSE = "{{ $labels.provider }}{{ with $labels.key }} {{ . }}{{ end }}"
_SETTING = (
    "{{ if $labels.key }}keys.{{ $labels.key }}{{ else }}providers.{{ $labels.provider }}{{ end }}"
    '.{{ if eq $labels.window "day" }}daily{{ else }}monthly{{ end }}_budget_usd'
)


def _budget_used(shares: tuple[Decimal, ...]) -> Iterator[_Alert]:
    """Yield one alert for each share.

    A budget raises the alert of the highest share that it has reached, and no other.
    """
    for place, share in enumerate(shares):
        above = f" < {_number(shares[place + 1])}" if place + 1 < len(shares) else ""
        end = "Nothing more is sent on it until" if share >= 100 else "At 100 % nothing more is sent on it until"
        yield _Alert(
            name="LbkBudgetUsed",
            condition=f"budget_utilization_percent >= {_number(share)}{above}",
            forgiven="1m",
            severity="critical" if share >= 100 else "warning",
            summary=f'{_WHOSE}: {{{{ $value | printf "%.0f" }}}} % of the budget of the {{{{ $labels.window }}}}'
            " is spent or held",
            description=f"{end} the {{{{ $labels.window }}}} ends. lbk costs --by model shows what cost most;"
            f" the limit is {_SETTING}.",
            threshold=_number(share),
        )


def _provider_forecast() -> _Alert:
    return _Alert(
        name="LbkBudgetForecast",
        condition=f'100 * lbk_forecast_usd\n  / on ({_BUDGET}) lbk_budget_limit_usd{{scope="provider"}} > 100\n'
        f'unless on ({_BUDGET})\n  budget_utilization_percent{{scope="provider"}} >= 100',
        forgiven="15m",
        severity="warning",
        summary='{{ $labels.provider }} is heading for {{ $value | printf "%.0f" }} % of its budget'
        " of the {{ $labels.window }}",
        description="At the recent pace it is used up before the {{ $labels.window }} ends. lbk costs --by model shows"
        f" what costs most; the limit is {_SETTING}.",
    )


def _key_forecast() -> _Alert:
    """Return the alert for a key that is heading beyond its budget.

    A key's pace is its average since the window began. No alert comes before a twelfth of the window (two hours of
    a day).
    """
    both = f"{_SAME}, window"
    return _Alert(
        name="LbkKeyBudgetForecast",
        condition='(budget_utilization_percent{scope="key"} < 100)\n'
        f"  * on ({both}) group_left ()\n"
        "  (lbk_budget_end_timestamp_seconds - lbk_budget_start_timestamp_seconds)\n"
        f"  / on ({both}) group_left ()\n"
        "  (time() - lbk_budget_start_timestamp_seconds) > 100\n"
        f"and on ({both})\n"
        "  12 * (time() - lbk_budget_start_timestamp_seconds)\n"
        "    >= lbk_budget_end_timestamp_seconds - lbk_budget_start_timestamp_seconds\n"
        f"and on ({_SAME}, key) lbk_daily_calls >= 10",
        forgiven="15m",
        severity="warning",
        summary='{{ $labels.key }} is heading for {{ $value | printf "%.0f" }} % of its budget'
        " of the {{ $labels.window }}",
        description="At its average pace it is used up before the {{ $labels.window }} ends. lbk costs --by model shows"
        f" what costs most; the limit is {_SETTING}.",
    )


def _pool() -> Iterator[_Alert]:
    yield _Alert(
        name="LbkKeyDisabled",
        condition='lbk_key_state{state="disabled"} == 1',
        forgiven="0m",
        severity="warning",
        summary="{{ $labels.key }} is disabled: {{ $labels.provider }} refused its secret",
        description="Replace it with lbk rotate {{ $labels.key }}, or if it is good after all,"
        " prove it with lbk test-keys {{ $labels.key }}.",
    )
    yield _Alert(
        name="LbkPoolShrinking",
        condition="lbk:keys_usable:sum < max_over_time(lbk:keys_usable:sum[1d])",
        forgiven="10m",
        severity="warning",
        summary="Keys that are of use: {{ $value }}, fewer than within the last day",
        description="The others are disabled, without credit, without a secret, or switched off."
        " lbk costs shows which, lbk test-keys why.",
    )
    yield _Alert(
        name="LbkNoKeyReady",
        condition=f'sum by ({_SAME}, provider) (lbk_key_state{{state=~"ready|held"}}) == 0\n'
        f'and sum by ({_SAME}, provider) (lbk_key_state{{state!~"off|no_secret"}}) > 0',
        forgiven="5m",
        severity="critical",
        summary="No key of {{ $labels.provider }} is ready",
        description="lbk route says why, and when the first comes free; lbk reset-limits --provider"
        " {{ $labels.provider }} tries again now.",
    )


def _measuring() -> Iterator[_Alert]:
    yield _Alert(
        name="LbkMetricsStale",
        condition=f"time() - lbk_metrics_last_run_timestamp_seconds > {STALE_AFTER_S}",
        forgiven="0m",
        severity="warning",
        summary="lbk metrics has not run for {{ $value | humanizeDuration }}",
        description="Its figures are old, and no other alert can be believed. Run the line that cron runs by hand:"
        " lbk metrics --output FILE says what is wrong.",
    )
    yield _Alert(
        name="LbkMetricsMissing",
        condition="absent(lbk_metrics_last_run_timestamp_seconds)",
        forgiven="15m",
        severity="warning",
        summary="There are no figures of lbk",
        description="Neither a textfile nor a scrape brings any. See that lbk metrics --serve runs and is scraped,"
        " or that the collector reads the FILE of lbk metrics --output.",
    )


def _rule(alert: _Alert) -> dict[str, object]:
    labels = {"severity": alert.severity}
    if alert.threshold is not None:
        labels["threshold"] = alert.threshold
    return {
        "alert": alert.name,
        "expr": alert.condition,
        "for": alert.forgiven,
        "labels": labels,
        "annotations": {"summary": alert.summary, "description": alert.description},
    }


def _number(share: Decimal) -> str:
    return f"{share.normalize():f}"


# --- YAML: nothing here but maps of text, so that each line is plain to see ---


def _item(rule: Mapping[str, object], indent: str) -> Iterator[str]:
    """Yield the lines of a rule as an item of a list."""
    for number, line in enumerate(_lines(rule)):
        yield f"{indent}- {line}" if number == 0 else f"{indent}  {line}"


def _lines(tree: Mapping[str, object]) -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield f"{name}:"
            yield from (f"  {line}" for line in _lines(value))
        else:
            yield from _text(name, str(value))


def _text(name: str, value: str) -> Iterator[str]:
    if re.fullmatch(r"[A-Za-z][A-Za-z_:0-9]*|[0-9]+[smhd]", value):
        yield f"{name}: {value}"
    elif name == "expr":
        yield f"{name}: |-"
        yield from (f"  {line}" for line in value.split("\n"))
    else:
        yield f"{name}: {json.dumps(value, ensure_ascii=False)}"
