"""The health of keys: windows, cooldowns, refused secrets, accounts, first sightings, and waiters."""

from __future__ import annotations

from typing import Any

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.request import Priority, Reach, Reason
from lollmsbot_keys.core.model.snapshot import Account, Cooldown, Disabled, Scope, Sighting, Waiter
from lollmsbot_keys.edges.state.codec.values import Tree, read_count, read_each, read_text, read_time, write_time


def read_window(flat: list[Any]) -> dict[int, int]:
    """Read minutes and their counts in turn."""
    return dict(zip(map(read_count, flat[::2]), map(read_count, flat[1::2]), strict=True))


def write_scope(scope: Scope) -> Tree:
    return {name: value for name, value in scope._asdict().items() if value}


def read_scope(tree: Tree) -> Scope:
    return Scope(
        Reach(tree["reach"]),
        Provider(tree["provider"]),
        read_text(tree.get("key", "")),
        read_text(tree.get("fingerprint", "")),
        read_text(tree.get("account", "")),
        read_text(tree.get("model", "")),
    )


def write_cooldown(cooldown: Cooldown) -> Tree:
    return {
        **write_scope(cooldown.scope),
        "reason": cooldown.reason,
        "since": write_time(cooldown.since),
        "until": write_time(cooldown.until),
        "source": cooldown.source,
        "evidence": cooldown.evidence,
    }


def read_cooldown(tree: Tree) -> Cooldown:
    return Cooldown(
        read_scope(tree),
        Reason(tree["reason"]),
        read_time(tree["since"]),
        read_time(tree["until"]),
        read_text(tree["source"]),
        read_text(tree["evidence"]),
    )


def write_disabled(disabled: Disabled) -> Tree:
    return {
        "fingerprint": disabled.fingerprint,
        "since": write_time(disabled.since),
        "source": disabled.source,
        "evidence": disabled.evidence,
        "others": list(disabled.others),
    }


def read_disabled(tree: Tree) -> Disabled:
    return Disabled(
        read_text(tree["fingerprint"]),
        read_time(tree["since"]),
        read_text(tree["source"]),
        read_text(tree["evidence"]),
        tuple(map(read_text, tree["others"])),
    )


def read_account(tree: list[Any]) -> Account:
    fingerprint, name, others = tree
    return Account(
        read_text(fingerprint), read_text(name), tuple((read_text(other), read_text(whose)) for other, whose in others)
    )


def read_owner(tree: list[Any]) -> Owner:
    pid, boot, started = tree
    return Owner(read_count(pid), read_text(boot), read_text(started))


def write_waiter(waiter: Waiter) -> Tree:
    return {
        "owner": list(waiter.owner),
        "since": write_time(waiter.since),
        "until": write_time(waiter.until),
        "priority": waiter.priority,
        "keys": {key: write_time(since) for key, since in waiter.keys.items()},
    }


def read_waiter(tree: Tree) -> Waiter:
    return Waiter(
        read_owner(tree["owner"]),
        read_time(tree["since"]),
        read_time(tree["until"]),
        Priority(tree["priority"]),
        read_each(tree["keys"], str, read_time),
    )


def write_sighting(sighting: Sighting) -> list[Any]:
    return [sighting.fingerprint, write_time(sighting.since), sighting.generation, list(sighting.others)]


def read_sighting(tree: list[Any]) -> Sighting:
    fingerprint, since, generation, others = tree
    return Sighting(read_text(fingerprint), read_time(since), read_count(generation), tuple(map(read_text, others)))
