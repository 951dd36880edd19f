"""One answer as it grows: text passed on as it comes, redacted; figures kept; the end noticed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from enum import Enum, auto
from typing import assert_never

from lollmsbot_keys.core.report import Usage
from lollmsbot_keys.edges.providers.dialects import Dialect, Piece, piece_of
from lollmsbot_keys.edges.providers.lines import END, End, Event, EventReader, Frame, Malformed, frame_of, parse_bytes
from lollmsbot_keys.edges.secrets.scrubber import StreamScrubber

MOST_TEXT_CHARACTERS = 64 * 1024 * 1024
_MOST_BYTES = 64 * 1024 * 1024
_MOST_BLANKS = 64 * 1024


class Stage(Enum):
    """How far an answer has come. From `FINISHED` on it is whole; what may follow are its figures."""

    OPEN = auto()
    FINISHED = auto()
    ENDED = auto()
    FAILED = auto()


class Reading:
    """The state of one answer.

    `started` is true once `on_text` has been given text; `begun` once the model has produced anything, thoughts too.
    """

    def __init__(
        self, dialect: Dialect, scrubber: StreamScrubber, on_text: Callable[[str], None], *, local: bool
    ) -> None:
        self.stage = Stage.OPEN
        self.started = False
        self.begun = False
        self.error: object = None
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.id: str | None = None
        self._dialect = dialect
        self._local = local
        self._scrubber = scrubber
        self._on_text = on_text
        self._characters = 0

    @property
    def whole(self) -> bool:
        return self.stage is Stage.FINISHED or self.stage is Stage.ENDED

    def take(self, event: Event | End) -> None:
        """Add one event of a stream.

        Raises:
            Malformed: there is more text than any answer has, or an end without an answer.
        """
        if event is END:
            self._end()
            return
        self._add(piece_of(self._dialect, event, local=self._local))
        if self._dialect is Dialect.NATIVE and self.stage is Stage.FINISHED:
            self._end()

    def take_whole(self, document: Event) -> None:
        """Add an answer that came in one piece.

        Raises:
            Malformed: it is none.
        """
        piece = piece_of(self._dialect, document, local=self._local)
        if piece.error is None and not piece.whole:
            raise Malformed("no answer in it")
        self._add(piece._replace(begun=piece.whole))
        self._end()

    @property
    def over(self) -> bool:
        return self.stage is Stage.ENDED or self.stage is Stage.FAILED

    def _add(self, piece: Piece) -> None:
        self.usage = piece.usage or self.usage
        self.id = self.id or piece.id
        if piece.error is not None:
            # What is whole stays whole: a late complaint cannot take an answer back.
            if not self.whole:
                self.stage, self.error = Stage.FAILED, piece.error
            return
        self.begun = self.begun or piece.begun
        self._characters += len(piece.text)
        if self._characters > MOST_TEXT_CHARACTERS:
            raise Malformed("an answer without an end")
        self._pass(self._scrubber.feed(piece.text))
        if piece.finish is not None:
            self.finish_reason = piece.finish
            self.stage = Stage.FINISHED

    def _end(self) -> None:
        if self.stage is Stage.OPEN and not self.begun:
            raise Malformed("an end without an answer")
        if self.stage is not Stage.FAILED:
            self.stage = Stage.ENDED

    def close(self) -> None:
        """Pass on what was held back: all of it goes with a whole answer, or with one that people see already."""
        if self.whole or self.started:
            self._pass(self._scrubber.flush())

    def _pass(self, text: str) -> None:
        if text:
            self.started = True
            self._on_text(text)


async def read_answer(chunks: AsyncIterator[bytes], content_type: str, reading: Reading, *, streamed: bool) -> Frame:
    """Feed `reading` until its answer is over, or the bytes are. A page is left unread.

    Raises:
        Malformed: what came makes no sense.
    """
    first = await _first_bytes(chunks)
    frame = frame_of(content_type, first, streamed=streamed)
    match frame:
        case Frame.PAGE:
            pass
        case Frame.DOCUMENT:
            await _read_document(first, chunks, reading)
        case Frame.LINES:
            await _read_lines(first, chunks, reading)
        case _:
            assert_never(frame)
    return frame


async def _first_bytes(chunks: AsyncIterator[bytes]) -> bytes:
    """The body up to its first byte that is not white space."""
    first = b""
    async for chunk in chunks:
        first += chunk
        if first.strip():
            break
        if len(first) > _MOST_BLANKS:
            raise Malformed("nothing but blanks")
    return first


async def _read_document(first: bytes, chunks: AsyncIterator[bytes], reading: Reading) -> None:
    """A whole answer in one JSON document; or, under the wrong name, one object a line."""
    body = bytearray(first)
    async for chunk in chunks:
        body += chunk
        if len(body) > _MOST_BYTES:
            raise Malformed("an answer without an end")
    try:
        document = parse_bytes(bytes(body))
    except Malformed:
        reader = EventReader()
        for event in (*reader.feed(bytes(body)), *reader.close()):
            if not reading.over:
                reading.take(event)
        return
    if not isinstance(document, dict):
        raise Malformed("an answer that is no object")
    reading.take_whole(document)


async def _read_lines(first: bytes, chunks: AsyncIterator[bytes], reading: Reading) -> None:
    reader = EventReader()
    events = reader.feed(first)
    while True:
        for event in events:
            reading.take(event)
            if reading.over:
                return
        chunk = await anext(chunks, None)
        if chunk is None:
            break
        events = reader.feed(chunk)
    for event in reader.close():
        if not reading.over:
            reading.take(event)
