"""`python -m lollmsbot_keys.cli.fast` writes `table.py` anew, from what Typer knows of the hot commands."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import get_args

from typer import Typer
from typer.core import TyperGroup, TyperOption
from typer.main import get_command

from lollmsbot_keys.cli.app import COMMANDS, HOT, build, declared
from lollmsbot_keys.cli.fast import FLAG, PATH, TEXT, TEXTS

TABLE = Path(__file__).with_name("table.py")
HEAD = '''"""How the options of hot commands are spelt. Made by `python -m lollmsbot_keys.cli.fast`, not by hand."""

from __future__ import annotations

'''
KINDS: dict[object, str] = {bool: FLAG, str: TEXT, list[str]: TEXTS, Path: PATH}


def source() -> str:
    """What the table must be now.

    Raises:
        ValueError: a hot command needs Typer even where nothing unusual is asked of it.
    """
    lbk = get_command(build())
    if not isinstance(lbk, TyperGroup):
        raise TypeError("lbk is no group of commands")
    versions = next(option.opts for option in lbk.params if option.name == "version")
    lines = [f"VERSION = frozenset({_quoted(*versions)})", ""]
    lines.append("COMMANDS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {")
    for name in HOT:
        lines += [f'    "{name}": (', f'        "{COMMANDS[name].home}",', "        {"]
        lines += [f'            "{spelt}": {_quoted(*meaning)},' for spelt, meaning in _options(lbk, name)]
        lines += ["        },", "    ),"]
    return HEAD + "\n".join([*lines, "}", ""])


def _options(lbk: TyperGroup, name: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each spelling of each option that is plain enough, with its parameter and what it takes."""
    command = COMMANDS[name].load()
    if isinstance(command, Typer):
        raise TypeError(f"lbk {name} is several commands")
    hints = declared(command).__annotations__
    for option in lbk.commands[name].params:
        if option.required or option.envvar or option.callback or getattr(option, "prompt", None):
            raise ValueError(f"lbk {name} cannot be hot: {option.name} means something where it is not given")
        parameter = option.name or ""
        kind = _kind(hints[parameter])
        if isinstance(option, TyperOption) and kind and not option.count and not option.secondary_opts:
            yield from ((spelt, (parameter, kind)) for spelt in option.opts)


def _kind(hint: object) -> str | None:
    """What a parameter of that type takes; `None`: something that is left to Typer."""
    (annotated, *_) = get_args(hint)
    plain = [one for one in get_args(annotated) or (annotated,) if one is not NoneType]
    found = plain[0] if len(plain) == 1 else annotated
    if isinstance(found, type) and issubclass(found, Enum):
        return f"{found.__module__}:{found.__qualname__}"
    return KINDS.get(found)


def _quoted(*words: str) -> str:
    return "(" + ", ".join(f'"{word}"' for word in words) + ("," if len(words) == 1 else "") + ")"


if __name__ == "__main__":
    TABLE.write_text(source(), encoding="utf-8")
