"""What a model's template adds to a prompt: in every bound, and learnt where a provider reports more."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Config, Provider
from lollmsbot_keys.core.model.outcome import Answer, Refused
from lollmsbot_keys.core.model.request import Request
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.money.template_tokens import (
    MOST_MODELS,
    MOST_TOKENS,
    TemplateSeen,
    configured,
    learnt,
    template_tokens,
)
from lollmsbot_keys.core.state.events import record
from lollmsbot_keys.edges.config import load as config_file
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.edges.state.codec import decode, encode
from lollmsbot_keys.pool import KeyPool
from lollmsbot_keys.runtime import Engine
from lollmsbot_keys.sandbox import Fault
from lollmsbot_keys.sandbox.http import HttpReply, bytes_reply
from tests.examples import examples
from tests.lab import OLLAMA, lab
from tests.strategies import CONFIG, NOW, World
from tests.test_key_pool import settled

OLLAMA_SIDE, OPENROUTER = Provider.OLLAMA, Provider.OPENROUTER
MISTRAL = "mistral-large-3:675b"
DEFAULT_TEXT_TOKENS = 537
"""What `hi` costs where a template writes a default system text before it."""


def with_figure(tokens: int | None) -> Config:
    return CONFIG._replace(models={**CONFIG.models, "kimi": CONFIG.models["kimi"]._replace(template_tokens=tokens)})


@pytest.mark.parametrize(
    ("case", "figure", "reported", "tokens"),
    [
        ("nobody knows", None, (), 256),
        ("its own", 600, (), 600),
        ("its own, of a lean one", 8, (), 8),
        ("a report of more", 600, (700,), 700),
        ("a report of less", 600, (500,), 600),
        ("the most of all reports", None, (700, 900, 800), 900),
        ("no more than can be believed", None, (10**9,), MOST_TOKENS),
    ],
)
def test_which_figure_counts(case: str, figure: int | None, reported: tuple[int, ...], tokens: int) -> None:
    config, snapshot = with_figure(figure), Snapshot()
    for report in reported:
        snapshot = record(snapshot, TemplateSeen(OLLAMA_SIDE, "kimi", report), NOW)
    assert template_tokens(config, snapshot, OLLAMA_SIDE, "kimi") == tokens, case
    assert template_tokens(config, snapshot, OPENROUTER, "kimi") == configured(config, "kimi"), "another's template"
    choice = World(Request(model="kimi", prompt_tokens=10), config, snapshot).plan().choice
    assert choice is not None
    assert (choice.prompt_tokens, choice.template_tokens) == (10 + tokens, tokens)
    assert choice.bound_usd == (Decimal("0.60") * (10 + tokens) + Decimal("3.00") * 4096) / 1_000_000


reports = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 2 * MOST_TOKENS)), max_size=8)


@settings(max_examples=examples(100))
@given(reports)
def test_what_was_learnt_is_never_lowered_and_never_forgotten(seen: list[tuple[str, int]]) -> None:
    snapshot = Snapshot()
    for model, tokens in seen:
        before = snapshot
        snapshot = decode(encode(learnt(snapshot, TemplateSeen(OLLAMA_SIDE, model, tokens))))
        assert learnt(snapshot, TemplateSeen(OLLAMA_SIDE, model, tokens)) == snapshot, "twice is once"
        for name in ("a", "b"):
            now, then = (template_tokens(CONFIG, each, OLLAMA_SIDE, name) for each in (snapshot, before))
            assert now >= then
        assert template_tokens(CONFIG, snapshot, OLLAMA_SIDE, model) >= min(tokens, MOST_TOKENS)


def test_endless_models_share_a_figure_and_none_is_forgotten() -> None:
    snapshot = Snapshot()
    for number in range(3 * MOST_MODELS):
        snapshot = learnt(snapshot, TemplateSeen(OLLAMA_SIDE, f"m{number}", 1_000 + number))
    assert len(snapshot.template_tokens[OLLAMA_SIDE]) == MOST_MODELS + 1
    for number in range(3 * MOST_MODELS):
        assert template_tokens(CONFIG, snapshot, OLLAMA_SIDE, f"m{number}") >= 1_000 + number
    assert len(encode(snapshot)) - len(encode(Snapshot())) < 20 * MOST_MODELS


def test_a_state_from_before_knows_of_no_template() -> None:
    tree = json.loads(encode(Snapshot()))
    del tree["template_tokens"]
    assert decode(json.dumps(tree).encode()) == Snapshot()


# What was measured with real templates and tokenizers for one message, thinking and a default system text inside.
MEASURED = {
    "kimi-k2-thinking": 23,
    "deepseek-v3.1:671b": 6,
    "cogito-2.1:671b": 36,
    "ministral-3:8b": 630,
    MISTRAL: 1_227,
    "devstral-2:123b": 1_227,
    "devstral-small-2:24b": 1_227,
    "qwen3-next:80b": 10,
    "qwen3-coder-next": 8,
    "qwen3.5:397b": 12,
    "qwen3-vl:4b": 10,
    "qwen3-vl:30b": 10,
    "minimax-m2.1": 38,
    "minimax-m3": 176,
    "nemotron-3-nano:30b": 16,
    "glm-4.7": 9,
    "glm-5.2": 12,
    "rnj-1:8b": 32,
    "gpt-oss:120b": 67,
    "gemma3:27b": 9,
    "gemma4:31b": 17,
    "nomic-embed-text-v2-moe": 3,
    "deepseek-v4-flash:0731": 97,
}


@cache
def shipped() -> Config:
    return config_file.load(None, Environment({"HOME": "/nonexistent"})).config


@pytest.mark.parametrize("model", MEASURED)
def test_the_shipped_figures_are_above_what_was_measured(model: str) -> None:
    figure = shipped().models[model].template_tokens
    assert figure is not None
    assert figure > MEASURED[model], "a margin is in it"


def test_no_shipped_figure_is_wasteful_and_equivalents_have_no_less() -> None:
    config = shipped()
    for name, model in config.models.items():
        assert 8 <= configured(config, name) <= 1_536
        if model.openrouter is not None:
            assert configured(config, model.openrouter) >= (model.template_tokens or 0)


# --- end to end ---


def answer(prompt: int, completion: int) -> HttpReply:
    said = {"choices": [{"index": 0, "delta": {"content": "Oui"}, "finish_reason": None}]}
    stop = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}
    events = [f"data: {json.dumps(event)}\n\n".encode() for event in (said, stop, usage)]
    return bytes_reply(200, b"".join([*events, b"data: [DONE]\n\n"]), "text/event-stream")


def always(prompt: int, completion: int = 1) -> Fault:
    return Fault.raw("ollama", answer(prompt, completion), times=None)


@pytest.mark.parametrize("shipped", [True, False])
def test_ten_at_once_never_pass_a_budget_whatever_the_template_adds(tmp_path: Path, *, shipped: bool) -> None:
    """Nor do twenty after them, where the shipped figure was far too low and had to be learnt."""
    budget = Decimal("0.0013")
    figure = "" if shipped else "template_tokens = 1\n"
    config = f'[models."{MISTRAL}"]\n{figure}input_usd_per_mtok = 0.5\noutput_usd_per_mtok = 1.5\n'
    with lab(tmp_path, settings=config) as here:
        here.sandbox.add(always(DEFAULT_TEXT_TOKENS))
        env = {**here.env, "OLLAMA_DAILY_BUDGET": str(budget), "OPENROUTER_FALLBACK": "false"}

        async def ask(times: int) -> list[object]:
            async with KeyPool(Engine.open(environment=Environment(env))) as pool:
                return list(await settled([pool.ask("hi", model=MISTRAL, max_output_tokens=1) for _ in range(times)]))

        if not shipped:
            asyncio.run(ask(1))
            assert here.state.template_tokens == {OLLAMA_SIDE: {MISTRAL: DEFAULT_TEXT_TOKENS - 3}}
        results = asyncio.run(ask(10)) + asyncio.run(ask(10))
        answers = [result for result in results if isinstance(result, Answer)]
        assert answers
        assert all(isinstance(result, Refused) for result in results if result not in answers)
        assert here.cell()[1].cost_usd == Decimal("0.00027") * (len(answers) + (not shipped)) <= budget


def test_an_excess_is_booked_and_told_and_expected_from_then_on(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.sandbox.add(Fault.raw("ollama", answer(90_000, 1)))
        done = here.quick("ask", "hi", "-m", MISTRAL, "--max-tokens", "1")
        assert done.code == 0
        assert "prompt tokens more than were expected of its template" in done.err
        assert here.cell()[1].cost_usd == Decimal("0.0450015"), "all of it"
        assert here.state.template_tokens == {OLLAMA_SIDE: {MISTRAL: MOST_TOKENS}}, "no more than can be believed"
        assert here.quick("reset-limits", "--all").code == 0
        expected = here.candidate(OLLAMA, MISTRAL, "-m", MISTRAL)["estimated_cost_usd"]
        assert expected == pytest.approx((MOST_TOKENS * 0.5 + 4096 * 1.5) / 1e6)
