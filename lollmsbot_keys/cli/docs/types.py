"""The type of a page of the manual, and the general meanings of exit codes."""

from __future__ import annotations

from collections.abc import Mapping

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.errors import Exit


class Example(NamedTuple):
    """A line to be typed, and its purpose."""

    purpose: str
    line: str


class ManualPage(NamedTuple):
    """The page of one command.

    `exits`: what its exit codes mean where that is more than `MEANINGS` says of them.
    """

    text: str
    examples: tuple[Example, ...] = ()
    exits: Mapping[int, str] = {}

    @property
    def paragraphs(self) -> tuple[str, ...]:
        """Its text, each paragraph on one line."""
        return tuple(" ".join(paragraph.split()) for paragraph in self.text.split("\n\n"))


MEANINGS: Mapping[int, str] = {
    Exit.DONE: "done",
    Exit.NO: "done, and the answer is no",
    Exit.USAGE: "wrong usage",
    Exit.UNUSABLE: "configuration, state, secret or output unusable",
    Exit.REFUSED: "refused before any call: nothing may take it now",
    Exit.FAILED: "tried, and every attempt failed or the answer was cut",
    Exit.BUG: "a bug in lbk",
    Exit.INTERRUPTED: "interrupted, or nobody reads the output any more",
}
"""The meaning of each exit code, whichever command ends with it."""
