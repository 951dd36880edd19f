"""One variable of a dotenv file changes; every other character stays, whatever happens meanwhile."""

from __future__ import annotations

import io
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lollmsbot_keys.edges.targets.dotenv_edit import obstacle, value_of, with_value, without
from lollmsbot_keys.edges.targets.secret_file import TextFile
from tests.support import PATIENCE_S, finished, start, together
from tests.targets_lab import NEW, NEW_VALUE, OLD_VALUE, held, refusal, secret, target

CHARACTERS = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
VALUES = st.text(CHARACTERS, min_size=1, max_size=30) | st.text("ab'\"\\$`{}#=~! ", min_size=1, max_size=8)
LINES = st.sampled_from(
    [
        "", "  ", "# a comment with 'one quote", "A=1", "export A=2", "B='single # no comment'", 'C="two\nlines" # why',
        "D = spaced out ", "E", "export F", "G=", "H=${A}#x", "not a line'", "'I'=quoted", "NAME=old", "NAME",
        "export NAME='old' # k", 'NAME="o\\"ld"', "NAME= # nothing", "  NAME\t=\told # c",
    ]
)  # fmt: skip
TEXTS = st.builds(
    lambda mark, lines, end, last: mark + end.join(lines) + (end if last else ""),
    st.sampled_from(["", "\ufeff"]),
    st.lists(LINES, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)


def read(text: str, *, interpolate: bool = False) -> dict[str, str | None]:
    """As python-dotenv, which forgets the value of `A=old` at a later `export A`: that line is no news to others."""
    lone = re.sub(r"(?m)^(?:export )?NAME(?=\r?$)", "", text.removeprefix("\ufeff")) if "NAME=" in text else text
    return dotenv_values(stream=io.StringIO(lone.removeprefix("\ufeff")), interpolate=interpolate)


def without_common_start(one: str, other: str) -> tuple[str, str]:
    length = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    return one[length:], other[length:]


# --- the text -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "NAME=new\n"),
        ("A=1", "A=1\nNAME=new\n"),
        ("A=1\r\n", "A=1\r\nNAME=new\r\n"),
        ("\ufeffA=1\n", "\ufeffA=1\nNAME=new\n"),
        ("# only\n", "# only\nNAME=new\n"),
        ("export A=1\nexport B=2\n", "export A=1\nexport B=2\nexport NAME=new\n"),
        ("export A=1\nB=2\n", "export A=1\nB=2\nNAME=new\n"),
        ("A=1\n\nNAME=old # mine\nB=2", "A=1\n\nNAME=new # mine\nB=2"),
        ("export NAME='old'#x\r\nB=2\r\n", "export NAME='new' #x\r\nB=2\r\n"),
        ('\t export\tNAME = "old"\n', '\t export\tNAME="new"\n'),
        ('NAME="two\nlines" # c\nA=1\n', 'NAME="new" # c\nA=1\n'),
        ("NAME=old\nA=1\nexport NAME='old' # too\n", "NAME=new\nA=1\nexport NAME='new' # too\n"),
        ("NAME=old\nexport NAME\n", "NAME=new\nexport NAME\n"),
        ("export NAME\nNAME=old\n", "export NAME\nNAME=new\n"),
        ("NAME= # none yet\n", "NAME=new # none yet\n"),
        ("NAME=#text\n", "NAME=new\n"),
        ("NAME=\n", "NAME=new\n"),
        ("export NAME\n", "export NAME=new\n"),
        ("'NAME'=old\n", "NAME=new\n"),
        ("OTHER_NAME=1\nNAME_2=2\n#NAME=3\n", "OTHER_NAME=1\nNAME_2=2\n#NAME=3\nNAME=new\n"),
        ("no line'\nNAME=old\n", "no line'\nNAME=new\n"),
        ('A="no end\nNAME=old\n', 'A="no end\nNAME=new\n'),
    ],
)
def test_only_the_value_changes(before: str, after: str) -> None:
    assert with_value(before, "NAME", "new") == after
    assert value_of(after, "NAME") == "new"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A=1\n\n\n export NAME=2 # x\nC=3", "A=1\n\n\nC=3"),
        ("\ufeffNAME='two\r\nlines'\r\nC=3\r\n", "\ufeffC=3\r\n"),
        ("A=1\n# NAME=2\n", "A=1\n# NAME=2\n"),
        ("NAME=2", ""),
    ],
)
def test_only_the_line_goes(before: str, after: str) -> None:
    assert without(before, "NAME") == after


