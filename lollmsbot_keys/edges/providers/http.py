"""The only place that knows httpx: one request at a time, over transports that do nothing on their own.

Transports are used without a client: what a client adds (redirects, cookies, `~/.netrc`, proxy variables, retries) is
exactly what must not happen here. `httpx2` has the same transports.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import NamedTuple, Self

import httpx

from lollmsbot_keys.core.trust import address, is_loopback
from lollmsbot_keys.errors import ConfigError

CALLS_PER_TRANSPORT = 4
"""httpcore walks over all connections of a transport for each request; few of them keep that short."""
LONGEST_CONNECT = timedelta(seconds=10)
_KEEP_ALIVE_S = 15.0
_DRAIN_S = 0.05
_DRAIN_BYTES = 64 * 1024


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


class Response:
    """Status, headers (names in lower case) and the body: iterate over it, as often and as far as you like."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._response = response
        self._bytes = response.aiter_bytes()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        with _translated():
            return await anext(self._bytes)

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

    async def aclose(self) -> None:
        if isinstance(self._bytes, AsyncGenerator):
            await self._bytes.aclose()
        await self._response.aclose()


class _Lane:
    """One transport and how many requests are on it."""

    def __init__(self, transport: httpx.AsyncHTTPTransport) -> None:
        self.transport = transport
        self.busy = 0


class Http:
    """Sends requests. `proxy_for` gives the proxy's URL for a URL, or `None`; loopback is never asked for."""

    def __init__(self, proxy_for: Callable[[str], str | None]) -> None:
        self._proxy_for = proxy_for
        self._lanes: dict[tuple[str | None, bool], list[_Lane]] = {}
        self._tls: ssl.SSLContext | None = None

    async def aclose(self) -> None:
        """Close all connections."""
        lanes = [lane for lanes in self._lanes.values() for lane in lanes]
        self._lanes.clear()
        for lane in lanes:
            await lane.transport.aclose()

    @asynccontextmanager
    async def exchange(self, exchange: Exchange) -> AsyncIterator[Response]:
        """Send one request and give the response once its head is there. The body is read inside the block.

        Raises:
            Unsent, Silent, Broken: see there.
            ConfigError: the address, the proxy or the certificates cannot be used.
        """
        request = _request(exchange)
        lane = self._lane(exchange)
        lane.busy += 1
        try:
            with _translated():
                response = await lane.transport.handle_async_request(request)
            reply = Response(response)
            try:
                yield reply
            finally:
                await reply.aclose()
        finally:
            lane.busy -= 1

    def _lane(self, exchange: Exchange) -> _Lane:
        proxy, tls = self._route(exchange)
        lanes = self._lanes.setdefault((proxy, tls), [])
        for lane in lanes:
            if lane.busy < CALLS_PER_TRANSPORT:
                return lane
        lane = _Lane(self._transport(proxy, tls=tls))
        lanes.append(lane)
        return lane

    def _route(self, exchange: Exchange) -> tuple[str | None, bool]:
        found = address(exchange.url)
        if found is None:
            raise ConfigError(f"{exchange.url!r} is no address. Correct the provider's endpoints.")
        scheme, host, _ = found
        proxy = None if exchange.direct or is_loopback(host) else self._proxy_for(exchange.url)
        return proxy, scheme == "https"

    def _transport(self, proxy: str | None, *, tls: bool) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_keepalive_connections=CALLS_PER_TRANSPORT, keepalive_expiry=_KEEP_ALIVE_S)
        # Plain HTTP gets a context that trusts nobody: it is never used, and costs nothing.
        context = self._certificates() if tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            return httpx.AsyncHTTPTransport(
                verify=context, trust_env=False, limits=limits, proxy=None if proxy is None else httpx.Proxy(proxy)
            )
        except (ValueError, ImportError, httpx.InvalidURL):
            # The URL may hold a password: it is not repeated, and neither is the error that quotes it.
            raise ConfigError(
                "The proxy of the environment cannot be used: http:// and https:// proxies are understood. "
                "Correct HTTPS_PROXY, or except the host in NO_PROXY."
            ) from None

    def _certificates(self) -> ssl.SSLContext:
        if self._tls is None:
            try:
                self._tls = httpx.create_ssl_context()
            except OSError as error:
                raise ConfigError(
                    f"The certificates for HTTPS cannot be loaded ({error.strerror or type(error).__name__}). "
                    "Check SSL_CERT_FILE and SSL_CERT_DIR."
                ) from None
        return self._tls


def _request(exchange: Exchange) -> httpx.Request:
    silence_s = exchange.silence.total_seconds()
    times = {
        "connect": min(silence_s, LONGEST_CONNECT.total_seconds()),
        "read": silence_s,
        "write": silence_s,
        "pool": None,
    }
    extensions: dict[str, object] = {"timeout": times}
    headers = dict(exchange.headers)
    if exchange.host:
        headers["Host"] = exchange.host
        extensions["sni_hostname"] = exchange.host.rpartition(":")[0].strip("[]")
    try:
        return httpx.Request(
            exchange.method, exchange.url, headers=headers, content=exchange.body or None, extensions=extensions
        )
    except httpx.InvalidURL:
        raise ConfigError(f"{exchange.url!r} is no address. Correct the provider's endpoints.") from None


@contextmanager
def _translated() -> Iterator[None]:
    """Turn httpx's errors into ours. Their texts may quote what the other side sent: callers redact them."""
    try:
        yield
    except httpx.ConnectTimeout:
        raise Unsent("no connection in time") from None
    except (httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol, httpx.PoolTimeout) as error:
        raise Unsent(_words(error)) from None
    except httpx.TimeoutException:
        raise Silent("no bytes in time") from None
    except (httpx.RequestError, ssl.SSLError, OSError) as error:
        raise Broken(_words(error)) from None


def _words(error: Exception) -> str:
    return str(error).strip() or type(error).__name__
