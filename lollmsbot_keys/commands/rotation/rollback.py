"""The way back: targets and key get what they had, and nothing is left of the new secret."""

from __future__ import annotations

from datetime import datetime

from lollmsbot_keys.commands.rotation.context import RotationContext
from lollmsbot_keys.commands.rotation.create_key import sweep
from lollmsbot_keys.commands.rotation.manual_steps import KEYS_PAGE
from lollmsbot_keys.commands.rotation.storage import must_be_named
from lollmsbot_keys.core.model.findings import Verdict
from lollmsbot_keys.core.model.rotation_journal import Step, StepStatus
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.state.events import Returned, record
from lollmsbot_keys.errors import SecretError, SecretRefused, UsageError


async def demand_old(work: RotationContext) -> None:
    """Check that the old secret still works before going back to it.

    A new one that is in use must not give way to one that is refused.

    Raises:
        SecretRefused: the old secret is refused.
        SecretError: it is not at hand.
        UsageError: a target has to be named again.
        Unasked: nobody could say.
    """
    rotation = work.journal.rotation
    if not rotation.old or not work.places.changed(rotation.places):
        return
    if work.places.missing:
        raise UsageError(must_be_named(work.places.missing))
    if work.old is None:
        raise SecretError(
            f"The old secret of {work.key.name} is nowhere that lbk could read it. Run this where its variable "
            f"still has it, or go on: lbk rotate {work.key.name} --resume"
        )
    proof = (await work.client.prove(work.old)).proof
    number = rotation.old_hash or rotation.likely_hash
    switched_off = proof.verdict is Verdict.INVALID and rotation.step in {Step.REVOKE, Step.CONFIRM}
    if switched_off and rotation.name and number and await work.client.switch(number, off=False):
        proof = (await work.proved_good(work.old, "the old secret")).proof
    if proof.verdict is Verdict.INVALID:
        raise SecretRefused(
            f"There is no way back: {work.key.provider} refuses the old secret of {work.key.name} ({proof.reason}). "
            f"Go on: lbk rotate {work.key.name} --resume"
        )
    if not proof.verdict.is_good_key:
        raise work.unasked(f"the old secret of {work.key.name} is still good", proof)


async def restore(work: RotationContext) -> None:
    """Give the targets and the key what they had."""
    rotation = work.journal.rotation
    work.journal.begin(Step.RESTORE)
    before = {place.label: place.before for place in rotation.places}
    failed = work.places.restore(before, work.old, lambda: work.secret_of(""))
    work.todo.extend(
        f"Put the old secret into {label} yourself: that failed, and it may hold the new one." for label in failed
    )

    def lessons(snapshot: Snapshot, now: datetime) -> Snapshot:
        sighting = snapshot.sightings.get(work.key.name)
        if sighting is None or sighting.fingerprint != rotation.new or not rotation.old or rotation.since is None:
            return snapshot
        return record(snapshot, Returned(work.key.name, rotation.old, rotation.since, rotation.former), now)

    work.journal.end(lessons=lessons)
    told = ", ".join(place.label for place in rotation.places if place.label not in failed)
    work.tell(Step.RESTORE, StepStatus.DONE, told or "nothing had been written")


async def discard(work: RotationContext) -> None:
    """Delete the new key, where lbk made it."""
    rotation = work.journal.rotation
    work.journal.begin(Step.DISCARD)
    if rotation.name:
        count = await sweep(work, rotation.name)
        work.journal.end()
        work.tell(Step.DISCARD, StepStatus.DONE, f"deleted at {work.key.provider}" if count else "none had been made")
        return
    work.journal.end()
    if rotation.new:
        work.todo.append(
            f"Delete the new secret of {work.key.name} at {KEYS_PAGE[work.key.provider]}, if nothing else uses it."
        )
    work.tell(Step.DISCARD, StepStatus.TODO if rotation.new else StepStatus.SKIPPED, "the new secret was made by hand")


async def clear(work: RotationContext) -> None:
    """Remove what was kept beside the targets: they hold it again."""
    rotation = work.journal.rotation
    work.journal.begin(Step.CLEAR)
    work.places.forget({rotation.old, *(place.before for place in rotation.places if place.before)})
    work.journal.close()
