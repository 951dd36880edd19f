"""Sentences about a plan that more than one command says."""

from __future__ import annotations

from math import inf

from lollmsbot_keys.core.catalogue import Privacy
from lollmsbot_keys.core.request import Plan, Reason, SetAside

_RESETTABLE = {Reason.COOLING_DOWN, Reason.NO_CREDIT, Reason.NO_SUCH_MODEL}
"""What `reset-limits` clears, where it passes by time; hourly limits and budgets it leaves alone."""


def why_not(plan: Plan) -> str:
    """Why no candidate of `plan` may be used, in one line: of each label the reason that passes first."""
    seen: dict[str, SetAside] = {}
    for candidate in plan.candidates:
        if candidate.set_aside is not None:
            known = seen.setdefault(candidate.label, candidate.set_aside)
            seen[candidate.label] = min(known, candidate.set_aside, key=_back_at)
    return ", ".join(f"{label}: {_told(aside)}" for label, aside in seen.items()) or "no key could take it at all"


def _back_at(aside: SetAside) -> float:
    return aside.until.timestamp() if aside.until is not None else inf


def _told(aside: SetAside) -> str:
    return aside.reason if aside.until is None else f"{aside.reason} until {aside.until:%Y-%m-%d %H:%M:%S} UTC"


def what_next(plan: Plan) -> str:
    """What a person can do about a plan without an eligible candidate."""
    reasons = {candidate.set_aside.reason for candidate in plan.candidates if candidate.set_aside is not None}
    if not plan.candidates:
        return "No key that was allowed for it can take this model: see --model and --key in lbk route --help."
    if reasons == {Reason.NO_SECRET}:
        return "No key has a secret: lbk route says where each is looked for. To try lbk without one: lbk sandbox."
    if plan.privacy is Privacy.CRITICAL:
        return (
            "Critical prompts need a model of this machine's own: name one with --model, or fetch it with ollama pull."
        )
    if plan.retry_at is not None:
        also = "" if reasons.isdisjoint(_RESETTABLE) else "; lbk reset-limits tries again now"
        return f"lbk ask --wait DURATION waits for it{also}."
    if Reason.DISABLED in reasons:
        return "Find out what is wrong with the disabled keys with lbk test-keys, or try them again: lbk reset-limits."
    if Reason.OVER_BUDGET in reasons:
        return "The most this could cost is beyond the budget: lower --max-tokens, shorten the prompt, or raise it."
    return "lbk route shows the whole plan."
