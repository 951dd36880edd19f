"""The alerts about a key that is used far more than it usually is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

from lollmsbot_keys.core.model.alert import Alert, AlertKind, figure
from lollmsbot_keys.core.model.config import Config, Key
from lollmsbot_keys.core.model.snapshot import Snapshot, Spender
from lollmsbot_keys.core.money import amounts
from lollmsbot_keys.core.state import usage_baseline as rule


def unusual(config: Config, snapshot: Snapshot, now: datetime) -> Iterator[Alert]:
    """Yield an alert for each key whose calls or cost of today are beyond its last days' usual."""
    today = amounts.budget_day(now, config.timezone)
    for key in config.keys:
        spender = Spender(key.provider, key.name)
        parts = (
            _beyond(
                Decimal(rule.calls_of(snapshot, key.name, today)), rule.usual_calls(snapshot, key.name, today), "calls"
            ),
            _beyond(rule.cost_of(snapshot, spender, today), rule.usual_cost(snapshot, spender, today), "USD"),
        )
        if any(parts):
            yield _alert(key, today, " and ".join(filter(None, parts)))


def _beyond(used: Decimal, usual: rule.Usual | None, unit: str) -> str:
    if usual is None or used <= usual.line:
        return ""
    return (
        f"{figure(used)} {unit} (the median of {usual.days} days is {figure(usual.median)}, "
        f"and up to {figure(usual.line)} would be nothing unusual)"
    )


def _alert(key: Key, today: date, how: str) -> Alert:
    return Alert(
        AlertKind.UNUSUAL,
        f"unusual {key.name}",
        f"{key.name}: unusual use on {today}",
        f"{key.name} was used far more than on its last days: {how}. "
        "If that is not your doing, replace its secret. See: lbk costs",
        window=str(today),
        provider=key.provider,
        key=key.name,
    )
