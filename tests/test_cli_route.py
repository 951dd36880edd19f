"""`lbk route`: the plan that `lbk ask` follows, for people and for machines, without touching anything."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.lab import OLLAMA, OLLAMA_2, ROUTED, ROUTERS, SERVED, Json, Lab, endpoints, lab, on_terminal

DECISION = {"key", "provider", "model", "endpoint", "rule", "estimated_cost_usd"}
CANDIDATE = {"key", "provider", "model", "eligible", "reason", "until", "detail", "rule", "endpoint"}
CANDIDATE |= {"estimated_cost_usd", "priced_on"}
KEYS = (OLLAMA, OLLAMA_2, *ROUTERS)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- for machines ---


def test_the_document(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("route", "--json", "-p", "guardian", "--role", "auditor")
        found = done.document
        assert (done.code, done.err) == (0, "")
        assert {"decision", "retry_at", "candidates"} <= set(found)
        assert found["decision"] == {
            "key": OLLAMA_2,
            "provider": "ollama",
            "model": "deepseek-v4.1-flash",
            "endpoint": here.sandbox.ollama_endpoints[0],
            "rule": "successor",
            "estimated_cost_usd": found["candidates"][2]["estimated_cost_usd"],
            "priced_on": "2026-09-15",
        }
        assert found["catalogue"]["read_on"] == "2026-12-01"
        assert set(found["catalogue"]["lists"].values()) == {None}
        assert {c["reason"] for c in found["candidates"] if c["model"] == "cogito-2.1:671b"} == {"no_such_model"}
        assert found["retry_at"] is None
        assert all(set(candidate) == CANDIDATE for candidate in found["candidates"])
        assert [c["key"] for c in found["candidates"][:4]] == [OLLAMA_2, OLLAMA] * 2
        assert {c["reason"] for c in found["candidates"] if c["provider"] == "openrouter"} == {"privacy"}
        assert (found["privacy"], found["pillar"], found["role"]) == ("high", "guardian", "auditor")


def test_nothing_eligible_is_exit_4_and_the_document_all_the_same(tmp_path: Path) -> None:
    with lab(tmp_path, "ollama=429retry=100", "openrouter=429retry=50") as here:
        before = datetime.now(UTC)
        assert here.quick("ask", "hello", "-m", SERVED).code == 5
        done = here.run("route", "--json", "-m", SERVED)
        assert (done.code, done.err, done.document["decision"]) == (4, "", None)
        retry_at = datetime.fromisoformat(done.document["retry_at"])
        assert timedelta(seconds=48) < retry_at - before < timedelta(seconds=60)
        assert retry_at == min(datetime.fromisoformat(c["until"]) for c in done.document["candidates"])
        assert {c["reason"] for c in done.document["candidates"]} == {"cooling_down"}
        quiet = here.run("route", "-q", "-m", SERVED)
        assert (quiet.code, quiet.out, quiet.err) == (4, "", "")
        never = here.run("route", "--json", "-m", "no-such-model", "--privacy", "high", "--key", ROUTERS[0])
        assert (never.code, never.document["retry_at"]) == (4, None)


def test_what_only_the_wire_can_tell_is_unproven(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("route", "--json", "--privacy", "critical", "-m", "gpt-oss:20b")
        (local,) = [c for c in done.document["candidates"] if c["provider"] == "local"]
        assert (local["key"], local["eligible"], local["reason"]) == (None, True, "unproven")
        assert done.document["decision"]["key"] is None
        quiet = here.run("route", "-q", "--privacy", "critical", "-m", "gpt-oss:20b")
        assert (quiet.code, quiet.out, quiet.err) == (0, "local\n", "")
        cloud = here.run("route", "--json", "--privacy", "critical", "-m", "gpt-oss:120b-cloud")
        assert (cloud.code, cloud.document["decision"]) == (4, None)
        assert here.sandbox.requests == ()


def test_a_stand_in_is_marked_and_the_age_of_it_all_is_said(tmp_path: Path) -> None:
    role = ("-p", "heartbeat", "--role", "validator")
    with lab(tmp_path) as here:
        found = here.run("route", "--json", *role).document
        assert (found["decision"]["model"], found["decision"]["rule"]) == ("gemma4:31b", "stand_in")
        assert found["notices"] == []  # the role's model is not what somebody typed
        table = here.run("route", *role).out
        assert "lbk's own stand-in: no successor is named" in table
        assert "at the price of 2026-09-15" in table
        assert "Models and prices as of 2026-12-01; no list fetched within a day" in table
        assert "by lbk's choice" in here.run("route", "-m", "devstral-small-2:24b").out
        here.run("test-keys")
        assert "lists fetched: " in here.run("route", *role).out


def test_quiet_prints_one_name(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        assert here.run("route", "-q", "-m", ROUTED) == (0, f"{ROUTERS[0]}\n", "")
        assert here.run("route", "-q", "-m", SERVED, "--key", OLLAMA_2) == (0, f"{OLLAMA_2}\n", "")


def test_an_untrusted_host_is_exit_3_with_the_document(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        endpoints(here.config, ollama="https://api.ollama.cloud/v1")
        done = here.run("route", "--json", "-m", SERVED)
        assert (done.code, done.document["decision"]) == (3, None)
        assert done.document["candidates"][0]["reason"] == "untrusted_host"
        table = here.run("route", "-m", SERVED)
        assert table.code == 3
        assert "its endpoint is not trusted with a secret" in table.out


# --- what if ---


@pytest.mark.parametrize(
    ("state", "reason", "hours"), [("cooling_down", "cooling_down", 1), ("disabled", "disabled", None)]
)
def test_assume(state: str, reason: str, hours: int | None, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        found = here.run("route", "--json", "-m", SERVED, "--assume", f"{OLLAMA}={state}").document
        first = found["candidates"][0]
        assert (first["key"], first["reason"], first["detail"]) == (OLLAMA, reason, "assumed")
        assert (first["until"] is None) is (hours is None)
        if hours is not None:
            left = datetime.fromisoformat(first["until"]) - datetime.now(UTC)
            assert timedelta(hours=hours, minutes=-1) < left <= timedelta(hours=hours)
        assert found["decision"]["key"] == OLLAMA_2
        assert here.route("-m", SERVED)["decision"]["key"] == OLLAMA


def test_assume_over_budget_ends_with_the_day_and_several_add_up(tmp_path: Path) -> None:
    with lab(tmp_path, settings='timezone = "Asia/Tokyo"') as here:
        both = ("--assume", f"{OLLAMA}=over_budget", "--assume", f"{OLLAMA_2}=disabled")
        found = here.run("route", "--json", "-m", SERVED, "--at", "2026-11-23T16:00", *both).document
        assert [c["reason"] for c in found["candidates"][:2]] == ["over_budget", "disabled"]
        assert found["candidates"][0]["until"] == "2026-11-23T15:00:00Z"
        assert found["decision"]["key"] == ROUTERS[0]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--assume", "OLAMA_API_KEY=disabled", "Did you mean 'OLLAMA_API_KEY'?"),
        ("--assume", "OLLAMA_API_KEY=tired", "cooling_down, disabled, over_budget"),
        ("--assume", "OLLAMA_API_KEY", "cooling_down, disabled, over_budget"),
        ("--at", "soon", "--at 'soon' is no time. Write it like"),
        ("--at", "+soon", "--at '+soon' is no time"),
        ("--at", "+99999999999d", "is no time"),
        ("--at", "0001-01-01T00:00+10:00", "is no time"),
        ("--at", "", "--at '' is no time"),
    ],
)
def test_wrong_what_ifs(option: str, value: str, words: str, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("route", option, value)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("lbk: ")
        assert words in done.err
        machine = here.run("route", "--json", option, value)
        assert (machine.code, machine.err, machine.document["error"]["code"]) == (2, "", "usage")
        assert words in machine.document["error"]["message"]


def test_at_another_time(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=3000:1", settings='timezone = "Asia/Tokyo"') as here:
        here.ask("-m", SERVED)
        until = datetime.fromisoformat(here.candidate(OLLAMA, SERVED, "-m", SERVED)["until"])
        just_before, after = until - timedelta(seconds=5), until + timedelta(seconds=5)

        def chosen(at: str) -> Json:
            return here.route("-m", SERVED, "--at", at)["decision"]["key"]

        tokyo = timedelta(hours=9)
        assert chosen(just_before.isoformat()) == OLLAMA_2
        assert chosen(after.isoformat()) == OLLAMA
        assert chosen(f"{after:%Y-%m-%dT%H:%M:%S}Z") == OLLAMA
        assert chosen(f"{just_before + tokyo:%Y-%m-%dT%H:%M:%S}") == OLLAMA_2
        assert chosen(f"{after + tokyo:%Y-%m-%dT%H:%M:%S}") == OLLAMA
        assert chosen("+49m") == OLLAMA_2
        assert chosen("+2h") == OLLAMA
        assert here.route("-m", SERVED)["decision"]["key"] == OLLAMA_2


# --- for people ---


def test_the_table_in_a_pipe_is_plain_and_aligned(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=90:1") as here:
        here.ask("-p", "soul", "-m", SERVED)
        done = here.run("route", "-m", SERVED, "--key", OLLAMA)
        assert done.code == 4
        lines = done.out.splitlines()
        assert lines[0] == f"{SERVED} · privacy medium · up to 4096 tokens out"
        assert lines[1].startswith("nothing may take this now; the first comes free in ")
        assert lines[3] == "   KEY             MODEL      STATE"
        assert lines[4].startswith(f"   {OLLAMA}  {SERVED}  cooling down, back in ")
        assert "Retry-After: you (…) have reached your weekly usage limit" in lines[4]
        whole = here.run("route", "-m", SERVED)
        assert whole.code == 0
        assert f"→ {OLLAMA_2}  {SERVED}, at most 0.0" in whole.out
        (chosen,) = [line for line in whole.out.splitlines() if line.startswith("→  ")]
        assert chosen.split()[1:5] == [OLLAMA_2, SERVED, "ready", "·"]
        assert "\x1b" not in done.out + whole.out
        assert not any(line != line.rstrip() for line in whole.out.splitlines())


def test_the_table_on_a_terminal(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=90:1") as here:
        here.ask("-m", SERVED)
        drawn = on_terminal(["route", "-m", SERVED], here.env, columns=80)
        assert drawn.code == 0
        assert "\x1b[" in drawn.out
        for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            plain = on_terminal(["route", "-m", SERVED], {**here.env, **variables}, columns=80)
            assert "\x1b" not in plain.out
            assert max(map(len, plain.out.splitlines())) <= 80
            assert all(key in plain.out for key in KEYS)
            (row,) = [line for line in plain.out.splitlines() if line.startswith(f"   {OLLAMA} ")]
            assert "cooling down" in row
        narrow = on_terminal(["route", "-m", SERVED], {**here.env, "NO_COLOR": "1"}, columns=60)
        assert all(key in narrow.out for key in KEYS)
        assert max(map(len, narrow.out.splitlines())) <= 60


# --- nothing changes ---


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--json"],
        ["-q"],
        ["--at", "+400d"],
        ["--privacy", "critical"],
        ["--free"],
        ["--assume", f"{OLLAMA}=disabled"],
        ["-p", "soul", "--priority", "critical"],
    ],
)
def test_it_sends_nothing_and_changes_nothing(options: list[str], tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=90:1") as here:
        assert here.ask("-m", SERVED)["key"] == OLLAMA_2
        time.sleep(0.1)  # what was written a moment ago is not compiled yet: it may change again
        here.quick("route", "-m", SERVED)  # the compiled configuration may be kept now
        requests, before = here.sandbox.requests, contents(tmp_path)
        here.run("route", *options)
        assert here.sandbox.requests == requests
        assert contents(tmp_path) == before


def test_without_a_state_none_is_made(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        assert here.run("route", "-q", "-m", SERVED).out == f"{OLLAMA}\n"
        assert here.run("costs").code == 0
        assert not here.state_file.exists()
        assert not here.state_file.with_name("fingerprint.key").exists()


# --- the plan is followed ---

MODELS = [SERVED, "gpt-oss:120b", ROUTED, "kimi-k2.5", "openai/gpt-oss-120b", "gpt-oss:20b", "unheard-of:1b"]
PILLARS = ["soul", "guardian", "heartbeat", "skills", "tools", "identity", "reflective"]
TROUBLE = ["429retry=900", "503retry=900", "402", "401chat", "500", "drop", "404", "400", "html403", "403", "errormid"]


def any_options(chance: random.Random) -> list[str]:
    options: list[str] = []
    match chance.randrange(4):
        case 0:
            options += ["-m", chance.choice(MODELS)]
        case 1:
            options += ["-p", chance.choice(PILLARS)]
        case _:
            pass
    if chance.random() < 0.3:
        options += ["--privacy", chance.choice(["low", "medium", "high", "critical"])]
    if chance.random() < 0.15:
        options += ["--key", chance.choice([*KEYS, "local"])]
    if chance.random() < 0.2:
        options += ["--free"]
    if chance.random() < 0.3:
        options += ["--priority", "critical"]
    return options


def follow(here: Lab, options: list[str]) -> bool:
    """Whether a question went to a candidate, which must be the one that `route` named just before."""
    decision = here.route(*options)["decision"]
    asked = here.ask(*options)
    attempts = asked["attempts"]
    if decision is None:
        # Only a daemon that was not known of may still help.
        assert {a["provider"] for a in attempts} <= {"local"}, (options, asked)
        return False
    first = attempts[0]
    expected = tuple(decision[name] for name in ("key", "provider", "model"))
    assert (first["key"], first["provider"], first["model"]) == expected, (options, decision, asked)
    return True


SETTINGS = (
    "",
    "[routing]\nollama_failover = false\n",
    "[routing]\nprefer_ollama = false\nprefer_free_tier = true\n",
    f"[keys.{OLLAMA}]\nreserved = true\n[keys.{ROUTERS[1]}]\nenabled = false\n",
)


@pytest.mark.parametrize("seed", range(4))
def test_the_first_attempt_is_the_one_that_route_named(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    followed = 0
    with lab(tmp_path, settings=SETTINGS[seed]) as here:
        for _ in range(30):
            if chance.random() < 0.4:
                target, kind = chance.choice(KEYS), chance.choice(TROUBLE)
                here.sandbox.add(f"{target}={kind}:{chance.randint(1, 3)}")
            followed += follow(here, any_options(chance))
    assert followed >= 10
