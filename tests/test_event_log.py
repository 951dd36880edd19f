"""The log as a file: what is written comes back, many processes share it, and nothing that happens to it tears it."""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.log_record import Entry, LoggedCost, Sent
from lollmsbot_keys.core.model.outcome import Attempt, OutcomeKind
from lollmsbot_keys.core.model.request import Candidate, Plan, Request
from lollmsbot_keys.core.security.sanitize import clean_line
from lollmsbot_keys.edges.files.lock import locked
from lollmsbot_keys.edges.log.codec import (
    LONGEST_TEXT,
    MOST_CANDIDATES,
    OWN_WORDS,
    VERSION,
    NewerEntry,
    NotAnEntry,
    decode,
    encode,
)
from lollmsbot_keys.edges.log.reader import LONGEST_LINE, entries_of
from lollmsbot_keys.edges.log.writer import EventLog, older
from lollmsbot_keys.edges.secrets.scrubber import Scrubber
from lollmsbot_keys.edges.secrets.secret import Secret
from lollmsbot_keys.errors import ConfigError, UsageError
from lollmsbot_keys.render.json_documents import document, plan_tree
from lollmsbot_keys.render.replay import draw_replay, replay_tree
from tests.examples import examples
from tests.strategies import NOW, World, amounts, moments, worlds
from tests.support import finished, start, together

PLAN = World(Request(pillar="soul")).plan()
SECOND = timedelta(seconds=1)
ATTEMPT = Attempt("O1", Provider.OLLAMA, "kimi", OutcomeKind.RATE_LIMITED, 429, 12, NOW + SECOND)
BOOKED = LoggedCost("h-1", Decimal("0.012"), None, "unknown", Decimal("0.012"), 3, 0)


def as_it_is(text: str) -> str:
    return text


def entry(request: str = "5eed", number: int | None = 1, plan: Plan = PLAN) -> Entry:
    sent = None if number is None else Sent(number, PLAN.candidates[0], ATTEMPT, BOOKED, failover=False)
    return Entry(NOW + (number or 0) * SECOND, request, NOW, plan, sent, "0.1.0")


def line(request: str = "5eed", number: int | None = 1) -> bytes:
    return encode(entry(request, number), as_it_is)


def tree() -> dict[str, Any]:
    """A whole line as a document, to be spoilt."""
    found: dict[str, Any] = json.loads(line())
    return found


# --- there and back ---


def as_kept(candidate: Candidate) -> Candidate:
    """`candidate` without the words that may be a provider's."""
    aside = candidate.set_aside
    if aside is None:
        return candidate
    detail = clean_line(aside.detail) if aside.reason in OWN_WORDS else ""
    return candidate._replace(set_aside=aside._replace(detail=detail))


@given(worlds())
def test_a_replayed_plan_is_the_plan(world: World) -> None:
    plan = world.plan()
    back = decode(encode(entry(plan=plan), as_it_is))
    kept = plan._replace(candidates=tuple(map(as_kept, plan.candidates)))
    assert document(plan_tree(back.plan)) == document(plan_tree(kept))
    assert [c.set_aside for c in back.plan.candidates] == [c.set_aside for c in kept.candidates]
    assert back.plan.retry_at == plan.retry_at
    assert (back.plan.choice is None, back.plan.untrusted is None) == (plan.choice is None, plan.untrusted is None)


@given(
    outcome=st.sampled_from(OutcomeKind),
    status=st.none() | st.integers(100, 599),
    cooled=st.none() | moments(-SECOND, timedelta(days=8)),
    money=st.tuples(amounts, st.none() | amounts, amounts),
    counts=st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 99)),
    failover=st.booleans(),
)
def test_an_attempt_comes_back_as_it_was(
    outcome: OutcomeKind,
    status: int | None,
    cooled: Any,  # noqa: ANN401 - a time or none, whose type the strategy has
    money: tuple[Decimal, Decimal | None, Decimal],
    counts: tuple[int, int, int],
    failover: bool,  # noqa: FBT001
) -> None:
    held, cost, charged = money
    attempt = ATTEMPT._replace(outcome=outcome, status=status, latency_ms=counts[0], cooldown_until=cooled)
    booked = BOOKED._replace(hold_usd=held, cost_usd=cost, charged_usd=charged, prompt_tokens=counts[1])
    sent = Sent(counts[2], PLAN.candidates[0], attempt, booked, failover)
    back = decode(encode(entry()._replace(sent=sent), as_it_is)).sent
    assert back is not None
    assert back._replace(candidate=sent.candidate) == sent
    assert (back.candidate.key, back.candidate.rule) == (sent.candidate.key, sent.candidate.rule)


