"""Real `lbk` processes, one or many at the same moment; and real state files with money in them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.model.snapshot import Hold, Snapshot
from lollmsbot_keys.core.model.unsettled import Settlement
from lollmsbot_keys.core.money.charges import Charge
from lollmsbot_keys.core.state.adoption import settlement_of
from lollmsbot_keys.core.state.events import Claimed, Settled, record
from lollmsbot_keys.core.state.expiry import Housekeeping
from lollmsbot_keys.edges.environment.processes import this_process
from lollmsbot_keys.edges.state.store import Change, StateFile
from tests.warm import CLOCK, LBK, popen

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 400.0
"""Less than half of a test's own time limit: a process that hangs fails its test with its output."""


def run_lbk(
    args: Sequence[str], env: Mapping[str, str], stdin: str | None = None, timeout: float = PATIENCE_S
) -> subprocess.CompletedProcess[str]:
    """Run `lbk ARGS` with exactly this environment. Without `stdin`, standard input is empty."""
    process = start(command(args), env, subprocess.DEVNULL if stdin is None else subprocess.PIPE)
    with process:
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def command(args: Iterable[str]) -> list[str]:
    """What starts this very `lbk`."""
    return [*LBK, *args]


def start_lbk(
    args: Sequence[str], env: Mapping[str, str], stdin: int = subprocess.DEVNULL, *, own_session: bool = False
) -> subprocess.Popen[str]:
    """Start `lbk ARGS`; its output is kept in pipes."""
    return start(command(args), env, stdin, own_session=own_session)


def start(
    argv: Sequence[str], env: Mapping[str, str], stdin: int = subprocess.DEVNULL, *, own_session: bool = False
) -> subprocess.Popen[str]:
    """Start any program that may import the package; its output is kept in pipes."""
    return popen(
        argv,
        _with_package(env),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=own_session,
    )


@contextmanager
def together(commands: Iterable[Sequence[str]], env: Mapping[str, str]) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that all read standard input first, as `lbk ask` does: its end comes to all of them at once.

    Those that still run at the end of the block are killed.
    """
    gate, opener = os.pipe()
    processes: list[subprocess.Popen[str]] = []
    try:
        try:
            processes += [start(argv, env, gate) for argv in commands]
        finally:
            os.close(gate)
            os.close(opener)
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


def finished(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """The process's end and its output."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for `condition`; a condition that reads a file that is not there yet is not met yet."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if condition():
                return
        except FileNotFoundError:
            pass
        time.sleep(0.005)
    pytest.fail(f"waited in vain for {what}")


def _with_package(env: Mapping[str, str]) -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), **CLOCK, **env}


# State files


def utc_now() -> datetime:
    return datetime.now(UTC)


def opened(
    path: Path, clock: Callable[[], datetime] = utc_now, warn: Callable[[str], None] = lambda _message: None
) -> StateFile:
    """The state file at `path` as `lbk` opens it, with budget days in UTC."""
    return StateFile(path, keeper=Housekeeping(UTC, timedelta(days=8)), clock=clock, warn=warn)


def hold(now: datetime, amount_usd: str = "0.01", owner: Owner | None = None) -> Hold:
    """Money held now, by this process unless it is said whose it is."""
    return Hold(
        id=os.urandom(8).hex(),
        owner=owner or this_process(),
        claimed=now,
        expires=now + timedelta(hours=1),
        day=now.astimezone(UTC).date(),
        key="OLLAMA_API_KEY",
        provider=Provider.OLLAMA,
        model="kimi-k2.6",
        pillar="",
        amount_usd=Decimal(amount_usd),
    )


def claimed(snapshot: Snapshot, held: Hold, now: datetime) -> Snapshot:
    return record(snapshot, Claimed(held, takes_turn=True), now)


def settled(snapshot: Snapshot, held: Hold, now: datetime) -> Snapshot:
    """The call answered, and cost exactly what was held for it."""
    charge = Charge(held.amount_usd, held.amount_usd, "provider")
    took = timedelta(milliseconds=5)
    return record(snapshot, Settled(held.id, charge, Usage(1, 1), took, failed=False, failover=False), now)


def calling(path: Path, amount_usd: str = "0.50") -> Hold:
    """A call on its way."""
    held = hold(utc_now(), amount_usd)
    opened(path).update(lambda snapshot, now: (claimed(snapshot, held, now), None))
    return held


def ending(held: Hold, cost_usd: str) -> Settlement:
    charge = Charge(Decimal(cost_usd), Decimal(cost_usd), "provider")
    took = timedelta(seconds=1)
    return settlement_of(held, [Settled(held.id, charge, Usage(1, 1), took, failed=False, failover=False)])


def spending(amount_usd: str = "0.01") -> Change[None]:
    """One whole call as a change of the state: claimed, and settled at that amount."""

    def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
        held = hold(now, amount_usd)
        return settled(claimed(snapshot, held, now), held, now), None

    return change


def spent(snapshot: Snapshot) -> Decimal:
    """All money recorded in the open days."""
    return sum((sum(day.spent.values(), Decimal(0)) for day in snapshot.days.values()), Decimal(0))


def calls(snapshot: Snapshot) -> int:
    """All calls recorded in the open days."""
    return sum(cell.calls for day in snapshot.days.values() for cell in day.cells.values())
