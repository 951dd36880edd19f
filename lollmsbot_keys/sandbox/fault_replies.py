"""The replies of each kind of fault, with bodies and headers as the providers have been seen to send them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import gmtime, strftime

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.sandbox.dialects import Json
from lollmsbot_keys.sandbox.fault_schedule import Fault
from lollmsbot_keys.sandbox.http import Cut, HttpReply, Pause, bytes_reply, json_reply

_REF = "(ref: 5a4db0c5-0000-4000-8000-000000000000)"
_DAY_S = 86_400
_PERSONAL = frozenset({402, 404, 429})  # statuses whose body tells who asked


@dataclass(frozen=True, slots=True)
class Situation:
    """The request that meets a fault."""

    provider: Provider
    path: str
    model: str
    stream: bool
    authorization: str
    now_s: float
    elsewhere: str

    @property
    def openai_shape(self) -> bool:
        """Whether errors are objects even from Ollama.

        Its daemon's /v1 gives them that shape.
        """
        return self.provider is Provider.LOCAL and self.path.startswith("/v1")


def failure(situation: Situation, status: int, message: str) -> HttpReply:
    """Return an error in the provider's own shape."""
    if situation.provider is Provider.OPENROUTER:
        return openrouter_failure(status, message)
    return ollama_failure(status, message, openai_shape=situation.openai_shape)


def ollama_failure(status: int, message: str, *headers: tuple[str, str], openai_shape: bool = False) -> HttpReply:
    if not openai_shape:
        return json_reply(status, {"error": message}, *headers)
    kind = {400: "invalid_request_error", 404: "not_found_error"}.get(status, "api_error")
    return json_reply(status, {"error": {"message": message, "type": kind, "param": None, "code": None}}, *headers)


def openrouter_failure(status: int, message: str, *, metadata: Json | None = None, **more: object) -> HttpReply:
    error: Json = {"message": message, "code": status, **more}
    if metadata is not None:
        error["metadata"] = metadata
    who: Json = {"user_id": "user_sandbox"} if status in _PERSONAL else {}
    return json_reply(status, {"error": error, **who})


def replacement(fault: Fault, situation: Situation) -> HttpReply | None:
    """Return the whole reply of a fault that takes the answer's place; `None` for one that only bends the answer."""
    if fault.reply is not None:
        return fault.reply
    page = _PAGES.get(fault.kind.name)
    if page is not None:
        return page(situation)
    table = _OPENROUTER if situation.provider is Provider.OPENROUTER else _OLLAMA
    row = table.get(fault.kind.name)
    return None if row is None else row(situation, fault)


