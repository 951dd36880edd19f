"""The forms in which a secret may come back from outside, and their places in a text."""

from __future__ import annotations

import json
import re
from binascii import b2a_base64
from bisect import insort
from collections.abc import Iterable, Iterator

from lollmsbot_keys.edges.secrets.secret import SHORTEST_REDACTED

_HEAD = 4
_OWN_CASE_ONLY = 16
_SHORTEST_WITH_BEARER = 4
_SHORTEST_PART = 16
_PREFIX = re.compile(r"(?:[a-z0-9]{1,10}[-_])+")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_GO_JSON = str.maketrans({"&": r"\u0026", "<": r"\u003c", ">": r"\u003e", '"': r"\"", "\\": r"\\"})
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


class Forms:
    """Every form of some secrets that can be recognised; its `repr` shows none of them."""

    __slots__ = ("_by_head", "_heads", "_stubs", "mark")

    def __init__(self, secrets: Iterable[str]) -> None:
        known = set(secrets)
        forms = {form for secret in known for form in _forms_of(secret)}
        self._by_head: dict[str, list[str]] = {}
        for form in forms:
            # Longest first: `longest_at` takes the first that fits.
            insort(self._by_head.setdefault(form[:_HEAD], []), form, key=lambda found: -len(found))
        self._heads = re.compile("|".join(map(re.escape, sorted(self._by_head))) or "(?!)")
        self._stubs = frozenset(head[:size] for head in self._by_head for size in range(1, _HEAD))
        # The mark must never form a secret together with its neighbours, which are ASCII wherever a secret is.
        brackets = any(bracket in secret for secret in known for bracket in "[]")
        self.mark = "⟦secret⟧" if brackets else "[secret]"

    def __repr__(self) -> str:
        return "<forms of secrets>"

    def begin_in(self, text: str) -> bool:
        """Say whether a form may begin in `text`, except in its last three characters.

        This is a cheap test.
        """
        return self._heads.search(text) is not None

    def stub(self, text: str) -> int:
        """Return how many of the last three characters of `text` may be the beginning of a form."""
        for size in range(min(_HEAD - 1, len(text)), 0, -1):
            if text[-size:] in self._stubs:
                return size
        return 0

    def occurrences(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield start and end of the longest form at each place of `text`, in order.

        They may overlap.
        """
        for start, candidates in self._candidates(text):
            for form in candidates:
                if text.startswith(form, start):
                    yield start, start + len(form)
                    break

    def undecided(self, text: str) -> int:
        """Return where the longest end of `text` begins that more text could complete to a form.

        A longer form counts too. Without such an end, return the length of `text`.
        """
        for start, candidates in self._candidates(text):
            rest = len(text) - start
            if any(len(form) > rest and form.startswith(text[start:]) for form in candidates):
                return start
        return len(text) - self.stub(text)

    def _candidates(self, text: str) -> Iterator[tuple[int, list[str]]]:
        found = self._heads.search(text)
        while found is not None:
            yield found.start(), self._by_head[found[0]]
            found = self._heads.search(text, found.start() + 1)


def _forms_of(secret: str) -> set[str]:
    """Return the forms to look for: the secret and its usable parts in the usual encodings.

    Of a short secret, only the header that holds it.
    """
    if len(secret) < SHORTEST_REDACTED:
        headers = {f"{word}{blank}{secret}" for word in ("Bearer", "bearer", "BEARER") for blank in (" ", "")}
        return headers if len(secret) >= _SHORTEST_WITH_BEARER else set()
    return {form for part in (secret, *_parts(secret)) for form in _encoded(part)}


def _parts(secret: str) -> Iterator[str]:
    """Yield each part that is worth as much as the secret.

    The secret without its `sk-or-v1-`, and each half of `id.secret` or `user:password`.
    """
    for half in (secret, *re.split("[.:]", secret)):
        for part in (half, half[found.end() :] if (found := _PREFIX.match(half)) else half):
            if len(part) >= _SHORTEST_PART and not _is_wordy(part):
                yield part


def _is_wordy(text: str) -> bool:
    """Say whether the text may be made of words, which harmless text may contain often."""
    return text in {text.lower(), text.upper(), text.capitalize()} and not any(map(str.isdigit, text))


def _encoded(secret: str) -> set[str]:
    forms = {secret, json.dumps(secret)[1:-1], secret.translate(_GO_JSON), secret.translate(_HTML)}
    forms |= {form.replace("/", r"\/") for form in tuple(forms)}
    for kept in ("", "/", "!'()*", "/!'()*"):
        quoted = _percent(secret, kept)
        forms |= {quoted, quoted.replace("%", "%25"), _percent(secret, kept, upper=False)}
    digits = secret.encode(errors="replace").hex()
    forms |= {digits, digits.upper(), *_base64_forms(secret)}
    if len(secret) >= _OWN_CASE_ONLY:
        forms |= {secret.lower(), secret.upper()}
    return forms


def _percent(secret: str, kept: str, *, upper: bool = True) -> str:
    digits = "02X" if upper else "02x"
    return "".join(char if char in _UNRESERVED or char in kept else f"%{ord(char):{digits}}" for char in secret)


def _base64_forms(secret: str) -> set[str]:
    """Return the base64 digits that depend on `secret` alone.

    They are the same wherever it stands in the text that was encoded (`Bearer …`, `user:…`).
    """
    forms = set[str]()
    for offset in range(3):
        data = bytes(offset) + secret.encode()
        digits = b2a_base64(data, newline=False).decode()
        own = digits[-(-offset * 8 // 6) : len(data) * 8 // 6]
        forms |= {own, own.replace("+", "-").replace("/", "_")}
    return forms
