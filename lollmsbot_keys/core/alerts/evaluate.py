"""The alerts that people must be told now, by the shared state.

The environment of the process that asks plays no part. Cron has no secrets in its environment, and sees the same alerts
as the shell that made the calls.
"""

from __future__ import annotations

from datetime import datetime

from lollmsbot_keys.core.alerts.budgets import budgets, forecasts
from lollmsbot_keys.core.alerts.keys import disabled, overdue, shrunk, standstill
from lollmsbot_keys.core.alerts.usage import unusual
from lollmsbot_keys.core.model.alert import Alert, AlertKind
from lollmsbot_keys.core.model.config import Config
from lollmsbot_keys.core.model.request import Facts
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.rotation import schedule


def alerts(config: Config, snapshot: Snapshot, facts: Facts, now: datetime) -> tuple[Alert, ...]:
    """Return every alert that holds at `now`, the gravest first."""
    of_budgets = tuple(budgets(config, snapshot, now))
    pointless = {name for alert in of_budgets for name in alert.covers}
    found = [
        *standstill(config, snapshot, facts, now),
        *shrunk(config, snapshot, facts, now),
        *disabled(config, snapshot, facts),
        *of_budgets,
        *(alert for alert in forecasts(config, snapshot, now) if alert.name not in pointless),
        *unusual(config, snapshot, now),
        *overdue(config, schedule.overdue(config, snapshot, facts, now)),
    ]
    return tuple(_since(alert, snapshot, now) for alert in sorted(found, key=_gravity))


def _gravity(alert: Alert) -> tuple[int, bool, str]:
    return _ORDER.index(alert.kind), not alert.grave, alert.name


_ORDER = tuple(AlertKind)


def _since(alert: Alert, snapshot: Snapshot, now: datetime) -> Alert:
    known = snapshot.alerts.get(alert.name)
    if alert.since is not None or known is None or known.over is not None or alert.window > known.window:
        return alert._replace(since=alert.since or now)
    return alert._replace(since=known.since)
