"""What the loopback providers sell: models and prices, as public lists of autumn 2026 had them.

Ollama's served and retired names come from its cloud documentation and a copy of its model list of 2026-09-12, its
prices from ollama.com/pricing of 2026-09-15; OpenRouter's prices from the newest public tables, October and November.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Rate:
    """US dollars for a million tokens."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal

    def cost_usd(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        return (self.input_usd_per_mtok * prompt_tokens + self.output_usd_per_mtok * completion_tokens) / 1_000_000


def _rates(table: str) -> dict[str, Rate]:
    rows = (line.split() for line in table.strip().splitlines())
    return {name: Rate(Decimal(prompt), Decimal(completion)) for name, prompt, completion in rows}


OLLAMA_SERVED: Mapping[str, Rate] = _rates("""
    deepseek-v4-flash:0731  0.22   0.66
    deepseek-v4-pro:0813    0.66   1.98
    deepseek-v4.1-flash     0.15   0.60
    gemma4:31b              0.14   0.40
    glm-5.1                 1.00   3.20
    glm-5.2                 1.40   4.40
    glm-5.3                 1.40   4.40
    glm-5.3-flash           0.15   0.50
    gpt-oss:120b            0.15   0.60
    gpt-oss:20b             0.07   0.30
    kimi-k2.6               0.95   4.00
    kimi-k2.7-code          0.95   4.00
    kimi-k3                 3.00   15.00
    minimax-m2.7            0.30   1.20
    minimax-m3              0.60   2.40
    mistral-large-3:675b    0.50   1.50
    nemotron-3-nano:30b     0.06   0.24
    nemotron-3-super        0.015  0.60
    nemotron-3-ultra        0.10   3.00
    qwen3.5:397b            0.60   3.60
""")

# Gone from the cloud by 2026-07-31; one price for all of them, used only where a run asks to have them back.
OLLAMA_RETIRED: Mapping[str, Rate] = dict.fromkeys(
    (
        *("kimi-k2.5", "minimax-m2.5", "deepseek-v3.1:671b", "deepseek-v3.2", "devstral-2:123b"),
        *("devstral-small-2:24b", "ministral-3:3b", "ministral-3:8b", "ministral-3:14b", "gemini-3-flash-preview"),
        *("gemma3:4b", "gemma3:12b", "gemma3:27b", "glm-4.7", "glm-5", "minimax-m2.1", "qwen3-coder-next"),
        *("qwen3-coder:480b", "rnj-1:8b", "kimi-k2-thinking", "kimi-k2:1t", "minimax-m2", "glm-4.6"),
        *("qwen3-next:80b", "qwen3-vl:235b", "qwen3-vl:235b-instruct", "cogito-2.1:671b"),
    ),
    Rate(Decimal("0.60"), Decimal("3.00")),
)

OPENROUTER_PAID: Mapping[str, Rate] = _rates("""
    deepcogito/cogito-v2.1-671b          1.25   1.25
    deepseek/deepseek-chat-v3.1          0.27   1
    deepseek/deepseek-v3.2               0.26   0.38
    deepseek/deepseek-v4-flash           0.105  0.21
    deepseek/deepseek-v4-flash-0731      0.14   0.28
    deepseek/deepseek-v4-pro             1.416  2.832
    deepseek/deepseek-v4.1-flash         0.21   0.84
    google/gemini-3-flash-preview        0.5    3
    google/gemini-3.8-flash              0.75   3.75
    google/gemma-3-27b-it                0.08   0.35
    google/gemma-4-31b-it                0.15   0.4
    minimax/minimax-m2                   0.255  1.02
    minimax/minimax-m2.1                 0.3    1.2
    minimax/minimax-m2.5                 0.295  1.2
    minimax/minimax-m2.7                 0.27   1.08
    minimax/minimax-m3                   0.3    1.2
    mistralai/devstral-2512              0.4    2
    mistralai/ministral-14b-2512         0.2    0.2
    mistralai/ministral-3b-2512          0.1    0.1
    mistralai/ministral-8b-2512          0.15   0.15
    mistralai/mistral-large-2512         0.5    1.5
    moonshotai/kimi-k2                   0.57   2.3
    moonshotai/kimi-k2-thinking          0.6    2.5
    moonshotai/kimi-k2.5                 0.532  3.325
    moonshotai/kimi-k2.6                 0.95   4
    moonshotai/kimi-k2.7-code            0.95   4
    moonshotai/kimi-k3                   3      15
    nvidia/nemotron-3-nano-30b-a3b       0.06   0.24
    nvidia/nemotron-3-super-120b-a12b    0.08   0.45
    nvidia/nemotron-3-ultra-550b-a55b    0.6    2.4
    openai/gpt-oss-120b                  0.1    0.5
    openai/gpt-oss-20b                   0.03   0.14
    qwen/qwen3-coder                     0.3    1
    qwen/qwen3-coder-next                0.12   0.8
    qwen/qwen3-next-80b-a3b-instruct     0.09   1.1
    qwen/qwen3-vl-235b-a22b-instruct     0.21   1.9
    qwen/qwen3-vl-30b-a3b-instruct       0.15   0.6
    qwen/qwen3.5-397b-a17b               0.39   2.34
    z-ai/glm-4.6                         0.6    2.2
    z-ai/glm-4.7                         0.6    2.2
    z-ai/glm-5                           1      3.2
    z-ai/glm-5.1                         1.4    4.4
    z-ai/glm-5.2                         1.4    4.4
    z-ai/glm-5.3                         1.4    4.4
    z-ai/glm-5.3-flash                   0.15   0.5
""")

OPENROUTER_FREE: tuple[str, ...] = (
    "cohere/north-mini-code:free",
    "google/gemma-4-26b-a4b-it:free",
    "google/gemma-4-31b-it:free",
    "minimax/minimax-m3.1-flash:free",
    "nvidia/nemotron-3-super-120b-a12b:free",
    "x-ai/grok-4.1-fast:free",
)

# Routers: asked for by their own name, answered (and billed) as another model.
OPENROUTER_ROUTERS: Mapping[str, str] = {
    "openrouter/free": "google/gemma-4-31b-it:free",
    "openrouter/auto": "openai/gpt-oss-120b",
}

FREE = Rate(Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model of the local daemon; one with a `remote_model` is in truth run by ollama.com."""

    parameters: str
    family: str
    remote_model: str | None = None
    chats: bool = True


REMOTE_HOST = "https://ollama.com:443"

LOCAL_MODELS: Mapping[str, LocalModel] = {
    "gemma3:27b": LocalModel("27.4B", "gemma3"),
    "gpt-oss:20b": LocalModel("20.9B", "gptoss"),
    "nomic-embed-text-v2-moe:latest": LocalModel("475.29M", "nomic-bert-moe", chats=False),
    "qwen3-vl:4b": LocalModel("4.4B", "qwen3vl"),
    "gpt-oss:120b-cloud": LocalModel("116.8B", "gptoss", remote_model="gpt-oss:120b"),
    # The sneaky one: an alias whose name does not tell that its prompts leave the machine.
    "diary:latest": LocalModel("1.04T", "kimi-k2", remote_model="kimi-k2.6"),
}
