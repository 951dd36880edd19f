"""Prices and free models as the providers' lists have them, all the way from the wire to the next call."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.snapshot import Cell
from lollmsbot_keys.sandbox import Fault
from lollmsbot_keys.sandbox.dispatch import RecordedRequest
from lollmsbot_keys.sandbox.fault_kinds import FaultScope
from lollmsbot_keys.sandbox.http import json_reply
from tests.lab import ROUTED, ROUTERS, Json, Lab, lab

FIRST = ROUTERS[0]
FREE = "google/gemma-4-31b-it:free"
SHIPPED = "moonshotai/kimi-k2.5"
"""A model whose price is in the shipped table."""
SETTINGS = f'[providers.openrouter]\nfree_models = ["{FREE}", "openrouter/free"]\n'
UNKNOWN_OUTPUT_USD = 75 * 4096 / 1_000_000


def configured(here: Lab) -> Lab:
    """The sandbox's configuration with these free models."""
    text = here.config.read_text("utf-8").replace("[providers.openrouter]\n", SETTINGS)
    here.config.write_text(text, "utf-8")
    return here


def listed(here: Lab, **prices: tuple[str, str] | None) -> None:
    """Have OpenRouter's list say this; `None` leaves a model without a price."""
    names = {"free": FREE, "routed": ROUTED, "new": "new/model", "shipped": SHIPPED}
    data = [
        {"id": names[name], "pricing": None if asked is None else {"prompt": asked[0], "completion": asked[1]}}
        for name, asked in prices.items()
    ]
    here.sandbox.add(Fault.raw(Provider.OPENROUTER, json_reply(200, {"data": data}), where=FaultScope.LIST))


def free_ones(here: Lab) -> dict[str, Json]:
    """What `lbk route --free` says of the free models through the first key."""
    return {c["model"]: c for c in here.route("--free")["candidates"] if c["key"] == FIRST}


def bound(here: Lab, model: str) -> float:
    """What `lbk route` would hold for a call, in dollars."""
    return float(here.candidate(FIRST, model, "-m", model)["estimated_cost_usd"])


def most(call: RecordedRequest) -> dict[str, float]:
    """What OpenRouter was told that it may charge at most."""
    asked: Json = call.preferences["max_price"]
    return {part: float(price) for part, price in asked.items()}


def spent(here: Lab) -> Cell:
    return Cell.total(cell for day in here.state.days.values() for cell in day.cells.values())


@pytest.mark.parametrize("command", [("test-keys",), ("costs", "--reconcile")])
def test_a_list_that_was_fetched_prices_the_next_call(tmp_path: Path, command: tuple[str, ...]) -> None:
    with lab(tmp_path) as here:
        assert bound(here, "new/model") > UNKNOWN_OUTPUT_USD, "nobody knows it"
        shipped = bound(here, SHIPPED)
        listed(here, new=("0.000001", "0.000002"), shipped=("0.00001", "0.00002"))
        assert here.quick(*command).code == 0
        assert bound(here, "new/model") == pytest.approx((1024 + 2 * 4096) / 1_000_000)
        assert bound(here, SHIPPED) > shipped
        done = here.quick("costs")
        assert re.search(r"OpenRouter's prices: its list of \d+ (s|min) ago\.", done.out)
        assert here.quick("costs", "--json").document["openrouter_list"].endswith("Z")


