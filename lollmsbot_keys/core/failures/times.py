"""Times in the forms that providers write: figures, durations, moments, and a few words of English.

Numbers are tried first and never handed on to a date parser, because `2026` is a number of seconds and not a year.
Every reader gives seconds from now; `None` where it finds no time, NaN or a negative figure where it finds no use.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

_EPOCH_FROM = 1e9
"""The least figure that is a moment and not a delay: nobody asks for thirty years of waiting."""
_EPOCH_MS_FROM = 1e11
_PROSE_CHARACTERS = 2_000
_LIST_CHARACTERS = 1_000

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,4})?", re.ASCII | re.IGNORECASE)
_NUMBER_CHARACTERS = 40
_UNIT = r"(?:milliseconds?|millis|ms|weeks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)"
_PART = rf"\d{{1,12}}(?:\.\d{{1,9}})?\s?{_UNIT}"
_DURATION = re.compile(rf"{_PART}(?:,?\s?(?:and\s)?{_PART}){{0,4}}", re.ASCII | re.IGNORECASE)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s?(ms|milli|w|d|h|m|s)", re.ASCII | re.IGNORECASE)
_SECONDS = {"ms": 0.001, "milli": 0.001, "w": 604_800.0, "d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_CLOCK = re.compile(r"(\d{1,3}):(\d\d):(\d\d)", re.ASCII)
_ISO_DURATION = re.compile(r"P(?:\d{1,4}D)?T?(?:\d{1,6}H)?(?:\d{1,6}M)?(?:\d{1,9}(?:\.\d{1,9})?S)?", re.ASCII)

_DAY = r"\d{4}-\d\d-\d\d"
_MOMENT = rf"{_DAY}[T ]\d\d:\d\d(?::\d\d(?:\.\d{{1,9}})?)?(?:Z|\s?UTC|\s?GMT|[+-]\d\d:?\d\d)?"
_ISO = re.compile(rf"{_MOMENT}|{_DAY}", re.ASCII)
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2,8},? .{0,8}\d.{0,30}:[^,]{0,20}", re.ASCII)
_DATE_WITH_COMMA = re.compile(
    r"[A-Z][a-z]{2,8}, \d{1,2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d\d:\d\d(?::\d\d)?(?: GMT| UTC| [+-]\d{4})?", re.ASCII
)

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED_DAY = re.compile(
    rf"({'|'.join(_MONTHS)})[a-z]{{0,6}}\.? (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})"
    r"(?:(?:,| at)? (\d{1,2}):(\d\d)(?::\d\d)?(?: ?([ap])m)?)?(?: ?(?:UTC|GMT))?",
    re.ASCII | re.IGNORECASE,
)
_NEXT = re.compile(r"(?:midnight|(\d{1,2}):(\d\d)) ?(?:UTC|GMT|Z)\b", re.ASCII | re.IGNORECASE)

_VERB = (
    r"\b(?:resets?|reset time|retry|try again|another request|allowed|available|unavailable|back|wait|hold off|"
    r"cool-?down|blocked|banned|lifted|renews?|refills?|refresh(?:es)?)\b"
)
_NEARLY = (
    r"(?:(?:about|approximately|approx\.?|around|roughly|almost|nearly|less than|under|at least|at most|up to|another|"
    r"the next|\d{1,4} ?(?:-|–|to)) ?|~ ?)"
)
_LENGTH = rf"({_DURATION.pattern}(?!\w)|{_CLOCK.pattern}(?!\w)|(?:an?|one) (?:week|day|hour|minute|second)\b)"
_WHEN = (
    rf"({_MOMENT}|{_DATE_WITH_COMMA.pattern}|{_DAY}|{_NAMED_DAY.pattern}|{_NEXT.pattern}|\d{{10}}(?:\d{{3}})?(?!\w))"
)
_GAP, _SIGN = r"[^.\d]{0,24}?\b", r" ?[:=]? ?[\"'(]? ?"
_FIELD = r"retry[-_ ]?(?:delay|after)(?:[-_ ]?seconds)?\\?[\"']? ?[:=]? ?\\?[\"']?"
_PROSE = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE)
    for pattern in (
        rf"{_VERB}(?:{_GAP}(?:at|on|after|until)|){_SIGN}{_WHEN}",
        rf"{_VERB}(?:{_GAP}(?:in|after|for|within)|){_SIGN}{_NEARLY}?{_LENGTH}",
        rf"\bin {_NEARLY}{_LENGTH}",
        # A field amid the words, or without a unit: `retry-after: 30`, `\"retryDelay\": \"37s\"`.
        rf"{_FIELD}({_DURATION.pattern}|\d{{1,9}}(?:\.\d{{1,9}})?)(?= ?(?:$|[\\\"'.,;)}}\]]))",
    )
)


def delay_or_moment(value: object, now: datetime) -> float | None:
    """Return the seconds from `now` to a delay's end or to a moment.

    A delay is `17`, `17s` or `1h30m`; a moment is an epoch, an HTTP date or an ISO time.
    """
    figure = number(value)
    if figure is not None:
        return figure if figure < _EPOCH_FROM else _until_epoch(figure, now)
    if isinstance(value, dict):  # protobuf's Duration, written out
        return number(value.get("seconds"))
    if not isinstance(value, str):
        return None
    text = value.strip()
    delay = _duration(text)
    return (
        delay if delay is not None else _until(_iso(text) or _named(text) or _next(text, now) or _http_date(text), now)
    )


def milliseconds(value: object, now: datetime) -> float | None:
    """Return the seconds from `now`, with a bare figure read as milliseconds."""
    figure = number(value)
    if figure is None:
        return delay_or_moment(value, now)
    return figure / 1_000 if figure < _EPOCH_MS_FROM else _until_epoch(figure, now)


def moment(value: object, now: datetime) -> float | None:
    """Return the seconds from `now` to a moment.

    A figure too small to be an epoch says nothing here.
    """
    figure = number(value)
    if figure is not None:
        return _until_epoch(figure, now) if figure >= _EPOCH_FROM else None
    return _until(_iso(value.strip()), now) if isinstance(value, str) else None


def each(value: object) -> list[object]:
    """Return the parts of a list, such as `120, 60` or one date twice.

    A value that is no list comes back alone. A date keeps its comma.
    """
    if isinstance(value, list):
        return value[:10]
    if not isinstance(value, str) or "," not in value:
        return [value]
    text = value[:_LIST_CHARACTERS]
    return [*_DATE_WITH_COMMA.findall(text), *filter(None, map(str.strip, _DATE_WITH_COMMA.sub("", text).split(",")))]


def spoken(text: object) -> Iterator[str]:
    """Yield the times in prose, such as `reset after 140h 21m` or `will reset at 2026-09-09 03:30:06`.

    A time without a zone is taken for UTC.
    """
    line = " ".join(text[:_PROSE_CHARACTERS].split()) if isinstance(text, str) else ""
    for pattern in _PROSE:
        for found in pattern.finditer(line):
            yield found.group(1)


def number(value: object) -> float | None:
    """Return `value` as a figure, or `None` if it is no figure at all.

    NaN stands for a figure that cannot be used.
    """
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


def _duration(text: str) -> float | None:
    """Read a length of time in seconds, such as `1h30m`, `an hour`, `02:14:33` or `PT37S`."""
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = map(int, clock.groups())
        return hours * 3_600.0 + minutes * 60 + seconds
    plain = re.sub(r"^(?:an?|one)\s+", "1 ", text, flags=re.IGNORECASE)
    if len(text) > 2 and _ISO_DURATION.fullmatch(text):
        plain = text.replace("P", "").replace("T", "")
    if not _DURATION.fullmatch(plain):
        return None
    return sum(float(figure) * _SECONDS[unit.casefold()] for figure, unit in _DURATION_PART.findall(plain))


def _until_epoch(figure: float, now: datetime) -> float:
    """Return the seconds from `now` to an epoch.

    It may count seconds, or thousandths, millionths or billionths of them.
    """
    for _ in range(3):
        figure = figure / 1_000 if figure >= _EPOCH_MS_FROM else figure
    return figure - now.timestamp() if figure < _EPOCH_MS_FROM else math.nan


def _until(then: datetime | None, now: datetime) -> float | None:
    return None if then is None else (then - now).total_seconds()


def _iso(text: str) -> datetime | None:
    if not _ISO.fullmatch(text):
        return None
    return _aware(lambda: datetime.fromisoformat(re.sub("UTC|GMT", "", text).strip()))


def _named(text: str) -> datetime | None:
    """Read a date with the name of a month: `Dec 3, 2026`, `November 26th, 2026 2:11 PM`."""
    found = _NAMED_DAY.fullmatch(text)
    if not found:
        return None
    month, day, year, hour, minute, half = found.groups()
    hours = int(hour or 0) % 12 + 12 * (half.casefold() == "p") if half else int(hour or 0)
    number_of_month = _MONTHS.index(month.casefold()) + 1
    return _aware(lambda: datetime(int(year), number_of_month, int(day), hours, int(minute or 0), tzinfo=UTC))


def _next(text: str, now: datetime) -> datetime | None:
    """Return the next time that a clock shows the hour of a text like `00:00 UTC`."""
    found = _NEXT.fullmatch(text)
    if not found:
        return None
    hour, minute = (int(part or 0) for part in found.groups())
    here = now.astimezone(UTC)
    then = _aware(lambda: here.replace(hour=hour, minute=minute, second=0, microsecond=0))
    return then + timedelta(days=1) if then is not None and then <= here else then


def _http_date(text: str) -> datetime | None:
    if not _HTTP_DATE.fullmatch(text):
        return None
    from email.utils import parsedate_to_datetime

    return _aware(lambda: parsedate_to_datetime(text))


def _aware(parse: Callable[[], datetime]) -> datetime | None:
    try:
        found = parse()
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
