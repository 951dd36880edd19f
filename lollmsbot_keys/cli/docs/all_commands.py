"""Every command of `lbk`, loaded: for what is made of them beforehand, not for what a person waits for."""

from __future__ import annotations

from typer.main import get_command

from lollmsbot_keys.cli.app import build
from lollmsbot_keys.cli.introspect import Command, command_of


def surface() -> Command:
    """`lbk` as it is now.

    Raises:
        ValueError: a parameter has a metavar of which `METAVARS` does not know what it means, or none.
    """
    return command_of(get_command(build()), "lbk", None)
