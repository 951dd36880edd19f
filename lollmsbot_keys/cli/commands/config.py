"""`lbk config path|show|check|init`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from lollmsbot_keys.cli.exit import tell
from lollmsbot_keys.cli.help_command import HelpedCommand
from lollmsbot_keys.cli.options import ConfigOption, JsonOption
from lollmsbot_keys.cli.paths import FilePaths
from lollmsbot_keys.core.security.sanitize import clean_line
from lollmsbot_keys.errors import Exit

app = typer.Typer(
    name="config",
    help="Where the configuration is, what is in force and why, and what is wrong with it.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.command(cls=HelpedCommand)
def path(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Print the path of the config file, whether it is there or not."""
    from lollmsbot_keys.commands import config as commands
    from lollmsbot_keys.render import config as render

    where = commands.where(FilePaths(config).config)
    if json:
        print(render.document({"path": str(where.path), "found": where.found}))
    elif sys.stdout.isatty():
        print(clean_line(str(where.path)))
    else:  # for "$(lbk config path)": the very bytes, whatever encoding they are in
        sys.stdout.buffer.write(os.fsencode(where.path) + b"\n")


@app.command(cls=HelpedCommand)
def show(
    key: Annotated[
        str | None,
        typer.Argument(metavar="[KEY.PATH]", help="Only this setting or table, such as routing.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print every setting in force, and whether it is a default or comes from the file or the environment."""
    from lollmsbot_keys.commands import config as commands
    from lollmsbot_keys.render import config as render

    shown = commands.show(FilePaths(config).config, key)
    if json:
        print(render.settings_json(str(shown.path), shown.settings, found=shown.found))
    else:
        render.draw(shown.settings, commands.output_style())


@app.command(cls=HelpedCommand)
def check(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Say everything that is wrong with the configuration: exit code 3 if anything is."""
    from lollmsbot_keys.commands import config as commands
    from lollmsbot_keys.render import config as render

    checked = commands.check(FilePaths(config).config)
    draw = render.check_json if json else render.check_lines
    text = draw(str(checked.path), checked.problems, checked.warnings, found=checked.found)
    print(text.rstrip("\n"))
    if not checked.ok:
        raise typer.Exit(Exit.UNUSABLE)


@app.command(cls=HelpedCommand)
def init(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Write a config file in which every setting is explained and commented out; never over an existing one."""
    from lollmsbot_keys.commands import config as commands
    from lollmsbot_keys.render import config as render

    where = commands.init(FilePaths(config).config)
    path, there = str(where.path), where.found
    message = f"{clean_line(path)} is there already, and stays as it is."
    if json:
        document: dict[str, object] = {"path": path, "created": not there}
        print(render.document({**document, "error": {"code": "config", "message": message}} if there else document))
    elif there:
        tell(lambda: print(message, file=sys.stderr))
    else:
        print(clean_line(path))
    if there:
        raise typer.Exit(Exit.NO)
