"""What happened, written into the state: `record(snapshot, event, now)` gives the next snapshot.

Each event may be recorded twice without harm. Cooldowns only grow. A settlement moves money from a hold into the day
that the hold was claimed in, whenever it comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar, assert_never

from lollmsbot_keys.core import ledger
from lollmsbot_keys.core.catalogue import Provider
from lollmsbot_keys.core.charging import Charge, unconfirmed
from lollmsbot_keys.core.report import Usage
from lollmsbot_keys.core.state import (
    KEPT_AFTER_LAPSE,
    OTHER_SECRETS,
    Account,
    Cooldown,
    Disabled,
    Hold,
    Scope,
    Snapshot,
    Waiter,
    same_account,
    same_secret,
)
from lollmsbot_keys.core.windows import counted

STUMBLES = 3
"""So many junk answers in a row on one key and model cool that pair."""
MOST_COOLDOWNS = 256
"""More scopes than this do not cool at once: whoever names endless models must not grow the state. A model's is the
first to go; what keeps a whole key or account out stays.
"""


class Claimed(NamedTuple):
    """A call is about to be sent: its bound is held, its key's window grows, the turn is taken."""

    hold: Hold
    takes_turn: bool


class Settled(NamedTuple):
    """A call ended: what it is booked at, and whether it failed or stood in for another."""

    hold_id: str
    charge: Charge
    usage: Usage
    latency: timedelta
    failed: bool
    failover: bool


class Released(NamedTuple):
    """A hold whose call was never made: nothing was sent, so nothing is booked."""

    hold_id: str


class Cooled(NamedTuple):
    cooldown: Cooldown


class Stumbled(NamedTuple):
    """Junk, a dropped line, a timeout: harmless alone, a cooldown when it is the third in a row."""

    cooldown: Cooldown


class Answered(NamedTuple):
    """A key and model answered: the row of stumbles is over. Cooldowns stay."""

    scope: Scope


class KeyRefused(NamedTuple):
    """The provider refused this secret, and the key check agreed."""

    key: str
    disabled: Disabled


class KeyProved(NamedTuple):
    """A key check found this secret good; perhaps it also told whose it is."""

    key: str
    fingerprint: str
    account: str | None = None


class Reset(NamedTuple):
    """A person wants these tried again: see `resettable`. Money and hourly windows stay as they are."""

    scopes: frozenset[Scope]
    keys: frozenset[str]


class Lapsed(NamedTuple):
    """The owners of these holds are gone: each may have been billed, so each is charged in full."""

    hold_ids: frozenset[str]


class Waiting(NamedTuple):
    id: str
    waiter: Waiter


class WaitOver(NamedTuple):
    ids: frozenset[str]


class Noticed(NamedTuple):
    """A notice that is given only once was given."""

    notice: str


Event = (
    Claimed
    | Settled
    | Released
    | Cooled
    | Stumbled
    | Answered
    | KeyRefused
    | KeyProved
    | Reset
    | Lapsed
    | Waiting
    | WaitOver
    | Noticed
)


def record(snapshot: Snapshot, event: Event, now: datetime) -> Snapshot:  # noqa: PLR0911 - one arm for each event
    """The snapshot after `event`."""
    match event:
        case Claimed():
            return _claimed(snapshot, event, now)
        case Settled():
            return _settled(snapshot, event)
        case Released(hold_id):
            return snapshot._replace(holds=_without(snapshot.holds, {hold_id}))
        case Cooled(cooldown):
            return _cooled(snapshot, cooldown)
        case Stumbled(cooldown):
            return _stumbled(snapshot, cooldown)
        case Answered(scope):
            return (
                snapshot._replace(streaks=_without(snapshot.streaks, {scope}))
                if scope in snapshot.streaks
                else snapshot
            )
        case KeyRefused(key, disabled):
            return _refused(snapshot, key, disabled)
        case KeyProved():
            return _proved(snapshot, event)
        case Reset():
            return _reset(snapshot, event, now)
        case Lapsed(ids):
            return _lapsed(snapshot, ids, now)
        case Waiting(id_, waiter):
            return snapshot._replace(waiters={**snapshot.waiters, id_: waiter})
        case WaitOver(ids):
            return snapshot._replace(waiters=_without(snapshot.waiters, ids)) if ids else snapshot
        case Noticed(notice):
            return snapshot._replace(notices=snapshot.notices | {notice})
        case _:
            assert_never(event)


K = TypeVar("K")
V = TypeVar("V")


def _without(mapping: Mapping[K, V], gone: AbstractSet[K]) -> dict[K, V]:
    return {key: value for key, value in mapping.items() if key not in gone}


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


