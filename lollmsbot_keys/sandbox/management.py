"""OpenRouter's /keys, where a management key makes, lists, changes and removes keys."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from time import gmtime, strftime
from urllib.parse import parse_qs

from lollmsbot_keys.sandbox.accounts import KeyRing, SandboxKey
from lollmsbot_keys.sandbox.chat import ChatRequest, text_of
from lollmsbot_keys.sandbox.dialects import Json
from lollmsbot_keys.sandbox.fault_replies import openrouter_failure
from lollmsbot_keys.sandbox.http import HttpReply, json_reply
from lollmsbot_keys.sandbox.openrouter import unauthorized

_PAGE = 100
_RESETS = ("daily", "weekly", "monthly", None)


class FakeKeysApi:
    """The calls under /keys.

    Every call needs a management key.
    """

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def create(self, call: ChatRequest) -> HttpReply:
        owner = _owner(call)
        if isinstance(owner, HttpReply):
            return owner
        title = text_of(call.body, "name")
        problem = "name is required" if not title else _problem(call.body or {})
        if problem is not None:
            return openrouter_failure(400, problem)
        key = self._keys.create(title, owner.account, call.now_s)
        _change(key, call.body or {})
        return json_reply(201, {"data": _described(key), "key": key.secret})

    def list_keys(self, call: ChatRequest) -> HttpReply:
        owner = _owner(call)
        if isinstance(owner, HttpReply):
            return owner
        query = parse_qs(call.request.query)
        offset = query.get("offset", ["0"])[0]
        with_disabled = query.get("include_disabled", ["false"])[0].lower() in ("true", "1")
        if not offset.isdecimal():
            return openrouter_failure(400, "offset must be a number")
        keys = [key for key in self._keys if key.provider is owner.provider and not key.management]
        shown = [_described(key) for key in keys if with_disabled or not key.disabled]
        return json_reply(200, {"data": shown[int(offset) : int(offset) + _PAGE]})

    def read(self, call: ChatRequest) -> HttpReply:
        key = self._found(call)
        return key if isinstance(key, HttpReply) else json_reply(200, {"data": _described(key)})

    def change(self, call: ChatRequest) -> HttpReply:
        key = self._found(call)
        if isinstance(key, HttpReply):
            return key
        problem = "the body is not a JSON object" if call.body is None else _problem(call.body)
        if problem is not None:
            return openrouter_failure(400, problem)
        _change(key, call.body or {})
        key.updated_at = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(call.now_s))
        return json_reply(200, {"data": _described(key)})

    def remove(self, call: ChatRequest) -> HttpReply:
        key = self._found(call)
        if isinstance(key, HttpReply):
            return key
        self._keys.remove(key)
        return json_reply(200, {"deleted": True})

    def _found(self, call: ChatRequest) -> SandboxKey | HttpReply:
        owner = _owner(call)
        if isinstance(owner, HttpReply):
            return owner
        return self._keys.by_hash(call.request.path.rpartition("/")[2]) or openrouter_failure(404, "API key not found")


def _owner(call: ChatRequest) -> SandboxKey | HttpReply:
    if call.key is None or call.key.disabled:
        return unauthorized(call)
    if not call.key.management:
        return openrouter_failure(403, "Only management keys can perform this operation")
    return call.key


def _problem(body: Json) -> str | None:
    if "name" in body and not text_of(body, "name"):
        return "name must be a text"
    if "disabled" in body and not isinstance(body["disabled"], bool):
        return "disabled must be true or false"
    if body.get("limit_reset") not in _RESETS:
        return "limit_reset must be daily, weekly, monthly or null"
    return None if body.get("limit") is None or _limit_usd(body["limit"]) is not None else "limit must be a number"


def _limit_usd(value: object) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and number >= 0 else None


def _change(key: SandboxKey, body: Json) -> None:
    key.title = text_of(body, "name") or key.title
    key.disabled = bool(body.get("disabled", key.disabled))
    if "limit" in body:
        key.limit_usd = None if body["limit"] is None else _limit_usd(body["limit"])
    if "limit_reset" in body:
        key.limit_reset = text_of(body, "limit_reset") or None
    if "expires_at" in body:
        key.expires_at = text_of(body, "expires_at") or None


def _described(key: SandboxKey) -> Json:
    left = key.limit_remaining_usd
    return {
        "hash": key.hash,
        "name": key.title,
        "label": key.label,
        "disabled": key.disabled,
        "limit": None if key.limit_usd is None else float(key.limit_usd),
        "limit_remaining": None if left is None else float(left),
        "limit_reset": key.limit_reset,
        "include_byok_in_limit": False,
        "usage": float(key.usage.cost_usd),
        "created_at": key.created_at,
        "updated_at": key.updated_at,
        "expires_at": key.expires_at,
        "creator_user_id": key.account.id,
    }
