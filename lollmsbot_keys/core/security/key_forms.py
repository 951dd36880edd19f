"""The forms of API keys, and of other words that may be secret and must not be shown."""

from __future__ import annotations

import re

OPENROUTER = "OpenRouter"
PREFIXES = (
    ("sk-or-", OPENROUTER),
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
"""The beginnings of keys. Those of Ollama have no documented form, so no Ollama key is doubted for lacking one."""

_OTHERS = ("sk-", "sk_", "nvapi-", "glpat-", "csk-", "fw_", "tgp_")
_OLLAMA = re.compile(r"[0-9a-f]{32}\.[\w-]{16,}")
_PIECES = re.compile(r"[\s\"'`=,;()<>]+")
_LONG_MIXED, _LONG = 12, 24
_REQUEST_ID = re.compile("[0-9a-f]{16}")
"""The ids that lbk itself gives, which people type and read in answers."""


def company_of(characters: str) -> str:
    """Return the company that a key seems to belong to, or ""."""
    return next((name for prefix, name in PREFIXES if characters.startswith(prefix)), "")


def may_be_secret(word: str) -> bool:
    """Say whether `word` has a piece that looks like a key.

    Such a piece begins as a key does, or is long and no word of any language.
    """
    return any(_looks_like_key(piece) for piece in _PIECES.split(word) if piece)


def is_key(word: str) -> bool:
    """Say whether `word` has the form of a company's key and of nothing else."""
    runs = re.findall("[A-Za-z0-9]+", word)
    return _OLLAMA.fullmatch(word) is not None or (bool(company_of(word)) and any(map(_is_random, runs)))


def _looks_like_key(piece: str) -> bool:
    begins = tuple(prefix for prefix, _ in PREFIXES) + _OTHERS
    return piece.startswith(begins) or any(map(_is_random, re.findall("[A-Za-z0-9]+", piece)))


def _is_random(run: str) -> bool:
    mixed = not run.isalpha() and not run.isdecimal()
    return len(run) >= (_LONG_MIXED if mixed else _LONG) and not _REQUEST_ID.fullmatch(run)
