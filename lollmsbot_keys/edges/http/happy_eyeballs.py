"""Connections to a server that may have several addresses (RFC 8305).

Where one address is slow, the next is tried beside it. asyncio can do this too, but loses an open socket if it is
cancelled in the moment of a success: with Python 3.11.7 that happened to one in nine that were cancelled at random.
Here, a socket that is not returned is closed.
"""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from typing import Any

HEAD_START_S = 0.25
"""The time that one address has before the next is tried beside it."""

_Racer = asyncio.Task[socket.socket]
_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]


async def reach(host: str, port: int) -> socket.socket:
    """Return a socket that is connected to `host`, at the address that answers first.

    Raises:
        OSError: the name does not resolve, or no address answers. The error is that of the first address tried.
    """
    addresses = deque(_by_turns(await _looked_up(host, port)))
    racers: list[_Racer] = []
    winner: _Racer | None = None
    try:
        while winner is None:
            if addresses:
                racers.append(asyncio.create_task(_connected(addresses.popleft())))
            running = [racer for racer in racers if not racer.done()]
            if not running:
                break
            patience = HEAD_START_S if addresses else None
            await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            winner = next((racer for racer in racers if _has_arrived(racer)), None)
        return (winner or racers[0]).result()
    finally:
        for racer in racers:
            if racer is not winner:
                racer.cancel()  # nothing, for one who is there already
                racer.add_done_callback(_close)


async def _looked_up(host: str, port: int) -> Iterable[_Address]:
    try:  # an address needs no thread in which a name server is waited for
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


async def _connected(address: _Address) -> socket.socket:
    family, kind, protocol, _, place = address
    made = socket.socket(family, kind, protocol)
    try:
        made.settimeout(0)
        await asyncio.get_running_loop().sock_connect(made, place)
    except BaseException:
        made.close()
        raise
    return made


def _has_arrived(racer: _Racer) -> bool:
    return racer.done() and not racer.cancelled() and racer.exception() is None


def _close(racer: _Racer) -> None:
    if _has_arrived(racer):
        racer.result().close()


def _by_turns(addresses: Iterable[_Address]) -> Iterator[_Address]:
    """Yield addresses from each family in turn, because a whole family may not work on this machine."""
    families: defaultdict[socket.AddressFamily, list[_Address]] = defaultdict(list)
    for address in addresses:
        families[address[0]].append(address)
    return (address for address in chain.from_iterable(zip_longest(*families.values())) if address is not None)
