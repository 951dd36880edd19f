"""What was told to people, and when."""

from __future__ import annotations

from lollmsbot_keys.core.state import Raised
from lollmsbot_keys.edges.state.codec.values import Tree, read_text, read_time, write_time


def write_raised(raised: Raised) -> Tree:
    return {
        "window": raised.window,
        "since": write_time(raised.since),
        "message": raised.message,
        "told": list(raised.told),
        "over": raised.over,
    }


def read_raised(tree: Tree) -> Raised:
    return Raised(
        read_text(tree["window"]),
        read_time(tree["since"]),
        read_text(tree["message"]),
        tuple(map(read_text, tree["told"])),
        tree["over"] is True,
    )
