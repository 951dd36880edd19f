"""The state on a real disk: whole or refused, private, and never by mistake a fresh budget."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.snapshot import VERSION, Snapshot
from lollmsbot_keys.edges.files.filesystem import network_kind
from lollmsbot_keys.edges.state.codec import NotAState, decode
from lollmsbot_keys.errors import StateError
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
    settled,
    spending,
    spent,
    start,
    utc_now,
)

posix_only = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared" / "state.json"


@pytest.fixture
def rich(path: Path) -> Path:
    """A state file in which one dollar was spent and half a dollar is held."""
    state = opened(path)
    state.update(spending("1.00"))
    state.update(lambda snapshot, now: (claimed(snapshot, hold(now, "0.50"), now), None))
    return path


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(serve_retired=True) as running:
        yield running


def everything(folder: Path) -> dict[str, bytes]:
    """All files below `folder` but locks, with what is in them."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.suffix != ".lock")
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


# Who may read it


@posix_only
def test_everything_is_for_its_owner_only_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        opened(path).update(spending())
    finally:
        os.umask(before)
    state = opened(path)
    assert {file.name: mode(file) for file in path.parent.iterdir()} == {
        path.name: 0o600,
        state.copy.name: 0o600,
        state.lock.name: 0o600,
    }
    assert mode(path.parent) == 0o700


@posix_only
def test_a_file_that_others_could_read_is_closed_to_them(rich: Path) -> None:
    for file in (rich, opened(rich).copy):
        file.chmod(0o644)
    opened(rich).update(spending())
    assert (mode(rich), mode(opened(rich).copy)) == (0o600, 0o600)


