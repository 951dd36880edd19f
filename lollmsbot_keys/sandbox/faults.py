"""Trouble on request: the grammar, the kinds, and the queue that hands them out.

    TARGET[@WHERE]=KIND[=VALUE][:N]

`OLLAMA_API_KEY=429:3` fails the next three chat requests of that key; without `:N` it fails all of them, for ever.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from lollmsbot_keys.core.catalogue import Provider
from lollmsbot_keys.errors import UsageError
from lollmsbot_keys.sandbox.wire import Reply


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


@dataclass(frozen=True, slots=True)
class Kind:
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
    Kind("slow", "the first byte takes VALUE seconds", value=Value.SECONDS, default="3"),
    Kind("stall", "some text, then VALUE seconds of silence, then a break", value=Value.SECONDS, default="600"),
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


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of trouble for a key or a whole provider; `times` `None` is for ever."""

    target: str
    kind: Kind
    where: Where = Where.CHAT
    value: str | None = None
    times: int | None = None
    reply: Reply | None = None

    def __str__(self) -> str:
        where = "" if self.where is Where.CHAT else f"@{self.where}"
        value = "" if self.value is None or self.value == self.kind.default else f"={self.value}"
        times = "" if self.times is None else f":{self.times}"
        return f"{self.target}{where}={self.kind.name}{value}{times}"

    @property
    def amount(self) -> float:
        """The value as a number: seconds or dollars."""
        return float(self.value or 0)

    @classmethod
    def raw(cls, target: str, reply: Reply, *, where: Where = Where.CHAT, times: int | None = 1) -> Fault:
        """Have `target` answered with exactly this reply."""
        return cls(target, RAW, where, "", times, reply)

    def concerns(self, where: Where) -> bool:
        return self.where in (where, Where.ANY)


def parse_fault(text: str, targets: Mapping[str, Provider]) -> Fault:
    """Read one fault in the module's grammar. `targets` are the keys (and providers) that exist.

    Raises UsageError that says what exists instead.
    """
    aim, equals, rest = text.strip().partition("=")
    if not equals:
        raise UsageError(f"fault {text!r}: expected KEY=KIND or KEY=KIND:N, for example OLLAMA_API_KEY=429:3")
    target, _, where_name = aim.partition("@")
    if target not in targets:
        raise UsageError(
            f"fault {text!r}: no key {target!r}{_nearest(target, targets)} There are: {', '.join(targets)}"
        )
    where = _where(where_name or Where.CHAT, text)
    rest, times = _split_times(rest, text)
    name, valued, value = rest.partition("=")
    kind = _kind(name, targets[target], target, text)
    if kind.chat_only and where is not Where.CHAT:
        raise UsageError(f"fault {text!r}: {name} is for chat only, not for @{where}")
    if kind.check_only and where is not Where.CHECK:
        raise UsageError(f"fault {text!r}: {name} is for key checks only. Write {target}@check={rest}")
    return Fault(target, kind, where, _value(kind, value if valued else None, text), times)


def describe_kinds() -> str:
    """The kinds as a table for people, one a line."""
    width = max(len(kind.name) for kind in _KINDS)
    return "\n".join(f"{kind.name:<{width}}  {kind.meaning}" for kind in _KINDS)


def _split_times(rest: str, text: str) -> tuple[str, int | None]:
    found = re.fullmatch(r"(.*):(\d{1,9})", rest, re.ASCII | re.DOTALL)
    if found is None:
        return rest, None
    if int(found[2]) == 0:
        raise UsageError(f"fault {text!r}: :N counts requests, from 1; without it the fault stays for ever")
    return found[1], int(found[2])


def _where(name: str, text: str) -> Where:
    try:
        return Where(name)
    except ValueError:
        raise UsageError(f"fault {text!r}: no @{name}. There are: {', '.join(Where)}") from None


def _kind(name: str, provider: Provider, target: str, text: str) -> Kind:
    known = [kind.name for kind in _KINDS if provider in kind.providers]
    if name in known:
        return KINDS[name]
    problem = f"{provider} has no fault {name!r}" if name in KINDS else f"no fault {name!r}"
    raise UsageError(f"fault {text!r}: {problem}{_nearest(name, known)} {target} can have: {', '.join(known)}")


def _value(kind: Kind, given: str | None, text: str) -> str | None:
    if kind.value is Value.NONE:
        if given is not None:
            raise UsageError(f"fault {text!r}: {kind.name} takes no value; a count is written :N")
        return None
    value = kind.default if given is None else given
    if value is None:
        raise UsageError(f"fault {text!r}: {kind.name} needs a value, for example {kind.name}=30")
    if kind.value is not Value.TEXT and not _is_amount(value):
        raise UsageError(f"fault {text!r}: {kind.name} takes a number of {kind.value}, not {value!r}")
    if not value.isprintable():
        raise UsageError(f"fault {text!r}: the value of {kind.name} goes into a header, it must be printable")
    return value


def _is_amount(value: str) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    return math.isfinite(number) and number >= 0


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {found[0]}?)." if found else "."


class FaultBoard:
    """The faults that are due, a queue for each target."""

    __slots__ = ("_due",)

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._due: list[Fault] = list(faults)

    @property
    def due(self) -> tuple[Fault, ...]:
        return tuple(self._due)

    def add(self, fault: Fault) -> None:
        self._due.append(fault)

    def clear(self) -> None:
        self._due.clear()

    def peek(self, targets: Iterable[str], where: Where) -> Fault | None:
        """The fault that the next such request would meet; the first target's own faults come first."""
        for target in targets:
            for fault in self._due:
                if fault.target == target and fault.concerns(where):
                    return fault
        return None

    def take(self, targets: Iterable[str], where: Where) -> Fault | None:
        """As `peek`, and one of its times is used up."""
        fault = self.peek(targets, where)
        if fault is not None and fault.times is not None:
            place = self._due.index(fault)
            self._due[place : place + 1] = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
        return fault
