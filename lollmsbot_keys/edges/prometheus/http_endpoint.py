"""A port that Prometheus scrapes: its official client's application, on the standard library's server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from lollmsbot_keys.core.model.metric_family import Family
from lollmsbot_keys.edges.prometheus.text_format import registry_of
from lollmsbot_keys.errors import ConfigError, LbkError

Measure = Callable[[], tuple[Sequence[Family], str]]
"""The function that gives the present families, and the pool's name."""

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_PLAIN = [("Content-Type", "text/plain; charset=utf-8")]


class _Handler(WSGIRequestHandler):
    timeout = 30.0
    """Seconds that a caller may stay silent."""

    def log_message(self, *_: object) -> None:
        """Log nothing: a scrape is no news, and a stranger's text is not for a terminal."""

    def address_string(self) -> str:
        return str(self.client_address[0])  # no name server is asked who scrapes


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a caller who hangs up early."""


class _Server6(_Server):
    address_family = socket.AF_INET6


@contextmanager
def serving(host: str, port: int, measure: Measure, failed: Callable[[LbkError], None]) -> Iterator[str]:
    """Serve the result of `measure` at each scrape until the block ends; the value is the URL.

    `measure` returns families and pool. An error that keeps it from measuring is handed to `failed`, and the scrape
    gets a 503, which Prometheus shows as down: old figures would look like good ones.

    Raises:
        ConfigError: nothing can listen there.
    """
    kind = _Server6 if ":" in host else _Server
    try:
        server = make_server(host, port, _application(measure, failed), kind, _Handler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "no such port"
        raise ConfigError(
            f"Cannot listen on {_address(host, port)}: {reason}. Name another address and port with --listen."
        ) from None
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True, name="lbk-metrics")
    thread.start()
    try:
        yield f"http://{_address(host, server.server_port)}/metrics"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _bug(error: Exception) -> LbkError:
    return LbkError(
        f"This is a bug in lbk: {type(error).__name__}. lbk metrics, by hand, says where; please report it."
    )


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _application(measure: Measure, failed: Callable[[LbkError], None]) -> WSGIApplication:
    from prometheus_client import make_wsgi_app

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/metrics":
            start_response("404 Not Found", _PLAIN)
            return [b"Metrics are at /metrics.\n"]
        try:
            families, pool = measure()
        except Exception as error:  # noqa: BLE001 - the server would print it whole, and it may hold anything
            failed(error if isinstance(error, LbkError) else _bug(error))
            start_response("503 Service Unavailable", _PLAIN)
            return [b"Nothing can be measured now; lbk says why where it was started.\n"]
        answer: Iterable[bytes] = make_wsgi_app(registry_of(families, pool))(environ, start_response)
        return answer

    return application
