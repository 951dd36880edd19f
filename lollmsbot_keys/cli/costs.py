"""`lbk costs`."""

from __future__ import annotations

import typer

from lollmsbot_keys.cli.options import ConfigOption, JsonOption, StateOption, files


def costs(
    context: typer.Context, config: ConfigOption = None, state: StateOption = None, json: JsonOption = False
) -> None:
    """Show what each key did and cost today, what is held for calls on their way, and the budgets.

    \b
    Examples:
      $ lbk costs
      $ lbk costs --json | jq .total.cost_usd
    """  # noqa: D301 - \\b keeps the examples from being re-flowed
    from lollmsbot_keys.cli.boundary import say
    from lollmsbot_keys.commands.costs import today

    where = files(context, config, state)
    found = today(where.config, where.state)
    for warning in found.warnings:
        say(warning)
    if json:
        from lollmsbot_keys.render.machine import document, summary_tree

        print(document(summary_tree(found.summary)))
    else:
        from lollmsbot_keys.render.costs import draw_summary

        draw_summary(found.summary, found.now, plain=found.plain)
