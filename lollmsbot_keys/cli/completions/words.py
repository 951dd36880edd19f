"""The parts that the scripts of all shells are made of."""

from __future__ import annotations

import re
from pathlib import Path

from lollmsbot_keys.cli.docs.topics import TOPICS
from lollmsbot_keys.cli.introspect import Argument, Command, Option, OptionValue, ValueKind
from lollmsbot_keys.commands.completion_names import Name, targets

NAMES = (
    ValueKind.KEY,
    ValueKind.KEY_OR_LOCAL,
    ValueKind.PILLAR,
    ValueKind.ROLE,
    ValueKind.MODEL,
    ValueKind.ASSUMPTION,
    ValueKind.FAULT,
    ValueKind.SETTING,
)
"""The kinds of values that a script asks `lbk __complete` for."""


def choices(value: OptionValue) -> list[Name]:
    """Return the values that may be written there, as far as they are fixed."""
    if value.kind is ValueKind.TARGET:
        return targets()
    if value.kind is ValueKind.REQUEST:
        return [Name("last", "the newest request")]
    return [Name(choice) for choice in value.choices]


def taken(value: OptionValue) -> str:
    """Return the entry of a value in the tables of bash and fish: its choices, or else its kind."""
    fixed = [] if value.kind is ValueKind.TARGET else choices(value)
    return f"={'|'.join(name.text for name in fixed)}" if fixed else value.kind.value


def whole(lbk: Command) -> Command:
    """Return `lbk` together with `lbk help COMMAND`, which is no command to Typer, but which people type."""
    names = (*(one.name for one in below(lbk)), *TOPICS)
    argument = Argument("command", OptionValue("COMMAND", ValueKind.CHOICE, str, names), "", required=True)
    helping = Command((*lbk.path, "help"), "", "", "", "", (), (argument,), hidden=True)
    return lbk._replace(commands=(*lbk.commands, helping))


def offered(command: Command) -> list[Option]:
    """Return the options that are not hidden."""
    return [option for option in command.options if not option.hidden]


def below(command: Command) -> list[Command]:
    """Return the subcommands that are not hidden."""
    return [one for one in command.commands if not one.hidden]


def framed(shell: str, **parts: str) -> str:
    """Return the fixed text of a script (the file `frame.SHELL`), with each part in the place of its @name@."""
    text = Path(__file__).with_name(f"frame.{shell}").read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part.removesuffix("\n"))
    return text


def title(command: Command) -> str:
    """Return the line of a command in a menu."""
    return command.summary.rstrip(".")


def brief(text: str) -> str:
    """Return the first sentence of `text`, since a menu has one line for it."""
    return re.split(r"(?<=[^.])\.(?:\s|$)|;\s", " ".join(text.split()), maxsplit=1)[0]
