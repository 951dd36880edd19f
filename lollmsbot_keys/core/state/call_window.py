"""The sliding hour: calls counted in one-minute buckets, so that a window costs the same however many there were.

A bucket counts until all of its minute is more than an hour old. So the window is never short, and at most a minute
long on the safe side.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

_MINUTES = 60


def minute_of(now: datetime) -> int:
    """The minute since the epoch that `now` lies in."""
    return int(now.timestamp()) // 60


def calls_within_an_hour(buckets: Mapping[int, int], now: datetime) -> int:
    """Calls of the last 60 minutes. Buckets from the future (a clock that stepped back) count: better than too few."""
    if not buckets:
        return 0
    oldest = minute_of(now) - _MINUTES
    if min(buckets) >= oldest:  # as after every upkeep
        return sum(buckets.values())
    return sum(count for minute, count in buckets.items() if minute >= oldest)


def free_again(buckets: Mapping[int, int], limit: int, now: datetime) -> datetime | None:
    """When the window holds fewer than `limit` calls again; `None` where no time will do that."""
    calls = calls_within_an_hour(buckets, now)
    oldest = minute_of(now) - _MINUTES
    for minute in sorted(minute for minute in buckets if minute >= oldest):
        calls -= buckets[minute]
        if calls < limit:
            return datetime.fromtimestamp((minute + _MINUTES + 1) * 60, UTC)
    return None


def counted(buckets: Mapping[int, int], now: datetime) -> dict[int, int]:
    """The window with one more call at `now`. Buckets that no longer count are dropped.

    Buckets from the future, left by a clock that has since stepped back, are moved to this minute: they leave the
    window an hour from now instead of when the wrong time comes round.
    """
    this = minute_of(now)
    kept = tidied(buckets, now)
    kept[this] = kept.get(this, 0) + 1
    return kept


def tidied(buckets: Mapping[int, int], now: datetime) -> dict[int, int]:
    """The window without old buckets, and with those from the future moved to this minute."""
    this = minute_of(now)
    if not buckets or (min(buckets) >= this - _MINUTES and max(buckets) <= this):  # as at most times
        return dict(buckets)
    kept: dict[int, int] = {}
    for minute, count in buckets.items():
        if minute >= this - _MINUTES:
            place = min(minute, this)
            kept[place] = kept.get(place, 0) + count
    return kept
