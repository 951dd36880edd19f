"""All commands by name, and what comes before them.

A call needs one command: only that one is loaded, so the others cost it nothing. Help needs them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from lollmsbot_keys.cli.boundary import Boundary
from lollmsbot_keys.cli.options import ConfigOption, Files, StateOption

EXIT_CODES = """\b
Exit codes: 0 done; 1 done, and the answer is no; 2 usage; 3 configuration,
state or secret unusable; 4 refused, nothing was sent; 5 tried, no whole
answer; 70 a bug in lbk; 130 interrupted."""


def build(arguments: Sequence[str]) -> typer.Typer:
    """The application, with the command that `arguments` begin with, or with all of them."""
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
    first = arguments[0] if arguments else ""
    for name, add in COMMANDS.items():
        if first not in COMMANDS or first == name:
            add(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from lollmsbot_keys import __version__

        print(f"lbk {__version__}")
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
    context.obj = Files(config, state)


def _ask(app: typer.Typer) -> None:
    from lollmsbot_keys.cli.ask import ask

    app.command(short_help="Send a prompt, with failover, and print the answer.")(ask)


def _route(app: typer.Typer) -> None:
    from lollmsbot_keys.cli.route import route

    app.command(short_help="Say which key would take a request now, and why.")(route)


def _test_keys(app: typer.Typer) -> None:
    from lollmsbot_keys.cli.test_keys import prove

    app.command("test-keys", short_help="Prove every key, and find what is rotten in the configuration.")(prove)


def _costs(app: typer.Typer) -> None:
    from lollmsbot_keys.cli.costs import costs

    app.command(short_help="Show what today's calls did and cost, and the budgets.")(costs)


def _reset_limits(app: typer.Typer) -> None:
    from lollmsbot_keys.cli.reset_limits import reset_limits

    app.command("reset-limits", short_help="Clear cooldowns and disabled marks.")(reset_limits)


def _config(app: typer.Typer) -> None:
    from lollmsbot_keys.cli import config

    app.add_typer(config.app, short_help="Show, explain, check or begin the configuration.")


def _sandbox(app: typer.Typer) -> None:
    from lollmsbot_keys.cli import sandbox

    app.command(
        "sandbox", short_help="Rehearse offline, with trouble on request.", context_settings=sandbox.CONTEXT_SETTINGS
    )(sandbox.sandbox)


COMMANDS = {
    "test-keys": _test_keys,
    "ask": _ask,
    "route": _route,
    "costs": _costs,
    "reset-limits": _reset_limits,
    "config": _config,
    "sandbox": _sandbox,
}
"""In the order in which help shows them."""
