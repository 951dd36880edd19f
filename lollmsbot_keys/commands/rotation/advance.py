"""The steps until the new secret is in use: obtain, prove, store, read back, adopt."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from lollmsbot_keys.commands.rotation.context import RotationContext
from lollmsbot_keys.commands.rotation.create_key import mint, sweep
from lollmsbot_keys.commands.rotation.storage import must_be_named
from lollmsbot_keys.core.keys.apply import taught
from lollmsbot_keys.core.model.findings import Verdict
from lollmsbot_keys.core.model.rotation_journal import Step, StepStatus
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.state.events import Replaced, record
from lollmsbot_keys.edges.secrets import Secret, fault_of
from lollmsbot_keys.edges.targets import Fate, NotAllWritten, write_all
from lollmsbot_keys.errors import SecretError, SecretRefused, Unasked, UsageError

_UNTOUCHED = {Fate.UNCHANGED, Fate.RESTORED}


async def obtain(work: RotationContext) -> None:
    """Get the new secret: the provider makes it, or a person gives it.

    Raises:
        UsageError: none was given.
        SecretRefused: what was given cannot be one.
    """
    number = ""
    if work.resolved.mint or work.journal.rotation.name:
        work.new, number = await mint(work)
        told = f"made at {work.key.provider} as “{work.journal.rotation.name}”"
    else:
        work.journal.begin(Step.OBTAIN)
        work.new = _given(work)
        told = "a new secret was given"
    work.proof = None
    work.journal.end(work.journal.rotation._replace(new=work.new.fingerprint, hash=number))
    work.tell(Step.OBTAIN, StepStatus.DONE, told)


def _given(work: RotationContext) -> Secret:
    characters = work.given
    if not characters:
        raise UsageError(
            f"No new secret for {work.key.name} was given. Type it at the prompt, or pipe it in: "
            f"pass show new-key | lbk rotate {work.key.name}"
        )
    fault = fault_of(characters)
    if fault is not None:
        raise SecretRefused(f"What was given for {work.key.name} {fault}, so it cannot be a secret.")
    return work.secret_of(characters)


async def prove(work: RotationContext) -> None:
    """Prove that the new secret is good, of the right kind, new, and of the same account.

    Raises:
        SecretRefused: it is not.
        Unasked: nobody could say.
    """
    new, rotation = in_hand(work), work.journal.rotation
    work.journal.begin(Step.PROVE)
    if new.fingerprint == rotation.old:
        raise SecretRefused(f"That is the very secret that {work.key.name} has.")
    if new.fingerprint in work.others:
        raise SecretRefused(
            f"That is the secret of {work.others[new.fingerprint]}: revoking the one would end the other."
        )
    work.proof = (await work.proved_good(new, "the new secret")).proof
    whose = await _account(work, work.proof.account)
    work.journal.end()
    also = f", but {work.proof.reason}" if work.proof.verdict is not Verdict.VALID else ""
    work.tell(Step.PROVE, StepStatus.DONE, f"{work.key.provider} accepts it{also}; {whose}")


async def _account(work: RotationContext, account: str | None) -> str:
    """Say in words whose the new secret is.

    Raises:
        SecretRefused: it is another account's, and `--other-account` was not given.
    """
    rotation = work.journal.rotation
    if not rotation.old:
        return "the key had none before"
    before = work.billed(rotation.old)
    if before is None and work.old is not None:
        before = (await work.client.prove(work.old)).proof.account
    if before is None or account is None:
        return "whether it is the same account nobody tells"
    if before == account:
        return "the same account as before"
    if not work.resolved.other_account:
        raise SecretRefused(
            f"The new secret of {work.key.name} belongs to another account than the old one. If that is meant: "
            f"--other-account."
        )
    return "another account, as asked for"


async def store(work: RotationContext) -> None:
    """Keep what every target holds beside it, then write the new secret to all of them or to none.

    Raises:
        UsageError: a target has to be named again.
        SecretError: it could not be written; the message tells of each target.
    """
    new, rotation = in_hand(work), work.journal.rotation
    first = not rotation.places
    if work.places.missing:
        raise UsageError(must_be_named(work.places.missing))
    places = rotation.places or work.places.before()
    work.journal.begin(Step.STORE, rotation._replace(places=places))
    try:
        work.places.keep({place.label: place.before for place in places}, work.old)
        written = write_all(work.places.targets, new)
    except SecretError as error:
        fates = {placed.fate for placed in error.placements} if isinstance(error, NotAllWritten) else set()
        if first and fates <= _UNTOUCHED:
            work.places.forget(_former(work))
            work.journal.write(work.journal.rotation._replace(places=()))
        raise SecretError(str(error)) from None
    work.journal.end()
    work.tell(Step.STORE, StepStatus.DONE, ", ".join(placed.label for placed in written))


def _former(work: RotationContext) -> set[str]:
    rotation = work.journal.rotation
    return {rotation.old, *(place.before for place in rotation.places if place.before)}


async def read_back(work: RotationContext) -> None:
    """Read the new secret where it is now, and show it to the provider once more.

    Raises:
        SecretError: a target holds something else.
        SecretRefused, Unasked: as `prove`.
    """
    rotation = work.journal.rotation
    work.journal.begin(Step.READ_BACK)
    readable = [place.label for place in rotation.places if place.before is not None]
    lacking = set(readable) - set(work.places.holding(rotation.new))
    if lacking:
        raise SecretError(
            f"{', '.join(sorted(lacking))} does not hold the new secret any more: somebody else writes there."
        )
    status, detail = StepStatus.SKIPPED, "no target gives it back"
    if readable:
        status, detail = StepStatus.DONE, await _proved_again(work)
    if rotation.name:
        with suppress(Unasked):  # done again before the end, where it must succeed
            await sweep(work, rotation.name, keep=rotation.hash)
    work.journal.end()
    work.tell(Step.READ_BACK, status, detail)


async def _proved_again(work: RotationContext) -> str:
    """Prove the stored secret, and say so in words.

    A provider that cannot be asked twice in a row is believed the first time.
    """
    new = in_hand(work)
    try:
        work.proof = (await work.proved_good(new, "the stored secret")).proof
    except Unasked:
        if work.proof is None:
            raise
        return f"the same; {work.key.provider} was not to be asked again so soon"
    return f"the same, and {work.key.provider} accepts it"


async def adopt(work: RotationContext) -> None:
    """Make the new secret the key's, and begin the grace of the old one.

    What was said of the old secret does not hold for the new one.
    """
    rotation, key, proof = work.journal.rotation, work.key, work.proof
    work.journal.begin(Step.ADOPT)

    def lessons(snapshot: Snapshot, now: datetime) -> Snapshot:
        snapshot = record(snapshot, Replaced(key.name, rotation.new), now)
        return snapshot if proof is None else taught(snapshot, key, rotation.new, proof, now)

    until = work.journal.now + rotation.grace if rotation.old else None
    work.journal.end(work.journal.rotation._replace(until=until), lessons=lessons)
    work.tell(Step.ADOPT, StepStatus.DONE, f"generation {rotation.generation} of {key.name}")
    if rotation.old:
        work.journal.begin(Step.GRACE)


def in_hand(work: RotationContext) -> Secret:
    """Return the new secret, where the order of steps guarantees that there is one."""
    if work.new is None:
        raise RuntimeError("a step without the new secret in hand")
    return work.new