@given(TEXTS, VALUES)
@example('A="no end\n', 'quo"te')
def test_whatever_is_written_is_read_and_nothing_else_changes(text: str, value: str) -> None:
    changed = with_value(text, "NAME", value) if obstacle(text, "NAME") is None else None
    if changed is None:
        return
    assert read(changed) == {**read(text), "NAME": value}
    assert read(changed, interpolate=True)["NAME"] == value
    assert text.startswith("\ufeff") == changed.startswith("\ufeff")
    if len(re.findall(r"NAME\s*=", text)) > 1:
        return
    # What is gone was one piece of one line, and no comment.
    rest, new_rest = without_common_start(text, changed)
    gone, _ = without_common_start(rest[::-1], new_rest[::-1])
    assert not set(gone) & set("\r\n#")


@given(TEXTS, st.text(CHARACTERS, min_size=1).filter(str.isalnum))
def test_going_back_leaves_no_trace(text: str, value: str) -> None:
    before = value_of(text, "NAME")
    assume(before != "# nothing")  # an older python-dotenv takes that comment for a value
    changed = with_value(text, "NAME", value)
    assert changed is not None
    if before is None:
        assert without(changed, "NAME").removesuffix("\n").removesuffix("\r") == text.removesuffix("\n").removesuffix(
            "\r"
        )
    else:
        back = with_value(changed, "NAME", before, for_shells=False)
        assert back is not None
        assert read(back) == {**read(text), "NAME": before}
        assert with_value(back, "NAME", value) == changed


@given(st.lists(VALUES, min_size=1, max_size=60))
@example(["a\\", "a\\\\b", "a'b", 'a"b', "a'b\"c\\d", "$HOME", "`id`", "~", "a#b", "!x", "a b", "x'\\"])
def test_a_shell_that_sources_the_file_reads_the_same(values: list[str]) -> None:
    text, expected = "", {}
    for number, value in enumerate(values):
        changed = with_value(text, f"V{number}", value)
        if changed is not None:
            text, expected[f"V{number}"] = changed, value
    script = f"set -a\n{text}\nenv -0"
    done = subprocess.run(["/bin/sh"], input=script.encode(), env={"PATH": os.defpath}, capture_output=True, check=True)
    sourced = dict(entry.split("=", 1) for entry in done.stdout.decode().split("\0") if entry.startswith("V"))
    assert sourced == expected
    assert read(text) == expected


