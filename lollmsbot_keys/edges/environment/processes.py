"""The processes that own holds, and whether they still live.

A process number alone is reused; with the boot, the process namespace and the start time it is not. Where the system
does not tell (no /proc), only the expiry of a hold counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from enum import Enum
from functools import cache
from pathlib import Path
from time import monotonic

from lollmsbot_keys.core.model.lease import Owner

_PROC = Path("/proc")


class Liveness(Enum):
    """The known state of an owner.

    It is unknown for a process elsewhere (in another container or machine).
    """

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


@cache
def this_process() -> Owner:
    """Return the running process as an owner of holds."""
    pid = os.getpid()
    return Owner(pid, _boot(), _started(pid))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=this_process.cache_clear)


def life_of(owner: Owner) -> Liveness:
    """Look in the table of processes whether `owner` still runs."""
    here = _boot()
    if not here or not owner.boot or not owner.started:
        return Liveness.UNKNOWN
    if owner.boot == here:
        return Liveness.ALIVE if _started(owner.pid) == owner.started else Liveness.DEAD
    boot, _, namespace = owner.boot.partition("/")
    boot_here, _, namespace_here = here.partition("/")
    return Liveness.DEAD if namespace == namespace_here and boot != boot_here else Liveness.UNKNOWN


def is_dead(owner: Owner) -> bool:
    """Say whether `owner` has certainly ended."""
    return life_of(owner) is Liveness.DEAD


def is_alive(owner: Owner) -> bool:
    """Say whether `owner` certainly still runs: then a hold of it stays, however old."""
    return life_of(owner) is Liveness.ALIVE


LOOK_S = 1.0
"""The seconds between two looks at the same owner by one process."""


class Census:
    """The results of the last looks at owners; an ended owner stays ended."""

    def __init__(self, look: Callable[[Owner], Liveness] = life_of, clock: Callable[[], float] = monotonic) -> None:
        self._look, self._clock = look, clock
        self._seen: dict[Owner, Liveness] = {}
        self._since: float | None = None

    @property
    def is_due(self) -> bool:
        """Whether the last look is too long ago."""
        return self._since is None or self._clock() - self._since >= LOOK_S

    def look(self, owners: AbstractSet[Owner]) -> None:
        """Look at each of `owners`; at those who lived, again when that is due."""
        if self.is_due:
            self._seen = {
                owner: life for owner, life in self._seen.items() if life is Liveness.DEAD and owner in owners
            }
            self._since = self._clock()
        self.meet(owners)

    def meet(self, owners: Iterable[Owner]) -> None:
        """Look at those of `owners` who were not looked at yet."""
        for owner in owners:
            if owner not in self._seen:
                self._seen[owner] = self._look(owner)

    def among(self, owners: Iterable[Owner], life: Liveness) -> frozenset[Owner]:
        """Return those of `owners` whose last look gave `life`.

        An owner that was not looked at yet counts as alive.
        """
        return frozenset(owner for owner in owners if self._seen.get(owner, Liveness.ALIVE) is life)


@cache
def _boot() -> str:
    """Return this boot and this process namespace; "" where the system does not tell."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when `pid` started, in clock ticks since the boot.

    "" if there is no such process, or it has ended and only waits to be reaped.
    """
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)  # for each owner there is: a Path costs as much again
    except OSError:
        return ""
    try:
        # A program's name stands in it too: any bytes, and cut after 15 of them.
        status = os.read(descriptor, 4096).decode(errors="replace")
    except OSError:  # it ended between the two
        return ""
    finally:
        os.close(descriptor)
    fields = status.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]
