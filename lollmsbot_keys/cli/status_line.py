"""The line on a terminal that says what is waited for, and goes again."""

from __future__ import annotations

import os
import sys

from lollmsbot_keys.cli.exit import tell
from lollmsbot_keys.core.base.output_style import OutputStyle


class StatusLine:
    """One line on stderr that rewrites itself.

    It is not written where no such line is allowed, or where nobody sees it.
    """

    def __init__(self, output_style: OutputStyle) -> None:
        self.is_seen = not output_style.still and sys.stderr.isatty()
        self._shown = False

    def show(self, text: str) -> None:
        """Write `text` in the place of the text before.

        It is cut to the width of the terminal: a line that the terminal would break cannot be wiped.
        """
        if self.is_seen:
            self._shown = True
            self._write(f"\r\x1b[K{text[: self._room]}")

    def wipe(self) -> None:
        """Leave the line empty, for what comes next."""
        if self._shown:
            self._shown = False
            self._write("\r\x1b[K")

    @property
    def _room(self) -> int:
        """The number of characters that fit now, since a window can change its size."""
        try:
            return (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - 1
        except (OSError, ValueError):
            return 79

    def _write(self, text: str) -> None:
        tell(lambda: print(text, end="", file=sys.stderr))
