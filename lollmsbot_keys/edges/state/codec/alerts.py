"""The alerts that were told to people, and the facts for judging the next days.

These are the calls of closed days, and the keys that could be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import chain
from typing import Any

from lollmsbot_keys.core.model.lease import Lease
from lollmsbot_keys.core.model.snapshot import Raised
from lollmsbot_keys.edges.state.codec.health import read_owner
from lollmsbot_keys.edges.state.codec.values import Tree, read_count, read_text, read_time, write_time


def write_raised(raised: Raised) -> Tree:
    lease = raised.lease
    return {
        "window": raised.window,
        "level": raised.level,
        "since": write_time(raised.since),
        "title": raised.title,
        "lasting": raised.lasting,
        "told": list(raised.told),
        "over": write_time(raised.over) if raised.over is not None else None,
        "due": list(raised.due),
        "calmed": list(raised.calmed),
        "lease": [list(lease.owner), write_time(lease.until)] if lease is not None else None,
    }


def read_raised(tree: Tree) -> Raised:
    return Raised(
        read_text(tree["window"]),
        read_count(tree["level"]),
        read_time(tree["since"]),
        read_text(tree["title"]),
        tree["lasting"] is True,
        tuple(map(read_text, tree["told"])),
        read_time(tree["over"]) if tree["over"] is not None else None,
        tuple(map(read_text, tree["due"])),
        tuple(map(read_text, tree["calmed"])),
        _read_lease(tree["lease"]),
    )


def _read_lease(tree: list[Any] | None) -> Lease | None:
    if tree is None:
        return None
    owner, until = tree
    return Lease(read_owner(owner), read_time(until))


def write_trail(trail: Mapping[date, int]) -> list[int]:
    """Return days, as ordinal numbers, and their calls in turn."""
    return list(chain.from_iterable((day.toordinal(), calls) for day, calls in trail.items()))


def read_trail(flat: list[Any]) -> dict[date, int]:
    days = map(date.fromordinal, map(read_count, flat[::2]))
    return dict(zip(days, map(read_count, flat[1::2]), strict=True))


def read_names(names: list[Any]) -> frozenset[str]:
    return frozenset(map(read_text, names))
