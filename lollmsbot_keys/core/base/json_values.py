"""Values out of JSON from any writer.

A value that is not of the expected type counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

LONGEST_NAME = 200


def table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME else None


def moment(value: object) -> datetime | None:
    """Read an ISO 8601 time, or return `None` if `value` is none.

    A time without a zone is in UTC.
    """
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
