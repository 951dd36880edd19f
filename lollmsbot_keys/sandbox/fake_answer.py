"""The sandbox's answers and their numbers of tokens, the same for the same question every time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

_BYTES_PER_TOKEN = 4
_LONGEST_QUOTE_CHARACTERS = 240


@dataclass(frozen=True, slots=True)
class FakeAnswer:
    """One finished answer, before it is put into a dialect."""

    id: str
    model: str
    created_s: int
    pieces: tuple[str, ...]
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Decimal | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def tokens(text: str) -> int:
    """Estimate the tokens of a text: one for about four bytes, at least one for any text."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


def compose(
    identity: str, model: str, provider: str, body: Mapping[str, object], created_s: int, limit_tokens: int | None
) -> FakeAnswer:
    """Answer the last message of `body["messages"]` in at most `limit_tokens` tokens."""
    texts = message_texts(body)
    said = texts[-1] if texts else ""
    quote = said if len(said) <= _LONGEST_QUOTE_CHARACTERS else said[:_LONGEST_QUOTE_CHARACTERS] + "…"
    text = f"Sandbox {model} here, on {provider}. You said: {quote}"
    kept = text if limit_tokens is None else _first_tokens(text, limit_tokens)
    return FakeAnswer(
        id=identity,
        model=model,
        created_s=created_s,
        pieces=_pieces(kept),
        finish_reason="stop" if kept == text else "length",
        prompt_tokens=max(1, sum(tokens(part) for part in texts)),
        completion_tokens=tokens(kept),
    )


def with_text(answer: FakeAnswer, *pieces: str) -> FakeAnswer:
    return replace(answer, pieces=pieces, completion_tokens=tokens("".join(pieces)))


def message_texts(body: Mapping[str, object]) -> list[str]:
    """Return the text of each message in order; of a list of parts, the parts that are text."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return []
    return [_content(message.get("content")) for message in messages if isinstance(message, dict)]


def _content(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _first_tokens(text: str, limit: int) -> str:
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= limit * _BYTES_PER_TOKEN:
        return text
    return data[: limit * _BYTES_PER_TOKEN].decode("utf-8", "ignore")


def _pieces(text: str) -> tuple[str, ...]:
    """Split text into pieces of a few words, as a provider's stream has them."""
    return tuple(re.findall(r"\S+\s*\S*\s*|\s+", text)) or ("",)
