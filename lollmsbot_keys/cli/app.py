"""All commands, and what comes before them."""

from __future__ import annotations

from typing import Annotated

import typer

from lollmsbot_keys.cli import config, sandbox
from lollmsbot_keys.cli.ask import ask
from lollmsbot_keys.cli.boundary import Boundary
from lollmsbot_keys.cli.costs import costs
from lollmsbot_keys.cli.options import ConfigOption, Files, StateOption
from lollmsbot_keys.cli.reset_limits import reset_limits
from lollmsbot_keys.cli.route import route

EXIT_CODES = """\b
Exit codes: 0 done; 1 done, and the answer is no; 2 usage; 3 configuration, state or secret unusable; 4 refused,
nothing was sent; 5 tried, no answer; 70 a bug in lbk; 130 interrupted."""

app = typer.Typer(
    name="lbk",
    cls=Boundary,
    help="Keep a pool of LLM keys healthy: which work, which to use now, what they cost, when to replace them.",
    epilog=EXIT_CODES,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(ask)
app.command()(route)
app.command()(costs)
app.command("reset-limits")(reset_limits)
app.add_typer(config.app)
app.command("sandbox", context_settings=sandbox.CONTEXT_SETTINGS)(sandbox.sandbox)


def _version(wanted: bool) -> None:
    if wanted:
        from lollmsbot_keys import __version__

        print(f"lbk {__version__}")
        raise typer.Exit


@app.callback()
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
