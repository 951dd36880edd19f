"""Which files a command works with, as far as options say. Free of Typer: hot commands need it too."""

from __future__ import annotations

from pathlib import Path

from lollmsbot_keys.core.base.namedtuple import NamedTuple


class FilePaths(NamedTuple):
    """Where configuration and state are; `None`: where the environment says, or in the usual place."""

    config: Path | None = None
    state: Path | None = None
