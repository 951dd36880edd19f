"""The budgets of `lbk costs`: spent and held money as a figure and as a bar, and the forecast."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.period import Window
from lollmsbot_keys.core.model.summary import Forecast, ProviderDay, Summary, Use
from lollmsbot_keys.render.console.amounts import amount, limit, marks, round_amount
from lollmsbot_keys.render.console.bars import gauge, room
from lollmsbot_keys.render.console.terminal import WIDE, grid
from lollmsbot_keys.render.console.times import until

if TYPE_CHECKING:
    from rich.console import Console

    from lollmsbot_keys.render.console.table import Grid

NARROWER = 60
"""The width in characters below which what is held is left out."""
_PERIOD = {Window.DAY: "today", Window.MONTH: "month"}


class _Line(NamedTuple):
    """The use of one budget, or one sum without a budget."""

    owner: str
    window: Window
    use: Use
    alert_at: Decimal

    @property
    def style(self) -> str:
        """The colour of the line, by how much of the budget is used."""
        used = self.use.used_percent or 0
        return "red" if used >= 100 else "yellow" if used >= self.alert_at else "green"


def draw_budgets(out: Console, summary: Summary, now: datetime) -> None:
    """Print the budgets, then the forecasts."""
    lines = list(_lines(summary))
    if lines:
        out.print()
        width = room(out, _budgets(lines, out.width, 0))
        out.print(_budgets(lines, out.width, width))
    providers = [provider for provider in summary.providers if _matters(provider)]
    if providers:
        out.print()
        out.print(_forecasts(providers, summary, now))


def _matters(provider: ProviderDay) -> bool:
    """Say whether there is anything to show of a provider's money; local calls cost nothing."""
    budgets = provider.day.budget_usd is not None or provider.month.budget_usd is not None
    return provider.provider is not Provider.LOCAL and (budgets or bool(provider.month_usd))


def _lines(summary: Summary) -> Iterator[_Line]:
    shares = (p.alert_at_percent for p in summary.providers if p.alert_at_percent is not None)
    alert_at = min(shares, default=Decimal(100))
    for provider in summary.providers:
        if _matters(provider):
            yield _Line(provider.provider.value, Window.DAY, provider.day, alert_at)
            yield _Line(provider.provider.value, Window.MONTH, provider.month, alert_at)
    for key in summary.keys:
        for window, use in ((Window.DAY, key.day), (Window.MONTH, key.month)):
            if use.budget_usd is not None:
                yield _Line(key.key or "local", window, use, alert_at)


def _budgets(lines: list[_Line], width: int, bar_width: int) -> Grid:
    from rich.text import Text

    short = width < WIDE
    held = ["HELD"] if width >= NARROWER else []
    numbers = ["SPENT", *held, "OF", "USED"]
    table = grid(["BUDGET", "", *numbers, *([" "] if bar_width else [])], right=numbers)
    for line in lines:
        use, used = line.use, line.use.used_percent
        table.add_row(
            line.owner,
            _PERIOD[line.window],
            marks(use.sums) + amount(use.sums.cost_usd, short=short),
            *([amount(use.held_usd, short=short)] if held else []),
            "–" if use.budget_usd is None else limit(use.budget_usd),
            "–" if used is None else Text(f"{used} %", style=line.style),
            *([gauge(used / 100, bar_width, line.style)] if bar_width and used is not None else []),
        )
    return table


def _forecasts(providers: list[ProviderDay], summary: Summary, now: datetime) -> Grid:
    month = f"BY END OF {summary.day:%b}".upper()
    table = grid(["FORECAST", "BY MIDNIGHT", month, ""], right=["BY MIDNIGHT", month], wraps=[""])
    for provider in providers:
        found = provider.forecast
        table.add_row(provider.provider.value, _about(found.day_usd), _about(found.month_usd), _note(found, now))
    return table


def _about(value: Decimal | None) -> str:
    return "–" if value is None else round_amount(value)


def _note(found: Forecast, now: datetime) -> str:
    notes = []
    if found.reached is not None:
        notes.append(f"the daily budget is used up {until(found.reached, now)}" if found.reached > now else "")
    if found.monthly_reached is not None:
        notes.append(f"the month's budget {until(found.monthly_reached, now)}" if found.monthly_reached > now else "")
    return "; ".join([note for note in notes if note] + ([found.reason] if found.reason else []))
