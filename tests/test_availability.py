"""Where each configured model is still to be had, and what of the configuration is rotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache

import pytest

from lollmsbot_keys.core.keys.availability import Market, nearest, rotten, served_as, survey
from lollmsbot_keys.core.model.config import Config, Model, Pillar, Privacy, Provider, Role
from lollmsbot_keys.core.model.findings import ModelFinding
from lollmsbot_keys.edges.config.load import load
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.sandbox.models import LOCAL_MODELS, OLLAMA_SERVED, OPENROUTER_FREE, OPENROUTER_PAID

OLLAMA, OPENROUTER, LOCAL = Provider.OLLAMA, Provider.OPENROUTER, Provider.LOCAL
LISTS = {
    OLLAMA: frozenset(OLLAMA_SERVED),
    OPENROUTER: frozenset({*OPENROUTER_PAID, *OPENROUTER_FREE}),
    LOCAL: frozenset(name for name, model in LOCAL_MODELS.items() if model.remote_model is None),
}
KEYS = {OLLAMA: ("O1", "O2"), OPENROUTER: ("R1",)}


@cache
def defaults() -> Config:
    return load(None, Environment({"HOME": "/nowhere"}), None).config


def market(
    lists: Mapping[Provider, Iterable[str]] = LISTS,
    asked: Iterable[Provider] = Provider,
    keys: Mapping[Provider, tuple[str, ...]] = KEYS,
) -> Market:
    offered = {provider: frozenset(names) for provider, names in lists.items()}
    return Market(offered, frozenset(asked), keys, date(2026, 12, 1))


def found(name: str, where: Market | None = None) -> ModelFinding:
    return next(model for model in survey(defaults(), where or market()) if model.name == name)


def without(*providers: Provider) -> Market:
    return market({provider: names for provider, names in LISTS.items() if provider not in providers})


def test_the_seventeen_come_first_and_nothing_that_is_named_is_left_out() -> None:
    models = survey(defaults(), market())
    assert [model.rc2 for model in models] == [True] * 17 + [False] * (len(models) - 17)
    names = [model.name for model in models]
    assert len(names) == len(set(names))
    named = {
        defaults().model(role.model).name for pillar in defaults().pillars.values() for role in pillar.roles.values()
    }
    fallbacks = {pillar.fallback.model for pillar in defaults().pillars.values() if pillar.fallback}
    assert named | fallbacks | set(defaults().providers[OPENROUTER].free_models) <= set(names)
    assert found("google/gemini-3-flash-preview").used_by == ("pillars.guardian.fallback",)
    assert found("kimi-k2.5").used_by == (
        "routing.default_model",
        "pillars.soul.primary",
        "pillars.reflective.orchestrator",
    )


@pytest.mark.parametrize(
    ("name", "status", "ollama", "openrouter", "local", "on"),
    [
        ("mistral-large-3:675b", "available", True, True, False, ("O1", "O2", "R1")),
        ("kimi-k2.5", "retired", False, True, False, ("R1",)),
        ("ministral-3:8b", "retired", False, True, False, ("R1",)),
        ("devstral-small-2:24b", "retired", False, False, False, ()),
        ("rnj-1:8b", "retired", False, False, False, ()),
        ("gemma3:27b", "available", False, True, True, ("R1", "local")),
        ("nomic-embed-text-v2-moe", "available", False, False, True, ("local",)),
        ("qwen3-vl:30b", "unlisted", False, True, False, ("R1",)),
        ("anthropic/claude-sonnet-5.5", "available", False, True, False, ("R1",)),
        ("openrouter/free", "available", False, True, False, ("R1",)),
    ],
)
def test_each_model_is_where_the_lists_say(
    name: str, status: str, ollama: object, openrouter: object, local: object, on: tuple[str, ...]
) -> None:
    model = found(name)
    assert (model.status, model.ollama, model.openrouter, model.local) == (status, ollama, openrouter, local)
    assert model.available_on == on


def test_a_retired_model_names_its_successor_and_its_equivalent() -> None:
    model = found("kimi-k2.5")
    assert (model.successor, model.equivalent) == ("kimi-k2.6", "moonshotai/kimi-k2.5")


def test_what_ollama_lists_again_is_not_retired() -> None:
    assert found("rnj-1:8b", market({**LISTS, OLLAMA: {"rnj-1:8b"}})).status == "available"
    assert found("kimi-k2.5", market({**LISTS, OLLAMA: {"kimi-k2.5"}})).status == "available"


def test_a_list_that_did_not_come_makes_nothing_unlisted() -> None:
    lost = without(OLLAMA)
    assert found("kimi-k2.5", lost).status == "unknown"
    assert found("kimi-k2.5", lost).ollama is None
    assert found("gemma3:27b", lost).status == "available"
    assert found("google/gemini-3-flash-preview", without(OPENROUTER)).status == "unknown"
    alone = without(LOCAL)
    assert found("nomic-embed-text-v2-moe", alone).status == "unknown"
    assert found("devstral-small-2:24b", alone).status == "retired"


def test_only_asked_providers_have_rows() -> None:
    models = survey(defaults(), market(asked=[OPENROUTER]))
    assert models
    assert all("/" in model.name for model in models)


# --- the nearest name ---


@pytest.mark.parametrize(
    ("name", "listed", "near"),
    [
        (
            "google/gemini-pro",
            ["google/gemini-3.8-flash", "google/gemma-4-31b-it", "x/gemini-pro"],
            "google/gemini-3.8-flash",
        ),
        ("a/b-large:free", ["a/b-large", "a/b-large-2:free"], "a/b-large-2:free"),
        ("mistral-large-3:600b", ["mistral-large-3:675b", "mistral-medium"], "mistral-large-3:675b"),
        ("devstral-small-2:24b", ["kimi-k3", "mistralai/devstral-small-2512"], "mistralai/devstral-small-2512"),
        ("kimi-k2.9", ["kimi-k2.6", "kimi-k3"], "kimi-k2.6"),
        ("anthropic/claude-3.5-sonnet", ["openai/gpt-oss-120b"], None),
        ("x", [], None),
    ],
)
def test_the_nearest_name_is_of_the_same_sort(name: str, listed: list[str], near: str | None) -> None:
    assert nearest(name, listed) == near


# --- what is rotten ---


def about(name: str, where: Market | None = None, config: Config | None = None) -> list[str]:
    return [line for line in rotten(config or defaults(), where or market()) if name in line]


def test_nothing_that_is_shipped_is_rotten() -> None:
    assert rotten(defaults(), market()) == ()


def test_ids_that_nobody_lists_are_named_with_where_they_stand() -> None:
    gone = Model("rnj-1:8b", openrouter="essentialai/rnj-1-instruct")
    unfollowed = with_role(Role("rnj-1:8b"))._replace(models={gone.name: gone})
    (rnj,) = about("rnj-1:8b", config=unfollowed)
    assert "(pillars.tools.builder)" in rnj
    assert "nor its equivalent essentialai/rnj-1-instruct" in rnj
    (pro,) = about("google/gemini-ultra", config=with_role(Role("google/gemini-ultra")))
    assert "pillars.tools.builder" in pro
    assert "nearest: google/gemini-3.8-flash" in pro
    openrouter = defaults().providers[OPENROUTER]._replace(free_models=("google/gemini-2.0-flash-exp:free",))
    named = defaults()._replace(providers={**defaults().providers, OPENROUTER: openrouter})
    (free,) = about("google/gemini-2.0-flash-exp:free", config=named)
    assert "providers.openrouter.free_models" in free


@pytest.mark.parametrize(
    ("name", "successor", "stand_in"),
    [
        ("qwen3-next:80b", "glm-5.3", None),  # its successor has one itself
        ("devstral-2:123b", "mistral-large-3:675b", None),
        ("devstral-small-2:24b", None, "gemma4:31b"),
        ("nomic-embed-text-v2-moe", None, "nemotron-3-nano:30b"),
        ("mistral-large-3:675b", None, None),
    ],
)
def test_what_is_asked_instead_is_the_end_of_the_chain(name: str, successor: str | None, stand_in: str | None) -> None:
    assert (found(name).successor, found(name).stand_in) == (successor, stand_in)


def test_old_ids_of_a_persons_own_file_are_no_warning_while_something_stands_in() -> None:
    named = with_role(Role("google/gemini-pro"))
    assert about("google/gemini-pro", config=named) == []
    fixed = named._replace(routing=named.routing._replace(follow_successors=False))
    assert len(about("google/gemini-pro", config=fixed)) == 1


@pytest.mark.parametrize("name", ["kimi-k2.5", "ministral-3:8b", "gemma3:27b", "openrouter/free", "qwen3-vl:4b"])
def test_a_model_with_a_way_on_is_no_warning(name: str) -> None:
    assert about(name) == []


def test_an_equivalent_that_is_gone_is_a_warning_although_ollama_still_has_the_model() -> None:
    lists = {**LISTS, OPENROUTER: LISTS[OPENROUTER] - {"openai/gpt-oss-120b"}}
    (line,) = about("gpt-oss:120b", market(lists))
    assert line.startswith("openai/gpt-oss-120b (equivalent of gpt-oss:120b): openrouter lists it no more")


def test_nothing_is_rotten_by_a_list_that_did_not_come() -> None:
    assert rotten(defaults(), market({})) == ()
    own = with_role(Role("nobody/nothing"))
    assert about("nobody/nothing", without(OPENROUTER), own) == []
    assert len(about("nobody/nothing", without(LOCAL), own)) == 1
    alone = with_role(Role("qwen3-vl:4b"))._replace(models={})
    assert about("qwen3-vl:4b", without(LOCAL), alone) == []


def with_role(role: Role) -> Config:
    elsewhere = Model("openai-only:8b", openrouter="openai/gpt-oss-120b")
    models = {**defaults().models, elsewhere.name: elsewhere}
    return defaults()._replace(pillars={"tools": Pillar({"builder": role})}, models=models)


@pytest.mark.parametrize(
    ("role", "served"),
    [
        (Role("openai-only:8b", privacy=Privacy.HIGH), False),  # only OpenRouter has it
        (Role("ministral-3:8b", privacy=Privacy.HIGH), True),  # by its stand-in
        (Role("ministral-3:8b", privacy=Privacy.MEDIUM), True),
        (Role("glm-4.7", privacy=Privacy.HIGH), True),  # by its successor
        (Role("glm-4.7", privacy=Privacy.CRITICAL), False),
        (Role("gemma3:27b", privacy=Privacy.CRITICAL), True),
    ],
)
def test_a_role_whose_privacy_forbids_every_place_is_a_warning(role: Role, served: bool) -> None:  # noqa: FBT001
    lines = about("pillars.tools.builder: at privacy", config=with_role(role))
    assert bool(lines) is not served


def test_without_a_local_list_nobody_knows_of_critical_roles() -> None:
    role = Role("gemma3:27b", privacy=Privacy.CRITICAL)
    assert about("at privacy", without(LOCAL), with_role(role)) == []


def test_successors_are_followed_to_the_first_that_is_listed_unless_that_is_off() -> None:
    assert served_as(defaults(), market(), "kimi-k2-thinking") == "kimi-k2.6"
    assert (
        served_as(defaults(), market({OLLAMA: ["mistral-large-3:675b"]}), "devstral-2:123b") == "mistral-large-3:675b"
    )
    fixed = defaults()._replace(routing=defaults().routing._replace(follow_successors=False))
    assert served_as(fixed, market(), "kimi-k2-thinking") == "kimi-k2-thinking"