def test_a_refusal_comes_back_as_one() -> None:
    back = decode(line(number=None))
    assert (back.sent, back.request, back.decided) == (None, "5eed", NOW)


def test_a_line_is_one_line_of_harmless_text() -> None:
    plan = PLAN._replace(model="a\n\x1b]0;x\x07##[error]é\u202e")
    written = encode(entry(plan=plan), as_it_is)
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    assert written.isascii()
    assert b"##[" not in written
    assert decode(written).plan.model == "a ##\\[error]é"


def test_a_line_is_bounded() -> None:
    candidates = (PLAN.candidates[0]._replace(model="m" * 10_000),) * 5_000
    written = encode(entry(plan=PLAN._replace(candidates=candidates)), as_it_is)
    assert len(written) < 64 * 1_024
    back = decode(written).plan
    assert len(back.candidates) == MOST_CANDIDATES
    assert {len(candidate.model) for candidate in back.candidates} == {LONGEST_TEXT}
    assert json.loads(written)["plan"]["left_out"] == 5_000 - MOST_CANDIDATES


def test_a_secret_that_somebody_asked_for_as_a_model_is_masked() -> None:
    secret = "sk-or-v1-5a4db0c5Zm9vYmFy"
    scrub = Scrubber(Secret(secret, Provider.OLLAMA, "")).text
    plan = PLAN._replace(
        model=secret,
        notices=(f"{secret} is not free",),
        candidates=(PLAN.candidates[0]._replace(model="x" * (LONGEST_TEXT - 9) + secret),),
    )
    sent = Sent(1, plan.candidates[0], ATTEMPT._replace(model=secret), BOOKED, failover=False)
    written = encode(entry(plan=plan)._replace(sent=sent), scrub).decode()
    assert secret[:9] not in written
    assert written.count("[secret]") == 4


def test_words_of_providers_are_left_out() -> None:
    plan = World().plan()
    asides = [
        candidate._replace(set_aside=candidate.set_aside._replace(detail="PROMPT") if candidate.set_aside else None)
        for candidate in plan.candidates
    ]
    told = ATTEMPT._replace(detail="the PROMPT was odd")
    sent = Sent(1, plan.candidates[0], told, BOOKED, failover=False)
    written = encode(entry(plan=plan._replace(candidates=tuple(asides)))._replace(sent=sent), as_it_is)
    assert b"PROMPT" not in written


# --- whatever stands there ---

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just("9" * 5_000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inside:
        yield from places(part, (*path, name))


PLACES = list(places(tree()))


@given(st.sampled_from(PLACES), json_values)
@settings(max_examples=examples(400))
def test_a_spoilt_line_is_none_or_harmless(place: tuple[str | int, ...], value: object) -> None:
    spoilt = tree()
    inside: Any = spoilt
    for name in place[:-1]:
        inside = inside[name]
    inside[place[-1]] = value
    with suppress(NotAnEntry, NewerEntry):
        found = decode(json.dumps(spoilt).encode())
        text = document(replay_tree([found]))
        assert len(text) < 100_000
        draw_replay([found], OutputStyle())


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"{}", b"[]", b"null", b"\xff\xfe", line()[:-40], b"[" * 100_000, b'{"version":9', line() + line()],
    ids=str,
)
def test_what_is_no_line_of_ours(content: bytes) -> None:
    with pytest.raises(NotAnEntry):
        decode(content)


@pytest.mark.parametrize("amount", ["1e999999999", "1e400", "NaN", '"1"', "true", "null"])
def test_an_impossible_amount_is_none(amount: str) -> None:
    with pytest.raises(NotAnEntry):
        decode(line().replace(b'"charged_usd":0.012', f'"charged_usd":{amount}'.encode()))


def test_no_more_candidates_are_read_than_were_written() -> None:
    spoilt = tree()
    spoilt["plan"]["candidates"] *= 1_000
    assert len(decode(json.dumps(spoilt).encode()).plan.candidates) == MOST_CANDIDATES


def test_controls_in_the_log_are_not_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    spoilt = tree()
    for text in ("key", "model", "pillar", "role", "lbk", "hold"):
        spoilt[text] = "\x1b]0;owned\x07\x1b[2J::add-mask::x [bold]"
    spoilt["plan"]["candidates"][0] |= {"key": "\x1b[31mK", "model": "\x9b31mM", "eligible": False, "reason": "privacy"}
    spoilt["plan"]["candidates"][0]["detail"] = "\x1b[1A\u202eD"
    spoilt["plan"]["notices"] = ["\x1b[1AN"]
    draw_replay([decode(json.dumps(spoilt).encode())], OutputStyle())
    drawn = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(drawn)
    assert "[bold]" in drawn


