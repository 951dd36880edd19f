"""The table of a statement: keys with their state, or providers, models, pillars and days with their share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, assert_never

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.request import Reason
from lollmsbot_keys.core.model.snapshot import Cell
from lollmsbot_keys.core.model.statement import By, Row, Statement
from lollmsbot_keys.core.model.summary import KeyDay
from lollmsbot_keys.core.security.sanitize import clean_line
from lollmsbot_keys.render.console.amounts import amount, count, marks
from lollmsbot_keys.render.console.bars import bar, room
from lollmsbot_keys.render.console.terminal import NARROW, WIDE, grid
from lollmsbot_keys.render.console.times import until

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from lollmsbot_keys.render.console.table import Grid

_STYLE = {Reason.DISABLED: "red", Reason.OVER_BUDGET: "red", Reason.NO_CREDIT: "red", Reason.NO_SECRET: "dim"}


class _Column(NamedTuple):
    """One figure of a row.

    `narrow` is its heading where room is scarce; where there is least room, only the `narrowest` stay.
    """

    heading: str
    narrow: str
    figure: Callable[[Cell, bool], str]
    narrowest: bool = False


_COLUMNS = (
    _Column("CALLS", "CALLS", lambda cell, short: count(cell.calls, short=short), narrowest=True),
    _Column("ERRORS", "ERR", lambda cell, short: count(cell.errors, short=short), narrowest=True),
    _Column("FAILOVERS", "FAIL\nOVER", lambda cell, short: count(cell.failovers, short=short)),
    _Column("IN", "IN", lambda cell, short: count(cell.prompt_tokens, short=short)),
    _Column("OUT", "OUT", lambda cell, short: count(cell.completion_tokens, short=short)),
    _Column("USD", "USD", lambda cell, short: marks(cell) + amount(cell.cost_usd, short=short), narrowest=True),
)


class _Figures:
    """The columns that fit into a number of characters, and the text of their cells.

    A figure is never cut.
    """

    def __init__(self, width: int) -> None:
        self._short = width < WIDE
        self._columns = [column for column in _COLUMNS if column.narrowest or width >= NARROW]
        names = [column.narrow if self._short else column.heading for column in self._columns]
        self._lines = max(name.count("\n") for name in names)
        self.headings = [self.heading(name) for name in names]

    def heading(self, name: str) -> str:
        """Return `name` as a heading, on the line where the other headings end."""
        return "\n" * (self._lines - name.count("\n")) + name

    def of(self, cell: Cell) -> list[str]:
        """Return the figures of one row."""
        return [column.figure(cell, self._short) for column in self._columns]


def draw_rows(out: Console, statement: Statement, now: datetime) -> None:
    """Print the table."""
    figures = _Figures(out.width)
    if statement.by is By.KEY:
        out.print(_keys(statement, now, figures))
    elif not statement.rows:
        out.print("No calls.")
    else:
        width = room(out, _shares(statement, figures, 0))
        out.print(_shares(statement, figures, width))


def _keys(statement: Statement, now: datetime, figures: _Figures) -> Grid:
    state = figures.heading("STATE")
    table = grid([figures.heading("KEY"), *figures.headings, state], right=figures.headings, wraps=[state])
    for key in statement.keys:
        table.add_row(key.key or "local", *figures.of(key.sums), _state(key, now))
    table.add_row("total", *figures.of(statement.total), "", style="bold")
    return table


def _state(key: KeyDay, now: datetime) -> Text:
    from rich.text import Text

    aside = key.set_aside
    if aside is None:
        return Text("ready", style="green")
    when = f", back {until(aside.until, now)}" if aside.until is not None else ""
    return Text(clean_line(f"{aside.reason.words}{when}"), style=_STYLE.get(aside.reason, "yellow"))


def _shares(statement: Statement, figures: _Figures, bar_width: int) -> Grid:
    """Return the table with one row for each part of the statement.

    The bar of a day compares it with the dearest day; the bar of another row shows its share of the total.
    """
    from rich.text import Text

    by_day = statement.by is By.DAY
    first, share = figures.heading(statement.by.upper()), figures.heading("SHARE")
    headings = [first, *figures.headings, *([] if by_day else [share]), *([" "] if bar_width else [])]
    table = grid(headings, right=[*figures.headings, share], wraps=[] if by_day else [first])
    total = statement.total.cost_usd
    whole = max(row.sums.cost_usd for row in statement.rows) if by_day else total
    for row in statement.rows:
        cost = row.sums.cost_usd
        part = [] if by_day else [f"{100 * cost / total:.1f} %" if total else "–"]
        drawn = [Text(bar(cost / whole if whole > 0 else Decimal(0), bar_width), style="cyan")] if bar_width else []
        table.add_row(_name(row, statement), *figures.of(row.sums), *part, *drawn)
    table.add_row("total", *figures.of(statement.total), style="bold")
    return table


def _name(row: Row, statement: Statement) -> str:
    match statement.by:
        case By.DAY:
            day = date.fromisoformat(row.name)
            return f"{day:%a} {day}"
        case By.MODEL:
            where = " (local)" if row.provider is Provider.LOCAL else ""
            return f"{clean_line(row.name)}{where}"
        case By.PILLAR:
            return clean_line(row.name) or "(none)"
        case By.PROVIDER | By.KEY:
            return clean_line(row.name) or "local"
        case _:
            assert_never(statement.by)
