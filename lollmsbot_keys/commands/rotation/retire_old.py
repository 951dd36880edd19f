"""The last steps of the old secret: revoke, confirm that it is refused, forget what was kept of it."""

from __future__ import annotations

from lollmsbot_keys.commands.rotation.context import RotationContext
from lollmsbot_keys.commands.rotation.create_key import sweep
from lollmsbot_keys.commands.rotation.manual_steps import KEYS_PAGE
from lollmsbot_keys.core.model.findings import Verdict
from lollmsbot_keys.core.model.rotation_journal import Step, StepStatus
from lollmsbot_keys.errors import SecretError


async def revoke(work: RotationContext) -> None:
    """Make the provider refuse the old secret from now on.

    A key that lbk made is switched off and deleted; any other must be deleted by a person.

    Raises:
        SecretError: the new secret is not where it should be; nothing is revoked then.
        SecretRefused, Unasked: the new one is not good, or nobody says; nothing is revoked then.
    """
    await _demand_successor(work)
    rotation = work.journal.rotation
    work.journal.begin(Step.REVOKE)
    if not rotation.name or not await _revoked(work):
        page = KEYS_PAGE[work.key.provider]
        work.journal.end()
        work.tell(Step.REVOKE, StepStatus.TODO, f"by hand, at {page}")
        return
    left = await sweep(work, rotation.name, keep=rotation.hash)
    work.journal.end()
    also = f", and {left} more of the new one's name that nobody knew" if left else ""
    work.tell(Step.REVOKE, StepStatus.DONE, f"switched off, refused, deleted{also}")


async def _demand_successor(work: RotationContext) -> None:
    rotation = work.journal.rotation
    astray = work.places.holding(rotation.old)
    if astray:
        raise SecretError(
            f"{', '.join(astray)} holds the old secret again, so it is not revoked. Put the new one there, or go back: "
            f"lbk rotate {work.key.name} --rollback"
        )
    if work.new is not None:
        work.proof = (await work.proved_good(work.new, "the new secret")).proof


async def _revoked(work: RotationContext) -> bool:
    """Switch the old key off, see its secret refused, and delete it.

    `False` where nobody knows which one it is. A number that was guessed is trusted only after that: if the old secret
    is still accepted, the wrong key was switched off, and is switched on again.
    """
    rotation = work.journal.rotation
    certain = bool(rotation.old_hash)
    number = rotation.old_hash or rotation.likely_hash
    if not number or (work.old is None and not certain):
        return False
    there = await work.client.switch(number, off=True)
    if there and work.old is not None:
        proof = await work.still_accepted(work.old)
        if proof.verdict is not Verdict.INVALID:
            await work.client.switch(number, off=False)
            if not proof.verdict.is_good_key:
                raise work.unasked(f"the old secret of {work.key.name} is refused", proof)
            work.journal.write(rotation._replace(step=Step.REVOKE, done=False, old_hash="", likely_hash=""))
            return False
    await work.client.delete(number)
    return True


async def confirm(work: RotationContext) -> bool:
    """Show that the provider refuses the old secret.

    `False`: it does not yet, and a person must have it revoked.

    Raises:
        Unasked: nobody could say.
    """
    work.journal.begin(Step.CONFIRM)
    if work.old is None:
        work.journal.end()
        work.todo.append(
            f"Make sure that the old secret of {work.key.name} is deleted at {KEYS_PAGE[work.key.provider]}: it is "
            "nowhere that lbk could read it, so nobody could be asked about it."
        )
        work.tell(Step.CONFIRM, StepStatus.SKIPPED, "the old secret is not at hand")
        return True
    proof = await work.still_accepted(work.old)
    if proof.verdict is Verdict.INVALID:
        work.journal.end()
        work.tell(Step.CONFIRM, StepStatus.DONE, f"{work.key.provider} refuses the old secret")
        return True
    if proof.verdict.is_good_key:
        work.tell(Step.CONFIRM, StepStatus.TODO, f"{work.key.provider} still accepts the old secret")
        return False
    raise work.unasked(f"the old secret of {work.key.name} is refused", proof)


async def forget(work: RotationContext) -> None:
    """Remove what was kept beside the targets."""
    rotation = work.journal.rotation
    work.journal.begin(Step.FORGET)
    work.places.forget({rotation.old, *(place.before for place in rotation.places if place.before)})
    work.journal.close()
