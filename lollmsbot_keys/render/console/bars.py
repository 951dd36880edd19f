"""Bars, drawn in eighths of a character where the terminal has them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from lollmsbot_keys.render.console.encoding import GAP, can_print

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from lollmsbot_keys.render.console.table import Grid

_EIGHTHS = "▏▎▍▌▋▊▉█"
NARROWEST, WIDEST = 8, 40
"""The lengths of a bar in characters: a shorter one says nothing, a longer one is no clearer."""


def bar(share: Decimal, width: int) -> str:
    """Draw `share` of `width` characters.

    Anything above nothing is seen, and anything above the whole fills all of it.
    """
    eighths = min(width * 8, max(0, round(share * width * 8)))
    if share > 0:
        eighths = max(1, eighths)
    whole, rest = divmod(eighths, 8)
    if can_print(_EIGHTHS):
        return "█" * whole + (_EIGHTHS[rest - 1] if rest else "")
    return "#" * max(whole, int(eighths > 0))


def gauge(share: Decimal, width: int, style: str) -> Text:
    """Draw a bar on a strip as long as the full bar."""
    from rich.text import Text

    drawn = bar(share, width)
    return Text(drawn.ljust(width), style=f"{style} on grey23")


def room(out: Console, table: Grid) -> int:
    """Return the width for a bar beside `table`.

    It is 0 where there is no room, or where nothing is to be drawn.
    """
    from rich.measure import Measurement

    if not out.is_terminal:
        return 0
    left = out.width - Measurement.get(out, out.options, table).maximum - GAP
    return min(left, WIDEST) if left >= NARROWEST else 0
