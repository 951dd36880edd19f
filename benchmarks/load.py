"""The cost of a request while a number of its kind are on their way.

It needs nothing but the standard library.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter, process_time
from typing import NamedTuple

One = Callable[[], Awaitable[object]]


class Cost(NamedTuple):
    """The share of a request in milliseconds: of the wall clock, and of CPU.

    The CPU is that of this process, all threads and the kernel.
    """

    wall: float
    cpu: float


async def cost_of(one: One, in_flight: int, requests: int) -> Cost:
    """Run `one` so many times, `in_flight` of them at any moment, and return the cost of one."""
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
