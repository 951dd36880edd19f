"""Many real `lbk ask` at once on one state file: nothing lost, the balance even, the budget held, whoever dies."""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.snapshot import Cell, Hold, Snapshot
from lollmsbot_keys.core.state.events import Noticed, record
from lollmsbot_keys.edges.environment.processes import Census, Liveness, is_alive, is_dead, this_process
from lollmsbot_keys.edges.files.lock import locked
from lollmsbot_keys.edges.state.codec import decode
from lollmsbot_keys.sandbox import Sandbox
from tests.support import (
    PATIENCE_S,
    calls,
    claimed,
    command,
    finished,
    hold,
    opened,
    run_lbk,
    start,
    start_lbk,
    together,
    until,
    utc_now,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and terminals are POSIX's")

OLLAMA = "OLLAMA_API_KEY", "OLLAMA_API_KEY_2"
OPENROUTER = "OPENROUTER_API_KEY_1", "OPENROUTER_API_KEY_2", "OPENROUTER_API_KEY_3"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(serve_retired=True) as running:
        yield running


@pytest.fixture
def env(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """The sandbox's environment; the state folder is not there yet."""
    return {**sandbox.environment(tmp_path), "LBK_STATE": str(tmp_path / "virgin" / "state.json")}


def state_of(env: dict[str, str]) -> Snapshot:
    """What the file says, before anybody has looked after it."""
    return decode(Path(env["LBK_STATE"]).read_bytes())


def by_key(snapshot: Snapshot) -> dict[str, Cell]:
    """The sums of each key's first cell: these tests use one model."""
    return {place.key: cell for day in snapshot.days.values() for place, cell in day.cells.items()}


def counted(snapshot: Snapshot) -> int:
    """Calls in the hourly windows of all keys."""
    return sum(sum(window.values()) for window in snapshot.hours.values())


# Started together


def test_sixty_four_asks_lose_no_update_and_share_the_keys_evenly(sandbox: Sandbox, env: dict[str, str]) -> None:
    with together([command(["ask", f"Number {number}"]) for number in range(64)], env) as processes:
        for number, process in enumerate(processes):
            done = finished(process)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.endswith(f"You said: Number {number}\n")
    snapshot = state_of(env)
    assert len(sandbox.chats()) == calls(snapshot) == counted(snapshot) == 64
    assert snapshot.holds == {}
    assert {key: cell.calls for key, cell in by_key(snapshot).items()} == dict.fromkeys(OLLAMA, 32)
    assert {key: len(sandbox.chats(key)) for key in OLLAMA} == dict.fromkeys(OLLAMA, 32)
    assert all(cell.errors == 0 and cell.cost_usd > 0 for cell in by_key(snapshot).values())


def test_thirty_asks_over_three_keys_are_ten_each(sandbox: Sandbox, env: dict[str, str]) -> None:
    with together([command(["ask", "Hello"])] * 30, {**env, "PREFER_OLLAMA": "false"}) as processes:
        assert [finished(process).returncode for process in processes] == [0] * 30
    assert {key: len(sandbox.chats(key)) for key in OPENROUTER} == dict.fromkeys(OPENROUTER, 10)
    assert {key: cell.calls for key, cell in by_key(state_of(env)).items()} == dict.fromkeys(OPENROUTER, 10)


def test_a_budget_admits_as_many_as_it_covers_and_the_rest_reach_no_provider(
    sandbox: Sandbox, env: dict[str, str]
) -> None:
    """Nobody knows this model's price, so each call is booked at its bound."""
    options = ["--model", "gemma3:12b", "--max-tokens", "100"]
    alone = {**env, "LBK_STATE": str(Path(env["LBK_STATE"]).with_name("alone") / "state.json")}
    assert run_lbk(["ask", "Hello", *options], alone).returncode == 0
    bound, admitted = committed(state_of(alone)), 8
    sandbox.world.forget_requests()
    budget = bound * admitted + bound / 2
    env |= {"OLLAMA_DAILY_BUDGET": str(budget), "OPENROUTER_FALLBACK": "false"}
    highest: list[Decimal] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.002):
            try:
                highest.append(committed(state_of(env)))
            except FileNotFoundError:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    asks = [command(["ask", "Hello", *options])] * 28
    try:
        with together(asks, env) as processes:
            done = [finished(process) for process in processes]
    finally:
        over.set()
        watcher.join()
    codes = Counter(one.returncode for one in done)
    assert codes == {0: admitted, 4: 28 - admitted}, [one.stderr for one in done if one.returncode not in (0, 4)]
    assert len(sandbox.chats()) == admitted
    assert all("over budget" in one.stderr for one in done if one.returncode == 4)
    assert committed(state_of(env)) == bound * admitted
    assert len(highest) > 10
    assert max(highest) <= budget


def committed(snapshot: Snapshot) -> Decimal:
    """Recorded spend and open holds."""
    recorded = sum((cell.cost_usd for cell in by_key(snapshot).values()), Decimal(0))
    return recorded + sum((hold.amount_usd for hold in snapshot.holds.values() if not hold.lapsed), Decimal(0))


# Killed


def test_forty_killed_at_random_moments_leave_the_state_whole(sandbox: Sandbox, env: dict[str, str]) -> None:
    """One key is slow, the other falls silent in the middle of its answers: most die while a call is on its way."""
    sandbox.add("OLLAMA_API_KEY=slow=0.3", "OLLAMA_API_KEY_2=stall=600")
    chance = random.Random(7)  # noqa: S311  which one dies, not a secret
    with together([command(["ask", "Hello", "--json"])] * 40, env) as processes:
        until(lambda: sum(process.poll() == 0 for process in processes) >= 3, "three answers")
        killed = 0
        while alive := [process for process in processes if process.poll() is None]:
            time.sleep(chance.uniform(0, 0.12))
            chance.choice(alive).kill()
            killed += 1
            assert state_of(env), "whole at every moment"
        done = [finished(process) for process in processes]
    assert {one.returncode for one in done} == {0, -signal.SIGKILL}
    answered = Counter(json.loads(one.stdout)["key"] for one in done if one.returncode == 0)
    assert answered.keys() == {"OLLAMA_API_KEY"}

    written = state_of(env)
    dying = [hold for hold in written.holds.values() if not hold.lapsed]
    state = opened(Path(env["LBK_STATE"]))
    looked = state.read()
    assert all(hold.lapsed for hold in looked.holds.values())
    ledger = by_key(looked)
    fast, stuck = ledger["OLLAMA_API_KEY"], ledger["OLLAMA_API_KEY_2"]
    assert fast.calls - fast.errors >= answered["OLLAMA_API_KEY"], "every finished call is in the ledger"
    assert len(sandbox.chats()) <= calls(looked) == counted(looked) <= len(sandbox.chats()) + 40
    assert calls(looked) == calls(written) + len(dying)
    assert stuck.errors == stuck.calls > 0
    assert stuck.cost_usd == stuck.unconfirmed_usd > 0

    for seconds in (10, 20):  # somebody looks, and writes it down
        moment = utc_now() + timedelta(seconds=seconds)
        opened(Path(env["LBK_STATE"]), clock=moment.astimezone).update(noticing)
        later = by_key(state_of(env))
        assert all(hold.lapsed for hold in state_of(env).holds.values())
        assert (later["OLLAMA_API_KEY"], later["OLLAMA_API_KEY_2"]) == (fast, stuck), "nothing is charged twice"


def noticing(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
    """A change that has nothing to do with money."""
    return record(snapshot, Noticed(str(now)), now), None


def test_a_dead_process_is_told_from_a_living_one_and_from_its_successor() -> None:
    me = this_process()
    assert is_alive(me)
    assert not is_dead(me)
    module = "lollmsbot_keys.edges.environment.processes"
    script = f"from {module} import this_process; print(*this_process(), flush=True); input()"
    child = start([sys.executable, "-c", script], os.environ, subprocess.PIPE)
    assert child.stdout is not None
    pid, boot, started = child.stdout.readline().split()
    other = me._replace(pid=int(pid), boot=boot, started=started)
    assert (is_alive(other), is_dead(other)) == (True, False)
    child.kill()
    until(lambda: is_dead(other), "the death of a process that nobody has reaped yet")
    child.communicate(timeout=PATIENCE_S)
    assert (is_alive(other), is_dead(other)) == (False, True)
    assert is_dead(me._replace(started="1")), "the number was given to another process"
    assert is_dead(me._replace(boot="earlier/" + me.boot.partition("/")[2])), "the machine was started anew"
    elsewhere = me._replace(boot=me.boot.partition("/")[0] + "/pid:[1]", started="1")
    assert (is_alive(elsewhere), is_dead(elsewhere)) == (False, False), "another container: nobody knows"


def test_an_owner_is_looked_at_once_a_second_and_a_dead_one_once() -> None:
    output_style, now = list[str](), 100.0
    one, two, dead = (Owner(number, "boot", "7") for number in (1, 2, 3))

    def look(owner: Owner) -> Liveness:
        output_style.append(str(owner.pid))
        return Liveness.DEAD if owner == dead else Liveness.ALIVE

    census = Census(look, lambda: now)
    for now, owners, looked in (
        (100.0, {one}, "1"),
        (100.5, {one}, ""),
        (100.9, {one, dead}, "3"),
        (101.0, {one, dead}, "1"),
        (101.9, {one, two, dead}, "2"),
        (102.0, {one, two, dead}, "12"),
        (109.0, {two}, "2"),
        (109.5, {dead}, "3"),
    ):
        output_style.clear()
        census.look(owners)
        assert "".join(sorted(output_style)) == looked, now
        assert census.among(owners, Liveness.DEAD) == owners & {dead}
        assert census.among(owners, Liveness.ALIVE) == owners - {dead}
        census.meet(owners)
        assert "".join(sorted(output_style)) == looked, "whoever is known is not looked at again"
    assert census.among({one}, Liveness.ALIVE) == {one}, "who was not looked at is taken to live"


def holding(held: Hold, snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
    return claimed(snapshot, held, now), None


@pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="processes are looked up in /proc")
def test_under_the_lock_nobody_looks_at_processes(tmp_path: Path) -> None:
    """Sixty-four dead owners are found before the lock is had: their holds lapse in that very update."""
    state, now = opened(tmp_path / "state.json"), utc_now()
    holds = [hold(now, owner=this_process()._replace(started=str(number))) for number in range(1, 65)]
    state.update_all([partial(holding, held) for held in holds])
    script = """
import sys
from pathlib import Path
from tests.support import opened
from tests.test_processes import noticing
opens = []
sys.addaudithook(lambda event, args: opens.append(str(args[0])) if event == "open" else None)
opened(Path(sys.argv[1])).update(noticing)
locked = opens.index(sys.argv[1] + ".lock")
print(*(sum("/proc/" in name and name.endswith("/stat") for name in part) for part in (opens[:locked], opens[locked:])))
"""
    done = finished(start([sys.executable, "-c", script, str(state.path)], os.environ))
    output_style, under_the_lock = map(int, done.stdout.split())
    assert output_style in (64, 65), f"each, and perhaps itself: {done.stderr}"
    assert under_the_lock == 0
    assert all(held.lapsed for held in decode(state.path.read_bytes()).holds.values())


@pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="names of processes are read from /proc")
def test_a_process_may_have_any_name() -> None:
    script = r"""if True:
        import sys
        from lollmsbot_keys.edges.environment.processes import this_process
        with open("/proc/self/comm", "wb") as name:
            name.write(b"caf\xc3) R 1")
        print(*this_process(), flush=True)
        sys.stdin.read()
    """
    child = start([sys.executable, "-c", script], os.environ, subprocess.PIPE)
    assert child.stdout is not None
    pid, boot, started = child.stdout.readline().split()
    other = this_process()._replace(pid=int(pid), boot=boot, started=started)
    assert (is_alive(other), is_dead(other)) == (True, False)
    child.communicate(timeout=PATIENCE_S)
    assert (is_alive(other), is_dead(other)) == (False, True)


# Interrupted


def interrupted(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    process.send_signal(signal.SIGINT)
    return finished(process)


def only_cell(snapshot: Snapshot) -> Cell:
    (cell,) = by_key(snapshot).values()
    return cell


def test_interrupted_before_the_first_byte(sandbox: Sandbox, env: dict[str, str]) -> None:
    sandbox.add("ollama=slow=60")
    process = start_lbk(["ask", "Hello"], env)
    until(sandbox.chats, "the request")
    (held,) = state_of(env).holds.values()
    done = interrupted(process)
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr
    snapshot = state_of(env)
    assert snapshot.holds == {}
    assert only_cell(snapshot).calls == only_cell(snapshot).errors == 1
    assert only_cell(snapshot).cost_usd == only_cell(snapshot).unconfirmed_usd == held.amount_usd > 0
    assert len(sandbox.chats()) == 1, "nothing is sent again"


def test_interrupted_in_the_middle_of_the_answer(sandbox: Sandbox, env: dict[str, str]) -> None:
    sandbox.add("ollama=stall=60")
    process = start_lbk(["ask", "Hello"], env)
    assert process.stdout is not None
    first = os.read(process.stdout.fileno(), 8).decode()
    (held,) = state_of(env).holds.values()
    done = interrupted(process)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert (first + done.stdout).startswith("Sandbox kimi")
    assert done.stdout.endswith("\n"), "the line is finished"
    snapshot = state_of(env)
    assert snapshot.holds == {}
    assert only_cell(snapshot).unconfirmed_usd == held.amount_usd > 0
    assert len(sandbox.chats()) == 1


def test_interrupted_at_a_terminal_leaves_it_at_the_beginning_of_a_line(sandbox: Sandbox, env: dict[str, str]) -> None:
    sandbox.add("ollama=stall=60")
    master, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            command(["ask", "Hello"]),
            env={**env, "TERM": "xterm"},
            cwd=Path(__file__).parent.parent,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        shown = b""
        while b"kimi" not in shown:
            shown += os.read(master, 1024)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        try:
            while piece := os.read(master, 1024):
                shown += piece
        except OSError:  # how Linux says that nobody has the terminal open any more
            pass
    finally:
        os.close(master)
    assert shown.endswith(b"\r\nlbk: interrupted\r\n"), shown


def test_interrupted_while_waiting_for_a_key(sandbox: Sandbox, env: dict[str, str]) -> None:
    sandbox.add(*(f"{key}=429retry=500" for key in (*OLLAMA, *OPENROUTER)))
    process = start_lbk(["ask", "Hello", "--wait", "10m"], env)
    until(lambda: state_of(env).waiters, "a place in the queue")
    before = state_of(env)
    done = interrupted(process)
    assert (done.returncode, done.stdout) == (130, "")
    snapshot = state_of(env)
    assert (snapshot.waiters, snapshot.holds) == ({}, {})
    assert snapshot.days == before.days, "nothing was on its way: nothing is charged"


def test_interrupted_while_waiting_for_the_lock(sandbox: Sandbox, env: dict[str, str]) -> None:
    state = Path(env["LBK_STATE"])
    state.parent.mkdir()
    lock = opened(state).lock
    with locked(lock):
        process = start_lbk(["ask", "Hello"], env)
        until(lambda: str(lock) in waiting_for_locks(process.pid, lock), "a process at the lock")
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    assert finished(process).returncode == 130
    assert sandbox.chats() == ()
    snapshot = state_of(env) if state.exists() else Snapshot()
    assert (snapshot.holds, snapshot.days) == ({}, {}), "nothing was sent: the hold is given back"


def waiting_for_locks(pid: int, lock: Path) -> list[str]:
    """The lock's name, twice if `pid` has opened it twice: once for itself, once for the thread that waits."""
    files = [str(file.resolve()) for file in Path(f"/proc/{pid}/fd").iterdir()]
    return files if files.count(str(lock)) > 1 else []


def test_interrupted_while_reading_the_prompt(sandbox: Sandbox, env: dict[str, str]) -> None:
    process = start_lbk(["ask"], env, subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write("x" * 200_000)  # more than a pipe holds: when this returns, somebody reads
    process.send_signal(signal.SIGINT)
    done = finished(process)
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr
    assert sandbox.requests == ()
    assert not Path(env["LBK_STATE"]).exists()


def test_interrupted_at_any_moment_no_hold_stays(sandbox: Sandbox, env: dict[str, str]) -> None:
    sandbox.add("ollama=slow=0.2")
    codes = Counter[int]()
    for turn in range(8):
        process = start_lbk(["ask"], env, subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write("x" * 200_000)
        process.stdin.flush()
        process.stdin.close()
        process.stdin = None
        time.sleep(0.05 * turn)
        done = interrupted(process)
        codes[done.returncode] += 1
        assert "Traceback" not in done.stderr, done.stderr
        assert done.stdout == "" or done.stdout.endswith("\n")
    # The interpreter's own end cannot be caught: it dies of the signal, after the answer, which shells show as 130 too.
    assert codes.keys() <= {0, 130, -signal.SIGINT}
    assert codes[130] > 0
    snapshot = state_of(env) if Path(env["LBK_STATE"]).exists() else Snapshot()
    assert snapshot.holds == {}
    assert len(sandbox.chats()) <= calls(snapshot) <= counted(snapshot) <= 8


# Waiting for a key


def test_those_who_wait_are_served_in_the_order_in_which_they_came(sandbox: Sandbox, env: dict[str, str]) -> None:
    """Two of them are killed while they wait; nobody waits for the dead. The order is that of the claims."""
    sandbox.add("OLLAMA_API_KEY=429:1", "OLLAMA_API_KEY=slow=60")
    asks = ["ask", "Hello", "--key", "OLLAMA_API_KEY"]
    assert run_lbk(asks, env).returncode == 5
    processes = {}
    try:
        for _ in range(7):
            process = start_lbk([*asks, "--wait", "2h"], env)
            processes[process.pid] = process
        until(lambda: len(state_of(env).waiters) == 7, "a queue of seven")
        queue = [w.owner.pid for w in sorted(state_of(env).waiters.values(), key=lambda waiter: waiter.since)]
        dead = {queue[0], queue[3]}
        for pid in dead:
            processes[pid].kill()
        left = [pid for pid in queue if pid not in dead]
        assert run_lbk(["reset-limits", "OLLAMA_API_KEY"], env).returncode == 0
        until(lambda: len(state_of(env).holds) == len(left), "everybody's claim")
        holds = sorted(state_of(env).holds.values(), key=lambda hold: hold.claimed)
        assert [hold.owner.pid for hold in holds] == left
        assert state_of(env).waiters == {}
    finally:
        for process in processes.values():
            process.kill()
            process.communicate(timeout=PATIENCE_S)


def test_waiting_ends_when_time_is_up(sandbox: Sandbox, env: dict[str, str]) -> None:
    sandbox.add(*(f"{key}=429retry=2" for key in (*OLLAMA, *OPENROUTER)))
    began = utc_now()
    done = run_lbk(["ask", "Hello", "--wait", "3s"], env)
    assert done.returncode == 5, done.stderr
    assert (utc_now() - began).total_seconds() >= 1.5
    assert state_of(env).waiters == {}
    assert len(sandbox.chats()) > 5, "it was tried again when the keys came free"
