"""Requests through the user's proxy.

Only this module knows httpx, and it is loaded only where there is a proxy. Transports are used without a client: what a
client adds (redirects, cookies, `~/.netrc`, proxy variables, retries) must not happen here. `httpx2` has the same
transports.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import httpx

from lollmsbot_keys.edges.http.exchange import Broken, Exchange, Response, Silent, Stalled, Unsent, words_of
from lollmsbot_keys.errors import ConfigError

CALLS_PER_TRANSPORT = 4
"""The most calls on one transport: httpcore looks at all its connections for each request, so they should be few."""
_KEEP_ALIVE_S = 15.0


class _Lane:
    """One transport and the number of requests on it."""

    def __init__(self, transport: httpx.AsyncHTTPTransport) -> None:
        self.transport = transport
        self.busy = 0


class Proxied:
    """The sender of requests through the proxy at the URL `proxy`.

    `tls` gives the context for the servers behind it.
    """

    def __init__(self, proxy: str, tls: Callable[[], ssl.SSLContext]) -> None:
        self._proxy, self._tls = proxy, tls
        self._lanes: list[_Lane] = []

    async def aclose(self) -> None:
        """Close all connections."""
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            await lane.transport.aclose()

    @asynccontextmanager
    async def exchange(self, exchange: Exchange) -> AsyncIterator[Response]:
        """Send one request and yield the response once its head is there.

        Read the body inside the block.

        Raises:
            Unsent, Silent, Broken: as these classes say.
            ConfigError: the address or the proxy cannot be used.
        """
        lane, departure = self._lane(), _Departure(exchange)
        request = _request(exchange, departure)
        lane.busy += 1
        try:
            with _translated(departure):
                async with departure.limit:
                    response = await lane.transport.handle_async_request(request)
            try:
                yield Response(exchange, response.status_code, response.headers.raw, _body(response, departure))
            finally:
                await response.aclose()
        finally:
            lane.busy -= 1

    def _lane(self) -> _Lane:
        for lane in self._lanes:
            if lane.busy < CALLS_PER_TRANSPORT:
                return lane
        lane = _Lane(self._transport())
        self._lanes.append(lane)
        return lane

    def _transport(self) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_keepalive_connections=CALLS_PER_TRANSPORT, keepalive_expiry=_KEEP_ALIVE_S)
        try:
            return httpx.AsyncHTTPTransport(
                verify=self._tls(), trust_env=False, limits=limits, proxy=httpx.Proxy(self._proxy)
            )
        except (ValueError, ImportError, httpx.InvalidURL):
            # The URL may hold a password: it is not repeated, and neither is the error that quotes it.
            raise ConfigError(
                "The proxy of the environment cannot be used: http:// and https:// proxies are understood. "
                "Correct the variable that names it, or except the host in NO_PROXY."
            ) from None


class _Departure:
    """The moment at which a request leaves; before it, only the proxy is asked to pass it on.

    `limit` ends the wait for a connection, and later the wait for the head of a response that never comes.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.left = False
        self.limit = asyncio.timeout(exchange.connect_s)
        self._wordless_s = exchange.wordless_s

    async def watch(self, _step: str, details: Mapping[str, object]) -> None:
        """Note that the request leaves; httpcore calls this at every step (its `trace`).

        Only the steps of sending have the request among their details.
        """
        request = details.get("request")
        if request is not None and getattr(request, "method", b"") != b"CONNECT" and not self.left:
            self.left = True
            self.limit.reschedule(asyncio.get_running_loop().time() + self._wordless_s)


async def _body(response: httpx.Response, departure: _Departure) -> AsyncIterator[bytes]:
    chunks = response.aiter_raw()
    while True:
        with _translated(departure):
            chunk = await anext(chunks, None)
        if chunk is None:
            return
        yield chunk


def _request(exchange: Exchange, departure: _Departure) -> httpx.Request:
    silence_s = exchange.silence.total_seconds()
    times = {"connect": exchange.connect_s, "read": silence_s, "write": silence_s, "pool": None}
    extensions: dict[str, object] = {"timeout": times, "trace": departure.watch}
    headers = dict(exchange.headers)
    if exchange.host:
        headers["Host"] = exchange.host
        extensions["sni_hostname"] = exchange.server_name
    try:
        return httpx.Request(
            exchange.method, exchange.url, headers=headers, content=exchange.body or None, extensions=extensions
        )
    except httpx.InvalidURL:
        raise ConfigError(f"{exchange.url!r} is no address. Correct the provider's endpoints.") from None


@contextmanager
def _translated(departure: _Departure) -> Iterator[None]:
    """Turn httpx's errors into ours.

    Their texts may quote the other side: callers redact them.
    """
    try:
        yield
    except (httpx.TimeoutException, TimeoutError) as error:
        if not departure.left:
            raise Unsent("no connection in time") from None
        raise (Stalled if isinstance(error, TimeoutError) else Silent)("no bytes in time") from None
    except (httpx.RequestError, ssl.SSLError, OSError) as error:
        raise (Broken if departure.left else Unsent)(words_of(error)) from None