@pytest.mark.parametrize("value", ["a'b$c", "a'b`c", "a\\\\b$c", "a$\\", "${HOME}", "x${A:-b}y"])
def test_what_readers_would_take_for_something_else_is_not_written(value: str, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    place = target("dotenv:.env#NAME", tmp_path)
    assert "python-dotenv and a shell" in refusal(lambda: place.write(secret(value)))
    assert path.read_text() == "A=1\n"
    # But what was there can always be put back.
    place.restore(secret(value))
    assert held(place) == value


# --- the file -------------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / ".env"
    found.write_text(f"# mine\nNAME={OLD_VALUE} # live\nB='2'\n")
    found.chmod(0o644)
    return found


def test_a_file_is_changed_and_belongs_to_its_owner_alone(path: Path) -> None:
    place = target("dotenv:.env#NAME", path.parent)
    assert place.label == f"dotenv:{path}#NAME"
    place.check()
    assert held(place) == OLD_VALUE
    before = place.read_back()
    place.write(NEW)
    assert path.read_text() == f"# mine\nNAME={NEW_VALUE} # live\nB='2'\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == [".env"]
    assert isinstance(before, type(NEW))
    place.restore(before)
    assert path.read_text() == f"# mine\nNAME={OLD_VALUE} # live\nB='2'\n"
    assert before.fingerprint == target("dotenv:.env#NAME", path.parent).read_back().fingerprint  # type: ignore[union-attr]


def test_writing_the_same_again_only_closes_the_file_to_others(path: Path) -> None:
    place = target("dotenv:.env#NAME", path.parent)
    place.write(NEW)
    first = path.stat()
    place.write(NEW)
    again = path.stat()  # looked at it was: the time of that may be another
    assert (again.st_ino, again.st_mtime_ns, again.st_mode) == (first.st_ino, first.st_mtime_ns, first.st_mode)
    path.chmod(0o604)
    place.write(NEW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_group_that_was_let_in_still_reads_and_nobody_more(path: Path) -> None:
    place = target("dotenv:.env#NAME", path.parent)
    path.chmod(0o640)
    if os.getuid() == 0:
        os.chown(path, -1, 65534)
    group = path.stat().st_gid
    place.write(NEW)
    found = path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o640, group)
    assert NEW_VALUE in path.read_text()


def test_a_file_that_is_not_there_is_made(tmp_path: Path) -> None:
    place = target("dotenv:~/new.env#NAME", tmp_path)
    place.check()
    assert place.read_back() is None
    assert not (tmp_path / "new.env").exists()
    old_mask = os.umask(0)
    try:
        place.write(NEW)
    finally:
        os.umask(old_mask)
    assert (tmp_path / "new.env").read_text() == f"NAME={NEW_VALUE}\n"
    assert stat.S_IMODE((tmp_path / "new.env").stat().st_mode) == 0o600
    place.restore(None)
    assert place.read_back() is None
    assert (tmp_path / "new.env").read_text() == ""


def test_bytes_that_are_not_the_value_stay(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes("\ufeffA='ü'\r\nexport NAME=\"x\"\r\n\r\n# €\r\nB=1".encode())
    target("dotenv:.env#NAME", tmp_path).write(NEW)
    assert path.read_bytes() == f"\ufeffA='ü'\r\nexport NAME=\"{NEW_VALUE}\"\r\n\r\n# €\r\nB=1".encode()


@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing yet"])
def test_a_link_stays_a_link(tmp_path: Path, there: bool) -> None:  # noqa: FBT001  parametrize gives it by name
    (tmp_path / "real").mkdir()
    (tmp_path / "used").mkdir()
    real, link = tmp_path / "real" / "env", tmp_path / "used" / ".env"
    link.symlink_to("../used/hop")
    (tmp_path / "used" / "hop").symlink_to("../real/env")
    if there:
        real.write_text("A=1\n")
    place = target("dotenv:used/.env#NAME", tmp_path)
    place.check()
    place.write(NEW)
    assert link.is_symlink()
    assert (tmp_path / "used" / "hop").is_symlink()
    assert not real.is_symlink()
    assert real.read_text() == ("A=1\n" if there else "") + f"NAME={NEW_VALUE}\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.mkdir(), "no ordinary file"),
        (make_fifo, "no ordinary file"),
        (lambda path: path.write_bytes(b"A=\xff\n"), "no UTF-8 text"),
        (lambda path: path.write_bytes(b"#" * ((1 << 20) + 1)), "larger than 1 MiB"),
        (lambda path: path.symlink_to(path.name), "symbolic links"),
        (lambda path: path.symlink_to("missing/.env"), "There is no folder"),
    ],
)
def test_what_is_no_dotenv_file_is_refused_before_anything_happens(
    tmp_path: Path, make: Callable[[Path], None], why: str
) -> None:
    make(tmp_path / ".env")
    before = sorted(tmp_path.rglob("*"))
    place = target("dotenv:.env#NAME", tmp_path)
    for action in (place.check, lambda: place.write(NEW)):
        words = refusal(action)
        assert str(tmp_path) in words
    assert why in refusal(place.check)
    assert sorted(tmp_path.rglob("*")) == before


