"""Sentences about a plan that more than one command says."""

from __future__ import annotations

from lollmsbot_keys.core.request import Plan


def why_not(plan: Plan) -> str:
    """Why no candidate of `plan` may be used, in one line: each label with its first reason."""
    seen: dict[str, str] = {}
    for candidate in plan.candidates:
        if candidate.set_aside is not None:
            reason = candidate.set_aside.reason.value
            if candidate.set_aside.until is not None:
                reason += f" until {candidate.set_aside.until:%Y-%m-%d %H:%M:%S} UTC"
            seen.setdefault(candidate.label, reason)
    return ", ".join(f"{label}: {reason}" for label, reason in seen.items()) or "no key could take it at all"
