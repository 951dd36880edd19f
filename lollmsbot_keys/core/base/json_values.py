"""Values out of JSON that anybody may have written: what is not of the expected type is not there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

LONGEST_NAME = 200


def table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME else None


def moment(value: object) -> datetime | None:
    """An ISO 8601 time (without a zone: UTC)."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
