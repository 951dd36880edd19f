"""All commands by name, and the application that is built from them.

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
from lollmsbot_keys.cli.exit import ending, tell
from lollmsbot_keys.cli.help_command import WRONG_USAGE, HelpedCommand, HelpedGroup
from lollmsbot_keys.cli.options import ConfigOption, StateOption
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.errors import Exit

Function = Callable[..., object]


class CommandEntry(NamedTuple):
    """The place of a command (`module:name` in `cli.commands`), and its line in the list of commands."""

    home: str
    summary: str

    def load(self) -> Function | typer.Typer:
        """Load the function, or the application where the command has subcommands."""
        module, _, name = self.home.partition(":")
        found: Function | typer.Typer = getattr(import_module(f"lollmsbot_keys.cli.commands.{module}"), name)
        return found


COMMANDS = {
    "test-keys": CommandEntry("test_keys:prove", "Prove every key, and find configured models that are gone."),
    "ask": CommandEntry("ask:ask", "Send a prompt, with failover, and stream the answer."),
    "route": CommandEntry("route:route", "Say which key would take a request now, and why."),
    "costs": CommandEntry("costs:costs", "Show what calls did and cost, the budgets, and where they are heading."),
    "metrics": CommandEntry("metrics:metrics", "Print Prometheus text; make a dashboard and alert rules."),
    "reset-limits": CommandEntry("reset_limits:reset_limits", "Clear cooldowns and disabled marks; money stays."),
    "rotate": CommandEntry("rotate:rotate", "Replace a key's secret, proved before the old one is given up."),
    "config": CommandEntry("config:app", "Show, explain, check or begin the configuration."),
    "sandbox": CommandEntry("sandbox:sandbox", "Rehearse offline, with trouble on request."),
    "completion": CommandEntry("completion:completion", "Print the completions of a shell: bash, zsh or fish."),
}
"""All commands, in the order in which help shows them."""

HOT = ("route", "costs", "completion")
"""Commands of prompts, loops, cron and every new shell, which start without Typer (`cli.fast_path`).

Their modules must not import it.
"""


class Boundary(HelpedGroup):
    """The root command group, the boundary for everything that its commands raise.

    Wrong usage is left to Typer.
    """

    def invoke(self, ctx: typer.Context) -> None:  # type: ignore[override]  # Typer keeps the wider type to itself
        """Run the command."""
        run = super().invoke
        code = ending(lambda: run(cast("Any", ctx)), passing=(typer.Exit, typer.Abort, WRONG_USAGE))
        if code:
            raise typer.Exit(code)

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002 - as above
        """Return the names in the order of `COMMANDS`.

        Typer would put the commands that have subcommands last.
        """
        return [name for name in COMMANDS if name in self.commands]


def main(arguments: Sequence[str]) -> int:
    """Do what `arguments` say, and return the exit code."""
    if arguments[:1] == ["help"]:
        from lollmsbot_keys.cli.docs.topics import TOPICS, topic

        if arguments[1:2] and arguments[1] in TOPICS:
            print(topic(arguments[1]))
            return Exit.DONE
        arguments = _for_help(*arguments[1:3])
    command = get_command(build(arguments))
    try:
        with command.make_context("lbk", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except WRONG_USAGE as error:
        _say_wrong(cast("Any", error), arguments)
        return Exit.USAGE
    return Exit.DONE


def _say_wrong(error: Any, arguments: Sequence[str]) -> None:  # noqa: ANN401 - Typer keeps the type to itself
    """Print what Typer says, without repeating what may be a secret in the wrong place."""
    from io import StringIO

    from lollmsbot_keys.cli.typed_words import without_words

    said = StringIO()
    error.show(file=said)
    text = without_words(said.getvalue(), arguments, _vocabulary(error.ctx))
    tell(lambda: print(text, end="", file=sys.stderr))


def _vocabulary(context: Any) -> set[str]:  # noqa: ANN401 - as above
    """Return the commands, options and choices that may be meant."""
    words = set(COMMANDS)
    while context is not None:
        command, context = context.command, context.parent
        words.update(getattr(command, "commands", ()))
        for parameter in command.params:
            words.update(parameter.opts, parameter.secondary_opts, getattr(parameter.type, "choices", ()))
    return {str(word) for word in words}


def _for_help(name: str = "--help", below: str = "--help") -> list[str]:
    """Return the arguments of `lbk COMMAND --help` for those of `lbk help COMMAND`, which git and gh have too.

    Other words are dropped: those after `sandbox` would be run.
    """
    several = name in COMMANDS and isinstance(COMMANDS[name].load(), typer.Typer)
    return [name, below, "--help"] if several else [name, "--help"]


def build(arguments: Sequence[str] = tuple(COMMANDS)) -> typer.Typer:
    """Build the application, with every command that is among `arguments` loaded.

    Of the other commands it knows no more than the name.
    """
    app = typer.Typer(
        name="lbk",
        cls=Boundary,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(before)
    for name, command in COMMANDS.items():
        loaded = command.load() if name in arguments else None
        if loaded is None:
            app.command(name, short_help=command.summary)(_not_now)
        elif isinstance(loaded, typer.Typer):
            app.add_typer(loaded, name=name, cls=HelpedGroup, short_help=command.summary)
        else:
            settings = vars(sys.modules[loaded.__module__]).get("CONTEXT_SETTINGS")
            one = app.command(name, cls=HelpedCommand, short_help=command.summary, context_settings=settings)
            one(declared(loaded))
    return app


def _not_now() -> None:
    """Stand for a command that nobody asked for."""


def declared(function: Function) -> Function:
    """Replace the annotations of `function`, which may be text, with the types that Typer reads.

    A module that must load fast imports Typer, `Annotated`, and the options that several commands have, for type
    checkers only: until here its annotations are mere text.
    """
    from lollmsbot_keys.cli.commands import selection_options

    words = {
        **vars(options),
        **vars(selection_options),
        "Annotated": Annotated,
        "typer": typer,
        **vars(sys.modules[function.__module__]),
    }
    function.__annotations__ = get_type_hints(function, words, include_extras=True)
    return function


def _version(wanted: bool) -> None:
    if wanted:
        from lollmsbot_keys.cli.commands.version import version

        version()
        raise typer.Exit


def before(
    context: typer.Context,
    config: ConfigOption = None,
    state: StateOption = None,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Print the version and exit.",
            rich_help_panel=options.GENERAL,
        ),
    ] = False,
) -> None:
    """Keep a pool of LLM keys healthy: which work, which to use now, what they cost, when to replace them."""
    given = {name: path for name, path in (("config", config), ("state", state)) if path is not None}
    if given and isinstance(context.command, TyperGroup):
        context.default_map = _for_all(context.command, given)


def _for_all(group: TyperGroup, given: Mapping[str, object]) -> dict[str, Any]:
    """Return `given` as defaults for the options of each command."""
    return {
        name: _for_all(command, given) if isinstance(command, TyperGroup) else given
        for name, command in group.commands.items()
    }
