"""The HTTP client: connections of our own, used again while they are fit, or the user's proxy.

Nothing happens here on its own: no redirect is followed, no cookie kept, no `~/.netrc` read, nothing sent twice.
"""

from __future__ import annotations

import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lollmsbot_keys.core.security.trusted_hosts import is_loopback
from lollmsbot_keys.edges.http.connection import Connection, HttpTarget
from lollmsbot_keys.edges.http.exchange import Exchange, Response
from lollmsbot_keys.errors import ConfigError

if TYPE_CHECKING:
    from lollmsbot_keys.edges.http.proxy import Proxied

_Server = tuple[bool, str, int, str]
"""The server of a connection: TLS or not, host, port, and the name that its certificate was checked against."""


class Http:
    """The sender of requests.

    `proxy_for` gives the proxy's URL for a URL, or `None`; it is not asked about loopback.
    """

    def __init__(self, proxy_for: Callable[[str], str | None]) -> None:
        self._proxy_for = proxy_for
        self._resting: defaultdict[_Server, deque[Connection]] = defaultdict(deque)
        self._busy: set[Connection] = set()
        self._proxied: dict[str, Proxied] = {}
        self._tls: ssl.SSLContext | None = None

    async def aclose(self) -> None:
        """Close all connections, so that requests on their way fail."""
        connections = [*self._busy, *(connection for resting in self._resting.values() for connection in resting)]
        self._resting.clear()
        for connection in connections:
            await connection.aclose()
        for proxied in self._proxied.values():
            await proxied.aclose()

    @asynccontextmanager
    async def exchange(self, exchange: Exchange) -> AsyncIterator[Response]:
        """Send one request and yield the response once its head is there.

        Read the body inside the block.

        Raises:
            Unsent, Silent, Broken: as these classes say.
            ConfigError: the address, the proxy or the certificates cannot be used.
        """
        place = HttpTarget.of(exchange.url)
        if place is None:
            raise ConfigError(f"{exchange.url!r} is no address. Correct the provider's endpoints.")
        proxy = None if exchange.direct or is_loopback(place.host) else self._proxy_for(exchange.url)
        if proxy is not None:
            async with self._through(proxy).exchange(exchange) as response:
                yield response
            return
        server = place.tls, place.host, place.port, exchange.server_name
        connection = self._rested(server) or await Connection.open(place, self._context(tls=place.tls), exchange)
        self._busy.add(connection)
        try:
            yield await connection.send(place, exchange)
        finally:
            self._busy.discard(connection)
            self._put_back(connection, self._resting[server])

    def _rested(self, server: _Server) -> Connection | None:
        """Return the fit connection that was used last: the server is the least likely to have closed it."""
        resting = self._resting[server]
        while resting:
            connection = resting.pop()
            if connection.fit:
                return connection
            connection.abort()
        return None

    @staticmethod
    def _put_back(connection: Connection, resting: deque[Connection]) -> None:
        if connection.rest():
            resting.append(connection)
        else:
            connection.abort()
        while resting and not resting[0].fit:
            resting.popleft().abort()

    def _through(self, proxy: str) -> Proxied:
        from lollmsbot_keys.edges.http.proxy import Proxied

        if proxy not in self._proxied:
            self._proxied[proxy] = Proxied(proxy, self._certificates)
        return self._proxied[proxy]

    def _context(self, *, tls: bool) -> ssl.SSLContext | None:
        return self._certificates() if tls else None

    def _certificates(self) -> ssl.SSLContext:
        if self._tls is None:
            from lollmsbot_keys.edges.http.tls import certificates

            self._tls = certificates()
        return self._tls
