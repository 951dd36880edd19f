"""The updates a second of 64 processes on one state, beside SQLite in WAL mode updating one row each time.

The plainest locked read-write-fsync-replace of as many bytes stands beside both.
"""

from __future__ import annotations

import multiprocessing
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import perf_counter

from state_update import plainest
from world import NOON, claimed_call, config, facts, settled_call

from lollmsbot_keys.core.state.expiry import Housekeeping
from lollmsbot_keys.edges.environment.processes import this_process
from lollmsbot_keys.edges.state.store import StateFile

PROCESSES = 64
CALLS = 25
"""Calls of each process; each is two updates."""
CONFIGURED = config()
"""The configuration, loaded once before the processes are forked: it is not measured here."""


def ours(folder: str, worker: int) -> None:
    configured, owner = CONFIGURED, this_process()
    known = facts(configured)
    keeper = Housekeeping(configured.timezone, configured.cooldowns.longest)
    state = StateFile(Path(folder, "state.json"), keeper=keeper, clock=lambda: NOON, warn=print)
    for call in range(CALLS):
        number = worker * CALLS + call
        claimed = state.update(lambda seen, now: claimed_call(seen, configured, known, owner, number, now))  # noqa: B023
        if claimed is not None:
            state.update(lambda seen, now: (settled_call(seen, configured, claimed, now), None))  # noqa: B023


def sqlite(folder: str, _worker: int) -> None:
    with closing(sqlite3.connect(f"{folder}/state.sqlite", timeout=60, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        for _ in range(CALLS):
            for _ in ("claim", "settle"):
                database.execute("BEGIN IMMEDIATE")
                (spent,) = database.execute("SELECT spent FROM budget").fetchone()
                database.execute("UPDATE budget SET spent = ?", (spent + 1,))
                database.execute("COMMIT")


def plain(folder: str, _worker: int) -> None:
    path = Path(folder, "plain.json")
    for _ in range(2 * CALLS):
        plainest(path)


def main() -> None:
    for name, work in (("lbk state file", ours), ("plainest, 2.5 KB", plain), ("SQLite WAL, one row", sqlite)):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            Path(folder, "plain.json").write_bytes(b"x" * 2_500)
            with closing(sqlite3.connect(f"{folder}/state.sqlite")) as database:
                database.executescript("CREATE TABLE budget (spent INTEGER); INSERT INTO budget VALUES (0);")
            seconds = _together(work, folder)
            updates = PROCESSES * CALLS * 2
            print(f"{name:<22} {updates} updates in {seconds:.2f} s: {updates / seconds:.0f} a second")


def _together(work: Callable[[str, int], None], folder: str) -> float:
    processes = [multiprocessing.Process(target=work, args=(folder, worker)) for worker in range(PROCESSES)]
    began = perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return perf_counter() - began


if __name__ == "__main__":
    main()
