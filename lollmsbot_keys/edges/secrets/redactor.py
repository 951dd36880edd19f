"""The redactor: marks in place of secrets, in a text that comes in one piece or in chunks."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lollmsbot_keys.edges.secrets.encodings import Forms
from lollmsbot_keys.edges.secrets.invisible_characters import MOST_UNSEEN, Thin, thin


class Redactor:
    """A redactor that puts one mark in place of every run of overlapping forms.

    A form may have gaps: characters that are not `kept`. `_held` is the undecided end of the text so far; its first
    `_hidden` characters already stand behind a mark.
    """

    __slots__ = ("_forms", "_held", "_hidden", "_kept")

    def __init__(self, forms: Forms, kept: re.Pattern[str] | None) -> None:
        self._forms, self._kept = forms, kept
        self._held = ""
        self._hidden = 0

    def whole(self, text: str) -> str:
        """Redact a text that comes in one piece."""
        thinned = thin(text, self._kept)
        return self._advance(text, thinned, len(text)) if self._begins_in(text, thinned) else text

    def feed(self, chunk: str) -> str:
        """Add `chunk`, and return the text that is certain by now."""
        text = self._held + chunk
        thinned = thin(text, self._kept)
        if self._hidden or self._begins_in(text, thinned):
            passed = self._advance(text, thinned, self._undecided(text, thinned))
        else:
            end = len(text) - self._forms.stub(text)
            if thinned is not None:
                end = min(end, thinned.place(len(thinned.text) - self._forms.stub(thinned.text)))
            passed, self._held = text[:end], text[end:]
        self._limit_gaps()
        return passed

    def flush(self) -> str:
        """Return the rest when no more text comes."""
        return self._advance(self._held, thin(self._held, self._kept), len(self._held))

    def _begins_in(self, text: str, thinned: Thin | None) -> bool:
        return self._forms.begin_in(text) or (thinned is not None and self._forms.begin_in(thinned.text))

    def _undecided(self, text: str, thinned: Thin | None) -> int:
        end = self._forms.undecided(text)
        return end if thinned is None else min(end, thinned.place(self._forms.undecided(thinned.text)))

    def _occurrences(self, text: str, thinned: Thin | None) -> Iterable[tuple[int, int]]:
        found = self._forms.occurrences(text)
        if thinned is None:
            return found
        more = self._forms.occurrences(thinned.text)
        return sorted([*found, *((thinned.place(start), thinned.place(stop - 1) + 1) for start, stop in more)])

    def _advance(self, text: str, thinned: Thin | None, end: int) -> str:
        """Pass on `text` up to `end`, and hold the rest."""
        parts = list[str]()
        done = self._hidden
        for start, stop in self._occurrences(text, thinned):
            if start >= end:
                break
            if start >= done:
                parts += text[done:start], self._forms.mark
            done = max(done, stop)
        if done < end:
            parts.append(text[done:end])
        self._held, self._hidden = text[end:], max(0, done - end)
        return "".join(parts)

    def _limit_gaps(self) -> None:
        """Take the gaps out of the held text when they grow too long.

        The rest of the held text is never longer than the longest form, but a hostile answer could send gaps for ever.
        """
        thinned = thin(self._held, self._kept) if len(self._held) > MOST_UNSEEN else None
        if thinned is not None and len(self._held) - len(thinned.text) > MOST_UNSEEN:
            hidden = thin(self._held[: self._hidden], self._kept)
            self._held, self._hidden = thinned.text, self._hidden if hidden is None else len(hidden.text)
