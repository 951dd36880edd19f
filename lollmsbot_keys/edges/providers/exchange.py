"""One HTTP request and its response, whoever carries them; and the three ways in which that fails."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Self

from lollmsbot_keys.core.noun import NamedTuple

LONGEST_CONNECT = timedelta(seconds=10)
_DRAIN_S = 0.05
_DRAIN_BYTES = 64 * 1024
_PIECE_BYTES = 64 * 1024
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class WireError(Exception):
    """What the network did. These three never leave this folder: an `Outcome` says the same."""


class Unsent(WireError):
    """Refused, unresolved, no TLS, no proxy: not a byte of the request left."""


class Silent(WireError):
    """Sent, then nothing came for as long as we were ready to wait."""


class Broken(WireError):
    """Sent (at least in part), then the connection failed."""


class Exchange(NamedTuple):
    """One HTTP request.

    `host` (`name:port`) stands for the address in `url` in the Host header and in TLS. `direct` forbids proxies.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    silence: timedelta
    direct: bool = False
    host: str = ""

    @property
    def server_name(self) -> str:
        """The name that the certificate must be for; "" is the host of `url`."""
        return self.host.rpartition(":")[0].strip("[]")

    @property
    def connect_s(self) -> float:
        """How many seconds a connection may take, TLS included."""
        return min(self.silence, LONGEST_CONNECT).total_seconds()


class Response:
    """Status, headers (names in lower case) and the body: iterate over it, as often and as far as you like."""

    def __init__(self, status: int, headers: Iterable[tuple[bytes, bytes]], chunks: AsyncIterator[bytes]) -> None:
        self.status = status
        self.headers = _by_name(headers)
        # Nothing packed was asked for; some send it all the same.
        packed = self.headers.get("content-encoding", "").strip().casefold() in {"gzip", "x-gzip", "deflate"}
        self._chunks = _unpacked(chunks) if packed else chunks

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._chunks)

    async def read(self, most_bytes: int) -> bytes:
        """The body, or as much of it as comes within `most_bytes` and before the connection fails."""
        body = bytearray()
        with suppress(Silent, Broken):
            async for chunk in self:
                body += chunk
                if len(body) > most_bytes:
                    break
        return bytes(body[:most_bytes])

    async def drain(self) -> None:
        """Read what follows the end of an answer, if it is there already: then the connection can be used again."""
        seen = 0
        with suppress(WireError, TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                async for chunk in self:
                    seen += len(chunk)
                    if seen > _DRAIN_BYTES:
                        return


def _by_name(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """The values of a header that came more than once are a list."""
    found: dict[str, str] = {}
    for raw, value in headers:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


async def _unpacked(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body behind `gzip` or `deflate`, in small pieces: a few packed bytes may be gigabytes.

    Raises:
        Broken: it is damaged.
    """
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    async for chunk in chunks:
        for piece in _pieces(unpacker, chunk):
            yield piece


def _pieces(unpacker: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    while packed:
        try:
            piece = unpacker.decompress(packed, _PIECE_BYTES)
        except zlib.error:
            raise Broken("the body cannot be unpacked") from None
        if piece:
            yield piece
        packed = unpacker.unconsumed_tail
