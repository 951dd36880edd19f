"""OpenRouter: chat, prices, and the facts that a key can read about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from math import ceil
from time import gmtime, strftime
from urllib.parse import parse_qs

from lollmsbot_keys.sandbox.accounts import SandboxKey
from lollmsbot_keys.sandbox.chat import ChatRequest, composed, deliver, table_of, text_of, troubled
from lollmsbot_keys.sandbox.dialects import FakeDialect, Json
from lollmsbot_keys.sandbox.fake_answer import FakeAnswer
from lollmsbot_keys.sandbox.fault_replies import (
    data_policy_404,
    free_daily_429,
    key_limit_402,
    openrouter_failure,
    platform_429,
)
from lollmsbot_keys.sandbox.http import HttpReply, json_reply
from lollmsbot_keys.sandbox.models import FREE, OPENROUTER_FREE, OPENROUTER_PAID, OPENROUTER_ROUTERS, Rate

_CREDITS_USD = 100
_FREE_PER_MINUTE = 20
_CREATED_S = 1_754_414_229
_DAY_S = 86_400


class OpenRouter:
    """The answers of openrouter.ai under /api/v1, except the management of keys."""

    def __init__(self) -> None:
        self.models: Mapping[str, Rate] = {**OPENROUTER_PAID, **dict.fromkeys(OPENROUTER_FREE, FREE)}
        self._generations: dict[str, Json] = {}

    def chat(self, call: ChatRequest) -> HttpReply:
        key = call.key
        if key is None or key.disabled or key.management:
            return unauthorized(call)
        asked = text_of(call.body, "model")
        if call.body is None or not asked:
            return openrouter_failure(400, "No models provided")
        served = OPENROUTER_ROUTERS.get(asked, asked)
        rate = self.models.get(served)
        if rate is None:
            return _no_such_model(asked)
        refusal = _refused_by_preferences(call.body, served, rate) or _refused_by_limits(call, key, served)
        return refusal or self._answer(call, key, served, rate)

    def _answer(self, call: ChatRequest, key: SandboxKey, model: str, rate: Rate) -> HttpReply:
        identity = f"gen-{int(call.now_s)}-{call.number:020d}"
        answer = composed(call, identity, model, "openrouter")
        true_cost_usd = rate.cost_usd(answer.prompt_tokens, answer.completion_tokens)
        answer = troubled(call, replace(answer, cost_usd=true_cost_usd))
        billed_usd = max(true_cost_usd, answer.cost_usd or true_cost_usd)
        for usage in (key.usage, key.account.usage):
            usage.add(answer.prompt_tokens, answer.completion_tokens, billed_usd, call.now_s)
        if model.endswith(":free"):
            key.account.use_free()
        self._generations[identity] = _generation(call, answer, billed_usd)
        return deliver(call, FakeDialect.OPENROUTER, answer, ("X-Generation-Id", identity))

    def list_models(self, _call: ChatRequest) -> HttpReply:
        routers = [_listed(name, "-1" if name == "openrouter/auto" else "0", None) for name in OPENROUTER_ROUTERS]
        data = [*(_listed(name, None, rate) for name, rate in self.models.items()), *routers]
        return json_reply(200, {"data": data, "total_count": len(data), "links": {"next": None}})

    def key(self, call: ChatRequest) -> HttpReply:
        if call.key is None or call.key.disabled:
            return unauthorized(call)
        others = call.fault is not None and call.fault.kind.name == "others"
        elsewhere_usd = Decimal(call.fault.value or 0) if call.fault is not None and others else Decimal(0)
        return json_reply(200, {"data": {**_about(call.key, call.now_s, elsewhere_usd), **_bent(call)}})

    def credits(self, call: ChatRequest) -> HttpReply:
        if call.key is None or call.key.disabled:
            return unauthorized(call)
        if not call.key.management:
            return openrouter_failure(403, "Only management keys can perform this operation")
        used = float(call.key.account.usage.cost_usd)
        return json_reply(200, {"data": {"total_credits": _CREDITS_USD, "total_usage": used}})

    def generation(self, call: ChatRequest) -> HttpReply:
        if call.key is None or call.key.disabled:
            return unauthorized(call)
        identity = parse_qs(call.request.query).get("id", [""])[0]
        known = self._generations.get(identity)
        if known is None:
            return openrouter_failure(404, f"Generation {identity} not found")
        return json_reply(200, {"data": known})


def unauthorized(call: ChatRequest) -> HttpReply:
    missing = call.request.bearer is None
    return openrouter_failure(401, "Missing Authentication header" if missing else "User not found.")


def _no_such_model(asked: str) -> HttpReply:
    if asked.endswith(":free"):
        return openrouter_failure(404, f"No endpoints found for {asked}.")
    return openrouter_failure(400, f"{asked} is not a valid model ID")


def _refused_by_preferences(body: Json, model: str, rate: Rate) -> HttpReply | None:
    preferences = table_of(body, "provider")
    if model.endswith(":free") and (preferences.get("data_collection") == "deny" or preferences.get("zdr") is True):
        return data_policy_404()
    most = table_of(preferences, "max_price")
    asked = (("prompt", rate.input_usd_per_mtok), ("completion", rate.output_usd_per_mtok))
    if all(price <= _usd(most.get(part), price) for part, price in asked):
        return None
    filtered: Json = {"code": "constraint_filtered", "retryable": False, "requested_models": [model]}
    message = f"No endpoints found for {model} that satisfy provider.max_price"
    return openrouter_failure(404, message, availability=filtered, metadata={"error_type": "not_found"})


def _usd(value: object, otherwise: Decimal) -> Decimal:
    if value is None:
        return otherwise
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)


def _refused_by_limits(call: ChatRequest, key: SandboxKey, model: str) -> HttpReply | None:
    if key.limit_remaining_usd is not None and key.limit_remaining_usd <= 0:
        return key_limit_402()
    if not model.endswith(":free"):
        return None
    if key.account.free_left(call.now_s) <= 0:
        return free_daily_429(call.now_s, key.account.free_per_day)
    wait_s = key.account.free_minute.wait_s(call.now_s)
    if wait_s <= 0:
        return None
    reset_ms = str(ceil((call.now_s + wait_s) * 1000))
    return platform_429("Rate limit exceeded: free-models-per-min. ", _FREE_PER_MINUTE, reset_ms)


def _generation(call: ChatRequest, answer: FakeAnswer, cost_usd: Decimal) -> Json:
    cost = float(cost_usd)
    return {
        "id": answer.id,
        "model": answer.model,
        "provider_name": "Sandbox",
        "total_cost": cost,
        "usage": cost,
        "upstream_inference_cost": None,
        "tokens_prompt": answer.prompt_tokens,
        "tokens_completion": answer.completion_tokens,
        "native_tokens_prompt": answer.prompt_tokens,
        "native_tokens_completion": answer.completion_tokens,
        "finish_reason": answer.finish_reason,
        "streamed": call.wants_stream,
        "cancelled": False,
        "is_byok": False,
        "created_at": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(call.now_s)),
    }


def _listed(name: str, same_price: str | None, rate: Rate | None) -> Json:
    if rate is None:
        pricing = {"prompt": same_price, "completion": same_price}
    else:
        pricing = {"prompt": _per_token(rate.input_usd_per_mtok), "completion": _per_token(rate.output_usd_per_mtok)}
    context: Json = {"context_length": 131_072, "max_completion_tokens": None, "is_moderated": False}
    known: Json = {"canonical_slug": name, "name": name, "created": _CREATED_S, "context_length": 131_072}
    rest: Json = {"supported_parameters": ["max_tokens", "temperature"], "expiration_date": None}
    return {"id": name, **known, "pricing": pricing, "top_provider": context, **rest}


def _per_token(usd_per_mtok: Decimal) -> str:
    return format((usd_per_mtok / 1_000_000).normalize(), "f")


def _bent(call: ChatRequest) -> Json:
    """Return the facts about a key that a fault of the key check changes."""
    match call.fault.kind.name if call.fault is not None else "":
        case "spent":
            return {"limit": 10, "limit_remaining": 0, "limit_reset": "monthly", "usage_monthly": 10}
        case "expired":
            return {"expires_at": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(call.now_s - 86_400))}
        case _:
            return {}


def _begins_s(now_s: float) -> dict[str, float]:
    """Return when the UTC day, the week from Monday and the month began, in seconds since the epoch."""
    today = gmtime(now_s)
    midnight_s = now_s // _DAY_S * _DAY_S
    days = {"daily": 0, "weekly": today.tm_wday, "monthly": today.tm_mday - 1}
    return {span: midnight_s - count * _DAY_S for span, count in days.items()}


def _about(key: SandboxKey, now_s: float, elsewhere_usd: Decimal = Decimal(0)) -> Json:
    """Return the facts that a key may read about itself.

    `elsewhere_usd` was spent with it by somebody that the sandbox has not seen.
    """
    used = {
        span: float(key.usage.since(begin_s).cost_usd + elsewhere_usd) for span, begin_s in _begins_s(now_s).items()
    }
    left = key.limit_remaining_usd
    account = key.account
    free_left = account.free_left(now_s)
    free: Json = {"used": account.free_per_day - free_left, "limit": account.free_per_day, "remaining": free_left}
    return {
        "label": key.label,
        "limit": None if key.limit_usd is None else float(key.limit_usd),
        "limit_reset": key.limit_reset,
        "limit_remaining": None if left is None else float(left),
        "include_byok_in_limit": False,
        "usage": float(key.usage.cost_usd + elsewhere_usd),
        **{f"usage_{span}": amount for span, amount in used.items()},
        **{f"byok_usage{span}": 0 for span in ("", "_daily", "_weekly", "_monthly")},
        "is_free_tier": False,
        "is_management_key": key.management,
        "is_provisioning_key": key.management,
        "expires_at": key.expires_at,
        "creator_user_id": account.id,
        "free_model_daily_requests": free,
        "rate_limit": {"requests": 1000, "interval": "1h", "note": "This field is deprecated and safe to ignore."},
    }
