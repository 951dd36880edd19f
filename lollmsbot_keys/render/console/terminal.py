"""The surface that is drawn on: colour and lines for a terminal, plain aligned text for everything else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Literal

from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.security.sanitize import guard_workflow_commands

if TYPE_CHECKING:
    from rich.console import Console

    from lollmsbot_keys.render.console.table import Grid

PIPE_WIDTH = 240
"""The characters that a line may have where nobody sets the width: nothing should be wrapped for a pipe."""
UNTOLD_WIDTH = 80
"""The width of a terminal that does not know its own, such as one at a serial line."""
WIDE, NARROW = 100, 76
"""The widths in characters from which there is room for everything, and for most."""


@contextmanager
def page(output_style: OutputStyle) -> Iterator[Console]:
    """Yield a console whose page goes to stdout when it is complete.

    No line of it is a command to GitHub's runner, wherever a line was broken: it may begin with a name that anybody
    may have chosen.

    It does not go straight to stdout: Rich would fill every line of a table with blanks to its width, and end the
    process with its own exit code when nobody reads. And Rich would read the environment; it is told the same
    here instead.
    """
    from lollmsbot_keys.render.console.table import PageConsole

    drawn = StringIO()
    depth: Literal["standard", "auto"] | None = (
        None if not is_drawn(output_style) else "standard" if output_style.still else "auto"
    )
    yield PageConsole(drawn, width=width(output_style), colours=depth, spoken=output_style.spoken)
    text = "\n".join(line.rstrip() for line in drawn.getvalue().split("\n"))
    sys.stdout.write(guard_workflow_commands(text))


def is_drawn(output_style: OutputStyle) -> bool:
    """Say whether stdout gets colours and bars."""
    return not output_style.plain and (output_style.forced or sys.stdout.isatty())


def width(output_style: OutputStyle) -> int:
    """Return the number of characters that a line may have.

    Where drawing is forced into a pipe, there is a pager or the like at its end, in the terminal that is at hand.
    """
    if output_style.columns is not None:
        return output_style.columns
    if output_style.spoken:
        return PIPE_WIDTH  # who listens need not do without what there is no room for
    streams = (sys.stdout, sys.stderr, sys.stdin) if output_style.forced else (sys.stdout,)
    for stream in streams:
        try:
            return os.get_terminal_size(stream.fileno()).columns or UNTOLD_WIDTH
        except (AttributeError, OSError, ValueError):
            continue
    return PIPE_WIDTH


def grid(headings: Sequence[str], *, right: Sequence[str] = (), wraps: Sequence[str] = ()) -> Grid:
    """Make a `Grid`, and import its module only now."""
    from lollmsbot_keys.render.console.table import Grid

    return Grid(headings, right=right, wraps=wraps)
