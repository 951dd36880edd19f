"""Who holds a hold, and whether that process still lives.

A process number alone is reused; with the boot, the process namespace and the start time it is not. Where the system
does not tell (no /proc), only the expiry of a hold counts.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from lollmsbot_keys.core.owner import Owner

_PROC = Path("/proc")


def this_process() -> Owner:
    """The running process as an owner of holds."""
    pid = os.getpid()
    return Owner(pid, _boot(), _started(pid))


def is_dead(owner: Owner) -> bool:
    """Whether `owner` has certainly ended. Of a process elsewhere (another container or machine) nobody knows."""
    here = _boot()
    if not here or not owner.boot:
        return False
    boot, _, namespace = owner.boot.partition("/")
    boot_here, _, namespace_here = here.partition("/")
    if namespace != namespace_here:
        return False
    return boot != boot_here or _started(owner.pid) != owner.started


def is_alive(owner: Owner) -> bool:
    """Whether `owner` certainly still runs: then a hold of it stays, however old."""
    return bool(owner.started) and owner.boot == _boot() and _started(owner.pid) == owner.started


@cache
def _boot() -> str:
    """This boot and this process namespace; "" where the system does not tell."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When `pid` started, in clock ticks since the boot; "" if there is none, or it only waits to be reaped."""
    try:
        # A program's name stands in it too: any bytes, and cut after 15 of them.
        status = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = status.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]
