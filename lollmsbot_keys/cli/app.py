"""All commands by name, and what comes before them.

A call needs one command: only that one is loaded, so the others cost it nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Annotated, Any, cast, get_type_hints

import typer
from typer.core import TyperGroup
from typer.main import get_command

from lollmsbot_keys.cli import options
from lollmsbot_keys.cli.boundary import ending
from lollmsbot_keys.cli.options import ConfigOption, StateOption
from lollmsbot_keys.core.noun import NamedTuple
from lollmsbot_keys.errors import Exit

Function = Callable[..., object]

EXIT_CODES = """\b
Exit codes: 0 done; 1 done, and the answer is no; 2 usage; 3 configuration,
state or secret unusable; 4 refused, nothing was sent; 5 tried, no whole
answer; 70 a bug in lbk; 130 interrupted."""

_ENDED: type[Exception] = typer.BadParameter.__mro__[2]
"""What Typer raises when it cannot read the arguments. It prints itself; Typer exports only this subclass of it."""


class Command(NamedTuple):
    """Where a command is (`module:name` in this package), and its line among all commands."""

    home: str
    summary: str

    def load(self) -> Function | typer.Typer:
        """The function, or the application that has several."""
        module, _, name = self.home.partition(":")
        found: Function | typer.Typer = getattr(import_module(f"lollmsbot_keys.cli.{module}"), name)
        return found


COMMANDS = {
    "test-keys": Command("test_keys:prove", "Prove every key, and find what is rotten in the configuration."),
    "ask": Command("ask:ask", "Send a prompt, with failover, and print the answer."),
    "route": Command("route:route", "Say which key would take a request now, and why."),
    "costs": Command("costs:costs", "Show what today's calls did and cost, and the budgets."),
    "metrics": Command("metrics:metrics", "Tell a monitoring system how the pool is; make its dashboard and rules."),
    "reset-limits": Command("reset_limits:reset_limits", "Clear cooldowns and disabled marks."),
    "rotate": Command("rotate:rotate", "Replace a key's secret, proved before the old one is given up."),
    "config": Command("config:app", "Show, explain, check or begin the configuration."),
    "sandbox": Command("sandbox:sandbox", "Rehearse offline, with trouble on request."),
}
"""In the order in which help shows them."""

HOT = ("route", "costs")
"""Commands of prompts, loops and cron, which start without Typer (`cli.fast`). Their modules must not import it."""


class Boundary(TyperGroup):
    """The root command group; what its commands raise ends here. Wrong usage is Typer's own business."""

    def invoke(self, ctx: typer.Context) -> None:  # type: ignore[override]  # Typer keeps the wider type to itself
        """Run the command."""
        run = super().invoke
        code = ending(lambda: run(cast("Any", ctx)), passing=(typer.Exit, typer.Abort, _ENDED))
        if code:
            raise typer.Exit(code)


def main(arguments: Sequence[str]) -> int:
    """Do what `arguments` say, and give the exit code."""
    command = get_command(build(arguments))
    try:
        with command.make_context("lbk", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except _ENDED as error:
        cast("Any", error).show()
        return Exit.USAGE
    return Exit.DONE


def build(arguments: Sequence[str] = tuple(COMMANDS)) -> typer.Typer:
    """The application, with all commands that are among `arguments`, and of the others no more than the name."""
    app = typer.Typer(
        name="lbk",
        cls=Boundary,
        epilog=EXIT_CODES,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(before)
    for name, command in COMMANDS.items():
        loaded = command.load() if name in arguments else None
        if loaded is None:
            app.command(name, short_help=command.summary)(_not_now)
        elif isinstance(loaded, typer.Typer):
            app.add_typer(loaded, name=name, short_help=command.summary)
        else:
            settings = vars(sys.modules[loaded.__module__]).get("CONTEXT_SETTINGS")
            app.command(name, short_help=command.summary, context_settings=settings)(declared(loaded))
    return app


def _not_now() -> None:
    """Stand for a command that nobody asked for."""


def declared(function: Function) -> Function:
    """The function as Typer wants it: its annotations read.

    A module that must load fast imports Typer, `Annotated`, and the options that several commands have, for type
    checkers only: until here its annotations are mere text.
    """
    from lollmsbot_keys.cli import selection

    words = {
        **vars(options),
        **vars(selection),
        "Annotated": Annotated,
        "typer": typer,
        **vars(sys.modules[function.__module__]),
    }
    function.__annotations__ = get_type_hints(function, words, include_extras=True)
    return function


def _version(wanted: bool) -> None:
    if wanted:
        from lollmsbot_keys.cli.version import version

        version()
        raise typer.Exit


def before(
    context: typer.Context,
    config: ConfigOption = None,
    state: StateOption = None,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keep a pool of LLM keys healthy: which work, which to use now, what they cost, when to replace them."""
    given = {name: path for name, path in (("config", config), ("state", state)) if path is not None}
    if given and isinstance(context.command, TyperGroup):
        context.default_map = _for_all(context.command, given)


def _for_all(group: TyperGroup, given: Mapping[str, object]) -> dict[str, Any]:
    """`given` as defaults for the options of each command."""
    return {
        name: _for_all(command, given) if isinstance(command, TyperGroup) else given
        for name, command in group.commands.items()
    }
