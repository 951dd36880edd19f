"""The journal of one key in the shared state.

It says who may write it, and what is written before and after every step.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol, TypeVar

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.rotation_journal import Replacement, Step
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.rotation.steps import Beginning, abandoned, beginning, begun, ended, remembered
from lollmsbot_keys.core.state.events import Event, Journalled, Sighted, record
from lollmsbot_keys.edges.state.store import Change
from lollmsbot_keys.errors import StateError, UsageError

T = TypeVar("T")
_SILENT = timedelta(hours=1)
"""The time without news after which a process elsewhere (another container) counts as dead."""


class Store(Protocol):
    """The shared state, as `edges.state.file.StateFile` keeps it."""

    def update(self, change: Change[T]) -> T: ...


class Aim(Enum):
    """The goal for a key's rotation."""

    BEGIN = "begin"
    RESUME = "resume"
    ROLL_BACK = "roll back"


class ProcessIdentity(NamedTuple):
    """The identity of this process, and what it can tell of others."""

    me: Owner
    is_dead: Callable[[Owner], bool]
    is_alive: Callable[[Owner], bool]

    def at_work(self, rotation: Replacement, now: datetime) -> bool:
        """Say whether another process works on `rotation` now, as far as this one can tell."""
        owner = rotation.owner
        if owner is None or owner == self.me or rotation.over or self.is_dead(owner):
            return False
        return self.is_alive(owner) or now - rotation.changed < _SILENT


class RotationJournal:
    """The journal of `key`, held by this process.

    Every change is on the disk before the method returns.
    """

    def __init__(self, store: Store, key: str, life: ProcessIdentity, clock: Callable[[], datetime]) -> None:
        self.key, self._store, self._life, self._clock = key, store, life, clock
        self._former: Replacement | None = None
        self._rotation: Replacement | None = None

    @property
    def rotation(self) -> Replacement:
        if self._rotation is None:
            raise RuntimeError("the journal was not claimed")
        return self._rotation

    @property
    def now(self) -> datetime:
        return self._clock()

    def claim(self, aim: Aim, grace: timedelta, held: str) -> bool:
        """Become the process that works on the rotation.

        `held`: the fingerprint of what the key's source gives now, "" for nothing. `grace` is that of one that begins
        now.

        `False`: there is nothing to go on with, or to go back from.

        Raises:
            UsageError: another process works on it, or an earlier rotation is not finished.
        """

        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, Replacement | None]:
            last = snapshot.rotations.get(self.key)
            if last is not None and self._life.at_work(last, now):
                raise UsageError(f"{standing(self.key, last)}, and another process is at it. Wait for its end.")
            unfinished = last if last is not None and last.under_way else None
            self._former = remembered(last if last.over else abandoned(last)) if last is not None else None
            if aim is Aim.BEGIN:
                if unfinished is not None:
                    raise UsageError(
                        f"{standing(self.key, unfinished)}. Go on with: lbk rotate {self.key} --resume; or go back: "
                        f"lbk rotate {self.key} --rollback"
                    )
                snapshot = record(snapshot, Sighted(self.key, held), now)
                rotation = beginning(snapshot, Beginning(self.key, held, self._life.me, now))._replace(grace=grace)
            elif unfinished is None:
                return record(snapshot, Journalled(self.key, self._former), now), None
            else:
                rotation = unfinished._replace(owner=self._life.me)
            return record(snapshot, Journalled(self.key, rotation), now), rotation

        self._rotation = self._store.update(change)
        return self._rotation is not None

    def begin(self, step: Step, rotation: Replacement | None = None) -> None:
        """Write that `step` is about to be taken; `rotation` has what else is known by now."""
        self.write(begun(rotation or self.rotation, step, self.now))

    def end(
        self, rotation: Replacement | None = None, *, lessons: Callable[[Snapshot, datetime], Snapshot] | None = None
    ) -> None:
        """Write that the step is done, together with what follows from it for the key."""
        self.write(ended(rotation or self.rotation, self.now), lessons)

    def write(self, rotation: Replacement, lessons: Callable[[Snapshot, datetime], Snapshot] | None = None) -> None:
        """Replace the journal's line, and apply `lessons` in the same change."""
        self._put(rotation, Journalled(self.key, rotation), lessons)

    def close(self) -> None:
        """End the rotation, and keep only what the next one must know."""
        over = ended(self.rotation, self.now)
        self._put(over, Journalled(self.key, remembered(over)), None)

    def give_up(self) -> None:
        """Remove every trace of a rotation that did nothing."""
        self._put(self.rotation, Journalled(self.key, self._former), None)

    def release(self) -> None:
        """Let other processes go on with a rotation that waits for time, or for a person."""
        if self.rotation.owner is not None and not self.rotation.over:
            self.write(self.rotation._replace(owner=None))

    def _put(
        self, rotation: Replacement, event: Event, lessons: Callable[[Snapshot, datetime], Snapshot] | None
    ) -> None:
        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
            found = snapshot.rotations.get(self.key)
            if found is None or found.owner != self._life.me:
                raise StateError(
                    f"The journal of {self.key}'s rotation is no longer this process's. See how it stands: "
                    "lbk rotate --status"
                )
            if lessons is not None:
                snapshot = lessons(snapshot, now)
            return record(snapshot, event, now), None

        self._store.update(change)
        self._rotation = rotation


def standing(key: str, rotation: Replacement) -> str:
    """Say how a rotation stands, as the beginning of a sentence."""
    if rotation.step is Step.GRACE and rotation.until is not None:
        return f"{key} has a new secret, and the old one's grace ends on {rotation.until:%Y-%m-%d %H:%M} UTC"
    stage = "finished" if rotation.done else "begun"
    return (
        f"The rotation of {key} that began on {rotation.began:%Y-%m-%d %H:%M} UTC stands at {rotation.step} ({stage})"
    )
