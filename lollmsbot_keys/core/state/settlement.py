"""The meaning of one finished attempt for the state.

An outcome goes in, the events to record come out.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.failures.error_body import Words
from lollmsbot_keys.core.model.config import Cooldowns, Provider
from lollmsbot_keys.core.model.outcome import Billing, Outcome, OutcomeKind, Usage
from lollmsbot_keys.core.model.request import Candidate, Reach, Reason
from lollmsbot_keys.core.model.snapshot import Cooldown, Hold, Scope, Snapshot
from lollmsbot_keys.core.money.charges import UNBILLED, Charge, at_most, charge, unconfirmed
from lollmsbot_keys.core.money.template_tokens import TemplateSeen
from lollmsbot_keys.core.state.events import Answered, Cooled, Event, Settled, Strike


class Finished(NamedTuple):
    """One attempt that is over.

    `failover` is true when it stood in for a failed one.
    """

    candidate: Candidate
    hold: Hold
    outcome: Outcome
    latency: timedelta
    failover: bool


def discreet(outcome: Outcome, prompt: Words, answer: str) -> Outcome:
    """Return `outcome`, with its evidence kept nowhere if it repeats words of prompt or answer."""
    failure = outcome.failure
    if failure is None or failure.transient:
        return outcome
    if not prompt.are_quoted(failure.evidence) and not Words((answer,)).are_quoted(failure.evidence):
        return outcome
    return outcome._replace(failure=failure._replace(transient=True))


def charge_for(finished: Finished) -> Charge:
    """Return the charge that the attempt is booked at.

    A failed one costs nothing unless it may have been billed, or tokens were used. The figure of a moment amid the
    answer says only the least that it cost.
    """
    candidate, outcome, held = finished.candidate, finished.outcome, finished.hold.amount_usd
    usage = outcome.usage or Usage()
    most = at_most(held, candidate.most, usage)
    if outcome.interim:
        return unconfirmed(most, candidate.provider)
    # An answer of nothing is complete: what it says of tokens is what was used.
    told = usage.cost_usd or (outcome.kind is OutcomeKind.EMPTY and usage.tokens)
    if outcome.failure is None or told:
        return charge(candidate.provider, outcome.usage, candidate.price, candidate.most, held)
    match billing := Billing.POSSIBLY if usage.tokens else outcome.failure.billing:
        case Billing.NOTHING:
            return UNBILLED
        case Billing.POSSIBLY:
            return unconfirmed(most, candidate.provider)
        case _:
            assert_never(billing)


def events_of(finished: Finished, booked: Charge, cooldowns: Cooldowns, now: datetime) -> tuple[Event, ...]:
    """Return everything to record of the attempt, settlement first."""
    outcome = finished.outcome
    settled = Settled(
        finished.hold.id,
        booked,
        outcome.usage or Usage(),
        finished.latency,
        failed=outcome.failure is not None,
        failover=finished.failover,
        outcome=outcome.kind.value,
        generation=(outcome.generation_id or "") if finished.candidate.provider is Provider.OPENROUTER else "",
    )
    health = _health(finished.candidate, outcome, cooldowns, now)
    return (settled, *health, *_not_free(finished, booked, cooldowns, now), *_template(finished))


def tokens_beyond(finished: Finished) -> int:
    """Return by how many tokens the prompt exceeded the estimate in its bound.

    The provider's count is compared.
    """
    usage, expected = finished.outcome.usage, finished.candidate.prompt_tokens
    return max(0, usage.prompt_tokens - expected) if usage is not None and expected else 0


def _template(finished: Finished) -> tuple[Event, ...]:
    """Return the event that teaches the model's template.

    A call on this machine has no price, and so no bound to mend.
    """
    candidate, beyond = finished.candidate, tokens_beyond(finished)
    if not beyond or candidate.provider is Provider.LOCAL:
        return ()
    return (TemplateSeen(candidate.provider, candidate.model, candidate.template_tokens + beyond),)


def _not_free(finished: Finished, booked: Charge, cooldowns: Cooldowns, now: datetime) -> tuple[Event, ...]:
    """Return the event that leaves a free model out, if it cost money.

    The cost came in spite of the `max_price` of nothing that was sent along.
    """
    if not was_charged_for_free(finished, booked):
        return ()
    scope = Scope.of(Reach.MODEL, finished.candidate)
    evidence = f"it is meant to be free, and cost {booked.amount_usd:f} USD"
    until = now + cooldowns.longest
    return (Cooled(Cooldown(scope, Reason.NO_SUCH_MODEL, now, until, NOT_FREE, evidence)),)


NOT_FREE = "not free any more"


def was_charged_for_free(finished: Finished, booked: Charge) -> bool:
    """Say whether a model that the provider is said to give away cost money."""
    return finished.candidate.free and booked.amount_usd > 0


def _health(candidate: Candidate, outcome: Outcome, cooldowns: Cooldowns, now: datetime) -> tuple[Event, ...]:
    pair = Scope.of(Reach.KEY_AND_MODEL, candidate)
    failure = outcome.failure
    if failure is None:
        return (Answered(pair),)
    if failure.strike:
        until = now + cooldowns.unavailable
        return (Strike(Cooldown(pair, Reason.COOLING_DOWN, now, until, "three in a row", failure.lasting_evidence)),)
    if failure.until is not None and failure.until > now:
        scope = Scope.of(failure.reach, candidate)
        reason = _REASONS.get(failure.kind, Reason.COOLING_DOWN)
        return (Cooled(Cooldown(scope, reason, now, failure.until, failure.source, failure.lasting_evidence)),)
    return ()


_REASONS = {
    OutcomeKind.NO_CREDIT: Reason.NO_CREDIT,
    OutcomeKind.NO_SUCH_MODEL: Reason.NO_SUCH_MODEL,
}


def cools_until(snapshot: Snapshot, candidate: Candidate, now: datetime) -> datetime | None:
    """Return until when `candidate` is left out by the cooldowns of `snapshot`."""
    covering = (c.until for c in snapshot.cooldowns.values() if c.until > now and c.scope.covers(candidate))
    return max(covering, default=None)
