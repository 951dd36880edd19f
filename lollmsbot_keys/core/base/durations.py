"""Durations in the form that people write: `30s`, `5m`, `1h`, `8d`, and combined `1h30m`."""

from __future__ import annotations

import re
from datetime import timedelta

LONGEST = timedelta(days=3650)
"""The longest duration that is accepted, so that a date plus a duration stays in the calendar."""

EXPECTED = 'a duration such as "30s", "5m", "1h" or "8d"'
_PATTERN = r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?"
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def parse(text: str) -> timedelta:
    """Read one duration, zero included.

    Raises:
        ValueError: `text` is no duration, or longer than `LONGEST`. The message does not repeat `text`.
    """
    found = re.fullmatch(_PATTERN, text, re.ASCII)
    if found is None or not text:
        raise ValueError(f"expected {EXPECTED}")
    seconds = sum(int(part) * size for part, (size, _) in zip(found.groups(default="0"), _UNITS, strict=True))
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"expected at most {LONGEST.days}d")
    return timedelta(seconds=seconds)


def format(duration: timedelta) -> str:  # noqa: A001 - `durations.format` reads as what it does
    """Write a duration in the form that `parse` reads.

    It is rounded up to whole seconds; below zero counts as zero.
    """
    left = max(0, -(-duration // timedelta(seconds=1)))
    parts: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
