"""One answer in the three dialects, streamed or whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from time import gmtime, strftime

from lollmsbot_keys.sandbox.fake_answer import FakeAnswer
from lollmsbot_keys.sandbox.http import json_bytes

Json = dict[str, object]


class FakeDialect(StrEnum):
    """The dialect of a chat endpoint."""

    NATIVE = "native"
    OPENAI = "openai"
    OPENROUTER = "openrouter"


@dataclass(frozen=True, slots=True)
class Stream:
    """A streamed answer in its parts, so that a fault can end it anywhere."""

    content_type: str
    opening: tuple[bytes, ...]
    text: tuple[bytes, ...]
    closing: tuple[bytes, ...]
    error: bytes


def streamed(dialect: FakeDialect, answer: FakeAnswer, *, usage_chunk: bool) -> Stream:
    """Return the answer as a stream.

    `usage_chunk` matters to Ollama's /v1 alone: the others always tell the usage.
    """
    match dialect:
        case FakeDialect.NATIVE:
            return _native_stream(answer)
        case FakeDialect.OPENAI:
            return _openai_stream(answer, usage_chunk=usage_chunk)
        case FakeDialect.OPENROUTER:
            return _openrouter_stream(answer)


def whole(dialect: FakeDialect, answer: FakeAnswer) -> Json:
    """Return the answer as one JSON document."""
    match dialect:
        case FakeDialect.NATIVE:
            return {**_native_line(answer, answer.text), **_native_end(answer)}
        case FakeDialect.OPENAI:
            choice = {"index": 0, "message": _message(answer), "finish_reason": answer.finish_reason}
            head = _openai_head(answer, "chat.completion")
            return {**head, "choices": [choice], "usage": _openai_usage(answer)}
        case FakeDialect.OPENROUTER:
            ending = {"finish_reason": answer.finish_reason, "native_finish_reason": answer.finish_reason}
            message = {**_message(answer), "refusal": None, "reasoning": None}
            choice = {"logprobs": None, **ending, "index": 0, "message": message}
            head = _openrouter_head(answer, "chat.completion")
            return {**head, "choices": [choice], "system_fingerprint": None, "usage": openrouter_usage(answer)}


def _message(answer: FakeAnswer) -> Json:
    return {"role": "assistant", "content": answer.text}


def _sse(value: object) -> bytes:
    return b"data: " + json_bytes(value) + b"\n\n"


_SSE = "text/event-stream; charset=utf-8"
_DONE = b"data: [DONE]\n\n"


# Ollama native


def _native_stream(answer: FakeAnswer) -> Stream:
    def line(value: Json) -> bytes:
        return json_bytes(value) + b"\n"

    last = {**_native_line(answer, ""), **_native_end(answer)}
    return Stream(
        content_type="application/x-ndjson",
        opening=(),
        text=tuple(line({**_native_line(answer, piece), "done": False}) for piece in answer.pieces),
        closing=(line(last),),
        error=line({"error": "an error was encountered while running the model"}),
    )


def _native_line(answer: FakeAnswer, content: str) -> Json:
    created_at = strftime("%Y-%m-%dT%H:%M:%S.000000000Z", gmtime(answer.created_s))
    return {"model": answer.model, "created_at": created_at, "message": {"role": "assistant", "content": content}}


def _native_end(answer: FakeAnswer) -> Json:
    counts = {"prompt_eval_count": answer.prompt_tokens, "eval_count": answer.completion_tokens}
    return {
        "done": True,
        "done_reason": answer.finish_reason,
        "total_duration": 174_560_334,
        "load_duration": 101_397_084,
        "prompt_eval_duration": 13_074_791,
        "eval_duration": 52_479_709,
        **{name: count for name, count in counts.items() if count},  # Ollama leaves a zero out
    }


# Ollama /v1


def _openai_stream(answer: FakeAnswer, *, usage_chunk: bool) -> Stream:
    def chunk(choices: list[Json], **more: object) -> bytes:
        return _sse({**_openai_head(answer, "chat.completion.chunk"), "choices": choices, **more})

    def delta(content: str) -> Json:
        return {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": None}

    finish = chunk([{"index": 0, "delta": {}, "finish_reason": answer.finish_reason}])
    usage = (chunk([], usage=_openai_usage(answer)),) if usage_chunk else ()
    return Stream(
        content_type=_SSE,
        opening=(),
        text=tuple(chunk([delta(piece)]) for piece in answer.pieces),
        closing=(finish, *usage, _DONE),
        error=_sse({"error": {"message": "an error was encountered while running the model", "type": "api_error"}}),
    )


def _openai_head(answer: FakeAnswer, kind: str) -> Json:
    head: Json = {"id": answer.id, "object": kind, "created": answer.created_s, "model": answer.model}
    return {**head, "system_fingerprint": "fp_ollama"}


def _openai_usage(answer: FakeAnswer) -> Json:
    prompt, completion = answer.prompt_tokens, answer.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


# OpenRouter


def _openrouter_stream(answer: FakeAnswer) -> Stream:
    head = _openrouter_head(answer, "chat.completion.chunk")
    chunk = _openrouter_chunk(head)
    stop = answer.finish_reason
    failure = {"code": 502, "message": "Provider disconnected", "metadata": {"error_type": "provider_unavailable"}}
    failed = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
    comment = b": OPENROUTER PROCESSING\n\n"
    return Stream(
        content_type=_SSE,
        opening=(comment, comment),
        text=tuple(chunk(piece, None, {}) for piece in answer.pieces),
        closing=(chunk("", stop, {}), comment, chunk("", stop, {"usage": openrouter_usage(answer)}), _DONE),
        error=_sse({**head, "error": failure, "choices": [failed]}),
    )


def _openrouter_chunk(head: Json) -> Callable[[str, str | None, Json], bytes]:
    def chunk(content: str, finish: str | None, more: Json) -> bytes:
        delta = {"role": "assistant", "content": content}
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "native_finish_reason": finish}
        return _sse({**head, "choices": [choice], **more})

    return chunk


def _openrouter_head(answer: FakeAnswer, kind: str) -> Json:
    head: Json = {"id": answer.id, "provider": "Sandbox", "model": answer.model}
    return {**head, "object": kind, "created": answer.created_s}


def openrouter_usage(answer: FakeAnswer) -> Json:
    cost = None if answer.cost_usd is None else float(answer.cost_usd)
    return {
        **_openai_usage(answer),
        "cost": cost,
        "is_byok": False,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0, "video_tokens": 0},
        "cost_details": {"upstream_inference_cost": None},
        "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0},
    }
