"""What every script is made of, whatever its shell."""

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
"""What is asked of `lbk __complete`."""


def choices(value: OptionValue) -> list[Name]:
    """What may be written there, as far as that is fixed."""
    if value.kind is ValueKind.TARGET:
        return targets()
    if value.kind is ValueKind.REQUEST:
        return [Name("last", "the newest request")]
    return [Name(choice) for choice in value.choices]


def taken(value: OptionValue) -> str:
    """What bash's and fish's tables say of a value: what there is to choose from, or its kind."""
    fixed = [] if value.kind is ValueKind.TARGET else choices(value)
    return f"={'|'.join(name.text for name in fixed)}" if fixed else value.kind.value


def whole(lbk: Command) -> Command:
    """`lbk` with `lbk help COMMAND`, which is no command to Typer, but which people type."""
    names = (*(one.name for one in below(lbk)), *TOPICS)
    argument = Argument("command", OptionValue("COMMAND", ValueKind.CHOICE, str, names), "", required=True)
    helping = Command((*lbk.path, "help"), "", "", "", "", (), (argument,), hidden=True)
    return lbk._replace(commands=(*lbk.commands, helping))


def offered(command: Command) -> list[Option]:
    """The options that people are told of."""
    return [option for option in command.options if not option.hidden]


def below(command: Command) -> list[Command]:
    """The subcommands that people are told of."""
    return [one for one in command.commands if not one.hidden]


def framed(shell: str, **parts: str) -> str:
    """What is fixed of a script (the file `frame.SHELL`), with these parts where their names stand as @name@."""
    text = Path(__file__).with_name(f"frame.{shell}").read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part.removesuffix("\n"))
    return text


def title(command: Command) -> str:
    """Its line in a menu."""
    return command.summary.rstrip(".")


def brief(text: str) -> str:
    """The first sentence: a menu has one line for it."""
    return re.split(r"(?<=[^.])\.(?:\s|$)|;\s", " ".join(text.split()), maxsplit=1)[0]
