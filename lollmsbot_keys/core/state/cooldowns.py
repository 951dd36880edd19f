"""The behaviour of keys and models: cooldowns, strikes in a row, refused secrets, accounts."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TypeVar

from lollmsbot_keys.core.model.snapshot import OTHER_SECRETS, Account, Cooldown, Disabled, Snapshot, same_secret

STRIKES = 3
"""The number of junk answers in a row on one key and model that cool that pair."""
MOST_COOLDOWNS = 256
"""The most scopes that cool at once: requests for endless models must not grow the state. A model's is the
first to go; one that keeps a whole key or account out stays.
"""

K = TypeVar("K")
V = TypeVar("V")


def without(mapping: Mapping[K, V], gone: AbstractSet[K]) -> dict[K, V]:
    return {key: value for key, value in mapping.items() if key not in gone}


def cool(snapshot: Snapshot, cooldown: Cooldown) -> Snapshot:
    """Add a cooldown, or keep the known one if it ends later.

    A new failure only ever extends what was known.
    """
    known = snapshot.cooldowns.get(cooldown.scope)
    if known is not None and known.until >= cooldown.until:
        return snapshot
    cooldowns = dict(snapshot.cooldowns)
    if known is None and len(cooldowns) >= MOST_COOLDOWNS:
        del cooldowns[min(cooldowns, key=lambda scope: (not scope.model, cooldowns[scope].until))]
    return snapshot._replace(cooldowns={**cooldowns, cooldown.scope: cooldown})


def strike(snapshot: Snapshot, cooldown: Cooldown) -> Snapshot:
    row = snapshot.streaks.get(cooldown.scope, 0) + 1
    if row < STRIKES:
        streaks = dict(snapshot.streaks)
        if row == 1 and len(streaks) >= MOST_COOLDOWNS:
            del streaks[next(iter(streaks))]
        return snapshot._replace(streaks={**streaks, cooldown.scope: row})
    return cool(snapshot._replace(streaks=without(snapshot.streaks, {cooldown.scope})), cooldown)


def refuse(snapshot: Snapshot, key: str, disabled: Disabled) -> Snapshot:
    """Mark a key's secret as refused, and keep the marks of its former secrets.

    Late news of an old secret must not free the new one, nor the reverse: a secret that was refused before stays
    refused.
    """
    before = snapshot.disabled.get(key)
    if before is not None:
        former = (before.fingerprint, *before.others)
        others = tuple(dict.fromkeys(other for other in former if other and other != disabled.fingerprint))
        disabled = disabled._replace(others=others[:OTHER_SECRETS])
    return snapshot._replace(disabled={**snapshot.disabled, key: disabled})


def prove(snapshot: Snapshot, key: str, fingerprint: str, account: str | None) -> Snapshot:
    """Note that the secret of that fingerprint is good.

    `account` is who is billed for it, where that was told.
    """
    disabled = snapshot.disabled.get(key)
    if disabled is not None and fingerprint:
        snapshot = snapshot._replace(disabled=_forgiven(snapshot.disabled, key, disabled, fingerprint))
    if account is not None:
        before = snapshot.accounts.get(key)
        former = ((before.fingerprint, before.name), *before.others) if before is not None else ()
        others = tuple(pair for pair in former if pair[0] != fingerprint)[:OTHER_SECRETS]
        snapshot = snapshot._replace(accounts={**snapshot.accounts, key: Account(fingerprint, account, others)})
    return snapshot


def _forgiven(marks: Mapping[str, Disabled], key: str, disabled: Disabled, fingerprint: str) -> Mapping[str, Disabled]:
    others = tuple(other for other in disabled.others if other != fingerprint)
    if not same_secret(disabled.fingerprint, fingerprint):
        return {**marks, key: disabled._replace(others=others)}
    if not others:
        return without(marks, {key})
    return {**marks, key: disabled._replace(fingerprint=others[0], others=others[1:])}
