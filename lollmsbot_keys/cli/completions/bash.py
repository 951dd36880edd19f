"""The script for bash, from 3.2 on, with bash-completion or without it.

macOS has no newer bash than 3.2.
"""

from __future__ import annotations

from collections.abc import Iterator

from lollmsbot_keys.cli.completions.words import NAMES, below, choices, framed, offered, taken, whole
from lollmsbot_keys.cli.introspect import Argument, Command, Option, OptionValue, ValueKind


def source(lbk: Command) -> str:
    """Return the whole script."""
    tables = "".join(_table(command) for command in whole(lbk).walk())
    names = " | ".join(NAMES)
    schemes = " ".join(f"{name.text}" for name in choices(OptionValue("", ValueKind.TARGET, str)))
    return framed("bash", tables=tables, names=names, targets=schemes)


def _table(command: Command) -> str:
    words = " ".join(["", *command.path[1:]])
    return "\n".join(
        [
            f"        '{words}')",
            f"            commands=({' '.join(one.name for one in below(command))})",
            "            options=(",
            *(f"                '{entry}'" for entry in _options(command)),
            "            )",
            f"            arguments=({' '.join(_argument(one) for one in command.arguments if not one.hidden)})",
            "            ;;\n",
        ]
    )


def _options(command: Command) -> Iterator[str]:
    for option in offered(command):
        yield f"{_what(option)}{'*' if option.repeatable else ''} {' '.join((*option.flags, *option.negated))}"


def _argument(argument: Argument) -> str:
    return f"'{taken(argument.value)}{'*' if argument.repeatable else ''}'"


def _what(option: Option) -> str:
    return "-" if option.value is None else taken(option.value)
