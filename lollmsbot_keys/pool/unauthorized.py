"""What follows from a 401. It disables a key only if the provider's key check agrees: some come for other reasons."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from lollmsbot_keys.core.model.request import Candidate, Reach, Reason
from lollmsbot_keys.core.model.snapshot import Cooldown, Disabled, Scope
from lollmsbot_keys.core.state.events import Cooled, Event, KeyProved, KeyRefused
from lollmsbot_keys.edges.providers import KeyCheck, KeyVerdict


def after_unauthorized(
    candidate: Candidate, key: str, check: KeyCheck, now: datetime, unavailable: timedelta
) -> tuple[Event, ...]:
    """What to record of `candidate`, whose `key` was refused with a 401, now that the key check was made.

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