# --- reading ---


def test_a_request_is_found_across_the_parts(tmp_path: Path) -> None:
    path = tmp_path / "log"
    older(path, 2).write_bytes(line("other") + line("5eed", 1))
    older(path, 1).write_bytes(line("5eed", 2) + b"half a li")
    path.write_bytes(line("5eed", 3) + line("other", 2) + line("5eed", 3) + line("5eed", 4)[:-30])
    found = entries_of(path, "5eed")
    assert [one.sent.number for one in found if one.sent] == [1, 2, 3]
    assert {one.request for one in entries_of(path, "last")} == {"5eed"}
    with pytest.raises(UsageError):
        entries_of(path, "5ee")


def test_the_last_request_may_be_in_an_older_part(tmp_path: Path) -> None:
    path = tmp_path / "log"
    older(path, 1).write_bytes(line("first") + line("second"))
    path.write_bytes(b"torn")
    assert entries_of(path, "last")[0].request == "second"


def test_the_last_request_is_found_above_lines_of_others(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line("first") + line("second") + b'{"a": 1}\n' * 150)
    assert entries_of(path, "last")[0].request == "second"


@pytest.mark.parametrize("step", [timedelta(), -SECOND], ids=["stands still", "steps back"])
def test_the_order_is_that_of_the_attempts_whatever_the_clock_does(step: timedelta, tmp_path: Path) -> None:
    path = tmp_path / "log"
    written = [entry("5eed", number)._replace(time=NOW + place * step) for place, number in enumerate((1, 2, 3, None))]
    path.write_bytes(b"".join(encode(one, as_it_is) for one in written))
    assert [one.sent and one.sent.number for one in entries_of(path, "5eed")] == [1, 2, 3, None]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are POSIX's")
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_no_older_part(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line())
    make = os.mkfifo if kind == "pipe" else os.mkdir
    make(older(path, 1))
    assert len(entries_of(path, "last")) == len(entries_of(path, "5eed")) == 1


def test_a_line_of_a_newer_lbk(tmp_path: Path) -> None:
    path = tmp_path / "log"
    newer = tree() | {"version": VERSION + 1, "plan": "another shape"}
    path.write_text(json.dumps(newer) + "\n")
    with pytest.raises(ConfigError, match="Update"):
        entries_of(path, "5eed")
    with pytest.raises(UsageError, match="no request"):
        entries_of(path, "last")


def test_an_endless_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'"5eed"' * LONGEST_LINE + b"\n" + b"x" * LONGEST_LINE + line("5eed", 2) + line())
    (only,) = entries_of(path, "5eed")
    assert only.sent is not None
    assert only.sent.number == 1


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none", "There is no log"), (tmp_path, "is no file")):
        with pytest.raises(ConfigError, match=words):
            entries_of(path, "5eed")


# --- writing ---


def test_a_new_log_is_for_its_owner_only(tmp_path: Path) -> None:
    for path in (tmp_path / "log", tmp_path / "new" / "folder" / "log"):
        assert EventLog(path).append(line()) is None
        assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_full_file_is_put_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = EventLog(path, largest_bytes=100, older_files=3)
    for number in range(100):
        assert log.append(b"%040d\n" % number) is None
    parts = [path, *(older(path, number) for number in (1, 2, 3))]
    assert {file for file in tmp_path.iterdir() if file.suffix != ".lock"} == set(parts)
    kept = [int(text) for part in reversed(parts) for text in part.read_text().splitlines()]
    assert kept == list(range(92, 100))
    assert max(part.stat().st_size for part in parts) <= 100


def test_a_line_that_is_larger_than_a_file_is_written_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch()  # an empty file makes no room
    log = EventLog(path, largest_bytes=10, older_files=2)
    assert log.append(line()) is None
    assert not older(path, 1).exists()
    for _ in range(4):
        assert log.append(line()) is None
    assert [file.read_bytes() for file in (path, older(path, 1), older(path, 2))] == [line()] * 3


