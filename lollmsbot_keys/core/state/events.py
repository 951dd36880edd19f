"""The events of the shared state: `record(snapshot, event, now)` gives the next snapshot.

Each event may be recorded twice without harm. Cooldowns only grow. A settlement moves money from a hold into the day
that the hold was claimed in, whenever it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import assert_never

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.alert import AlertsDelivered, Telling, Watched
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.model.rotation_journal import Replacement
from lollmsbot_keys.core.model.snapshot import KEPT_AFTER_LAPSE, Cooldown, Disabled, Hold, Scope, Snapshot, Waiter
from lollmsbot_keys.core.money import ledger, template_tokens
from lollmsbot_keys.core.money.charges import Charge, unconfirmed
from lollmsbot_keys.core.money.template_tokens import TemplateSeen
from lollmsbot_keys.core.state import cooldowns, secret_history, totals
from lollmsbot_keys.core.state.call_window import counted
from lollmsbot_keys.core.state.cooldowns import without

MOST_LOST = 32
"""The most calls of unknown cost that are remembered by the provider's id."""


class Claimed(NamedTuple):
    """A call about to be sent, with its held bound, its place in the key's window and its turn."""

    hold: Hold
    takes_turn: bool


class Settled(NamedTuple):
    """The end of a call, with its charge, which may have failed or stood in for another.

    `outcome` is its `OutcomeKind`; `generation` is the provider's id of it, to ask for a lost figure.
    """

    hold_id: str
    charge: Charge
    usage: Usage
    latency: timedelta
    failed: bool
    failover: bool
    outcome: str = ""
    generation: str = ""


class Remembered(NamedTuple):
    """The hold, perhaps lapsed and forgotten, of a call about to be settled at more than that.

    So no excess is lost, however many others lapsed. The process that claimed it says this once, with the settlement.
    """

    hold: Hold


class Found(NamedTuple):
    """The true cost, told later, of a broken-off call that was booked at its hold."""

    generation: str
    charge: Charge
    usage: Usage


class Sighted(NamedTuple):
    """The use of a key with the secret of that fingerprint."""

    key: str
    fingerprint: str


class Replaced(NamedTuple):
    """The replacement of a key's secret by the one of that fingerprint."""

    key: str
    fingerprint: str


class Returned(NamedTuple):
    """The return of a key's former secret with its old age, without effect if the key has it already."""

    key: str
    fingerprint: str
    since: datetime
    generation: int


class Journalled(NamedTuple):
    """The progress of a rotation of a key's secret, or `None` once it may be forgotten."""

    key: str
    rotation: Replacement | None


class Released(NamedTuple):
    """A hold whose call was never sent, so that nothing is booked."""

    hold_id: str


class Cooled(NamedTuple):
    cooldown: Cooldown


class Strike(NamedTuple):
    """A junk answer, dropped line or timeout, which cools only as the third in a row."""

    cooldown: Cooldown


class Answered(NamedTuple):
    """An answer of a key and model, which ends the strikes in a row but no cooldown."""

    scope: Scope


class KeyRefused(NamedTuple):
    """The refusal of a key's secret by its provider, with which the key check agreed."""

    key: str
    disabled: Disabled


class KeyProved(NamedTuple):
    """The proof of a key check that a secret is good, perhaps with its account."""

    key: str
    fingerprint: str
    account: str | None = None


class Reset(NamedTuple):
    """The wish of a person to have these tried again, which leaves money and hourly windows alone."""

    scopes: frozenset[Scope]
    keys: frozenset[str]


class Lapsed(NamedTuple):
    """The holds of owners that are gone, charged in full because each may have been billed."""

    hold_ids: frozenset[str]


class Waiting(NamedTuple):
    id: str
    waiter: Waiter


class WaitOver(NamedTuple):
    ids: frozenset[str]


class Noticed(NamedTuple):
    """A one-time notice that was given."""

    notice: str


