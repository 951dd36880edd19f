"""The time at which a provider says to come back.

Every place where that has been seen is read with suspicion. Headers win over the body, a wait (`Retry-After`) over the
reset of a limit, a field over prose. The longest wins among one field's several values, and among several limits that
are used up. A zero says nothing beside a figure. A value that cannot be a time to come (NaN, a negative figure, a
moment that is over) counts as not said at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lollmsbot_keys.core.base.json_values import table
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.failures.times import delay_or_moment, each, milliseconds, moment, number, spoken

_LEAST = timedelta(seconds=1)
_RAW_CHARACTERS = 100
_DEEPEST = 3

_Read = Callable[[object, datetime], float | None]


@dataclass(frozen=True, slots=True)
class Hint:
    """A time to come back (`until`, UTC), with the field that named it and its raw value.

    `clamped`: the value named a later moment than is believed.
    """

    until: datetime
    source: str
    raw: str
    clamped: bool = False


class _Claim(NamedTuple):
    """The word of one field: the seconds from now, its own value, and its name."""

    seconds: float
    value: object
    name: str


class _Quota(NamedTuple):
    """One limit in the headers, with how much of it is left.

    `left` of `None` means that nothing was told. `reset` says when the limit is whole again.
    """

    left: float | None
    reset: _Claim


def retry_hint(
    headers: Mapping[str, str], body: object, now: datetime, longest: timedelta, *, limited: bool = True
) -> Hint | None:
    """Return the first believable hint in `headers` or in the parsed JSON `body`, or `None`.

    Header names may be in any case. `now` is aware; no hint reaches past `now + longest`. `limited`: a limit was passed
    (429). Then a limit with something left is believed too, if no other is named.
    """
    at_once = None
    for claim in _claims(headers, body, now, limited=limited):
        if claim.seconds > 0:
            return _hint(claim, now, longest)
        at_once = at_once or claim
    return None if at_once is None else _hint(at_once, now, longest)


def _hint(claim: _Claim, now: datetime, longest: timedelta) -> Hint:
    clamped = claim.seconds > longest.total_seconds()
    delay = longest if clamped else max(timedelta(seconds=claim.seconds), _LEAST)
    return Hint(now + min(delay, longest), claim.name, str(claim.value)[:_RAW_CHARACTERS], clamped)


def _claims(headers: Mapping[str, str], body: object, now: datetime, *, limited: bool) -> Iterator[_Claim]:
    """Yield the word of every field that may hold a hint, the most direct first."""
    yield from _in_headers(headers, "", now, limited=limited)
    documents = list(_documents(body, _DEEPEST))
    for document in documents:
        yield from _in_document(document, now, limited=limited)
    for text in (*(text for document in documents for text in _texts(document)), body):
        for time in spoken(text):
            if (seconds := _usable(delay_or_moment(time, now))) is not None:
                yield _Claim(seconds, time, "the message")
    if limited:
        yield from _windows(headers, now)


def _read(read: _Read, value: object, name: str, now: datetime) -> Iterator[_Claim]:
    """Yield the longest time in `value`.

    It may be a list: of times, and of nothing else.
    """
    whole = read(value, now)
    parts = [whole] if whole is not None else [read(part, now) for part in each(value)]
    found = [seconds for part in parts if (seconds := _usable(part)) is not None]
    if found and None not in parts:
        yield _Claim(max(found), value, name)


def _usable(seconds: float | None) -> float | None:
    return seconds if seconds is not None and math.isfinite(seconds) and seconds >= 0 else None


# --- headers ---


def _in_headers(headers: Mapping[str, object], where: str, now: datetime, *, limited: bool) -> Iterator[_Claim]:
    known = {name.casefold().replace("rate-limit", "ratelimit"): value for name, value in headers.items()}
    waits = (name for name in known if "retry-after" in name)
    for name in sorted(waits, key=_directness):
        read = milliseconds if name.endswith("-ms") else delay_or_moment
        yield from _read(read, known[name], _title(name) + where, now)
    quotas = [quota for name in known for quota in _quotas(known, name, where, now)]
    empty = [quota.reset for quota in quotas if quota.left is not None and quota.left < 1]
    untold = [quota.reset for quota in quotas if quota.left is None]
    believed = empty or untold or ([quota.reset for quota in quotas] if limited else [])
    if believed:
        yield max(believed, key=lambda claim: claim.seconds)


def _directness(name: str) -> int:
    """Rank a header name for sorting, the most direct first.

    The standard's own name comes before all others, and its finer form before it.
    """
    return ("retry-after-ms", "retry-after", name).index(name)


def _quotas(known: Mapping[str, object], name: str, where: str, now: datetime) -> Iterator[_Quota]:
    """Yield the limits that the header `name` tells of.

    Those of `X-RateLimit-Reset-…` come with their `…-Remaining-…`.
    """
    title, value = _title(name) + where, known[name]
    if name == "ratelimit":
        yield from _structured(str(value), str(known.get("ratelimit-policy", "")), title, now)
    elif "ratelimit" in name and "reset" in name:
        resets = each(value) if _usable(delay_or_moment(value, now)) is None else [value]
        left = [number(one) for one in each(known.get(name.removesuffix("-after").replace("reset", "remaining")))]
        for place, reset in enumerate(resets):
            for claim in _read(delay_or_moment, _bare(reset), title, now):
                least = min((one for one in left if one is not None), default=None)
                yield _Quota(left[place] if len(left) == len(resets) else least, claim)


def _windows(headers: Mapping[str, str], now: datetime) -> Iterator[_Claim]:
    """Yield the longest window of a policy.

    After it every limit is whole again, where nothing else is told.
    """
    for name, value in headers.items():
        if name.casefold() in {"ratelimit-policy", "ratelimit-limit"}:
            windows = [fields["w"] for _, fields in _items(value) if "w" in fields]
            yield from _read(delay_or_moment, windows, _title(name.casefold()), now)


def _bare(value: object) -> object:
    """Return `value` without the parameters that the older drafts allow, as in `60;w=3600`."""
    return value.partition(";")[0] if isinstance(value, str) else value


_ITEM = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^,;"]+)((?:\s*;[^,;]*)*)')


def _structured(value: str, policy: str, title: str, now: datetime) -> Iterator[_Quota]:
    """Yield the limits of `RateLimit`, in both shapes of its drafts.

    A limit without a reset has the window of its policy.

    `"default";r=0;t=30` (draft-ietf-httpapi-ratelimit-headers, from 08 on), `limit=9, remaining=0, reset=30` (to 07).
    """
    windows = {name: fields.get("w") for name, fields in _items(policy)}
    for name, fields in _items(value):
        window = windows.get(name) or windows.get(fields.get("limit", ""))
        reset = fields.get("t") or fields.get("reset") or window
        for claim in _read(delay_or_moment, reset, title, now):
            yield _Quota(number(fields.get("r", fields.get("remaining"))), claim)


def _items(text: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield each member of a structured list with its parameters.

    A dictionary of bare figures is one member without a name.
    """
    bare: dict[str, str] = {}
    for item, parameters in _ITEM.findall(text[:2_000]):
        name, sign, value = item.strip().partition("=")
        if sign and not item.startswith('"'):
            if name in bare:
                yield "", bare
                bare = {}
            bare[name.strip()] = value.strip()
            continue
        pairs = (part.partition("=") for part in parameters.split(";"))
        yield name.strip('" '), {key.strip(): figure.strip() for key, _, figure in pairs}
    if bare:
        yield "", bare


