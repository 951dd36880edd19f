"""Laws of the saga over every crash: a working secret is always there, and going on and going back both come to an end.

The saga, the journal and the steps are the real ones. The places, the provider and the disk are models that can end the
process before and after everything that it does to them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import NamedTuple, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.commands.rotation.context import RotationContext, RotationListener, RotationOptions
from lollmsbot_keys.commands.rotation.journal import Aim, ProcessIdentity, RotationJournal
from lollmsbot_keys.commands.rotation.manual_steps import Proved
from lollmsbot_keys.commands.rotation.run import go_back, go_forward
from lollmsbot_keys.commands.rotation.storage import Places, spots_of
from lollmsbot_keys.core.model.config import Key, Provider
from lollmsbot_keys.core.model.findings import KeyProof, Verdict
from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.rotation_journal import RotationReport, Step, StepStatus
from lollmsbot_keys.core.model.snapshot import Sighting, Snapshot
from lollmsbot_keys.edges.providers.keys_api import Made, ManagedKey
from lollmsbot_keys.edges.secrets import Secret
from lollmsbot_keys.edges.state.store import Change
from lollmsbot_keys.edges.targets import NOT_READABLE, NotReadable
from lollmsbot_keys.errors import SecretError, SecretRefused, StateError, Unasked, UsageError
from tests.examples import examples
from tests.strategies import DAY, HOUR, NOW

T = TypeVar("T")
KEY, OLD, TYPED = "R1", "the-old-secret", "the-new-secret"
DOTENV, FILE, GITHUB = "dotenv:/x/.env#R1", "file:/x/secret", "github:o/r"
GRACE = DAY


class Killed(BaseException):
    """What kill -9 does, as far as the rest of the process is concerned."""


class Minted(NamedTuple):
    hash: str
    name: str
    off: bool = False


class World:
    """The provider, the places, the disk, and the one process that is at work."""

    def __init__(self, held: Mapping[str, str]) -> None:
        self.cells = dict(held)
        self.sources = [label for label in held if label != GITHUB]
        self.at_provider: dict[str, Minted] = {OLD: Minted("h-old", "mine")}
        self.snapshot = Snapshot(sightings={KEY: Sighting(_fingerprint(OLD), NOW - 40 * DAY)})
        self.now = NOW
        self.pid = 0
        self.fatal, self.ticks = -1, 0
        self.unanswered = frozenset[int]()
        self.asked = 0
        self.dead = False
        self.unlisted = frozenset[str]()
        self.first = False
        self.patience = dict[str, int]()
        self._numbers = count(1)

    def effect(self, act: Callable[[], T]) -> T:
        """Something that is done to the world; the process may end just before it, or just after."""
        self.tick()
        done = act()
        self.check()
        self.tick()
        return done

    def tick(self) -> None:
        if self.ticks == self.fatal:
            self.dead = True
        if self.dead:
            raise Killed
        self.ticks += 1

    def check(self) -> None:
        """At every moment: no place that a program reads holds a secret that is refused."""
        for label, characters in self.cells.items():
            if label not in {f"{DOTENV}_PREVIOUS", f"{FILE}.previous"}:
                assert self.accepts(characters), label
        assert self.first or self.accepts(OLD) or any(map(self.accepts, self.cells.values()))

    @property
    def own(self) -> str:
        """What the key's own source gives: a file that was there before, else a variable that nobody changes."""
        return next((self.cells[label] for label in self.sources if label in self.cells), OLD)

    def accepts(self, characters: str) -> bool:
        found = self.at_provider.get(characters)
        return found is not None and not found.off

    # --- the provider ---

    def _answer(self, act: Callable[[], T]) -> T:
        """Carried out, and now and then nobody hears of it."""
        done = self.effect(act)
        self.asked += 1
        if self.asked in self.unanswered:
            raise Unasked("the line was cut")
        return done

    async def prove(self, secret: Secret) -> Proved:
        characters = secret.reveal()
        good = self._answer(lambda: self.accepts(characters)) and self.patience.get(characters) != 0
        self.patience = {text: left - (text == characters) for text, left in self.patience.items()}
        verdict = Verdict.VALID if good else Verdict.INVALID
        return Proved(KeyProof(verdict, "so it is", account="me"), {"label": f"…{characters[-3:]}", "limit": 10})

    async def keys(self) -> tuple[ManagedKey, ...]:
        def listed() -> tuple[ManagedKey, ...]:
            return tuple(
                ManagedKey(key.hash, key.name, f"…{characters[-3:]}", key.off, {"limit": 10})
                for characters, key in self.at_provider.items()
                if characters not in self.unlisted
            )

        return self._answer(listed)

    async def make(self, name: str, terms: Mapping[str, object]) -> Made:
        assert terms == {"limit": 10}
        if not self.snapshot.rotations[KEY].places:  # what nobody can have is gone before another is made
            assert name not in {key.name for key in self.at_provider.values()}
        number = next(self._numbers)
        made = Made(f"made-{number:03}", f"h-{number}")
        self._answer(lambda: self.at_provider.update({made.characters: Minted(made.hash, name)}))
        return made

    async def switch(self, number: str, *, off: bool) -> bool:
        return self._answer(lambda: self._switched(number, off=off))

    def _switched(self, number: str, *, off: bool) -> bool:
        for characters, key in self.at_provider.items():
            if key.hash == number:
                self.at_provider[characters] = key._replace(off=off)
                return True
        return False

    async def delete(self, number: str) -> bool:
        return self._answer(lambda: self.deleted(number))

    def deleted(self, number: str) -> bool:
        before = len(self.at_provider)
        self.at_provider = {text: key for text, key in self.at_provider.items() if key.hash != number}
        return len(self.at_provider) < before

    async def pause(self, seconds: float) -> None:
        pass

    # --- the disk ---

    def update(self, change: Change[T]) -> T:
        def apply() -> T:
            self.snapshot, answer = change(self.snapshot, self.now)
            return answer

        return self.effect(apply)


