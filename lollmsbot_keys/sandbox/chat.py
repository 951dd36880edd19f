"""The way of a chat request from its body to a reply, as far as all providers share it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.sandbox.accounts import SandboxKey
from lollmsbot_keys.sandbox.dialects import FakeDialect, Json, streamed, whole
from lollmsbot_keys.sandbox.fake_answer import FakeAnswer, compose, with_text
from lollmsbot_keys.sandbox.fault_kinds import KINDS, FaultKind, FaultScope
from lollmsbot_keys.sandbox.fault_replies import Situation, replacement
from lollmsbot_keys.sandbox.fault_schedule import Fault
from lollmsbot_keys.sandbox.http import HttpReply, HttpRequest, json_reply

_TOKENS_OF_AN_EXCESS = 10_000_000


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request on its way: its sender, its content, and the fault that it meets."""

    request: HttpRequest
    provider: Provider
    where: FaultScope
    key: SandboxKey | None
    fault: Fault | None
    body: Json | None
    number: int
    now_s: float
    elsewhere: str

    @property
    def situation(self) -> Situation:
        authorization = self.request.headers.get("authorization", "")
        model = text_of(self.body, "model")
        path, now_s = self.request.path, self.now_s
        return Situation(self.provider, path, model, self.wants_stream, authorization, now_s, self.elsewhere)

    @property
    def wants_stream(self) -> bool:
        """Whether the answer is streamed.

        Ollama's native chat streams unless told not to, the others only when told to.
        """
        native = self.where is FaultScope.CHAT and self.request.path.endswith("/api/chat")
        return bool((self.body or {}).get("stream", native))


def text_of(body: Json | None, name: str) -> str:
    value = (body or {}).get(name)
    return value if isinstance(value, str) else ""


def table_of(body: Json | None, name: str) -> Json:
    value = (body or {}).get(name)
    return value if isinstance(value, dict) else {}


def output_limit(body: Json | None) -> int | None:
    """Return the cap on the answer in tokens, by whichever name the dialect has for it.

    There is none where it is not positive.
    """
    given = body or {}
    options = table_of(body, "options").get("num_predict")
    for value in (given.get("max_completion_tokens"), given.get("max_tokens"), options):
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def composed(call: ChatRequest, identity: str, model: str, provider: str) -> FakeAnswer:
    """Compose the answer to a call, with the end that its fault asks for."""
    answer = compose(identity, model, provider, call.body or {}, int(call.now_s), output_limit(call.body))
    match call.fault:
        case Fault(kind=FaultKind(name="empty"), value=str(reason)):
            return replace(answer, pieces=(), completion_tokens=0, finish_reason=reason)
        case Fault(kind=FaultKind(name="finish"), value=str(reason)):
            return replace(answer, finish_reason=reason)
        case _:
            return answer


def troubled(call: ChatRequest, answer: FakeAnswer) -> FakeAnswer:
    """Change the words or the counts of an answer as the call's fault asks."""
    if call.fault is None:
        return answer
    priced = answer.cost_usd is not None
    match call.fault.kind.name:
        case "echo200":
            header = call.situation.authorization or "(no Authorization header)"
            middle = len(header) // 2
            return with_text(answer, "The header was: ", header[:middle], header[middle:])
        case "zero":
            return (
                replace(answer, cost_usd=Decimal(0))
                if priced
                else replace(answer, prompt_tokens=0, completion_tokens=0)
            )
        case "over":
            excess = Decimal(call.fault.value or 0)
            return (
                replace(answer, cost_usd=excess) if priced else replace(answer, completion_tokens=_TOKENS_OF_AN_EXCESS)
            )
        case _:
            return answer


def deliver(call: ChatRequest, dialect: FakeDialect, answer: FakeAnswer, *headers: tuple[str, str]) -> HttpReply:
    """Send the answer in its dialect, with the faults that live inside a body."""
    kind = "" if call.fault is None else call.fault.kind.name
    if not call.wants_stream:
        return _deliver_whole(call, dialect, answer, *headers)
    usage_chunk = table_of(call.body, "stream_options").get("include_usage") is True
    parts = streamed(dialect, answer, usage_chunk=usage_chunk)
    half = parts.text[: max(1, len(parts.text) // 2)]
    match kind:
        case "errormid":
            frames = (*parts.opening, *half, parts.error)
        case "unfinished":
            frames = (*parts.opening, *parts.text)
        case "heartbeats":
            frames = _between((*parts.opening, *parts.text, *parts.closing), _BEATS[dialect])
        case _:
            frames = (*parts.opening, *parts.text, *parts.closing)
    return HttpReply(200, frames, (("Content-Type", parts.content_type), ("Cache-Control", "no-cache"), *headers))


_BEATS = {
    FakeDialect.NATIVE: b"\n",
    **dict.fromkeys((FakeDialect.OPENAI, FakeDialect.OPENROUTER), b"data:\n\nevent: ping\ndata: 12:00:00\n\nbeat\n\n"),
}


def _between(frames: tuple[bytes, ...], beat: bytes) -> tuple[bytes, ...]:
    return tuple(part for frame in frames for part in (beat, frame))


def _deliver_whole(call: ChatRequest, dialect: FakeDialect, answer: FakeAnswer, *headers: tuple[str, str]) -> HttpReply:
    reply = json_reply(200, whole(dialect, answer), *headers)
    match "" if call.fault is None else call.fault.kind.name:
        case "errormid":
            return _error_in_200(call) or reply
        case "unfinished":
            data = b"".join(frame for frame in reply.frames if isinstance(frame, bytes))
            return replace(reply, frames=(data[: len(data) // 2],), length=len(data) // 2)
        case _:
            return reply


def _error_in_200(call: ChatRequest) -> HttpReply | None:
    return replacement(Fault(call.provider, KINDS["error200"]), call.situation)
