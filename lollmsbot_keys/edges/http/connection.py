"""One HTTP/1.1 connection, straight to the server.

asyncio moves the bytes, h11 says what they mean. A client of httpx looks at all its connections for each request, and
wraps every step several times. The difficult part of its work, without a proxy, is done by h11, which it uses as well.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from functools import lru_cache
from time import monotonic
from typing import Self, cast

import h11

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.security.trusted_hosts import address
from lollmsbot_keys.edges.http.exchange import Broken, Exchange, Response, Silent, Stalled, Unsent, words_of
from lollmsbot_keys.edges.http.happy_eyeballs import reach

LONGEST_HEAD_BYTES = 64 * 1024
_MOST_WAITING_BYTES = 256 * 1024
_KEEP_ALIVE_S = 15.0
_PORTS = {"http": 80, "https": 443}

_Event = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]


class HttpTarget(NamedTuple):
    """The destination of a request: the server, its name for the Host header, and the path with the query."""

    tls: bool
    host: str
    port: int
    name: str
    target: str

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, url: str) -> HttpTarget | None:
        """Return the target of an http(s) URL; `None` if `core.security.trusted_hosts` does not understand it."""
        base, mark, query = url.partition("?")  # it says nothing of the host
        found = address(base)
        if found is None or not (query.isascii() and query.isprintable()) or " " in query:
            return None
        scheme, host, port = found
        literal = f"[{host}]" if ":" in host else host
        name = literal if port == _PORTS[scheme] else f"{literal}:{port}"
        path = base.partition("://")[2].partition("/")[2]
        return cls(scheme == "https", host, port, name, f"/{path}{mark}{query}")


class Line(asyncio.Protocol):
    """The two directions of one connection.

    Bytes that came and were not read yet wait here, up to a limit.
    """

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._congested = False
        self._over = False
        self._error: Exception | None = None
        self._alarm: asyncio.Future[None] | None = None
        self._gone = asyncio.get_running_loop().create_future()

    # --- asyncio tells ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _MOST_WAITING_BYTES:
            self._transport.pause_reading()
        self._ring()

    def eof_received(self) -> None:
        self._over = True
        self._ring()

    def connection_lost(self, error: Exception | None) -> None:
        self._over, self._error = True, error
        if not self._gone.done():
            self._gone.set_result(None)
        self._ring()

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False
        self._ring()

    def _ring(self) -> None:
        if self._alarm is not None and not self._alarm.done():
            self._alarm.set_result(None)

    # --- for the connection ---

    @property
    def quiet(self) -> bool:
        """Whether the connection is open and nothing waits to be read."""
        return not self._over and not self._waiting

    def has_news(self) -> bool:
        """Say whether bytes, or the end, came that asyncio has not seen yet."""
        descriptor = self._transport.get_extra_info("socket").fileno()
        if not hasattr(select, "poll"):  # Windows
            return bool(select.select([descriptor], [], [], 0)[0])
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))

    async def write(self, data: bytes, silence_s: float) -> None:
        """Send `data`; stop waiting as soon as the other side answers or hangs up.

        Raises:
            Silent: it did not leave in time.
        """
        self._transport.write(data)
        while self._congested and self.quiet:
            await self._news(silence_s)

    async def read(self, silence_s: float) -> bytes:
        """Return the bytes that came; none at the end.

        Raises:
            Silent: nothing came in time.
            Broken: the connection failed.
        """
        while self.quiet:
            await self._news(silence_s)
        if not self._waiting and self._error is not None:
            raise Broken(words_of(self._error))
        data = b"".join(self._waiting)
        self._waiting.clear()
        if self._waiting_bytes > _MOST_WAITING_BYTES:
            self._transport.resume_reading()
        self._waiting_bytes = 0
        return data

    async def _news(self, silence_s: float) -> None:
        self._alarm = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(silence_s):
                await self._alarm
        except TimeoutError:
            raise Silent("no bytes in time") from None
        finally:
            self._alarm = None

    def abort(self) -> None:
        """Close at once, without sending what still waits."""
        self._transport.abort()

    async def gone(self) -> None:
        """Wait until asyncio has closed the connection."""
        await asyncio.shield(self._gone)


class Connection:
    """One connection, for one exchange after the other.

    Iterate over it to read the body of the present exchange.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_HEAD_BYTES)
        self._silence_s = 0.0
        self._rests_since = 0.0
        self._broken: Broken | None = None

    @classmethod
    async def open(cls, place: HttpTarget, tls: ssl.SSLContext | None, exchange: Exchange) -> Self:
        """Connect to the server, and with `tls` check its certificate.

        Raises:
            Unsent: that did not work.
        """
        loop = asyncio.get_running_loop()
        name = (exchange.server_name or place.host) if tls is not None else None
        try:
            async with asyncio.timeout(exchange.connect_s):
                reached = await reach(place.host, place.port)
                _, line = await loop.create_connection(Line, sock=reached, ssl=tls, server_hostname=name)
        except TimeoutError:
            raise Unsent("no connection in time") from None
        except (OSError, ValueError) as error:  # a name that cannot be one is a ValueError
            raise Unsent(words_of(error)) from None
        return cls(line)

    async def send(self, place: HttpTarget, exchange: Exchange) -> Response:
        """Send one request and return the response once its head is there.

        Raises:
            Silent, Broken: as these classes say.
        """
        self._silence_s = exchange.silence.total_seconds()
        await self._line.write(self._request(place, exchange), self._silence_s)
        until = monotonic() + exchange.wordless_s
        while not isinstance(event := await self._event(), h11.Response):  # 1xx: the true head is still to come
            if monotonic() > until:
                raise Stalled("no head in time")
        return Response(exchange, event.status_code, event.headers, self)

    def _request(self, place: HttpTarget, exchange: Exchange) -> bytes:
        headers = [("Host", exchange.host or place.name), *exchange.headers.items()]
        if exchange.body or exchange.method == "POST":
            headers.append(("Content-Length", str(len(exchange.body))))
        head = self._http.send(h11.Request(method=exchange.method, target=place.target, headers=headers))
        self._http.send(h11.Data(exchange.body))  # counted against the length, and passed through as it is
        self._http.send(h11.EndOfMessage())
        return (head or b"") + exchange.body

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next bytes of the body, all that have come by then.

        Raises:
            Silent, Broken: as these classes say.
        """
        if self._http.their_state is not h11.SEND_BODY:
            if self._broken is not None:
                raise self._broken
            raise StopAsyncIteration
        event = await self._event()
        pieces: list[bytes] = []
        while isinstance(event, h11.Data):
            pieces.append(event.data)
            try:
                event = self._next()
            except Broken as broken:  # for the next time: what came before it is good
                self._broken = broken
                break
        if not pieces:
            raise StopAsyncIteration
        return b"".join(pieces)

    async def _event(self) -> _Event:
        while (event := self._next()) is h11.NEED_DATA:
            data = await self._line.read(self._silence_s)
            if not data and self._http.their_state is h11.SEND_RESPONSE:
                raise Broken("the server hung up without an answer")
            self._http.receive_data(data)
        return event

    def _next(self) -> _Event:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise Broken(str(error)) from None

    def rest(self) -> bool:
        """Make ready for another exchange, and say whether there can be one."""
        http = self._http
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE or http.trailing_data[0]:
            return False
        http.start_next_cycle()
        self._rests_since = monotonic()
        return self._line.quiet

    @property
    def fit(self) -> bool:
        """Whether a resting connection can serve another exchange.

        It must be open, with nothing come on it, and not so old that the server may close it.
        """
        return self._line.quiet and monotonic() - self._rests_since < _KEEP_ALIVE_S and not self._line.has_news()

    def abort(self) -> None:
        """Close at once."""
        self._line.abort()

    async def aclose(self) -> None:
        """Close, and wait until that is done."""
        self._line.abort()
        await self._line.gone()
