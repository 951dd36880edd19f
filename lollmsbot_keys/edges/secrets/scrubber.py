"""The scrubber: text from outside, without secrets and without terminal control.

Cleaning can uncover a secret (`sk-<ESC>[0m123`) and can cut a piece off one (`<ESC>sk-123`), so secrets are taken out
before and after it. A text must be shortened after this, not before: half a secret is not recognised.

A secret is recognised with gaps in it, too. In errors, headers and the output of programs every character is a gap that
is not printable ASCII: such texts wrap lines, and lose little by a mistake. An answer belongs to the user, and has
blanks and line breaks of its own: there only invisible characters are a gap.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from lollmsbot_keys.core.security.sanitize import Cleaner, clean, clean_line
from lollmsbot_keys.edges.secrets.secret import Secret

if TYPE_CHECKING:
    from lollmsbot_keys.edges.secrets.encodings import Forms

_DEEPEST = 100
_Json = TypeVar("_Json")


class Scrubber:
    """A set of secrets, taken by value out of every text; it can learn more at any time."""

    __slots__ = ("_built", "_known", "_learning")

    def __init__(self, *secrets: Secret) -> None:
        self._known = frozenset[str]()
        self._built: tuple[frozenset[str], Forms] | None = None
        self._learning = allocate_lock()  # of `_thread`: `threading` is more than a start needs
        self.learn(*secrets)

    def __repr__(self) -> str:
        return f"<scrubber of {len(self._known)} secrets>"

    def learn(self, *secrets: Secret) -> None:
        """Take out these secrets too, from now on.

        Streams that have begun do not change. Any thread may call this.
        """
        with self._learning:
            self._known |= {secret.reveal() for secret in secrets}

    def text(self, text: str) -> str:
        """Return `text` without secrets and terminal control; for an answer there is `stream`."""
        from lollmsbot_keys.edges.secrets.invisible_characters import (
            INK,  # where no text comes in, none is looked through
        )
        from lollmsbot_keys.edges.secrets.redactor import Redactor

        forms = self._prepared()
        cleaned = clean(text)
        if cleaned != text:
            cleaned = clean(Redactor(forms, None).whole(text))
        return Redactor(forms, INK).whole(cleaned)

    def line(self, text: str, longest: int) -> str:
        """Return `text` as one line of at most `longest` characters, for messages and evidence."""
        line = clean_line(self.text(text))
        return line if len(line) <= longest else f"{line[: longest - 1]}…"

    def tree(self, value: _Json) -> _Json:
        """Return parsed JSON with every text in it scrubbed, names too.

        Values over 100 levels deep become `None`.
        """
        # Each branch gives back what it was given: text for text, list for list.
        return _walk(value, self.text, _DEEPEST)  # type: ignore[return-value]  # the walk is typed for any JSON

    def stream(self) -> StreamScrubber:
        """Return a scrubber for one answer that comes in chunks."""
        return StreamScrubber(self._prepared())

    def _prepared(self) -> Forms:
        """Return the forms of all known secrets.

        They are kept together with the set that they were built from: another set needs other forms.
        """
        known, built = self._known, self._built
        if built is not None and built[0] == known:
            return built[1]
        from lollmsbot_keys.edges.secrets.encodings import Forms

        forms = Forms(known)
        self._built = known, forms
        return forms


class StreamScrubber:
    """A scrubber of one answer, which holds back only the possible beginning of a secret or a terminal control."""

    __slots__ = ("_after", "_before", "_cleaner")

    def __init__(self, forms: Forms) -> None:
        from lollmsbot_keys.edges.secrets.invisible_characters import (
            SEEN,  # where no text comes in, none is looked through
        )
        from lollmsbot_keys.edges.secrets.redactor import Redactor

        self._before = Redactor(forms, SEEN)
        self._cleaner = Cleaner()
        self._after = Redactor(forms, SEEN)

    def feed(self, chunk: str) -> str:
        """Add `chunk`, and return the safe text that is certain by now."""
        return self._after.feed(self._cleaner.feed(self._before.feed(chunk)))

    def flush(self) -> str:
        """Return the rest when no more text comes."""
        rest = self._cleaner.feed(self._before.flush()) + self._cleaner.flush()
        return self._after.feed(rest) + self._after.flush()


def _walk(value: object, scrub: Callable[[str], str], levels: int) -> object:
    if isinstance(value, str):
        return scrub(value)
    if not isinstance(value, list | dict):
        return value
    if levels == 0:
        return None
    if isinstance(value, list):
        return [_walk(item, scrub, levels - 1) for item in value]
    return {_walk(name, scrub, 0): _walk(item, scrub, levels - 1) for name, item in value.items()}
