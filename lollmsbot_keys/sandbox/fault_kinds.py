"""The kinds of faults, and the requests that each can meet."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider


class FaultScope(StrEnum):
    """The requests that a fault is for."""

    CHAT = "chat"
    CHECK = "check"  # /api/balance, /api/usage; /key, /credits, /generation
    ACCOUNT = "account"  # /api/me
    LIST = "list"  # /api/tags, /v1/models, /models, /api/version
    SHOW = "show"  # /api/show
    MANAGE = "manage"  # OpenRouter's /keys
    ANY = "any"


class FaultValue(StrEnum):
    """The kind of value that a fault has."""

    NONE = "none"
    SECONDS = "seconds"
    PERCENT = "percent"
    USD = "usd"
    TEXT = "text"


class FaultKind(NamedTuple):
    """One kind of fault.

    `providers` are those that know it; where `default` is `None` a value must be given.
    """

    name: str
    meaning: str
    providers: tuple[Provider, ...] = tuple(Provider)
    chat_only: bool = False
    check_only: bool = False
    value: FaultValue = FaultValue.NONE
    default: str | None = None


_OLLAMA = (Provider.OLLAMA, Provider.LOCAL)
_OPENROUTER = (Provider.OPENROUTER,)
_KEYED = (Provider.OLLAMA, Provider.OPENROUTER)

_KINDS = (
    FaultKind("400", "the request is not valid"),
    FaultKind("401", "the key is refused, by the key check too while the fault lasts"),
    FaultKind("401chat", "the chat refuses the key, the key check finds it good", chat_only=True),
    FaultKind("402", "no credit (Ollama: for this model)"),
    FaultKind("402afford", "this one request is too dear", _OPENROUTER),
    FaultKind("402limit", "the key's own limit is spent", _OPENROUTER),
    FaultKind("402inflight", "too much money in flight; Retry-After", _OPENROUTER, value=FaultValue.TEXT, default="5"),
    FaultKind("403", "not allowed (Ollama: a subscription is required)"),
    FaultKind(
        "403limit",
        "the key's budget is spent; resets_at in VALUE seconds",
        _OPENROUTER,
        value=FaultValue.SECONDS,
        default="3600",
    ),
    FaultKind("moderation", "403, the prompt is refused", _OPENROUTER),
    FaultKind("404", "no such model"),
    FaultKind("404providers", "the account allows none of the model's providers", _OPENROUTER),
    FaultKind("404policy", "nothing matches the data policy", _OPENROUTER),
    FaultKind("408", "timed out"),
    FaultKind("410", "the model has been retired"),
    FaultKind(
        "429",
        "over the limit (Ollama: no headers; OpenRouter: X-RateLimit-Reset, in VALUE seconds)",
        value=FaultValue.SECONDS,
        default="60",
    ),
    FaultKind("429retry", "over the limit, Retry-After is VALUE", value=FaultValue.TEXT),
    FaultKind("429reset", "over the limit, X-RateLimit-Reset is VALUE", value=FaultValue.TEXT),
    FaultKind("429slot", "no concurrent request slot", _OLLAMA),
    FaultKind(
        "429upstream",
        "the model's upstream is over its limit, Retry-After is VALUE",
        _OPENROUTER,
        value=FaultValue.TEXT,
        default="17",
    ),
    FaultKind(
        "429capacity",
        "no capacity, retry_after VALUE in the body only",
        _OPENROUTER,
        value=FaultValue.SECONDS,
        default="40",
    ),
    FaultKind("429free", "the account's free requests of today are used up", _OPENROUTER),
    FaultKind("500", "internal error"),
    FaultKind("502", "the model cannot be reached"),
    FaultKind("503", "overloaded"),
    FaultKind("503retry", "overloaded, Retry-After is VALUE", value=FaultValue.TEXT),
    FaultKind("504", "gateway timeout"),
    FaultKind("524", "timed out behind the proxy"),
    FaultKind("529", "provider overloaded"),
    FaultKind("drop", "the connection closes before any answer byte; nothing is done"),
    FaultKind("lost", "carried out (and billed), then closed before any answer byte"),
    FaultKind("cut", "the connection breaks after some text"),
    FaultKind("unfinished", "the stream ends in good order, but without its last part", chat_only=True),
    FaultKind(
        "empty",
        "the answer ends with VALUE (Ollama: load, too) and no word or token",
        chat_only=True,
        value=FaultValue.TEXT,
        default="stop",
    ),
    FaultKind(
        "finish",
        "the answer ends with the reason VALUE, say content_filter",
        chat_only=True,
        value=FaultValue.TEXT,
        default="length",
    ),
    FaultKind("heartbeats", "between the words come events without data, and some of other kinds", chat_only=True),
    FaultKind("slow", "the first byte takes VALUE seconds", value=FaultValue.SECONDS, default="3"),
    FaultKind(
        "stall", "some text, then VALUE seconds of silence, then a break", value=FaultValue.SECONDS, default="600"
    ),
    FaultKind("html429", "a proxy's page with status 429, Retry-After is VALUE", value=FaultValue.TEXT, default="20"),
    FaultKind("html403", "a firewall's page with status 403"),
    FaultKind("html200", "a captive portal's page with status 200"),
    FaultKind("error200", "an error object inside status 200"),
    FaultKind("errormid", "some text, then an error inside the stream", chat_only=True),
    FaultKind("redirect", "302 to another loopback port"),
    FaultKind("junk", "not JSON, though it says so"),
    FaultKind("echo", "500, and the body repeats the Authorization header"),
    FaultKind("echo200", "the answer repeats the Authorization header, split over two chunks", chat_only=True),
    FaultKind("zero", "tokens used, cost 0 (Ollama: no token counts)", chat_only=True),
    FaultKind("spent", "the key check says: nothing left (write KEY@check=spent)", _KEYED, check_only=True),
    FaultKind("expired", "the key check says: expired yesterday", _OPENROUTER, check_only=True),
    FaultKind(
        "legacy",
        "the key check tells of an older plan, VALUE percent of the week left",
        (Provider.OLLAMA,),
        check_only=True,
        value=FaultValue.PERCENT,
        default="40",
    ),
    FaultKind(
        "others",
        "the key check tells of VALUE dollars more, spent by somebody else",
        _KEYED,
        check_only=True,
        value=FaultValue.USD,
        default="0.42",
    ),
    FaultKind(
        "over",
        "a cost of VALUE dollars (Ollama: ten million tokens)",
        chat_only=True,
        value=FaultValue.USD,
        default="25",
    ),
)
KINDS: Mapping[str, FaultKind] = {kind.name: kind for kind in _KINDS}
RAW = FaultKind("raw", "a reply given from Python, byte for byte", value=FaultValue.TEXT, default="")
