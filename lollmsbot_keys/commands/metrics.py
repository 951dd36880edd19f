"""`lbk metrics`: the figures of the state for a monitoring system: as text, in a file, or at a port.

A key's secret is not needed here: the monitoring may have an environment of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

from lollmsbot_keys._version import __version__
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.metrics.collect import measured
from lollmsbot_keys.core.metrics.monotonic import carry
from lollmsbot_keys.core.model.config import Config
from lollmsbot_keys.core.model.metric_family import Family, ShownCounters
from lollmsbot_keys.errors import ConfigError, LbkError, UsageError
from lollmsbot_keys.runtime import Engine

DEFAULT_LISTEN = "127.0.0.1:9847"
_LOOPBACK = ("127.", "::1", "localhost")


class Address(NamedTuple):
    """The address to listen at.

    Port 0 is any that is free.
    """

    host: str
    port: int

    @property
    def private(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host.startswith(_LOOPBACK)


class MetricsReport(NamedTuple):
    """All families, the pool's name, and the messages for a person about configuration and state."""

    families: tuple[Family, ...]
    pool: str
    warnings: tuple[str, ...]


class Source(NamedTuple):
    """The files to measure, and the pool's name.

    Where nobody names the pool it is the state's path, which no other pool here has.
    """

    config: Path | None = None
    state: Path | None = None
    pool: str | None = None


class Written(NamedTuple):
    """The file that was written, and the number of samples in it."""

    path: Path
    samples: int
    warnings: tuple[str, ...]


def measure(source: Source) -> MetricsReport:
    """Measure now.

    Changes nothing.

    Raises:
        ConfigError, StateError: see `errors`.
    """
    return _measured(Engine.open(source.config, source.state, create=False), source.pool)


def _measured(engine: Engine, pool: str | None) -> MetricsReport:
    now = engine.clock()
    families = measured(engine.config, engine.state.read(now), engine.facts(), now, __version__)
    return MetricsReport(families, pool or os.path.realpath(engine.state.path), tuple(engine.warnings))


def text(found: MetricsReport) -> str:
    """Write what was measured in Prometheus's text format."""
    from lollmsbot_keys.edges.prometheus.text_format import text_of

    return text_of(found.families, found.pool).decode()


def watched(config: Path | None) -> tuple[Config, tuple[str, ...]]:
    """Load the configuration that a dashboard and rules are made for, with warnings about it.

    Raises:
        ConfigError: see `errors`.
    """
    engine = Engine.open(config, None, create=False)
    return engine.config, tuple(engine.warnings)


def write(source: Source, output: Path) -> Written:
    """Measure into a file for the textfile collector.

    Its counters never go back, whatever happened to the state.

    Raises:
        ConfigError: the file cannot be written, or see `errors`.
        StateError: see `errors`. The file stays as it was, and its age tells.
    """
    from lollmsbot_keys.edges.prometheus.text_format import remembering, shown_in, text_of
    from lollmsbot_keys.edges.prometheus.textfile import earlier_text, put

    engine = Engine.open(source.config, source.state, create=False)
    if engine.keeps(output):
        raise ConfigError(f"{output} is a file that lbk keeps itself. Name another one for --output.")
    before = shown_in(earlier_text(output))
    found = _measured(engine, source.pool)
    families, shown = carry(found.families, before)
    put(output, remembering(text_of(families, found.pool), shown))
    return Written(output, sum(len(family.samples) for family in families), found.warnings)


def address(listen: str) -> Address:
    """Parse `ADDR:PORT`.

    Raises:
        UsageError: it is none.
    """
    host, colon, port = listen.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else "" if ":" in host else host
    if not host or not colon or not port.isdecimal() or int(port) > 65_535:
        raise UsageError(f"--listen {listen!r} is no address. Write it like {DEFAULT_LISTEN} or [::1]:9847.")
    return Address(host, int(port))


def serve(source: Source, where: Address, started: Callable[[str], None], say: Callable[[str], None]) -> None:
    """Serve until a signal.

    `started` gets the URL; `say` what goes wrong, once, and when it is over.

    Raises:
        ConfigError: nothing can listen there.
    """
    from lollmsbot_keys.edges.prometheus.http_endpoint import serving
    from lollmsbot_keys.sandbox.subprocess import Patience

    exporter = _Exporter(source, say)
    with Patience() as patience, serving(where.host, where.port, exporter.families, exporter.failed) as url:
        started(url)
        patience.wait()


class _Exporter:
    """The server's source of figures, measured at every scrape.

    It remembers what its counters showed, and what it has said already.
    """

    def __init__(self, source: Source, say: Callable[[str], None]) -> None:
        self._source, self._say = source, say
        self._shown = ShownCounters()
        self._said: tuple[str, ...] = ()
        self._failing = False
        self._turn = Lock()

    def families(self) -> tuple[Sequence[Family], str]:
        """Return the families to show now, and the pool's name.

        Raises:
            ConfigError, StateError: see `measure`.
        """
        with self._turn:
            found = measure(self._source)
            families, self._shown = carry(found.families, self._shown)
            if self._failing:
                self._failing = False
                self._say("measuring again")
            self._tell(found.warnings)
            return families, found.pool

    def failed(self, error: LbkError) -> None:
        with self._turn:
            self._failing = True
            self._tell((str(error),))

    def _tell(self, messages: tuple[str, ...]) -> None:
        for message in messages:
            if message not in self._said:
                self._say(message)
        self._said = messages
