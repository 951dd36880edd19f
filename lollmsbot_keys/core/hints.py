"""When a provider says to come back: every form in which that has been seen, read with suspicion.

Numbers are tried first and never handed on to a date parser, because `2026` is a number of seconds and not a year.
Whatever cannot be a time to come (NaN, a negative figure, a moment that is over) counts as not said at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from lollmsbot_keys.core.noun import NamedTuple

_LEAST = timedelta(seconds=1)
_EPOCH_FROM = 1e9
"""From here on a figure is a moment, not a delay: thirty years of waiting is nobody's hint."""
_EPOCH_MS_FROM = 1e11
_RAW_CHARACTERS = 100
_PROSE_CHARACTERS = 2_000

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,4})?", re.ASCII | re.IGNORECASE)
_NUMBER_CHARACTERS = 40
_PART = r"\d{1,12}(?:\.\d{1,9})?\s?(?:milliseconds?|ms|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)"
_DURATION = re.compile(rf"{_PART}(?:,?\s?(?:and\s)?{_PART}){{0,4}}", re.ASCII | re.IGNORECASE)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s?(ms|milli|d|h|m|s)", re.ASCII | re.IGNORECASE)
_SECONDS = {"ms": 0.001, "milli": 0.001, "d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_MOMENT = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|\s?UTC|[+-]\d\d:?\d\d)?"
_ISO = re.compile(_MOMENT, re.ASCII)
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2,8},? .{0,8}\d.{0,30}:.{0,20}", re.ASCII)
_TRIGGER = r"\b(?:resets?|retry|try again|available|wait)\b[^.\n\d]{0,24}?\b"
_PROSE_DELAY = re.compile(rf"{_TRIGGER}(?:in|after|for)\s+({_DURATION.pattern})(?![\w])", re.ASCII | re.IGNORECASE)
_PROSE_MOMENT = re.compile(rf"{_TRIGGER}(?:at|on|after)\s+({_MOMENT})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hint:
    """When to come back (`until`, UTC), which field said so, and its value as it stood there.

    `clamped` where the value named a later moment than we are ready to believe.
    """

    until: datetime
    source: str
    raw: str
    clamped: bool = False


class _Form(NamedTuple):
    """How the values of one field read, in seconds from now, and what the field is called."""

    read: Callable[[object, datetime], float | None]
    name: str


def retry_hint(headers: Mapping[str, str], body: object, now: datetime, longest: timedelta) -> Hint | None:
    """The first believable hint in `headers` or in the parsed JSON `body`; `None` where there is none.

    Header names may be in any case. `now` is aware; no hint reaches past `now + longest`.
    """
    for value, form in _claims(headers, body):
        seconds = form.read(value, now)
        if seconds is None or not math.isfinite(seconds) or seconds < 0:
            continue
        clamped = seconds > longest.total_seconds()
        delay = longest if clamped else max(timedelta(seconds=seconds), _LEAST)
        return Hint(now + min(delay, longest), form.name, str(value)[:_RAW_CHARACTERS], clamped)
    return None


def _claims(headers: Mapping[str, str], body: object) -> Iterator[tuple[object, _Form]]:
    """Every field that may hold a hint, the most direct first."""
    yield from _in_headers(headers, "")
    error = _table(_table(body).get("error"))
    metadata = _table(error.get("metadata"))
    yield from _in_headers(_table(metadata.get("headers")), " in the body")
    for place in (metadata, _table(error.get("availability")), error, _table(body), *_details(error)):
        for field, read in _FIELDS:
            if field in place:
                yield place[field], _Form(read, f"{field} in the body")
    for text in (
        metadata.get("raw"),
        error.get("message"),
        _table(body).get("error"),
        _table(body).get("message"),
        body,
    ):
        if (time := _spoken(text)) is not None:
            yield time, _Form(_delay_or_moment, "the message")


def _in_headers(headers: Mapping[str, object], where: str) -> Iterator[tuple[object, _Form]]:
    known = {name.casefold(): value for name, value in headers.items()}
    for name, read in _HEADERS:
        if name.casefold() in known:
            yield known[name.casefold()], _Form(read, f"{name}{where}")


def _details(error: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Google's upstream errors keep their `retryDelay` in a list of details."""
    details = error.get("details")
    if isinstance(details, list):
        yield from (_table(detail) for detail in details[:10])


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    """`value` as a figure; NaN where it is one that cannot be used; `None` where it is no figure at all."""
    if isinstance(value, bool):
        return math.nan
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _NUMBER_CHARACTERS or not _NUMBER.fullmatch(text):
            return None
        return float(text)
    if isinstance(value, int | float | Decimal):
        try:
            return float(value)
        except (OverflowError, ValueError):
            return math.nan
    return None


def _delay_or_moment(value: object, now: datetime) -> float | None:
    """Seconds from `now`: a delay (`17`, `17s`, `1h30m`), or a moment (an epoch, an HTTP date, an ISO time)."""
    number = _number(value)
    if number is not None:
        return number if number < _EPOCH_FROM else _until_epoch(number, now)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _DURATION.fullmatch(text):
        return _duration(text)
    return _until(_iso(text) or _http_date(text), now)


def _milliseconds(value: object, now: datetime) -> float | None:
    number = _number(value)
    if number is None:
        return _delay_or_moment(value, now)
    return number / 1_000 if number < _EPOCH_MS_FROM else _until_epoch(number, now)


def _moment(value: object, now: datetime) -> float | None:
    """Seconds from `now` to a moment; a figure too small to be an epoch says nothing here."""
    number = _number(value)
    if number is not None:
        return _until_epoch(number, now) if number >= _EPOCH_FROM else None
    return _until(_iso(value.strip()), now) if isinstance(value, str) else None


def _spoken(text: object) -> str | None:
    """The time in `reset after 140h 21m` or `will reset at 2026-09-09 03:30:06` (no zone: taken for UTC)."""
    if not isinstance(text, str):
        return None
    shortened = text[:_PROSE_CHARACTERS]
    found = _PROSE_MOMENT.search(shortened) or _PROSE_DELAY.search(shortened)
    return found.group(1) if found else None


def _duration(text: str) -> float:
    return sum(float(figure) * _SECONDS[unit.casefold()] for figure, unit in _DURATION_PART.findall(text))


def _until_epoch(number: float, now: datetime) -> float:
    return (number / 1_000 if number >= _EPOCH_MS_FROM else number) - now.timestamp()


def _until(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else (moment - now).total_seconds()


def _iso(text: str) -> datetime | None:
    if not _ISO.fullmatch(text):
        return None
    return _aware(lambda: datetime.fromisoformat(text.replace("UTC", "").strip()))


def _http_date(text: str) -> datetime | None:
    if not _HTTP_DATE.fullmatch(text):
        return None
    from email.utils import parsedate_to_datetime

    return _aware(lambda: parsedate_to_datetime(text))


def _aware(parse: Callable[[], datetime]) -> datetime | None:
    try:
        moment = parse()
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


_HEADERS: tuple[tuple[str, Callable[[object, datetime], float | None]], ...] = (
    ("Retry-After-Ms", _milliseconds),
    ("Retry-After", _delay_or_moment),
    ("X-RateLimit-Reset", _delay_or_moment),
    ("RateLimit-Reset", _delay_or_moment),
    ("X-RateLimit-Reset-Requests", _delay_or_moment),
    ("X-RateLimit-Reset-Tokens", _delay_or_moment),
)
_FIELDS: tuple[tuple[str, Callable[[object, datetime], float | None]], ...] = (
    ("retry_after_ms", _milliseconds),
    ("retry_after_seconds", _delay_or_moment),
    ("retry_after", _delay_or_moment),
    ("retryDelay", _delay_or_moment),
    ("resets_at", _moment),
    ("reset_at", _moment),
)