def bend(fault: Fault, reply: HttpReply) -> HttpReply:
    """Break the transport of a finished reply; for faults of other kinds leave it as it is."""
    data = tuple(frame for frame in reply.frames if isinstance(frame, bytes))
    half = (data[0][: len(data[0]) // 2],) if len(data) == 1 else data[: len(data) // 2]
    match fault.kind.name:
        case "drop" | "lost":
            return replace(reply, frames=(Cut(),))
        case "slow":
            return replace(reply, frames=(Pause(fault.amount), *reply.frames))
        case "cut":
            return replace(reply, frames=(*half, Cut()))
        case "stall":
            return replace(reply, frames=(*half, Pause(fault.amount), Cut()))
        case _:
            return reply


# The two tables of statuses. A row: situation and fault in, reply out.

Row = Callable[[Situation, Fault], HttpReply]


def _ollama(status: int, message: str) -> Row:
    def row(situation: Situation, _fault: Fault) -> HttpReply:
        text = message.format(model=json.dumps(situation.model, ensure_ascii=False), ref=_REF)
        return failure(situation, status, text)

    return row


def _refused(situation: Situation, _fault: Fault) -> HttpReply:
    if situation.provider is Provider.LOCAL:
        signin = "https://ollama.com/connect?name=sandbox&key=none"
        return json_reply(401, {"error": "unauthorized", "signin_url": signin})
    return ollama_failure(401, "Unauthorized" if "/v1/" in situation.path else "unauthorized")


_QUOTA = (
    "you (sandboxuser) have reached your weekly usage limit, upgrade for higher limits: "
    "https://ollama.com/upgrade or add extra usage: https://ollama.com/settings {ref}"
)
_RETRY_AFTER = "Retry-After"


def _with_header(row: Row, header: str) -> Row:
    def with_header(situation: Situation, fault: Fault) -> HttpReply:
        return row(situation, fault).with_headers((header, fault.value or ""))

    return with_header


def _limited_page(_situation: Situation, fault: Fault) -> HttpReply:
    """Return Cloudflare's error page 1015; its `Retry-After` comes from the server behind Cloudflare."""
    page = (
        b"<!DOCTYPE html>\n<html><head><title>Error 1015</title></head><body>You are being rate limited</body></html>"
    )
    return bytes_reply(429, page, "text/html; charset=UTF-8", (_RETRY_AFTER, fault.value or ""))


_OLLAMA: Mapping[str, Row] = {
    "400": _ollama(400, "invalid request: the sandbox was asked to refuse it"),
    "401": _refused,
    "401chat": _refused,
    "402": _ollama(402, "this model is not included in your free usage; add credits at ollama.com/settings"),
    "403": _ollama(403, "this model requires a subscription, upgrade for access: https://ollama.com/upgrade {ref}"),
    "404": _ollama(404, "model {model} not found"),
    "408": _ollama(408, "request timed out {ref}"),
    "410": _ollama(410, "model {model} has been retired"),
    "429": _ollama(429, _QUOTA),
    "429retry": _with_header(_ollama(429, _QUOTA), _RETRY_AFTER),
    "429reset": _with_header(_ollama(429, _QUOTA), "X-RateLimit-Reset"),
    "429slot": _ollama(429, "timed out waiting for a concurrent request slot"),
    "html429": _limited_page,
    "500": _ollama(500, "Internal Server Error {ref}"),
    "502": _ollama(502, "the cloud model cannot be reached {ref}"),
    "503": _ollama(503, "Server overloaded, please retry shortly {ref}"),
    "503retry": _with_header(_ollama(503, "Server overloaded, please retry shortly {ref}"), _RETRY_AFTER),
    "504": _ollama(504, "Gateway Timeout {ref}"),
    "524": _ollama(524, "A timeout occurred {ref}"),
    "529": _ollama(529, "Overloaded {ref}"),
    "error200": _ollama(200, "an error was encountered while running the model"),
}


def _openrouter(status: int, message: str, **metadata: object) -> Row:
    def row(situation: Situation, _fault: Fault) -> HttpReply:
        return openrouter_failure(status, message.format(model=situation.model), metadata=metadata or None)

    return row


def platform_429(message: str, limit: int, reset_ms: str, limit_source: str | None = None) -> HttpReply:
    """Return OpenRouter's own limit.

    The reset is in epoch milliseconds, in the headers and again in the body.
    """
    headers = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset_ms}
    source: Json = {} if limit_source is None else {"limit_source": limit_source}
    reply = openrouter_failure(429, message, metadata={"headers": headers, **source})
    return reply.with_headers(*headers.items())


def free_daily_429(now_s: float, limit: int) -> HttpReply:
    reset_ms = str((int(now_s) // _DAY_S + 1) * _DAY_S * 1000)
    message = "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day"
    return platform_429(message, limit, reset_ms, "openrouter_free_tier_daily")


def _limited(situation: Situation, fault: Fault) -> HttpReply:
    return platform_429("Rate limit exceeded", 20, str(int((situation.now_s + fault.amount) * 1000)))


def _limited_until(_situation: Situation, fault: Fault) -> HttpReply:
    return platform_429("Rate limit exceeded", 20, fault.value or "")


def _upstream(situation: Situation, fault: Fault) -> HttpReply:
    seconds = fault.value or ""
    metadata: Json = {
        "raw": f"{situation.model} is temporarily rate-limited upstream. Please retry shortly",
        "provider_name": "Sandbox",
        "is_byok": False,
        "limit_source": "upstream_provider_shared_pool",
        "retry_after_seconds": float(seconds) if seconds.isdecimal() else seconds,
        "headers": {_RETRY_AFTER: seconds},
    }
    reply = openrouter_failure(429, "Provider returned error", metadata=metadata)
    return reply.with_headers((_RETRY_AFTER, seconds))


def _no_capacity(situation: Situation, fault: Fault) -> HttpReply:
    availability: Json = {
        "code": "capacity_exhausted",
        "retryable": True,
        "retry_after": fault.amount,
        "requested_models": [situation.model],
        "fallback_models": [],
    }
    message = "No capacity left for the requested model"
    error: Json = {"message": message, "error_type": "rate_limit_exceeded", "http_status": 429}
    return json_reply(429, {"error": {**error, "availability": availability, "metadata": {"previous_errors": []}}})


def _budget_spent(situation: Situation, fault: Fault) -> HttpReply:
    resets_at = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(situation.now_s + fault.amount))
    budget: Json = {"scope": "key", "limit_usd": 10, "spend_usd": 10, "resets_at": resets_at}
    metadata: Json = {"limit_source": "openrouter_key_limit", **budget}
    return openrouter_failure(403, "Key limit exceeded", metadata=metadata)


def _moderated(situation: Situation, _fault: Fault) -> HttpReply:
    metadata: Json = {
        "reasons": ["violence"],
        "flagged_input": "(the sandbox was asked to flag it)",
        "provider_name": "Sandbox",
        "model_slug": situation.model,
    }
    message = f"{situation.model} requires moderation on Sandbox. Your input was flagged"
    return openrouter_failure(403, message, metadata=metadata)


def _error_in_200(situation: Situation, _fault: Fault) -> HttpReply:
    error: Json = {"code": 502, "message": "Provider returned error"}
    if situation.stream:
        return json_reply(200, {"error": error})
    choice = {"index": 0, "finish_reason": "error", "error": error, "message": {"role": "assistant", "content": ""}}
    return json_reply(200, {"id": "gen-error200", "model": situation.model, "choices": [choice]})


_NO_CREDIT = "Insufficient credits. Add more using https://openrouter.ai/settings/credits"
_TOO_DEAR = (
    "This request requires more credits, or fewer max_tokens. You requested up to 16000 tokens, but can only afford "
    "7217. To increase, visit https://openrouter.ai/settings/credits and upgrade to a paid account"
)
_DATA_POLICY = (
    "No endpoints found matching your data policy (Free model publication). "
    "Configure: https://openrouter.ai/settings/privacy"
)


def key_limit_402() -> HttpReply:
    metadata: Json = {"limit_source": "openrouter_key_limit", "remedy_hint": "raise the key's limit"}
    return openrouter_failure(402, "This key has reached its credit limit", metadata=metadata)


def data_policy_404() -> HttpReply:
    return openrouter_failure(404, _DATA_POLICY)


def _no_allowed_providers(_situation: Situation, _fault: Fault) -> HttpReply:
    metadata: Json = {"available_providers": ["sandbox"], "requested_providers": ["elsewhere"]}
    return openrouter_failure(404, "No allowed providers are available for the selected model.", metadata=metadata)


_unavailable = _openrouter(503, "Service temporarily unavailable")

_OPENROUTER: Mapping[str, Row] = {
    "400": _openrouter(400, "Invalid request: the sandbox was asked to refuse it", error_type="invalid_request"),
    "401": _openrouter(401, "User not found."),
    "401chat": _openrouter(401, "User not found."),
    "402": _openrouter(402, _NO_CREDIT, limit_source="openrouter_credits", remedy_hint="add credits"),
    "402afford": _openrouter(402, _TOO_DEAR),
    "402limit": lambda _situation, _fault: key_limit_402(),
    "402inflight": _with_header(
        _openrouter(402, "Too much in flight", limit_source="openrouter_in_flight_budget"), _RETRY_AFTER
    ),
    "403": _openrouter(403, "Request blocked: prompt injection patterns detected", patterns=["(sandbox)"]),
    "403limit": _budget_spent,
    "moderation": _moderated,
    "404": _openrouter(404, "No endpoints found for {model}."),
    "404providers": _no_allowed_providers,
    "404policy": lambda _situation, _fault: data_policy_404(),
    "408": _openrouter(408, "Operation timed out. Please try again later."),
    "410": _openrouter(410, "{model} has been retired"),
    "429": _limited,
    "429retry": _with_header(_openrouter(429, "Rate limit exceeded"), _RETRY_AFTER),
    "429reset": _limited_until,
    "429upstream": _upstream,
    "429capacity": _no_capacity,
    "429free": lambda situation, _fault: free_daily_429(situation.now_s, 50),
    "html429": _limited_page,
    "500": _openrouter(500, "Internal Server Error"),
    "502": _openrouter(502, "Provider returned error"),
    "503": _unavailable,
    "503retry": _with_header(_unavailable, _RETRY_AFTER),
    "504": _openrouter(504, "Gateway timeout"),
    "524": _openrouter(524, "Request timed out. Please try again later."),
    "529": _openrouter(529, "Provider returned error", error_type="provider_overloaded"),
    "error200": _error_in_200,
}


# What proxies, portals and broken servers send, whoever is asked.


def _html(status: int, title: str, text: str) -> Callable[[Situation], HttpReply]:
    head = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n"
    page = f"{head}<body><h1>{title}</h1><p>{text}</p></body></html>\n"
    return lambda _situation: bytes_reply(status, page.encode(), "text/html; charset=UTF-8")


def _redirected(situation: Situation) -> HttpReply:
    location = f"{situation.elsewhere}{situation.path}"
    return bytes_reply(302, b"", "text/plain", ("Location", location))


def _junk(situation: Situation) -> HttpReply:
    if situation.stream:
        return bytes_reply(200, b'data: {"choices": [\n\n\xff\xfe junk\n\n', "text/event-stream")
    return bytes_reply(200, b'{"choices": [\xff\xfe', "application/json")


def _echo(situation: Situation) -> HttpReply:
    header = situation.authorization or "(no Authorization header)"
    seen = json.dumps({"headers": {"authorization": header}})
    reply = failure(situation, 500, f"unexpected request: Authorization: {header}; parsed as {seen}")
    return reply.with_headers(("X-Debug-Authorization", header))


_PAGES: Mapping[str, Callable[[Situation], HttpReply]] = {
    "html403": _html(403, "Attention Required! | Cloudflare", "Sorry, you have been blocked"),
    "html200": _html(200, "Welcome to Airport WiFi", "Please accept our terms to go online"),
    "redirect": _redirected,
    "junk": _junk,
    "echo": _echo,
}
