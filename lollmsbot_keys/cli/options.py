"""Options that more than one command has, and the functions that read their values."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from lollmsbot_keys.errors import UsageError

SELECTION, OUTPUT, GENERAL = "Selection", "Output", "General"
"""The headings under which help groups options; an option without one belongs to the command itself."""

ConfigOption = Annotated[
    Path | None,
    # readable: the code that reads the file can say best why it cannot, and ends with 3.
    typer.Option(
        "--config",
        metavar="PATH",
        readable=False,
        help="The config file, instead of $LBK_CONFIG or the usual place.",
        rich_help_panel=GENERAL,
    ),
]
StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="PATH",
        readable=False,
        help="The state file, instead of $LBK_STATE or the usual place.",
        rich_help_panel=GENERAL,
    ),
]
LogFileOption = Annotated[
    Path | None,
    typer.Option(
        "--log-file",
        metavar="PATH",
        readable=False,
        help="The log of decisions, instead of $LBK_LOG_FILE or log.file; without any, there is none.",
        rich_help_panel=GENERAL,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output.", rich_help_panel=OUTPUT)
]


def duration(option: str, text: str, *, zero: bool = False) -> timedelta:
    """Read the text of `option` as a duration; with `zero` it may have no length.

    Raises:
        UsageError: it says none, or one of no length.
    """
    from lollmsbot_keys.core.base import durations

    try:
        length = durations.parse(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}.") from None
    if not (length or zero):
        raise UsageError(f"{option} must be longer than nothing.")
    return length
