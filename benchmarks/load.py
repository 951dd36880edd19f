"""What a request costs while so many of its kind are on their way. Needs nothing but the standard library."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter, process_time
from typing import NamedTuple

One = Callable[[], Awaitable[object]]


class Cost(NamedTuple):
    """A request's share in milliseconds: of the wall clock, and of this process's CPU, all threads and the kernel."""

    wall: float
    cpu: float


async def cost_of(one: One, in_flight: int, requests: int) -> Cost:
    """Run `one` so many times, `in_flight` of them at any moment."""
    numbers = iter(range(requests))

    async def worker() -> None:
        for _ in numbers:
            await one()

    wall, cpu = perf_counter(), process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(worker())
    share = 1000 / requests
    return Cost((perf_counter() - wall) * share, (process_time() - cpu) * share)
