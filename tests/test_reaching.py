"""`reach`: the race between the addresses of one name, and that no socket is left over from it."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import pytest

from lollmsbot_keys.edges.http.happy_eyeballs import reach

T = TypeVar("T")
NAME = "several.example"
SILENT = 1


class Book(asyncio.SelectorEventLoop):
    """A loop whose name server knows one name, and gives its addresses in this order. `SILENT` never answers."""

    def __init__(self, *ports: int) -> None:
        super().__init__()
        self._ports = ports

    async def getaddrinfo(self, host: object, port: object, **_: object) -> list[Any]:
        assert (host, port) == (NAME, 0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", each)) for each in self._ports]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:  # noqa: ANN401 - as asyncio has it
        if address[1] == SILENT:
            await self.create_future()
        await super().sock_connect(sock, address)


def run(work: Coroutine[Any, Any, T], *ports: int) -> T:
    with asyncio.Runner(loop_factory=lambda: Book(*ports)) as runner:
        return runner.run(work)


@contextmanager
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as made:
        yield made


def port_of(made: socket.socket) -> int:
    return int(made.getsockname()[1])


def closed_port() -> int:
    with listener() as made:
        return port_of(made)


async def reached() -> int:
    """The port that an answer came from."""
    with await reach(NAME, 0) as made:
        await asyncio.sleep(0)  # whoever came too late is gone by now
        return int(made.getpeername()[1])


def test_after_an_address_that_refuses_the_next_is_tried_at_once() -> None:
    with listener() as good:
        assert run(reached(), closed_port(), closed_port(), port_of(good)) == port_of(good)


def test_beside_an_address_that_is_slow_the_next_is_tried() -> None:
    with listener() as good:
        assert run(reached(), SILENT, SILENT, port_of(good)) == port_of(good)


def test_where_every_address_refuses_that_is_said() -> None:
    with pytest.raises(ConnectionRefusedError):
        run(reached(), closed_port(), closed_port())


def test_an_address_is_not_looked_up() -> None:
    async def main(port: int) -> None:
        for host in ("127.0.0.1", "::ffff:127.0.0.1"):
            with suppress(OSError):  # a machine may have no IPv6
                (await reach(host, port)).close()

    with listener() as good:
        run(main(port_of(good)))


def test_whoever_is_cancelled_at_any_moment_leaves_no_socket_open() -> None:
    async def main() -> int:
        arrived = 0
        for moment in range(400):
            task = asyncio.create_task(reach(NAME, 0))
            for _ in range(moment % 20):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                (await task).close()
                arrived += 1
        return arrived

    with listener() as one, listener() as other, warnings.catch_warnings(record=True) as lost:
        warnings.simplefilter("always")
        arrived = run(main(), port_of(one), port_of(other))
        gc.collect()
    assert [str(warning.message) for warning in lost] == []
    assert 0 < arrived < 400, "some in time, some not"
