"""The journal of rotations.

Empty fields are left out: a finished rotation is a short line.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lollmsbot_keys.core.model.rotation_journal import Replacement, Step, TargetRecord
from lollmsbot_keys.edges.state.codec.health import read_owner
from lollmsbot_keys.edges.state.codec.values import NotAState, Tree, read_count, read_text, read_time, write_time

_TEXTS = ("old", "new", "name", "hash", "old_hash", "likely_hash")


def write_rotation(rotation: Replacement) -> Tree:
    tree: Tree = {
        "step": rotation.step,
        "done": rotation.done,
        "began": write_time(rotation.began),
        "changed": write_time(rotation.changed),
        "generation": rotation.generation,
    }
    optional: Tree = {
        "former": rotation.former,
        "grace": round(rotation.grace.total_seconds()),
        "owner": list(rotation.owner) if rotation.owner else None,
        "since": write_time(rotation.since) if rotation.since else None,
        "until": write_time(rotation.until) if rotation.until else None,
        "places": [list(place) for place in rotation.places],
        **{name: getattr(rotation, name) for name in _TEXTS},
    }
    return {**tree, **{name: value for name, value in optional.items() if value}}


def read_rotation(tree: Tree) -> Replacement:
    done = tree["done"]
    if not isinstance(done, bool):
        raise NotAState("expected true or false")
    return Replacement(
        step=Step(tree["step"]),
        done=done,
        began=read_time(tree["began"]),
        changed=read_time(tree["changed"]),
        generation=read_count(tree["generation"]),
        former=read_count(tree.get("former", 0)),
        grace=timedelta(seconds=read_count(tree.get("grace", 0))),
        owner=read_owner(tree["owner"]) if "owner" in tree else None,
        since=read_time(tree["since"]) if "since" in tree else None,
        until=read_time(tree["until"]) if "until" in tree else None,
        places=tuple(_read_place(place) for place in tree.get("places", ())),
        **{name: read_text(tree.get(name, "")) for name in _TEXTS},
    )


def _read_place(place: list[Any]) -> TargetRecord:
    label, before = place
    return TargetRecord(read_text(label), None if before is None else read_text(before))
