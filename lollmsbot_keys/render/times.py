"""Times for people: how long from now, and for what is further off, when."""

from __future__ import annotations

from datetime import datetime, timedelta


def until(moment: datetime, now: datetime) -> str:
    """`in 42 s`, `in 5 min`, `in 3 h 20 min`; beyond a day the date as well."""
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
