"""`lbk costs`."""

from __future__ import annotations

import sys
from datetime import date
from io import TextIOWrapper
from typing import TYPE_CHECKING

from lollmsbot_keys.cli.paths import FilePaths
from lollmsbot_keys.core.model.statement import By
from lollmsbot_keys.errors import Exit, UsageError

if (
    TYPE_CHECKING
):  # the signature is text until `app.declared` reads it: cron's `lbk costs --alert` starts without Typer
    from typing import Annotated

    import typer

    from lollmsbot_keys.cli.options import OUTPUT, ConfigOption, JsonOption, StateOption
    from lollmsbot_keys.commands.costs import Costs


def costs(
    by: Annotated[By, typer.Option("--by", metavar="WHAT", help="One row for each.")] = By.KEY,
    today: Annotated[
        bool, typer.Option("--today", help="Since midnight of the configured zone, as by default.")
    ] = False,
    month: Annotated[bool, typer.Option("--month", help="Since the first of this month.")] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="Since that day (2026-11-01); 400 days are kept.")
    ] = None,
    csv: Annotated[
        bool,
        typer.Option("--csv", help="One record a row for a spreadsheet, with exact amounts.", rich_help_panel=OUTPUT),
    ] = False,
    alert: Annotated[
        bool,
        typer.Option(
            "--alert",
            help="Only what people must be told, a line each: nothing and 0 while all is well, else 1.",
            rich_help_panel="Other reports",
        ),
    ] = False,
    reconcile: Annotated[
        bool,
        typer.Option(
            "--reconcile",
            help="Compare with what the providers booked: 1 where nothing explains a difference, else 0.",
            rich_help_panel="Other reports",
        ),
    ] = False,
    tolerance: Annotated[
        str | None,
        typer.Option(
            "--tolerance",
            metavar="USD",
            help="With --reconcile: a difference up to this is left alone (default: 0.01).",
            rich_help_panel="Other reports",
        ),
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> Exit:
    """Show calls, tokens and money, what is held for calls on their way, the budgets, and where they are heading."""
    if today + month + (since is not None) > 1:
        raise UsageError("--today, --month and --since are three ways to say since when: choose one.")
    if json and csv:
        raise UsageError("--json and --csv are two ways to print the same: choose one.")
    where = FilePaths(config, state)
    if reconcile:
        from lollmsbot_keys.cli.commands.costs_reconcile import reconcile as compare

        if alert or csv or since is not None or by is not By.KEY:
            raise UsageError("--reconcile compares today or --month, key by key: leave the other options out.")
        return compare(where, tolerance, month=month, json=json)
    if tolerance is not None:
        raise UsageError("--tolerance is for --reconcile.")
    if alert:
        from lollmsbot_keys.cli.commands import costs_alert

        if month or since is not None or csv:
            raise UsageError("--alert looks at what holds now: --month, --since and --csv say nothing to it.")
        return costs_alert.alert(where, json=json)
    from lollmsbot_keys.cli.exit import say
    from lollmsbot_keys.commands.costs import CostsQuery, costs

    found = costs(where.config, where.state, CostsQuery(by, month, _day(since)), alerts=json)
    for warning in found.warnings:
        say(warning)
    _print(found, json=json, csv=csv)
    return Exit.DONE


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--since {text!r}: expected a day such as 2026-11-01.") from None


def _print(found: Costs, *, json: bool, csv: bool) -> None:
    if json:
        from lollmsbot_keys.render.alerts import alert_trees
        from lollmsbot_keys.render.costs.json import statement_tree
        from lollmsbot_keys.render.json_documents import document

        print(document({**statement_tree(found.statement), "alerts": alert_trees(found.alerts)}))
    elif csv:
        from lollmsbot_keys.render.costs.csv import statement_csv

        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(newline="")  # Windows would make CR CR LF of its line ends
        print(statement_csv(found.statement), end="")
    else:
        from lollmsbot_keys.render.costs.page import draw_statement

        draw_statement(found.statement, found.now, found.output_style)
