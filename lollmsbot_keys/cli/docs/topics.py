"""The topics `lbk help environment` and `lbk help files`, which are too long for the help of a command."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import fill

from lollmsbot_keys.cli.docs import terminal_width
from lollmsbot_keys.cli.docs.environment_and_files import Thing, files, variables

TOPICS: dict[str, tuple[str, Callable[[], tuple[Thing, ...]]]] = {
    "environment": ("Environment variables that lbk reads. An empty one counts as unset.", variables),
    "files": ("Files that lbk reads and keeps, where Linux has them.", files),
}


def topic(name: str) -> str:
    """Return the text of one of `TOPICS`."""
    introduction, things = TOPICS[name]
    width = terminal_width()
    blocks = (f"{_indented(thing.name, 2, width)}\n{_indented(thing.meaning, 6, width)}" for thing in things())
    return "\n\n".join([fill(introduction, width), *blocks])


def _indented(text: str, columns: int, width: int) -> str:
    """Indent `text` without breaking names, since they are there to be copied."""
    indent = " " * columns
    return fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
