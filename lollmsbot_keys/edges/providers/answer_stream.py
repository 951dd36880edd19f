"""The reader of one answer: it passes on the text, redacted, keeps the figures and notices the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from enum import Enum, auto
from time import monotonic
from typing import assert_never

from lollmsbot_keys.core.model.outcome import Ending, Usage
from lollmsbot_keys.edges.http import Exchange, Response, Stalled, WireError
from lollmsbot_keys.edges.http.event_stream import (
    END,
    End,
    Event,
    EventReader,
    Frame,
    MalformedStream,
    alone,
    frame_of,
    parse_bytes,
)
from lollmsbot_keys.edges.providers.dialects import Dialect, Piece, piece_of
from lollmsbot_keys.edges.secrets.scrubber import StreamScrubber

MOST_TEXT_CHARACTERS = 64 * 1024 * 1024
_MOST_BYTES = 64 * 1024 * 1024
_MOST_BLANKS = 64 * 1024
_LAST_WORDS_S = 0.05
"""The time for figures to follow an error: it is short, because another key is about to be tried."""


class Stage(Enum):
    """The progress of an answer.

    From `FINISHED` on it is whole; only its figures may follow.
    """

    OPEN = auto()
    FINISHED = auto()
    ENDED = auto()
    FAILED = auto()


class Reading:
    """The state of one answer.

    `started` is true once `on_text` has been given text; `begun` once the model has produced anything, thoughts too.
    `words` counts the events that brought something of the answer, or its end.
    """

    def __init__(
        self, dialect: Dialect, scrubber: StreamScrubber, on_text: Callable[[str], None], *, local: bool
    ) -> None:
        self.stage = Stage.OPEN
        self.started = False
        self.begun = False
        self.words = 0
        self.error: object = None
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.id: str | None = None
        self._amid = False
        self._dialect = dialect
        self._local = local
        self._scrubber = scrubber
        self._on_text = on_text
        self._characters = 0

    @property
    def whole(self) -> bool:
        return self.stage is Stage.FINISHED or self.stage is Stage.ENDED

    @property
    def empty(self) -> bool:
        """Whether the answer ended well but said, thought and counted nothing, for no known reason."""
        said = self.begun or (self.usage is not None and self.usage.completion_tokens > 0)
        return self.whole and not said and Ending.of(self.finish_reason) not in {Ending.CAP, Ending.FILTER}

    @property
    def interim(self) -> bool:
        """Whether `usage` was told in the middle of the answer, so that later tokens are in no figure."""
        if self.usage is None or self.stage is Stage.ENDED:
            return False
        return self._amid or self.stage is Stage.OPEN

    def take(self, event: Event | End) -> None:
        """Add one event of a stream.

        After an error only the figures count.

        Raises:
            MalformedStream: there is more text than any answer has.
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
            MalformedStream: it is no answer.
        """
        piece = piece_of(self._dialect, document, local=self._local)
        if piece.error is None and not piece.whole:
            raise MalformedStream("no answer in it")
        self._add(piece)
        if self.stage is Stage.OPEN:
            self.stage = Stage.FINISHED
        self._end()

    def _add(self, piece: Piece) -> None:
        if piece.usage is not None:
            self.usage = piece.usage if self.usage is None else self.usage.then(piece.usage)
            self._amid = self.stage is Stage.OPEN and piece.partial and piece.error is None
        self.id = self.id or piece.id
        self.begun = self.begun or piece.begun
        self.words += piece.begun or piece.finish is not None
        if piece.error is not None or self.stage is Stage.FAILED:
            # What is whole stays whole: a late complaint cannot take an answer back.
            if self.stage is Stage.OPEN:
                self.stage, self.error = Stage.FAILED, piece.error
            return
        self._characters += len(piece.text)
        if self._characters > MOST_TEXT_CHARACTERS:
            raise MalformedStream("an answer without an end")
        self._pass(self._scrubber.feed(piece.text))
        if piece.finish is not None:
            self.finish_reason = piece.finish
            self.stage = Stage.FINISHED

    def _end(self) -> None:
        if self.stage is not Stage.FAILED:
            self.stage = Stage.ENDED

    def close(self) -> None:
        """Pass on the text that was held back, if the answer is whole or a part was shown."""
        if self.whole or self.started:
            self._pass(self._scrubber.flush())

    def _pass(self, text: str) -> None:
        if text:
            self.started = True
            self._on_text(text)


class _Patience:
    """The time that an answer may go on without a word.

    Comments and blanks keep a connection open, and could do so for ever.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._wordless_s, self._silence_s = exchange.wordless_s, exchange.silence.total_seconds()
        self._words = 0
        self._until = monotonic() + self._wordless_s

    def check(self, words: int = 0, *, finished: bool = False) -> None:
        """Check that words still come; `words` is their number by now.

        After the finish only figures can follow, and the time is shorter.

        Raises:
            Stalled: for too long there has been none.
        """
        now = monotonic()
        if words != self._words:
            self._words, self._until = words, now + (self._silence_s if finished else self._wordless_s)
        elif now > self._until:
            raise Stalled("nothing but signs of life")


