"""`lbk reset-limits`."""

from __future__ import annotations

from typing import Annotated

import typer

from lollmsbot_keys.cli.options import ConfigOption, JsonOption, StateOption
from lollmsbot_keys.cli.paths import FilePaths
from lollmsbot_keys.core.model.config import Provider


def reset_limits(
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY…]", help="Keys to try again.")] = None,
    provider: Annotated[
        Provider | None,
        typer.Option("--provider", metavar="PROVIDER", help="A provider's keys, and what is said of its models."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All keys and providers.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be cleared.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Clear cooldowns and disabled marks, and say what was cleared. Money and hourly limits stay as they are."""
    from lollmsbot_keys.cli.exit import say
    from lollmsbot_keys.commands import reset_limits as command
    from lollmsbot_keys.render import json_documents
    from lollmsbot_keys.render.reset_limits import cleared_lines

    where = FilePaths(config, state)
    cleared = command.reset_limits(
        where.config, where.state, keys or (), provider, everything=everything, dry_run=dry_run
    )
    for warning in cleared.warnings:
        say(warning)
    if json:
        print(
            json_documents.document(json_documents.cleared_tree(cleared.cooldowns, cleared.disabled, dry_run=dry_run))
        )
    else:
        print("\n".join(cleared_lines(cleared.cooldowns, cleared.disabled, dry_run=dry_run)))
