"""The step that decides and holds under one lock.

`claim` runs under the lock of the state, on what the state says at that moment. So two processes never get the same
turn, or the same last cent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Config, Privacy
from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.request import Candidate, Facts, Plan, Priority, Reason, Request, Tried
from lollmsbot_keys.core.model.snapshot import Hold, Snapshot, Waiter
from lollmsbot_keys.core.money.amounts import budget_day
from lollmsbot_keys.core.routing.route import notices_about, route
from lollmsbot_keys.core.state.events import Claimed, Noticed, Sighted, WaitOver, record

HOLD_LIFETIME = timedelta(hours=1)
"""The time until a hold lapses, unless its process is known to live. Of a dead process it lapses earlier."""
_FREE_AT_MEDIUM = "free_at_medium"


class Claim(NamedTuple):
    """A candidate, and the money held for it.

    `notices` are what a person should be told about the choice.
    """

    candidate: Candidate
    hold: Hold
    plan: Plan
    notices: tuple[str, ...] = ()


class Locked(NamedTuple):
    """A candidate whose secret must be opened before it can be claimed.

    Opening may take a while, or ask a person.
    """

    key: str


class Nothing(NamedTuple):
    """The answer when no candidate may take the request now.

    `plan` is the whole one, with what was tried already. `queued`: something may take it, but others have waited
    longer for that. `ahead` counts those, `on_their_way` are the calls that hold money.
    """

    plan: Plan
    queued: bool = False
    ahead: int = 0
    on_their_way: frozenset[str] = frozenset()


Claiming = Claim | Locked | Nothing


class Claimant(NamedTuple):
    """The one that claims.

    The process, the name its hold will have, the keys whose secrets it has in memory, and its place in the queue where
    it waits.
    """

    owner: Owner
    hold_id: str
    opened: AbstractSet[str]
    ticket: str | None = None


def claim(
    request: Request,
    config: Config,
    snapshot: Snapshot,
    facts: Facts,
    now: datetime,
    tried: Sequence[Tried],
    claimant: Claimant,
) -> tuple[Snapshot, Claiming]:
    """Route, and hold the bound of the first candidate that may be used."""
    plan = route(request, config, snapshot, facts, now, tried)
    choice = _first_not_queued_for(plan, wanted_before(snapshot, claimant.ticket, now))
    if choice is None:
        whole = route(request, config, snapshot, facts, now) if tried and plan.untrusted is None else plan
        on_their_way = frozenset(id_ for id_, hold in snapshot.holds.items() if not hold.lapsed)
        before = sum(1 for _ in ahead(snapshot, claimant.ticket))
        return snapshot, Nothing(whole, plan.choice is not None, before, on_their_way)
    if choice.key is not None and choice.key not in claimant.opened:
        return snapshot, Locked(choice.key)
    hold = _hold(choice, plan, claimant, config, now)
    snapshot = record(snapshot, Claimed(hold, choice.takes_turn), now)
    snapshot = record(snapshot, Sighted(hold.key, choice.fingerprint), now)
    if claimant.ticket is not None:
        snapshot = record(snapshot, WaitOver(frozenset({claimant.ticket})), now)
    notices = notices_about(choice, plan)
    if choice.free and plan.privacy is Privacy.MEDIUM and _FREE_AT_MEDIUM not in snapshot.notices:
        snapshot = record(snapshot, Noticed(_FREE_AT_MEDIUM), now)
        notices = (*notices, _free_at_medium(choice))
    return snapshot, Claim(choice, hold, plan, notices)


def _hold(choice: Candidate, plan: Plan, claimant: Claimant, config: Config, now: datetime) -> Hold:
    return Hold(
        id=claimant.hold_id,
        owner=claimant.owner,
        claimed=now,
        expires=now + HOLD_LIFETIME,
        day=budget_day(now, config.timezone),
        key=choice.key or "",
        provider=choice.provider,
        model=choice.model,
        pillar=plan.pillar or "",
        amount_usd=choice.bound_usd,
    )


def _free_at_medium(choice: Candidate) -> str:
    return (
        f"{choice.model} is free, and who runs a free model may keep what it is asked: it cannot be told not to. "
        "Use --privacy high to keep prompts from it. (Said once.)"
    )


def wanted_before(snapshot: Snapshot, ticket: str | None, now: datetime) -> frozenset[str]:
    """Return the keys ("" is local) that the waiters ahead in the queue can use now."""
    return frozenset(key for waiter in ahead(snapshot, ticket) for key, since in waiter.keys.items() if since <= now)


def ahead(snapshot: Snapshot, ticket: str | None) -> Iterator[Waiter]:
    """Yield the waiters ahead in the queue; none for a process that does not wait."""
    mine = snapshot.waiters.get(ticket) if ticket is not None else None
    if mine is not None and ticket is not None:
        place = _place(ticket, mine)
        yield from (waiter for id_, waiter in snapshot.waiters.items() if id_ != ticket and _place(id_, waiter) < place)


def _place(ticket: str, waiter: Waiter) -> tuple[bool, datetime, str]:
    """Return the sort key of a waiter: critical requests first, then the earliest."""
    return waiter.priority is not Priority.CRITICAL, waiter.since, ticket


def _first_not_queued_for(plan: Plan, wanted: AbstractSet[str]) -> Candidate | None:
    for candidate in plan.candidates:
        if candidate.eligible and (candidate.key or "") not in wanted:
            return candidate
        if candidate.set_aside is not None and candidate.set_aside.reason is Reason.UNTRUSTED_HOST:
            return None
    return None


def passing(plan: Plan) -> list[tuple[datetime, str]]:
    """Return when each key ("" is local) comes back by time alone, soonest first."""
    return sorted(
        (candidate.set_aside.until, candidate.key or "")
        for candidate in plan.candidates
        if candidate.set_aside is not None and candidate.set_aside.until is not None and not _is_held(candidate)
    )


def held(plan: Plan) -> list[str]:
    """Return the keys that come back as soon as calls on their way need less than they hold."""
    return [candidate.key or "" for candidate in plan.candidates if _is_held(candidate)]


def _is_held(candidate: Candidate) -> bool:
    return candidate.set_aside is not None and candidate.set_aside.reason is Reason.HELD