@posix_only
def test_even_unfinished_files_are_private_from_their_first_byte(path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from tests.support import opened, spending
os.umask(0)
state = opened(Path(sys.argv[1]))
for _ in range(150):
    state.update(spending())
"""
    opened(path).update(spending())
    writer = start([sys.executable, "-c", script, str(path)], os.environ)
    modes: dict[str, set[int]] = {}
    while writer.poll() is None:
        for file in os.scandir(path.parent):
            if file.name.endswith(".new"):
                try:
                    modes.setdefault(file.name, set()).add(file.stat().st_mode & 0o777)
                except FileNotFoundError:
                    continue
    assert finished(writer).returncode == 0
    assert modes, "unfinished files are to be seen"
    assert set().union(*modes.values()) == {0o600}


# Whole, always


def test_a_reader_never_sees_half_a_state(path: Path) -> None:
    script = """
import sys
from pathlib import Path
from tests.support import opened, spending
state = opened(Path(sys.argv[1]))
for turn in range(500):
    state.update(lambda snapshot, now: (snapshot._replace(notices=frozenset({"x" * (turn * 997 % 20_000)})), None))
    state.update(spending()) if turn % 50 == 0 else None
"""
    opened(path).update(spending())
    writer = start([sys.executable, "-c", script, str(path)], os.environ)
    sizes, seen = set(), [0]
    while writer.poll() is None:
        content = path.read_bytes()
        sizes.add(len(content))
        seen.append(calls(decode(content)))
    assert finished(writer).returncode == 0
    assert len(sizes) > 5
    assert seen == sorted(seen)
    assert calls(opened(path).read()) == 11


def test_no_update_is_lost_between_threads_and_processes(path: Path) -> None:
    script = """
import sys
from pathlib import Path
from threading import Thread
from tests.support import opened, spending
def work():
    state = opened(Path(sys.argv[1]))
    for _ in range(10):
        state.update(spending("0.01"))
threads = [Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    writers = [start([sys.executable, "-c", script, str(path)], os.environ) for _ in range(4)]
    for writer in writers:
        done = finished(writer)
        assert done.returncode == 0, done.stderr
    assert calls(opened(path).read()) == 120
    assert spent(opened(path).read()) == Decimal("1.20")


@posix_only
def test_whatever_was_acknowledged_survives_kill_9(path: Path) -> None:
    script = """
import sys
from pathlib import Path
from tests.support import opened, spending
state = opened(Path(sys.argv[1]))
while True:
    state.update(spending("0.01"))
    print("done", flush=True)
"""
    acknowledged = 0
    for turn in range(8):
        writer = start([sys.executable, "-c", script, str(path)], os.environ)
        assert writer.stdout is not None
        begun = os.read(writer.stdout.fileno(), 65_536).decode()  # `readline` would keep what it read too much of
        time.sleep(0.003 * turn)
        writer.kill()
        out, _ = writer.communicate(timeout=PATIENCE_S)
        acknowledged += (begun + out).count("done")
        recorded = calls(opened(path).read())
        assert acknowledged <= recorded <= acknowledged + 1
        acknowledged = recorded
        assert spent(opened(path).read()) == Decimal("0.01") * recorded


def test_nothing_is_written_when_nothing_changed(rich: Path) -> None:
    opened(rich).update(spending())
    before = rich.stat().st_mtime_ns, rich.stat().st_ino
    assert opened(rich).update(lambda snapshot, _now: (snapshot, "answer")) == "answer"
    assert (rich.stat().st_mtime_ns, rich.stat().st_ino) == before


def test_reading_creates_nothing(path: Path) -> None:
    assert opened(path).read() == Snapshot()
    assert not path.parent.exists()


# Damaged

FOREIGN = [
    b"",
    b"\n",
    b"{}",
    b"[]",
    b"null",
    b"17",
    b'"version"',
    b'{"version": null}',
    b'{"version": "1"}',
    b'{"version": 0}',
    b'{"version": -1}',
    b'{"version": 1}',
    b'{"version": 1, "days": {}}',
    b'{"name": "somebody else\'s", "dependencies": {}}',
    b"<html>Welcome to Airport WiFi</html>",
    b"\x00" * 4096,
    bytes(range(256)) * 8,
    b"\xff\xfe{\x00}\x00",
    b"[" * 100_000,
]


def damages(content: bytes) -> Iterator[bytes]:
    """The file cut off here and there, and files of other programs."""
    yield from (content[:end] for end in (*range(0, len(content) - 1, 41), *range(len(content) - 6, len(content) - 1)))
    yield from FOREIGN


def test_a_damaged_state_is_restored_from_its_copy(rich: Path) -> None:
    content = rich.read_bytes()
    copy = opened(rich).copy
    for number, damage in enumerate(damages(content)):
        folder = rich.parent.parent / f"damaged-{number}"
        folder.mkdir()
        damaged = folder / rich.name
        damaged.write_bytes(damage)
        shutil.copy(copy, folder)

        warnings: list[str] = []
        assert spent(opened(damaged, warn=warnings.append).read()) == Decimal("1.00"), damage
        assert damaged.read_bytes() == damage, "reading changes nothing"
        assert len(warnings) == 1, warnings

        opened(damaged, warn=warnings.append).update(spending("0.25"))
        snapshot = decode(damaged.read_bytes())
        assert spent(snapshot) == Decimal("1.25"), damage
        assert [held.amount_usd for held in snapshot.holds.values()] == [Decimal("0.50")]
        (aside,) = folder.glob(f"{rich.name}.damaged-*")
        assert aside.read_bytes() == damage, "the damaged file is kept for a person to look at"
        assert aside.name in warnings[1]


def test_a_damaged_state_without_a_copy_is_never_a_fresh_budget(rich: Path) -> None:
    content = rich.read_bytes()
    for number, damage in enumerate(damages(content)):
        folder = rich.parent.parent / f"alone-{number}"
        folder.mkdir()
        alone = folder / rich.name
        alone.write_bytes(damage)
        for use in (opened(alone).read, lambda at=alone: opened(at).update(spending())):
            with pytest.raises(StateError, match="damaged") as refused:
                use()
            assert str(alone) in str(refused.value)
        assert everything(folder) == {rich.name: damage}


def test_both_damaged_is_refused_and_nothing_is_written(rich: Path) -> None:
    for file in (rich, opened(rich).copy):
        file.write_bytes(file.read_bytes()[:-20])
    before = everything(rich.parent)
    for use in (opened(rich).read, lambda: opened(rich).update(spending())):
        with pytest.raises(StateError, match=opened(rich).copy.name):
            use()
    assert everything(rich.parent) == before


def test_a_missing_state_goes_on_from_its_copy(rich: Path) -> None:
    rich.unlink()
    warnings: list[str] = []
    assert spent(opened(rich, warn=warnings.append).read()) == Decimal("1.00")
    assert "missing" in warnings[0]
    opened(rich).update(spending("0.25"))
    assert spent(decode(rich.read_bytes())) == Decimal("1.25")


def test_a_missing_state_with_a_damaged_copy_is_refused(rich: Path) -> None:
    rich.unlink()
    opened(rich).copy.write_bytes(b"{}")
    for use in (opened(rich).read, lambda: opened(rich).update(spending())):
        with pytest.raises(StateError):
            use()
    assert everything(rich.parent) == {opened(rich).copy.name: b"{}"}


def test_a_state_that_was_never_there_is_empty(path: Path) -> None:
    warnings: list[str] = []
    opened(path, warn=warnings.append).update(spending("0.25"))
    assert spent(opened(path).read()) == Decimal("0.25")
    assert warnings == []


@pytest.mark.parametrize("version", [VERSION + 1, VERSION + 2, 10**6])
def test_a_newer_state_is_refused_and_untouched(rich: Path, version: int) -> None:
    newer = json.dumps({**json.loads(rich.read_bytes()), "version": version, "surprise": True}).encode()
    rich.write_bytes(newer)
    before = everything(rich.parent)
    for use in (opened(rich).read, lambda: opened(rich).update(spending())):
        with pytest.raises(StateError, match=f"newer lbk .version {version}"):
            use()
    assert everything(rich.parent) == before


def test_a_newer_copy_is_refused_too(rich: Path) -> None:
    opened(rich).copy.write_bytes(b'{"version": %d}' % (VERSION + 1))
    rich.write_bytes(b"")
    before = everything(rich.parent)
    for use in (opened(rich).read, lambda: opened(rich).update(spending())):
        with pytest.raises(StateError, match="newer lbk"):
            use()
    assert everything(rich.parent) == before


def test_a_folder_in_its_place_is_refused(rich: Path) -> None:
    rich.unlink()
    rich.mkdir()
    for use in (opened(rich).read, lambda: opened(rich).update(spending())):
        with pytest.raises(StateError, match=r"state\.json"):
            use()
    assert rich.is_dir()


@pytest.mark.parametrize("arguments", [["ask", "Hello"], ["route"], ["costs", "--month"], ["test-keys"]])
def test_a_folder_named_as_the_state_gets_nothing_put_beside_it(
    arguments: list[str], sandbox: Sandbox, tmp_path: Path
) -> None:
    folder = tmp_path / "own" / "folder"
    folder.mkdir(parents=True)
    env = {**sandbox.environment(tmp_path), "LBK_STATE": str(folder)}
    done = finished(start(command(arguments), env))
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{folder} is a folder" in done.stderr
    assert list(folder.parent.iterdir()) == [folder]


@posix_only
def test_a_pipe_in_its_place_is_refused_and_not_waited_for(rich: Path) -> None:
    rich.unlink()
    os.mkfifo(rich)
    for use in (opened(rich).read, lambda: opened(rich).update(spending())):
        with pytest.raises(StateError, match="not a regular file"):
            use()
    assert rich.is_fifo()


@posix_only
@pytest.mark.parametrize(
    ("place", "code"),
    [
        *(("state.json.last-good", 0), ("state.json.lock", 0), ("cache/models.json", 0), ("cache/checks.json", 0)),
        *(("fingerprint.key", 3), ("history/{month}.json", 3)),
    ],
)
def test_a_pipe_in_any_place_beside_it_is_not_waited_for(
    place: str, code: int, sandbox: Sandbox, tmp_path: Path
) -> None:
    """What can be done without is done without; what cannot is said."""
    env, state = asked_once(sandbox, tmp_path)
    yesterday = utc_now() - timedelta(days=1)
    pipe = state.parent / place.format(month=f"{yesterday:%Y-%m}")
    pipe.parent.mkdir(exist_ok=True)
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    commands = [["test-keys"], ["ask", "Hello"], ["route", "-q"], ["costs", "--since", f"{yesterday:%Y-%m-%d}"]]
    done = [finished(start(command(arguments), env)) for arguments in commands]
    assert {one.returncode for one in done} <= {0, code}
    assert code in {one.returncode for one in done}
    assert all(pipe.name in one.stderr for one in done if one.returncode == code != 0)


@pytest.mark.parametrize("place", ["no/folder/state.json", "file/state.json"])
def test_a_folder_that_cannot_be_made_stops_the_call(sandbox: Sandbox, tmp_path: Path, place: str) -> None:
    (tmp_path / "no").write_text("a file")
    (tmp_path / "file").write_text("a file")
    env = {**sandbox.environment(tmp_path), "LBK_STATE": str(tmp_path / place)}
    done = run_lbk(["ask", "Hello"], env)
    assert done.returncode == 3, done.stderr
    assert "Not a directory" in done.stderr
    assert "Traceback" not in done.stderr
    assert sandbox.requests == ()


def test_wrong_values_are_no_state(rich: Path) -> None:
    """A field of the wrong kind anywhere in the tree is damage, not a crash and not a zero."""
    tree = json.loads(rich.read_bytes())
    wrong = 0
    for name in tree:
        for value in (None, 7, "text", ["list"], {"a": {"b": "c"}}, [{"reach": "key"}], True):
            changed = json.dumps({**tree, name: value}).encode()
            try:
                decode(changed)
            except NotAState:
                wrong += 1
            except ValueError:
                assert name == "version"
    assert wrong > 6 * len(tree) - 10


# A disk that does not take it


@pytest.mark.parametrize("step", ["state", "history", "lock"])
def test_a_write_that_fails_at_any_step_leaves_the_old_state_whole(rich: Path, step: str) -> None:
    """A folder of the same name stands where each step would write."""
    tomorrow = utc_now().replace(hour=12)
    tomorrow += timedelta(days=366)
    opened(rich).update(lambda snapshot, now: (snapshot._replace(holds={}), now))
    state = opened(rich, clock=lambda: tomorrow)
    month = f"{utc_now():%Y-%m}.json"
    blocked = {
        "state": rich.with_name(f".{rich.name}.{os.getpid()}.new"),
        "history": state.history / f".{month}.{os.getpid()}.new",
        "lock": state.lock,
    }[step]
    blocked.unlink(missing_ok=True)
    (blocked / "occupied").mkdir(parents=True)
    before = rich.read_bytes()
    with pytest.raises(StateError, match="Cannot write the state") as failed:
        state.update(spending("0.25"))
    assert str(rich) in str(failed.value)
    assert rich.read_bytes() == before

    shutil.rmtree(blocked)
    state.update(spending("0.25"))
    assert spent(opened(rich, clock=lambda: tomorrow).read()) == Decimal("0.25")
    assert sorted(file.name for file in state.history.iterdir()) == [month]


def test_a_copy_that_cannot_be_written_is_said_and_stops_nothing(rich: Path) -> None:
    warnings: list[str] = []
    state = opened(rich, warn=warnings.append)
    state.copy.unlink()
    state.copy.mkdir()
    for _ in range(2):
        state.update(spending("0.25"))
    assert spent(decode(rich.read_bytes())) == Decimal("1.50")
    assert [state.copy.name in warning for warning in warnings] == [True]


@posix_only
def test_a_copy_that_may_not_be_written_over_is_replaced(rich: Path) -> None:
    """Somebody else's, or a pipe: left as it is, it would one day bring an old ledger back."""
    state = opened(rich)
    state.copy.unlink()
    os.mkfifo(state.copy)
    state.update(spending("0.25"))
    assert state.copy.is_file()
    assert state.copy.read_bytes() == rich.read_bytes()
    assert mode(state.copy) == 0o600


def test_what_is_left_of_a_longer_copy_does_not_count(rich: Path) -> None:
    """It is written over: whoever is killed between writing and shortening leaves the end of the one before."""
    state = opened(rich)
    state.copy.write_bytes(rich.read_bytes() + b'","notices":["the end of a longer one"]}\n')
    rich.unlink()
    assert spent(state.read()) == Decimal("1.00")


def test_a_shorter_copy_is_no_longer_than_the_state(rich: Path) -> None:
    state = opened(rich)
    for notice in ("x" * 5000, "y"):
        state.update(partial(noticing, notice))
        assert state.copy.read_bytes() == rich.read_bytes()


def noticing(notice: str, snapshot: Snapshot, _now: datetime) -> tuple[Snapshot, None]:
    return snapshot._replace(notices=frozenset({notice})), None


def unable_to_write(argv: list[str]) -> list[str]:
    """`argv` as a process whose files cannot grow by a single byte."""
    return ["sh", "-c", 'ulimit -f 0 && exec "$@"', "sh", *argv]


@cache
def may_mount() -> bool:
    """Whether this user may make file systems in a namespace of their own."""
    done = (
        subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
        if shutil.which("unshare")
        else None
    )
    return done is not None and done.returncode == 0


needs_mount = pytest.mark.skipif("not may_mount()", reason="needs a mount namespace")


def asked_once(sandbox: Sandbox, tmp_path: Path) -> tuple[dict[str, str], Path]:
    """An environment in which a first question was answered, and its state file."""
    env = sandbox.environment(tmp_path)
    first = run_lbk(["ask", "Hello"], env)
    assert first.returncode == 0, first.stderr
    sandbox.world.forget_requests()
    return env, Path(env["LBK_STATE"])


@posix_only
def test_a_disk_that_fails_stops_the_call_before_it_is_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    env, state = asked_once(sandbox, tmp_path)
    before = everything(state.parent)
    done = finished(start(unable_to_write(command(["ask", "Hello", "--json"])), env))
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "state"
    assert str(state) in done.stdout
    assert "Traceback" not in done.stderr
    assert everything(state.parent) == before
    assert sandbox.requests == ()


@needs_mount
def test_a_full_disk_stops_the_call_before_it_is_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    env, state = asked_once(sandbox, tmp_path)
    full = tmp_path / "full"
    full.mkdir()
    script = f"""
mount -t tmpfs -o size=64k tmpfs {full} && cp -p {state.parent}/* {full} && cat /dev/zero >{full}/filler 2>/dev/null
LBK_STATE={full}/state.json "$@" </dev/null; code=$?
cmp {full}/state.json {state} >&2 && cmp {full}/state.json.last-good {state}.last-good >&2 || exit 99
ls -A {full} >&2
exit $code
"""
    done = finished(start(["unshare", "-rm", "sh", "-c", script, "sh", *command(["ask", "Hello"])], env))
    assert done.returncode == 3, done.stderr
    assert "No space left on device" in done.stderr
    assert "Free some space" in done.stderr
    assert ".new" not in done.stderr, "no unfinished file stays behind"
    assert sandbox.requests == ()


@needs_mount
def test_a_read_only_file_system_stops_the_call_but_not_the_route(sandbox: Sandbox, tmp_path: Path) -> None:
    env, state = asked_once(sandbox, tmp_path)
    folder = state.parent
    script = f'mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} && exec "$@" </dev/null'
    before = everything(folder)
    done = finished(start(["unshare", "-rm", "sh", "-c", script, "sh", *command(["ask", "Hello"])], env))
    assert done.returncode == 3, done.stderr
    assert "Read-only file system" in done.stderr
    assert sandbox.requests == ()
    routed = finished(start(["unshare", "-rm", "sh", "-c", script, "sh", *command(["route", "-q"])], env))
    assert (routed.returncode, routed.stdout.strip()) == (0, "OLLAMA_API_KEY_2"), routed.stderr
    assert everything(folder) == before


@posix_only
def test_a_folder_that_may_not_be_written_stops_the_call_but_not_the_route(sandbox: Sandbox, tmp_path: Path) -> None:
    env, state = asked_once(sandbox, tmp_path)
    before = everything(state.parent)
    powerless: list[str] = []
    if os.geteuid() == 0:  # whom file modes do not bind
        powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        if shutil.which("setpriv") is None or subprocess.run([*powerless, "true"], check=False).returncode != 0:
            pytest.skip("root, and no way to be less")
    state.parent.chmod(0o500)
    try:
        done = finished(start([*powerless, *command(["ask", "Hello"])], env))
        routed = finished(start([*powerless, *command(["route", "-q"])], env))
        state.parent.chmod(0)
        barred = finished(start([*powerless, *command(["route", "-q"])], env))
    finally:
        state.parent.chmod(0o700)
    assert (barred.returncode, barred.stdout) == (3, "")
    assert "Permission denied" in barred.stderr
    assert done.returncode == 3, done.stderr
    assert "Permission denied" in done.stderr
    assert "mend the permissions" in done.stderr
    assert sandbox.requests == ()
    assert routed.returncode == 0, routed.stderr
    assert everything(state.parent) == before


def test_route_creates_nothing_but_its_compiled_configuration(sandbox: Sandbox, tmp_path: Path) -> None:
    env = sandbox.environment(tmp_path)
    folder = tmp_path / "not" / "there" / "yet"
    for _ in range(2):
        done = run_lbk(["route", "-q"], {**env, "LBK_STATE": str(folder / "state.json")})
        assert (done.returncode, done.stdout.strip()) == (0, "OLLAMA_API_KEY"), done.stderr
    assert {file.name for file in folder.iterdir()} <= {"state-config.cache.json"}
    assert sandbox.requests == ()


# Where it lies

LOCAL_TABLE = """\
/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
"""


@pytest.mark.parametrize(
    ("table", "place", "kind"),
    [
        ("", "/home/a/state.json", None),
        ("server:/home /home nfs4 rw,vers=4.2 0 0", "/home/a/state.json", "nfs4"),
        ("server:/home /home nfs rw 0 0", "/home", "nfs"),
        ("server:/home /home nfs4 rw 0 0", "/home2/state.json", None),
        ("//server/share /mnt cifs rw 0 0\ntmpfs /mnt/fast tmpfs rw 0 0", "/mnt/fast/state.json", None),
        ("tmpfs /mnt tmpfs rw 0 0\nme@host: /mnt/far fuse.sshfs rw 0 0", "/mnt/far/x/state.json", "fuse.sshfs"),
        (r"server:/x /mnt/my\040files nfs4 rw 0 0", "/mnt/my files/state.json", "nfs4"),
        ("server:/home /home nfs4 rw 0 0\n/dev/sdb /home ext4 rw 0 0", "/home/a/state.json", None),
        ("server:/ / nfs4 rw 0 0", "/home/a/state.json", "nfs4"),
        ("truncated", "/home/a/state.json", None),
    ],
)
def test_network_file_systems_are_recognised(tmp_path: Path, table: str, place: str, kind: str | None) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"{LOCAL_TABLE}{table}\n")
    assert network_kind(Path(place), mounts) == kind


@posix_only
def test_a_mount_may_have_any_name(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_bytes(b"server:/x /mnt/caf\xe9 nfs4 rw 0 0\n")
    assert network_kind(Path(os.fsdecode(b"/mnt/caf\xe9/state.json")), mounts) == "nfs4"


def test_without_a_table_of_mounts_nothing_is_assumed(tmp_path: Path) -> None:
    assert network_kind(tmp_path, tmp_path / "missing") is None


@needs_mount
def test_a_network_file_system_is_refused_each_time(path: Path, tmp_path: Path) -> None:
    """The table of mounts is the system's own, covered by one of ours for this process alone."""
    script = """
import sys
from pathlib import Path
from lollmsbot_keys.errors import StateError
from tests.support import opened, spending
state = opened(Path(sys.argv[1]))
for _ in range(3):
    try:
        state.update(spending())
    except StateError as error:
        print(error)
"""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"{LOCAL_TABLE}server:/x {tmp_path} nfs4 rw 0 0\n")
    cover = f'mount --bind {mounts} /proc/$$/mounts || exit 77; exec "$@"'
    argv = ["unshare", "-rm", "sh", "-c", cover, "sh", sys.executable, "-c", script, str(path)]
    done = finished(start(argv, os.environ))
    if done.returncode == 77:
        pytest.skip("this kernel does not let /proc be covered")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("network file system (nfs4)") == 3, done.stdout
    assert not path.exists()


@posix_only
def test_a_linked_state_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "real" / "money.json", tmp_path / "links" / "state.json"
    opened(target).update(spending("1.00"))
    link.parent.mkdir()
    link.symlink_to(Path("..") / "real" / "money.json")
    opened(link).update(spending("0.25"))
    assert link.is_symlink()
    assert spent(decode(target.read_bytes())) == Decimal("1.25")
    assert [file.name for file in link.parent.iterdir()] == ["state.json"]


@posix_only
def test_through_a_link_the_copy_is_found_beside_the_real_file(tmp_path: Path) -> None:
    target, link = tmp_path / "real" / "money.json", tmp_path / "state.json"
    opened(target).update(spending("1.00"))
    link.symlink_to(target)
    for damage in (lambda: target.write_bytes(b"{}"), target.unlink):
        damage()
        assert spent(opened(link).read()) == Decimal("1.00")


@posix_only
def test_through_a_link_and_without_it_is_the_same_state(sandbox: Sandbox, tmp_path: Path) -> None:
    """What is known of a key's secret is known by its fingerprint: the key of that must not depend on the way."""
    sandbox.add("OLLAMA_API_KEY=429")
    env = sandbox.environment(tmp_path)
    state, link = Path(env["LBK_STATE"]), tmp_path / "links" / "state.json"
    link.parent.mkdir()
    link.symlink_to(state)
    asked = run_lbk(["ask", "Hello"], {**env, "LBK_STATE": str(link)})
    assert asked.returncode == 0, asked.stderr
    assert link.is_symlink()
    for path in (state, link):
        routed = run_lbk(["route", "--key", "OLLAMA_API_KEY", "-q"], {**env, "LBK_STATE": str(path)})
        assert routed.returncode == 4, routed
    assert {file.name for file in link.parent.iterdir()} <= {"state.json", "state-config.cache.json"}


@posix_only
def test_a_circle_of_links_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(path.name)
    for use in (opened(path).read, lambda: opened(path).update(spending())):
        with pytest.raises(StateError, match="symbolic links"):
            use()


@posix_only
def test_whoever_writes_waits_for_the_lock_beside_the_file(rich: Path) -> None:
    script = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(descriptor, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
    state = opened(rich)
    holder = start([sys.executable, "-c", script, str(state.lock)], os.environ, subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    writer = threading.Thread(target=state.update, args=(spending("0.25"),))
    writer.start()
    writer.join(0.5)
    assert writer.is_alive()
    assert spent(opened(rich).read()) == Decimal("1.00"), "reading needs no lock"
    holder.send_signal(signal.SIGTERM)
    holder.communicate(timeout=PATIENCE_S)
    writer.join(PATIENCE_S)
    assert spent(opened(rich).read()) == Decimal("1.25")


def test_several_changes_are_one_write(rich: Path) -> None:
    state = opened(rich)
    held = hold(utc_now(), "0.10")
    state.update_all(
        [
            lambda snapshot, now: (claimed(snapshot, held, now), None),
            lambda snapshot, now: (settled(snapshot, held, now), None),
        ]
    )
    assert spent(opened(rich).read()) == Decimal("1.10")
    assert decode(state.copy.read_bytes()) == decode(rich.read_bytes())
