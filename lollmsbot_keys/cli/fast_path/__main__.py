"""The command `python -m lollmsbot_keys.cli.fast_path`, which writes `table.py` anew.

Its source is what Typer knows of the hot commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from lollmsbot_keys.cli.app import COMMANDS, HOT
from lollmsbot_keys.cli.docs.all_commands import surface
from lollmsbot_keys.cli.fast_path import ARGUMENT, FLAG, PATH, TEXT, TEXTS
from lollmsbot_keys.cli.introspect import Argument, Command, Option

TABLE = Path(__file__).with_name("table.py")
HEAD = '''"""The options of hot commands. Made by `python -m lollmsbot_keys.cli.fast_path`, not by hand."""

from __future__ import annotations

'''
KINDS: dict[tuple[type, bool], str] = {(str, False): TEXT, (str, True): TEXTS, (Path, False): PATH}
"""The kinds by the type of one value, and by whether there may be several."""


def source() -> str:
    """Return the text that the table must have now.

    Raises:
        ValueError: a hot command needs Typer even where nothing unusual is asked of it.
    """
    lbk = surface()
    versions = next(option.flags for option in lbk.options if option.parameter == "version")
    lines = [f"VERSION = frozenset({_quoted(*versions)})", ""]
    lines.append("COMMANDS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {")
    for command in lbk.commands:
        if command.name in HOT:
            lines += [f'    "{command.name}": (', f'        "{COMMANDS[command.name].home}",', "        {"]
            lines += [f'            "{spelt}": {_quoted(*meaning)},' for spelt, meaning in _options(command)]
            lines += ["        },", "    ),"]
    return HEAD + "\n".join([*lines, "}", ""])


def _options(command: Command) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each spelling of each option that is plain enough, with its parameter and its kind."""
    for argument in command.arguments:
        if not argument.required or argument.repeatable or len(command.arguments) > 1:
            raise ValueError(f"{' '.join(command.path)} cannot be hot: {argument.parameter} is left to Typer")
        yield ARGUMENT, (argument.parameter, _kind(argument) or TEXT)
    for option in command.options:
        if option.parameter == "help":
            continue
        if option.acts:
            raise ValueError(
                f"{' '.join(command.path)} cannot be hot: {option.parameter} means something where it is not given"
            )
        kind = _kind(option)
        if kind:
            yield from ((spelt, (option.parameter, kind)) for spelt in option.flags)


def _kind(parameter: Option | Argument) -> str | None:
    """Return the kind of a parameter; `None` for one that is left to Typer."""
    if parameter.value is None:
        return None if parameter.repeatable or parameter.negated else FLAG
    if issubclass(parameter.value.type, Enum) and not parameter.repeatable:
        return f"{parameter.value.type.__module__}:{parameter.value.type.__qualname__}"
    return KINDS.get((parameter.value.type, parameter.repeatable))


def _quoted(*words: str) -> str:
    return "(" + ", ".join(f'"{word}"' for word in words) + ("," if len(words) == 1 else "") + ")"


if __name__ == "__main__":
    TABLE.write_text(source(), encoding="utf-8")
