"""The script for fish, one function that knows what may come next and describes each thing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lollmsbot_keys.cli.completions.words import NAMES, below, brief, choices, framed, offered, taken, title, whole
from lollmsbot_keys.cli.introspect import Argument, Command, OptionValue, ValueKind


def source(lbk: Command) -> str:
    """Return the whole script."""
    tables = "".join(_table(command) for command in whole(lbk).walk())
    targets = " ".join(_quoted(f"{one.text}\t{one.about}") for one in choices(OptionValue("", ValueKind.TARGET, str)))
    return framed("fish", tables=tables, targets=targets, names=" ".join(NAMES))


def _table(command: Command) -> str:
    return "\n".join([f"        case {_quoted(' '.join(command.path[1:]))}", *map(_entry, _entries(command)), ""])


def _entries(command: Command) -> Iterator[tuple[str, ...]]:
    yield from (("command", one.name, title(one)) for one in below(command))
    for option in offered(command):
        several = "*" if option.repeatable else ""
        what = "-" if option.value is None else taken(option.value)
        yield "option", f"{what}{several}", brief(option.help), *option.flags, *option.negated
    yield from (_argument(one) for one in command.arguments if not one.hidden)


def _argument(argument: Argument) -> tuple[str, str]:
    return "argument", f"{taken(argument.value)}{'*' if argument.repeatable else ''}"


def _entry(parts: tuple[str, ...]) -> str:
    return f"            string join \\t -- {' '.join(map(_quoted, parts))}"


def _quoted(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.=/:-]+", text):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
