"""The order of the steps, the way back, and what is remembered: `core.rotation.steps` by itself."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from lollmsbot_keys.core.model.rotation_journal import Replacement, Step, TargetRecord
from lollmsbot_keys.core.model.snapshot import Sighting, Snapshot
from lollmsbot_keys.core.rotation.steps import (
    BACK,
    FORWARD,
    Beginning,
    beginning,
    begun,
    comes_next,
    ended,
    goes_on_alone,
    new_name,
    remembered,
    way_back,
)
from tests.strategies import DAY, HOUR, ME, NOW, rotations

STORED = (TargetRecord("file:/x", "old"),)
FRESH = Replacement(Step.OBTAIN, done=False, began=NOW, changed=NOW, old="old")


def walked(rotation: Replacement, *, in_hand: bool = True) -> list[Step]:
    """The steps to the end, each of which succeeds; the new secret is in hand from the first on."""
    steps = []
    while (step := comes_next(rotation, NOW + 400 * DAY, in_hand=in_hand)) is not None:
        steps.append(step)
        rotation = ended(begun(rotation, step, NOW), NOW)
        in_hand = True
        assert len(steps) < 20
    assert rotation.over
    return steps


def test_the_whole_way_and_the_way_of_a_first_secret() -> None:
    assert walked(FRESH) == [step for step in FORWARD if step is not Step.GRACE]
    about_the_old = {Step.GRACE, Step.REVOKE, Step.CONFIRM}
    assert walked(FRESH._replace(old="")) == [step for step in FORWARD if step not in about_the_old]
    assert walked(begun(FRESH._replace(places=STORED), Step.RESTORE, NOW)) == list(BACK)


@given(rotations, st.booleans())
def test_from_anywhere_there_is_an_end(rotation: Replacement, in_hand: bool) -> None:  # noqa: FBT001 - either
    steps = walked(rotation, in_hand=in_hand)
    way = BACK if rotation.step in BACK else FORWARD
    assert set(steps) <= set(way)
    assert sorted(steps, key=way.index) == steps


def test_what_is_lost_before_it_is_stored_is_obtained_again() -> None:
    for step in (Step.OBTAIN, Step.PROVE, Step.STORE):
        assert comes_next(begun(FRESH, step, NOW), NOW, in_hand=False) is Step.OBTAIN
        assert comes_next(begun(FRESH, step, NOW), NOW, in_hand=True) is step
    stored = ended(begun(FRESH, Step.STORE, NOW), NOW)
    assert comes_next(stored, NOW, in_hand=False) is Step.READ_BACK


def test_the_grace_is_waited_for() -> None:
    waiting = begun(FRESH, Step.GRACE, NOW)._replace(until=NOW + HOUR)
    assert comes_next(waiting, NOW + HOUR - HOUR / 60, in_hand=False) is None
    assert comes_next(waiting, NOW + HOUR, in_hand=False) is Step.REVOKE
    assert not waiting.over


@given(rotations)
def test_there_is_a_way_back_until_the_old_secret_is_known_to_be_refused(rotation: Replacement) -> None:
    back = way_back(rotation)
    gone = rotation.step is Step.FORGET or (rotation.step is Step.CONFIRM and rotation.done)
    assert (back is None) == gone
    if back is not None and rotation.step not in BACK:
        assert (back is Step.RESTORE) == bool(rotation.places)


def test_what_needs_a_person_does_not_go_on_by_itself() -> None:
    assert not goes_on_alone(FRESH)
    assert not goes_on_alone(begun(FRESH._replace(places=STORED), Step.PROVE, NOW))
    assert goes_on_alone(begun(FRESH._replace(places=STORED), Step.GRACE, NOW))
    assert goes_on_alone(FRESH._replace(name="made by lbk"))
    assert not goes_on_alone(ended(begun(FRESH._replace(name="made by lbk"), Step.FORGET, NOW), NOW))


def test_it_begins_with_the_secret_that_the_key_has_by_the_state() -> None:
    sighting = Sighting("current", NOW - DAY, 3, ("former",))
    snapshot = Snapshot(sightings={"K": sighting})
    for held in ("current", "former", ""):  # an open shell may hold a former one, or none
        found = beginning(snapshot, Beginning("K", held, ME, NOW))
        assert (found.old, found.generation, found.since, found.former) == ("current", 4, NOW - DAY, 3)
    replaced = beginning(snapshot, Beginning("K", "another", ME, NOW))
    assert (replaced.old, replaced.generation, replaced.since) == ("another", 5, NOW)
    nothing = beginning(Snapshot(), Beginning("K", "", ME, NOW))
    assert (nothing.old, nothing.generation) == ("", 1)


def test_the_provider_s_number_is_remembered_from_one_to_the_next() -> None:
    over = ended(
        begun(FRESH._replace(new="new", hash="h2", old_hash="h1", former=1, generation=2), Step.FORGET, NOW), NOW
    )
    kept = remembered(over)
    assert kept is not None
    assert kept.over
    assert kept.places == ()
    snapshot = Snapshot(sightings={"K": Sighting("new", NOW, 2)}, rotations={"K": kept})
    assert beginning(snapshot, Beginning("K", "new", ME, NOW)).old_hash == "h2"
    back = remembered(over._replace(step=Step.CLEAR))
    assert back is not None
    assert (back.new, back.hash, back.generation) == ("old", "h1", 1)
    assert remembered(over._replace(hash="")) is None


def test_a_name_tells_the_day_and_the_generation_and_is_nobody_else_s() -> None:
    day = date(2026, 11, 23)
    first = new_name("Guardian", day, 2, ())
    assert first == "Guardian (lbk 2026-11-23 g2)"
    assert new_name(first, date(2026, 12, 1), 3, ()) == "Guardian (lbk 2026-12-01 g3)"
    second = new_name("Guardian", day, 2, {first})
    assert second == "Guardian (lbk 2026-11-23 g2, 2)"
    assert new_name(second, day, 2, {first, second}) == "Guardian (lbk 2026-11-23 g2, 3)"
    assert new_name("odd (lbk ) name", day, 1, ()) == "odd (lbk ) name (lbk 2026-11-23 g1)"
