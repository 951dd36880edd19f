"""Who is billed and limited for a key, as it is known now; and what was said of an account before that was known."""

from __future__ import annotations

from lollmsbot_keys.core.model.config import Config, Key
from lollmsbot_keys.core.model.request import Facts, Reach
from lollmsbot_keys.core.model.snapshot import Scope, Snapshot, same_secret


def account_of(key: Key, fingerprint: str, snapshot: Snapshot) -> str:
    """Who is billed for `key`: the configured label, else what a key check found, else the key and its secret."""
    if key.account is not None:
        return key.account
    return _learnt(key.name, fingerprint, snapshot) or f"{key.name}#{fingerprint}"


def fingerprint_of(key: str, snapshot: Snapshot, facts: Facts) -> str:
    """The secret that `key` has now, as far as anybody knows: cron may not see it, but somebody who called did."""
    sighting = snapshot.sightings.get(key)
    return facts.secrets.get(key) or (sighting.fingerprint if sighting is not None else "")


def known_as(scope: Scope, config: Config, snapshot: Snapshot, facts: Facts) -> tuple[Scope, ...]:
    """`scope`, and where it is an account's, that under each name which the account has by now.

    What was met through a key is its account's, whatever a label or a key check has called that since. A label is that
    of the secret which the key has now.
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
