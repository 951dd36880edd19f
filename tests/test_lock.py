"""The lock, between real processes: one at a time, nobody for ever, nobody left out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from lollmsbot_keys.edges.files.lock import is_moving, locked
from lollmsbot_keys.errors import StateError
from tests.support import PATIENCE_S, finished, start, together, until

HOLD = """
import sys
from pathlib import Path
from lollmsbot_keys.edges.files.lock import is_moving, locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
MOMENT, LONG = timedelta(milliseconds=200), timedelta(seconds=PATIENCE_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json.lock"


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it dies."""
    process = start([sys.executable, "-c", HOLD, str(path)], os.environ, subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


def test_patience_runs_out_with_the_name_of_the_file(path: Path) -> None:
    with holder(path) as process:
        began = time.monotonic()
        with pytest.raises(StateError) as stuck, locked(path, MOMENT):
            pytest.fail("two hold it")
        assert time.monotonic() - began >= MOMENT.total_seconds()
        assert f"Process {process.pid} has held {path} for 0 s" in str(stuck.value)


@pytest.mark.parametrize("mark", [b"", b"\n", b"1 2 3\n", b"\xff 0 0 0\n", b"1 elsewhere/pid:[1] 7 9\n"])
def test_nobody_is_blamed_who_may_be_another(path: Path, mark: bytes) -> None:
    """An older lbk leaves no mark, and the number of one in another container is somebody else's here."""
    with holder(path):
        path.write_bytes(mark)
        with pytest.raises(StateError, match="Another process has held") as stuck, locked(path, MOMENT):
            pytest.fail("two hold it")
    assert "kill" not in str(stuck.value)


@pytest.mark.parametrize(
    ("marks", "moving"),
    [
        ("a" * 9, False),
        ("a" * 8 + "b" * 8, True),
        ("ab" * 40, True),
        ("ab" * 40 + "c" * 9, False),
        ("aabbccddeeffgghhiijjkkllmmnnoopp", True),
        ("a" + "b" * 9, False),
    ],
)
def test_only_a_holder_that_stays_is_stuck(marks: str, *, moving: bool) -> None:
    """The first mark is seen at once, each other after one more wait in vain; when there is none left, it is free."""
    left = [mark.encode() for mark in marks]
    assert is_moving(lambda: not left, lambda: left.pop(0)) is moving


def test_a_queue_that_moves_is_waited_for_however_long_it_is(path: Path) -> None:
    """One lets go, the next is in: for three times as long as anybody would wait for one of them."""
    patience, hurry = timedelta(seconds=0.6), threading.Event()
    held, entered = threading.Semaphore(0), threading.Event()

    def turn() -> None:
        with locked(path, LONG):
            held.release()
            hurry.wait(0.1)

    def wait() -> None:
        with locked(path, patience):
            entered.set()

    with locked(path):
        queue = [threading.Thread(target=turn) for _ in range(18)]
        for thread in queue:
            thread.start()
        until(lambda: waiting() == len(queue), "a queue")
        last = threading.Thread(target=wait)
        last.start()
        until(lambda: waiting() == len(queue) + 1, "the last")
    last.join(PATIENCE_S)
    hurry.set()
    for thread in queue:
        thread.join(PATIENCE_S)
    assert entered.is_set()


def waiting() -> int:
    """The threads of this process that wait for a lock."""
    return sum(thread.name == "lbk-lock" for thread in threading.enumerate())


def test_a_holder_that_is_killed_frees_it(path: Path) -> None:
    with holder(path) as process:
        threading.Timer(0.3, process.kill).start()
        with locked(path, LONG):
            pass


def test_whoever_waits_gets_it_soon_after_it_is_free(path: Path) -> None:
    """Waiting is not polling: what the lock was waited for for a second is there within milliseconds."""
    late = []
    for _ in range(5):
        with holder(path) as process:
            freed: list[float] = []

            def let_go(process: subprocess.Popen[str] = process, freed: list[float] = freed) -> None:
                process.kill()
                process.wait()
                freed.append(time.monotonic())

            ending = threading.Timer(0.2, let_go)
            ending.start()
            with locked(path, LONG):
                got = time.monotonic()
            ending.join()
            late.append(got - freed[0])
    assert min(late) < 0.1, late


def test_who_gave_up_does_not_take_it_later(path: Path) -> None:
    with holder(path):
        for _ in range(3):
            with pytest.raises(StateError), locked(path, MOMENT):
                pytest.fail("two hold it")
    for _ in range(20):
        with locked(path, LONG):
            pass
    with holder(path):
        pass


def test_an_error_inside_frees_it(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(path):
        raise ZeroDivisionError
    with locked(path, MOMENT):
        pass


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_its_file_is_private_and_stays(path: Path) -> None:
    before = os.umask(0)
    try:
        with locked(path):
            pass
    finally:
        os.umask(before)
    found = path.stat()
    assert found.st_mode & 0o777 == 0o600
    with locked(path):
        pass
    assert path.stat().st_ino == found.st_ino, "a new file would be a second lock"


def test_threads_of_one_process_take_turns(path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(20):
            with locked(path, LONG):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 160
    assert max(most) == 1


def test_sixteen_processes_take_turns_and_none_is_left_out(path: Path) -> None:
    """Each wants the lock again as soon as it has let go. A counter in a plain file shows whether two were ever in."""
    script = """
import sys, time
from datetime import timedelta
from pathlib import Path
from lollmsbot_keys.edges.files.lock import is_moving, locked
lock, counter = map(Path, sys.argv[1:])
sys.stdin.read()
turns, end = 0, time.monotonic() + 3
while time.monotonic() < end:
    with locked(lock, timedelta(seconds=100)):
        count = int(counter.read_text())
        time.sleep(0.001)
        counter.write_text(str(count + 1))
    turns += 1
print(turns)
"""
    counter = path.with_name("counter")
    counter.write_text("0")
    with together([[sys.executable, "-c", script, str(path), str(counter)]] * 16, os.environ) as processes:
        turns = [int(finished(process).stdout) for process in processes]
    assert int(counter.read_text()) == sum(turns), "no turn was lost"
    assert min(turns) > 0, turns
