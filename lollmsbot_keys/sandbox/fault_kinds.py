"""The kinds of trouble that there are, and where it can strike."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider


class Where(StrEnum):
    """Which requests a fault is for."""

    CHAT = "chat"
    CHECK = "check"  # /api/balance, /api/usage; /key, /credits, /generation
    ACCOUNT = "account"  # /api/me
    LIST = "list"  # /api/tags, /v1/models, /models, /api/version
    SHOW = "show"  # /api/show
    MANAGE = "manage"  # OpenRouter's /keys
    ANY = "any"


class Value(StrEnum):
    """What may follow the kind."""

    NONE = "none"
    SECONDS = "seconds"
    PERCENT = "percent"
    USD = "usd"
    TEXT = "text"


class Kind(NamedTuple):
    """One sort of trouble. Of `providers`, those that know it; `default` `None` makes the value obligatory."""

    name: str
    meaning: str
    providers: tuple[Provider, ...] = tuple(Provider)
    chat_only: bool = False
    check_only: bool = False
    value: Value = Value.NONE
    default: str | None = None


_OLLAMA = (Provider.OLLAMA, Provider.LOCAL)
_OPENROUTER = (Provider.OPENROUTER,)
_KEYED = (Provider.OLLAMA, Provider.OPENROUTER)

_KINDS = (
    Kind("400", "the request is not valid"),
    Kind("401", "the key is refused, by the key check too while the fault lasts"),
    Kind("401chat", "the chat refuses the key, the key check finds it good", chat_only=True),
    Kind("402", "no credit (Ollama: for this model)"),
    Kind("402afford", "this one request is too dear", _OPENROUTER),
    Kind("402limit", "the key's own limit is spent", _OPENROUTER),
    Kind("402inflight", "too much money in flight; Retry-After", _OPENROUTER, value=Value.TEXT, default="5"),
    Kind("403", "not allowed (Ollama: a subscription is required)"),
    Kind(
        "403limit",
        "the key's budget is spent; resets_at in VALUE seconds",
        _OPENROUTER,
        value=Value.SECONDS,
        default="3600",
    ),
    Kind("moderation", "403, the prompt is refused", _OPENROUTER),
    Kind("404", "no such model"),
    Kind("404providers", "the account allows none of the model's providers", _OPENROUTER),
    Kind("404policy", "nothing matches the data policy", _OPENROUTER),
    Kind("408", "timed out"),
    Kind("410", "the model has been retired"),
    Kind(
        "429",
        "over the limit (Ollama: no headers; OpenRouter: X-RateLimit-Reset, in VALUE seconds)",
        value=Value.SECONDS,
        default="60",
    ),
    Kind("429retry", "over the limit, Retry-After is VALUE", value=Value.TEXT),
    Kind("429reset", "over the limit, X-RateLimit-Reset is VALUE", value=Value.TEXT),
    Kind("429slot", "no concurrent request slot", _OLLAMA),
    Kind(
        "429upstream",
        "the model's upstream is over its limit, Retry-After is VALUE",
        _OPENROUTER,
        value=Value.TEXT,
        default="17",
    ),
    Kind(
        "429capacity", "no capacity, retry_after VALUE in the body only", _OPENROUTER, value=Value.SECONDS, default="40"
    ),
    Kind("429free", "the account's free requests of today are used up", _OPENROUTER),
    Kind("500", "internal error"),
    Kind("502", "the model cannot be reached"),
    Kind("503", "overloaded"),
    Kind("503retry", "overloaded, Retry-After is VALUE", value=Value.TEXT),
    Kind("504", "gateway timeout"),
    Kind("524", "timed out behind the proxy"),
    Kind("529", "provider overloaded"),
    Kind("drop", "the connection closes before any answer byte; nothing is done"),
    Kind("lost", "carried out (and billed), then closed before any answer byte"),
    Kind("cut", "the connection breaks after some text"),
    Kind("unfinished", "the stream ends in good order, but without its last part", chat_only=True),
    Kind(
        "empty",
        "the answer ends with VALUE (Ollama: load, too) and no word or token",
        chat_only=True,
        value=Value.TEXT,
        default="stop",
    ),
    Kind(
        "finish",
        "the answer ends with the reason VALUE, say content_filter",
        chat_only=True,
        value=Value.TEXT,
        default="length",
    ),
    Kind("heartbeats", "between the words come events without data, and some of other kinds", chat_only=True),
    Kind("slow", "the first byte takes VALUE seconds", value=Value.SECONDS, default="3"),
    Kind("stall", "some text, then VALUE seconds of silence, then a break", value=Value.SECONDS, default="600"),
    Kind("html429", "a proxy's page with status 429, Retry-After is VALUE", value=Value.TEXT, default="20"),
    Kind("html403", "a firewall's page with status 403"),
    Kind("html200", "a captive portal's page with status 200"),
    Kind("error200", "an error object inside status 200"),
    Kind("errormid", "some text, then an error inside the stream", chat_only=True),
    Kind("redirect", "302 to another loopback port"),
    Kind("junk", "not JSON, though it says so"),
    Kind("echo", "500, and the body repeats the Authorization header"),
    Kind("echo200", "the answer repeats the Authorization header, split over two chunks", chat_only=True),
    Kind("zero", "tokens used, cost 0 (Ollama: no token counts)", chat_only=True),
    Kind("spent", "the key check says: nothing left (write KEY@check=spent)", _KEYED, check_only=True),
    Kind("expired", "the key check says: expired yesterday", _OPENROUTER, check_only=True),
    Kind(
        "legacy",
        "the key check tells of an older plan, VALUE percent of the week left",
        (Provider.OLLAMA,),
        check_only=True,
        value=Value.PERCENT,
        default="40",
    ),
    Kind(
        "others",
        "the key check tells of VALUE dollars more, spent by somebody else",
        _KEYED,
        check_only=True,
        value=Value.USD,
        default="0.42",
    ),
    Kind("over", "a cost of VALUE dollars (Ollama: ten million tokens)", chat_only=True, value=Value.USD, default="25"),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _KINDS}
RAW = Kind("raw", "a reply given from Python, byte for byte", value=Value.TEXT, default="")
