"""The consequences of a 401.

It disables a key only if the provider's key check agrees: some come for other reasons.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from lollmsbot_keys.core.model.request import Candidate, Reach, Reason
from lollmsbot_keys.core.model.snapshot import Cooldown, Disabled, Scope, same_secret
from lollmsbot_keys.core.state.events import Cooled, Event, KeyProved, KeyRefused
from lollmsbot_keys.edges.providers import KeyCheck, KeyVerdict
from lollmsbot_keys.pool.context import AskContext
from lollmsbot_keys.pool.settle import Settler


async def confirm(context: AskContext, candidate: Candidate, settling: Settler) -> None:
    """Ask the key check about a candidate that was refused with a 401, and record its answer."""
    if candidate.key is None:
        return
    engine = context.engine
    secret = engine.secrets.open(candidate.key)
    if not same_secret(secret.fingerprint, candidate.fingerprint):  # the 401 says nothing of a new one
        return
    check = await context.wire.check_key(candidate.provider, candidate.endpoints, secret)
    unavailable = engine.config.cooldowns.unavailable
    await settling.record(*after_unauthorized(candidate, candidate.key, check, engine.clock(), unavailable))
    if check.verdict is KeyVerdict.INVALID:
        settling.crossed = True
        engine.secrets.forget(candidate.key)  # its source may have a new one by now
        context.listener.notice(
            f"{candidate.key} was refused by {candidate.provider} and is disabled. "
            f"Replace its secret, or try it again with: lbk reset-limits {candidate.key}"
        )


def after_unauthorized(
    candidate: Candidate, key: str, check: KeyCheck, now: datetime, unavailable: timedelta
) -> tuple[Event, ...]:
    """Return the events to record after a 401 for `key` and the key check that followed.

    Where the check found the key good, or could not be made, something is left out for `unavailable` only.
    """
    until = now + unavailable
    match check.verdict:
        case KeyVerdict.INVALID:
            source = "refused by the provider's key check"
            return (KeyRefused(key, Disabled(candidate.fingerprint, now, source, check.detail)),)
        case KeyVerdict.VALID:
            source = "401, though the key check found the key good"
            cooldown = Cooldown(Scope.of(Reach.KEY_AND_MODEL, candidate), Reason.COOLING_DOWN, now, until, source)
            return KeyProved(key, candidate.fingerprint), Cooled(cooldown)
        case KeyVerdict.UNKNOWN:
            source = "401, and the key check could not be made"
            scope = Scope.of(Reach.KEY, candidate)
            return (Cooled(Cooldown(scope, Reason.COOLING_DOWN, now, until, source, check.detail)),)
        case _:
            assert_never(check.verdict)