def _title(name: str) -> str:
    return "-".join(word.capitalize() for word in name.split("-")).replace("Ratelimit", "RateLimit")


# --- bodies ---


def _documents(body: object, levels: int) -> Iterator[Mapping[str, object]]:
    """Yield the tables that are an error.

    They are the body, those of a list, and an upstream's words that were passed on.
    """
    if isinstance(body, list):
        for one in body[:10] if levels else ():
            yield from _documents(one, levels - 1)
    elif isinstance(body, dict):
        yield body
        raw = table(table(body.get("error")).get("metadata")).get("raw")
        if levels and isinstance(raw, list | dict):
            yield from _documents(raw, levels - 1)


def _in_document(document: Mapping[str, object], now: datetime, *, limited: bool) -> Iterator[_Claim]:
    error = table(document.get("error"))
    metadata = table(error.get("metadata"))
    yield from _in_headers(table(metadata.get("headers")), " in the body", now, limited=limited)
    for place in (metadata, table(error.get("availability")), error, document, *_details(error)):
        named = {re.sub("[-_ ]", "", name.casefold()): (name, value) for name, value in place.items()}
        for field, read in _FIELDS.items():
            if field in named:
                name, value = named[field]
                yield from _read(read, value, f"{name} in the body", now)


def _details(error: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield the tables in which Google's errors keep their `retryDelay`, from a list of details."""
    details = error.get("details")
    for detail in details[:10] if isinstance(details, list) else ():
        yield table(detail)
        yield table(table(detail).get("metadata"))


def _texts(document: Mapping[str, object]) -> Iterator[object]:
    error = document.get("error")
    yield table(table(error).get("metadata")).get("raw")
    yield table(error).get("message")
    yield error
    yield document.get("message")
    yield document.get("detail")


_FIELDS: Mapping[str, _Read] = {
    "retryafterms": milliseconds,
    "retrydelayms": milliseconds,
    "retryafterseconds": delay_or_moment,
    "retryafter": delay_or_moment,
    "retrydelay": delay_or_moment,
    "retryin": delay_or_moment,
    "resetsinseconds": delay_or_moment,
    "resetinseconds": delay_or_moment,
    "resetsin": delay_or_moment,
    "resetin": delay_or_moment,
    "resetafter": delay_or_moment,
    "quotaresetdelay": delay_or_moment,
    "resetsat": moment,
    "resetat": moment,
    "quotaresettimestamp": moment,
}
"""Fields of an error, without the signs between their words: `retry_after` and `retryAfter` are one."""
