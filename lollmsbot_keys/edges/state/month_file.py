"""One month's file of the history: the sums come first.

So a report need not read what it does not ask for. The first line has the sums of every part of every day by key, the
second those of the whole month by model, and by pillar. After them every part has a line of its own with all its cells,
in the same order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.snapshot import Cell, CellKey, ClosedDay, Day
from lollmsbot_keys.edges.state.codec.money import cells_tree, read_day, read_sum, write_sum
from lollmsbot_keys.edges.state.codec.values import read_text

VERSION = 2
PartKey = tuple[date, str]
"""A day, and the name of one part of it."""
_Rows = list[list[Any]]


class NotAMonth(ValueError):
    """Bytes that are not a month of ours: truncated, foreign, or damaged."""


class NewerMonth(ValueError):
    """A month that a newer lbk wrote; `args[0]` is its version."""


class Month:
    """One month in memory; each of its lines is parsed only when it is asked for.

    `after` names the month with a file that came before this one when this one began: so a lost file is noticed.
    """

    def __init__(self, name: str, after: str | None = None) -> None:
        self.name, self.after = name, after
        self._sums: dict[PartKey, _Rows] = {}
        self._lines: dict[PartKey, bytes] = {}
        self._whole = b'{"models":[],"pillars":[]}'

    @property
    def parts(self) -> list[PartKey]:
        """The stored parts, day by day."""
        return sorted(self._sums, key=lambda part: part[0])

    def put(self, closed: ClosedDay) -> None:
        """Store one part of a day, in place of an earlier one of that name."""
        part = closed.date, closed.day.part
        known = part in self._lines
        self._sums[part] = _rows([closed.day], lambda place: (place.provider, place.key))
        self._lines[part] = _text([str(closed.date), closed.day.part, cells_tree(closed.day)])
        self._whole = self._summed_up(closed.day, again=known)

    def sums(self, part: PartKey) -> Day:
        """Return one part by key; its models and pillars are ""."""
        with _judged():
            cells = {
                CellKey(Provider(provider), read_text(key), "", ""): read_sum(columns)
                for provider, key, *columns in self._sums[part]
            }
            return Day.of(part[1], cells)

    def models(self) -> Day:
        """Return all parts together by model; their keys and pillars are ""."""
        return self._together("models", lambda provider, model: CellKey(provider, "", model, ""))

    def pillars(self) -> Day:
        """Return all parts together by pillar; their keys and models are ""."""
        return self._together("pillars", lambda provider, pillar: CellKey(provider, "", "", pillar))

    def _together(self, table: str, place: Callable[[Provider, str], CellKey]) -> Day:
        with _judged():
            rows = json.loads(self._whole)[table]
            cells = {place(Provider(provider), read_text(name)): read_sum(columns) for provider, name, *columns in rows}
            return Day.of("", cells)

    def _summed_up(self, day: Day, *, again: bool) -> bytes:
        """Return the second line with `day` added.

        The old line already has a part that is stored `again`: then all parts are added up anew.
        """
        parts = [self.day(part) for part in self._lines] if again else []
        models = parts or [self.models(), day]
        pillars = parts or [self.pillars(), day]
        return _text(
            {
                "models": _rows(models, lambda place: (place.provider, place.model)),
                "pillars": _rows(pillars, lambda place: (place.provider, place.pillar)),
            }
        )

    def day(self, part: PartKey) -> Day:
        """Return one part with all its cells."""
        with _judged():
            when, name, cells = json.loads(self._lines[part])
            if (when, name) != (str(part[0]), part[1]):
                raise NotAMonth(f"{when} in the place of {part[0]}")
            return read_day({"part": name, "cells": cells})

    def encode(self) -> bytes:
        """Return the whole file."""
        days: dict[str, dict[str, _Rows]] = {}
        for (day, part), rows in self._sums.items():
            days.setdefault(str(day), {})[part] = rows
        head = _text({"version": VERSION, "month": self.name, "after": self.after, "days": days})
        lines = (self._lines[date.fromisoformat(day), part] for day, parts in days.items() for part in parts)
        return b"\n".join([head, self._whole, *lines, b""])


def decode(content: bytes) -> Month:
    """Read the month in `content`.

    Raises:
        NotAMonth: it is none, or not a whole one.
        NewerMonth: it has a version that this lbk does not know.
    """
    with _judged():
        head, *lines = content.splitlines()
        tree = json.loads(head)
        version = tree["version"]
        if type(version) is int and version > VERSION:
            raise NewerMonth(version)
        if version == 1:
            return _upgraded(tree)
        month = Month(read_text(tree["month"]), tree["after"])
        for day, parts in tree["days"].items():
            for part, rows in parts.items():
                month._sums[date.fromisoformat(day), part] = rows  # noqa: SLF001 - this is the other half of it
        if version != VERSION or len(lines) != 1 + len(month._sums) or not content.endswith(b"\n"):  # noqa: SLF001
            raise NotAMonth(f"version {version!r}, {len(lines)} lines")
        month._whole, month._lines = lines[0], dict(zip(month._sums, lines[1:], strict=True))  # noqa: SLF001
        return month


def _upgraded(tree: Mapping[str, Any]) -> Month:
    """Return a month of version 1, which had nothing but cells, as one of today's."""
    month = Month(read_text(tree["month"]))
    for day, parts in tree["days"].items():
        for part, cells in parts.items():
            month.put(ClosedDay(date.fromisoformat(day), read_day({"part": part, "cells": cells})))
    return month


def _rows(days: Iterable[Day], group: Callable[[CellKey], tuple[str, str]]) -> _Rows:
    """Return the sums of all cells, grouped by `group`."""
    found: dict[tuple[str, str], list[Cell]] = {}
    for day in days:
        for place, cell in day.cells.items():
            found.setdefault(group(place), []).append(cell)
    return [[*name, *write_sum(Cell.total(cells))] for name, cells in found.items()]


def _text(tree: object) -> bytes:
    return json.dumps(tree, separators=(",", ":")).encode()


@contextmanager
def _judged() -> Iterator[None]:
    """Turn every error of reading a month into `NotAMonth`."""
    try:
        yield
    except (NewerMonth, NotAMonth):
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError) as error:
        raise NotAMonth(type(error).__name__) from error
