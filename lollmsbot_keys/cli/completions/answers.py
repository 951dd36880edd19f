"""The command `lbk __complete SHELL KIND WORD…`, which gives a completion script the names it asks for.

Nobody types this. It runs in the middle of somebody's command line: whatever goes wrong, it says nothing and ends
with 0.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

from lollmsbot_keys.errors import Exit


def answers(words: Sequence[str]) -> Exit:
    """Print each name on a line of its own, followed by a tab and its description.

    `WORD…` is the line as far as the value. bash and zsh give the words as they were typed, fish without their quotes.
    """
    with suppress(Exception):
        from lollmsbot_keys.commands.completion_names import offered
        from lollmsbot_keys.core.security.sanitize import clean_line

        shell, kind, *line = words
        names = offered(kind, line, typed=shell != "fish")
        text = "".join(f"{name.text}\t{clean_line(name.about)}\n" for name in names)
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
    return Exit.DONE
