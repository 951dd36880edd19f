"""The documents of `--json`: one a command, with ISO 8601 times in UTC and amounts as numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.outcome import Answer, Attempt, NoAnswer, Report
from lollmsbot_keys.core.model.request import Candidate, Known, Plan
from lollmsbot_keys.core.model.snapshot import Cooldown, Disabled


def document(tree: object) -> str:
    """Return `tree` as JSON text.

    It is pure ASCII, so that nothing in it can be terminal control, and no line is a CI command.
    """
    return json.dumps(tree, indent=2, ensure_ascii=True, default=_plain).replace("##[", "##\\u005b")


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a document")


def instant(moment: datetime) -> str:
    """Format a moment as `2026-11-23T18:30:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


# --- route ---


def route_tree(plan: Plan, known: Known) -> dict[str, object]:
    """Return the document of `lbk route`."""
    lists = {provider: known.lists.get(provider) for provider in Provider}
    return {**plan_tree(plan), "catalogue": {"read_on": known.read_on, "lists": lists}}


def plan_tree(plan: Plan) -> dict[str, object]:
    """Return the part of a document that every plan has."""
    return {
        "decision": None if plan.choice is None else _decision(plan.choice),
        "retry_at": plan.retry_at,
        "model": plan.model,
        "privacy": plan.privacy,
        "pillar": plan.pillar,
        "role": plan.role,
        "notices": list(plan.notices),
        "candidates": [_candidate(candidate) for candidate in plan.candidates],
    }


def _decision(choice: Candidate) -> dict[str, object]:
    return {
        "key": choice.key,
        "provider": choice.provider,
        "model": choice.model,
        "endpoint": choice.endpoints[0],
        "rule": choice.rule,
        "estimated_cost_usd": choice.bound_usd,
        "priced_on": _priced_on(choice),
    }


def _candidate(candidate: Candidate) -> dict[str, object]:
    aside = candidate.set_aside
    return {
        "key": candidate.key,
        "provider": candidate.provider,
        "model": candidate.model,
        "eligible": candidate.eligible,
        "reason": aside.reason if aside is not None else "unproven" if candidate.unproven else None,
        "until": aside.until if aside is not None else None,
        "detail": aside.detail if aside is not None else "",
        "rule": candidate.rule,
        "endpoint": candidate.endpoints[0],
        "estimated_cost_usd": candidate.bound_usd,
        "priced_on": _priced_on(candidate),
    }


def _priced_on(candidate: Candidate) -> date | None:
    return None if candidate.price is None else candidate.price.priced_on


# --- ask ---


def report_tree(report: Report) -> dict[str, object]:
    """Return the document of `lbk ask`."""
    attempts = [attempt_tree(attempt) for attempt in report.attempts]
    match report:
        case Answer():
            return {
                "text": report.text,
                "key": report.key,
                "provider": report.provider,
                "model": report.model,
                "instead_of": report.instead_of,
                "pillar": report.pillar,
                "role": report.role,
                "finish_reason": report.finish_reason,
                "usage": {
                    "prompt_tokens": report.usage.prompt_tokens,
                    "completion_tokens": report.usage.completion_tokens,
                },
                "cost_usd": report.cost_usd,
                "cost_source": report.cost_source,
                "latency_ms": report.latency_ms,
                "attempts": attempts,
                "request_id": report.request_id,
            }
        case NoAnswer():
            return {
                "error": {"code": report.code, "message": report.message},
                "retry_at": report.retry_at,
                "attempts": attempts,
                "request_id": report.request_id,
                **({"text": report.text} if report.text else {}),
            }


def attempt_tree(attempt: Attempt) -> dict[str, object]:
    """Return one attempt, for the document of `lbk ask` and others."""
    return {
        "key": attempt.key,
        "provider": attempt.provider,
        "model": attempt.model,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "latency_ms": attempt.latency_ms,
        "cooldown_until": attempt.cooldown_until,
        "detail": attempt.detail,
    }


# --- reset-limits ---


def cleared_tree(
    cooldowns: Iterable[Cooldown], disabled: Mapping[str, Disabled], *, dry_run: bool
) -> dict[str, object]:
    """Return the document of `lbk reset-limits`."""
    return {
        "dry_run": dry_run,
        "cooldowns": [
            {
                "scope": cooldown.scope.reach,
                "provider": cooldown.scope.provider,
                "key": cooldown.scope.key or None,
                "model": cooldown.scope.model or None,
                "reason": cooldown.reason,
                "until": cooldown.until,
                "source": cooldown.source,
            }
            for cooldown in cooldowns
        ],
        "disabled": [{"key": key, "since": mark.since, "source": mark.source} for key, mark in disabled.items()],
    }
