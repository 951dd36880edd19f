"""The parts of a failed reply that the failure table looks at, and the evidence that is kept.

Providers put errors as a string, as an object, or in shapes of their own; anything is read, nothing raises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from lollmsbot_keys.core.base.json_values import table
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.reply import Reply

EVIDENCE_CHARACTERS = 200
_READ_CHARACTERS = 4_000
_TOO_MANY = 429


class Symptoms(NamedTuple):
    """Everything that a row may test.

    `status` is the error's own where it came inside a 200 (0: it has none). `elsewhere`: providers are named that the
    account's settings leave out. `relayed`: an upstream's words are in `message`.
    """

    provider: Provider
    free: bool
    status: int
    inside: bool
    html: bool
    json: bool
    upstream: bool
    flagged: bool
    elsewhere: bool
    relayed: bool
    codes: frozenset[str]
    text: str
    message: str


_STATUS_OF = {
    "context_length_exceeded": 400,
    "max_tokens_exceeded": 400,
    "token_limit_exceeded": 400,
    "string_too_long": 400,
    "invalid_request": 400,
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "content_policy_violation": 400,
    "refusal": 400,
    "model_not_found": 400,
    "wrong_endpoint": 400,
    "authentication": 401,
    "authentication_error": 401,
    "payment_required": 402,
    "permission_denied": 403,
    "permission_error": 403,
    "region_restricted": 403,
    "not_found": 404,
    "not_found_error": 404,
    "no_endpoints": 404,
    "model_deprecated": 404,
    "model_unavailable_upstream": 404,
    "privacy_restricted": 404,
    "constraint_filtered": 404,
    "free_variant_ended": 404,
    "precondition_failed": 412,
    "payload_too_large": 413,
    "unprocessable": 422,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "capacity_exhausted": 429,
    "server": 500,
    "server_error": 500,
    "api_error": 500,
    "unmapped": 500,
    "provider_unavailable": 502,
    "provider_overloaded": 503,
    "temporarily_unavailable": 503,
    "timeout": 504,
    "overloaded_error": 529,
    # Google's, and what OpenAI calls an account that has run dry
    "invalid_argument": 400,
    "failed_precondition": 400,
    "unauthenticated": 401,
    "resource_exhausted": 429,
    "insufficient_quota": 429,
    "internal": 500,
    "unavailable": 503,
    "deadline_exceeded": 504,
}
"""Words that errors inside a 200 use in place of a number."""

_CODES = ("error_type", "limit_source", "reason", "code")


def symptoms(reply: Reply, provider: Provider, *, free: bool) -> Symptoms:
    """Take `reply` apart.

    `free` says whether the model was one that the provider gives away.
    """
    body = _document(reply.body)
    error = body.get("error")
    fields = table(error)
    metadata, availability = table(fields.get("metadata")), table(fields.get("availability"))
    codes = frozenset(
        value.casefold()
        for place, names in (
            (fields, ("code", "type", "error_type", "status")),
            (availability, ("code",)),
            (metadata, _CODES),
        )
        for name in names
        if isinstance(value := place.get(name), str)
    )
    inside = 200 <= reply.status < 300
    status = _inner_status(fields, codes) if inside else reply.status
    flagged = any(metadata.get(name) for name in ("reasons", "patterns", "flagged_input"))
    message = _message(body or reply.body)
    relayed = "" if flagged else _relayed(metadata.get("raw"), message)
    told = f"{message}: {relayed}" if message and relayed else message or relayed
    return Symptoms(
        provider=provider,
        free=free,
        status=status,
        inside=inside,
        html=reply.html,
        json=not isinstance(reply.body, str),
        upstream=bool(metadata.get("provider_name") or (inside and body.get("provider"))),
        flagged=flagged,
        elsewhere=bool(metadata.get("available_providers")),
        relayed=bool(relayed),
        codes=codes,
        # Elsewhere an upstream's words may quote the prompt: it must not be the prompt that decides.
        text=(told if status == _TOO_MANY else message)[:_READ_CHARACTERS].casefold(),
        message=told,
    )


def _document(body: object) -> Mapping[str, object]:
    """Return the table that tells of the error.

    Some providers send it alone in a list.
    """
    return next((table(one) for one in body if isinstance(one, dict)), {}) if isinstance(body, list) else table(body)


def _message(body: object) -> str:
    """Find the provider's own sentence in any of its places."""
    fields = table(body)
    error = fields.get("error")
    for candidate in (error, table(error).get("message"), fields.get("message"), fields.get("detail"), body):
        if isinstance(candidate, str) and candidate.strip():
            return candidate
    return ""


def _relayed(raw: object, message: str) -> str:
    """Return the words of an upstream that are not in `message`.

    They are its own sentence where that can be found.
    """
    said = _message(_document(raw) or raw)
    if said.lstrip().startswith("<"):
        return "an HTML page"
    return "" if said in message else said


def _inner_status(error: Mapping[str, object], codes: frozenset[str]) -> int:
    for name in ("code", "http_status", "status"):
        value = error.get(name)
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) == 3:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
            return value
    return max((_STATUS_OF.get(code, 0) for code in codes), default=0)


_NAMED_PERSON = re.compile(r"\byou \([^)]{1,200}\)", re.IGNORECASE)


def evidence(text: str) -> str:
    """Shorten `text` to one line of at most `EVIDENCE_CHARACTERS`.

    Ollama addresses people by their account's name, which is private and taken out.
    """
    line = " ".join(text[:_READ_CHARACTERS].split())
    line = _NAMED_PERSON.sub("you (…)", line).encode("utf-8", "replace").decode("utf-8")
    return line if len(line) <= EVIDENCE_CHARACTERS else f"{line[: EVIDENCE_CHARACTERS - 1]}…"


