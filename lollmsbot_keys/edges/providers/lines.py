"""A byte stream as JSON events: server-sent events, one object a line, or one document.

Knows no provider. Everything is bounded, because the other side may be broken or hostile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum, auto
from typing import Final, NoReturn

LONGEST_LINE_BYTES = 4 * 1024 * 1024
_MOST_DATA_LINES = 64
_LINE_END = re.compile(rb"\r\n|\n|\r(?=[^\n])")
_BOM = b"\xef\xbb\xbf"

Event = dict[str, object]


class Malformed(Exception):
    """What came makes no sense."""


class Frame(Enum):
    """How a body is divided."""

    LINES = auto()
    DOCUMENT = auto()
    PAGE = auto()


class End(Enum):
    """What `data: [DONE]` says."""

    END = auto()


END: Final = End.END


def frame_of(content_type: str, first: bytes, *, streamed: bool) -> Frame:
    """How a body reads, by its Content-Type; where that says nothing, by its first bytes and by what was asked for."""
    kind = content_type.partition(";")[0].strip().casefold()
    start = first.removeprefix(_BOM).lstrip()
    if kind in {"text/html", "application/xhtml+xml"} or start.startswith(b"<"):
        return Frame.PAGE
    if kind in {"text/event-stream", "application/x-ndjson", "application/jsonl"}:
        return Frame.LINES
    if kind == "application/json":
        return Frame.LINES if start.startswith((b"data:", b":")) else Frame.DOCUMENT
    return Frame.LINES if streamed or not start.startswith(b"{") else Frame.DOCUMENT


def parse(text: str, *, strict: bool = False) -> object:
    """One JSON value; fractions as `Decimal`, never NaN or infinity. `strict`: no name twice in an object.

    Raises:
        Malformed: it is none.
    """
    try:
        return (_STRICT_JSON if strict else _JSON).decode(text)
    except (ValueError, ArithmeticError, RecursionError):
        raise Malformed("not JSON") from None


def parse_bytes(body: bytes, *, strict: bool = False) -> object:
    """`parse` for bytes; what is not UTF-8 in them becomes U+FFFD."""
    return parse(body.removeprefix(_BOM).decode("utf-8", "replace"), strict=strict)


class EventReader:
    """Turns chunks into events. A line counts when it is whole, so that no split hurts a character or a number."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._data: list[str] = []
        self._name = ""

    def feed(self, chunk: bytes) -> Iterator[Event | End]:
        """The events that are complete after `chunk`.

        Raises:
            Malformed: a line is too long, or holds something other than an object.
        """
        # A carriage return at the very end may be half of a line end: with the next chunk it is looked at again.
        ends_here = b"\n" in chunk or b"\r" in chunk or self._held.endswith(b"\r")
        self._held += chunk
        if ends_here:
            *lines, rest = _LINE_END.split(self._held) if b"\r" in self._held else self._held.split(b"\n")
            self._held = bytearray(rest)
            for line in lines:
                event = self._line(line)
                if event is not None:
                    yield event
        if len(self._held) > LONGEST_LINE_BYTES:
            raise Malformed("a line without an end")

    def close(self) -> Iterator[Event | End]:
        """What the last line without a line end holds.

        Raises:
            Malformed: that line, or an event begun before it, is not whole.
        """
        event = self._line(self._held)
        self._held = bytearray()
        if event is not None:
            yield event
        if self._data:
            raise Malformed("half an event")

    def _line(self, raw: bytes | bytearray) -> Event | End | None:
        line = raw.removeprefix(_BOM).decode("utf-8", "replace").strip()
        if line.startswith("data:"):
            return self._value(line[5:].strip())
        if not line:
            if self._data:
                raise Malformed("an event that is not JSON")
            self._name = ""
        elif line.startswith("{"):
            return self._value(line)
        elif line.startswith("event:"):
            self._name = line.removeprefix("event:").strip()
        elif not line.startswith((":", "id:", "retry:")):
            raise Malformed("a line that is no event")
        return None

    def _value(self, text: str) -> Event | End | None:
        if text == "[DONE]":
            return END
        # An event may have several data lines. Most senders use one: it is whole as soon as it reads as JSON.
        self._data.append(text)
        if len(self._data) > _MOST_DATA_LINES or sum(map(len, self._data)) > LONGEST_LINE_BYTES:
            raise Malformed("an event without an end")
        try:
            value = parse("\n".join(self._data))
        except Malformed:
            return None
        self._data.clear()
        if not isinstance(value, dict):
            raise Malformed("an event that is no object")
        return {"error": value} if self._name == "error" and "error" not in value else value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _each_once(pairs: list[tuple[str, object]]) -> Event:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


_JSON = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)
"""Made once: a stream has an event for every word or so."""
_STRICT_JSON = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_each_once)