def test_what_is_held_is_what_openrouter_is_told_it_may_charge(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        listed(here, routed=("0.00001", "0.00002"))
        here.quick("test-keys")
        here.ask("-m", ROUTED)
        (call,) = here.sandbox.chats()
        assert most(call) == {"prompt": 10, "completion": 20, "request": 0}


def test_dear_tiers_are_held_and_allowed_and_estimate_nothing(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        tier = {"min_prompt_tokens": 200_000, "prompt": "0.00002", "completion": "0.00004"}
        entry = {"id": ROUTED, "pricing": {"prompt": "0.00001", "completion": "0.00003", "overrides": [tier]}}
        here.sandbox.add(Fault.raw(Provider.OPENROUTER, json_reply(200, {"data": [entry]}), where=FaultScope.LIST))
        here.quick("test-keys")
        assert bound(here, ROUTED) > 40 * 4096 / 1_000_000
        here.ask("-m", ROUTED)
        (call,) = here.sandbox.chats()
        assert most(call) == {"prompt": 20, "completion": 40, "request": 0}


def test_a_price_that_rose_since_then_is_refused_and_not_paid(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        listed(here, routed=("0.0000001", "0.0000001"))
        here.quick("test-keys")
        found = here.ask("-m", ROUTED)
        assert "error" in found, "the sandbox asks more than that"
        assert spent(here).cost_usd == 0
        here.quick("test-keys")
        assert here.ask("-m", ROUTED)["cost_usd"] > 0


def test_a_free_model_that_has_a_price_now_is_never_called(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        configured(here)
        assert free_ones(here)[FREE]["eligible"], "nothing is known yet"
        listed(here, free=("0.0000001", "0.0000004"))
        done = here.quick("test-keys")
        assert f"{FREE} is not free any more" in " ".join(done.out.split())
        found = free_ones(here)
        assert (found[FREE]["eligible"], found[FREE]["reason"]) == (False, "no_such_model")
        assert "asks 0.1 and 0.4 USD for a million tokens" in found[FREE]["detail"]
        assert found["openrouter/free"]["eligible"], "a router is in no list"
        answer = here.ask("--free")
        assert (answer["model"], answer["cost_usd"]) == ("openrouter/free", 0)
        assert [entry.model for entry in here.sandbox.chats()] == ["openrouter/free"]
        assert here.ask("-m", FREE)["error"]["code"] == "refused"
        assert here.ask("--free", "-m", FREE, "--key", FIRST)["model"] == "openrouter/free"
        assert FREE not in [entry.model for entry in here.sandbox.chats()]


@pytest.mark.parametrize("asked", [None, ("-1", "-1")])
def test_a_free_model_that_vanished_or_has_no_price_of_its_own_is_never_called(
    tmp_path: Path, asked: tuple[str, str] | None
) -> None:
    with lab(tmp_path) as here:
        configured(here)
        listed(here, routed=("0.1", "0.1"), **({} if asked is None else {"free": asked}))
        here.quick("test-keys")
        assert not free_ones(here)[FREE]["eligible"]
        here.ask("--free")
        assert FREE not in [entry.model for entry in here.sandbox.chats()]


def test_nobody_can_charge_for_a_free_call(tmp_path: Path) -> None:
    """A list that is wrong, or a router that chooses badly: what goes along says that nothing may be charged."""
    with lab(tmp_path) as here:
        configured(here)
        here.ask("--free", "-m", FREE)
        here.ask("--free", "-m", "openrouter/free")
        for call in here.sandbox.chats():
            assert most(call) == {"prompt": 0, "completion": 0, "request": 0}


def test_a_free_call_that_costs_money_is_booked_told_and_not_repeated(tmp_path: Path) -> None:
    with lab(tmp_path, f"{FIRST}=over=0.25:1") as here:
        configured(here)
        done = here.run("ask", "--free", "--privacy", "low", "hello")
        assert done.code == 0
        assert f"{FREE} is not free any more: {FIRST} was charged 0.25 USD" in done.err
        assert str(spent(here).cost_usd) == "0.25"
        found = free_ones(here)[FREE]
        assert (found["eligible"], found["reason"]) == (False, "no_such_model")
        assert "not free any more" in found["detail"]
        assert here.ask("--free", "--privacy", "low")["model"] == "openrouter/free"


def test_a_free_tier_key_is_tested_with_a_model_that_is_free(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        about = {"is_free_tier": True, "usage_monthly": 0, "creator_user_id": "user_sandbox"}
        here.sandbox.add(Fault.raw(FIRST, json_reply(200, {"data": about}), where=FaultScope.CHECK))
        listed(here, free=("0.1", "0.1"), routed=("0.1", "0.1"))
        here.quick("test-keys", FIRST, "--deep")
        assert [entry.model for entry in here.sandbox.chats()] == ["openrouter/free"]