class Cell:
    """A target: one place of the world."""

    def __init__(self, world: World, label: str) -> None:
        self._world, self.label = world, label

    def check(self) -> None:
        self._world.tick()

    def write(self, secret: Secret) -> None:
        self._world.effect(lambda: self._world.cells.update({self.label: secret.reveal()}))

    def read_back(self) -> Secret | NotReadable | None:
        self._world.tick()
        if self.label.startswith("github:"):
            return NOT_READABLE
        held = self._world.cells.get(self.label)
        return None if held is None else _secret(held)

    def restore(self, previous: Secret | None) -> None:
        if previous is not None:
            self.write(previous)
        else:
            self._world.effect(lambda: self._world.cells.pop(self.label, None))


def _fingerprint(characters: str) -> str:
    return f"f({characters})"


def _secret(characters: str) -> Secret:
    return Secret(characters, Provider.OPENROUTER, _fingerprint(characters))


class Case(NamedTuple):
    """One way of using `lbk rotate`. `held` is what the places have before."""

    mint: bool
    labels: tuple[str, ...]
    held: tuple[str, ...]
    grace: timedelta = GRACE

    def world(self) -> World:
        return World(dict.fromkeys(self.held, OLD))


CASES = {
    f"{'minted' if mint else 'by hand'}, {name}": Case(mint, labels, held)
    for mint in (True, False)
    for name, labels, held in (
        ("where the old one was", (DOTENV,), (DOTENV,)),
        ("to a new file", (DOTENV,), ()),
        ("to two places", (FILE, GITHUB), (FILE, GITHUB)),
        ("to where nothing is given back", (GITHUB,), (GITHUB,)),
    )
}


def attempt(case: Case, world: World, aim: Aim) -> RotationReport | None:
    """One process from its start to its end, which may be a violent one."""
    world.pid += 1
    world.dead = False
    me = Owner(world.pid, "boot", str(world.pid))
    life = ProcessIdentity(me, is_dead=lambda owner: owner != me, is_alive=lambda owner: owner == me)
    journal = RotationJournal(world, KEY, life, lambda: world.now)
    own = None if world.first else _secret(world.own)
    if not journal.claim(aim, case.grace, own.fingerprint if own is not None else ""):
        return None
    places = Places(spots_of(lambda text: Cell(world, text), [Cell(world, label) for label in case.labels]), own)
    work = RotationContext(
        key=Key(KEY, Provider.OPENROUTER, "env:R1"),
        journal=journal,
        places=places,
        client=world,
        resolved=RotationOptions(mint=case.mint),
        listener=RotationListener(),
        secret_of=_secret,
        others={},
        billed=lambda _held: None,
        given="" if case.mint else TYPED,
    )
    return finished(go_back(work) if aim is Aim.ROLL_BACK else go_forward(work))


