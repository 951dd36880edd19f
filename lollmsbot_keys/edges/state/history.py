"""Closed days, one file a month in `history/` beside the state.

A day is stored under the name of its part, so that storing it again after a crash replaces it: a day is never there
twice, and never lost between the state and here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from lollmsbot_keys.core.state import ClosedDay, Day
from lollmsbot_keys.edges.atomic_file import replace_file
from lollmsbot_keys.edges.state.codec.money import cells_tree, read_day
from lollmsbot_keys.errors import StateError

VERSION = 1
MONTHS_KEPT = 15
"""Files that stay: enough for 400 days. Counted, not dated, so that a clock a year ahead deletes nothing."""


class History:
    """The folder of closed days. All writing happens under the lock of the state."""

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self.folder, self._warn = folder, warn

    def store(self, days: Sequence[ClosedDay]) -> None:
        """Write closed days into their months, durably. A damaged file is kept aside: it must not stop today's calls.

        Raises:
            OSError: the folder cannot be written.
            NewerHistory: a month's file was written by a newer lbk.
        """
        if not days:
            return
        self.folder.mkdir(mode=0o700, exist_ok=True)
        for month in sorted({f"{closed.date:%Y-%m}" for closed in days}):
            tree = self._tree_or_new(month)
            for closed in days:
                if f"{closed.date:%Y-%m}" == month:
                    parts = tree["days"].setdefault(str(closed.date), {})
                    parts[closed.day.part] = cells_tree(closed.day)
            replace_file(self._file(month), json.dumps(tree, separators=(",", ":")).encode() + b"\n", durable=True)
        for old in sorted(self.folder.glob("[0-9]*-[0-9][0-9].json"))[:-MONTHS_KEPT]:
            with suppress(FileNotFoundError):
                old.unlink()

    def days(self, since: date, until: date) -> Iterator[tuple[date, Day]]:
        """Every stored part of the days from `since` to `until`, both included, in order.

        Raises:
            StateError: a month's file is damaged or from a newer lbk.
        """
        for file in sorted(self.folder.glob("[0-9]*-[0-9][0-9].json")):
            if not f"{since:%Y-%m}" <= file.stem <= f"{until:%Y-%m}":
                continue
            try:
                for day, parts in sorted(self._tree(file.stem)["days"].items()):
                    if since <= (when := date.fromisoformat(day)) <= until:
                        for part, cells in parts.items():
                            yield when, read_day({"part": part, "cells": cells})
            except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
                raise _damaged(file) from error

    def _file(self, month: str) -> Path:
        return self.folder / f"{month}.json"

    def _tree_or_new(self, month: str) -> dict[str, Any]:
        try:
            return self._tree(month)
        except NewerHistory:
            raise
        except StateError:
            file = self._file(month)
            former = sum(1 for _ in self.folder.glob(f"{file.name}.damaged*"))
            aside = file.with_name(f"{file.name}.damaged-{former + 1}")
            file.replace(aside)
            self._warn(f"{file} was damaged and is now {aside.name}: reports lack the days in it")
            return _new(month)

    def _tree(self, month: str) -> dict[str, Any]:
        file = self._file(month)
        try:
            tree: dict[str, Any] = json.loads(file.read_bytes())
            version, days = tree["version"], tree["days"]
        except FileNotFoundError:
            return _new(month)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _damaged(file) from error
        if type(version) is int and version > VERSION:
            raise NewerHistory(f"{file} was written by a newer lbk (version {version}). Update this one.")
        if version != VERSION or not isinstance(days, dict) or not all(isinstance(p, dict) for p in days.values()):
            raise _damaged(file)
        return tree


class NewerHistory(StateError):
    """A month's file that this lbk is too old for."""


def _new(month: str) -> dict[str, Any]:
    return {"version": VERSION, "month": month, "days": {}}


def _damaged(file: Path) -> StateError:
    return StateError(f"{file} is damaged: it holds the sums of closed days. Restore it, or move it away.")
