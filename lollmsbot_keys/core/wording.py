"""Sentences about a plan that more than one command says."""

from __future__ import annotations

from lollmsbot_keys.core.catalogue import Privacy
from lollmsbot_keys.core.request import Plan, Reason


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


def what_next(plan: Plan) -> str:
    """What a person can do about a plan without an eligible candidate."""
    reasons = {candidate.set_aside.reason for candidate in plan.candidates if candidate.set_aside is not None}
    if not plan.candidates:
        return "No configured key has this model: see lbk route --help for --model and --key."
    if reasons == {Reason.NO_SECRET}:
        return "No key has a secret: lbk route says where each is looked for. To try lbk without one: lbk sandbox."
    if plan.privacy is Privacy.CRITICAL:
        return (
            "Critical prompts need a model of this machine's own: name one with --model, or fetch it with ollama pull."
        )
    if plan.retry_at is not None:
        return "lbk ask --wait DURATION waits for it; lbk reset-limits tries again now."
    return "lbk route shows the whole plan."
