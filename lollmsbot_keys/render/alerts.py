"""The forms of alerts: one line each, and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lollmsbot_keys.core.model.alert import Alert, AlertEnded
from lollmsbot_keys.core.security.sanitize import clean_line


def alert_lines(alerts: Iterable[Alert], ended: Iterable[AlertEnded]) -> Iterator[str]:
    """Yield a line for each alert that holds, the gravest first, then for each that is over."""
    yield from (clean_line(alert.message) for alert in alerts)
    yield from (clean_line(one.message) for one in ended)


def alert_trees(alerts: Iterable[Alert]) -> list[dict[str, object]]:
    """Return the `alerts` of the document of `lbk costs`."""
    return [
        {
            "kind": alert.kind,
            "provider": alert.provider,
            "key": alert.key,
            "threshold": alert.threshold,
            "window": alert.window or None,
            "severity": "critical" if alert.grave else "warning",
            "title": alert.title,
            "message": alert.message,
            "since": alert.since,
        }
        for alert in alerts
    ]


def ended_trees(ended: Iterable[AlertEnded]) -> list[dict[str, object]]:
    """Return the `resolved` of the document of `lbk costs --alert`."""
    return [{"title": one.title, "message": one.message, "since": one.since, "over": one.over} for one in ended]
