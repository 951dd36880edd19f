"""The texts in which `lbk` describes itself, except those of options.

Help, man pages and docs/reference.md are all made of this and of `cli.introspect`. The options of a command are
declared and described in the module of the command; here is everything else.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from lollmsbot_keys.cli.docs.pages import PAGES
from lollmsbot_keys.cli.docs.types import MEANINGS, ManualPage
from lollmsbot_keys.cli.options import GENERAL, OUTPUT
from lollmsbot_keys.errors import Exit

if TYPE_CHECKING:
    from lollmsbot_keys.cli.introspect import Command, Option

OWN = "Options"
"""The heading of a command's options that have no other."""

WIDEST, NARROWEST = 100, 24

_EVERY_COMMANDS = (Exit.DONE, Exit.USAGE, Exit.UNUSABLE, Exit.BUG, Exit.INTERRUPTED)


def page(command: Command) -> ManualPage:
    """Return the page of a command; its docstring where it has none."""
    return PAGES.get(" ".join(command.path[1:])) or ManualPage(command.help)


def exits(page: ManualPage) -> dict[int, str]:
    """Return every exit code that the command of `page` can end with, in order."""
    general: dict[int, str] = {code: MEANINGS[code] for code in _EVERY_COMMANDS}
    return dict(sorted({**general, **page.exits}.items()))


def panels(command: Command) -> dict[str, list[Option]]:
    """Return the options of a command by heading: its own first, those of every command last."""
    found: dict[str, list[Option]] = {}
    for option in command.options:
        if not option.hidden:
            heading = option.panel or (GENERAL if "--help" in option.flags else OWN)
            found.setdefault(heading, []).append(option)
    last = [heading for heading in (OUTPUT, GENERAL) if heading in found]
    return {heading: found[heading] for heading in [*(name for name in found if name not in last), *last]}


def told(option: Option) -> str:
    """Describe an option: its meaning, its choices, its default, and whether it may be repeated."""
    choices = option.value.choices if option.value else ()
    pieces = [option.help]
    if choices:
        pieces.append(f"{{{'|'.join(choices)}}}")
    if option.default is not None:
        pieces.append(f"(default: {option.default})")
    if option.repeatable:
        pieces.append("(repeatable)")
    return " ".join(pieces)


def terminal_width() -> int:
    """Return the width of help in characters, since lines longer than `WIDEST` are hard to read."""
    return max(min(shutil.get_terminal_size().columns, WIDEST), NARROWEST)