def _settled(snapshot: Snapshot, event: Settled) -> Snapshot:
    hold = snapshot.holds.get(event.hold_id)
    if hold is None:
        return snapshot
    if hold.lapsed:
        snapshot = ledger.unbook(snapshot, hold, unconfirmed(hold.amount_usd, hold.provider))
    snapshot = ledger.book(
        snapshot,
        hold,
        event.charge,
        event.usage,
        latency=event.latency,
        failed=event.failed,
        failover=event.failover,
    )
    return snapshot._replace(holds=_without(snapshot.holds, {hold.id}))


def _lapsed(snapshot: Snapshot, ids: frozenset[str], now: datetime) -> Snapshot:
    holds = dict(snapshot.holds)
    for hold_id in ids:
        hold = holds.get(hold_id)
        if hold is None or hold.lapsed:
            continue
        charge = unconfirmed(hold.amount_usd, hold.provider)
        snapshot = ledger.book(snapshot, hold, charge, Usage(), latency=None, failed=True, failover=False)
        holds[hold_id] = hold._replace(lapsed=True, expires=now + KEPT_AFTER_LAPSE)
    return snapshot._replace(holds=holds)


def _cooled(snapshot: Snapshot, cooldown: Cooldown) -> Snapshot:
    """Keep the later end: a new failure only ever extends what was known."""
    known = snapshot.cooldowns.get(cooldown.scope)
    if known is not None and known.until >= cooldown.until:
        return snapshot
    cooldowns = dict(snapshot.cooldowns)
    if known is None and len(cooldowns) >= MOST_COOLDOWNS:
        del cooldowns[min(cooldowns, key=lambda scope: (not scope.model, cooldowns[scope].until))]
    return snapshot._replace(cooldowns={**cooldowns, cooldown.scope: cooldown})


def _stumbled(snapshot: Snapshot, cooldown: Cooldown) -> Snapshot:
    row = snapshot.streaks.get(cooldown.scope, 0) + 1
    if row < STUMBLES:
        streaks = dict(snapshot.streaks)
        if row == 1 and len(streaks) >= MOST_COOLDOWNS:
            del streaks[next(iter(streaks))]
        return snapshot._replace(streaks={**streaks, cooldown.scope: row})
    return _cooled(snapshot._replace(streaks=_without(snapshot.streaks, {cooldown.scope})), cooldown)


def _refused(snapshot: Snapshot, key: str, disabled: Disabled) -> Snapshot:
    """Late news of an old secret must not free the new one, nor the reverse: what was refused before stays refused."""
    before = snapshot.disabled.get(key)
    if before is not None:
        former = (before.fingerprint, *before.others)
        others = tuple(dict.fromkeys(other for other in former if other and other != disabled.fingerprint))
        disabled = disabled._replace(others=others[:OTHER_SECRETS])
    return snapshot._replace(disabled={**snapshot.disabled, key: disabled})


def _proved(snapshot: Snapshot, event: KeyProved) -> Snapshot:
    disabled = snapshot.disabled.get(event.key)
    if disabled is not None and event.fingerprint:
        snapshot = snapshot._replace(disabled=_forgiven(snapshot.disabled, event.key, disabled, event.fingerprint))
    if event.account is not None:
        before = snapshot.accounts.get(event.key)
        former = ((before.fingerprint, before.name), *before.others) if before is not None else ()
        others = tuple(pair for pair in former if pair[0] != event.fingerprint)[:OTHER_SECRETS]
        account = Account(event.fingerprint, event.account, others)
        snapshot = snapshot._replace(accounts={**snapshot.accounts, event.key: account})
    return snapshot


def _forgiven(marks: Mapping[str, Disabled], key: str, disabled: Disabled, fingerprint: str) -> Mapping[str, Disabled]:
    others = tuple(other for other in disabled.others if other != fingerprint)
    if not same_secret(disabled.fingerprint, fingerprint):
        return {**marks, key: disabled._replace(others=others)}
    if not others:
        return _without(marks, {key})
    return {**marks, key: disabled._replace(fingerprint=others[0], others=others[1:])}


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
        cooldowns=_without(snapshot.cooldowns, event.scopes),
        streaks=_without(snapshot.streaks, streaks),
        disabled=_without(snapshot.disabled, event.keys),
        waiters=waiters,
    )


def resettable(snapshot: Snapshot, accounts: Mapping[str, str], providers: AbstractSet[Provider]) -> Reset:
    """Everything that keeps some keys out. `accounts` maps their names to their accounts.

    A key's reset clears what is said of it and of its account; what is said of a model or of a whole provider is
    cleared with `providers`.
    """
    billed = frozenset(accounts.values())
    scopes = frozenset(
        scope
        for scope in snapshot.cooldowns
        if scope.provider in providers
        or scope.key in accounts
        or any(same_account(scope.account, account) for account in billed)
    )
    return Reset(scopes, frozenset(accounts))
