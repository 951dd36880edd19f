"""Sentences about plans and answers that more than one command says."""

from __future__ import annotations

from datetime import datetime
from math import inf
from typing import assert_never

from lollmsbot_keys.core.model.config import Privacy, Provider
from lollmsbot_keys.core.model.outcome import Answer, Ending
from lollmsbot_keys.core.model.request import Known, Plan, Reason, SetAside

_RESETTABLE = {Reason.COOLING_DOWN, Reason.NO_CREDIT}
"""Reasons that `reset-limits` clears and that may have passed by then. It leaves hourly limits and budgets alone."""


def nothing_may(plan: Plan) -> str:
    """Say that no candidate of `plan` may be used.

    The sentence names the model and the end of the wait.
    """
    back = comes_back(plan)
    return f"Nothing may take {plan.model or 'this'} now{f'; {back[0].lower()}{back[1:]}' if back else ''}."


def comes_back(plan: Plan) -> str:
    """Return until when waiting helps, or "" if it does not help."""
    back = _comes_back(plan)
    return f"The first key comes free at {instant(back)}" if back is not None else ""


def shortfall(answer: Answer) -> str:
    """Return what an incomplete answer lacks and what to do, or "" if it is complete."""
    said, reason = bool(answer.text.strip()), answer.finish_reason or "no reason given"
    what = "The answer is cut" if said else "There is not a word of an answer"
    match ending := Ending.of(answer.finish_reason):
        case Ending.WHOLE:
            return "" if said else f"{what}, though it ended in good order ({reason})."
        case Ending.CAP:
            spent = "" if said else " Thoughts count, too."
            used = answer.usage.completion_tokens
            tokens = f", {used} token{'s' if used > 1 else ''}" if used else ""
            return f"{what}: the cap of output tokens ended it ({reason}{tokens}).{spent} Raise it with --max-tokens."
        case Ending.FILTER:
            return f"{what}: a filter of the provider's ended it ({reason})."
        case Ending.OTHER:
            return f"{what if not said else 'The answer may not be whole'}: it ended for another reason ({reason})."
        case _:
            assert_never(ending)


def why_not(plan: Plan) -> str:
    """Explain in one line why no candidate of `plan` may be used.

    For each label it is the reason of its best candidate. At `critical` only this machine is looked at: for all others
    one sentence says that no such prompt goes there.
    """
    if plan.privacy is Privacy.CRITICAL:
        local = [c.set_aside for c in plan.candidates if c.provider is Provider.LOCAL and c.set_aside is not None]
        told = [f"local: {aside.detail or _told(aside)}" for aside in local]
        return "; ".join(told) or "Critical prompts stay on this machine"
    told = [f"{label}: {_told(aside)}" for label, aside in set_aside(plan).items()]
    return ", ".join(told) or "no key could take it at all"


def set_aside(plan: Plan) -> dict[str, SetAside]:
    """Return for each label the reason that keeps its best candidate out.

    It is the one that passes first, of a model that exists.
    """
    seen: dict[str, SetAside] = {}
    for candidate in plan.candidates:
        if candidate.set_aside is not None:
            known = seen.setdefault(candidate.label, candidate.set_aside)
            seen[candidate.label] = min(known, candidate.set_aside, key=_distance)
    return seen


def _distance(aside: SetAside) -> tuple[bool, float]:
    """Rank how far a candidate is from being used.

    It is no nearer if only the time comes at which its missing model may be asked for again.
    """
    return aside.reason is Reason.NO_SUCH_MODEL, aside.until.timestamp() if aside.until is not None else inf


def how_old(known: Known) -> str:
    """Tell how old the models and prices of a plan are."""
    lists = ", ".join(f"{provider} {fetched:%Y-%m-%d %H:%M} UTC" for provider, fetched in known.lists.items())
    live = f"lists fetched: {lists}" if lists else "no list fetched within a day (lbk test-keys does)"
    return f"Models and prices as of {known.read_on or 'an unknown day'}; {live}."


def _told(aside: SetAside) -> str:
    if aside.reason is Reason.UNPROVEN and aside.detail:
        return aside.detail
    if aside.reason is Reason.NO_SUCH_MODEL or aside.until is None:
        return aside.reason.words
    return f"{aside.reason.words} until {instant(aside.until)}"


def instant(moment: datetime) -> str:
    """Write a moment to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _comes_back(plan: Plan) -> datetime | None:
    """Return when the first candidate that is worth waiting for comes back."""
    back = [aside.until for aside in set_aside(plan).values() if aside.reason is not Reason.NO_SUCH_MODEL]
    return min((until for until in back if until is not None), default=None)


def what_next(plan: Plan) -> str:
    """Say what a person can do about a plan without an eligible candidate."""
    if not plan.candidates:
        return "No key that was allowed for it can take this model: see --model and --key in lbk route --help."
    reasons = {aside.reason for aside in set_aside(plan).values()}
    if reasons == {Reason.NO_SECRET}:
        where = "lbk route says where each is looked for. To try lbk without one: lbk sandbox."
        return f"No key that may take it has a secret: {where}"
    said = []
    if _comes_back(plan) is not None:
        every = {candidate.set_aside.reason for candidate in plan.candidates if candidate.set_aside is not None}
        also = "" if every.isdisjoint(_RESETTABLE) else "; lbk reset-limits tries again now"
        said.append(f"lbk ask --wait DURATION waits for it{also}.")
    elif plan.privacy is Privacy.CRITICAL:
        said.append("Critical prompts need a model of this machine's own: name one with --model, or ollama pull one.")
    if Reason.DISABLED in reasons:
        said.append("Why keys are disabled: lbk test-keys. To try them again: lbk reset-limits.")
    if any(aside.reason is Reason.OVER_BUDGET and aside.until is None for aside in set_aside(plan).values()):
        said.append("The most this could cost is beyond a budget: lower --max-tokens, shorten the prompt, or raise it.")
    if reasons - {Reason.NO_SECRET} == {Reason.NO_SUCH_MODEL}:
        said.append("Which models there are: lbk test-keys --models.")
    return " ".join(said) or "lbk route shows the whole plan."
