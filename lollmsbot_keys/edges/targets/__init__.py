"""The targets for a new secret: dotenv files, files, keyrings, GitHub, and commands that store it.

The counterpart of ``edges.secrets``: a target takes a `Secret`, and only the place behind it sees the characters.
"""

from __future__ import annotations

from lollmsbot_keys.edges.targets.all_or_nothing import Fate, NotAllWritten, Placement, check_all, write_all
from lollmsbot_keys.edges.targets.parse import Surroundings, own_target, parse_target
from lollmsbot_keys.edges.targets.target import NOT_READABLE, MaybeWritten, NotReadable, Target

__all__ = [
    "NOT_READABLE",
    "Fate",
    "MaybeWritten",
    "NotAllWritten",
    "NotReadable",
    "Placement",
    "Surroundings",
    "Target",
    "check_all",
    "own_target",
    "parse_target",
    "write_all",
]
