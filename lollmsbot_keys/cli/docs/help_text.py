"""Help for a terminal, in plain text from Click's own formatter, the sections in the order of need.

Typer groups options only where rich draws them, which takes `lbk --help` three times as long; and what rich draws is
boxes, which nobody wants in a pipe or read aloud.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import typer

from lollmsbot_keys.cli.docs import exits, page, panels, terminal_width, told
from lollmsbot_keys.cli.docs.types import ManualPage
from lollmsbot_keys.cli.introspect import Command, Option, described

SIDE_BY_SIDE = 60
"""The width in characters below which an option's text stands under it."""


def write(context: typer.Context, formatter: Any) -> None:  # noqa: ANN401 - Typer hides Click's types
    """Write the help of the command that `context` is about."""
    command = described(context)
    its = page(command)
    formatter.width = terminal_width()
    formatter.write_usage(" ".join(command.path), command.usage)
    for paragraph in its.paragraphs:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(paragraph)
    for heading, rows in _tables(command):
        _table(formatter, heading, rows)
    _examples(formatter, its)
    _table(formatter, "Exit codes", [(str(code), meaning) for code, meaning in exits(its).items()])
    if command.commands:
        _table(formatter, "More", _more(command))


def _tables(command: Command) -> Iterable[tuple[str, Sequence[tuple[str, str]]]]:
    commands = [(one.name, one.summary) for one in command.commands if not one.hidden]
    if commands:
        yield "Commands", commands
    arguments = [(one.value.metavar, one.help) for one in command.arguments if not one.hidden]
    if arguments:
        yield "Arguments", arguments
    options = [(heading, [(_spelt(one), told(one)) for one in ones]) for heading, ones in panels(command).items()]
    widest = max((len(first) for _, rows in options for first, _ in rows), default=0)
    yield from ((heading, [(first.ljust(widest), text) for first, text in rows]) for heading, rows in options)


def _more(command: Command) -> list[tuple[str, str]]:
    below = (f"{' '.join(command.path)} COMMAND --help", "options and examples of a command")
    topics = [("lbk help environment", "the variables that lbk reads"), ("lbk help files", "what it keeps, and where")]
    return [below, *(topics if len(command.path) == 1 else ())]


def _spelt(option: Option) -> str:
    """Spell an option as `-m, --model MODEL`, with long names under one another."""
    short = "" if any(flag[1] != "-" for flag in option.flags) else "    "
    metavar = f" {option.value.metavar}" if option.value else ""
    return f"{short}{', '.join(sorted(option.flags, key=len))}{metavar}"


def _table(formatter: Any, heading: str, rows: Sequence[tuple[str, str]]) -> None:  # noqa: ANN401 - as above
    wide = formatter.width >= SIDE_BY_SIDE
    with formatter.section(heading):
        if wide:
            formatter.write_dl(rows, col_max=formatter.width // 2)
        else:
            formatter.write_dl([(first.strip(), text) for first, text in rows], col_max=4)


def _examples(formatter: Any, its: ManualPage) -> None:  # noqa: ANN401 - as above
    """Write the examples without line breaks, since a line that is broken up cannot be copied."""
    if not its.examples:
        return
    with formatter.section("Examples"):
        blocks = [f"  # {example.purpose}\n  $ {example.line}\n" for example in its.examples]
        formatter.write("\n".join(blocks))
