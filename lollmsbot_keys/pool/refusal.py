"""The messages where nothing answered: what became of every key, until when, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from lollmsbot_keys.core.model.config import Privacy
from lollmsbot_keys.core.model.explain import comes_back, nothing_may, set_aside, what_next, why_not
from lollmsbot_keys.core.model.outcome import Attempt, Failure, NoAnswerCode, OutcomeKind
from lollmsbot_keys.core.model.request import Candidate, Plan, Reason
from lollmsbot_keys.core.routing.resolve import LOCAL_NAME
from lollmsbot_keys.errors import ConfigError


def exhausted(plan: Plan, attempts: Sequence[Attempt], local: str) -> tuple[NoAnswerCode, str]:
    """Return whether anything was tried (`failed`) or not (`refused`), and the message.

    `local` says why this machine is no help; "" where it is in `plan`. `plan` is the whole one, after all attempts.
    """
    aside = set_aside(plan)
    sent = {one.key or LOCAL_NAME: told(one) for one in attempts if one.outcome is not OutcomeKind.UNPROVEN}
    if attempts if plan.privacy is Privacy.CRITICAL else LOCAL_NAME in {*aside, *sent}:
        local = ""
    if not sent:
        why = "; ".join(f"{one.key or LOCAL_NAME}: {one.detail}" for one in attempts) or why_not(plan)
        return "refused", f"{nothing_may(plan)} {why}{_beside(local)}. {what_next(plan)}"
    unsaid = {Reason.NO_SECRET, Reason.PRIVACY} if plan.privacy is Privacy.CRITICAL else {Reason.NO_SECRET}
    left_out = {label: why for label, why in aside.items() if why.reason not in unsaid}
    tries = {**{label: why.reason.words for label, why in left_out.items()}, **sent}
    message = f"No key answered. {', '.join(f'{label}: {words}' for label, words in tries.items())}{_beside(local)}."
    if plan.choice is None and (back := comes_back(plan)):
        message += f" {back}. {what_next(plan)}"
    return "failed", message


def _beside(local: str) -> str:
    return f", {LOCAL_NAME}: {local}" if local else ""


def told(attempt: Attempt) -> str:
    """Say in a few words what became of one attempt."""
    status = f" ({attempt.status})" if attempt.status else ""
    # A person must know which place was not reached; other details are for -v and --json.
    where = f" ({attempt.detail})" if attempt.outcome is OutcomeKind.UNREACHABLE and attempt.detail else ""
    return f"{attempt.outcome.words}{status}{where}"


def words(failure: Failure) -> str:
    """Say what went wrong, with the words of the one that said so."""
    return f"{failure.kind.words}: {failure.evidence}" if failure.evidence else failure.kind.words


def broken_off(failure: Failure) -> str:
    """Say that an answer was cut, and by what."""
    return f"The answer was cut: {words(failure).removeprefix(f'{OutcomeKind.CUT.words}: ')}"


def untrusted(candidate: Candidate) -> ConfigError:
    """Make the error for a candidate that would be used if its host could be trusted."""
    detail = candidate.set_aside.detail if candidate.set_aside else ""
    return ConfigError(f"{candidate.label} would be used now, but {detail}. Nothing was sent to it.")
