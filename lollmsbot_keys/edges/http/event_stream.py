"""A byte stream as JSON events: server-sent events, one object a line, or one document.

Events are read as the HTML standard says (9.2.6, "Interpreting an event stream"): names it does not know are skipped.
This module knows no provider. Everything is bounded, because the other side may be broken or hostile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from enum import Enum, auto
from typing import Final, NoReturn

LONGEST_LINE_BYTES = 4 * 1024 * 1024
"""The limit for a line, and for the data of one event."""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_NO_PAGE = b"{", b"[", b":", b"data:", b"event:", b"id:", b"retry:"
_DEFAULT_NAMES = frozenset({"", "message"})
_DONE = "[DONE]"
_BOM = b"\xef\xbb\xbf"

Event = dict[str, object]


class MalformedStream(Exception):
    """A body that makes no sense."""


class Frame(Enum):
    """The way a body is divided."""

    LINES = auto()
    DOCUMENT = auto()
    PAGE = auto()


class End(Enum):
    """The event of `data: [DONE]`."""

    END = auto()


END: Final = End.END


def frame_of(content_type: str, first: bytes, *, streamed: bool) -> Frame:
    """Return how a body is divided.

    Its Content-Type decides; where that says nothing, its first bytes and what was asked for.
    """
    kind = content_type.partition(";")[0].strip().casefold()
    start = first.removeprefix(_BOM).lstrip()
    # Some who answer events forget to say so, and their server calls everything a page.
    if start.startswith(b"<") or (kind in _PAGES and not start.startswith(_NO_PAGE)):
        return Frame.PAGE
    if kind in {"text/event-stream", "application/x-ndjson", "application/jsonl"}:
        return Frame.LINES
    if kind == "application/json":
        return Frame.DOCUMENT if start.startswith((b"{", b"[")) else Frame.LINES
    return Frame.LINES if streamed or not start.startswith(b"{") else Frame.DOCUMENT


def parse(text: str, *, strict: bool = False) -> object:
    """Parse one JSON value; fractions become `Decimal`, NaN and infinity are refused.

    `strict` refuses an object that has a name twice.

    Raises:
        MalformedStream: it is no JSON.
    """
    try:
        return (_STRICT_JSON if strict else _JSON).decode(text)
    except (ValueError, ArithmeticError, RecursionError):
        raise MalformedStream("not JSON") from None


def parse_bytes(body: bytes, *, strict: bool = False) -> object:
    """Parse bytes as `parse` does; what is not UTF-8 in them becomes U+FFFD."""
    return parse(body.removeprefix(_BOM).decode("utf-8", "replace"), strict=strict)


def alone(value: object) -> object:
    """Return `value`; for a list of one error, that error."""
    only = value[0] if isinstance(value, list) and len(value) == 1 else None
    return only if isinstance(only, dict) and only.get("error") else value


class EventReader:
    """A reader that turns chunks into events.

    A line is read when it is whole, so that no chunk ends inside a character or a number. An event ends at its empty
    line. Some senders leave these out and put each event on one line: there the next event ends the one before.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._after_return = False
        self._mark = _BOM
        self._data: list[str] = []
        self._length = 0
        self._name = ""
        self._lines = self._strange = 0

    def feed(self, chunk: bytes) -> Iterator[Event | End]:
        """Yield the events that are complete after `chunk`.

        Raises:
            MalformedStream: a line or an event is too long, or an event of the usual name holds no object.
        """
        if not chunk:
            return
        ends_here = b"\n" in chunk or b"\r" in chunk
        self._held += chunk[1:] if self._after_return and chunk.startswith(b"\n") else chunk
        self._after_return = chunk.endswith(b"\r")
        if ends_here:
            *lines, rest = _LINE_END.split(self._held) if b"\r" in self._held else self._held.split(b"\n")
            self._held = bytearray(rest)
            for line in lines:
                yield from self._line(line)
        if len(self._held) > LONGEST_LINE_BYTES:
            raise MalformedStream("a line without an end")

    def close(self) -> Iterator[Event | End]:
        """Yield the events that the end of the stream completes.

        An event that the end breaks off is dropped.

        Raises:
            MalformedStream: no line of the whole stream belongs to an event.
        """
        with suppress(MalformedStream):
            yield from self._line(self._held)
            yield from self._dispatch()
        if 0 < self._lines == self._strange:
            raise MalformedStream("a text that is no stream of events")

    def _line(self, raw: bytes | bytearray) -> Iterator[Event | End]:
        line, self._mark = raw.removeprefix(self._mark).decode("utf-8", "replace"), b""
        self._lines += bool(line)
        if not line:
            yield from self._dispatch()
        elif (stripped := line.strip()).startswith("{"):
            yield from self._event("", stripped)
        else:
            name, _, value = line.partition(":")
            yield from self._field(name, value.strip())

    def _field(self, name: str, value: str) -> Iterator[Event | End]:
        match name:
            case "data":
                yield from self._add(value)
            case "event":
                self._name = value
            case "" | "id" | "retry":
                pass
            case _:
                self._strange += 1

    def _add(self, value: str) -> Iterator[Event | End]:
        """Add one more line of data, and yield the events that it completes.

        An empty one is only sent to keep the connection open, and means nothing in JSON.
        """
        if not value:
            return
        if len(self._data) == 1 and value.startswith(("{", _DONE)) and _is_object(self._data[0]):
            yield from self._dispatch()
        if value == _DONE and not self._data:
            yield END
            return
        self._data.append(value)
        self._length += len(value) + 1
        if self._length > LONGEST_LINE_BYTES:
            raise MalformedStream("an event without an end")

    def _dispatch(self) -> Iterator[Event | End]:
        name, data = self._name, "\n".join(self._data)
        self._data, self._length, self._name = [], 0, ""
        if data or name.casefold() == "error":
            yield from self._event(name, data)

    @staticmethod
    def _event(name: str, data: str) -> Iterator[Event]:
        """Yield the event if it belongs to the answer: events of other names may hold anything."""
        try:
            value = alone(parse(data))
        except MalformedStream:
            value = data
        if name.casefold() == "error":
            yield value if isinstance(value, dict) and value.get("error") else {"error": value or "no words"}
        elif isinstance(value, dict) and (name in _DEFAULT_NAMES or "choices" in value):
            yield value
        elif value and name in _DEFAULT_NAMES:
            raise MalformedStream("an event that is no JSON object")


def error_in(body: bytes) -> Event:
    """Return the error that a stream of events tells.

    Raises:
        MalformedStream: it tells none, or is no stream of events.
    """
    reader = EventReader()
    for event in (*reader.feed(body), *reader.close()):
        if event is not END and event.get("error"):
            return event
    raise MalformedStream("no error in it")


def _is_object(text: str) -> bool:
    try:
        return isinstance(parse(text), dict)
    except MalformedStream:
        return False


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _each_once(pairs: list[tuple[str, object]]) -> Event:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


_JSON = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)
"""A decoder made only once: a stream has an event for nearly every word."""
_STRICT_JSON = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_each_once)
