"""The state as JSON and back.

The state that is read equals the one that was written; anything else is refused, never guessed. Amounts are decimal
strings, times ISO 8601 in UTC. A file of an older version is upgraded on reading, one of a newer version is refused.
Validation libraries are kept out: every command reads the state, and would need their time to start.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import InvalidOperation
from itertools import chain

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.snapshot import VERSION, Snapshot
from lollmsbot_keys.edges.state.codec import alerts, health, money, rotations
from lollmsbot_keys.edges.state.codec.values import (
    NotAState,
    Tree,
    read_count,
    read_each,
    read_text,
    read_time,
    write_time,
)

__all__ = ["NewerState", "NotAState", "decode", "encode"]


class NewerState(ValueError):
    """A state that a newer lbk wrote; `args[0]` is its version."""


def encode(snapshot: Snapshot) -> bytes:
    """Return the whole state file, with a final line break."""
    tree = {
        "version": VERSION,
        "written": write_time(snapshot.written) if snapshot.written else None,
        "hours": {key: list(chain.from_iterable(window.items())) for key, window in snapshot.hours.items()},
        "cursors": dict(snapshot.cursors),
        "cooldowns": [health.write_cooldown(cooldown) for cooldown in snapshot.cooldowns.values()],
        "disabled": {key: health.write_disabled(disabled) for key, disabled in snapshot.disabled.items()},
        "streaks": [{**health.write_scope(scope), "count": count} for scope, count in snapshot.streaks.items()],
        "accounts": {key: list(account) for key, account in snapshot.accounts.items()},
        "holds": {id_: money.write_hold(hold) for id_, hold in snapshot.holds.items()},
        "waiters": {id_: health.write_waiter(waiter) for id_, waiter in snapshot.waiters.items()},
        "days": {
            str(day): {"part": content.part, "cells": money.cells_tree(content)}
            for day, content in snapshot.days.items()
        },
        "closed": {str(day): money.write_sums(sums) for day, sums in snapshot.closed.items()},
        "months": {month: money.write_sums(sums) for month, sums in snapshot.months.items()},
        "uncertain": {month: money.write_uncertain(sums) for month, sums in snapshot.uncertain.items()},
        "notices": sorted(snapshot.notices),
        "sightings": {key: health.write_sighting(sighting) for key, sighting in snapshot.sightings.items()},
        "successes": {key: write_time(moment) for key, moment in snapshot.successes.items()},
        "totals": money.write_totals(snapshot.totals),
        "failures": money.write_failures(snapshot.failures),
        "lost": {generation: [hold.id, money.write_hold(hold)] for generation, hold in snapshot.lost.items()},
        "alerts": {name: alerts.write_raised(raised) for name, raised in snapshot.alerts.items()},
        "trail": {key: alerts.write_trail(trail) for key, trail in snapshot.trail.items()},
        "usable": {str(day): sorted(keys) for day, keys in snapshot.usable.items()},
        "rotations": {key: rotations.write_rotation(rotation) for key, rotation in snapshot.rotations.items()},
        "template_tokens": {provider: dict(figures) for provider, figures in snapshot.template_tokens.items()},
        "adopted": sorted(snapshot.adopted),
    }
    return json.dumps(tree, separators=(",", ":")).encode() + b"\n"


def decode(content: bytes) -> Snapshot:
    """Read the state in `content`.

    Raises:
        NotAState: it is none, or not a whole one.
        NewerState: it has a version that this lbk does not know.
    """
    try:
        tree = json.loads(content)
        version = tree["version"]
        if type(version) is int and version > VERSION:
            raise NewerState(version)  # noqa: TRY301 - the reading and its judgement belong together
        if version != VERSION:
            tree = _upgraded(tree, version)
        return _snapshot(tree)
    except NewerState:
        raise
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        InvalidOperation,
        OverflowError,
        RecursionError,
    ) as error:
        raise NotAState(type(error).__name__) from None


def _snapshot(tree: Tree) -> Snapshot:
    return Snapshot(
        written=read_time(tree["written"]) if tree["written"] is not None else None,
        hours=read_each(tree["hours"], str, health.read_window),
        cursors=read_each(tree["cursors"], Provider, read_text),
        cooldowns={cooldown.scope: cooldown for cooldown in map(health.read_cooldown, tree["cooldowns"])},
        disabled=read_each(tree["disabled"], str, health.read_disabled),
        streaks={health.read_scope(streak): read_count(streak["count"]) for streak in tree["streaks"]},
        accounts=read_each(tree["accounts"], str, health.read_account),
        holds={id_: money.read_hold(id_, hold) for id_, hold in tree["holds"].items()},
        waiters=read_each(tree["waiters"], str, health.read_waiter),
        days=read_each(tree["days"], date.fromisoformat, money.read_day),
        closed=read_each(tree["closed"], date.fromisoformat, money.read_sums),
        months=read_each(tree["months"], str, money.read_sums),
        uncertain=read_each(tree["uncertain"], str, money.read_uncertain),
        notices=frozenset(map(read_text, tree["notices"])),
        sightings=read_each(tree["sightings"], str, health.read_sighting),
        successes=read_each(tree["successes"], str, read_time),
        totals=money.read_totals(tree["totals"]),
        failures=money.read_failures(tree["failures"]),
        lost={generation: money.read_hold(*hold) for generation, hold in tree["lost"].items()},
        alerts=read_each(tree["alerts"], str, alerts.read_raised),
        trail=read_each(tree["trail"], str, alerts.read_trail),
        usable=read_each(tree["usable"], date.fromisoformat, alerts.read_names),
        rotations=read_each(tree["rotations"], str, rotations.read_rotation),
        template_tokens=read_each(tree.get("template_tokens", {}), Provider, money.read_counts),
        adopted=frozenset(map(read_text, tree.get("adopted", ()))),
    )


def _upgraded(tree: Tree, version: object) -> Tree:
    """Return the tree of an older version as one of today's."""
    if version != 1:
        raise NotAState(f"version {version!r}")
    tables = ("sightings", "successes", "lost", "alerts", "trail", "usable", "uncertain", "rotations")
    return {**{name: {} for name in tables}, "totals": [], "failures": [], **tree}
