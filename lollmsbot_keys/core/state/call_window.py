"""The sliding hour of calls, counted in buckets of one minute.

So a window costs the same for any number of calls. A bucket counts until all of its minute is more than an hour old. So
the window is never short, and at most a minute long on the safe side.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

_MINUTES = 60


def minute_of(now: datetime) -> int:
    """Return the minute since the epoch that `now` is in."""
    return int(now.timestamp()) // 60


def calls_within_an_hour(buckets: Mapping[int, int], now: datetime) -> int:
    """Count the calls of the last 60 minutes.

    Buckets from the future (a clock that stepped back) count: too many is better than too few.
    """
    if not buckets:
        return 0
    oldest = minute_of(now) - _MINUTES
    if min(buckets) >= oldest:  # as after every upkeep
        return sum(buckets.values())
    return sum(count for minute, count in buckets.items() if minute >= oldest)


def free_again(buckets: Mapping[int, int], limit: int, now: datetime) -> datetime | None:
    """Return when the window holds fewer than `limit` calls again, or `None` if never."""
    calls = calls_within_an_hour(buckets, now)
    oldest = minute_of(now) - _MINUTES
    for minute in sorted(minute for minute in buckets if minute >= oldest):
        calls -= buckets[minute]
        if calls < limit:
            return datetime.fromtimestamp((minute + _MINUTES + 1) * 60, UTC)
    return None


def counted(buckets: Mapping[int, int], now: datetime) -> dict[int, int]:
    """Return the window with one more call at `now`.

    Buckets that no longer count are dropped. Buckets from the future, left by a clock that has since stepped back, are
    moved to this minute: they leave the window an hour from now instead of an hour after their wrong time.
    """
    this = minute_of(now)
    kept = tidied(buckets, now)
    kept[this] = kept.get(this, 0) + 1
    return kept


def tidied(buckets: Mapping[int, int], now: datetime) -> dict[int, int]:
    """Return the window without old buckets.

    Buckets from the future are moved to this minute.
    """
    this = minute_of(now)
    if not buckets or (min(buckets) >= this - _MINUTES and max(buckets) <= this):  # as at most times
        return dict(buckets)
    kept: dict[int, int] = {}
    for minute, count in buckets.items():
        if minute >= this - _MINUTES:
            place = min(minute, this)
            kept[place] = kept.get(place, 0) + count
    return kept