OTHER_USER = """
import os, sys
from pathlib import Path
from lollmsbot_keys.errors import SecretError
from tests.targets_lab import NEW, target
folder = Path(sys.argv[1])
target("dotenv:first.env#NAME", folder).write(NEW)  # everything is imported by now
if os.getuid() == 0:
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
for place in ("closed/new.env", "open/protected.env", "open/foreign.env", "barred/folder/new.env"):
    for action in ("check", "write"):
        try:
            found = target(f"dotenv:{place}#NAME", folder)
            found.check() if action == "check" else found.write(NEW)
            print(place, action, "done")
        except SecretError as error:
            print(place, action, error)
"""


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_files_and_folders_of_others_are_refused() -> None:
    folder = Path(tempfile.mkdtemp())  # tmp_path is closed to other users
    try:
        for name, mode in (("closed", 0o555), ("open", 0o777), ("barred", 0)):
            (folder / name / "folder").mkdir(parents=True)
            (folder / name).chmod(mode)
        (folder / "open" / "foreign.env").write_text("A=1\n")
        (folder / "open" / "foreign.env").chmod(0o666)
        (folder / "open" / "protected.env").write_text("A=1\n")
        (folder / "open" / "protected.env").chmod(0o444)
        folder.chmod(0o777)
        root = os.getuid() == 0
        if root:
            os.chown(folder / "open" / "protected.env", 65534, 65534)
        done = finished(start([sys.executable, "-c", OTHER_USER, str(folder)], {"PATH": os.defpath}))
        said = done.stdout.splitlines()
        assert len(said) == 8, done
        assert "not yours to write in" in said[0]
        assert "Permission denied" in said[1]
        assert "write-protected" in said[2]
        assert all("Permission denied" in words for words in said[6:])
        if root:
            assert "another user" in said[4]
            assert (folder / "open" / "foreign.env").read_text() == "A=1\n"
        assert [found.name for found in (folder / "open").iterdir() if found.name.startswith(".")] == []
    finally:
        (folder / "barred").chmod(0o700)
        shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "chown") or os.getuid() != 0, reason="only root can give files away")
def test_root_leaves_a_file_with_its_owner(path: Path) -> None:
    os.chown(path, 65534, 65534)
    target("dotenv:.env#NAME", path.parent).write(NEW)
    assert path.stat().st_uid == 65534


# --- others at the same time, and sudden ends -----------------------------------------------------------------------


def test_an_edit_that_comes_in_between_is_not_lost(path: Path) -> None:
    seen = []

    def change(text: str | None) -> str:
        assert text is not None
        seen.append(text)
        if len(seen) == 1:  # another program, at the worst moment
            path.write_text(f"{text}THEIRS=1\n")
        elif len(seen) == 2:  # an editor that replaces the file by one of the same size
            other = path.with_name("other")
            other.write_text(text.replace("THEIRS=1", "THEIRS=2"))
            other.replace(path)
        return f"{text}OURS=1\n"

    TextFile(path).edit(change)
    assert len(seen) == 3
    assert path.read_text().endswith("THEIRS=2\nOURS=1\n")


def test_a_file_that_never_rests_is_given_up_and_is_not_overwritten(path: Path) -> None:
    def change(text: str | None) -> str:
        path.write_text(f"{text}x")
        return "ours"

    assert "keeps changing" in refusal(lambda: TextFile(path).edit(change))
    assert "ours" not in path.read_text()
    assert [found.name for found in path.parent.iterdir()] == [".env"]


