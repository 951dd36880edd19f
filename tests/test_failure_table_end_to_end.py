"""Every row of the failure table through `lbk ask --json`: who answered, what cooled, how long, by whose word."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from lollmsbot_keys.sandbox import Fault
from lollmsbot_keys.sandbox.http import Cut, HttpReply, Pause, json_reply
from tests.lab import OLLAMA, OLLAMA_2, ROUTED, ROUTERS, SERVED, Json, Lab, lab
from tests.support import start_lbk

HOUR, DAY = 3_600, 86_400
ALIKE = f"moonshotai/{SERVED}"
FREE = "google/gemma-4-31b-it:free"


class Row(NamedTuple):
    """One failure and what follows from it.

    `cools` is the scope's reach (`None`: nothing), `seconds` for how long, `word` what `route` says whose word that is.
    """

    fault: str
    outcome: str
    status: int | None
    cools: str | None = None
    seconds: float = 0
    word: str = ""
    reason: str = "cooling_down"
    also: tuple[str, ...] = ()
    model: str = SERVED
    answered_by: str | None = OLLAMA_2
    options: tuple[str, ...] = ()


OLLAMA_ROWS = (
    Row("401chat", "unauthorized", 401, "key_and_model", 300, "401, though the key check found the key good"),
    *(
        Row("401chat", "unauthorized", 401, "key", 300, "401, and the key check could not be made", also=(check,))
        for check in ("@check=503", "@check=html403", "@check=drop", "@check=redirect", "@check=429retry=9")
    ),
    Row("402", "no_credit", 402, "key_and_model", HOUR, "default: this model is not included", reason="no_credit"),
    Row("403", "forbidden", 403, "key_and_model", HOUR, "default: this model requires a subscription"),
    Row("404", "no_such_model", 404, "model", DAY, "default: model", reason="no_such_model", answered_by=ROUTERS[0]),
    Row("410", "no_such_model", 410, "model", DAY, "default: model", reason="no_such_model", answered_by=ROUTERS[0]),
    Row("429", "rate_limited", 429, "account", HOUR, "default: you (…) have reached your weekly usage limit"),
    Row("429retry=42", "rate_limited", 429, "account", 42, "Retry-After: you (…)"),
    Row("429retry=1.5", "rate_limited", 429, "account", 1.5, "Retry-After: you (…)"),
    Row("429retry=2m30s", "rate_limited", 429, "account", 150, "Retry-After: you (…)"),
    Row("429retry=soon", "rate_limited", 429, "account", HOUR, "default: you (…)"),
    Row("429retry=-7", "rate_limited", 429, "account", HOUR, "default: you (…)"),
    Row("429retry=NaN", "rate_limited", 429, "account", HOUR, "default: you (…)"),
    Row("429retry=9999999", "rate_limited", 429, "account", 8 * DAY, "Retry-After (shortened from 9999999): you (…)"),
    Row("html429=42", "rate_limited", 429, "account", 42, "Retry-After: an HTML page"),
    Row("429slot", "rate_limited", 429, "account", 300, "default: timed out waiting for a concurrent request slot"),
    Row("503", "unavailable", 503, "key", 300, "default: Server overloaded"),
    Row("503retry=17", "unavailable", 503, "key", 17, "Retry-After: Server overloaded"),
)
OPENROUTER_ROWS = tuple(
    row._replace(model=row.model if row.model != SERVED else ROUTED)
    for row in (
        Row("401chat", "unauthorized", 401, "key_and_model", 300, "401, though the key check found the key good"),
        Row("402", "no_credit", 402, "account", HOUR, "default: Insufficient credits", reason="no_credit"),
        Row("402afford", "no_credit", 402),
        Row("402limit", "no_credit", 402, "key", HOUR, "default: This key has reached", reason="no_credit"),
        Row("402inflight=7", "rate_limited", 402, "account", 7, "Retry-After: Too much in flight"),
        Row("403limit=120", "no_credit", 403, "key", 120, "resets_at in the body: Key limit", reason="no_credit"),
        Row("404", "no_such_model", 404, "model", DAY, "default: No endp", reason="no_such_model", answered_by=None),
        Row("404policy", "unavailable", 404, answered_by=ROUTERS[1]),
        Row("404providers", "unavailable", 404, answered_by=ROUTERS[1]),
        Row("html429=42", "rate_limited", 429, "account", 42, "Retry-After: an HTML page"),
        Row("410", "no_such_model", 410, "model", DAY, "default: deepseek", reason="no_such_model", answered_by=None),
        Row("429=90", "rate_limited", 429, "account", 90, "X-RateLimit-Reset: Rate limit exceeded"),
        Row("429retry=33", "rate_limited", 429, "account", 33, "Retry-After: Rate limit exceeded"),
        Row("429reset=soon", "rate_limited", 429, "account", HOUR, "default: Rate limit exceeded"),
        Row("429upstream=17", "rate_limited", 429, "model", 17, "Retry-After: Provider returned", answered_by=None),
        Row("429capacity=40", "rate_limited", 429, "model", 40, "retry_after in the body: No cap", answered_by=None),
        Row("429free", "rate_limited", 429, "free_models", -1, "X-RateLimit-Reset: Rate limit", model=FREE),
        Row("503", "unavailable", 503, "model", 300, "default: Service temporarily", answered_by=None),
        Row("503retry=21", "unavailable", 503, "model", 21, "Retry-After: Service temporarily", answered_by=None),
    )
)
STRIKES: Mapping[str, tuple[str, int | None]] = {
    "500": ("server_error", 500),
    "502": ("server_error", 502),
    "529": ("server_error", 529),
    "504": ("timeout", 504),
    "524": ("timeout", 524),
    "408": ("timeout", 408),
    "slow=5": ("timeout", None),
    "drop": ("dropped", None),
    "lost": ("dropped", None),
    "junk": ("junk", 200),
    "empty": ("empty", 200),
    "html200": ("junk", 200),
    "html403": ("junk", 403),
    "redirect": ("redirected", 302),
    "error200": ("server_error", 200),
    "echo": ("server_error", 500),
}
POSSIBLY_BILLED = {"504", "524", "408", "slow=5", "drop", "lost", "junk", "html200", "error200"}


def check(folder: Path, row: Row, first: str, answered_by: str | None) -> None:
    """One question meets the fault; then what `route` says, and what a second question does."""
    faults = [f"{first}{text}" for text in row.also]
    with lab(folder, f"{first}={row.fault}:1", *faults) as here:
        began = datetime.now(UTC)
        done = here.run("ask", "--json", "hello", "--model", row.model, *row.options)
        asked = done.document
        failed = asked["attempts"][0]
        assert (failed["key"], failed["outcome"], failed["status"]) == (first, row.outcome, row.status)
        assert len(here.sandbox.chats()) == len(asked["attempts"])
        if answered_by is None:
            assert (done.code, asked["error"]["code"]) == (5, "failed")
        else:
            assert (done.code, asked["key"]) == (0, answered_by)
            assert asked["attempts"][-1]["outcome"] == "answered"
        assert not here.state.streaks
        assert {scope.reach for scope in here.state.cooldowns} == ({row.cools} if row.cools else set())
        of_first = here.candidate(first, row.model, "--model", row.model)
        if row.cools is None:
            assert of_first["eligible"]
            return
        assert (of_first["reason"], of_first["eligible"]) == (row.reason, False)
        assert of_first["detail"].startswith(row.word)
        seconds = row.seconds if row.seconds >= 0 else until_midnight(began)
        end = datetime.fromisoformat(of_first["until"])
        assert timedelta(seconds=seconds - 2) <= end - began <= timedelta(seconds=seconds + 6)
        scope_holds(here, row, first)
        again = here.ask("--model", row.model)
        assert first not in {attempt["key"] for attempt in again["attempts"]}


def until_midnight(moment: datetime) -> float:
    tomorrow = (moment + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (tomorrow - moment).total_seconds()


def scope_holds(here: Lab, row: Row, first: str) -> None:
    """The cooldown covers as much as its scope says, and nothing beyond."""
    other_model = "qwen/qwen3.5-397b-a17b" if "/" in row.model else "gpt-oss:120b"
    whole_key = row.cools in {"key", "account"}
    assert here.candidate(first, other_model, "--model", other_model)["eligible"] is not whole_key
    siblings = [c for c in here.route("--model", row.model)["candidates"] if c["model"] == row.model]
    spared = {c["key"] for c in siblings if c["eligible"]}
    assert bool(spared) is (row.cools != "model")


def name(row: Row) -> str:
    return "+".join((row.fault, *row.also))


@pytest.mark.parametrize("row", OLLAMA_ROWS, ids=name)
def test_a_row_of_ollama(row: Row, tmp_path: Path) -> None:
    check(tmp_path, row, OLLAMA, row.answered_by)


@pytest.mark.parametrize("row", OPENROUTER_ROWS, ids=name)
def test_a_row_of_openrouter(row: Row, tmp_path: Path) -> None:
    check(tmp_path, row, ROUTERS[0], None if row.answered_by is None else ROUTERS[1])


def test_retry_after_as_a_date(tmp_path: Path) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    check(tmp_path, Row(f"429retry={date}", "rate_limited", 429, "account", 100, "Retry-After:"), OLLAMA, OLLAMA_2)


@pytest.mark.parametrize("unit", [1, 1000])
def test_reset_as_an_epoch_in_seconds_and_milliseconds(unit: int, tmp_path: Path) -> None:
    moment = int((datetime.now(UTC).timestamp() + 200) * unit)
    row = Row(f"429reset={moment}", "rate_limited", 429, "account", 200, "X-RateLimit-Reset:", model=ROUTED)
    check(tmp_path, row, ROUTERS[0], ROUTERS[1])


@pytest.mark.parametrize(
    ("error", "seconds", "word"),
    [
        ({"metadata": {"headers": {"X-RateLimit-Reset": "MS"}}}, 150, "X-RateLimit-Reset in the body: slow down"),
        ({"metadata": {"retry_after_seconds": 77}}, 77, "retry_after_seconds in the body: slow down"),
        ({"message": "your limit will reset in 140h 21m"}, 140 * HOUR + 21 * 60, "the message: your limit"),
    ],
)
def test_a_time_that_only_the_body_names(error: dict[str, Json], seconds: float, word: str, tmp_path: Path) -> None:
    moment = str(int((datetime.now(UTC).timestamp() + seconds) * 1000))
    if "metadata" in error and "headers" in error["metadata"]:
        error = {"metadata": {"headers": {"X-RateLimit-Reset": moment}}}
    reply = json_reply(429, {"error": {"message": "slow down", "code": 429, **error}})
    with lab(tmp_path, Fault.raw(ROUTERS[0], reply)) as here:
        began = datetime.now(UTC)
        assert here.ask("--model", ROUTED)["key"] == ROUTERS[1]
        found = here.candidate(ROUTERS[0], ROUTED, "--model", ROUTED)
        assert found["detail"].startswith(word)
        end = datetime.fromisoformat(found["until"])
        assert timedelta(seconds=seconds - 2) <= end - began <= timedelta(seconds=seconds + 6)


def test_a_hint_that_came_twice_is_read_once(tmp_path: Path) -> None:
    twice = json_reply(429, {"error": "slow down"}).with_headers(("Retry-After", "20"), ("Retry-After", "20"))
    with lab(tmp_path, Fault.raw(OLLAMA, twice)) as here:
        began = datetime.now(UTC)
        assert here.ask("--model", SERVED)["key"] == OLLAMA_2
        end = datetime.fromisoformat(here.candidate(OLLAMA, SERVED, "--model", SERVED)["until"])
        assert timedelta(seconds=18) <= end - began <= timedelta(seconds=26)


def test_what_an_upstream_said_is_shown_and_a_secret_or_escape_hidden_in_its_json_is_not(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        secret = here.sandbox.keys[ROUTERS[0]]
        hidden = "".join(f"\\u{ord(character):04x}" for character in secret)
        raw = f'[{{"error": {{"message": "bad \\u001b[31mvalue for {hidden} in max_tokens"}}}}]'
        error = {"code": 400, "message": "Provider returned error", "metadata": {"raw": raw, "provider_name": "X"}}
        here.sandbox.add(Fault.raw(ROUTERS[0], json_reply(400, {"error": error})))
        done = here.quick("ask", "--json", "-v", "hello", "--model", ROUTED)
        (attempt,) = done.document["attempts"]
        assert attempt["detail"].startswith("Provider returned error: bad value for ")
        assert attempt["detail"].endswith(" in max_tokens")
        assert (done.code, attempt["outcome"]) == (5, "bad_request")
        for place in (done.out, done.err, here.state_file.read_text("utf-8")):
            assert secret not in place
            assert "\x1b" not in place
        assert "max_tokens" in done.err


@pytest.mark.parametrize(("first", "model"), [(OLLAMA, SERVED), (ROUTERS[0], ROUTED)])
def test_a_401_that_the_key_check_confirms_disables_the_key(first: str, model: str, tmp_path: Path) -> None:
    with lab(tmp_path, f"{first}=401") as here:
        done = here.run("ask", "--json", "hello", "--model", model)
        asked = done.document
        assert (done.code, asked["attempts"][0]["outcome"]) == (0, "unauthorized")
        assert f"{first} was refused" in done.err
        assert f"lbk reset-limits {first}" in done.err
        found = here.candidate(first, model, "--model", model)
        assert (found["reason"], found["until"]) == ("disabled", None)
        assert found["detail"].startswith("refused by the provider's key check: refused (401)")
        assert first not in {attempt["key"] for attempt in here.ask("--model", model)["attempts"]}
        checks = [entry for entry in here.sandbox.requests if entry.where == "check"]
        assert [entry.key for entry in checks] == [first]
        # A new secret is a new start: what was said of the old one does not hold for it.
        here.env[first] = here.sandbox.keys[first] + "x"
        assert here.candidate(first, model, "--model", model)["eligible"]


@pytest.mark.parametrize("kind", STRIKES)
def test_one_strike_cools_nothing_and_three_in_a_row_the_pair(kind: str, tmp_path: Path) -> None:
    outcome, status = STRIKES[kind]
    options = ("--model", SERVED, "--key", OLLAMA, "--timeout", "1s" if kind == "slow=5" else "20s")
    with lab(tmp_path, f"{OLLAMA}={kind}:2") as here:
        asked = here.run("ask", "--json", "hello", "--model", SERVED, "--timeout", options[-1]).document
        assert (asked["key"], asked["attempts"][0]["outcome"]) == (OLLAMA_2, outcome)
        assert asked["attempts"][0]["status"] == status
        assert asked["attempts"][0]["cooldown_until"] is None
        place, cell = here.cell()
        assert (place.key, cell.unconfirmed_usd > 0) == (OLLAMA, kind in POSSIBLY_BILLED)
        assert here.ask(*options)["error"]["code"] == "failed"  # two in a row
        assert "text" in here.ask(*options)  # an answer ends the row
        here.sandbox.add(f"{OLLAMA}={kind}:3")
        ends = [here.ask(*options)["attempts"][0]["cooldown_until"] for _ in range(3)]
        assert ends[:2] == [None, None]
        left = datetime.fromisoformat(ends[2]) - datetime.now(UTC)
        assert timedelta(seconds=294) < left <= timedelta(seconds=301)
        (cooldown,) = here.state.cooldowns.values()
        assert (cooldown.scope.reach, cooldown.source) == ("key_and_model", "three in a row")
        before = len(here.sandbox.requests)
        done = here.quick("ask", "--json", "hello", *options)
        assert (done.code, done.document["error"]["code"]) == (4, "refused")
        assert [entry for entry in here.sandbox.requests[before:] if entry.where == "chat"] == []
        assert here.ask("--model", "gpt-oss:120b", "--key", OLLAMA)["key"] == OLLAMA
        # Nobody went where the redirect pointed.
        assert {entry.place for entry in here.sandbox.requests} <= {"internet", "local"}


@pytest.mark.parametrize(
    ("first", "model", "kind", "outcome"),
    [
        (OLLAMA, SERVED, "400", "bad_request"),
        (ROUTERS[0], ROUTED, "400", "bad_request"),
        (ROUTERS[0], ROUTED, "moderation", "moderated"),
        (ROUTERS[0], ROUTED, "403", "moderated"),
    ],
)
def test_a_fault_of_the_request_itself_is_final(
    first: str, model: str, kind: str, outcome: str, tmp_path: Path
) -> None:
    with lab(tmp_path, f"{first}={kind}:1") as here:
        done = here.run("ask", "--json", "hello", "--model", model)
        (attempt,) = done.document["attempts"]
        assert (done.code, done.document["error"]["code"], attempt["outcome"]) == (5, "failed", outcome)
        assert here.chats() == [first]
        assert not here.state.cooldowns
        assert here.candidate(first, model, "--model", model)["eligible"]


@pytest.mark.parametrize("kind", ["errormid", "unfinished", "cut", "stall=9"])
@pytest.mark.parametrize(("first", "model"), [(OLLAMA, SERVED), (ROUTERS[0], ROUTED)])
def test_after_the_first_text_nothing_is_sent_again(first: str, model: str, kind: str, tmp_path: Path) -> None:
    with lab(tmp_path, f"{first}={kind}:1") as here:
        done = here.run("ask", "hello", "--model", model, "--timeout", "1s")
        assert (done.code, done.out.startswith("Sandbox"), done.out.endswith("\n")) == (5, True, True)
        assert done.err.startswith("lbk: The answer was cut: ")
        assert "cut: cut" not in done.err
        assert here.chats() == [first]
        assert here.cell()[1].unconfirmed_usd > 0
        assert here.candidate(first, model, "--model", model)["eligible"]


@pytest.mark.parametrize("kind", ["errormid", "unfinished", "cut", "stall=9"])
@pytest.mark.parametrize(("first", "model"), [(OLLAMA, SERVED), (ROUTERS[0], ROUTED)])
def test_what_nobody_saw_is_asked_for_again_elsewhere(first: str, model: str, kind: str, tmp_path: Path) -> None:
    with lab(tmp_path, f"{first}={kind}:1") as here:
        asked = here.ask("--model", model, "--timeout", "1s")
        assert [attempt["outcome"] for attempt in asked["attempts"]] == ["cut", "answered"]
        assert asked["attempts"][0]["cooldown_until"] is None
        assert asked["text"].startswith("Sandbox")
        assert asked["text"].endswith("hello")
        assert len(set(here.chats())) == len(here.chats()) == 2
        assert here.cell()[1].unconfirmed_usd > 0
        here.sandbox.add(f"{first}={kind}:1")
        done = here.quick("ask", "--json", "hello", "--model", model, "--key", first, "--timeout", "1s")
        assert (done.code, done.document["error"]["code"]) == (5, "cut")
        assert done.document["text"].startswith("Sandbox")
        assert [attempt["outcome"] for attempt in done.document["attempts"]] == ["cut"]


def test_a_retired_model_goes_to_its_successor_on_the_same_key_and_is_remembered(tmp_path: Path) -> None:
    with lab(tmp_path, settings='[models."news"]\nsuccessor = "kimi-k2.6"\n') as here:
        first = here.run("ask", "--json", "hello", "--model", "news").document
        assert [(a["model"], a["outcome"]) for a in first["attempts"]] == [
            ("news", "no_such_model"),
            ("kimi-k2.6", "answered"),
        ]
        assert (first["model"], first["instead_of"]) == ("kimi-k2.6", "news")
        second = here.ask("--model", "news")
        assert [a["model"] for a in second["attempts"]] == ["kimi-k2.6"]


def test_of_a_model_that_is_known_to_be_retired_the_successor_is_asked_at_once(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        answer = here.ask("--pillar", "soul")
        assert [(a["model"], a["outcome"]) for a in answer["attempts"]] == [("kimi-k2.6", "answered")]
        told = here.quick("ask", "-v", "hello", "--pillar", "soul").err
        assert "kimi-k2.6 (instead of kimi-k2.5) through" in told
        assert {request.status for request in here.sandbox.requests} == {200}


def test_this_machine_is_asked_before_a_stand_in_though_nobody_knew_that_it_has_the_model(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        assert here.ask("--pillar", "memory", "--role", "visual")["model"] == "qwen3-vl:4b"
        assert not here.state.holds
        assert here.ask("--pillar", "heartbeat", "--role", "validator")["model"] == "gemma4:31b"
        named = here.quick("ask", "hello", "--model", "devstral-small-2:24b")
        assert "gemma4:31b stands in" in named.err


@pytest.mark.parametrize("kind", ["401", "402", "403", "429", "503", "500", "drop"])
def test_of_a_local_daemon_nothing_is_remembered(kind: str, tmp_path: Path) -> None:
    options = ("--model", "gpt-oss:20b", "--key", "local")
    with lab(tmp_path, f"local={kind}:4") as here:
        for _ in range(4):
            assert here.ask(*options)["error"]["code"] == "failed"
        assert not here.state.cooldowns
        assert here.ask(*options)["provider"] == "local"


def test_a_dead_endpoint_is_passed_over_within_one_attempt(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        text = here.config.read_text("utf-8")
        dead = text.replace(here.sandbox.ollama_endpoints[0], "http://127.0.0.1:9/v1")
        here.config.write_text(dead, "utf-8")
        asked = here.ask("--model", SERVED)
        assert [attempt["outcome"] for attempt in asked["attempts"]] == ["answered"]
        assert [entry.path for entry in here.sandbox.chats()] == ["/ollama/api/chat"]
        here.config.write_text(dead.replace(here.sandbox.ollama_endpoints[1], "http://127.0.0.1:9/api"), "utf-8")
        asked = here.ask("--model", SERVED)
        assert [(a["provider"], a["outcome"], a["status"]) for a in asked["attempts"]] == [
            ("ollama", "unreachable", None),
            ("openrouter", "answered", 200),
        ]
        assert not here.state.cooldowns


def test_a_cooldown_only_grows(tmp_path: Path) -> None:
    """Of two calls on their way the later news names the sooner time."""
    options = ("--model", SERVED, "--key", OLLAMA)
    body, kind = b'{"error":"limit"}', ("Content-Type", "application/json")
    late = HttpReply(429, (Pause(2), body), (kind, ("Retry-After", "20")), len(body))
    soon = HttpReply(429, (body,), (kind, ("Retry-After", "900")), len(body))
    with lab(tmp_path, Fault.raw(OLLAMA, late), Fault.raw(OLLAMA, soon)) as here:
        slow = start_lbk(["ask", "--json", "hello", *options], here.env)
        while not here.sandbox.chats():
            assert slow.poll() is None
            time.sleep(0.01)
        long = here.ask(*options)["attempts"][0]["cooldown_until"]
        attempt = json.loads(slow.communicate(timeout=30)[0])["attempts"][0]
        assert (attempt["outcome"], attempt["cooldown_until"]) == ("rate_limited", long)
        assert here.candidate(OLLAMA, SERVED, *options)["until"] == long


def test_a_reply_that_breaks_off_before_any_text_fails_over(tmp_path: Path) -> None:
    head = HttpReply(
        200,
        (b'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n', Cut()),
        (("Content-Type", "text/event-stream"),),
    )
    with lab(tmp_path, Fault.raw(OLLAMA, head)) as here:
        asked = here.ask("--model", SERVED)
        assert [a["outcome"] for a in asked["attempts"]] == ["dropped", "answered"]
