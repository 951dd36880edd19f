"""`lbk test-keys`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from lollmsbot_keys.cli.exit import say
from lollmsbot_keys.cli.options import OUTPUT, ConfigOption, JsonOption, StateOption, duration
from lollmsbot_keys.cli.paths import FilePaths
from lollmsbot_keys.cli.status_line import StatusLine
from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.errors import Exit

if TYPE_CHECKING:
    from lollmsbot_keys.commands.test_keys.run import KeyTest, Progress
    from lollmsbot_keys.core.model.findings import Findings


def prove(
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY…]", help="Only these keys.", show_default=False)
    ] = None,
    provider: Annotated[
        Provider | None,
        typer.Option("--provider", metavar="PROVIDER", help="Only its keys; local: the daemon."),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also one real call of one token for each key; it costs next to nothing.")
    ] = False,
    allow_unreachable: Annotated[
        bool, typer.Option("--allow-unreachable", help="A provider that cannot be reached is no failure.")
    ] = False,
    models: Annotated[
        bool, typer.Option("--models", help="Show each model and where it is offered.", rich_help_panel=OUTPUT)
    ] = False,
    pillars: Annotated[
        bool,
        typer.Option(
            "--pillars", help="Name the models of roles and settings that cannot be had.", rich_help_panel=OUTPUT
        ),
    ] = False,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="DURATION", help="The longest that one check may take.")
    ] = "15s",
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Prove each key against its provider, and say what it may still do, and which models are still to be had."""
    from lollmsbot_keys.commands.test_keys.run import KeyCheckRequest, KeyTest

    wanted = KeyCheckRequest(tuple(keys or ()), provider, deep, allow_unreachable, duration("--timeout", timeout))
    where = FilePaths(config, state)
    test = KeyTest(where.config, where.state)
    try:
        found = test.run(wanted, _progress(test.output_style, workflow=test.workflow, to_stderr=json))
    finally:
        for warning in test.warnings:
            say(warning)
    if json:
        from lollmsbot_keys.render.json_documents import document
        from lollmsbot_keys.render.test_keys.json import findings_tree

        print(document(findings_tree(found)))
    else:
        from lollmsbot_keys.render.test_keys.page import Depth, draw_findings

        draw_findings(found, test.now, test.output_style, Depth(models, pillars))
    if test.workflow:
        _tell_runner(test, found, to_stderr=json)
    if not found.ok:
        raise typer.Exit(Exit.NO)


def _tell_runner(test: KeyTest, found: Findings, *, to_stderr: bool) -> None:
    """Print annotations for GitHub's runner, and add to the step's summary.

    The runner reads both streams; with `--json` stdout stays one document.
    """
    from lollmsbot_keys.render.github_actions import commands, summary

    for line in commands(found):
        print(line, file=sys.stderr if to_stderr else sys.stdout, flush=True)
    problem = test.add_to_summary(summary(found, test.now))
    if problem:
        say(problem)


def _progress(output_style: OutputStyle, *, workflow: bool, to_stderr: bool) -> Progress:
    """Return the listener of the test.

    GitHub's runner is told the secrets to hide; a person at a terminal is told which names have not answered yet.
    """
    from lollmsbot_keys.commands.test_keys.run import Progress
    from lollmsbot_keys.render.github_actions import mask

    status = StatusLine(output_style)

    class ProgressPrinter(Progress):
        def secret(self, characters: str) -> None:
            if workflow:
                print(mask(characters), file=sys.stderr if to_stderr else sys.stdout, flush=True)

        def waiting_for(self, names: Sequence[str]) -> None:
            if names:
                more = f" and {len(names) - 2} more" if len(names) > 2 else ""
                status.show(f"lbk: waiting for {', '.join(names[:2])}{more} …")

        def finished(self) -> None:
            status.wipe()

    return ProgressPrinter()