async def read_answer(response: Response, reading: Reading, *, streamed: bool) -> Frame:
    """Feed `reading` until its answer ends, or the bytes do.

    A page is left unread.

    Raises:
        MalformedStream: what came makes no sense.
        Silent, Broken: as these classes say.
    """
    patience = _Patience(response.exchange)
    first = await _first_bytes(response, patience)
    frame = frame_of(response.headers.get("content-type", ""), first, streamed=streamed)
    match frame:
        case Frame.PAGE:
            pass
        case Frame.DOCUMENT:
            await _read_document(first, response, reading, patience)
        case Frame.LINES:
            await _read_lines(first, response, reading, patience)
        case _:
            assert_never(frame)
    return frame


async def _first_bytes(chunks: AsyncIterator[bytes], patience: _Patience) -> bytes:
    """Read the body up to its first byte that is not white space."""
    first = b""
    async for chunk in chunks:
        patience.check()
        first += chunk
        if first.strip():
            break
        if len(first) > _MOST_BLANKS:
            raise MalformedStream("nothing but blanks")
    return first


async def _read_document(first: bytes, chunks: AsyncIterator[bytes], reading: Reading, patience: _Patience) -> None:
    """Read a whole answer in one JSON document; or, under the wrong Content-Type, one object a line."""
    body = bytearray(first)
    async for chunk in chunks:
        patience.check()
        body += chunk
        if len(body) > _MOST_BYTES:
            raise MalformedStream("an answer without an end")
    try:
        document = alone(parse_bytes(bytes(body)))
    except MalformedStream:
        reader = EventReader()
        events = [*reader.feed(bytes(body)), *reader.close()]
        if not events:
            raise
        for event in events:
            if reading.stage is not Stage.ENDED:
                reading.take(event)
        return
    if not isinstance(document, dict):
        raise MalformedStream("an answer that is no object")
    reading.take_whole(document)


async def _read_lines(first: bytes, chunks: AsyncIterator[bytes], reading: Reading, patience: _Patience) -> None:
    reader = EventReader()
    events = reader.feed(first)
    while True:
        for event in events:
            reading.take(event)
            if reading.stage is Stage.ENDED:
                return
            if reading.stage is Stage.FAILED:
                await _read_last_words(reader, events, chunks, reading)
                return
        patience.check(reading.words, finished=reading.whole)
        chunk = await anext(chunks, None)
        if chunk is None:
            break
        events = reader.feed(chunk)
    for event in reader.close():
        if reading.stage is not Stage.ENDED:
            reading.take(event)


async def _read_last_words(
    reader: EventReader, events: Iterator[Event | End], chunks: AsyncIterator[bytes], reading: Reading
) -> None:
    """Read what else came with an error, and what follows at once.

    Faults in it are ignored.
    """
    with suppress(MalformedStream, WireError, TimeoutError):
        async with asyncio.timeout(_LAST_WORDS_S):
            while True:
                for event in events:
                    if event is END:
                        return
                    reading.take(event)
                chunk = await anext(chunks, None)
                if chunk is None:
                    return
                events = reader.feed(chunk)
