"""The models and prices of the loopback providers, as known of the real ones on 2026-12-01.

Ollama's served and retired names come from its cloud documentation ("Model lifecycle", after 2026-09-25), its prices
from ollama.com/pricing of 2026-09-15; OpenRouter's from its list as of 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Rate:
    """A price in US dollars for a million tokens."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal

    def cost_usd(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        return (self.input_usd_per_mtok * prompt_tokens + self.output_usd_per_mtok * completion_tokens) / 1_000_000


def _rates(table: str) -> dict[str, Rate]:
    rows = (line.split() for line in table.strip().splitlines())
    return {name: Rate(Decimal(prompt), Decimal(completion)) for name, prompt, completion in rows}


OLLAMA_SERVED: Mapping[str, Rate] = _rates("""
    deepseek-v4-pro:0813    0.66   1.98
    deepseek-v4.1-flash     0.15   0.60
    gemma4:31b              0.14   0.40
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
""")

# Gone from the cloud by 2026-09-25; one price for all of them, used only where a run asks to have them back.
OLLAMA_RETIRED: Mapping[str, Rate] = dict.fromkeys(
    (
        *("kimi-k2.5", "minimax-m2.5", "deepseek-v3.1:671b", "deepseek-v3.2", "devstral-2:123b"),
        *("devstral-small-2:24b", "ministral-3:3b", "ministral-3:8b", "ministral-3:14b", "gemini-3-flash-preview"),
        *("gemma3:4b", "gemma3:12b", "gemma3:27b", "glm-4.7", "glm-5", "minimax-m2.1", "qwen3-coder-next"),
        *("qwen3-coder:480b", "rnj-1:8b", "kimi-k2-thinking", "kimi-k2:1t", "minimax-m2", "glm-4.6"),
        *("qwen3-next:80b", "qwen3-vl:235b", "qwen3-vl:235b-instruct", "cogito-2.1:671b"),
        *("deepseek-v4-flash:0731", "glm-5.1", "qwen3.5:397b"),
    ),
    Rate(Decimal("0.60"), Decimal("3.00")),
)

OPENROUTER_PAID: Mapping[str, Rate] = _rates("""
    anthropic/claude-sonnet-5.5          2      10
    deepseek/deepseek-chat-v3.1          0.25   0.95
    deepseek/deepseek-v3.2               0.26   0.38
    deepseek/deepseek-v4-flash           0.09   0.18
    deepseek/deepseek-v4-flash-0731      0.047  0.3
    deepseek/deepseek-v4-pro             0.9    1.5
    deepseek/deepseek-v4-pro-0813        1.32   3.96
    deepseek/deepseek-v4.1-flash         0.3    1.2
    google/gemini-3-flash-preview        0.5    3
    google/gemini-3.8-flash              0.825  4.125
    google/gemma-3-27b-it                0.08   0.16
    google/gemma-4-31b-it                0.2    0.4
    minimax/minimax-m2.5                 0.295  1.2
    minimax/minimax-m2.7                 0.21   0.84
    minimax/minimax-m3                   0.3    1.2
    minimax/minimax-m3.1-flash           0.15   0.6
    mistralai/devstral-2512              0.4    2
    mistralai/ministral-14b-2512         0.2    0.2
    mistralai/ministral-3b-2512          0.1    0.1
    mistralai/ministral-8b-2512          0.15   0.15
    mistralai/mistral-large-2512         0.5    1.5
    moonshotai/kimi-k2                   0.57   2.3
    moonshotai/kimi-k2-thinking          0.6    2.5
    moonshotai/kimi-k2.5                 0.41   2.06
    moonshotai/kimi-k2.6                 0.65   3.41
    moonshotai/kimi-k2.7-code            0.6    3
    moonshotai/kimi-k3                   0.192  16
    nvidia/nemotron-3-nano-30b-a3b       0.06   0.24
    nvidia/nemotron-3-super-120b-a12b    0.075  0.4
    nvidia/nemotron-3-ultra-550b-a55b    0.5    2.2
    openai/gpt-oss-120b                  0.09   0.36
    openai/gpt-oss-20b                   0.018  0.09
    qwen/qwen3-coder                     0.3    1
    qwen/qwen3-coder-next                0.12   0.8
    qwen/qwen3-next-80b-a3b-instruct     0.1    1.1
    qwen/qwen3-vl-235b-a22b-instruct     0.21   1.9
    qwen/qwen3-vl-30b-a3b-instruct       0.15   0.6
    qwen/qwen3.5-397b-a17b               0.45   3
    z-ai/glm-4.6                         0.5    2
    z-ai/glm-4.7                         0.4    1.75
    z-ai/glm-5                           0.6    1.9
    z-ai/glm-5.1                         1.19   3.74
    z-ai/glm-5.2                         0.62   2.42
    z-ai/glm-5.3                         0.0699 1.4
    z-ai/glm-5.3-flash                   0.0399 0.0784
""")

OPENROUTER_FREE: tuple[str, ...] = (
    "dots-studio/dots-3-note-preview:free",
    "google/gemma-4-26b-a4b-it:free",
    "google/gemma-4-31b-it:free",
    "liquid/lfm-3-1.7b:free",
    "nvidia/nemotron-3-nano-omni-30b-a3b-reasoning:free",
    "nvidia/nemotron-3-ultra-550b-a55b:free",
    "nvidia/nemotron-3.5-lightning:free",
    "nvidia/nemotron-3.5-super-vl:free",
    "recursive/flint-v1.0:free",
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
