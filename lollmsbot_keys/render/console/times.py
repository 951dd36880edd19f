"""Times for people: the time from now, and for a distant moment also its date."""

from __future__ import annotations

from datetime import datetime, timedelta


def until(moment: datetime, now: datetime) -> str:
    """Format a time to come: `in 42 s`, `in 5 min`, `in 3 h 20 min`.

    Beyond a day it has the date as well.
    """
    left = max(0, -(-(moment - now) // timedelta(seconds=1)))
    if left < 90:
        return f"in {left} s"
    minutes = -(-left // 60)
    if minutes < 90:
        return f"in {minutes} min"
    if minutes < 24 * 60:
        hours, rest = divmod(minutes, 60)
        return f"in {hours} h {rest} min" if rest else f"in {hours} h"
    return f"in {minutes // (24 * 60)} d, {moment:%a %d %b %H:%M} UTC"


def ago(moment: datetime, now: datetime) -> str:
    """Format a time that is over: `42 s ago`, `5 min ago`, `3 h ago`, `12 days ago`."""
    passed = max(timedelta(), now - moment)
    if passed < timedelta(seconds=90):
        return f"{passed // timedelta(seconds=1)} s ago"
    if passed < timedelta(minutes=90):
        return f"{passed // timedelta(minutes=1)} min ago"
    if passed < timedelta(hours=36):
        return f"{passed // timedelta(hours=1)} h ago"
    days = passed // timedelta(days=1)
    return "1 day ago" if days == 1 else f"{days} days ago"
