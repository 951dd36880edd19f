"""The JSON documents of `lbk rotate`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from lollmsbot_keys.core.model.rotation_journal import RotationReport, Standing

_DAY = timedelta(days=1)


def report_tree(key: str, report: RotationReport | None) -> dict[str, object]:
    """Return how far a rotation has come; without steps where there was none to continue."""
    if report is None:
        return {"key": key, "generation": None, "steps": [], "todo": [], "grace_until": None, "finished": True}
    return {
        "key": report.key,
        "provider": report.provider,
        "generation": report.generation,
        "steps": [{"step": step.step, "status": step.status, "detail": step.detail} for step in report.steps],
        "todo": list(report.todo),
        "grace_until": report.until,
        "finished": report.over,
        "rolled_back": report.back,
    }


def standings_tree(standings: Iterable[Standing], now: datetime) -> dict[str, object]:
    """Return the standing of every key; `step` is `null` where no rotation is under way."""
    return {"keys": [_standing(standing, now) for standing in standings]}


def _standing(standing: Standing, now: datetime) -> dict[str, object]:
    return {
        "key": standing.key,
        "provider": standing.provider,
        "generation": standing.generation or None,
        "since": standing.since,
        "age_days": None if standing.since is None else max(0, (now - standing.since) // _DAY),
        "due": standing.due,
        "status": standing.status,
        "overdue_days": standing.late,
        "step": standing.step,
        "grace_until": standing.until,
        "at_work": standing.at_work,
    }
