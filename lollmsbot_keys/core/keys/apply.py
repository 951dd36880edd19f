"""The events that routing learns from one key check."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from lollmsbot_keys.core.model.accounts import account_of
from lollmsbot_keys.core.model.config import Key
from lollmsbot_keys.core.model.findings import KeyFinding, KeyProof, UsedUpLimit, Verdict
from lollmsbot_keys.core.model.request import Reach
from lollmsbot_keys.core.model.snapshot import Cooldown, Disabled, Scope, Snapshot
from lollmsbot_keys.core.state.events import Cooled, KeyProved, KeyRefused, record

SOURCE = "test-keys"


def taught(snapshot: Snapshot, key: Key, fingerprint: str, proof: KeyProof, now: datetime) -> Snapshot:
    """Return the state after `proof`.

    Invalid disables, a good key is enabled, what is used up cools down. A check that could not be made changes nothing,
    and nothing ends a cooldown early.
    """
    if proof.verdict is Verdict.INVALID:
        return record(snapshot, KeyRefused(key.name, Disabled(fingerprint, now, SOURCE, proof.reason)), now)
    if proof.verdict.is_good_key:
        snapshot = record(snapshot, KeyProved(key.name, fingerprint, proof.account), now)
    for limit in proof.limits:
        snapshot = record(snapshot, Cooled(_cooldown(snapshot, key, fingerprint, limit, now)), now)
    return snapshot


def _cooldown(snapshot: Snapshot, key: Key, fingerprint: str, limit: UsedUpLimit, now: datetime) -> Cooldown:
    if limit.reach is Reach.KEY:
        scope = Scope(Reach.KEY, key.provider, key.name, fingerprint)
    else:
        reach = limit.reach if limit.reach is Reach.FREE_MODELS else Reach.ACCOUNT
        scope = Scope(reach, key.provider, key.name, fingerprint, account_of(key, fingerprint, snapshot))
    return Cooldown(scope, limit.reason, now, limit.until, SOURCE, limit.evidence)


def sharing(accounts: Iterable[tuple[KeyFinding, str]]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of two or more keys that are one account of one provider."""
    owned = sorted(
        ((found.provider, account, found.key) for found, account in accounts if account), key=lambda x: x[:2]
    )
    groups = (tuple(key for *_, key in group) for _, group in groupby(owned, key=lambda entry: entry[:2]))
    return tuple(group for group in groups if len(group) > 1)
