"""Sentences about plans and answers that more than one command says."""

from __future__ import annotations

from math import inf
from typing import assert_never

from lollmsbot_keys.core.catalogue import Privacy
from lollmsbot_keys.core.report import Answer, Ending
from lollmsbot_keys.core.request import Plan, Reason, SetAside

_RESETTABLE = {Reason.COOLING_DOWN, Reason.NO_CREDIT, Reason.NO_SUCH_MODEL}
"""What `reset-limits` clears, where it passes by time; hourly limits and budgets it leaves alone."""


def shortfall(answer: Answer) -> str:
    """What a model did not say in full, and what to do; "" where it said all."""
    said, reason = bool(answer.text.strip()), answer.finish_reason or "no reason given"
    what = "The answer is cut" if said else "There is not a word of an answer"
    match ending := Ending.of(answer.finish_reason):
        case Ending.WHOLE:
            return "" if said else f"{what}, though it ended in good order ({reason})."
        case Ending.CAP:
            spent = "" if said else " Thoughts count, too."
            tokens = f", {answer.usage.completion_tokens} tokens" if answer.usage.completion_tokens else ""
            return f"{what}: the cap of output tokens ended it ({reason}{tokens}).{spent} Raise it with --max-tokens."
        case Ending.FILTER:
            return f"{what}: a filter of the provider's ended it ({reason})."
        case Ending.OTHER:
            return f"{what if not said else 'The answer may not be whole'}: it ended for another reason ({reason})."
        case _:
            assert_never(ending)


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
