"""Which names the sellers' lists had, as far as public sources of 2026-12-01 tell: what the catalogue may lead to.

Ollama: docs.ollama.com/cloud, "Model lifecycle", after 2026-09-25. OpenRouter: its list of 2026-11-20 in the package
@earendil-works/pi-ai 1.6.0 (which leaves out nearly every model without tools), and two older sightings.
"""

from __future__ import annotations

from datetime import date

OLLAMA_ON = date(2026, 9, 25)
OLLAMA_SERVED = frozenset(
    {
        "deepseek-v4-pro:0813",
        "deepseek-v4.1-flash",
        "gemma4:31b",
        "glm-5.2",
        "glm-5.3",
        "glm-5.3-flash",
        "gpt-oss:120b",
        "gpt-oss:20b",
        "kimi-k2.6",
        "kimi-k2.7-code",
        "kimi-k3",
        "minimax-m2.7",
        "minimax-m3",
        "mistral-large-3:675b",
        "nemotron-3-nano:30b",
        "nemotron-3-super",
        "nemotron-3-ultra",
    }
)
OPENROUTER_ON = date(2026, 11, 20)
OPENROUTER_LISTED = frozenset(
    {
        "anthropic/claude-sonnet-5.5",
        "deepseek/deepseek-chat-v3.1",
        "deepseek/deepseek-v3.2",
        "deepseek/deepseek-v4-flash",
        "deepseek/deepseek-v4-flash-0731",
        "deepseek/deepseek-v4-pro",
        "deepseek/deepseek-v4-pro-0813",
        "deepseek/deepseek-v4.1-flash",
        "google/gemini-3-flash-preview",
        "google/gemini-3.8-flash",
        "google/gemma-3-27b-it",
        "google/gemma-4-31b-it",
        "minimax/minimax-m2.5",
        "minimax/minimax-m2.7",
        "minimax/minimax-m3",
        "minimax/minimax-m3.1-flash",
        "mistralai/devstral-2512",
        "mistralai/ministral-14b-2512",
        "mistralai/ministral-3b-2512",
        "mistralai/ministral-8b-2512",
        "mistralai/mistral-large-2512",
        "moonshotai/kimi-k2",
        "moonshotai/kimi-k2-thinking",
        "moonshotai/kimi-k2.5",
        "moonshotai/kimi-k2.6",
        "moonshotai/kimi-k2.7-code",
        "moonshotai/kimi-k3",
        "nvidia/nemotron-3-nano-30b-a3b",
        "nvidia/nemotron-3-super-120b-a12b",
        "nvidia/nemotron-3-ultra-550b-a55b",
        "openai/gpt-oss-120b",
        "openai/gpt-oss-20b",
        "qwen/qwen3-coder",
        "qwen/qwen3-coder-next",
        "qwen/qwen3-next-80b-a3b-instruct",
        "qwen/qwen3-vl-235b-a22b-instruct",
        "qwen/qwen3-vl-30b-a3b-instruct",
        "qwen/qwen3.5-397b-a17b",
        "z-ai/glm-4.6",
        "z-ai/glm-4.7",
        "z-ai/glm-5",
        "z-ai/glm-5.1",
        "z-ai/glm-5.2",
        "z-ai/glm-5.3",
        "z-ai/glm-5.3-flash",
        "dots-studio/dots-3-note-preview:free",
        "google/gemma-4-26b-a4b-it:free",
        "google/gemma-4-31b-it:free",
        "liquid/lfm-3-1.7b:free",
        "nvidia/nemotron-3-nano-omni-30b-a3b-reasoning:free",
        "nvidia/nemotron-3-ultra-550b-a55b:free",
        "nvidia/nemotron-3.5-lightning:free",
        "nvidia/nemotron-3.5-super-vl:free",
        "recursive/flint-v1.0:free",
        "openrouter/free",
        "openrouter/auto",
    }
)
OPENROUTER_LISTED_ONCE = {
    "deepcogito/cogito-v2.1-671b": date(2026, 8, 18),
    "minimax/minimax-m2.1": date(2026, 9, 23),
}
"""Ids that an older list had and the newest that was read has not."""
