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
"""The usual name of a state, whose folders have plain names; the folders of another state begin with its name."""


class Keeper(Protocol):
    """The changes to a snapshot around every reading and writing; pure (`core.state.expiry.Housekeeping`)."""

    def before(
        self, snapshot: Snapshot, now: datetime, dead: AbstractSet[Owner], alive: AbstractSet[Owner]
    ) -> Snapshot: ...

    def adopted(self, snapshot: Snapshot, kept: Mapping[str, Settlement], now: datetime) -> Snapshot: ...

    def forgotten(self, snapshot: Snapshot, now: datetime) -> date | None: ...

    def recalled(self, snapshot: Snapshot, today: date, stored: Iterable[tuple[date, Day]]) -> Snapshot: ...

    def after(self, snapshot: Snapshot, now: datetime) -> tuple[Snapshot, tuple[ClosedDay, ...]]: ...


class StateFile:
    """The state at `path`.

    `clock` gives the time in UTC; `warn` gets the warnings that a person should see.
    """

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
        """The folder of the providers' recent answers.

        Another state may be for other providers, of another configuration.
        """
        return self._folder("cache")

    @property
    def unsettled(self) -> Path:
        """The folder of settlements that could not be written into the state."""
        return self._folder("unsettled")

    @property
    def fingerprint_key(self) -> Path:
        """The random key that all states in this folder share; it says nothing about any of them."""
        return self.path.parent / "fingerprint.key"

    def _folder(self, of: str) -> Path:
        """Return a folder that no state of another name shares: two states in one place are two ledgers."""
        name = self.path.name
        if name == USUAL_NAME:
            return self.path.parent / of
        stem = name.removesuffix(".json")
        return self.path.parent / (f"{name}.{of}" if stem == name else f"{stem}-{of}")

    def read(self, now: datetime | None = None) -> Snapshot:
        """Read the state as of `now` (by default, the clock's), without a lock or a change on the disk.

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
        """Apply one change under the lock, put the result on the disk, and return the change's answer.

        Raises:
            StateError: the state cannot be read or written here. The file is then as it was.
        """
        return self.update_all([change])[0]

    def update_all(self, changes: Sequence[Change[T]]) -> list[T]:
        """Apply several changes as `update` does, in order, with one write for all."""
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
        """Put a settlement that cannot be written into the state beside it.

        The next process that changes the state books it.

        Raises:
            StateError: there is no place for it either.
        """
        from lollmsbot_keys.edges.state.unsettled import Unsettled

        with _explained(self.unsettled, "write"):
            Unsettled(self.unsettled, self._warn_once).keep(settlement)

    def _adopting(self, snapshot: Snapshot, now: datetime) -> Snapshot:
        """Return the snapshot with the settlements in `unsettled/`.

        They are read after the state: a settlement that leaves the folder is in a later state.
        """
        if _is_empty(self.unsettled):
            return snapshot._replace(adopted=frozenset()) if snapshot.adopted else snapshot
        from lollmsbot_keys.edges.state.unsettled import Unsettled

        return self._keeper.adopted(snapshot, Unsettled(self.unsettled, self._warn_once).lying(), now)

    def _store(self, snapshot: Snapshot, now: datetime) -> None:
        """Write closed days, then the state, then its copy, so that a crash loses or doubles nothing."""
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
        """Look up which owners live before the lock is taken: under it every moment costs all who wait."""
        if not self._census.is_due:
            return
        with suppress(NewerState, NotAState, FileNotFoundError):
            self._census.look(_owners(self._decoded(read_plain(self.path))))

    def _kept(self, snapshot: Snapshot, now: datetime) -> Snapshot:
        """Return the snapshot after upkeep.

        Owners that were not looked at count as alive until their holds expire.
        """
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
        """Return the snapshot with the money spent `today` and in its month.

        After a clock that was ahead, only the history has it.
        """
        from lollmsbot_keys.core.model.statement import DaySpan
        from lollmsbot_keys.edges.state.history import History

        known = {(day, content.part) for day, content in snapshot.days.items()}
        month = History(self.history, self._warn).between(DaySpan(today, today))
        return self._keeper.recalled(snapshot, today, month.sums(known))

    def _prepare(self) -> None:
        """Make the folder, and refuse one on a network file system."""
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
        """Return the snapshot in `content`; if that is not a state of ours, the last good copy."""
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
        """Decode `content`, or return the known snapshot while no other process writes the file."""
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
    """Say whether the folder is empty; every reading asks this, so it must be cheap."""
    try:
        return not os.listdir(folder)  # noqa: PTH208 - a Path costs several times as much
    except OSError:
        return True


def _owners(snapshot: Snapshot) -> set[Owner]:
    """Return all owners of a call on its way, a place in the queue, or an alert to deliver."""
    owners = {hold.owner for hold in snapshot.holds.values() if not hold.lapsed}
    owners |= {waiter.owner for waiter in snapshot.waiters.values()}
    return owners | {raised.lease.owner for raised in snapshot.alerts.values() if raised.lease is not None}


@contextmanager
def _explained(path: Path, doing: str) -> Iterator[None]:
    """Turn the system's errors into messages that a person can act on."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StateError(
            f"Cannot {doing} the state {path}: {reason}. Free some space or mend the permissions, or "
            "choose another file with --state or LBK_STATE."
        ) from error
