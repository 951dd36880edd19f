"""`StateQueue`: fewer writes than changes, and still nobody goes on before what they asked for is on the disk."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.edges.state.codec import decode
from lollmsbot_keys.edges.state.store import StateFile
from lollmsbot_keys.edges.state.write_queue import StateQueue
from lollmsbot_keys.errors import StateError
from lollmsbot_keys.pool import KeyPool
from lollmsbot_keys.runtime import Engine
from lollmsbot_keys.sandbox import Sandbox
from tests.lab import Heard, Listener, endpoints
from tests.support import PATIENCE_S, opened, spending, spent, utc_now

CENT = Decimal("0.01")
WHOLE = b'{"choices":[{"message":{"content":"yes"},"finish_reason":"stop"}]}'


class Counted:
    """A state file and how many times it was locked, which is once for each write."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.json"
        self.writes = 0
        self.state: StateFile = opened(self.path, clock=self._clock)
        self.queue = StateQueue(self.state)

    def _clock(self) -> datetime:
        self.writes += 1
        return utc_now()

    @property
    def spent(self) -> Decimal:
        return spent(decode(self.path.read_bytes())) if self.path.exists() else Decimal(0)


def seen(snapshot: Snapshot, _now: datetime) -> tuple[Snapshot, Decimal]:
    return snapshot, spent(snapshot)


def impossible(_snapshot: Snapshot, _now: datetime) -> tuple[Snapshot, None]:
    raise ZeroDivisionError


def test_who_waits_goes_on_when_it_is_on_the_disk(tmp_path: Path) -> None:
    async def run() -> None:
        file = Counted(tmp_path)
        for number in range(1, 4):
            await file.queue.update(spending())
            assert file.spent == CENT * number

    asyncio.run(run())


def test_what_gathers_during_a_write_goes_into_the_next(tmp_path: Path) -> None:
    async def run() -> None:
        file = Counted(tmp_path)
        await asyncio.gather(*(file.queue.update(spending()) for _ in range(200)))
        assert file.spent == CENT * 200
        assert file.writes == 1

        first = file.queue.update(spending())
        await asyncio.sleep(0)  # its write has begun
        await asyncio.gather(first, *(file.queue.update(spending()) for _ in range(200)))
        assert file.writes == 3

    asyncio.run(run())


def test_what_nobody_waits_for_goes_with_what_somebody_does(tmp_path: Path) -> None:
    async def run() -> None:
        file = Counted(tmp_path)
        alone = file.queue.later(spending())
        await asyncio.sleep(0)
        assert await file.queue.update(seen) == CENT, "it keeps its place in the order"
        assert alone.done()
        assert file.spent == CENT
        assert file.writes == 1

    asyncio.run(run())


def test_what_nobody_waits_for_is_written_all_the_same(tmp_path: Path) -> None:
    async def run() -> None:
        file = Counted(tmp_path)
        await file.queue.later(spending())  # the time limit of the test is the only hurry
        assert file.spent == CENT

    asyncio.run(run())


def test_what_nobody_waits_for_is_written_even_if_the_loop_ends(tmp_path: Path) -> None:
    file = Counted(tmp_path)

    async def run() -> None:
        file.queue.later(spending())
        await asyncio.sleep(0)  # it looks for company

    asyncio.run(run())
    assert file.spent == CENT


def test_a_write_waits_for_none_of_the_threads_that_others_keep_busy(tmp_path: Path) -> None:
    async def run() -> None:
        file, free = Counted(tmp_path), threading.Event()
        busy = [asyncio.get_running_loop().run_in_executor(None, free.wait, PATIENCE_S) for _ in range(100)]
        try:
            await asyncio.wait_for(file.queue.update(spending()), PATIENCE_S / 2)
            assert not any(work.done() for work in busy)
        finally:
            free.set()

    asyncio.run(run())


def test_when_all_is_said_to_be_written_it_is(tmp_path: Path) -> None:
    async def run() -> None:
        file = Counted(tmp_path)
        await file.queue.written()
        for number in range(1, 4):
            file.queue.later(spending())
            await file.queue.written()
            assert file.spent == CENT * number
        file.queue.later(spending())
        busy = file.queue.update(spending())
        await asyncio.sleep(0)
        file.queue.later(spending())  # joins while a write is under way
        await file.queue.written()
        assert busy.done()
        assert file.spent == CENT * 6

    asyncio.run(run())


def test_what_is_wrong_with_one_change_stays_with_it(tmp_path: Path) -> None:
    async def run() -> None:
        file = Counted(tmp_path)
        wrong, good = file.queue.later(impossible), file.queue.later(spending())
        with pytest.raises(ZeroDivisionError):
            await file.queue.update(impossible)
        with pytest.raises(ZeroDivisionError):
            await wrong
        await good
        assert file.spent == CENT

    asyncio.run(run())


def test_a_state_that_cannot_be_written_is_told_to_all_who_shared_the_write(tmp_path: Path) -> None:
    async def run() -> None:
        file = Counted(tmp_path / "not-a-folder")
        (tmp_path / "not-a-folder").touch()
        later, update = file.queue.later(spending()), file.queue.update(spending())
        for future in (later, update):
            with pytest.raises(StateError, match="Cannot write"):
                await future

    asyncio.run(run())


def test_two_who_write_in_turn_see_each_other(tmp_path: Path) -> None:
    """Each keeps in mind what it wrote last; what the file says counts."""
    one, other = Counted(tmp_path), Counted(tmp_path)
    for number in range(1, 6):
        for file in (one, other, other):
            before = file.spent
            assert file.state.update(seen) == before
            file.state.update(spending())
        assert one.state.read() == other.state.read()
        assert one.spent == CENT * 3 * number


def test_a_file_that_was_put_back_by_hand_counts(tmp_path: Path) -> None:
    file = Counted(tmp_path)
    file.state.update(spending())
    first = file.path.read_bytes()
    file.state.update(spending())
    file.path.write_bytes(first)
    assert file.state.update(seen) == CENT
    tree = json.loads(first)
    file.path.write_text(json.dumps({**tree, "days": {}}), "utf-8")
    assert file.state.update(seen) == 0


def test_every_request_finds_its_hold_in_the_file(tmp_path: Path) -> None:
    """Also when many share a write, and settlements that nobody waits for ride along."""
    lock, found, on_their_way = threading.Lock(), list[tuple[int, int]](), 0

    def answer(_heard: Heard) -> tuple[int, Mapping[str, str], list[bytes]]:
        nonlocal on_their_way
        with lock:
            on_their_way += 1
            found.append((on_their_way, len(decode(state.read_bytes()).holds)))
        with lock:
            on_their_way -= 1
        return 200, {"Content-Type": "application/json"}, [WHOLE]

    async def run() -> None:
        async with KeyPool(Engine.open(environment=Environment(variables))) as pool:
            await asyncio.gather(*(in_turn(pool) for _ in range(20)))

    async def in_turn(pool: KeyPool) -> None:
        for _ in range(4):
            await pool.ask("Hello", stream=False)

    with Sandbox() as sandbox, Listener(answer) as provider:
        variables = sandbox.environment(tmp_path)
        state = Path(variables["LBK_STATE"])
        endpoints(tmp_path / "config.toml", ollama=f"{provider.url}/v1")
        asyncio.run(run())
    assert len(found) == 80
    assert all(holds >= requests for requests, holds in found)
    assert decode(state.read_bytes()).holds == {}