def test_a_file_that_appears_or_goes_in_between_is_seen(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    output_style: list[str | None] = []

    def change(text: str | None) -> str:
        output_style.append(text)
        if len(output_style) == 1:
            path.write_text("THEIRS=1\n")
        elif len(output_style) == 2:
            path.unlink()
        return f"{text or ''}OURS=1\n"

    TextFile(path).edit(change)
    assert output_style == [None, "THEIRS=1\n", None]
    assert path.read_text() == "OURS=1\n"


MANY = """
import sys
from pathlib import Path
from tests.targets_lab import secret, target
number, folder = sys.argv[1], Path(sys.argv[2])
places = [target(f"dotenv:.env#N{number}_{turn}", folder) for turn in range(12)]
sys.stdin.read()
for turn, place in enumerate(places):
    place.write(secret(f"value-{number}-{turn}"))
"""


def test_many_processes_change_one_file_and_none_loses_a_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# the pool\nA=1\n")
    commands = [[sys.executable, "-c", MANY, str(number), str(tmp_path)] for number in range(5)]
    with together(commands, {"PATH": os.defpath}) as processes:
        ends = [finished(process) for process in processes]
    assert [end.returncode for end in ends] == [0] * 5, ends
    expected = {f"N{number}_{turn}": f"value-{number}-{turn}" for number in range(5) for turn in range(12)}
    assert dotenv_values(tmp_path / ".env", interpolate=False) == {"A": "1", **expected}
    assert [found.name for found in tmp_path.iterdir()] == [".env"]


CRASH = """
import resource, signal, sys
from pathlib import Path
from tests.targets_lab import NEW, target
place = target("dotenv:.env#NAME", Path(sys.argv[1]))
place.check()
if sys.argv[3] == "dies":
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
place.write(NEW)
"""
FILLING = f"# {'x' * 90_000}\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit on a file's size kills at a known byte")
@pytest.mark.parametrize("written", [0, 1, 60_000])
def test_a_crash_in_the_middle_of_writing_leaves_the_old_file_whole(path: Path, written: int) -> None:
    old = FILLING + path.read_text()
    path.write_text(old)
    done = finished(start([sys.executable, "-c", CRASH, str(path.parent), str(written), "dies"], {"PATH": os.defpath}))
    assert done.returncode == -signal.SIGXFSZ, done
    assert path.read_text() == old
    # What the dead process left may hold secrets: the next one removes it, and nothing that only looks like it.
    (leftover,) = path.parent.glob(".*.new")
    assert leftover.stat().st_size == written
    assert stat.S_IMODE(leftover.stat().st_mode) == 0o600
    other = path.parent / "..env.mine.new"
    other.touch()
    target("dotenv:.env#NAME", path.parent).write(NEW)
    assert path.read_text() == old.replace(OLD_VALUE, NEW_VALUE)
    assert sorted(path.parent.iterdir()) == sorted([path, other])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="as above")
def test_a_full_disk_changes_nothing_and_is_explained(path: Path) -> None:
    old = FILLING + path.read_text()
    path.write_text(old)
    done = finished(start([sys.executable, "-c", CRASH, str(path.parent), "60000", "lives"], {"PATH": os.defpath}))
    assert f"SecretError: {path} cannot be written: File too large" in done.stderr
    assert NEW_VALUE not in done.stderr
    assert path.read_text() == old
    assert [found.name for found in path.parent.iterdir()] == [".env"]


WRITER = """
import sys
from pathlib import Path
from tests.targets_lab import NEW_VALUE, OLD_VALUE, secret, target
place = target("dotenv:.env#NAME", Path(sys.argv[1]))
while True:
    place.write(secret(NEW_VALUE))
    place.write(secret(OLD_VALUE))
    print("twice", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_kill_9_at_any_moment_leaves_the_old_file_or_the_new_one(path: Path) -> None:
    old = FILLING + path.read_text()
    path.write_text(old)
    whole = {old, old.replace(OLD_VALUE, NEW_VALUE)}
    chance = random.Random(path.name)  # noqa: S311  moments, not secrets
    for _ in range(6):
        writer = start([sys.executable, "-c", WRITER, str(path.parent)], {"PATH": os.defpath})
        assert writer.stdout is not None
        writer.stdout.readline()
        for _ in range(20):
            assert path.read_text() in whole  # readers meanwhile
            time.sleep(chance.random() / 2000)
        writer.kill()
        writer.communicate(timeout=PATIENCE_S)
        assert path.read_text() in whole
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    target("dotenv:.env#NAME", path.parent).write(NEW)
    assert [found.name for found in path.parent.iterdir()] == [".env"]
