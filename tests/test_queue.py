"""The queue for keys: whoever waited longest goes first, critical before that, and the dead hold nobody up."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Privacy
from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.request import Priority, Request
from lollmsbot_keys.core.model.snapshot import Snapshot, Waiter
from lollmsbot_keys.core.routing.claim import Claim, Claimant, Claiming, Nothing, claim, passing, wanted_before
from lollmsbot_keys.core.state.events import Reset, Waiting, record
from lollmsbot_keys.core.state.expiry import upkeep
from tests.examples import examples
from tests.strategies import (
    CONFIG,
    FACTS,
    HOUR,
    KEY_NAMES,
    LONGEST,
    ME,
    MINUTE,
    NOW,
    OLLAMA_KEYS,
    World,
    by_scope,
    cooling,
    key_names,
    key_scope,
)


def waiter(
    waited: timedelta, *keys: str, priority: Priority = Priority.NORMAL, owner: Owner = ME, until: timedelta = HOUR
) -> Waiter:
    return Waiter(owner, NOW - waited, NOW + until, priority, dict.fromkeys(keys or OLLAMA_KEYS, NOW - waited))


def queue(**waiters: Waiter) -> Snapshot:
    snapshot = Snapshot()
    for ticket, entry in waiters.items():
        snapshot = record(snapshot, Waiting(ticket, entry), NOW)
    return snapshot


def ask(snapshot: Snapshot, ticket: str | None, request: Request | None = None) -> tuple[Snapshot, Claiming]:
    claimant = Claimant(ME, f"hold of {ticket}", set(KEY_NAMES), ticket)
    return claim(request or Request(key="O1"), CONFIG, snapshot, FACTS, NOW, (), claimant)


def served(snapshot: Snapshot, request: Request | None = None) -> list[str]:
    """The tickets that get the key, in order, if all of them ask again and again."""
    order = []
    while snapshot.waiters:
        lucky = [ticket for ticket in snapshot.waiters if isinstance(ask(snapshot, ticket, request)[1], Claim)]
        assert len(lucky) == 1, "one of them, and only one"
        order += lucky
        snapshot = ask(snapshot, lucky[0], request)[0]
    return order


many = st.lists(
    st.builds(
        lambda waited, priority, keys: waiter(timedelta(seconds=waited), *keys, priority=priority),
        st.integers(0, 3),
        st.sampled_from(Priority),
        st.lists(key_names, unique=True, min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=examples(100))
@given(many, key_names)
def test_of_those_who_want_a_key_the_one_that_waited_longest_gets_it(waiters: list[Waiter], key: str) -> None:
    """Critical ones before all others; those who do not want this key are no obstacle."""
    snapshot = queue(**{f"t{number}": entry for number, entry in enumerate(waiters)})
    wanting = sorted(
        (w.priority is not Priority.CRITICAL, w.since, id_) for id_, w in snapshot.waiters.items() if key in w.keys
    )
    assume(wanting)
    request = Request(model="moon/kimi", key=key) if key not in OLLAMA_KEYS else Request(key=key)
    for _, _, ticket in wanting:
        others = {id_ for _, _, id_ in wanting} & set(snapshot.waiters) - {ticket}
        assert all(isinstance(ask(snapshot, other, request)[1], Nothing) for other in others)
        snapshot, answer = ask(snapshot, ticket, request)
        assert isinstance(answer, Claim)
        assert ticket not in snapshot.waiters


def test_first_come_first_served() -> None:
    snapshot = queue(late=waiter(MINUTE), first=waiter(3 * MINUTE), second=waiter(2 * MINUTE))
    assert served(snapshot) == ["first", "second", "late"]


def test_critical_goes_first() -> None:
    snapshot = queue(
        first=waiter(3 * MINUTE),
        urgent=waiter(MINUTE, priority=Priority.CRITICAL),
        sooner=waiter(2 * MINUTE, priority=Priority.CRITICAL),
    )
    assert served(snapshot) == ["sooner", "urgent", "first"]


def test_who_came_at_the_same_moment_gets_a_turn_each() -> None:
    assert served(queue(b=waiter(MINUTE), a=waiter(MINUTE))) == ["a", "b"]


def test_whoever_is_turned_away_hears_that_others_were_first() -> None:
    snapshot = queue(first=waiter(2 * MINUTE), late=waiter(MINUTE))
    after, answer = ask(snapshot, "late")
    assert isinstance(answer, Nothing)
    assert answer.queued
    assert after == snapshot


def test_who_waits_for_other_keys_is_no_obstacle() -> None:
    snapshot = queue(first=waiter(2 * MINUTE, "O2"), late=waiter(MINUTE, "O1"))
    assert isinstance(ask(snapshot, "late")[1], Claim)


def test_a_waiter_takes_the_next_candidate_that_nobody_before_it_wants() -> None:
    snapshot = queue(first=waiter(2 * MINUTE, "O1"), late=waiter(MINUTE, "O1", "O2"))
    _, answer = ask(snapshot, "late", Request())
    assert isinstance(answer, Claim)
    assert answer.candidate.key == "O2"


def test_a_waiter_for_the_local_model_is_queued_like_the_others() -> None:
    snapshot = queue(first=waiter(2 * MINUTE, ""), late=waiter(MINUTE, ""))
    assert wanted_before(snapshot, "late", NOW) == {""}
    assert isinstance(ask(snapshot, "late", Request(key="local", privacy=Privacy.CRITICAL))[1], Nothing)


def test_who_does_not_wait_stands_in_no_queue() -> None:
    assert isinstance(ask(queue(first=waiter(MINUTE)), None)[1], Claim)


@settings(max_examples=examples(60))
@given(many, st.data())
def test_a_waiter_whose_process_is_dead_blocks_nobody(waiters: list[Waiter], data: st.DataObject) -> None:
    ghost = Owner(99, "boot", "99")
    snapshot = queue(**{f"t{number}": entry for number, entry in enumerate(waiters)})
    marks = {id_: data.draw(st.booleans()) for id_ in snapshot.waiters}
    dying = {id_: w._replace(owner=ghost if marks[id_] else ME) for id_, w in snapshot.waiters.items()}
    after = upkeep(snapshot._replace(waiters=dying), NOW, LONGEST, frozenset({ghost}), frozenset({ME}))
    assert set(after.waiters) == {id_ for id_, dead in marks.items() if not dead}


def test_a_wait_that_is_over_blocks_nobody() -> None:
    snapshot = queue(over=waiter(2 * MINUTE, until=timedelta()), late=waiter(MINUTE))
    assert isinstance(ask(upkeep(snapshot, NOW, LONGEST), "late")[1], Claim)


def test_a_waiter_from_the_future_blocks_nobody() -> None:
    snapshot = queue(ahead=waiter(-HOUR, until=9 * HOUR, priority=Priority.CRITICAL), late=waiter(MINUTE))
    assert isinstance(ask(upkeep(snapshot, NOW, LONGEST), "late")[1], Claim)


def test_passing_names_what_comes_back_by_time_soonest_first() -> None:
    marks = by_scope(cooling(key_scope("O1"), ends_in=HOUR), cooling(key_scope("O2"), ends_in=MINUTE))
    without_openrouter = FACTS._replace(secrets={key: FACTS.secrets[key] for key in OLLAMA_KEYS})
    plan = World(snapshot=Snapshot(cooldowns=marks), facts=without_openrouter).plan()
    assert passing(plan) == [(NOW + MINUTE, "O2"), (NOW + HOUR, "O1")]
    assert plan.retry_at == NOW + MINUTE


def test_who_could_not_use_a_key_yet_keeps_nobody_from_it() -> None:
    ahead = waiter(2 * MINUTE)._replace(keys={"O1": NOW + HOUR})
    assert isinstance(ask(queue(first=ahead, late=waiter(MINUTE)), "late")[1], Claim)


def test_a_paid_model_that_the_queue_leads_to_is_announced() -> None:
    config = CONFIG._replace(routing=CONFIG.routing._replace(prefer_free_tier=True))
    snapshot = queue(first=waiter(2 * MINUTE, "R1", "R2", "R3"), late=waiter(MINUTE, "O1"))
    claimant = Claimant(ME, "late", set(KEY_NAMES), "late")
    _, claimed = claim(Request(), config, snapshot, FACTS, NOW, (), claimant)
    assert isinstance(claimed, Claim)
    assert (claimed.candidate.key, claimed.candidate.free) == ("O1", False)
    assert [notice for notice in claimed.notices if "paid" in notice]


def test_a_reset_frees_the_key_for_who_came_first() -> None:
    ahead = waiter(2 * MINUTE)._replace(keys={"O1": NOW + HOUR})
    late = waiter(MINUTE)._replace(keys={"O1": NOW + HOUR})
    snapshot = record(queue(first=ahead, late=late), Reset(frozenset(), frozenset({"O1"})), NOW)
    assert isinstance(ask(snapshot, "late")[1], Nothing)
    assert isinstance(ask(snapshot, "first")[1], Claim)
