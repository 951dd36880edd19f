"""Text from outside, without secrets and without terminal control.

Cleaning can uncover a secret (`sk-<ESC>[0m123`) and can bite a piece off one (`<ESC>sk-123`), so secrets are taken
out before and after it. Whoever shortens text does it afterwards: half a secret is not recognised.

A secret is recognised with gaps in it, too. In errors, headers and the words of programs a gap is whatever is not
printable ASCII: they wrap lines, and lose little where they are misunderstood. An answer belongs to who asked, and has
blanks and line breaks of its own: there only characters that nothing shows are a gap.
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
    """Knows some secrets and takes them, by value, out of whatever passes; it can learn more at any time."""

    __slots__ = ("_built", "_known", "_learning")

    def __init__(self, *secrets: Secret) -> None:
        self._known = frozenset[str]()
        self._built: tuple[frozenset[str], Forms] | None = None
        self._learning = allocate_lock()  # of `_thread`: `threading` is more than a start needs
        self.learn(*secrets)

    def __repr__(self) -> str:
        return f"<scrubber of {len(self._known)} secrets>"

    def learn(self, *secrets: Secret) -> None:
        """Take out these too, from now on; streams that have begun do not change. Any thread may call this."""
        with self._learning:
            self._known |= {secret.reveal() for secret in secrets}

    def text(self, text: str) -> str:
        """`text`, which is no answer, without secrets and terminal control."""
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
        """`text` as one line of at most `longest` characters, for messages and evidence."""
        line = clean_line(self.text(text))
        return line if len(line) <= longest else f"{line[: longest - 1]}…"

    def tree(self, value: _Json) -> _Json:
        """Parsed JSON with every text in it, names too, scrubbed; what lies over 100 levels deep becomes `None`."""
        # Each branch gives back what it was given: text for text, list for list.
        return _walk(value, self.text, _DEEPEST)  # type: ignore[return-value]  # the walk is typed for any JSON

    def stream(self) -> StreamScrubber:
        """A scrubber for one answer that comes in chunks."""
        return StreamScrubber(self._prepared())

    def _prepared(self) -> Forms:
        """The forms of all that is known. They stay with the set that they were built of: another one needs others."""
        known, built = self._known, self._built
        if built is not None and built[0] == known:
            return built[1]
        from lollmsbot_keys.edges.secrets.encodings import Forms

        forms = Forms(known)
        self._built = known, forms
        return forms


class StreamScrubber:
    """Takes secrets and terminal control out of one answer; holds back only what may be the beginning of such."""

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
        """The safe text that is certain after `chunk`."""
        return self._after.feed(self._cleaner.feed(self._before.feed(chunk)))

    def flush(self) -> str:
        """What is left once no more text comes."""
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
