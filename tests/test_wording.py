"""Sentences about a plan in which nothing may be used, and about answers that are not whole."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from lollmsbot_keys.core.catalogue import Privacy, Provider
from lollmsbot_keys.core.report import Answer, Usage
from lollmsbot_keys.core.request import Candidate, Plan, Reason, Rule, SetAside
from lollmsbot_keys.core.wording import shortfall, what_next, why_not
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
    said = f"KEY: cooling_down until {SOON:%Y-%m-%d %H:%M:%S} UTC"
    assert why_not(plan(gone, limited)) == why_not(plan(limited, gone)) == why_not(plan(never, limited)) == said
    assert why_not(plan(never, SetAside(Reason.DISABLED))) == "KEY: over_budget"


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
