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

from lollmsbot_keys.edges.state.lock import locked
from lollmsbot_keys.errors import StateError
from tests.support import PATIENCE_S, finished, start, together

HOLD = """
import sys
from pathlib import Path
from lollmsbot_keys.edges.state.lock import locked
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
    with holder(path):
        began = time.monotonic()
        with pytest.raises(StateError, match="Another process has held") as stuck, locked(path, MOMENT):
            pytest.fail("two hold it")
        assert time.monotonic() - began >= MOMENT.total_seconds()
    assert str(path) in str(stuck.value)


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
from lollmsbot_keys.edges.state.lock import locked
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
