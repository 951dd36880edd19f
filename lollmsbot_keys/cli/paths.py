"""The files that a command works with, as far as options name them.

The module is free of Typer: hot commands need it too.
"""

from __future__ import annotations

from pathlib import Path

from lollmsbot_keys.core.base.namedtuple import NamedTuple


class FilePaths(NamedTuple):
    """The paths of configuration and state; `None` for what the environment says, or the usual place."""

    config: Path | None = None
    state: Path | None = None