Event = (
    Claimed
    | Settled
    | Remembered
    | Found
    | Sighted
    | Replaced
    | Returned
    | Journalled
    | Released
    | Cooled
    | Strike
    | Answered
    | KeyRefused
    | KeyProved
    | Reset
    | Lapsed
    | Waiting
    | WaitOver
    | Watched
    | Telling
    | AlertsDelivered
    | TemplateSeen
    | Noticed
)


def record(  # noqa: C901, PLR0911, PLR0912 - one arm for each event
    snapshot: Snapshot, event: Event, now: datetime
) -> Snapshot:
    """Return the snapshot after `event`."""
    match event:
        case Claimed():
            return _claimed(snapshot, event, now)
        case Settled():
            return _settled(snapshot, event, now)
        case Remembered(hold):
            return _remembered(snapshot, hold, now)
        case Found():
            return _found(snapshot, event)
        case Sighted(key, fingerprint):
            return secret_history.sight(snapshot, key, fingerprint, now)
        case Replaced(key, fingerprint):
            return secret_history.replace(snapshot, key, fingerprint, now)
        case Returned(key, fingerprint, since, generation):
            return secret_history.give_back(snapshot, key, fingerprint, since, generation)
        case Journalled(key, rotation):
            rotations = without(snapshot.rotations, {key})
            return snapshot._replace(rotations=rotations if rotation is None else {**rotations, key: rotation})
        case Released(hold_id):
            return snapshot._replace(holds=without(snapshot.holds, {hold_id}))
        case Cooled(cooldown):
            return cooldowns.cool(snapshot, cooldown)
        case Strike(cooldown):
            return cooldowns.strike(snapshot, cooldown)
        case Answered(scope):
            return (
                snapshot._replace(streaks=without(snapshot.streaks, {scope})) if scope in snapshot.streaks else snapshot
            )
        case KeyRefused(key, disabled):
            return cooldowns.refuse(snapshot, key, disabled)
        case KeyProved(key, fingerprint, account):
            return secret_history.sight(cooldowns.prove(snapshot, key, fingerprint, account), key, fingerprint, now)
        case Reset():
            return _reset(snapshot, event, now)
        case Lapsed(ids):
            return _lapsed(snapshot, ids, now)
        case Waiting(id_, waiter):
            return snapshot._replace(waiters={**snapshot.waiters, id_: waiter})
        case WaitOver(ids):
            return snapshot._replace(waiters=without(snapshot.waiters, ids)) if ids else snapshot
        case Watched() | Telling() | AlertsDelivered():
            from lollmsbot_keys.core.state import alert_delivery  # most calls end without anything to tell

            return alert_delivery.apply(snapshot, event, now)
        case TemplateSeen():
            return template_tokens.learnt(snapshot, event)
        case Noticed(notice):
            return snapshot._replace(notices=snapshot.notices | {notice})
        case _:
            assert_never(event)


def _claimed(snapshot: Snapshot, event: Claimed, now: datetime) -> Snapshot:
    hold = event.hold
    if hold.id in snapshot.holds:
        return snapshot
    hours, cursors = snapshot.hours, snapshot.cursors
    if hold.key:
        hours = {**hours, hold.key: counted(hours.get(hold.key, {}), now)}
        if event.takes_turn:
            cursors = {**cursors, hold.provider: hold.key}
    return snapshot._replace(holds={**snapshot.holds, hold.id: hold}, hours=hours, cursors=cursors)


