"""`lbk route`."""

from __future__ import annotations

from typing import Annotated

import typer

from lollmsbot_keys.cli.options import (
    ConfigOption,
    FreeOption,
    JsonOption,
    KeyOption,
    ModelOption,
    PillarOption,
    PriorityOption,
    PrivacyOption,
    RoleOption,
    StateOption,
    files,
)
from lollmsbot_keys.core.request import Priority, Request
from lollmsbot_keys.errors import Exit


def route(
    context: typer.Context,
    pillar: PillarOption = None,
    role: RoleOption = None,
    model: ModelOption = None,
    privacy: PrivacyOption = None,
    free: FreeOption = False,
    priority: PriorityOption = Priority.NORMAL,
    key: KeyOption = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the chosen key's name, or local, and nothing else.")
    ] = False,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="At another time: ISO 8601, or from now: +2h.")
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option("--assume", metavar="KEY=STATE", help="What if: cooling_down, disabled or over_budget."),
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Say which key would take a request now, and why not the others. Sends nothing, changes nothing.

    It is the very plan that `lbk ask` with the same options follows. Exit code 4 when nothing may take it.

    \b
    Examples:
      $ lbk route
      $ lbk route --pillar guardian --role auditor
      $ key=$(lbk route -q) || echo "no key is free"
      $ lbk route --assume OLLAMA_API_KEY=cooling_down --at +2h
    """  # noqa: D301 - \\b keeps the examples from being re-flowed
    from lollmsbot_keys.commands.route import decide

    request = Request(model, pillar, role, privacy, free, priority, key)
    where = files(context, config, state)
    decided = decide(where.config, where.state, request, at, assume or ())
    if json:
        from lollmsbot_keys.render.machine import document, plan_tree

        print(document(plan_tree(decided.plan)))
    elif quiet:
        if decided.plan.choice is not None:
            print(decided.plan.choice.label)
    else:
        from lollmsbot_keys.render.plan import draw_plan

        draw_plan(decided.plan, decided.now, plain=decided.plain)
    _warn(decided.warnings)
    if decided.plan.untrusted is not None:
        raise typer.Exit(Exit.UNUSABLE)
    if decided.plan.choice is None:
        raise typer.Exit(Exit.REFUSED)


def _warn(warnings: tuple[str, ...]) -> None:
    if warnings:
        from lollmsbot_keys.cli.boundary import say

        for warning in warnings:
            say(warning)
