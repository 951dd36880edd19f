"""`lbk route`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lollmsbot_keys.cli.paths import FilePaths
from lollmsbot_keys.core.model.request import Priority, Request
from lollmsbot_keys.errors import Exit, UsageError

if TYPE_CHECKING:  # the signature is text until `app.declared` reads it: `lbk route -q` starts without Typer
    from pathlib import Path
    from typing import Annotated

    import typer

    from lollmsbot_keys.cli.commands.selection_options import (
        FreeOption,
        KeyOption,
        ModelOption,
        PillarOption,
        PriorityOption,
        PrivacyOption,
        RoleOption,
    )
    from lollmsbot_keys.cli.options import OUTPUT, ConfigOption, JsonOption, LogFileOption, StateOption


def route(
    pillar: PillarOption = None,
    role: RoleOption = None,
    model: ModelOption = None,
    privacy: PrivacyOption = None,
    free: FreeOption = False,
    priority: PriorityOption = Priority.NORMAL,
    key: KeyOption = None,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            help="Print the chosen key's name, or local, and nothing else.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="It is another time: ISO 8601, or from now: +2h.", rich_help_panel="What if"
        ),
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            "--assume",
            metavar="KEY=STATE",
            help="A key is cooling_down, disabled or over_budget.",
            rich_help_panel="What if",
        ),
    ] = None,
    replay: Annotated[
        str | None,
        typer.Option(
            "--replay",
            metavar="ID",
            help="Explain a request of the log (last: the newest).",
            rich_help_panel="A past decision",
        ),
    ] = None,
    log_file: LogFileOption = None,
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> Exit:
    """Say which key would take a request now, and why not the others. Sends nothing, changes nothing."""
    from lollmsbot_keys.commands.route import decide

    request = Request(model, pillar, role, privacy, free, priority, key)
    if replay is not None or log_file is not None:
        if replay is None or request != Request() or at is not None or assume:
            raise UsageError("--replay stands with --log-file, --quiet or --json only: what was asked is in the log.")
        return _replay(replay, FilePaths(config, state), log_file, json=json, quiet=quiet)
    decided = decide(config, state, request, at, assume or ())
    if json:
        from lollmsbot_keys.render.json_documents import document, route_tree

        print(document(route_tree(decided.plan, decided.known)))
    elif quiet:
        if decided.plan.choice is not None:
            print(decided.plan.choice.label)
    else:
        from lollmsbot_keys.render.plan import draw_plan

        draw_plan(decided.plan, decided.known, decided.now, decided.output_style)
    _warn(decided.warnings)
    if decided.plan.untrusted is not None:
        return Exit.UNUSABLE
    return Exit.REFUSED if decided.plan.choice is None else Exit.DONE


def _replay(request: str, where: FilePaths, log_file: Path | None, *, json: bool, quiet: bool) -> Exit:
    """Print what was decided then.

    That nothing could take the request then is no failure now.
    """
    from lollmsbot_keys.commands.replay import replay

    replayed = replay(where.config, where.state, request, log_file)
    if json:
        from lollmsbot_keys.render.json_documents import document
        from lollmsbot_keys.render.replay import replay_tree

        print(document(replay_tree(replayed.entries)))
    elif quiet:
        choice = replayed.entries[0].plan.choice
        if choice is not None:
            print(choice.label)
    else:
        from lollmsbot_keys.render.replay import draw_replay

        draw_replay(replayed.entries, replayed.output_style)
    return Exit.DONE


def _warn(warnings: tuple[str, ...]) -> None:
    if warnings:
        from lollmsbot_keys.cli.exit import say

        for warning in warnings:
            say(warning)
