"""The page of `lbk costs`: the money spent, the budgets with their forecasts, and the sources of the figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING

from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.request import LIST_FRESH_FOR
from lollmsbot_keys.core.model.snapshot import Cell
from lollmsbot_keys.core.model.statement import By, DaySpan, Statement
from lollmsbot_keys.core.model.summary import PriceDates
from lollmsbot_keys.render.console.amounts import amount, remarks
from lollmsbot_keys.render.console.terminal import page
from lollmsbot_keys.render.console.times import ago, until
from lollmsbot_keys.render.costs.budgets import draw_budgets
from lollmsbot_keys.render.costs.rows import draw_rows

if TYPE_CHECKING:
    from rich.console import Console


def draw_statement(statement: Statement, now: datetime, output_style: OutputStyle) -> None:
    """Print a statement."""
    with page(output_style) as out:
        _draw(out, statement, now)


def _draw(out: Console, statement: Statement, now: datetime) -> None:
    from rich.text import Text

    title = Text(f"{_days(statement.span)}, {statement.summary.zone}", style="bold")
    out.print(title.append(f" · {_aside(statement, now)}", style="not bold dim"))
    out.print()
    draw_rows(out, statement, now)
    with_budgets = statement.by in {By.KEY, By.PROVIDER} and _is_current(statement.span)
    if with_budgets:
        draw_budgets(out, statement.summary, now)
    lines = [*_remarks(statement, now, with_month=with_budgets)]
    if lines:
        out.print()
    for line in lines:
        out.print(Text(line, style="dim"))


def _is_current(span: DaySpan) -> bool:
    """Say whether the span is today, or this month so far, which are the spans of budgets."""
    return span.days == 1 or span.since == span.until.replace(day=1)


def _days(span: DaySpan) -> str:
    since, until_ = span
    if since == until_:
        return f"{since:%A} {since.day} {since:%B %Y}"
    last = f"{until_.day} {until_:%B %Y}"
    if f"{since:%Y-%m}" == f"{until_:%Y-%m}":
        return f"{since.day} to {last}"
    return f"{since.day} {since:%B} to {last}" if since.year == until_.year else f"{since.day} {since:%B %Y} to {last}"


def _aside(statement: Statement, now: datetime) -> str:
    ends = until(statement.summary.ends, now)
    if statement.span.days == 1:
        return f"ends {ends}"
    return f"{statement.span.days} days, the last one ends {ends}"


def _remarks(statement: Statement, now: datetime, *, with_month: bool) -> Iterator[str]:
    for gap in statement.gaps:
        much = f"{amount(gap.lacking_usd)} USD" if gap.lacking_usd else "days"
        yield f"! incomplete: the history lacks {much} of {gap.month}"
    sums = {"the total": statement.total}
    if with_month and statement.span.days == 1:
        sums["this month"] = Cell.total(provider.month.sums for provider in statement.summary.providers)
    yield from remarks(sums)
    if statement.summary.prices is not None:
        yield _prices(statement.summary.prices, statement.summary.day)
    if statement.summary.listed is not None:
        yield _list(statement.summary.listed, now)


def _prices(prices: PriceDates, today: date) -> str:
    """Return a line with the age of the dated prices that today's estimates were made with."""
    age = (today - prices.oldest).days
    if prices.oldest == prices.newest:
        return f"Today's estimates: prices of {prices.oldest}, {age} days old."
    return f"Today's estimates: prices of {prices.oldest} to {prices.newest}, up to {age} days old."


def _list(fetched: datetime, now: datetime) -> str:
    """Return a line with the age of OpenRouter's own prices, which bound what a call may cost."""
    line = f"OpenRouter's prices: its list of {ago(fetched, now)}"
    if now - fetched < LIST_FRESH_FOR:
        return f"{line}."
    return f"{line}, believed only where it is dearer. Fetch a new one: lbk test-keys"
