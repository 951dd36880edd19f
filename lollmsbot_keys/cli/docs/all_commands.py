"""Every command of `lbk`, loaded.

This is for files that are made beforehand, not for a command that a person waits for.
"""

from __future__ import annotations

from typer.main import get_command

from lollmsbot_keys.cli.app import build
from lollmsbot_keys.cli.introspect import Command, command_of


def surface() -> Command:
    """Describe `lbk` with all its commands.

    Raises:
        ValueError: a parameter has no metavar, or one that `METAVARS` does not know.
    """
    return command_of(get_command(build()), "lbk", None)
