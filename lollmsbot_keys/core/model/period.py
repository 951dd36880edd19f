"""The length of a budget."""

from __future__ import annotations

from enum import StrEnum


class Window(StrEnum):
    """The length of a budget: a day or a calendar month of the configured zone."""

    DAY = "day"
    MONTH = "month"
