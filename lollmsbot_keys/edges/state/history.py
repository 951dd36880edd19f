"""The history of closed days, one file a month in `history/` beside the state.

A day is stored under the name of its part, so that storing it again after a crash replaces it: a day is never there
twice, and never lost between the state and here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

from lollmsbot_keys.core.model.snapshot import ClosedDay, Day
from lollmsbot_keys.core.model.statement import By, DaySpan, Survey
from lollmsbot_keys.edges.files.atomic import replace_file
from lollmsbot_keys.edges.files.regular import read_plain
from lollmsbot_keys.edges.state.month_file import Month, NewerMonth, NotAMonth, PartKey, decode
from lollmsbot_keys.errors import StateError

MONTHS_KEPT = 15
"""The number of files that stay, enough for 400 days. No dates, so that a clock a year ahead deletes nothing."""


class NewerHistory(StateError):
    """A month's file that a newer lbk wrote."""


class DamagedHistory(StateError):
    """A month's file that cannot be understood."""


class History:
    """The folder of closed days.

    All writing happens under the lock of the state.
    """

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self.folder, self._warn = folder, warn

    def store(self, days: Sequence[ClosedDay]) -> None:
        """Write closed days into their months, durably.

        A damaged file is kept aside: it must not stop today's calls.

        Raises:
            OSError: the folder cannot be written.
            NewerHistory: a month's file was written by a newer lbk.
        """
        if not days:
            return
        self.folder.mkdir(mode=0o700, exist_ok=True)
        for name in sorted({f"{closed.date:%Y-%m}" for closed in days}):
            month = self._with(name, [closed for closed in days if f"{closed.date:%Y-%m}" == name])
            replace_file(self.folder / f"{name}.json", month.encode(), durable=True)
        for old in self._files()[:-MONTHS_KEPT]:
            with suppress(FileNotFoundError):
                old.unlink()

    def days(self, since: date, until: date) -> Iterator[tuple[date, Day]]:
        """Yield every stored part of the days from `since` to `until`, both included, in order.

        Each part comes with all its cells.

        Raises:
            StateError: see `between`.
        """
        for month in self.between(DaySpan(since, until)).months:
            for part in month.parts:
                if since <= part[0] <= until:
                    with _explained(self.folder / f"{month.name}.json"):
                        yield part[0], month.day(part)

    def between(self, span: DaySpan) -> Stored:
        """Return the months that `span` touches, as they are stored at this moment.

        Raises:
            StateError: a month's file cannot be read, is damaged or from a newer lbk.
        """
        files = self._files()
        asked = [file for file in files if f"{span.since:%Y-%m}" <= file.stem <= f"{span.until:%Y-%m}"]
        months = tuple(month for file in asked if (month := self._month(file)) is not None)
        return Stored(self.folder, months, self._survey(span, [file.stem for file in files], months))

    def _survey(self, span: DaySpan, present: Sequence[str], months: Sequence[Month]) -> Survey:
        asked = _names(span)
        before = {month.after for month in months if month.after is not None} - set(present)
        # What is older than all others, and as many as are kept are there, has only grown too old.
        missing = {name for name in before if len(present) < MONTHS_KEPT or name > present[0]}
        damaged = {name: file.name for name in asked for file in sorted(self.folder.glob(f"{name}.json.damaged-*"))}
        return Survey(asked, frozenset(present), missing, damaged)

    def _files(self) -> list[Path]:
        """Return the months that have a file, oldest first."""
        return sorted(self.folder.glob("[0-9]*-[0-9][0-9].json"))

    def _month(self, file: Path) -> Month | None:
        with _explained(file):
            try:
                return decode(read_plain(file))
            except FileNotFoundError:  # it has just grown too old
                return None

    def _with(self, name: str, days: Sequence[ClosedDay]) -> Month:
        """Return the month with `days` added.

        A damaged file is set aside.
        """
        file = self.folder / f"{name}.json"
        before = [other.stem for other in self._files() if other.stem < name]
        after = before[-1] if before else None
        try:
            return _filled(file, self._month(file) or Month(name, after), days)
        except DamagedHistory:
            former = sum(1 for _ in self.folder.glob(f"{file.name}.damaged*"))
            aside = file.with_name(f"{file.name}.damaged-{former + 1}")
            file.replace(aside)
            self._warn(f"{file} was damaged and is now {aside.name}: reports lack the days in it")
            return _filled(file, Month(name, after), days)


def _filled(file: Path, month: Month, days: Sequence[ClosedDay]) -> Month:
    with _explained(file):
        for closed in days:
            month.put(closed)
    return month


class Stored:
    """Some months of the history.

    `known` are the parts that the caller has already: they are left out.
    """

    def __init__(self, folder: Path, months: tuple[Month, ...], survey: Survey) -> None:
        self.months, self.survey, self._folder = months, survey, folder

    def sums(self, known: AbstractSet[PartKey]) -> Iterator[tuple[date, Day]]:
        """Yield everything by day and key, without models and pillars.

        Raises `StateError` where a file is damaged.
        """
        for month in self.months:
            with _explained(self._folder / f"{month.name}.json"):
                yield from [(part[0], month.sums(part)) for part in month.parts if part not in known]

    def named(self, by: By, span: DaySpan, known: AbstractSet[PartKey]) -> Iterator[tuple[date, Day]]:
        """Yield the days of `span` by model or pillar.

        A month that lies in it as a whole comes as one day, without keys.
        """
        for month in self.months:
            parts = month.parts
            wanted = [part for part in parts if part not in known and span.since <= part[0] <= span.until]
            with _explained(self._folder / f"{month.name}.json"):
                if wanted and len(wanted) == len(parts):
                    yield wanted[0][0], month.models() if by is By.MODEL else month.pillars()
                else:
                    yield from [(part[0], month.day(part)) for part in wanted]


def _names(span: DaySpan) -> tuple[str, ...]:
    """Return the months that `span` touches."""
    first, last = (day.year * 12 + day.month - 1 for day in span)
    return tuple(f"{number // 12:04}-{number % 12 + 1:02}" for number in range(first, last + 1))


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Turn the faults of a month's file into messages that a person can act on."""
    try:
        yield
    except NotAMonth as error:
        raise DamagedHistory(
            f"{file} is damaged: it holds the sums of closed days. Put a copy of it in its place, or move it away: "
            "then reports say what they lack. Budgets need it only where a clock was days ahead."
        ) from error
    except NewerMonth as error:
        raise NewerHistory(f"{file} was written by a newer lbk (version {error.args[0]}). Update this one.") from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StateError(
            f"Cannot read {file}: {error.strerror or type(error).__name__}. It holds the sums of closed days: mend its "
            "permissions, or move it away, and reports say what they lack."
        ) from error
