"""The cost of one question to a `KeyPool`, beside a bare HTTP client that sends the very same bytes.

Bare is one plain `httpx.AsyncClient`; best bare is the fastest arrangement of httpx that we know, a client for every
four requests in flight. Neither routes, reserves, books or redacts anything. All run in turn in one process against one
server in another; the medians of the ratios are of those that ran in the same turn. The pool's state is on the disk of
the working folder, and once more in memory where there is a file system there: the difference is the price of having
each hold on the disk before its request leaves.

LITELLM_PYTHON=venv/bin/python names an interpreter that has LiteLLM: its Router then joins in.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx
from load import Cost, One, cost_of
from loopback import served

from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.pool import KeyPool
from lollmsbot_keys.runtime import Engine

IN_FLIGHT = (1, 32, 128)
REQUESTS = {"whole": 512, "stream": 128}
"""The requests in one turn of one arrangement, however many are in flight."""
FEWER = {"whole": 4, "stream": 16}
"""The factor by which LiteLLM makes fewer requests: its figures are of another order."""
ROUNDS = 7
MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux has a file system in memory
CALLS_PER_CLIENT = 4
PROMPT = "Say something in about two hundred words. " * 5
CONFIG = """
[providers.ollama]
endpoints = ["{base}/v1"]
max_calls_per_hour = 1000000000
daily_budget_usd = 1000000000
"""

Turn = Callable[[int, int], Awaitable[Cost]]
"""The run of an arrangement: so many in flight, so many in all."""


class Post(NamedTuple):
    """The request that a pool sent, to be sent by others."""

    url: str
    headers: dict[str, str]
    body: bytes

    @classmethod
    async def last_at(cls, base: str) -> Post:
        async with httpx.AsyncClient() as client:
            seen = (await client.get(f"{base}/seen")).content
        head, _, body = seen.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        return cls(base + first.split(" ")[1], dict(line.split(": ", 1) for line in lines), body)

    async def whole(self, client: httpx.AsyncClient) -> None:
        (await client.post(self.url, headers=self.headers, content=self.body)).json()

    async def stream(self, client: httpx.AsyncClient) -> None:
        async with client.stream("POST", self.url, headers=self.headers, content=self.body) as response:
            async for _ in response.aiter_bytes():
                pass


@asynccontextmanager
async def pool_in(parent: Path, base: str) -> AsyncIterator[KeyPool]:
    """Open a pool of two keys, whose state is in a folder of its own under `parent`."""
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        async with KeyPool(_engine(folder, base)) as pool:
            yield pool


def _engine(folder: str, base: str) -> Engine:
    config = Path(folder, "config.toml")
    config.write_text(CONFIG.format(base=base))
    variables = dict.fromkeys(("OLLAMA_API_KEY", "OLLAMA_API_KEY_2"), "made-up-for-the-benchmark")
    variables |= {"HOME": folder, "LBK_CONFIG": str(config), "LBK_STATE": f"{folder}/state.json"}
    return Engine.open(environment=Environment(variables))


@asynccontextmanager
async def litellm(base: str) -> AsyncIterator[Callable[[str], Turn] | None]:
    """Yield the turns of LiteLLM's Router by kind, where there is one."""
    interpreter = os.environ.get("LITELLM_PYTHON")
    if not interpreter:
        yield None
        return
    script = str(Path(__file__).with_name("litellm_router.py"))
    offline = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    process = await asyncio.create_subprocess_exec(
        interpreter, script, base, PROMPT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=offline
    )
    assert process.stdin is not None
    assert process.stdout is not None
    orders, costs = process.stdin, process.stdout

    def turns(kind: str) -> Turn:
        async def turn(in_flight: int, requests: int) -> Cost:
            orders.write(f"{kind} {in_flight} {max(in_flight, requests // FEWER[kind])}\n".encode())
            wall, cpu = map(float, (await costs.readline()).split())
            return Cost(wall, cpu)

        return turn

    yield turns
    orders.close()
    await process.wait()


async def compare(base: str, kind: str, turns: Callable[[str], Turn] | None) -> None:
    """Print the cost of a question of one kind, for each number in flight."""
    async with AsyncExitStack() as stack:
        places = {"lbk": Path.cwd(), "lbk, state in memory": MEMORY}
        pools = {
            name: await stack.enter_async_context(pool_in(place, base))
            for name, place in places.items()
            if place.is_dir()
        }
        await pools["lbk"].ask(PROMPT, stream=kind == "stream")
        post = await Post.last_at(base)
        plain = await stack.enter_async_context(httpx.AsyncClient())
        for in_flight in IN_FLIGHT:
            few = range(-(-in_flight // CALLS_PER_CLIENT))
            clients = cycle([await stack.enter_async_context(httpx.AsyncClient()) for _ in few])
            arrangements = {name: of(asking(pool, kind)) for name, pool in pools.items()}
            arrangements["bare"] = of(posting(post, kind, cycle([plain])))
            arrangements["best bare"] = of(posting(post, kind, clients))
            if turns is not None:
                arrangements["LiteLLM's Router"] = turns(kind)
            report(kind, in_flight, await in_turn(arrangements, in_flight, REQUESTS[kind]))


def asking(pool: KeyPool, kind: str) -> One:
    return lambda: pool.ask(PROMPT, stream=kind == "stream")


def posting(post: Post, kind: str, clients: cycle[httpx.AsyncClient]) -> One:
    return lambda: (post.stream if kind == "stream" else post.whole)(next(clients))


def of(one: One) -> Turn:
    return lambda in_flight, requests: cost_of(one, in_flight, requests)


async def in_turn(arrangements: dict[str, Turn], in_flight: int, requests: int) -> dict[str, list[Cost]]:
    """Run the arrangements one after the other, again and again; the first time does not count."""
    costs: dict[str, list[Cost]] = {name: [] for name in arrangements}
    for number in range(ROUNDS + 1):
        for name, turn in arrangements.items():
            cost = await turn(in_flight, requests)
            if number:
                costs[name].append(cost)
    return costs


def report(kind: str, in_flight: int, costs: dict[str, list[Cost]]) -> None:
    print(f"\n{kind}, {in_flight} in flight".ljust(30), "wall ms", " CPU ms", " of bare:", "   of best bare:")
    for name, ours in costs.items():
        shares = [
            median(a / b for a, b in zip(column(ours), column(costs[other]), strict=True))
            for other in ("bare", "best bare")
            for column in (walls, cpus)
        ]
        row = "  ".join(f"{share:6.2f}" for share in shares)
        print(f"  {name:<26} {median(walls(ours)):7.2f} {median(cpus(ours)):7.2f}  {row}", flush=True)


def walls(costs: list[Cost]) -> list[float]:
    return [cost.wall for cost in costs]


def cpus(costs: list[Cost]) -> list[float]:
    return [cost.cpu for cost in costs]


async def main() -> None:
    with served() as base:
        async with litellm(base) as turns:
            for kind in REQUESTS:
                await compare(base, kind, turns)


if __name__ == "__main__":
    asyncio.run(main())
