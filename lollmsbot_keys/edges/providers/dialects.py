"""The dialects: the requests to each kind of endpoint, and the places of things in its answers.

Pure: bytes and dictionaries in, values out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum, auto
from typing import assert_never

from lollmsbot_keys.core.base.json_values import table
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Privacy, Provider, strip_cloud
from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.security.trusted_hosts import is_own_host
from lollmsbot_keys.edges.providers.call import Call
from lollmsbot_keys.edges.providers.usage import native_usage, usage_in

APP_NAME = "lollmsbot-keys"
_WORD_CHARACTERS = 100
_NO_TEXT = (
    *("reasoning", "reasoning_content", "reasoning_details", "thinking"),
    *("tool_calls", "function_call", "audio", "images"),
)
"""The fields of a message for a model's output that is not text."""


class Dialect(Enum):
    """The dialect of an endpoint: Ollama's own, OpenAI's, or OpenAI's with OpenRouter's additions."""

    NATIVE = auto()
    OPENAI = auto()
    OPENROUTER = auto()


class Piece(NamedTuple):
    """The contents of one event.

    `begun`: the model has produced something, if only thoughts. `partial`: the event has a part of the answer, so that
    its figures may not be final. `error` is the whole event; the rest of such an event tells only the cost of the
    failure. `whole`: it is a finished answer by itself, not a part of a stream.
    """

    text: str = ""
    begun: bool = False
    finish: str | None = None
    usage: Usage | None = None
    partial: bool = False
    error: object = None
    id: str | None = None
    whole: bool = False


def dialect_of(provider: Provider, endpoint: str) -> Dialect:
    """Return the dialect of an endpoint: `/v1` is OpenAI's, `/api` or nothing is Ollama's own."""
    if provider is Provider.OPENROUTER:
        return Dialect.OPENROUTER
    return Dialect.OPENAI if endpoint.rstrip("/").endswith("/v1") else Dialect.NATIVE


def root_of(endpoint: str) -> str:
    """Return an Ollama endpoint without `/v1` or `/api`: both live there."""
    return endpoint.rstrip("/").removesuffix("/v1").removesuffix("/api")


def chat_url(dialect: Dialect, endpoint: str) -> str:
    """Return the URL for a chat."""
    match dialect:
        case Dialect.NATIVE:
            return f"{root_of(endpoint)}/api/chat"
        case Dialect.OPENAI | Dialect.OPENROUTER:
            return f"{endpoint.rstrip('/')}/chat/completions"
        case _:
            assert_never(dialect)


def chat_body(dialect: Dialect, endpoint: str, call: Call) -> bytes:
    """Return the JSON body that asks for an answer.

    Halves of characters, as a shell may pass them, become `?`.
    """
    # Only a local daemon knows its cloud models by their suffix.
    model = call.model if call.provider is Provider.LOCAL else strip_cloud(call.model)
    messages = [{"role": message.role, "content": message.content} for message in call.messages]
    body: dict[str, object] = {"model": model, "messages": messages, "stream": call.stream}
    if dialect is Dialect.NATIVE:
        body["options"] = _given(num_predict=call.max_output_tokens, temperature=call.temperature)
    else:
        body |= _given(max_tokens=call.max_output_tokens, temperature=call.temperature)
    if dialect is Dialect.OPENROUTER:
        body["provider"] = _terms(call)
    # Without being asked, all but OpenRouter stream no usage; what may stand in its place (a relay, a server of one's
    # own) does not either. Its own hosts are not sent a field that they do not need.
    if call.stream and dialect is not Dialect.NATIVE and not is_own_host(Provider.OPENROUTER, endpoint):
        body["stream_options"] = {"include_usage": True}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def piece_of(dialect: Dialect, event: Mapping[str, object], *, local: bool) -> Piece:
    """Read one event, or one whole answer.

    `local` answers may leave a count of zero out.
    """
    piece = _native_piece(event, local=local) if dialect is Dialect.NATIVE else _openai_piece(event)
    return piece._replace(error=event) if event.get("error") else piece


def _given(**values: float | None) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _terms(call: Call) -> dict[str, object]:
    """Return OpenRouter's routing conditions: a price that the hold covers, and no prompt kept."""
    prices = (0, 0) if call.free else (call.price.input_usd_per_mtok, call.price.output_usd_per_mtok)
    # JSON has no decimals; Python writes a float with the same digits, up to fifteen of them.
    terms: dict[str, object] = {
        "max_price": {"prompt": float(prices[0]), "completion": float(prices[1]), "request": 0},
    }
    # Free models have no endpoint that promises this: they would all be refused.
    if call.privacy is not Privacy.LOW and not call.free:
        terms["data_collection"] = "deny"
    return terms


def _native_piece(event: Mapping[str, object], *, local: bool) -> Piece:
    message = table(event.get("message"))
    done = event.get("done") is True
    return Piece(
        text=_text(message.get("content")),
        begun=bool(message.get("content") or message.get("thinking") or message.get("tool_calls")),
        finish=_word(event.get("done_reason")) or "stop" if done else None,
        usage=native_usage(event, local=local) if done else None,
        whole=done or ("done" not in event and bool(message)),
    )


def _openai_piece(event: Mapping[str, object]) -> Piece:
    choice = _first(event.get("choices"))
    finish = _word(choice.get("finish_reason"))
    part = table(choice.get("delta")) or table(choice.get("message"))
    text = _text(part.get("content")) or _text(part.get("refusal"))
    begun = bool(text) or any(part.get(name) for name in _NO_TEXT)
    return Piece(
        text=text,
        begun=begun,
        finish=finish,
        usage=usage_in(event),
        partial=bool(choice) and finish is None,
        error=_error_of(event, choice, finish),
        id=_word(event.get("id")),
        whole=isinstance(choice.get("message"), dict),
    )


def _error_of(event: Mapping[str, object], choice: Mapping[str, object], finish: str | None) -> object:
    """Return the event with the error of its choice moved to the usual place; `None` if there is none."""
    if not choice.get("error") and finish != "error":
        return None
    return {**event, "error": choice.get("error") or {"message": "the provider ended the answer with an error"}}


def _text(content: object) -> str:
    """Return a text, or the joined texts of a list of parts."""
    if isinstance(content, list):
        return "".join(_text(table(part).get("text")) for part in content)
    return content if isinstance(content, str) else ""


def _word(value: object) -> str | None:
    return value[:_WORD_CHARACTERS] if isinstance(value, str) and value else None


def _first(values: object) -> Mapping[str, object]:
    return table(values[0]) if isinstance(values, list) and values else {}
