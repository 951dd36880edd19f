"""The surface that is drawn on: colour and lines for a terminal, plain aligned text for everything else."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING

from lollmsbot_keys.core.cleaning import guard_workflow_commands

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPE_WIDTH = 240
"""Characters a line may have where no terminal sets the width: nothing should be wrapped for a pipe."""
GAP = 2
"""Blanks between two columns."""
WIDE, NARROW = 100, 76
"""From so many characters on there is room for everything, and for most."""


@contextmanager
def page(*, plain: bool, workflow: bool = False) -> Iterator[Console]:
    """A console whose page goes to stdout when it is complete. `plain` forbids colour and drawing on a terminal too.

    With `workflow` no line of it is a command to GitHub's runner, wherever a line was broken.

    Not straight to stdout: Rich would fill every line of a table with blanks to its width, and end the process with
    its own exit code when nobody reads.
    """
    from rich.console import Console

    on_terminal = sys.stdout.isatty()
    drawn = StringIO()
    yield Console(
        file=drawn,
        no_color=plain or not on_terminal,
        color_system="auto" if on_terminal and not plain else None,
        force_terminal=on_terminal and not plain,
        width=None if on_terminal else PIPE_WIDTH,
        markup=False,
        highlight=False,
        emoji=False,
        safe_box=True,
    )
    text = "\n".join(line.rstrip() for line in drawn.getvalue().split("\n"))
    sys.stdout.write(guard_workflow_commands(text) if workflow else text)


def grid(headings: Sequence[str], *, right: Sequence[str] = (), wraps: Sequence[str] = ()) -> Table:
    """An aligned table without lines. Columns in `wraps` give way when the terminal is narrow; the others never do."""
    from rich.table import Table

    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold", expand=False)
    for heading in headings:
        table.add_column(
            heading,
            justify="right" if heading in right else "left",
            no_wrap=heading not in wraps,
            overflow="fold",
        )
    return table


def can_print(text: str) -> bool:
    """Whether stdout's encoding has these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def usd(amount: Decimal) -> str:
    """An amount for people, to a millionth: calls cost fractions of a cent."""
    return f"{amount:.6f}".rstrip("0").rstrip(".") + " USD"
