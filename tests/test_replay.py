"""`--log-file` and `lbk route --replay`: what was decided and what became of it, told later, and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.edges.log.reader import entries_of
from lollmsbot_keys.errors import ConfigError
from lollmsbot_keys.pool import KeyPool, Listener
from lollmsbot_keys.runtime import Engine
from lollmsbot_keys.sandbox import Sandbox
from tests.lab import OLLAMA, OLLAMA_2, ROUTED, ROUTERS, SERVED, Json, Lab, endpoints, lab, on_terminal
from tests.support import finished, run_lbk, spent, start_lbk
from tests.test_startup_imports import loaded_by

PROMPT = "a-prompt-that-must-not-be-kept"
ATTEMPT = {
    *("time", "event", "request_id", "attempt", "key", "provider", "model", "rule", "failover", "outcome", "status"),
    *("latency_ms", "cooldown_until", "hold", "hold_usd", "cost_usd", "cost_source", "charged_usd", "prompt_tokens"),
    *("completion_tokens", "pillar", "role", "privacy", "plan", "lbk", "version"),
}


def logging(here: Lab) -> Path:
    """From here on `here` keeps a log, beside its state."""
    path = here.folder / "state" / "events.jsonl"
    here.env["LBK_LOG_FILE"] = str(path)
    return path


def lines(path: Path) -> list[Json]:
    return [json.loads(text) for text in path.read_text("ascii").splitlines()]


# --- what is written ---


def test_every_attempt_is_a_line(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=60:1") as here:
        log = logging(here)
        done = here.run("ask", "--json", "-p", "soul", "-m", SERVED, PROMPT)
        failed, answered = lines(log)
        assert (done.code, done.err) == (0, "")
        found = done.document
        assert {line["request_id"] for line in (failed, answered)} == {found["request_id"]}
        assert set(failed) == set(answered) == ATTEMPT
        assert [line["attempt"] for line in (failed, answered)] == [1, 2]
        for line, attempt in zip((failed, answered), found["attempts"], strict=True):
            for name in ("key", "provider", "model", "outcome", "status", "latency_ms"):
                assert line[name] == attempt[name]
        assert failed["cooldown_until"].startswith(found["attempts"][0]["cooldown_until"][:-1])
        assert (failed["failover"], answered["failover"]) == (False, True)
        assert (answered["cost_usd"], answered["cost_source"]) == (found["cost_usd"], found["cost_source"])
        assert answered["prompt_tokens"] == found["usage"]["prompt_tokens"]
        assert answered["hold_usd"] > answered["cost_usd"] > 0
        assert (answered["pillar"], answered["role"], answered["privacy"]) == ("soul", "primary", "medium")
        assert sum(Decimal(str(line["charged_usd"])) for line in lines(log)) == spent(here.state)


def test_no_prompt_no_answer_and_no_words_of_a_provider(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=echo:1", f"{OLLAMA_2}=429:1") as here:
        log = logging(here)
        done = here.run("ask", "-v", "-m", SERVED, "--system", f"system {PROMPT}", PROMPT)
        assert PROMPT in done.out
        here.run("ask", "-m", SERVED, PROMPT)
        text = log.read_text()
        assert len(lines(log)) >= 3
        assert PROMPT not in text
        assert "Sandbox" not in text
        assert "weekly" in done.err
        assert "weekly" not in text


def test_a_refusal_is_a_line_with_all_that_stood_in_the_way(tmp_path: Path) -> None:
    with lab(tmp_path, f"{ROUTERS[0]}=402limit:1") as here:
        log = logging(here)
        here.ask("-m", ROUTED, "--key", ROUTERS[0])
        done = here.run("ask", "--json", PROMPT, "-m", ROUTED, "--key", ROUTERS[0])
        assert done.code == 4
        refused = lines(log)[-1]
        assert (refused["event"], refused["outcome"], refused["attempt"]) == ("refused", "refused", None)
        assert refused["request_id"] == done.document["request_id"]
        (candidate,) = refused["plan"]["candidates"]
        assert (candidate["key"], candidate["reason"]) == (ROUTERS[0], "no_credit")
        assert refused["plan"]["retry_at"] == candidate["until"]


def test_a_host_that_is_not_trusted_is_a_refusal(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        log = logging(here)
        endpoints(here.config, ollama="https://stranger.example/v1")
        assert here.run("ask", PROMPT, "-m", SERVED).code == 3
        (refused,) = lines(log)
        assert refused["plan"]["candidates"][0]["reason"] == "untrusted_host"
        assert "stranger.example is not trusted" not in log.read_text()
        replayed = here.run("route", "--replay", "last")
        assert replayed.code == 0
        assert "its endpoint is not trusted" in replayed.out


def test_an_interrupted_call_is_a_line(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=slow=30:1") as here:
        log = logging(here)
        process = start_lbk(["ask", PROMPT, "-m", SERVED], here.env, own_session=True)
        deadline = time.monotonic() + 60
        while not here.chats():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert finished(process).returncode == 130
        (line,) = lines(log)
        assert (line["outcome"], line["cost_usd"], line["cost_source"]) == ("interrupted", None, "unknown")
        assert line["charged_usd"] == line["hold_usd"]
        began, ended = (datetime.fromisoformat(moment) for moment in (line["plan"]["at"], line["time"]))
        assert ended - began >= timedelta(milliseconds=line["latency_ms"] - 1) > timedelta()
        assert "interrupted after" in here.run("route", "--replay", "last").out


def test_there_is_none_unless_somebody_wants_one(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        before = {path.name for path in tmp_path.rglob("*")}
        assert here.ask("-m", SERVED)["request_id"] is None
        new = {path.name for path in tmp_path.rglob("*")} - before
        assert not [name for name in new if "log" in name or "events" in name]


def test_who_says_where_it_is(tmp_path: Path) -> None:
    with lab(tmp_path, settings='[log]\nfile = "log/from-config.jsonl"\n') as here:
        option, variable = tmp_path / "option", tmp_path / "variable"
        here.run("ask", PROMPT, "-m", SERVED, "--log-file", str(option), LBK_LOG_FILE=str(variable))
        here.run("ask", PROMPT, "-m", SERVED, LBK_LOG_FILE=str(variable))
        here.run("ask", PROMPT, "-m", SERVED, LBK_LOG_FILE="")
        for path in (option, variable, tmp_path / "log" / "from-config.jsonl"):
            assert len(lines(path)) == 1, path
        shown = here.run("config", "show", "--json").document
        assert "log/from-config.jsonl" in json.dumps(shown)
        assert here.run("route", "--replay", "last").code == 0


@pytest.mark.parametrize(
    "place",
    [
        *("config.toml", "state/state.json", "state/state.json.lock", "state/state.json.last-good"),
        *("state/fingerprint.key", "state/history/2026-10.json", "state/cache/models.json", "link/state.json"),
        "state/state-config.cache.json",
    ],
)
def test_a_file_that_lbk_keeps_itself_is_no_log(place: str, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        (here.folder / "link").symlink_to(here.state_file.parent)
        before = {path: path.read_bytes() for path in here.folder.rglob("*") if path.is_file()}
        done = here.run("ask", "-m", SERVED, PROMPT, LBK_LOG_FILE=str(here.folder / place))
        assert (done.code, done.out) == (3, "")
        assert "cannot be the log" in done.err
        assert {path: path.read_bytes() for path in before} == before


def test_a_place_in_a_home(tmp_path: Path) -> None:
    with lab(tmp_path, settings='[log]\nfile = "~/events.jsonl"\n') as here:
        home = tmp_path / "home of somebody"
        home.mkdir()
        here.run("ask", PROMPT, "-m", SERVED, HOME=str(home))
        assert len(lines(home / "events.jsonl")) == 1
        unknown = here.run("ask", PROMPT, LBK_LOG_FILE="~no-such-user-here/log")
        assert unknown.code == 3
        assert "LBK_LOG_FILE: no such home folder" in unknown.err


@pytest.mark.parametrize("value", ['""', "7", '"a\\u0000b"', '["a"]'])
def test_an_impossible_place_in_the_configuration(value: str, tmp_path: Path) -> None:
    with lab(tmp_path, settings=f"[log]\nfile = {value}\n") as here:
        done = here.run("route")
        assert done.code == 3
        assert "log.file: expected the path of a file" in done.err


def test_a_test_of_keys_and_a_pool_write_to_it_too(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        log = logging(here)
        assert here.run("test-keys", "--deep", OLLAMA).code == 0
        assert [line["key"] for line in lines(log)] == [OLLAMA]

        async def ask() -> str | None:
            engine = Engine.open(environment=Environment(here.env))
            async with KeyPool(engine, log_file=tmp_path / "mine") as pool:
                return (await pool.ask(PROMPT, model=SERVED)).request_id

        asked = asyncio.run(ask())
        (mine,) = lines(tmp_path / "mine")
        assert mine["request_id"] == asked
        assert len(lines(log)) == 1


# --- a log that fails ---


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's own")
def test_a_failing_log_fails_no_answer_and_is_told_once(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=500:1") as here:
        here.env["LBK_LOG_FILE"] = "/dev/full"
        done = here.run("ask", "--json", "-m", SERVED, PROMPT)
        assert (done.code, done.document["key"], len(done.document["attempts"])) == (0, OLLAMA_2, 2)
        assert done.err.count("\n") == 1
        assert "The log /dev/full has a gap" in done.err


class Notices(Listener):
    def __init__(self) -> None:
        self.said: list[str] = []

    def notice(self, message: str) -> None:
        self.said.append(message)


def test_a_pool_tells_of_a_failing_log_once(tmp_path: Path) -> None:
    from lollmsbot_keys.pool import Options, question

    async def ask(engine: Engine) -> list[str]:
        notices = Notices()
        async with KeyPool(engine, log_file=tmp_path) as pool:
            for _ in range(3):
                await pool.answer(question(PROMPT, Options(model=SERVED)), notices)
        return notices.said

    with Sandbox() as sandbox:
        said = asyncio.run(ask(Engine.open(environment=Environment(sandbox.environment(tmp_path)))))
    assert len(said) == 1
    assert "Is a directory" in said[0]


# --- secrets ---


# --- replaying ---


def without_prices(found: Json) -> Json:
    """A document of `route`, which knows no prompt, so that its bounds are lower; the log does not date prices."""
    for part in (found["decision"] or {}, *found["candidates"]):
        part.pop("estimated_cost_usd", None)
        part.pop("priced_on", None)
    return found


def without_words(found: Json) -> Json:
    """Without the words that may be a provider's, and without the age of the data, which is no part of a decision."""
    found.pop("catalogue", None)
    for candidate in found["candidates"]:
        if candidate["reason"] in {"cooling_down", "no_credit", "no_such_model", "disabled"}:
            candidate["detail"] = ""
    return found


