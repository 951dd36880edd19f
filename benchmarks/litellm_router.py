"""The Router of LiteLLM in a process of its own, for throughput.py.

LiteLLM is nobody's dependency here. The process is started with the server's address and the prompt. Each line on
standard input is `whole` or `stream`, the number in flight, and the number in all; each line on standard output is what
one of them cost, as `load.Cost` has it.
"""

from __future__ import annotations

import asyncio
import sys

import litellm  # type: ignore[import-not-found,unused-ignore]  # of the interpreter that LITELLM_PYTHON names
from load import cost_of

DEPLOYMENTS = 2
"""The number of deployments, as many as the pool has keys at that provider."""


def _router(base: str) -> litellm.Router:
    deployment = {"model": "openai/kimi-k2.6", "api_base": f"{base}/v1", "max_tokens": 4096}
    deployments = [
        {"model_name": "kimi", "litellm_params": {**deployment, "api_key": f"made-up-{number}"}}
        for number in range(DEPLOYMENTS)
    ]
    return litellm.Router(model_list=deployments, num_retries=0)


async def _serve(base: str, prompt: str) -> None:
    router, messages = _router(base), [{"role": "user", "content": prompt}]

    async def whole() -> None:
        await router.acompletion(model="kimi", messages=messages)

    async def stream() -> None:
        async for _ in await router.acompletion(model="kimi", messages=messages, stream=True):
            pass

    kinds = {"whole": whole, "stream": stream}
    while line := await asyncio.to_thread(sys.stdin.readline):
        kind, in_flight, requests = line.split()
        cost = await cost_of(kinds[kind], int(in_flight), int(requests))
        print(cost.wall, cost.cpu, flush=True)


if __name__ == "__main__":
    litellm.suppress_debug_info = True
    asyncio.run(_serve(sys.argv[1], sys.argv[2]))
