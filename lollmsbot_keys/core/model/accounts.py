"""The account that is billed and limited for a key.

It is told as it is known now, also for facts that were said of an account before that was known.
"""

from __future__ import annotations

from lollmsbot_keys.core.model.config import Config, Key
from lollmsbot_keys.core.model.request import Facts, Reach
from lollmsbot_keys.core.model.snapshot import Scope, Snapshot, same_secret


def account_of(key: Key, fingerprint: str, snapshot: Snapshot) -> str:
    """Return the account that is billed for `key`.

    It is the configured label, else what a key check found, else the key and its secret.
    """
    if key.account is not None:
        return key.account
    return _learnt(key.name, fingerprint, snapshot) or f"{key.name}#{fingerprint}"


def fingerprint_of(key: str, snapshot: Snapshot, facts: Facts) -> str:
    """Return the fingerprint of the secret that `key` has now, or "".

    Where this process cannot see the secret (in cron, for instance), the one that another process saw counts.
    """
    sighting = snapshot.sightings.get(key)
    return facts.secrets.get(key) or (sighting.fingerprint if sighting is not None else "")


def known_as(scope: Scope, config: Config, snapshot: Snapshot, facts: Facts) -> tuple[Scope, ...]:
    """Return `scope` under each name that its account has by now.

    A scope of another reach comes back alone. A fact that was met through a key belongs to the key's account, also if a
    label or a key check has named that differently since. A label belongs to the secret that the key has now.
    """
    if scope.reach is not Reach.ACCOUNT and scope.reach is not Reach.FREE_MODELS:
        return (scope,)
    name, fingerprint = scope.key, scope.fingerprint
    if not name:  # nobody had told whose it is: then the account is named after the key and its secret
        name, _, fingerprint = scope.account.rpartition("#")
    names = {scope.account: None}
    if (learnt := _learnt(name, fingerprint, snapshot)) is not None:
        names[learnt] = None
    key = config.key(name)
    if key is not None and key.account and same_secret(fingerprint, fingerprint_of(name, snapshot, facts)):
        names[key.account] = None
    return tuple(scope._replace(account=account) for account in names)


def _learnt(key: str, fingerprint: str, snapshot: Snapshot) -> str | None:
    learnt = snapshot.accounts.get(key)
    return learnt.of(fingerprint) if learnt is not None else None
