"""The rotation, step by step; `core.rotation.steps` says what comes next.

Every step can be taken again: a process that goes on after a crash takes the last one that was begun once more. Nothing
passes from process to process but the journal; secrets are found again where they are, by their fingerprints.
"""

from __future__ import annotations

from typing import assert_never

from lollmsbot_keys.commands.rotation import advance, retire_old
from lollmsbot_keys.commands.rotation import rollback as backward
from lollmsbot_keys.commands.rotation.context import RotationContext
from lollmsbot_keys.commands.rotation.create_key import sweep
from lollmsbot_keys.commands.rotation.manual_steps import KEYS_PAGE
from lollmsbot_keys.core.model.rotation_journal import Replacement, RotationReport, Step, StepStatus
from lollmsbot_keys.core.rotation.steps import BACK, comes_next, way_back
from lollmsbot_keys.errors import LbkError, SecretRefused, Unasked, UsageError

_UNCHANGED = "Nothing was changed."


async def go_forward(work: RotationContext) -> RotationReport:
    """Take every step that can be taken now.

    A rotation that was on its way back goes on that way.

    Raises:
        LbkError: what stopped it. If anything was done by then, the journal stands, and the message says so.
    """
    try:
        work.find()
        rotation = work.journal.rotation
        if work.resolved.grace is not None:
            until = work.journal.now + work.resolved.grace if rotation.step is Step.GRACE else rotation.until
            work.journal.write(rotation._replace(grace=work.resolved.grace, until=until))
        await _steps(work)
    except SecretRefused as error:
        if work.journal.rotation.step is Step.READ_BACK:  # good a moment ago: nobody must depend on it
            await go_back(work)
            raise SecretRefused(f"{error} Everything is as it was before.") from None
        raise await _retreated(work, error) from None
    except LbkError as error:
        raise await _retreated(work, error) from None
    except BaseException:  # Ctrl-C, or a bug
        if not work.journal.rotation.under_way:
            work.journal.give_up()
        raise
    return _report(work)


async def go_back(work: RotationContext) -> RotationReport:
    """Undo every step of the rotation.

    Raises:
        UsageError: it is too late for that.
        LbkError: what stopped it; the journal stands.
    """
    rotation = work.journal.rotation
    first = way_back(rotation)
    try:
        work.find()
        if first is None:
            raise UsageError(
                f"There is no way back: the old secret of {work.key.name} is refused by now. Go on: "
                f"lbk rotate {work.key.name} --resume"
            )
        if rotation.step not in BACK:
            if first is Step.RESTORE:
                await backward.demand_old(work)
            work.journal.begin(first)
        await _steps(work)
    except LbkError:
        work.journal.release()
        raise
    return _report(work)


async def _steps(work: RotationContext) -> None:
    while True:
        rotation = work.journal.rotation
        step = comes_next(rotation, work.journal.now, in_hand=work.new is not None)
        if step is None:
            break
        work.begins(step)
        if not await _take(work, step):
            break
    if work.journal.rotation.step is Step.GRACE and work.journal.rotation.until is not None:
        until = work.journal.rotation.until
        work.tell(Step.GRACE, StepStatus.WAITING, f"the old secret stays good until {until:%Y-%m-%d %H:%M} UTC")
    work.journal.release()


async def _take(work: RotationContext, step: Step) -> bool:
    """Take one step, and say whether the next may follow.

    `False`: a person has to do something first.
    """
    match step:
        case Step.OBTAIN:
            await advance.obtain(work)
        case Step.PROVE:
            await advance.prove(work)
        case Step.STORE:
            await advance.store(work)
        case Step.READ_BACK:
            await advance.read_back(work)
        case Step.ADOPT:
            await advance.adopt(work)
        case Step.GRACE:
            raise RuntimeError("a grace passes by itself")
        case Step.REVOKE:
            await retire_old.revoke(work)
        case Step.CONFIRM:
            return await retire_old.confirm(work)
        case Step.FORGET:
            await retire_old.forget(work)
        case Step.RESTORE:
            await backward.restore(work)
        case Step.DISCARD:
            await backward.discard(work)
        case Step.CLEAR:
            await backward.clear(work)
        case _:
            assert_never(step)
    return True


async def _retreated(work: RotationContext, error: LbkError) -> LbkError:
    """Remove every trace where nothing was stored, and return the error to raise.

    The error says what stands if something does.
    """
    rotation = work.journal.rotation
    unclear = isinstance(error, Unasked) and rotation.name and not rotation.hash  # was it made, or not?
    if not rotation.places and not unclear:
        try:
            if rotation.name:
                await sweep(work, rotation.name)
            work.journal.give_up()
        except LbkError as another:
            error = type(error)(f"{error} And what was made for it could not be removed: {another}")
        else:
            return error if _UNCHANGED in str(error) else type(error)(f"{error} {_UNCHANGED}")
    work.journal.release()
    name = work.key.name
    return type(error)(
        f"{error} The rotation of {name} stands at {work.journal.rotation.step}. Go on: lbk rotate {name} --resume; or "
        f"back: lbk rotate {name} --rollback"
    )


# --- the report ---


def _report(work: RotationContext) -> RotationReport:
    rotation = work.journal.rotation
    back = rotation.step in BACK
    return RotationReport(
        work.key.name,
        work.key.provider,
        rotation.former if back else rotation.generation,
        tuple(work.steps),
        (*work.todo, *_left(work, rotation)),
        rotation.until if rotation.step is Step.GRACE else None,
        over=rotation.over,
        back=back,
    )


def _left(work: RotationContext, rotation: Replacement) -> list[str]:
    """Return what a person has to do, now or later."""
    name, page = work.key.name, KEYS_PAGE[work.key.provider]
    left = []
    if rotation.step not in BACK and (work.places.own is None or work.places.own.fingerprint == rotation.old):
        left += _own_source(work)
    resume = f"lbk rotate {name} --resume"
    if rotation.step is Step.GRACE and rotation.until is not None:
        made = rotation.name and (rotation.old_hash or rotation.likely_hash)
        by_hand = "" if made else f"delete the old secret at {page}, and "
        left.append(f"From {rotation.until:%Y-%m-%d %H:%M} UTC on: {by_hand}run {resume}")
    elif rotation.step is Step.CONFIRM and not rotation.done:
        left.append(f"Delete the old secret of {name} at {page}, then run {resume}")
    return left


def _own_source(work: RotationContext) -> list[str]:
    """Return the advice for a key's own source that lbk cannot write.

    lbk itself goes on reading the old secret from it.
    """
    scheme = work.key.secret.partition(":")[0]
    match scheme:
        case "env":
            what = "reads its secret from an environment variable: start its programs anew with the new one"
        case "command":
            what = "reads its secret from a command: see to it that it prints the new one"
        case _:
            return []
    where = work.places.labels
    return [f"{work.key.name} {what}, or let `secret` in [keys.{work.key.name}] name a place that has it ({where})"]
