"""One HTTP request, its response, and the ways in which they fail, for every kind of connection."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Self

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.edges.http.decompression import Damaged, Unpacker, unpackers

LONGEST_CONNECT = timedelta(seconds=10)
_REFUSED = re.compile(r"\[Errno (\d+)\] Connect call failed \([^)]*\)")
_NUMBER = re.compile(r"^\[Errno -?\d+\] ")
_DRAIN_S = 0.05
_DRAIN_BYTES = 64 * 1024
_SILENCES_WITHOUT_A_WORD = 30
"""The limit for signs of life alone, as a number of silences: with the usual two minutes an hour, as long as a hold."""


class WireError(Exception):
    """A failure of the network.

    Its kinds never leave the folders `http` and `providers`: an `Outcome` says the same.
    """


class Unsent(WireError):
    """A request of which not a byte left: refused, unresolved, no TLS, or no proxy."""


class Silent(WireError):
    """A request that was sent and got no byte for as long as we were ready to wait."""


class Stalled(Silent):
    """A request that was sent and for many times that wait got nothing but signs of life."""


class Broken(WireError):
    """A request that was sent, at least in part, before the connection failed."""


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
        """The seconds that a connection may take, TLS included."""
        return min(self.silence, LONGEST_CONNECT).total_seconds()

    @property
    def wordless_s(self) -> float:
        """The seconds for which signs of life alone are accepted."""
        return _SILENCES_WITHOUT_A_WORD * self.silence.total_seconds()


class Response:
    """The reply to `exchange`: status, headers (names in lower case), and the body.

    Iterate over it as often and as far as you like to read the body.
    """

    def __init__(
        self, exchange: Exchange, status: int, headers: Iterable[tuple[bytes, bytes]], chunks: AsyncIterator[bytes]
    ) -> None:
        self.exchange = exchange
        self.status = status
        self.headers = _by_name(headers)
        # Nothing packed was asked for; some send it all the same.
        for unpacker in unpackers(self.headers.get("content-encoding", "")):
            chunks = _unpacked(chunks, unpacker)
        self._chunks = chunks

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._chunks)

    async def read(self, most_bytes: int) -> bytes:
        """Read the body, at most its first `most_bytes`.

        Where the time ends or the connection fails before that, return what has come.
        """
        body = bytearray()
        with suppress(Silent, Broken, TimeoutError):
            async with asyncio.timeout(self.exchange.wordless_s):
                async for chunk in self:
                    body += chunk
                    if len(body) > most_bytes:
                        break
        return bytes(body[:most_bytes])

    async def drain(self) -> None:
        """Read what follows the end of an answer, if it is there already.

        Then the connection can be used again.
        """
        seen = 0
        with suppress(WireError, TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                async for chunk in self:
                    seen += len(chunk)
                    if seen > _DRAIN_BYTES:
                        return


def _by_name(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Return the headers by name in lower case.

    The values of a name that came more than once become a list.
    """
    found: dict[str, str] = {}
    for raw, value in headers:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


async def _unpacked(chunks: AsyncIterator[bytes], unpacker: Unpacker) -> AsyncIterator[bytes]:
    """Yield the body without one content coding.

    Raises:
        Broken: it is damaged.
    """
    async for chunk in chunks:
        try:
            for piece in filter(None, unpacker.feed(chunk)):
                yield piece
        except Damaged:
            raise Broken("the body cannot be unpacked") from None


def words_of(error: Exception) -> str:
    """Return what went wrong, in the words of the system.

    The number and the address that Python adds are left out.
    """
    text = _REFUSED.sub(lambda found: os.strerror(int(found[1])), str(error).strip())
    return _NUMBER.sub("", text) or type(error).__name__