@pytest.fixture
def troubled(tmp_path: Path) -> Iterator[Lab]:
    """A pool that something has happened to."""
    with lab(tmp_path, f"{OLLAMA}=429retry=5000:1", f"{ROUTERS[1]}=401:2") as here:
        here.ask("-m", SERVED)
        here.ask("-m", SERVED, "--key", ROUTERS[1])
        logging(here)
        yield here


@pytest.mark.parametrize(
    "asked",
    [(), ("-m", SERVED), ("-m", ROUTED), ("-p", "guardian", "--role", "auditor"), ("--free",), ("-m", "no-such")],
    ids=" ".join,
)
def test_a_replay_says_what_route_would_have_said(asked: tuple[str, ...], troubled: Lab) -> None:
    said = without_words(without_prices(troubled.route(*asked)))
    asked_for = troubled.ask(*asked)
    replayed = troubled.quick("route", "--json", "--replay", asked_for["request_id"]).document
    assert replayed["request_id"] == asked_for["request_id"]
    assert without_prices({name: replayed[name] for name in said}) == said
    attempts = [one["attempt"] for one in (replayed, *replayed["later"]) if one["attempt"] is not None]
    assert [(a["key"], a["outcome"], a["status"]) for a in attempts] == [
        (a["key"], a["outcome"], a["status"]) for a in asked_for["attempts"]
    ]


