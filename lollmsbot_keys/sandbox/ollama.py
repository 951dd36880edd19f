"""Ollama: the cloud (ollama.com) and the daemon on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from math import ceil
from time import gmtime, strftime
from urllib.parse import parse_qsl

from lollmsbot_keys.core.model.config import is_cloud_name, strip_cloud
from lollmsbot_keys.sandbox.accounts import HOUR_S, FakeUsage
from lollmsbot_keys.sandbox.chat import ChatRequest, composed, deliver, text_of, troubled
from lollmsbot_keys.sandbox.dialects import FakeDialect, Json
from lollmsbot_keys.sandbox.fault_replies import ollama_failure
from lollmsbot_keys.sandbox.http import HttpReply, json_reply
from lollmsbot_keys.sandbox.models import LOCAL_MODELS, OLLAMA_RETIRED, OLLAMA_SERVED, REMOTE_HOST, LocalModel, Rate

_RELEASED_S = 1_754_352_000
_ALLOWANCE_USD = Decimal(100)
_OTHERS_TOKENS = 1_000_000
"""The number of tokens that somebody else gets for a dollar."""
_RANGES_H = {"24h": 24, "7d": 7 * 24, "30d": 30 * 24}
_MAY_BE_ASKED = {"range": set(_RANGES_H), "scope": {"self", "team"}, "group_by": {"model"}}


class OllamaCloud:
    """The answers of ollama.com under /api and /v1."""

    def __init__(self, *, serve_retired: bool = False) -> None:
        self.models: Mapping[str, Rate] = {**OLLAMA_SERVED, **(OLLAMA_RETIRED if serve_retired else {})}

    def chat(self, call: ChatRequest) -> HttpReply:
        if call.key is None:
            return unauthorized(call)
        model = text_of(call.body, "model")
        if call.body is None or not model:
            return ollama_failure(400, "invalid request body: model is required")
        rate = self.models.get(model)
        if rate is None:
            return not_found(model)
        true = composed(call, _identity(call), model, "ollama")
        answer = troubled(call, true)
        tokens = answer.prompt_tokens, max(answer.completion_tokens, true.completion_tokens)
        for usage in (call.key.usage, call.key.account.usage):
            usage.add(*tokens, rate.cost_usd(*tokens), call.now_s)
        return deliver(call, dialect_of(call), answer)

    def tags(self, _call: ChatRequest) -> HttpReply:
        return json_reply(200, {"models": [_tag(name) for name in self.models]})

    def list_models(self, _call: ChatRequest) -> HttpReply:
        return json_reply(200, _openai_models(self.models))

    def show(self, call: ChatRequest) -> HttpReply:
        model = text_of(call.body, "model")
        if model not in self.models:
            return not_found(model)
        return json_reply(200, _shown(model, LocalModel("unknown", "cloud")))

    def balance(self, call: ChatRequest) -> HttpReply:
        refusal = self._checked(call)
        if refusal is not None or call.key is None:
            return refusal or unauthorized(call)
        if call.request.query:
            return ollama_failure(400, "unexpected query parameter")
        if call.fault is not None and call.fault.kind.name == "legacy":
            return json_reply(200, _older_plan(call.now_s, call.fault.amount))
        spent = call.fault is not None and call.fault.kind.name == "spent"
        left = 0.0 if spent else float(max(Decimal(0), _ALLOWANCE_USD - call.key.account.usage.cost_usd))
        period = {"from": _iso(call.now_s - 8 * 86_400), "until": _iso(call.now_s + 22 * 86_400)}
        included: Json = {"balance_usd": left, "allowance_usd": float(_ALLOWANCE_USD), "period": period}
        return json_reply(200, {"included": included, "purchased": {"balance_usd": 0 if spent else 25}})

    def usage(self, call: ChatRequest) -> HttpReply:
        refusal = self._checked(call)
        if refusal is not None or call.key is None:
            return refusal or unauthorized(call)
        asked = parse_qsl(call.request.query, keep_blank_values=True)
        wanted = dict(asked)
        if len(wanted) != len(asked) or any(value not in _MAY_BE_ASKED.get(name, ()) for name, value in asked):
            return ollama_failure(400, "unknown, repeated or invalid query parameter")
        if wanted.get("scope") == "team":
            return ollama_failure(403, "scope=team is for the team's administrators")
        return json_reply(200, _usage_report(call, wanted.get("range", "24h")))

    def me(self, call: ChatRequest) -> HttpReply:
        if call.key is None:
            return unauthorized(call)
        account = call.key.account.id
        who: Json = {"id": account, "email": f"{account}@example.invalid", "name": account, "plan": "pro"}
        return json_reply(200, who)

    def _checked(self, call: ChatRequest) -> HttpReply | None:
        """Refuse a question about balance or usage that has no key, or is one too many.

        Ten a minute are allowed for each account, all its keys together.
        """
        if call.key is None:
            return unauthorized(call)
        wait_s = call.key.account.checks.wait_s(call.now_s)
        return ollama_failure(429, "too many requests", ("Retry-After", str(ceil(wait_s)))) if wait_s > 0 else None


class LocalOllama:
    """The daemon, with the native API and /v1 at the root.

    It asks for no secret. `-cloud` models are run by ollama.com.
    """

    def chat(self, call: ChatRequest) -> HttpReply:
        asked = text_of(call.body, "model")
        openai_shape = dialect_of(call) is FakeDialect.OPENAI
        if call.body is None or not asked:
            return ollama_failure(400, "model is required", openai_shape=openai_shape)
        model = find_local(asked)
        if model is None:
            return not_found(asked, openai_shape=openai_shape)
        if not model.chats:
            return ollama_failure(400, f'"{asked}" does not support chat', openai_shape=openai_shape)
        runs_at = "local" if model.remote_model is None else "ollama by way of local"
        answer = troubled(call, composed(call, _identity(call), asked, runs_at))
        return deliver(call, dialect_of(call), answer)

    def tags(self, _call: ChatRequest) -> HttpReply:
        return json_reply(200, {"models": [{**_tag(name), **_remote(model)} for name, model in LOCAL_MODELS.items()]})

    def list_models(self, _call: ChatRequest) -> HttpReply:
        return json_reply(200, _openai_models(LOCAL_MODELS))

    def show(self, call: ChatRequest) -> HttpReply:
        asked = text_of(call.body, "model") or text_of(call.body, "name")
        model = find_local(asked)
        return not_found(asked) if model is None else json_reply(200, _shown(asked, model))

    def version(self, _call: ChatRequest) -> HttpReply:
        return json_reply(200, {"version": "0.40.1"})


def find_local(name: str) -> LocalModel | None:
    """Find a model of the daemon by its name, with or without `:latest`.

    Every served cloud model has its `-cloud` name too.
    """
    known = LOCAL_MODELS.get(name) or LOCAL_MODELS.get(f"{name}:latest")
    if known is None and is_cloud_name(name) and strip_cloud(name) in OLLAMA_SERVED:
        return LocalModel("unknown", "cloud", remote_model=strip_cloud(name))
    return known


def dialect_of(call: ChatRequest) -> FakeDialect:
    return FakeDialect.NATIVE if call.request.path.endswith("/api/chat") else FakeDialect.OPENAI


def unauthorized(call: ChatRequest) -> HttpReply:
    return ollama_failure(401, "Unauthorized" if "/v1/" in call.request.path else "unauthorized")


def not_found(model: str, *, openai_shape: bool = False) -> HttpReply:
    return ollama_failure(404, f'model "{model}" not found', openai_shape=openai_shape)


def _older_plan(now_s: float, week_left_percent: float) -> Json:
    """Return the balance of a plan from before September 2026, which has windows instead of money."""
    session: Json = {"remaining_percent": 75, "resets_at": _iso(now_s + 3 * 3600)}
    weekly: Json = {"remaining_percent": week_left_percent, "resets_at": _iso(now_s + 2 * 86_400)}
    return {"included": {"session": session, "weekly": weekly}, "purchased": {"balance_usd": 0}}


def _identity(call: ChatRequest) -> str:
    return f"chatcmpl-{call.number}"


def _iso(seconds: float) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(seconds))


def _tag(name: str) -> Json:
    digest = sha256(name.encode()).hexdigest()
    details: Json = {"format": "gguf", "family": name.partition(":")[0], "quantization_level": "Q4_K_M"}
    known: Json = {"modified_at": _iso(_RELEASED_S), "size": 1_000_000_000, "digest": digest, "details": details}
    return {"name": name, "model": name, **known}


def _openai_models(names: Mapping[str, object]) -> Json:
    about: Json = {"object": "model", "created": _RELEASED_S, "owned_by": "ollama"}
    return {"object": "list", "data": [{"id": name, **about} for name in names]}


def _remote(model: LocalModel) -> Json:
    return {} if model.remote_model is None else {"remote_model": model.remote_model, "remote_host": REMOTE_HOST}


def _shown(name: str, model: LocalModel) -> Json:
    details: Json = {"parent_model": "", "format": "gguf", "family": model.family, "families": [model.family]}
    return {
        "modelfile": f"# sandbox\nFROM {name}\n",
        "template": "{{ .Prompt }}",
        "details": {**details, "parameter_size": model.parameters, "quantization_level": "Q4_K_M"},
        "model_info": {"general.architecture": model.family},
        "capabilities": ["completion"] if model.chats else ["embedding"],
        "modified_at": _iso(_RELEASED_S),
        **_remote(model),
    }


def _usage_report(call: ChatRequest, range_: str) -> Json:
    """Add up the use by the hour, or by UTC day where more than a day is asked for.

    Stretches without use are left out.
    """
    used = FakeUsage() if call.key is None else call.key.account.usage
    now_s, step_s = call.now_s, HOUR_S if range_ == "24h" else 24 * HOUR_S
    begin_s = (now_s - _RANGES_H[range_] * HOUR_S) // step_s * step_s
    stretches: dict[float, FakeUsage] = {}
    for hour, sums in used.hours.items():
        start_s = hour * HOUR_S // step_s * step_s
        if start_s >= begin_s:
            stretches[start_s] = stretches.get(start_s, FakeUsage()).plus(sums)
    if call.fault is not None and call.fault.kind.name == "others":
        elsewhere = Decimal(call.fault.value or 0)
        here_s = now_s // step_s * step_s
        stretches[here_s] = stretches.get(here_s, FakeUsage()).plus(
            FakeUsage(1, 0, int(elsewhere * _OTHERS_TOKENS), elsewhere)
        )
    buckets = [_bucket(start_s, min(start_s + step_s, now_s), sums) for start_s, sums in sorted(stretches.items())]
    whole = FakeUsage()
    for sums in stretches.values():
        whole = whole.plus(sums)
    totals, granularity = _counted(whole), "hour" if range_ == "24h" else "day"
    about: Json = {"range": range_, "scope": "self", "granularity": granularity}
    return {**about, "from": _iso(begin_s), "until": _iso(now_s), "totals": totals, "buckets": buckets}


def _bucket(begin_s: float, end_s: float, sums: FakeUsage) -> Json:
    return {"from": _iso(begin_s), "until": _iso(end_s), **_counted(sums)}


def _counted(sums: FakeUsage) -> Json:
    return {
        "request_count": sums.calls,
        "usage_usd": float(sums.cost_usd),
        "input_tokens": sums.prompt_tokens,
        "cached_input_tokens": 0,
        "output_tokens": sums.completion_tokens,
    }
