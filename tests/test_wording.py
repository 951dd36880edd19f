"""Sentences about a plan in which nothing may be used, and about answers that are not whole."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Privacy, Provider
from lollmsbot_keys.core.model.explain import nothing_may, shortfall, what_next, why_not
from lollmsbot_keys.core.model.outcome import Answer, Attempt, OutcomeKind, Usage
from lollmsbot_keys.core.model.request import Candidate, Plan, Reason, Rule, SetAside
from lollmsbot_keys.pool.refusal import exhausted
from tests.strategies import NOW

SOON, LATER = NOW + timedelta(minutes=1), NOW + timedelta(days=1)


def plan(*asides: SetAside) -> Plan:
    """A plan of one key and as many models, each set aside."""
    candidates = tuple(
        Candidate("KEY", Provider.OLLAMA, str(place), (), Rule.NAMED_MODEL, None, Decimal(0), set_aside=aside)
        for place, aside in enumerate(asides)
    )
    back = min((aside.until for aside in asides if aside.until is not None), default=None)
    return Plan(candidates, "0", Privacy.MEDIUM, None, None, 1, back)


def test_of_a_key_s_models_the_one_that_comes_back_first_is_named() -> None:
    gone, limited = SetAside(Reason.NO_SUCH_MODEL, LATER), SetAside(Reason.COOLING_DOWN, SOON)
    never = SetAside(Reason.OVER_BUDGET)
    said = f"KEY: cooling down until {SOON:%Y-%m-%d %H:%M:%S} UTC"
    assert why_not(plan(gone, limited)) == why_not(plan(limited, gone)) == why_not(plan(never, limited)) == said
    assert why_not(plan(never, SetAside(Reason.DISABLED))) == "KEY: over budget"


@pytest.mark.parametrize("reason", [Reason.HOURLY_LIMIT, Reason.OVER_BUDGET])
def test_a_reset_is_advised_only_where_it_helps(reason: Reason) -> None:
    limit = SetAside(reason, SOON)
    assert what_next(plan(limit)) == "lbk ask --wait DURATION waits for it."
    mixed = what_next(plan(limit, SetAside(Reason.COOLING_DOWN, SOON)))
    assert mixed == "lbk ask --wait DURATION waits for it; lbk reset-limits tries again now."


CUT, EMPTY, MAYBE = "The answer is cut", "There is not a word of an answer", "The answer may not be whole"
CAP, MORE = ": the cap of output tokens ended it", "Raise it with --max-tokens."
IN_ORDER, FILTER, OTHER = (
    ", though it ended in good order",
    ": a filter of the provider's ended it",
    ": it ended for another",
)


@pytest.mark.parametrize(
    ("text", "finish", "told"),
    [
        ("hello", "stop", ""),
        ("hello", None, ""),
        ("hello", "end_turn", ""),
        ("", "stop", f"{EMPTY}{IN_ORDER} (stop)."),
        (" \n", None, f"{EMPTY}{IN_ORDER} (no reason given)."),
        ("", "tool_calls", f"{EMPTY}{IN_ORDER} (tool_calls)."),
        ("hello", "length", f"{CUT}{CAP} (length, 7 tokens). {MORE}"),
        ("hello", "MAX_TOKENS", f"{CUT}{CAP} (MAX_TOKENS, 7 tokens). {MORE}"),
        ("", "length", f"{EMPTY}{CAP} (length, 7 tokens). Thoughts count, too. {MORE}"),
        ("hello", "content_filter", f"{CUT}{FILTER} (content_filter)."),
        ("", "SAFETY", f"{EMPTY}{FILTER} (SAFETY)."),
        ("hello", "insufficient_system_resource", f"{MAYBE}{OTHER} reason (insufficient_system_resource)."),
        ("", "load", f"{EMPTY}{OTHER} reason (load)."),
    ],
)
def test_what_was_not_said_in_full_is_told(text: str, finish: str | None, told: str) -> None:
    nothing, usage = Decimal(0), Usage(11, 7)
    answer = Answer(text, "KEY", Provider.OLLAMA, "m", None, None, finish, usage, nothing, "local", nothing, 1, ())
    assert shortfall(answer) == told
    if finish == "length":
        assert ", 7 tokens" not in shortfall(answer._replace(usage=Usage()))
        one = told.replace("7 tokens", "1 token")
        assert shortfall(answer._replace(usage=answer.usage._replace(completion_tokens=1))) == one


SOON_SAID = f"{SOON:%Y-%m-%d %H:%M:%S} UTC"


@pytest.mark.parametrize(
    ("asides", "said"),
    [
        ([SetAside(Reason.NO_SUCH_MODEL, SOON), SetAside(Reason.OVER_BUDGET)], "over budget"),
        (
            [SetAside(Reason.NO_SUCH_MODEL), SetAside(Reason.OVER_BUDGET, LATER)],
            f"over budget until {LATER:%Y-%m-%d %H:%M:%S} UTC",
        ),
        ([SetAside(Reason.NO_SUCH_MODEL, SOON)], "no such model"),
        ([SetAside(Reason.OVER_BUDGET, LATER), SetAside(Reason.HELD, SOON)], f"held until {SOON_SAID}"),
        ([SetAside(Reason.NO_SECRET)], "no secret"),
        ([SetAside(Reason.UNPROVEN, detail="it would leave this machine")], "it would leave this machine"),
        ([SetAside(Reason.UNPROVEN)], "unproven"),
    ],
)
def test_a_key_is_told_by_its_best_candidate_in_words_for_people(asides: list[SetAside], said: str) -> None:
    assert why_not(plan(*asides)) == why_not(plan(*reversed(asides))) == f"KEY: {said}"


@pytest.mark.parametrize(
    ("aside", "told", "advice"),
    [
        (SetAside(Reason.COOLING_DOWN, SOON), f"; the first key comes free at {SOON_SAID}", "lbk ask --wait DURATION"),
        (SetAside(Reason.HELD, SOON), f"; the first key comes free at {SOON_SAID}", "lbk ask --wait DURATION"),
        (SetAside(Reason.NO_SUCH_MODEL, LATER), "", "lbk test-keys --models"),
        (SetAside(Reason.OVER_BUDGET), "", "lower --max-tokens"),
        (SetAside(Reason.DISABLED), "", "lbk reset-limits"),
    ],
)
def test_a_refusal_names_the_model_and_says_until_when_and_what_helps(aside: SetAside, told: str, advice: str) -> None:
    code, message = exhausted(plan(aside), (), "nothing answers")
    assert code == "refused"
    assert message.startswith(f"Nothing may take 0 now{told}. KEY: {aside.reason.words}")
    assert ", local: nothing answers. " in message
    assert advice in message
    assert nothing_may(plan(aside)._replace(model=None)) == f"Nothing may take this now{told}."


def test_where_all_failed_the_others_are_told_too_and_what_helps() -> None:
    attempt = Attempt("OTHER", Provider.OLLAMA, "0", OutcomeKind.RATE_LIMITED, 429, 1)
    code, message = exhausted(plan(SetAside(Reason.HOURLY_LIMIT, SOON)), (attempt,), "")
    assert code == "failed"
    assert message == (
        "No key answered. KEY: hourly limit, OTHER: rate limited (429). "
        f"The first key comes free at {SOON_SAID}. lbk ask --wait DURATION waits for it."
    )


@given(st.lists(st.builds(SetAside, st.sampled_from(list(Reason)), st.sampled_from([None, SOON, LATER])), min_size=1))
def test_no_code_stands_in_a_sentence(asides: list[SetAside]) -> None:
    assert "_" not in exhausted(plan(*asides), (), "")[1]


def test_at_critical_only_this_machine_is_spoken_of() -> None:
    critical = plan(SetAside(Reason.PRIVACY))._replace(privacy=Privacy.CRITICAL)
    attempt = Attempt(None, Provider.LOCAL, "0", OutcomeKind.UNAVAILABLE, 503, 1)
    assert exhausted(critical, (attempt,), "") == ("failed", "No key answered. local: unavailable (503).")
    unproven = attempt._replace(outcome=OutcomeKind.UNPROVEN, detail="it may be run elsewhere")
    for local in ("", "it cannot be asked"):
        said = exhausted(critical, (unproven,), local)[1]
        assert " now. local: it may be run elsewhere. Critical prompts need" in said
