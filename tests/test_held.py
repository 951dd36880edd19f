"""Money that is held is not money that is spent: it comes back, and whoever needs it waits for that."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.outcome import Answer, Refused
from lollmsbot_keys.core.model.request import EMPTY, Reason, Request, SetAside
from lollmsbot_keys.core.model.snapshot import Cell, Hold, Snapshot, Spender
from lollmsbot_keys.core.money.budgets import Budgets
from lollmsbot_keys.core.state.events import Claimed, Released, record
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.pool import KeyPool
from lollmsbot_keys.pool.wait_queue import UNMOVED
from lollmsbot_keys.runtime import Engine
from tests.examples import examples
from tests.lab import OLLAMA, SERVED, Lab, lab
from tests.strategies import CONFIG, DAY, HOUR, MINUTE, NOW, World, spent, with_key, with_settings, worlds
from tests.support import PATIENCE_S, finished, hold, opened, start_lbk, utc_now

SECOND = timedelta(seconds=1)
LONG_AGO = 2 * DAY
BOUND = World(Request(key="O1")).plan().candidates[0].bound_usd
ROOM = BOUND * 3 / 2
"""A budget that one call fits into, and no second one beside it."""


def call(amount: Decimal, age: timedelta = timedelta(), key: str = "O1", *, lapsed: bool = False) -> Hold:
    """A call on its way, in the pure world."""
    claimed = NOW - age
    return hold(claimed, str(amount))._replace(key=key, day=claimed.date(), lapsed=lapsed)


def state(*holds: Hold, spent_usd: Decimal = Decimal(0), totals: Mapping[Spender, Cell] = EMPTY) -> Snapshot:
    return Snapshot(
        holds={str(place): one for place, one in enumerate(holds)},
        days=spent({"O1": str(spent_usd)}),
        totals=totals,
    )


def judged(snapshot: Snapshot, budget: str, usd: Decimal) -> SetAside | None:
    """What is said of a call with O1 under one budget: `day` or `month` of the key, or `provider`, for a day."""
    if budget == "provider":
        config = with_settings(CONFIG, Provider.OLLAMA, lambda it: it._replace(daily_budget_usd=usd))
    elif budget == "day":
        config = with_key(CONFIG, "O1", lambda it: it._replace(daily_budget_usd=usd))
    else:
        config = with_key(CONFIG, "O1", lambda it: it._replace(monthly_budget_usd=usd))
    (candidate,) = World(Request(key="O1"), config, snapshot).plan().candidates
    return candidate.set_aside


@pytest.mark.parametrize(
    ("snapshot", "budget", "usd", "reason"),
    [
        (state(call(BOUND)), "day", ROOM, Reason.HELD),
        (state(call(BOUND)), "month", ROOM, Reason.HELD),
        (state(call(BOUND, key="O2")), "provider", ROOM, Reason.HELD),
        (state(call(BOUND, key="O2")), "day", ROOM, None),
        (state(call(BOUND, lapsed=True)), "day", ROOM, None),
        (state(call(BOUND, LONG_AGO)), "day", ROOM, None),
        (state(call(BOUND, LONG_AGO)), "month", ROOM, Reason.HELD),
        (state(call(BOUND), spent_usd=BOUND / 2), "day", ROOM, Reason.HELD),
        (state(call(BOUND), spent_usd=BOUND), "day", ROOM, Reason.OVER_BUDGET),
        (state(spent_usd=BOUND), "day", ROOM, Reason.OVER_BUDGET),
        (state(call(BOUND)), "day", BOUND / 2, Reason.OVER_BUDGET),
    ],
)
def test_only_what_is_spent_is_over_budget(
    snapshot: Snapshot, budget: str, usd: Decimal, reason: Reason | None
) -> None:
    aside = judged(snapshot, budget, usd)
    assert (aside.reason if aside else None) == reason


@settings(max_examples=examples(60))
@given(worlds())
def test_held_is_exactly_what_comes_back_when_all_calls_have_ended(world: World) -> None:
    ended = world._replace(snapshot=world.snapshot._replace(holds=EMPTY)).plan().candidates
    for candidate, later in zip(world.plan().candidates, ended, strict=True):
        if candidate.set_aside is not None and candidate.set_aside.reason is Reason.HELD:
            assert later.set_aside is None or later.set_aside.reason in {Reason.RESERVED, Reason.UNTRUSTED_HOST}
            assert candidate.set_aside.until is not None
            assert world.now < candidate.set_aside.until


TOOK = {Spender(Provider.OLLAMA, "O1"): Cell(calls=4, latency_ms=120_000)}
"""Half a minute each."""


@pytest.mark.parametrize(
    ("holds", "totals", "ends_in"),
    [
        ((call(BOUND),), EMPTY, 10 * SECOND),
        ((call(BOUND, 4 * SECOND),), EMPTY, 6 * SECOND),
        ((call(BOUND, MINUTE),), EMPTY, SECOND),
        ((call(BOUND, -HOUR),), EMPTY, 10 * SECOND),
        ((call(BOUND, 4 * SECOND),), TOOK, 26 * SECOND),
        ((call(BOUND), call(BOUND, 5 * SECOND), call(Decimal(0), 9 * SECOND)), EMPTY, 5 * SECOND),
    ],
)
def test_the_next_end_is_expected_when_such_a_call_usually_ends(
    holds: tuple[Hold, ...], totals: Mapping[Spender, Cell], ends_in: timedelta
) -> None:
    aside = judged(state(*holds, totals=totals), "day", ROOM)
    assert aside is not None
    assert (aside.reason, aside.until) == (Reason.HELD, NOW + ends_in)
    assert "0.0000 spent and 0.0" in aside.detail


def test_a_key_whose_last_money_is_only_held_is_not_used_up() -> None:
    config = with_key(CONFIG, "O1", lambda it: it._replace(daily_budget_usd=Decimal(1)))
    key = config.keys[0]

    def used_up(spent_usd: str, held: str) -> Reason | None:
        aside = Budgets(config, state(call(Decimal(held)), spent_usd=Decimal(spent_usd)), NOW).used_up(key)
        return aside.reason if aside else None

    assert used_up("0.5", "0.4") is None
    assert used_up("0.5", "0.5") is Reason.HELD
    assert used_up("1", "0.5") is Reason.OVER_BUDGET


# --- waiting for it ---


@contextmanager
def beside_a_call(folder: Path) -> Iterator[tuple[Lab, Hold]]:
    """A lab whose budget is enough for one call, and nearly all of it is held by a call of this process."""
    with lab(folder) as one:
        one.env |= {"OLLAMA_DAILY_BUDGET": "0.02", "OPENROUTER_FALLBACK": "false"}
        held = hold(utc_now(), "0.015")
        opened(one.state_file).update(lambda before, now: (record(before, Claimed(held, takes_turn=True), now), None))
        yield one, held


def end(one: Lab, held: Hold) -> None:
    opened(one.state_file).update(lambda before, now: (record(before, Released(held.id), now), None))


def test_a_call_beside_one_on_its_way_is_told_so_and_for_how_long(tmp_path: Path) -> None:
    with beside_a_call(tmp_path) as (one, _):
        candidate = one.candidate(OLLAMA, SERVED, "-m", SERVED)
        assert candidate["reason"] == "held"
        assert candidate["until"] is not None
        refused = one.quick("ask", "--json", "-m", SERVED, "--wait", "0s", "hi")
        assert refused.code == 4
        back = datetime.fromisoformat(refused.document["retry_at"])
        assert timedelta() < back - utc_now() < MINUTE
        assert one.chats() == []


@pytest.mark.parametrize("wait", [(), ("--wait", "1h")])
def test_another_process_wakes_when_the_call_ends(tmp_path: Path, wait: tuple[str, ...]) -> None:
    with beside_a_call(tmp_path) as (one, held):
        process = start_lbk(["ask", "hi", "-m", SERVED, *wait], one.env)
        until_waiting(one, process)
        end(one, held)
        done = finished(process)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(one.chats()) == 1


def until_waiting(one: Lab, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not one.state.waiters:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


@asynccontextmanager
async def pool(one: Lab, budget: Decimal, clock: Callable[[], datetime] = utc_now) -> AsyncIterator[KeyPool]:
    environment = Environment({**one.env, "OLLAMA_DAILY_BUDGET": str(budget), "OPENROUTER_FALLBACK": "false"})
    async with KeyPool(Engine.open(environment=environment, clock=clock)) as opened_pool:
        yield opened_pool


def test_two_hundred_at_once_are_refused_only_when_the_money_is_spent(tmp_path: Path) -> None:
    """The budget is for one call at a time, and for nine of them."""

    async def run(one: Lab) -> None:
        async with pool(one, Decimal(1)) as rich:
            first = await rich.ask("hi", model=SERVED)
            bound = rich.route(model=SERVED).candidates[0].bound_usd
        cost = first.charged_usd
        async with pool(one, cost + bound + cost * Decimal("8.5")) as poor:
            asks = [poor.ask("hi", model=SERVED) for _ in range(200)]
            results = await asyncio.gather(*asks, return_exceptions=True)
        assert [result.charged_usd for result in results if isinstance(result, Answer)] == [cost] * 9
        refusals = [result.report.retry_at for result in results if isinstance(result, Refused)]
        assert len(refusals) == 191
        assert all(back is not None and back.time() == datetime.min.time() for back in refusals)

    with lab(tmp_path) as one:
        asyncio.run(run(one))
        assert one.state.waiters == {}


def test_who_did_not_ask_to_wait_waits_no_longer_than_calls_begin_and_end(tmp_path: Path) -> None:
    """On a clock that runs a hundred times as fast, and begins early in the day: its end is the end of the budget."""
    began, started = utc_now().replace(hour=0, minute=1), time.monotonic()

    def clock() -> datetime:
        return began + 100 * timedelta(seconds=time.monotonic() - started)

    async def run(one: Lab) -> None:
        async with pool(one, Decimal("0.02"), clock) as waiting:
            asked = clock()
            with pytest.raises(Refused, match="held") as refused:
                await waiting.ask("hi", model=SERVED)
            assert clock() - asked >= UNMOVED
            assert refused.value.report.retry_at is not None

    with beside_a_call(tmp_path) as (one, _):
        asyncio.run(run(one))
        assert one.state.waiters == {}
        assert one.chats() == []