def _settled(snapshot: Snapshot, event: Settled, now: datetime) -> Snapshot:
    hold = snapshot.holds.get(event.hold_id)
    if hold is None:
        return snapshot
    if hold.lapsed:
        snapshot = ledger.unbook(snapshot, hold, unconfirmed(hold.amount_usd, hold.provider))
    lost = event.charge.unconfirmed and event.generation and hold.key
    usage = Usage() if lost else event.usage  # its tokens come with its figure
    call = ledger.entry(event.charge, usage, latency=event.latency, failed=event.failed, failover=event.failover)
    snapshot = totals.count(ledger.book(snapshot, hold, call), hold, call, event.outcome, now)
    if lost:
        snapshot = _lost(snapshot, event.generation, hold._replace(amount_usd=event.charge.amount_usd))
    return snapshot._replace(holds=without(snapshot.holds, {hold.id}))


def _remembered(snapshot: Snapshot, hold: Hold, now: datetime) -> Snapshot:
    if hold.id in snapshot.holds:
        return snapshot
    lapsed = hold._replace(lapsed=True, expires=now + KEPT_AFTER_LAPSE)
    return snapshot._replace(holds={**snapshot.holds, hold.id: lapsed})


def _lost(snapshot: Snapshot, generation: str, hold: Hold) -> Snapshot:
    lost = {**snapshot.lost, generation: hold._replace(lapsed=False)}
    if len(lost) > MOST_LOST:
        del lost[min(lost, key=lambda name: lost[name].claimed)]
    return snapshot._replace(lost=lost)


def _found(snapshot: Snapshot, event: Found) -> Snapshot:
    """Put the true figure in the hold's place, as a further part if its day is already in the history."""
    hold = snapshot.lost.get(event.generation)
    if hold is None:
        return snapshot
    hold = hold._replace(id=event.generation)
    snapshot = ledger.unbook(snapshot, hold, unconfirmed(hold.amount_usd, hold.provider))
    call = ledger.entry(event.charge, event.usage, latency=None, failed=True, failover=False)
    return ledger.book(snapshot, hold, call)._replace(lost=without(snapshot.lost, {event.generation}))


def _lapsed(snapshot: Snapshot, ids: frozenset[str], now: datetime) -> Snapshot:
    holds = dict(snapshot.holds)
    for hold_id in ids:
        hold = holds.get(hold_id)
        if hold is None or hold.lapsed:
            continue
        charge = unconfirmed(hold.amount_usd, hold.provider)
        call = ledger.entry(charge, Usage(), latency=None, failed=True, failover=False)
        snapshot = totals.count(ledger.book(snapshot, hold, call), hold, call, totals.LAPSED, now)
        holds[hold_id] = hold._replace(lapsed=True, expires=now + KEPT_AFTER_LAPSE)
    return snapshot._replace(holds=holds)


def _reset(snapshot: Snapshot, event: Reset, now: datetime) -> Snapshot:
    streaks = {scope for scope in snapshot.streaks if scope.key in event.keys}
    # Whoever waits for one of these keys can use it from now on, and keeps the place in the queue.
    waiters = {
        ticket: waiter._replace(
            keys={k: min(since, now) if k in event.keys else since for k, since in waiter.keys.items()}
        )
        for ticket, waiter in snapshot.waiters.items()
    }
    return snapshot._replace(
        cooldowns=without(snapshot.cooldowns, event.scopes),
        streaks=without(snapshot.streaks, streaks),
        disabled=without(snapshot.disabled, event.keys),
        waiters=waiters,
    )


def resettable(
    snapshot: Snapshot,
    accounts: Mapping[str, str],
    providers: AbstractSet[Provider],
    known_as: Callable[[Scope], Iterable[Scope]] = lambda scope: (scope,),
) -> Reset:
    """Return everything that keeps some keys out.

    `accounts` maps their names to their accounts. A key's reset clears what is said of it and of its account, by each
    name that `known_as` gives that; what is said of a model or of a whole provider is cleared with `providers`.
    """
    billed = frozenset(accounts.values())
    scopes = frozenset(
        scope
        for scope in snapshot.cooldowns
        if scope.provider in providers
        or scope.key in accounts
        or any(known.is_billed_to(account) for known in known_as(scope) for account in billed)
    )
    return Reset(scopes, frozenset(accounts))