_QUOTED_BYTES = 16
_BLOCK = 8
"""Bytes of a block. A source is cut into blocks, and any sixteen bytes of it contain a whole one."""
_SLICE = 1 << 18
"""Characters of a slice. Between two slices other threads have their turn."""
_ASCII = bytes(range(128))
_FOLDED = bytes.maketrans(bytes(range(65, 91)) + b"\t\n\v\f\r\x1c\x1d\x1e\x1f", bytes(range(97, 123)) + b" " * 9)
_WIDE_BLANKS = (
    "\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_FEW = 12
"""The most different letters that are changed one by one, because that is quicker than casefolding the whole text."""


class Words:
    """Texts of any length that evidence may repeat.

    They are made even once, for all the evidence there may be.
    """

    __slots__ = ("_as_it_is", "_in_json", "_texts")

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = tuple(texts)
        self._as_it_is: list[list[bytes]] | None = None
        self._in_json: list[list[bytes]] | None = None

    def __repr__(self) -> str:
        return "<words>"

    @property
    def size(self) -> int:
        """The size in characters."""
        return sum(map(len, self._texts))

    def are_quoted(self, text: str) -> bool:
        """Say whether `text` repeats sixteen bytes of a text, or all of a shorter one.

        It may stand as it is or in JSON's form. Upper and lower case, and white space of any kind, count as the same.
        JSON's form has a backslash wherever it is another one, so it is looked for where `text` has one.
        """
        found = _even(text).strip()
        quotation = _Quotation(found)
        if self._as_it_is is None:
            self._as_it_is = [list(_slices(source, str)) for source in self._texts]
        if any(map(quotation.repeats, self._as_it_is)):
            return True
        if b"\\" not in found:
            return False
        if self._in_json is None:
            self._in_json = [list(_slices(source, _in_json)) for source in self._texts]
        return any(map(quotation.repeats, self._in_json))


def quotes(text: str, sources: Iterable[str]) -> bool:
    """Say whether `text` repeats one of `sources`, as `Words.are_quoted` does."""
    return Words(sources).are_quoted(text)


def _slices(source: str, form: Callable[[str], str]) -> Iterator[bytes]:
    """Yield `source` in slices, each made even.

    Each begins with the end of the last, so that no window falls between two.
    """
    before = b""
    for at in range(0, len(source), _SLICE):
        here = _even(form(source[at : at + _SLICE]))
        if at == 0 or before.endswith(b" "):
            here = here.lstrip()
        piece = before + here
        yield piece.rstrip() if at + _SLICE >= len(source) else piece
        before = piece[1 - _QUOTED_BYTES :]


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _even(text: str) -> bytes:
    """Return `text` in lower case, with one blank for each run of white space."""
    even = _folded(text).translate(_FOLDED)
    while b"  " in even:
        even = even.replace(b"  ", b" ")
    return even


def _folded(text: str) -> bytes:
    """Return `text` with other letters than ASCII in lower case, and white space as blanks."""
    data = text.encode("utf-8", "replace")
    if text.isascii():
        return data
    foreign = data.translate(None, _ASCII)
    if len(foreign) * 3 < len(data):
        others = foreign.decode()
        if others.casefold() == others and others.split() == [others]:
            return data  # such as typographic quotation marks: there is nothing to change
        changed = {char: plain for char in set(others) if (plain := _plain(char)) != char}
        if len(changed) <= _FEW:
            for char, plain in changed.items():
                data = data.replace(char.encode(), plain.encode())
            return data
    folded = text.casefold()
    for blank in _WIDE_BLANKS:
        folded = folded.replace(blank, " ")
    return folded.encode("utf-8", "replace")


def _plain(char: str) -> str:
    return " " if char.isspace() else char.casefold()


class _Quotation:
    """A short text that may repeat pieces of very long ones."""

    __slots__ = ("_blocks", "_found", "_windows")

    def __init__(self, found: bytes) -> None:
        self._found = found
        self._windows = frozenset(found[at : at + _QUOTED_BYTES] for at in range(len(found) - _QUOTED_BYTES + 1))
        blocks = b"".join(found[at : at + _BLOCK] for at in range(len(found) - _BLOCK + 1))
        self._blocks = frozenset(memoryview(blocks).cast("Q"))

    def repeats(self, slices: Sequence[bytes]) -> bool:
        """Say whether the text has a piece of `slices`, or all of them if they are short."""
        if max(map(len, slices), default=0) < _QUOTED_BYTES:
            return bool(slices) and self._has_word(slices[-1])
        return any(map(self._shares, slices))

    def _has_word(self, word: bytes) -> bool:
        return bool(word) and re.search(rb"(?<!\w)" + re.escape(word) + rb"(?!\w)", self._found) is not None

    def _shares(self, piece: bytes) -> bool:
        """Say whether `piece` has one of the windows.

        They are looked for only around blocks that both have.
        """
        if not self._windows:
            return False
        blocks = memoryview(piece)[: len(piece) // _BLOCK * _BLOCK].cast("Q")
        if self._blocks.isdisjoint(blocks):
            return False
        shared = [at * _BLOCK for at, block in enumerate(blocks) if block in self._blocks]
        around = {piece[max(0, at - _BLOCK) : at + _QUOTED_BYTES] for at in shared}
        return any(text[at : at + _QUOTED_BYTES] in self._windows for text in around for at in range(_BLOCK + 1))
