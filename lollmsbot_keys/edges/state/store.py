"""The shared state on disk: the only thing that processes of one pool have in common.

Reading takes no lock, because the file is only ever replaced whole. Every change is made under the lock, onto what the
file says at that moment, and is on the disk before anyone acts on it. Beside the file lie its lock, the copy of the
last good one, its history and its caches. A file that is no state of ours is never taken for an empty one: that would
be a fresh budget.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.snapshot import ClosedDay, Day, Snapshot
from lollmsbot_keys.core.model.unsettled import Settlement
from lollmsbot_keys.edges.environment.processes import Census, Liveness
from lollmsbot_keys.edges.files.regular import read_plain
from lollmsbot_keys.edges.state.codec import NewerState, NotAState, decode, encode
from lollmsbot_keys.errors import StateError

T = TypeVar("T")
Change = Callable[[Snapshot, datetime], tuple[Snapshot, T]]
"""A pure step: the snapshot as it is now, and the time, into the next snapshot and an answer."""

USUAL_NAME = "state.json"
"""Of a state of this name the folders beside it are called what they are; those of others are named after them."""


class Keeper(Protocol):
    """What is done to a snapshot around every reading and writing; pure (`core.upkeep.Housekeeping`)."""

    def before(
        self, snapshot: Snapshot, now: datetime, dead: AbstractSet[Owner], alive: AbstractSet[Owner]
    ) -> Snapshot: ...

    def adopted(self, snapshot: Snapshot, kept: Mapping[str, Settlement], now: datetime) -> Snapshot: ...

    def forgotten(self, snapshot: Snapshot, now: datetime) -> date | None: ...

    def recalled(self, snapshot: Snapshot, today: date, stored: Iterable[tuple[date, Day]]) -> Snapshot: ...

    def after(self, snapshot: Snapshot, now: datetime) -> tuple[Snapshot, tuple[ClosedDay, ...]]: ...


class StateFile:
    """The state at `path`. `clock` gives the time in UTC; warnings that a person should see are handed to `warn`."""

    def __init__(
        self,
        path: Path,
        *,
        keeper: Keeper,
        clock: Callable[[], datetime],
        warn: Callable[[str], None],
    ) -> None:
        # What lies beside the state lies beside the real file, not beside a link to it. (`resolve` raises on a circle.)
        self.path = Path(os.path.realpath(path))
        self._keeper, self._clock, self._warn = keeper, clock, warn
        self._prepared = False
        self._warned: set[str] = set()
        self._known: tuple[bytes, Snapshot] | None = None
        self._census = Census()

    @property
    def copy(self) -> Path:
        """The last good copy."""
        return self.path.parent / f"{self.path.name}.last-good"

    @property
    def lock(self) -> Path:
        return self.path.parent / f"{self.path.name}.lock"

    @property
    def history(self) -> Path:
        return self._folder("history")

    @property
    def cache(self) -> Path:
        """What providers said of late. Another state may be for other providers, of another configuration."""
        return self._folder("cache")

    @property
    def unsettled(self) -> Path:
        """Settlements that could not be written here."""
        return self._folder("unsettled")

    @property
    def fingerprint_key(self) -> Path:
        """What all states of this place share: a random key knows nothing of any of them."""
        return self.path.parent / "fingerprint.key"

    def _folder(self, of: str) -> Path:
        """A folder of this state alone: two states in one place are two ledgers. No two names give the same."""
        name = self.path.name
        if name == USUAL_NAME:
            return self.path.parent / of
        stem = name.removesuffix(".json")
        return self.path.parent / (f"{name}.{of}" if stem == name else f"{stem}-{of}")

    def read(self, now: datetime | None = None) -> Snapshot:
        """The state as of `now` (by default, the clock's). Changes nothing, creates nothing, takes no lock.

        Raises:
            StateError: the file cannot be read, is newer than this lbk, or is damaged beyond its copy.
        """
        with _explained(self.path, "read"):
            snapshot = self._decoded_or_copy(self._bytes(self.path), restore=False)
        moment = now or self._clock()
        snapshot = self._adopting(snapshot, moment)
        self._census.look(_owners(snapshot))
        return self._kept(snapshot, moment)

    def update(self, change: Change[T]) -> T:
        """Apply one change under the lock and put the result on the disk. Returns what the change answers.

        Raises:
            StateError: the state cannot be read or written here. The file is then as it was.
        """
        return self.update_all([change])[0]

    def update_all(self, changes: Sequence[Change[T]]) -> list[T]:
        """Apply several changes, in order, with one write for all. See `update`."""
        from lollmsbot_keys.edges.files.lock import locked

        with _explained(self.path, "write"):
            self._prepare()
            self._look_ahead()
            with locked(self.lock):
                return self._apply(changes)

    def _apply(self, changes: Sequence[Change[T]]) -> list[T]:
        now = self._clock()
        before = self._decoded_or_copy(self._bytes(self.path), restore=True)
        adopted = self._adopting(before, now)
        snapshot = kept = self._kept(adopted, now)
        answers = []
        for change in changes:
            snapshot, answer = change(snapshot, now)
            answers.append(answer)
        if snapshot is not kept or adopted.adopted - before.adopted:
            self._store(snapshot, now)
        if adopted.adopted:
            from lollmsbot_keys.edges.state.unsettled import Unsettled

            Unsettled(self.unsettled, self._warn_once).forget(adopted.adopted)
        return answers

    def keep(self, settlement: Settlement) -> None:
        """Put what cannot be written into the state beside it: the next who changes it books that.

        Raises:
            StateError: there is no place for it either.
        """
        from lollmsbot_keys.edges.state.unsettled import Unsettled

        with _explained(self.unsettled, "write"):
            Unsettled(self.unsettled, self._warn_once).keep(settlement)

    def _adopting(self, snapshot: Snapshot, now: datetime) -> Snapshot:
        """The snapshot with what lies in `unsettled/`. Read after the state: what leaves there is in a later one."""
        if _is_empty(self.unsettled):
            return snapshot._replace(adopted=frozenset()) if snapshot.adopted else snapshot
        from lollmsbot_keys.edges.state.unsettled import Unsettled

        return self._keeper.adopted(snapshot, Unsettled(self.unsettled, self._warn_once).lying(), now)

    def _store(self, snapshot: Snapshot, now: datetime) -> None:
        """Closed days first, then the state, then its copy: after a crash anywhere, nothing is lost or there twice."""
        from lollmsbot_keys.edges.files.atomic import overwrite_file, replace_file

        snapshot, closed = self._keeper.after(snapshot, now)
        if closed:
            from lollmsbot_keys.edges.state.history import History

            History(self.history, self._warn).store(closed)
        snapshot = snapshot._replace(written=now)
        content = encode(snapshot)
        # Both flushes, by the book. With one, after replacing (on ext4 three fifths of the time), a loss of power can
        # leave half a file; with none (a third of it), a request may have left whose hold nobody remembers.
        replace_file(self.path, content, durable=True)
        self._known = content, snapshot
        try:
            try:
                overwrite_file(self.copy, content)
            except OSError:  # somebody else's, or no file; an old copy would bring back an old ledger
                replace_file(self.copy, content, durable=False)
        except OSError as error:
            self._warn_once(
                f"The last good copy {self.copy} cannot be written: {error.strerror}. The state itself is whole."
            )

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self._warn(message)

    def _look_ahead(self) -> None:
        """Look whose holds are whose before the lock is had: under it every moment counts for all who wait."""
        if not self._census.is_due:
            return
        with suppress(NewerState, NotAState, FileNotFoundError):
            self._census.look(_owners(self._decoded(read_plain(self.path))))

    def _kept(self, snapshot: Snapshot, now: datetime) -> Snapshot:
        """The snapshot after upkeep. Owners that nobody has looked at are taken to live until their holds expire."""
        today = self._keeper.forgotten(snapshot, now)
        if today is not None:
            snapshot = self._recalled(snapshot, today)
        owners = _owners(snapshot)
        if not owners:
            return self._keeper.before(snapshot, now, frozenset(), frozenset())
        self._census.meet(hold.owner for hold in snapshot.holds.values() if not hold.lapsed and hold.expires <= now)
        dead, alive = (self._census.among(owners, life) for life in (Liveness.DEAD, Liveness.ALIVE))
        return self._keeper.before(snapshot, now, dead, alive)

    def _recalled(self, snapshot: Snapshot, today: date) -> Snapshot:
        """With what was spent `today` and in its month: a clock that was ahead has left it to the history alone."""
        from lollmsbot_keys.core.model.statement import DaySpan
        from lollmsbot_keys.edges.state.history import History

        known = {(day, content.part) for day, content in snapshot.days.items()}
        month = History(self.history, self._warn).between(DaySpan(today, today))
        return self._keeper.recalled(snapshot, today, month.sums(known))

    def _prepare(self) -> None:
        """Make the folder, and refuse one that a network is between."""
        if self._prepared:
            return
        from lollmsbot_keys.edges.files.filesystem import network_kind

        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kind = network_kind(self.path)
        if kind is not None:
            raise StateError(
                f"{self.path} is on a network file system ({kind}), where locks cannot be relied on and budgets would "
                "not hold. Choose a local folder with --state or LBK_STATE."
            )
        self._prepared = True

    @staticmethod
    def _bytes(path: Path) -> bytes | None:
        try:
            return read_plain(path)
        except FileNotFoundError:
            return None

    def _decoded_or_copy(self, content: bytes | None, *, restore: bool) -> Snapshot:
        """The snapshot in `content`, or in the last good copy where `content` is none of ours."""
        copy = None
        if content is not None:
            try:
                return self._decoded(content)
            except NewerState as newer:
                raise StateError(
                    f"{self.path} was written by a newer lbk (version {newer.args[0]}). Update this one, or use "
                    "another file with --state."
                ) from None
            except NotAState:
                copy = self._bytes(self.copy)
        else:
            copy = self._bytes(self.copy)
            if copy is None:
                return Snapshot()
        return self._from_copy(copy, missing=content is None, restore=restore)

    def _decoded(self, content: bytes) -> Snapshot:
        """What `content` says. While nobody else writes it is what was written or read here last: that is known."""
        if self._known is None or self._known[0] != content:
            self._known = content, decode(content)
        return self._known[1]

    def _from_copy(self, copy: bytes | None, *, missing: bool, restore: bool) -> Snapshot:
        try:
            snapshot = decode((copy or b"").partition(b"\n")[0])  # what follows is of a longer one before it
        except NotAState:
            raise StateError(
                f"{self.path} is damaged and there is no good copy of it. An empty one would be a fresh budget, so lbk "
                f"does not make it: restore the file, or move it and {self.copy.name} away to begin at zero."
            ) from None
        except NewerState as newer:
            raise StateError(
                f"{self.copy} was written by a newer lbk (version {newer.args[0]}). Update this one."
            ) from None
        if restore and not missing:
            aside = self.path.with_name(f"{self.path.name}.damaged-{self._clock():%Y%m%dT%H%M%SZ}")
            self.path.replace(aside)
            self._warn(f"{self.path} was damaged: kept as {aside.name}, restored from the last good copy")
        else:
            state = "is missing" if missing else "is damaged"
            self._warn(f"{self.path} {state}: going on from the last good copy, {self.copy.name}")
        return snapshot


def _is_empty(folder: Path) -> bool:
    """Whether nothing lies there: asked at every reading, so as cheaply as can be."""
    try:
        return not os.listdir(folder)  # noqa: PTH208 - a Path costs several times as much
    except OSError:
        return True


def _owners(snapshot: Snapshot) -> set[Owner]:
    """Who has something in hand: a call on its way, a place in the queue, an alert to deliver."""
    owners = {hold.owner for hold in snapshot.holds.values() if not hold.lapsed}
    owners |= {waiter.owner for waiter in snapshot.waiters.values()}
    return owners | {raised.lease.owner for raised in snapshot.alerts.values() if raised.lease is not None}


@contextmanager
def _explained(path: Path, doing: str) -> Iterator[None]:
    """Turn what the system says into what a person can do about it."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StateError(
            f"Cannot {doing} the state {path}: {reason}. Free some space or mend the permissions, or "
            "choose another file with --state or LBK_STATE."
        ) from error
