"""How long a budget lasts."""

from __future__ import annotations

from enum import StrEnum


class Window(StrEnum):
    """How long a budget lasts: a day or a calendar month of the configured zone."""

    DAY = "day"
    MONTH = "month"
