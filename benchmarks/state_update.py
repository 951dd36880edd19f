"""The time of one claim and settle through the state file.

Beside it stands the plainest locked read-write-fsync-replace of as many bytes.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pairs import line, paired
from world import NOON, claimed_call, config, facts, lived_in, settled_call

from lollmsbot_keys.core.state.expiry import Housekeeping
from lollmsbot_keys.edges.environment.processes import this_process
from lollmsbot_keys.edges.state.codec import encode
from lollmsbot_keys.edges.state.store import StateFile

ROUNDS = 300


def main() -> None:
    configured = config()
    known, owner = facts(configured), this_process()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for calls in (0, 500, 5_000):
            path, plain = Path(folder, f"{calls}.json"), Path(folder, f"{calls}.plain")
            content = encode(lived_in(configured, calls))
            path.write_bytes(content)
            plain.write_bytes(content)
            keeper = Housekeeping(configured.timezone, configured.cooldowns.longest)
            state = StateFile(path, keeper=keeper, clock=lambda: NOON, warn=print)
            numbers = iter(range(10**6, 10**7))

            def ours(state: StateFile = state, numbers: Iterator[int] = numbers) -> None:
                number = next(numbers)
                claimed = state.update(lambda seen, now: claimed_call(seen, configured, known, owner, number, now))
                assert claimed is not None
                state.update(lambda seen, now: (settled_call(seen, configured, claimed, now), None))

            def theirs(plain: Path = plain) -> None:
                plainest(plain)
                plainest(plain)

            size = f"{len(content) / 1000:.1f} KB"
            line(f"claim + settle, {size} after {calls} calls", *paired(ours, theirs, ROUNDS), "2 × plainest")


def plainest(path: Path) -> None:
    """Do what any program would have to do: lock, read, write aside, fsync, replace, fsync the folder."""
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    content = path.read_bytes()
    new = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(new, content)
    os.fsync(new)
    os.close(new)
    Path(f"{path}.new").replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    os.close(lock)


if __name__ == "__main__":
    main()
