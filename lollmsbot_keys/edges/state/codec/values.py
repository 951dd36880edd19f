"""Single values of the state file: text, whole numbers, amounts, times.

A value that does not fit is refused, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

Tree = dict[str, Any]
"""A JSON object. Its values are checked one by one as they are read."""

K = TypeVar("K")
V = TypeVar("V")

_NOTHING = Decimal(0)


class NotAState(ValueError):
    """Bytes that are not a state of ours: truncated, foreign, or damaged."""


def write_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def read_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise NotAState("a time without a zone")
    return moment


def read_text(value: object) -> str:
    if not isinstance(value, str):
        raise NotAState("expected text")
    return value


def read_count(value: object) -> int:
    if type(value) is not int:
        raise NotAState("expected a whole number")
    return value


def read_amount(value: object) -> Decimal:
    if value == "0":
        return _NOTHING
    amount = Decimal(read_text(value))
    if not amount.is_finite():
        raise NotAState("expected an amount")
    return amount


def read_each(tree: Tree, key: Callable[[str], K], value: Callable[[Any], V]) -> dict[K, V]:
    return {key(name): value(content) for name, content in tree.items()}