def finished(work: Coroutine[object, object, T]) -> T:
    """What a coroutine gives that never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what it returns is what it was declared to
    raise AssertionError("it waits for something")


def made_by_hand(world: World) -> None:
    """A person makes the key whose secret is typed, before anything else."""
    world.at_provider[TYPED] = Minted("h-typed", "by a person")


def begun(case: Case, *, dies_at: int) -> World:
    """A world in which a rotation was begun, and its process killed at that place, if it came so far."""
    world = case.world()
    if not case.mint:
        made_by_hand(world)
    world.fatal = dies_at
    for aim in (Aim.BEGIN, Aim.RESUME):
        if not world.dead:
            with suppress(Killed):
                attempt(case, world, aim)
            world.now += GRACE + HOUR
    world.fatal = -1
    return world


def under_way(world: World) -> bool:
    rotation = world.snapshot.rotations.get(KEY)
    return rotation is not None and rotation.under_way


def does_as_told(world: World) -> None:
    """What the report asks of a person: delete the old key."""
    rotation = world.snapshot.rotations.get(KEY)
    if rotation is not None and rotation.step is Step.CONFIRM:
        world.deleted("h-old")


def goes_on(case: Case, world: World) -> None:
    """Resume until nothing is left, with a person who does what is asked."""
    if not under_way(world) and world.snapshot.sightings[KEY].fingerprint == _fingerprint(OLD):
        attempt(case, world, Aim.BEGIN)
    for _ in range(3):
        world.now += GRACE + HOUR
        attempt(case, world, Aim.RESUME)
        does_as_told(world)
    assert attempt(case, world, Aim.RESUME) is None


def is_new(case: Case, world: World) -> None:
    """The end of the way: the new secret everywhere, the old one nowhere, and nobody else at the provider."""
    (new,) = {world.cells[label] for label in case.labels}
    assert world.cells.keys() == set(case.labels)
    assert list(world.at_provider) == [new]
    assert world.accepts(new)
    assert world.snapshot.sightings[KEY].fingerprint == _fingerprint(new)
    assert world.snapshot.sightings[KEY].generation == 2


def is_as_before(case: Case, world: World) -> None:
    """The other end: as if nothing had been."""
    assert world.cells == dict.fromkeys(case.held, OLD) | ({label: OLD for label in case.labels if label == GITHUB})
    assert list(world.at_provider) == ([OLD] if case.mint else [OLD, TYPED])
    assert world.accepts(OLD)
    assert world.snapshot.sightings[KEY][:3] == (_fingerprint(OLD), NOW - 40 * DAY, 1)


def moments(case: Case) -> Iterator[int]:
    """Every place where the process can be killed."""
    for dies_at in count():
        world = begun(case, dies_at=dies_at)
        if not world.dead:
            return
        yield dies_at


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_after_a_crash_anywhere_it_goes_on(case: Case) -> None:
    dies_at = 0
    for dies_at in moments(case):
        world = begun(case, dies_at=dies_at)
        goes_on(case, world)
        is_new(case, world)
    assert dies_at > 40


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_after_a_crash_anywhere_there_is_a_way_back_until_the_old_secret_is_refused(case: Case) -> None:
    back = gone = 0
    for dies_at in moments(case):
        world = begun(case, dies_at=dies_at)
        could = world.at_provider.get(OLD) is not None
        try:
            attempt(case, world, Aim.ROLL_BACK)
        except (SecretRefused, UsageError):
            gone += 1
            assert not could
            goes_on(case, world)
            is_new(case, world)
            continue
        assert not under_way(world)
        if not could:  # it had been over
            is_new(case, world)
            continue
        back += 1
        assert attempt(case, world, Aim.ROLL_BACK) is None
        is_as_before(case, world)
    assert back > 30
    assert gone or not case.mint


@settings(max_examples=examples(400))
@given(
    st.sampled_from(list(CASES.values())),
    st.lists(st.tuples(st.sampled_from(Aim), st.integers(0, 120), st.integers(0, 60)), max_size=6),
    st.frozensets(st.integers(1, 40), max_size=4),
)
def test_however_often_it_dies_and_whatever_is_tried_then(
    case: Case, tries: list[tuple[Aim, int, int]], unanswered: frozenset[int]
) -> None:
    """Kills and cut lines in any number and order, with any of the three commands between them."""
    world = case.world()
    if not case.mint:
        made_by_hand(world)
    world.unanswered = unanswered
    for aim, dies_at, hours in tries:
        world.now += hours * HOUR
        world.fatal = world.ticks + dies_at
        with suppress(Killed, UsageError, Unasked, SecretRefused, SecretError):  # a way back may be refused
            attempt(case, world, aim)
    world.fatal, world.unanswered = -1, frozenset()
    for _ in range(2):  # what is on its way back comes to that end first
        goes_on(case, world)
    assert len(world.at_provider) == 1
    assert world.cells.keys() == set(case.labels)
    assert all(map(world.accepts, world.cells.values()))


def test_a_key_that_only_looks_like_the_old_one_is_left_alone() -> None:
    """Its label is the same, and the old one itself is not in the list: it is switched on again, and not deleted."""
    case = CASES["minted, where the old one was"]
    world = case.world()
    stranger = f"somebody-else-s-{OLD[-3:]}"
    world.at_provider[stranger] = Minted("h-stranger", "somebody else's")
    world.unlisted = frozenset({OLD})
    attempt(case, world, Aim.BEGIN)
    world.now += GRACE + HOUR
    report = attempt(case, world, Aim.RESUME)
    assert report is not None
    assert [(step.step, step.status) for step in report.steps] == [
        (Step.REVOKE, StepStatus.TODO),
        (Step.CONFIRM, StepStatus.TODO),
    ]
    assert world.accepts(stranger)
    world.deleted("h-old")
    report = attempt(case, world, Aim.RESUME)
    assert report is not None
    assert report.over
    assert world.accepts(stranger)


def test_nothing_is_revoked_while_a_place_holds_the_old_secret_again() -> None:
    case = CASES["minted, where the old one was"]
    world = case.world()
    attempt(case, world, Aim.BEGIN)
    world.cells[DOTENV] = OLD
    world.now += GRACE + HOUR
    with pytest.raises(SecretError, match="holds the old secret again"):
        attempt(case, world, Aim.RESUME)
    assert world.accepts(OLD)
    attempt(case, world, Aim.ROLL_BACK)
    is_as_before(case, world)


def test_a_key_that_never_had_a_secret() -> None:
    case = Case(mint=False, labels=(DOTENV,), held=())
    world = case.world()
    world.at_provider = {}
    made_by_hand(world)
    world.snapshot = Snapshot()
    world.first = True
    report = attempt(case, world, Aim.BEGIN)
    assert report is not None
    assert (report.over, report.generation) == (True, 1)
    assert world.cells == {DOTENV: TYPED}
    assert world.snapshot.sightings[KEY].generation == 1
    assert not world.snapshot.rotations


def test_a_new_secret_that_is_refused_once_it_is_stored_gives_way_to_the_old_one() -> None:
    case = CASES["by hand, where the old one was"]
    world = case.world()
    made_by_hand(world)
    world.patience = {TYPED: 1}
    with pytest.raises(SecretRefused, match="as it was before"):
        attempt(case, world, Aim.BEGIN)
    assert not under_way(world)
    is_as_before(case, world)


def test_a_journal_that_another_process_has_taken_over_is_not_written_any_more() -> None:
    world = CASES["by hand, where the old one was"].world()
    first, second = Owner(1, "boot", "1"), Owner(2, "boot", "2")
    journals = [
        RotationJournal(world, KEY, ProcessIdentity(me, is_dead=lambda _: True, is_alive=lambda _: False), lambda: NOW)
        for me in (first, second)
    ]
    for journal in journals:
        assert journal.claim(Aim.BEGIN, GRACE, _fingerprint(OLD))
    with pytest.raises(StateError, match="no longer"):
        journals[0].begin(Step.OBTAIN)
    journals[1].begin(Step.PROVE)
    assert world.snapshot.rotations[KEY].step is Step.PROVE
