"""How `lbk costs` looks: keys with what they did and cost, then the budgets."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from lollmsbot_keys.core.cleaning import clean_line
from lollmsbot_keys.core.day import KeyDay, Summary
from lollmsbot_keys.core.state import Cell
from lollmsbot_keys.render.terminal import grid, page
from lollmsbot_keys.render.times import until

if TYPE_CHECKING:
    from rich.console import Console


def draw_summary(summary: Summary, now: datetime, *, plain: bool) -> None:
    """Print one day."""
    with page(plain=plain) as out:
        _draw(out, summary, now)


def _draw(out: Console, summary: Summary, now: datetime) -> None:
    from rich.text import Text

    out.print(Text(f"{summary.day:%A %d %B %Y}, {summary.zone}", style="bold"))
    out.print()
    numbers = ["CALLS", "ERRORS", "IN", "OUT", "USD"]
    table = grid(["KEY", *numbers, "STATE"], right=numbers, wraps=["STATE"])
    for key in summary.keys:
        style = "green" if key.set_aside is None else "yellow"
        table.add_row(key.key or "local", *_numbers(key.sums), Text(_state(key, now), style=style))
    table.add_row("total", *_numbers(summary.total), "", style="bold")
    out.print(table)
    out.print()
    budgets = grid(
        ["PROVIDER", "TODAY", "HELD", "BUDGET", "USED", "MONTH"], right=["TODAY", "HELD", "BUDGET", "USED", "MONTH"]
    )
    for provider in summary.providers:
        budget, used = provider.daily_budget_usd, provider.used_percent
        budgets.add_row(
            provider.provider.value,
            f"{provider.today_usd:.6f}",
            f"{provider.reserved_usd:.6f}",
            "–" if budget is None else f"{budget:.2f}" if budget >= 1 or not budget else f"{budget.normalize():f}",
            "–" if used is None else f"{used} %",
            f"{provider.month_usd:.6f}",
        )
    out.print(budgets)
    for line in _remarks(summary.total):
        out.print(Text(line, style="dim"))


def _numbers(cell: Cell) -> tuple[str, ...]:
    marks = ("~" if cell.estimated_usd or cell.unknown_usd else "") + ("?" if cell.unconfirmed_usd else "")
    return (
        str(cell.calls),
        str(cell.errors),
        str(cell.prompt_tokens),
        str(cell.completion_tokens),
        f"{marks}{cell.cost_usd:.6f}",
    )


def _state(key: KeyDay, now: datetime) -> str:
    if key.set_aside is None:
        return "ready"
    when = f" {until(key.set_aside.until, now)}" if key.set_aside.until is not None else ""
    back = f", back{when}" if when else ""
    return clean_line(f"{key.set_aside.reason.value}{back}")


def _remarks(total: Cell) -> list[str]:
    remarks = []
    if total.estimated_usd:
        remarks.append(f"~ {total.estimated_usd:.6f} USD of the total is estimated: tokens at a dated price.")
    if total.unknown_usd:
        remarks.append(f"~ {total.unknown_usd:.6f} USD is booked at the bound: nobody knows the price.")
    if total.unconfirmed_usd:
        remarks.append(f"? {total.unconfirmed_usd:.6f} USD is unconfirmed: calls whose end nobody saw, at their bound.")
    return remarks
