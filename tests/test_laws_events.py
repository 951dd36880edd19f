"""Laws of recording: twice is once, cooldowns only grow, and news of an old secret is no news of the new one."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.model.request import Reach, Reason, Request
from lollmsbot_keys.core.model.snapshot import Cooldown, Disabled, Failed, Hold, Scope, Sighting, Snapshot, Spender
from lollmsbot_keys.core.money.amounts import committed
from lollmsbot_keys.core.money.charges import Charge, unconfirmed
from lollmsbot_keys.core.money.ledger import close_days
from lollmsbot_keys.core.state.cooldowns import MOST_COOLDOWNS, STRIKES
from lollmsbot_keys.core.state.events import (
    Answered,
    Claimed,
    Cooled,
    Event,
    Found,
    Journalled,
    KeyProved,
    KeyRefused,
    Lapsed,
    Noticed,
    Released,
    Remembered,
    Replaced,
    Reset,
    Returned,
    Settled,
    Sighted,
    Strike,
    Waiting,
    WaitOver,
    record,
    resettable,
)
from tests.examples import examples
from tests.strategies import (
    CONFIG,
    DAY,
    FACTS,
    HOUR,
    KEY_NAMES,
    ME,
    MINUTE,
    NOW,
    OLLAMA_KEYS,
    TODAY,
    World,
    amounts,
    by_scope,
    cooldowns,
    cooling,
    fingerprint,
    holds,
    key_names,
    key_scope,
    provider_of,
    rotations,
    scopes,
    snapshots,
    waiters,
)


@st.composite
def single_events(draw: st.DrawFn, snapshot: Snapshot) -> Event:
    """Any event but a strike, more often than not about something that `snapshot` knows."""
    hold = draw(holds())
    hold_id = draw(st.sampled_from([*snapshot.holds, hold.id]))
    scope = draw(st.sampled_from([*snapshot.cooldowns, *snapshot.streaks, draw(scopes)]))
    key = draw(st.sampled_from([*snapshot.disabled, *snapshot.accounts, draw(key_names)]))
    secret = draw(st.sampled_from([fingerprint(key), "old", ""]))
    ticket = draw(st.sampled_from([*snapshot.waiters, "z"]))
    charge = Charge(draw(amounts), None, draw(st.sampled_from(["provider", "estimate", "unknown"])))
    events: list[Event] = [
        Claimed(hold, takes_turn=draw(st.booleans())),
        Settled(hold_id, charge, Usage(3, 4), timedelta(seconds=2), failed=draw(st.booleans()), failover=False),
        Settled(hold_id, charge._replace(unconfirmed=True), Usage(), HOUR, failed=True, failover=False, generation="g"),
        Remembered(hold),
        Found(draw(st.sampled_from([*snapshot.lost, "g"])), charge, Usage(1, 2)),
        Sighted(key, secret),
        Replaced(key, secret or "new"),
        Returned(key, secret or "new", NOW - HOUR, 1),
        Journalled(key, draw(st.none() | rotations)),
        Released(hold_id),
        Cooled(draw(cooldowns())._replace(scope=scope)),
        Answered(scope),
        KeyRefused(key, Disabled(secret, NOW)),
        KeyProved(key, secret, draw(st.sampled_from([None, "learnt"]))),
        Reset(frozenset({scope}), frozenset({key})),
        Lapsed(frozenset({hold_id})),
        Waiting(ticket, draw(waiters)),
        WaitOver(frozenset({ticket})),
        Noticed("free_at_medium"),
    ]
    return draw(st.sampled_from(events))


@settings(max_examples=examples(150))
@given(st.data(), snapshots())
def test_the_same_event_twice_changes_nothing_more(data: st.DataObject, snapshot: Snapshot) -> None:
    event = data.draw(single_events(snapshot))
    once = record(snapshot, event, NOW)
    assert record(once, event, NOW) == once


@settings(max_examples=examples(100))
@given(st.data(), snapshots())
def test_a_settlement_that_comes_again_later_changes_nothing(data: st.DataObject, snapshot: Snapshot) -> None:
    """Those that bring a hold do not bear this: its name is new each time, and it is remembered once, for its end."""
    assume(snapshot.holds)
    hold_id = data.draw(st.sampled_from(sorted(snapshot.holds)))
    charge = Charge(data.draw(amounts), None, "estimate")
    settled = Settled(hold_id, charge, Usage(), timedelta(), failed=False, failover=True)
    after = record(snapshot, settled, NOW)
    for _ in range(3):
        event = data.draw(single_events(after))
        assume(not (isinstance(event, Claimed | Remembered) and event.hold.id == hold_id))
        after = record(after, event, NOW)
        assert record(after, settled, NOW) == after


@settings(max_examples=examples(150))
@given(st.data(), snapshots())
def test_counters_never_go_back(data: st.DataObject, snapshot: Snapshot) -> None:
    for _ in range(4):
        after = record(snapshot, data.draw(single_events(snapshot)), NOW)
        for spender, before in snapshot.totals.items():
            now = after.totals[spender]
            assert all(b >= a for a, b in zip(before.latencies, now.latencies, strict=True))
            assert now.calls >= before.calls
            assert now.errors >= before.errors
            assert now.cost_usd >= before.cost_usd
            assert now.prompt_tokens >= before.prompt_tokens
            assert now.latency_ms >= before.latency_ms
        assert all(after.failures[failed] >= count for failed, count in snapshot.failures.items())
        snapshot = after


def test_a_call_counts_once_whether_it_lapsed_first_or_not() -> None:
    charge = Charge(Decimal("0.5"), Decimal("0.5"), "provider")
    held = Hold("h", ME, NOW, NOW + HOUR, TODAY, "O1", Provider.OLLAMA, "kimi", "", Decimal("0.2"))
    settled = Settled("h", charge, Usage(3, 4), timedelta(seconds=2), failed=False, failover=False, outcome="answered")
    claimed = record(Snapshot(), Claimed(held, takes_turn=False), NOW)
    (counted,) = record(claimed, settled, NOW).totals.values()
    assert (counted.calls, counted.errors, counted.cost_usd, counted.prompt_tokens) == (1, 0, Decimal("0.5"), 3)
    lapsed = record(claimed, Lapsed(frozenset({"h"})), NOW)
    late = record(lapsed, settled, NOW)
    (counted,) = late.totals.values()
    assert (counted.calls, counted.errors, counted.cost_usd, counted.prompt_tokens) == (1, 1, Decimal("0.5"), 3)
    assert late.failures == {Failed(Provider.OLLAMA, "O1", "lapsed"): 1}
    assert late.days[TODAY].spent == {Spender(Provider.OLLAMA, "O1"): Decimal("0.5")}, "the ledger is corrected"
    assert record(claimed, settled, NOW).successes == {"O1": NOW}
    assert record(claimed, settled._replace(failed=True, outcome="junk"), NOW).successes == {}


def test_a_lost_figure_that_is_found_takes_the_place_of_the_hold_also_in_a_closed_day() -> None:
    held = Hold("h", ME, NOW, NOW + HOUR, TODAY, "R1", Provider.OPENROUTER, "moon/kimi", "", Decimal("0.2"))
    cut = Settled(
        "h",
        unconfirmed(held.amount_usd, Provider.OPENROUTER),
        Usage(),
        HOUR,
        failed=True,
        failover=False,
        outcome="cut",
        generation="gen-1",
    )
    snapshot = record(record(Snapshot(), Claimed(held, takes_turn=False), NOW), cut, NOW)
    found = Found("gen-1", Charge(Decimal("0.01"), Decimal("0.01"), "provider"), Usage(10, 20))
    spender = Spender(Provider.OPENROUTER, "R1")
    (cell,) = record(snapshot, found, NOW).days[TODAY].cells.values()
    assert (cell.calls, cell.errors, cell.cost_usd, cell.unconfirmed_usd) == (1, 1, Decimal("0.01"), Decimal(0))
    closed, days = close_days(snapshot, TODAY + DAY)
    late = record(closed, found, NOW + DAY)
    assert committed(late, TODAY)[spender] == Decimal("0.01")
    again, more = close_days(late, TODAY + DAY)
    assert again.closed[TODAY] == {spender: Decimal("0.01")}
    assert {day.day.part for day in days} & {day.day.part for day in more} == set(), "a part is never replaced"
    assert record(late, found, NOW) == late


def test_a_lost_figure_replaces_all_that_was_booked_although_some_was_known() -> None:
    """The cost so far was above the hold already; the tokens so far are among those of the whole."""
    held = Hold("h", ME, NOW, NOW + HOUR, TODAY, "R1", Provider.OPENROUTER, "moon/kimi", "", Decimal("0.2"))
    charge = unconfirmed(Decimal("0.3"), Provider.OPENROUTER)
    cut = Settled("h", charge, Usage(10, 5), HOUR, failed=True, failover=False, outcome="cut", generation="gen-1")
    snapshot = record(record(Snapshot(), Claimed(held, takes_turn=False), NOW), cut, NOW)
    assert snapshot.days[TODAY].spent == {Spender(Provider.OPENROUTER, "R1"): Decimal("0.3")}
    found = Found("gen-1", Charge(Decimal("0.4"), Decimal("0.4"), "provider"), Usage(10, 20))
    (cell,) = record(snapshot, found, NOW).days[TODAY].cells.values()
    assert (cell.cost_usd, cell.unconfirmed_usd) == (Decimal("0.4"), Decimal(0))
    assert (cell.prompt_tokens, cell.completion_tokens) == (10, 20)


def test_a_secret_is_as_old_as_its_first_sighting() -> None:
    first = record(Snapshot(), Sighted("O1", "a"), NOW)
    assert first.sightings == {"O1": Sighting("a", NOW)}
    assert record(first, Sighted("O1", "a"), NOW + DAY) == first
    assert record(first, Sighted("O1", ""), NOW + DAY) == first, "an unopened secret says nothing"
    second = record(first, Sighted("O1", "b"), NOW + DAY)
    assert second.sightings == {"O1": Sighting("b", NOW + DAY, 2, ("a",))}
    assert record(second, Sighted("O1", "a"), NOW + 2 * DAY) == second, "an old shell is no new generation"
    back = record(second, Replaced("O1", "a"), NOW + 2 * DAY)
    assert back.sightings == {"O1": Sighting("a", NOW + 2 * DAY, 3, ("b",))}


def test_strikes_are_counted_and_the_third_in_a_row_cools() -> None:
    pair = cooling(Scope(Reach.KEY_AND_MODEL, provider_of("O1"), "O1", fingerprint("O1"), model="kimi"))
    snapshot = Snapshot()
    for row in range(1, STRIKES):
        snapshot = record(snapshot, Strike(pair), NOW)
        assert (snapshot.streaks, dict(snapshot.cooldowns)) == ({pair.scope: row}, {})
    snapshot = record(snapshot, Strike(pair), NOW)
    assert (snapshot.streaks, snapshot.cooldowns) == ({}, by_scope(pair))


def test_an_answer_in_between_begins_the_row_anew() -> None:
    pair = cooling(Scope(Reach.KEY_AND_MODEL, provider_of("O1"), "O1", fingerprint("O1"), model="kimi"))
    snapshot = Snapshot()
    for event in (Strike(pair), Strike(pair), Answered(pair.scope), Strike(pair), Strike(pair)):
        snapshot = record(snapshot, event, NOW)
    assert snapshot.cooldowns == {}


@settings(max_examples=examples(120))
@given(st.data(), snapshots())
def test_no_event_but_a_reset_ends_a_cooldown_or_makes_it_shorter(data: st.DataObject, snapshot: Snapshot) -> None:
    event = data.draw(single_events(snapshot) | st.builds(Strike, cooldowns()))
    assume(not isinstance(event, Reset))
    after = record(snapshot, event, NOW)
    for scope, cooldown in snapshot.cooldowns.items():
        assert after.cooldowns[scope].until >= cooldown.until
    if isinstance(event, Cooled):
        assert after.cooldowns[event.cooldown.scope].until >= event.cooldown.until


def test_the_earlier_of_two_ends_is_forgotten_whichever_comes_first() -> None:
    short, long = cooling(key_scope("O1"), ends_in=MINUTE), cooling(key_scope("O1"), ends_in=HOUR)
    for first, second in ((short, long), (long, short)):
        snapshot = record(record(Snapshot(), Cooled(first), NOW), Cooled(second), NOW)
        assert snapshot.cooldowns[short.scope].until == NOW + HOUR


# --- secrets that were replaced, and secrets that were not opened yet ---


def _old_scopes(key: str) -> list[Scope]:
    provider = provider_of(key)
    return [
        Scope(Reach.KEY, provider, key, "old"),
        Scope(Reach.KEY_AND_MODEL, provider, key, "old", model="kimi"),
        Scope(Reach.ACCOUNT, provider, account=f"{key}#old"),
        Scope(Reach.FREE_MODELS, provider, account=f"{key}#old"),
    ]


@st.composite
def late_news(draw: st.DrawFn, key: str) -> Event:
    """Something about the secret that `key` had before."""
    scope = draw(st.sampled_from(_old_scopes(key)))
    reason = draw(st.sampled_from([Reason.COOLING_DOWN, Reason.NO_CREDIT]))
    cooldown = Cooldown(scope, reason, NOW, NOW + HOUR)
    events: list[Event] = [
        Cooled(cooldown),
        Strike(cooldown),
        Answered(scope),
        KeyRefused(key, Disabled("old", NOW)),
        KeyProved(key, "old"),
    ]
    return draw(st.sampled_from(events))


@settings(max_examples=examples(150))
@given(st.data(), key_names, st.sampled_from(["ready", "refused"]))
def test_late_news_of_an_old_secret_does_not_touch_the_new_one(data: st.DataObject, key: str, standing: str) -> None:
    """Neither to shut it out nor to let it in. (Two refusals of one key are kept as one, the last: see `Disabled`.)"""
    known = by_scope(*data.draw(st.lists(cooldowns(), max_size=3)))
    snapshot = Snapshot(
        cooldowns=known, disabled={key: Disabled(fingerprint(key), NOW)} if standing == "refused" else {}
    )
    request = Request(model=None if key in OLLAMA_KEYS else "lama:free", key=key)
    before = World(request, snapshot=snapshot).plan()
    for _ in range(3):
        event = data.draw(late_news(key))
        assume(not (standing == "refused" and isinstance(event, KeyRefused)))
        snapshot = record(snapshot, event, NOW)
    assert World(request, snapshot=snapshot).plan() == before


@settings(max_examples=examples(150))
@given(st.data(), key_names)
def test_a_secret_that_was_not_opened_yet_sets_nobody_free(data: st.DataObject, key: str) -> None:
    scope = data.draw(
        st.sampled_from(
            [
                key_scope(key),
                Scope(Reach.KEY_AND_MODEL, provider_of(key), key, fingerprint(key), model="lama:free"),
                Scope(Reach.KEY_AND_MODEL, provider_of(key), key, fingerprint(key), model="kimi"),
                Scope(Reach.ACCOUNT, provider_of(key), account=f"{key}#{fingerprint(key)}"),
                Scope(Reach.FREE_MODELS, provider_of(key), account=f"{key}#{fingerprint(key)}"),
                None,
            ]
        )
    )
    snapshot = Snapshot(disabled={key: Disabled(fingerprint(key), NOW)})
    if scope is not None:
        snapshot = Snapshot(cooldowns=by_scope(cooling(scope)))
    request = Request(model=None if key in OLLAMA_KEYS else "lama:free", key=key)
    unopened = FACTS._replace(secrets=dict.fromkeys(KEY_NAMES, ""))
    known = [(c.model, c.set_aside) for c in World(request, snapshot=snapshot).plan().candidates]
    guessed = [(c.model, c.set_aside) for c in World(request, snapshot=snapshot, facts=unopened).plan().candidates]
    assert guessed == known


def test_proof_of_a_secret_that_nobody_knows_sets_no_key_free() -> None:
    snapshot = Snapshot(disabled={"O1": Disabled(fingerprint("O1"), NOW)})
    assert record(snapshot, KeyProved("O1", ""), NOW).disabled == snapshot.disabled
    assert record(snapshot, KeyProved("O1", "old"), NOW).disabled == snapshot.disabled
    assert record(snapshot, KeyProved("O1", fingerprint("O1")), NOW).disabled == {}


# --- resets ---


@settings(max_examples=examples(100))
@given(snapshots(), st.sets(key_names, min_size=1, max_size=2))
def test_a_reset_leaves_money_and_windows_alone_and_nothing_else_of_its_keys(
    snapshot: Snapshot, chosen: set[str]
) -> None:
    reset = resettable(snapshot, {key: f"{key}#{fingerprint(key)}" for key in chosen}, set())
    after = record(snapshot, reset, NOW)
    for name in ("hours", "holds", "days", "closed", "months", "cursors"):
        assert getattr(after, name) == getattr(snapshot, name)
    assert after.waiters.keys() == snapshot.waiters.keys()
    assert not chosen & set(after.disabled)
    assert not [scope for scope in (*after.cooldowns, *after.streaks) if scope.key in chosen]
    assert {scope for scope in snapshot.cooldowns if scope.reach in {Reach.MODEL, Reach.PROVIDER}} <= set(
        after.cooldowns
    )


def test_a_reset_of_everything_frees_every_key() -> None:
    marks = (
        key_scope("O1"),
        Scope(Reach.PROVIDER, provider_of("R1")),
        Scope(Reach.MODEL, provider_of("O1"), model="kimi"),
    )
    snapshot = Snapshot(cooldowns=by_scope(*map(cooling, marks)), disabled={"O2": Disabled("", NOW)})
    everyone = {key.name: "" for key in CONFIG.keys}
    snapshot = record(snapshot, resettable(snapshot, everyone, set(CONFIG.providers)), NOW)
    assert all(candidate.eligible for candidate in World(snapshot=snapshot).plan().candidates)


def test_late_news_of_a_refused_secret_does_not_free_another_one() -> None:
    snapshot = record(Snapshot(), KeyRefused("O1", Disabled("new", NOW)), NOW)
    both = record(snapshot, KeyRefused("O1", Disabled("old", NOW)), NOW)
    assert [both.disabled["O1"].covers(secret) for secret in ("new", "old", "third")] == [True, True, False]
    proved = record(both, KeyProved("O1", "old"), NOW)
    assert [proved.disabled["O1"].covers(secret) for secret in ("new", "old")] == [True, False]
    assert record(proved, KeyProved("O1", "new"), NOW).disabled == {}


def test_late_news_of_an_old_secrets_account_does_not_hide_the_new_ones() -> None:
    snapshot = record(Snapshot(), KeyProved("R1", "new", "alice"), NOW)
    snapshot = record(snapshot, KeyProved("R1", "old", "bob"), NOW)
    account = snapshot.accounts["R1"]
    assert [account.of(secret) for secret in ("new", "old", "third")] == ["alice", "bob", None]


def test_a_full_table_of_models_never_drops_what_keeps_a_key_out() -> None:
    models = [Scope(Reach.MODEL, provider_of("R1"), model=f"vendor/m{n}") for n in range(MOST_COOLDOWNS)]
    snapshot = Snapshot(cooldowns=by_scope(*map(cooling, models)))
    after = record(snapshot, Cooled(cooling(key_scope("O1"))), NOW)
    assert key_scope("O1") in after.cooldowns
    assert len(after.cooldowns) == MOST_COOLDOWNS
