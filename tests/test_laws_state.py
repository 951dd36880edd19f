"""Laws of the state: it reads back as it was written, stays small, and gets over a clock that was wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import cycle, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.model.request import Reach, Reason
from lollmsbot_keys.core.model.snapshot import (
    KEPT_AFTER_LAPSE,
    Account,
    CellKey,
    Cooldown,
    Day,
    Hold,
    Scope,
    Snapshot,
    Spender,
)
from lollmsbot_keys.core.money.amounts import committed
from lollmsbot_keys.core.money.charges import Charge, unconfirmed
from lollmsbot_keys.core.money.ledger import MOST_CELLS, OTHER
from lollmsbot_keys.core.state.call_window import calls_within_an_hour, minute_of
from lollmsbot_keys.core.state.cooldowns import MOST_COOLDOWNS
from lollmsbot_keys.core.state.events import Claimed, Cooled, KeyProved, Lapsed, Remembered, Settled, Strike, record
from lollmsbot_keys.core.state.expiry import LAPSED_KEPT, SKEW, Housekeeping, upkeep
from lollmsbot_keys.edges.state.codec import decode, encode
from tests.examples import examples
from tests.strategies import (
    DAY,
    HOUR,
    KEY_NAMES,
    LONGEST,
    ME,
    MINUTE,
    NOW,
    by_scope,
    key_scope,
    moments,
    provider_of,
    snapshots,
)
from tests.strategies import (
    OTHER as SOMEONE,
)

KEEPER = Housekeeping(UTC, LONGEST)
YEAR = 365 * DAY


def hold(name: str, key: str = "O1", at: datetime = NOW, model: str = "kimi", pillar: str = "") -> Hold:
    return Hold(name, ME, at, at + HOUR, at.date(), key, provider_of(key), model, pillar, Decimal("0.012345"))


def settled(name: str, amount: str = "0.001234") -> Settled:
    charge = Charge(Decimal(amount), Decimal(amount), "estimate")
    return Settled(name, charge, Usage(1_234, 567), timedelta(milliseconds=1_800), failed=False, failover=False)


def keep(snapshot: Snapshot, now: datetime) -> Snapshot:
    """What a change that changes nothing makes of `snapshot` at `now`, with a history that knows nothing more."""
    today = KEEPER.forgotten(snapshot, now)
    snapshot = KEEPER.recalled(snapshot, today, ()) if today is not None else snapshot
    return KEEPER.after(KEEPER.before(snapshot, now, frozenset(), frozenset()), now)[0]


# --- law 7: the codec, upkeep, size ---


@settings(max_examples=examples(150))
@given(snapshots())
def test_what_is_read_equals_what_was_written(snapshot: Snapshot) -> None:
    read = decode(encode(snapshot))
    assert read == snapshot
    assert encode(read) == encode(snapshot)


@given(snapshots())
def test_a_state_of_version_1_is_upgraded(snapshot: Snapshot) -> None:
    news = (
        "sightings",
        "successes",
        "totals",
        "failures",
        "lost",
        "alerts",
        "trail",
        "usable",
        "uncertain",
        "rotations",
        "template_tokens",
    )
    tree = json.loads(encode(snapshot))
    old = {name: value for name, value in tree.items() if name not in news} | {"version": 1}
    blank = Snapshot()
    expected = snapshot._replace(**{name: getattr(blank, name) for name in news})
    assert decode(json.dumps(old).encode()) == expected


@settings(max_examples=examples(150))
@given(snapshots(), st.sampled_from([frozenset[str](), frozenset({"dead"})]))
def test_upkeep_twice_at_the_same_time_is_upkeep_once(snapshot: Snapshot, which: frozenset[str]) -> None:
    dead = frozenset({SOMEONE}) if which else frozenset()
    once = upkeep(snapshot, NOW, LONGEST, dead, frozenset({ME}))
    assert upkeep(once, NOW, LONGEST, dead, frozenset({ME})) == once
    finished, closed = KEEPER.after(once, NOW)
    assert KEEPER.after(finished, NOW) == (finished, ())
    assert {day.date for day in closed} | set(finished.days) == set(once.days)


@settings(max_examples=examples(100))
@given(snapshots(), moments(-2 * DAY, YEAR))
def test_upkeep_never_touches_money_but_to_charge_the_dead(snapshot: Snapshot, now: datetime) -> None:
    after = upkeep(snapshot, now, LONGEST, frozenset({SOMEONE}))
    for day in {*snapshot.days, *snapshot.closed, *(held.day for held in snapshot.holds.values())}:
        assert committed(after, day) == committed(snapshot, day)
    for content in after.days.values():
        assert Day.of(content.part, content.cells) == content


def _year(models: int, calls: int) -> tuple[int, Snapshot]:
    """400 days in which every key and pillar calls; the largest size in bytes that the state ever had."""
    snapshot, largest = Snapshot(), 0
    places = cycle(product(KEY_NAMES, range(models), range(8)))
    for day in range(400):
        for call in range(calls):
            now, name = NOW + day * DAY + call * MINUTE, f"{day:08x}{call:08x}"
            key, model, pillar = next(places)
            claimed = hold(name, key, now, f"model-{model}:120b", f"pillar-{pillar}")
            snapshot = record(record(snapshot, Claimed(claimed, takes_turn=True), now), settled(name), now)
        largest = max(largest, len(encode(snapshot)))
        snapshot = keep(snapshot, NOW + (day + 1) * DAY)
    return largest, snapshot


@pytest.mark.parametrize(("models", "calls", "most"), [(2, 40, 16_000), (17, 100, 64_000)])
def test_the_state_stays_small_over_400_days(models: int, calls: int, most: int) -> None:
    largest, snapshot = _year(models, calls)
    assert largest < most
    assert snapshot.days == {}
    assert len(encode(snapshot)) < 4_000, "what is left when nothing is going on"


def test_the_state_stays_small_whoever_names_endless_models() -> None:
    snapshot = Snapshot()
    for number in range(600):
        model = f"no-such-model-{number}"
        name, pair = str(number), Scope(Reach.KEY_AND_MODEL, Provider.OLLAMA, "O1", "f-O1", model=model)
        snapshot = record(snapshot, Claimed(hold(name, model=model), takes_turn=False), NOW)
        snapshot = record(snapshot, settled(name), NOW)
        cooldown = Cooldown(Scope(Reach.MODEL, Provider.OLLAMA, model=model), Reason.NO_SUCH_MODEL, NOW, NOW + DAY)
        snapshot = record(snapshot, Cooled(cooldown), NOW)
        snapshot = record(snapshot, Strike(cooldown._replace(scope=pair)), NOW)
    (day,) = snapshot.days.values()
    assert len(day.cells) == MOST_CELLS + 1
    assert day.cells[CellKey(Provider.OLLAMA, "O1", OTHER, OTHER)].calls == 600 - MOST_CELLS
    assert day.spent == {Spender(Provider.OLLAMA, "O1"): 600 * Decimal("0.001234")}
    assert len(snapshot.cooldowns) <= MOST_COOLDOWNS
    assert len(snapshot.streaks) <= MOST_COOLDOWNS


# --- law 8: the clock ---


@settings(max_examples=examples(150))
@given(snapshots(), moments(-2 * DAY, 2 * YEAR))
def test_no_cooldown_lasts_longer_than_the_longest_from_now(snapshot: Snapshot, now: datetime) -> None:
    after = upkeep(snapshot, now, LONGEST)
    for scope, cooldown in after.cooldowns.items():
        assert now < cooldown.until <= now + LONGEST
        assert cooldown.since <= now + SKEW
        assert cooldown.until <= snapshot.cooldowns[scope].until


def test_a_cooldown_that_a_wrong_clock_began_keeps_its_length_and_begins_now() -> None:
    ahead = NOW + YEAR
    snapshot = record(Snapshot(), Cooled(Cooldown(key_scope("O1"), Reason.COOLING_DOWN, ahead, ahead + HOUR)), ahead)
    (cooldown,) = keep(snapshot, NOW).cooldowns.values()
    assert (cooldown.since, cooldown.until) == (NOW, NOW + HOUR)


@settings(max_examples=examples(100))
@given(snapshots(), moments(-2 * DAY, YEAR))
def test_every_window_is_free_an_hour_and_a_minute_after_the_clock_is_right(snapshot: Snapshot, now: datetime) -> None:
    after = upkeep(snapshot, now, LONGEST)
    for key, window in after.hours.items():
        assert max(window) <= minute_of(now)
        assert calls_within_an_hour(window, now + HOUR + MINUTE) == 0
        assert calls_within_an_hour(window, now) == calls_within_an_hour(snapshot.hours[key], now)


@pytest.mark.parametrize("step", [-YEAR, -DAY, -HOUR, 2 * HOUR, DAY, 2 * DAY, YEAR])
def test_a_used_budget_is_never_fresh_again_after_a_step_there_and_back(step: timedelta) -> None:
    snapshot = record(record(Snapshot(), Claimed(hold("a"), takes_turn=True), NOW), settled("a", "0.01"), NOW)
    snapshot = keep(snapshot, NOW)
    wrong = NOW + step
    snapshot = keep(snapshot, wrong)
    snapshot = record(snapshot, Claimed(hold("b", at=wrong), takes_turn=True), wrong)
    snapshot = keep(record(snapshot, settled("b", "0.02"), wrong), wrong)
    snapshot = record(keep(snapshot, NOW), Claimed(hold("c"), takes_turn=True), NOW)
    snapshot = keep(keep(record(snapshot, settled("c", "0.03"), NOW), wrong), NOW)
    today = Decimal("0.04") + (Decimal("0.02") if wrong.date() == NOW.date() else 0)
    spender = Spender(Provider.OLLAMA, "O1")
    assert committed(snapshot, NOW.date())[spender] == today
    assert committed(snapshot, wrong.date())[spender] == (today if wrong.date() == NOW.date() else Decimal("0.02"))


@pytest.mark.parametrize("dies", ["before the step", "after it"])
def test_a_hold_of_the_dead_does_not_keep_its_day_open_for_as_long_as_the_clock_was_wrong(dies: str) -> None:
    ahead = NOW + YEAR
    claimed = hold("a") if dies == "after it" else hold("a", at=ahead)
    snapshot = record(Snapshot(), Claimed(claimed, takes_turn=True), claimed.claimed)
    lapsed = upkeep(snapshot, ahead if dies == "after it" else NOW, LONGEST, frozenset({ME}))
    assert lapsed.holds["a"].lapsed
    back = upkeep(lapsed, NOW, LONGEST)
    assert NOW < back.holds["a"].expires <= NOW + KEPT_AFTER_LAPSE, "a late settlement still finds it, for a while"
    assert upkeep(back, NOW + KEPT_AFTER_LAPSE, LONGEST).holds == {}


def test_a_call_on_its_way_survives_a_clock_that_steps_back() -> None:
    ahead = NOW + YEAR
    snapshot = upkeep(record(Snapshot(), Claimed(hold("a", at=ahead), takes_turn=True), ahead), NOW, LONGEST)
    assert snapshot.holds["a"].expires == NOW + HOUR
    booked = record(snapshot, settled("a"), NOW).days[ahead.date()]
    assert booked.spent == {Spender(Provider.OLLAMA, "O1"): Decimal("0.001234")}


# --- what lapses ---


def test_a_lapsed_hold_is_charged_in_full_and_corrected_by_a_late_settlement() -> None:
    snapshot = record(Snapshot(), Claimed(hold("a"), takes_turn=False), NOW)
    lapsed = record(snapshot, Lapsed(frozenset({"a"})), NOW)
    (cell,) = lapsed.days[NOW.date()].cells.values()
    assert (cell.calls, cell.errors, cell.cost_usd, cell.unconfirmed_usd) == (
        1,
        1,
        Decimal("0.012345"),
        Decimal("0.012345"),
    )
    (cell,) = record(lapsed, settled("a"), NOW).days[NOW.date()].cells.values()
    assert (cell.calls, cell.errors, cell.cost_usd, cell.unconfirmed_usd) == (1, 0, Decimal("0.001234"), Decimal(0))
    assert cell.estimated_usd == Decimal("0.001234")


def test_an_excess_is_booked_however_many_holds_have_lapsed_since() -> None:
    names = [f"h{number}" for number in range(2 * LAPSED_KEPT)]
    snapshot = Snapshot()
    for number, name in enumerate(names):
        snapshot = record(snapshot, Claimed(hold(name), takes_turn=False), NOW)
        snapshot = record(snapshot, Lapsed(frozenset({name})), NOW + timedelta(seconds=number))
    kept = upkeep(snapshot, NOW + MINUTE, LONGEST)
    assert len(kept.holds) == LAPSED_KEPT
    dear = settled("h0")._replace(charge=Charge(Decimal(2), Decimal(2), "provider"))
    assert record(kept, dear, NOW) == kept
    remembered = record(kept, Remembered(hold("h0")), NOW)
    assert remembered.days == kept.days, "what it was charged stays so until it is settled"
    after = record(remembered, dear, NOW)
    (before_it,), (cell,) = kept.days[NOW.date()].cells.values(), after.days[NOW.date()].cells.values()
    assert after.holds == kept.holds
    assert cell.cost_usd - before_it.cost_usd == Decimal(2) - hold("h0").amount_usd
    assert (cell.calls, cell.errors) == (before_it.calls, before_it.errors - 1)
    assert record(kept, Remembered(hold(names[-1])), NOW) == kept, "this one is not forgotten"


def test_a_lapsed_call_to_a_model_of_this_machine_costs_nothing() -> None:
    local = hold("a")._replace(provider=Provider.LOCAL, key="")
    assert unconfirmed(local.amount_usd, local.provider).amount_usd == 0


@pytest.mark.parametrize(
    ("owner", "passed", "lapses"),
    [
        ("dead", timedelta(), True),
        ("dead", 2 * HOUR, True),
        ("alive", 2 * HOUR, False),
        ("unknown", HOUR - MINUTE, False),
        ("unknown", HOUR, True),
    ],
)
def test_when_a_hold_lapses(owner: str, passed: timedelta, lapses: bool) -> None:  # noqa: FBT001
    snapshot = record(Snapshot(), Claimed(hold("a"), takes_turn=False), NOW)
    me = frozenset({ME})
    after = upkeep(
        snapshot, NOW + passed, LONGEST, me if owner == "dead" else frozenset(), me if owner == "alive" else frozenset()
    )
    assert after.holds["a"].lapsed is lapses


def test_an_account_that_a_key_check_found_is_remembered() -> None:
    snapshot = record(Snapshot(), KeyProved("R1", "f-R1", "user_1"), NOW)
    assert decode(encode(snapshot)).accounts["R1"] == Account("f-R1", "user_1")


def test_what_is_over_goes() -> None:
    over = Cooldown(key_scope("O1"), Reason.COOLING_DOWN, NOW - HOUR, NOW)
    lasting = over._replace(scope=key_scope("O2"), until=NOW + MINUTE)
    window = {minute_of(NOW) - 61: 5, minute_of(NOW) - 60: 2}
    snapshot = Snapshot(cooldowns=by_scope(over, lasting), hours={"O1": window, "O2": {minute_of(NOW) - 61: 1}})
    after = upkeep(snapshot, NOW, LONGEST)
    assert (after.cooldowns, after.hours) == (by_scope(lasting), {"O1": {minute_of(NOW) - 60: 2}})
