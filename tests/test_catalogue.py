"""The shipped catalogue: every name leads to one that is served, every price has its day, every role has an answer."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest

from lollmsbot_keys.core.model.config import Config, Model, Privacy, Provider
from lollmsbot_keys.core.model.request import Facts, Plan, Reason, Request
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.routing.route import route
from lollmsbot_keys.core.routing.succession import heir
from lollmsbot_keys.edges.config.load import load
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.sandbox.models import OLLAMA_RETIRED, OLLAMA_SERVED, OPENROUTER_FREE, OPENROUTER_PAID
from tests import known_models

TODAY = datetime(2026, 12, 1, 12, tzinfo=UTC)


@cache
def shipped() -> Config:
    return load(None, Environment({"HOME": "/nowhere"}), None).config


MODELS = tuple(shipped().models.values())
BY_NAME = [pytest.param(model, id=model.name) for model in MODELS]
ROLES = [(pillar, role) for pillar, its in shipped().pillars.items() for role in its.roles]
SERVED = known_models.OLLAMA_SERVED | known_models.OPENROUTER_LISTED


def gone(name: str) -> bool:
    return shipped().model(name).not_served(TODAY.date()) != ""


@pytest.mark.parametrize("model", BY_NAME)
def test_what_is_not_marked_as_gone_is_served_and_the_other_way_round(model: Model) -> None:
    assert (model.name in SERVED) is not gone(model.name)


@pytest.mark.parametrize("model", BY_NAME)
def test_every_successor_and_every_stand_in_leads_to_a_served_name(model: Model) -> None:
    assert not (model.successor and model.stand_in), "the provider's word leaves nothing for ours"
    found = heir(shipped(), model.name, gone)
    if model.successor or model.stand_in:
        assert found is not None
        assert found.name in SERVED
        assert not shipped().model(found.name).lacks_chat
    elif gone(model.name):
        assert model.name.endswith(":free"), "another free one takes its place"


@pytest.mark.parametrize("model", [model for model in MODELS if model.openrouter])
def test_every_equivalent_is_an_id_that_some_source_lists_and_the_catalogue_knows(model: Model) -> None:
    assert model.openrouter in known_models.OPENROUTER_LISTED | set(known_models.OPENROUTER_LISTED_ONCE)
    assert model.openrouter in shipped().models


@pytest.mark.parametrize("model", BY_NAME)
def test_every_price_is_dated_above_zero_and_within_its_bounds(model: Model) -> None:
    price = model.price
    if price is None:
        assert gone(model.name), "what is served has a price"
        return
    assert price.priced_on is not None
    assert price.priced_on <= known_models.OPENROUTER_ON
    assert min(price.input_usd_per_mtok, price.output_usd_per_mtok) > 0
    assert price.cached_input_usd_per_mtok != 0, "a source's 0 says that nobody knows"
    assert (price.cached_input_usd_per_mtok or 0) <= price.input_usd_per_mtok
    assert price.most.input_usd_per_mtok >= price.input_usd_per_mtok
    assert price.most.output_usd_per_mtok >= price.output_usd_per_mtok


@pytest.mark.parametrize("model", BY_NAME)
def test_what_is_served_says_what_it_can_do_and_how_much_it_reads(model: Model) -> None:
    if not gone(model.name):
        assert "chat" in model.can
        assert model.context_tokens


def test_whatever_the_pillars_and_the_free_list_name_is_known() -> None:
    config = shipped()
    fallbacks = [pillar.fallback.model for pillar in config.pillars.values() if pillar.fallback]
    assert set(fallbacks) <= known_models.OPENROUTER_LISTED
    assert set(config.providers[Provider.OPENROUTER].free_models) <= known_models.OPENROUTER_LISTED
    assert all(role.model in config.models for pillar in config.pillars.values() for role in pillar.roles.values())
    assert config.catalogue_read_on == TODAY.date()


def test_the_sandbox_sells_what_the_real_ones_do() -> None:
    assert set(OLLAMA_SERVED) == known_models.OLLAMA_SERVED
    assert not set(OLLAMA_RETIRED) & known_models.OLLAMA_SERVED
    assert {*OPENROUTER_PAID, *OPENROUTER_FREE} <= known_models.OPENROUTER_LISTED
    dearest = {name: shipped().model(name).price for name in OPENROUTER_PAID}
    for name, price in dearest.items():
        if price is not None:  # OpenRouter is told the dearest as the most it may take
            assert price.most.input_usd_per_mtok >= OPENROUTER_PAID[name].input_usd_per_mtok, name
            assert price.most.output_usd_per_mtok >= OPENROUTER_PAID[name].output_usd_per_mtok, name


# --- the roles ---


def plan_of(pillar: str, role: str, *providers: Provider) -> Plan:
    keys = [key.name for key in shipped().keys if key.provider in providers]
    facts = Facts({name: f"f-{name}" for name in keys})
    return route(Request(pillar=pillar, role=role), shipped(), Snapshot(), facts, TODAY)


@pytest.mark.parametrize(("pillar", "role"), ROLES)
def test_every_role_has_an_answer_and_asks_nobody_for_what_is_gone(pillar: str, role: str) -> None:
    found = plan_of(pillar, role, Provider.OLLAMA, Provider.OPENROUTER)
    assert found.choice is not None
    if found.privacy is Privacy.CRITICAL:
        return
    asked = [candidate for candidate in found.candidates if candidate.eligible]
    assert {candidate.model for candidate in asked} <= SERVED
    assert {c.set_aside.reason for c in found.candidates if c.set_aside} <= {
        Reason.NO_SUCH_MODEL,
        Reason.PRIVACY,
        Reason.LACKS,
    }


@pytest.mark.parametrize(("pillar", "role"), ROLES)
@pytest.mark.parametrize("only", [Provider.OLLAMA, Provider.OPENROUTER])
def test_every_role_has_an_answer_with_keys_of_one_provider(pillar: str, role: str, only: Provider) -> None:
    found = plan_of(pillar, role, only)
    if only is Provider.OPENROUTER and found.privacy is Privacy.HIGH:
        assert found.choice is None
    else:
        assert found.choice is not None
