"""The hot commands without Typer.

To import Typer takes three times as long as `lbk route -q` needs for its work. What Typer knows of their options was
written into `table` beforehand (`python -m lollmsbot_keys.cli.fast_path`). This module reads only arguments that leave
no doubt; mistakes, `--help` and everything unusual are for Typer, which then starts from the beginning. Whatever is
read here, Typer reads the same: tests/test_fast.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from lollmsbot_keys.cli.fast_path.table import COMMANDS, VERSION

FLAG, TEXT, TEXTS, PATH = "flag", "text", "texts", "path"
"""The kinds of an option's value.

Any other kind is the name of an enumeration (`module:class`), of which the value is a member.
"""

ARGUMENT = ""
"""The name under which the table has a command's one argument, which must be given."""

Call = tuple[str, dict[str, object]]
"""A function of `cli.commands` (`module:name`), and its arguments."""


def read(arguments: Sequence[str]) -> Call | None:
    """Read the arguments as the call to make; `None` where Typer must look at them."""
    if len(arguments) == 1 and arguments[0] in VERSION:
        return "version:version", {}
    if not arguments or arguments[0] not in COMMANDS:
        return None
    function, options = COMMANDS[arguments[0]]
    values: dict[str, object] = {}
    words = iter(arguments[1:])
    for word in words:
        name, sign, value = word.partition("=") if word.startswith("-") else (ARGUMENT, "=", word)
        if name not in options or (sign and not name.startswith("--") and name != ARGUMENT):
            return None
        parameter, kind = options[name]
        if kind == FLAG:
            found: object | None = None if sign else True
        else:
            found = _converted(kind, value if sign else next(words, "-"), values.get(parameter))
        if found is None or (name == ARGUMENT and parameter in values):
            return None
        values[parameter] = found
    return (function, values) if ARGUMENT not in options or options[ARGUMENT][0] in values else None


def call(function: str, values: dict[str, object]) -> object:
    """Call the function that `read` found."""
    module, _, name = function.partition(":")
    return getattr(import_module(f"lollmsbot_keys.cli.commands.{module}"), name)(**values)


def _converted(kind: str, text: str, before: object) -> object | None:
    """Convert `text` to a value; `None` where it is no value, or looks like the next option."""
    if text.startswith("-"):
        return None
    found: object
    if kind == TEXT:
        return text
    if kind == TEXTS:
        return [*before, text] if isinstance(before, list) else [text]
    if kind == PATH:
        from pathlib import Path

        return Path(text)
    module, _, name = kind.partition(":")
    try:
        found = getattr(import_module(module), name)(text)
    except ValueError:
        found = None
    return found
