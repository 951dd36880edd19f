"""The steps of a rotation: which comes next, how far there is a way back, and what is remembered.

Each step is journalled before it is begun and once it is done, so the next process after a crash finds either a step
that is finished or one that may have happened in part. Every step can safely be done again. The old secret stays stored
beside the new one until the provider was shown to refuse it, so at every moment a working one is there.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, datetime

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.rotation_journal import Replacement, Step
from lollmsbot_keys.core.model.snapshot import Sighting, Snapshot

FORWARD = (
    Step.OBTAIN,
    Step.PROVE,
    Step.STORE,
    Step.READ_BACK,
    Step.ADOPT,
    Step.GRACE,
    Step.REVOKE,
    Step.CONFIRM,
    Step.FORGET,
)
BACK = (Step.RESTORE, Step.DISCARD, Step.CLEAR)
_ABOUT_THE_OLD = {Step.GRACE, Step.REVOKE, Step.CONFIRM}
_SUFFIX = re.compile(r" \(lbk \d{4}-\d\d-\d\d g\d+(?:, \d+)?\)\Z")


def comes_next(rotation: Replacement, now: datetime, *, in_hand: bool) -> Step | None:
    """Return the step to take now; `None` where the rotation is over, or the grace is not.

    `in_hand`: the one that takes the step has the new secret. Without it nothing can be stored, and another is needed.
    """
    way = BACK if rotation.step in BACK else FORWARD
    if way is FORWARD and not in_hand and not _is_stored(rotation):
        return Step.OBTAIN
    rest = way[way.index(rotation.step) + rotation.done :]
    if not rotation.old:  # the key's first secret: there is nothing to give up
        rest = tuple(step for step in rest if step not in _ABOUT_THE_OLD)
    if rest[:1] == (Step.GRACE,):
        return None if rotation.until is not None and now < rotation.until else Step.REVOKE
    return rest[0] if rest else None


def way_back(rotation: Replacement) -> Step | None:
    """Return the first step of the way back, or the one to go on with.

    `None` where the old secret is known to be refused.
    """
    if rotation.step in BACK:
        return rotation.step
    if rotation.step is Step.FORGET or (rotation.step is Step.CONFIRM and rotation.done):
        return None
    return Step.RESTORE if rotation.places else Step.DISCARD


def begun(rotation: Replacement, step: Step, now: datetime) -> Replacement:
    """Return the journal's entry before `step` begins."""
    return rotation._replace(step=step, done=False, changed=now)


def ended(rotation: Replacement, now: datetime) -> Replacement:
    """Return the journal's entry after the step is done."""
    return rotation._replace(done=True, changed=now)


def goes_on_alone(rotation: Replacement) -> bool:
    """Say whether the rotation can go on without a person who gives the new secret again."""
    return rotation.under_way and (rotation.step in BACK or bool(rotation.name) or _is_stored(rotation))


def _is_stored(rotation: Replacement) -> bool:
    return FORWARD.index(rotation.step) + rotation.done > FORWARD.index(Step.STORE)


# --- begin and end ---


class Beginning(NamedTuple):
    """The known facts when a rotation begins.

    `held` is the fingerprint of what the key's source gives ("": nothing).
    """

    key: str
    held: str
    owner: Owner
    now: datetime


def beginning(snapshot: Snapshot, begin: Beginning) -> Replacement:
    """Return the journal's first entry: the secret to be replaced, and the provider's name for it if known.

    The old secret is the one that the key has by the state; a shell that is still open may hold an older one.
    """
    sighting = snapshot.sightings.get(begin.key)
    if sighting is None or (begin.held and begin.held not in {sighting.fingerprint, *sighting.others}):
        generation = sighting.generation + 1 if sighting is not None else 1
        sighting = Sighting(begin.held, begin.now, generation)
    first = Replacement(Step.OBTAIN, False, begin.now, begin.now, owner=begin.owner)  # noqa: FBT003 - `done` by its place
    if not sighting.fingerprint:
        return first
    return first._replace(
        generation=sighting.generation + 1,
        former=sighting.generation,
        old=sighting.fingerprint,
        since=sighting.since,
        old_hash=_hash_of(snapshot.rotations.get(begin.key), sighting.fingerprint),
    )


def _hash_of(last: Replacement | None, fingerprint: str) -> str:
    """Return the provider's name for the secret of that fingerprint, where an earlier rotation found out."""
    if last is None:
        return ""
    return {last.old: last.old_hash, last.new: last.hash}.get(fingerprint, "")


def abandoned(rotation: Replacement) -> Replacement:
    """Return a rotation that came to nothing as one that is over."""
    return rotation._replace(step=Step.CLEAR, done=True)


def remembered(rotation: Replacement) -> Replacement | None:
    """Return what stays in the state after a rotation; `None` for nothing.

    That is the provider's number of the secret that the key has.
    """
    back = rotation.step in BACK
    number = rotation.old_hash if back else rotation.hash
    if not number:
        return None
    return Replacement(
        rotation.step,
        done=True,
        began=rotation.began,
        changed=rotation.changed,
        generation=rotation.former if back else rotation.generation,
        new=rotation.old if back else rotation.new,
        hash=number,
    )


def new_name(name: str, today: date, generation: int, taken: Collection[str]) -> str:
    """Return a name that is free at the provider: the former one, with the day and the generation."""
    plain = _SUFFIX.sub("", name)
    wanted = f"{plain} (lbk {today} g{generation})"
    number = 2
    while wanted in taken:
        wanted = f"{plain} (lbk {today} g{generation}, {number})"
        number += 1
    return wanted