def test_how_a_replay_looks(troubled: Lab) -> None:
    drawn = troubled.run("route", "-m", SERVED).out.splitlines()
    done = troubled.run("ask", "-v", "-m", SERVED, PROMPT)
    (id_,) = {line["request_id"] for line in lines(Path(troubled.env["LBK_LOG_FILE"]))}
    assert f"lbk route --replay {id_}" in done.err
    replayed = troubled.run("route", "--replay", id_)
    assert (replayed.code, replayed.err) == (0, "")
    heading, *plan, ending = replayed.out.splitlines()
    assert heading.startswith(f"Request {id_}, attempt 1, ")
    assert "Models and prices as of" in drawn[-1]
    assert [line.partition("·")[0].rstrip() for line in plan[3:]] == [
        line.partition("·")[0].rstrip() for line in drawn[3:-1]
    ]
    assert ending.startswith(f"{OLLAMA_2} × {SERVED}: answered (200) after ")
    assert troubled.run("route", "-q", "--replay", id_).out == f"{OLLAMA_2}\n"
    narrow = on_terminal(["route", "--replay", "last"], {**troubled.env, "NO_COLOR": "1"})
    assert "\x1b" not in narrow.out
    assert id_ in narrow.out


def test_a_request_that_failed_over_is_told_in_order(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=503:1", f"{OLLAMA_2}=drop:1") as here:
        logging(here)
        here.run("ask", PROMPT, "-m", SERVED)
        told = here.run("route", "--replay", "last").out
        headings = [line for line in told.splitlines() if line.startswith("Request ")]
        assert [heading.split(", ")[1] for heading in headings] == ["attempt 1", "attempt 2", "attempt 3"]
        places = [told.index(words) for words in ("unavailable (503)", "dropped after", "answered (200)")]
        assert places == sorted(places)


def test_what_a_replay_cannot_find(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        nowhere = here.run("route", "--replay", "last")
        assert (nowhere.code, nowhere.out) == (2, "")
        assert "No log is kept" in nowhere.err
        log = logging(here)
        missing = here.run("route", "--replay", "last")
        assert missing.code == 3
        assert "There is no log" in missing.err
        log.write_text("")
        empty = here.run("route", "--replay", "last")
        assert empty.code == 2
        here.ask("-m", SERVED)
        unknown = here.run("route", "--json", "--replay", "0123456789abcdef")
        assert (unknown.code, unknown.document["error"]["code"]) == (2, "usage")
        assert "0123456789abcdef" in unknown.document["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--replay", "last", "-m", "x"),
        ("--replay", "last", "--at", "+1h"),
        ("--log-file", "x"),
        ("--replay", "x", "--free"),
    ],
    ids=" ".join,
)
def test_a_replay_takes_no_request(arguments: tuple[str, ...], tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("route", *arguments)
        assert (done.code, done.out) == (2, "")
        assert "--replay" in done.err


def test_a_replay_needs_neither_keys_nor_state_nor_a_good_configuration(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        log = logging(here)
        here.ask("-m", SERVED)
    bare = {"HOME": str(tmp_path / "nobody"), "LBK_CONFIG": str(tmp_path / "none.toml"), "PATH": os.defpath}
    done = run_lbk(["route", "--replay", "last", "--log-file", str(log)], bare)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "nobody").exists()


def test_a_hostile_log_is_data(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        log = logging(here)
        here.ask("-m", SERVED)
        spoilt = lines(log)[0]
        spoilt["model"] = spoilt["plan"]["model"] = spoilt["plan"]["candidates"][0]["model"] = (
            "\x1b]0;x\x07\n::error::[red]"
        )
        log.write_text(json.dumps(spoilt, ensure_ascii=False) + "\n" + "[" * 100_000 + '\n{"request_id":')
        done = here.run("route", "--replay", spoilt["request_id"])
        assert done.code == 0
        assert "\x1b" not in done.out
        assert not [line for line in done.out.splitlines() if line.lstrip().startswith("::")]
        assert "[red]" in done.out
        for wrong in ("\x1b[2J", "\udcff", "'; rm"):
            assert here.run("route", "--replay", wrong).code == 2


def test_route_does_not_load_it(tmp_path: Path) -> None:
    _, modules = loaded_by(tmp_path, "route", "-q")
    assert not [name for name in modules if "event_log" in name or name.endswith((".replay", ".entry"))]


def test_a_link_in_a_circle_is_said(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("log")
    with pytest.raises(ConfigError, match="log"):
        entries_of(tmp_path / "log", "x")