def test_the_new_file_may_be_read_by_whom_the_old_one_was(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = EventLog(path, largest_bytes=10)
    log.append(line())
    path.chmod(0o640)
    log.append(line())
    assert [file.stat().st_mode & 0o777 for file in (path, older(path, 1))] == [0o640, 0o640]


def test_a_gap_left_by_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for number, text in ((1, "c"), (2, "b"), (4, "a")):
        older(path, number).write_text(f"{text}\n")
    path.write_text("d\n")
    EventLog(path, largest_bytes=1).append(b"e\n")
    parts = [path, *(older(path, number) for number in range(1, 5))]
    assert [part.read_text() for part in parts] == ["e\n", "d\n", "c\n", "b\n", "a\n"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    link, real = tmp_path / "link", tmp_path / "real" / "log"
    real.parent.mkdir()
    link.symlink_to(real)
    log = EventLog(link, largest_bytes=10)
    log.append(line("a"))
    log.append(line("b"))
    assert link.is_symlink()
    assert (real.read_bytes(), older(real, 1).read_bytes()) == (line("b"), line("a"))


def test_a_torn_line_takes_none_with_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line("torn")[:-50])
    EventLog(path).append(line())
    assert len(entries_of(path, "5eed")) == 1


def test_a_problem_is_said_once_until_it_is_over(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    log = EventLog(path / "log")
    path.write_text("in the way")
    said = log.append(line())
    assert said is not None
    assert str(path) in said
    assert log.append(line()) is None
    path.unlink()
    assert log.append(line()) is None
    assert len(entries_of(path / "log", "5eed")) == 1
    (path / "log").unlink()
    (path / "log").mkdir()
    assert log.append(line()) is not None


def test_a_stuck_process_costs_a_second_and_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = EventLog(path, largest_bytes=10)
    log.append(line("a"))
    with locked(path.with_name("log.lock")):
        began = time.monotonic()
        said = [log.append(line(request)) for request in "bcdefghijk"]
        assert time.monotonic() - began < 9  # of the ten that waiting each time would take
    assert said[0] is not None
    assert f"grows beyond its size: Process {os.getpid()}" in said[0]
    assert "gap" not in said[0]
    assert said[1:] == [None] * 9
    assert path.read_bytes() == b"".join(map(line, "abcdefghijk"))


def test_a_new_problem_is_said_and_a_lasting_one_once(tmp_path: Path) -> None:
    """Where a full file cannot be put aside each line still gets through, which is no news every time."""
    path = tmp_path / "log"
    log = EventLog(path, largest_bytes=10, pause=timedelta(milliseconds=200))
    log.append(line("a"))
    path.with_name("log.lock").mkdir()
    said = [log.append(line(request)) for request in "bc"]
    time.sleep(0.25)
    said.append(log.append(line("d")))
    assert ["it cannot be put aside" in (words or "") for words in said] == [True, False, False]
    path.rename(tmp_path / "away")
    path.mkdir()
    gap = log.append(line("e"))
    assert gap is not None
    assert "has a gap from now on: Is a directory" in gap


def test_a_disk_that_runs_full_tears_one_line_at_most(tmp_path: Path) -> None:
    program = f"""
import resource, signal, sys
from pathlib import Path
from lollmsbot_keys.edges.log.writer import EventLog
log, line = EventLog(Path(sys.argv[1])), sys.stdin.buffer.readline()
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, ({len(line()) * 5 // 2}, hard))
said = [log.append(line) for _ in range(5)]
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
said += [log.append(line) for _ in range(2)]
print([words is not None for words in said])
"""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    path = tmp_path / "log"
    process = start([sys.executable, "-c", program, str(path)], os.environ, stdin=-1)
    assert process.stdin is not None
    process.stdin.write(line().decode())
    process.stdin.close()
    process.stdin = None
    done = finished(process)
    assert done.stdout.strip() == "[False, False, True, False, False, False, False]", done.stderr
    assert path.read_bytes().split(b"\n") == [line()[:-1]] * 2 + [line()[: len(line()) // 2]] + [line()[:-1]] * 2 + [
        b""
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's own")
def test_a_full_device(tmp_path: Path) -> None:
    link = tmp_path / "log"
    link.symlink_to("/dev/full")
    said = EventLog(link).append(line())
    assert said is not None
    assert "No space left" in said
    assert list(tmp_path.iterdir()) == [link]


def test_a_pipe_is_never_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    log = EventLog(pipe)
    assert log.append(line("nobody reads")) is not None
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert log.append(line("a")) is None
        assert os.read(reader, 1 << 20) == line("a")
        for _ in range(1_000):
            log.append(line())  # far more than a pipe holds
        came = os.read(reader, 1 << 20)
        log.append(line("b"))
        while not came.endswith(line("b")):
            came += os.read(reader, 1 << 20)
    finally:
        os.close(reader)
    assert set(came.split(b"\n")) == {line()[:-1], line("b")[:-1], b""}


def test_what_a_pipe_took_half_of_is_ended_first(tmp_path: Path) -> None:
    """Lines beyond 4 KB may be split; `jq` should not have to know."""
    pipe, long = tmp_path / "pipe", b"x" * 10_000_000 + b"\n"
    os.mkfifo(pipe)
    log = EventLog(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert log.append(long) is not None
        half = os.read(reader, 10_000_000)
        assert log.append(line()) is None
        assert os.read(reader, 10_000_000) == b"\n" + line()
    finally:
        os.close(reader)
    assert set(half) == set(b"x")


@pytest.mark.parametrize("name", ["/dev/stderr", "/dev/fd/2"])
def test_an_open_descriptor_is_written_to_as_it_is(name: str, tmp_path: Path) -> None:
    program = f"""
import os, sys
from pathlib import Path
from lollmsbot_keys.edges.log.writer import EventLog
log = EventLog(Path({name!r}), largest_bytes=5)
for number in range(3):
    assert log.append(b"line %d\\n" % number) is None
    os.write(2, b"talk\\n")
"""
    target = tmp_path / "err"
    with target.open("wb") as err:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", program],
            {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            file_actions=[(os.POSIX_SPAWN_DUP2, err.fileno(), 2)],
        )
        assert os.waitpid(pid, 0)[1] == 0
    assert target.read_text() == "".join(f"line {number}\ntalk\n" for number in range(3))
    assert list(tmp_path.iterdir()) == [target]


# --- many processes ---

WRITER = """
import sys
from pathlib import Path
from lollmsbot_keys.edges.log.writer import EventLog
path, name, count, largest, older = sys.argv[1:]
log = EventLog(Path(path), largest_bytes=int(largest), older_files=int(older))
sys.stdin.read()
number = 0
while number < int(count):
    problem = log.append(b"%s %d %s\\n" % (name.encode(), number, b"x" * (number * 37 % 900)))
    assert problem is None, problem
    number += 1
"""


def written(folder: Path) -> list[tuple[str, int]]:
    """Every line of a log of `WRITER`s; one that is torn fails here."""
    found = []
    for part in set(folder.glob("log*")) - {folder / "log.lock"}:  # which names its holder
        for text in part.read_text().splitlines():
            if text:
                name, number, padding = text.split(" ")
                assert padding == "x" * (int(number) * 37 % 900), f"{part.name}: {text[:60]!r}"
                found.append((name, int(number)))
    return found


def writers(path: Path, count: int, largest: int, older_files: int) -> list[list[str]]:
    arguments = [str(count), str(largest), str(older_files)]
    return [[sys.executable, "-c", WRITER, str(path), name, *arguments] for name in "abcd"]


def test_many_processes_lose_no_line_and_tear_none(tmp_path: Path) -> None:
    with together(writers(tmp_path / "log", 250, 5_000, 1_000), os.environ) as processes:
        for process in processes:
            done = finished(process)
            assert (done.returncode, done.stderr) == (0, "")
    assert sorted(written(tmp_path)) == [(name, number) for name in "abcd" for number in range(250)]
    parts = [part for part in tmp_path.glob("log*") if part.suffix != ".lock"]
    assert len(parts) > 50
    assert {part.name for part in parts} == {"log", *(f"log.{number}" for number in range(1, len(parts)))}
    assert min(part.stat().st_size for part in parts if part.name != "log") > 4_000  # none was put aside half empty


def test_killed_processes_leave_whole_lines(tmp_path: Path) -> None:
    with together(writers(tmp_path / "log", 10**9, 20_000, 10_000), os.environ) as processes:
        deadline = time.monotonic() + 60
        while not older(tmp_path / "log", 5).exists():
            assert time.monotonic() < deadline
            assert all(process.poll() is None for process in processes)
            time.sleep(0.01)
        for process in random.sample(processes, len(processes)):
            process.kill()
    for name in "abcd":
        numbers = sorted(number for writer, number in written(tmp_path) if writer == name)
        assert numbers == list(range(len(numbers)))
    EventLog(tmp_path / "log").append(b"z 0 \n")
    assert ("z", 0) in written(tmp_path)


def test_a_request_is_found_while_others_write(tmp_path: Path) -> None:
    """A reader meets files that are put aside under its hands."""
    path, over = tmp_path / "log", threading.Event()
    log = EventLog(path, largest_bytes=30_000, older_files=5)
    log.append(line("wanted"))

    def write() -> None:
        while not over.is_set() and not older(path, 4).exists():
            log.append(line("other"))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        while thread.is_alive():
            assert len(entries_of(path, "wanted")) == 1
    finally:
        over.set()
        thread.join()
