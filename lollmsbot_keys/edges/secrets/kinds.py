"""Whose key a secret looks like, where companies mark theirs. It is said in a word; nothing of the secret is quoted."""

from __future__ import annotations

from lollmsbot_keys.core.catalogue import Provider
from lollmsbot_keys.edges.secrets.secret import Secret

_OPENROUTER = "OpenRouter"
_PREFIXES = (
    ("sk-or-", _OPENROUTER),
    ("sk-ant-", "Anthropic"),
    ("sk-proj-", "OpenAI"),
    ("sk-svcacct-", "OpenAI"),
    ("gsk_", "Groq"),
    ("AIza", "Google"),
    ("hf_", "Hugging Face"),
    ("xai-", "xAI"),
    ("pplx-", "Perplexity"),
    ("r8_", "Replicate"),
    ("ghp_", "GitHub"),
    ("gho_", "GitHub"),
    ("ghs_", "GitHub"),
    ("github_pat_", "GitHub"),
)
"""How keys begin; those of Ollama have no documented form, so none of its own is ever doubted for lacking one."""


def looks_like_another(secret: Secret) -> str:
    """The company whose key this seems to be, if that is not the secret's own provider; else ""."""
    characters = secret.reveal()
    company = next((name for prefix, name in _PREFIXES if characters.startswith(prefix)), "")
    own = _OPENROUTER if secret.provider is Provider.OPENROUTER else ""
    return "" if company == own else company
