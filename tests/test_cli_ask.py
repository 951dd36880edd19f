"""`lbk ask`: where the prompt comes from, what leaves the machine, what is printed where, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.config import Privacy
from lollmsbot_keys.sandbox import Fault, FaultScope
from lollmsbot_keys.sandbox.http import HttpReply, json_reply
from tests.lab import (
    OLLAMA,
    OLLAMA_2,
    ROUTED,
    ROUTERS,
    SERVED,
    Heard,
    Json,
    Lab,
    Listener,
    endpoints,
    lab,
    on_terminal,
    sse,
)
from tests.support import PATIENCE_S, ROOT, command, run_lbk, start_lbk

LOCAL = "gpt-oss:20b"


def heading(model: str = SERVED, provider: str = "ollama") -> str:
    return f"Sandbox {model} here, on {provider}. You said: "


# --- the prompt ---


def said(text: str) -> bytes:
    return json.dumps({"error": {"message": text, "metadata": {"raw": text}}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "shown"),
    [
        (503, said("failed for input 'my DIVORCE  papers'"), "failed for input"),
        (403, said("no: my divorce papers"), "no: my divorce papers"),
        (429, said(json.dumps("so my divorce\npapers")), "so my divorce"),
        (402, said("hello? No."), "hello? No."),
        (503, b"my-answer in plain text", "my-answer in plain text"),
        (500, json.dumps({"detail": "echo: x my divorce papers"}).encode(), "echo"),
        (201, b'data: {"choices":[{"delta":{"content":"my-answer"}}]}\n\n', "under the status 201"),
        (202, json.dumps({"message": "my-answer"}).encode(), "under the status 202"),
        (200, b'data: {"error":{"message":"so far: my-answer, no more","code":503}}\n\n', "no more"),
    ],
)
def test_what_was_said_is_shown_and_not_kept(status: int, body: bytes, shown: str, tmp_path: Path) -> None:
    """Not even where a provider's complaint quotes them; and where it does not, it is kept."""
    first = [b'data: {"choices":[{"delta":{"content":"well: my-answer, no more. "}}]}\n\n'] if status == 200 else []
    kind = "text/event-stream" if body.startswith(b"data") else "application/json"
    with Listener(lambda _: (status, {"Content-Type": kind}, [*first, body])) as server, lab(tmp_path) as here:
        endpoints(here.config, ollama=f"{server.url}/v1")
        here.env["LBK_LOG_FILE"] = str(here.state_file.with_name("events.jsonl"))
        runs = [here.run("ask", "-v", "-m", SERVED, "-s", "hello", "so my divorce\npapers") for _ in range(3)]
        kept = b"".join(path.read_bytes() for path in tmp_path.joinpath("state").rglob("*") if path.is_file())
        server.answer = lambda _: (503, {"Content-Type": "application/json"}, [said("The model is overloaded")])
        here.quick("reset-limits", "--all")
        here.quick("ask", "-m", SERVED, "so my divorce papers")
        assert "The model is overloaded" in here.state_file.read_text("utf-8")
    assert shown in runs[0].err
    for words in (b"divorce", b"DIVORCE", b"papers", b"my-answer", b"hello"):
        assert words not in kept


@pytest.mark.parametrize(
    ("argument", "stdin", "said"),
    [
        ("from the argument", None, "from the argument"),
        (None, "from a pipe", "from a pipe"),
        ("first", "second\n", "first\n\nsecond\n"),
        ("first", " \n\t\n", "first"),
        ("Grüße 👋", "ünïcode\n", "Grüße 👋\n\nünïcode\n"),
        ("", "only the pipe", "\n\nonly the pipe"),
    ],
)
def test_where_the_prompt_comes_from(argument: str | None, stdin: str | None, said: str, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("ask", "-m", SERVED, *([] if argument is None else [argument]), stdin=stdin)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{heading()}{said.rstrip(chr(10))}\n"


def test_an_unreadable_stdin_is_said(tmp_path: Path) -> None:
    with lab(tmp_path) as here, (tmp_path / "written").open("wb") as only_written:
        env = {"PYTHONPATH": str(ROOT), **here.env}
        done = subprocess.run(
            command(["ask", "hello"]), env=env, stdin=only_written, capture_output=True, text=True, check=False
        )
        assert here.chats() == []
    assert (done.returncode, done.stdout) == (2, "")
    assert "Standard input cannot be read" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        ([], b"", "There is no prompt"),
        ([], b" \n", "There is no prompt"),
        ([""], b"", "The prompt is empty"),
        (["  \n"], b"", "The prompt is empty"),
        (["hello"], b"fine until \xff here", "not UTF-8 text (byte 11)"),
        ([], "grün".encode("latin-1"), "not UTF-8 text (byte 2)"),
        (["x", "--timeout", "soon"], b"", "--timeout 'soon'"),
        (["x", "--timeout", "0s"], b"", "--timeout must be longer"),
        (["x", "--wait", "-5m"], b"", "--wait '-5m'"),
        (["x", "--max-tokens", "0"], b"", "--max-tokens"),
        (["x", "--max-tokens", "1" + "0" * 400], b"", "from 1 to 1000000000."),
        (["x", "--model", "v/" + "a" * 100_000], b"", "100002 characters"),
        (["x", "--temperature", "3"], b"", "--temperature"),
        (["x", "--temperature", "nan"], b"", "temperature"),
        (["x", "--privacy", "secret"], b"", "--privacy"),
        (["x", "--pillar", "soull"], b"", "Did you mean 'soul'?"),
        (["x", "--role", "auditor"], b"", "needs its pillar"),
        (["x", "-p", "guardian", "--role", "audtor"], b"", "Did you mean 'auditor'?"),
        (["x", "--key", "OLAMA_API_KEY"], b"", "Did you mean 'OLLAMA_API_KEY'?"),
    ],
)
def test_wrong_usage_sends_nothing(arguments: list[str], stdin: bytes, words: str, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run_bytes("ask", *arguments, stdin=stdin)
        assert here.sandbox.requests == ()
        assert (done.returncode, done.stdout) == (2, b"")
        assert words in done.stderr.decode()
        assert b"Traceback" not in done.stderr


def test_a_terminal_is_not_read_and_the_answer_ends_its_line(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = on_terminal(["ask", "-m", SERVED, "hello"], here.env)
        assert (done.code, done.out) == (0, f"{heading()}hello\n")
        nothing = on_terminal(["ask"], here.env)
        assert (nothing.code, nothing.out) == (2, 'lbk: There is no prompt. Give one: lbk ask "…", or pipe it in.\n')


# --- what is sent ---


def test_options_reach_the_wire_and_one_attempt_is_one_request(tmp_path: Path) -> None:
    with Listener(lambda _: (200, {"Content-Type": "text/event-stream"}, sse("fine"))) as server, lab(tmp_path) as here:
        endpoints(here.config, openrouter=f"{server.url}/api/v1")
        options = ["--system", "Be brief.", "--max-tokens", "77", "--temperature", "0.25", "-m", ROUTED]
        done = here.run("ask", "hello", *options, stdin="and more")
        assert (done.code, done.out) == (0, "fine\n")
        (heard,) = server.heard
        body = heard.document
        assert body["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hello\n\nand more"},
        ]
        assert (body["model"], body["max_tokens"], body["temperature"], body["stream"]) == (ROUTED, 77, 0.25, True)
        assert here.run("ask", "hello", "--no-stream", "-m", ROUTED).out == "fine\n"
        assert server.heard[1].document["stream"] is False
        assert "temperature" not in server.heard[1].document
        assert server.heard[1].document["max_tokens"] == 4096


@pytest.mark.parametrize(("privacy", "denies"), [("low", False), ("medium", True), (None, True)])
def test_what_openrouter_is_told(privacy: str | None, denies: bool, tmp_path: Path) -> None:  # noqa: FBT001
    with lab(tmp_path) as here:
        options = [] if privacy is None else ["--privacy", privacy]
        assert here.ask("-m", ROUTED, *options)["provider"] == "openrouter"
        (entry,) = here.sandbox.chats()
        assert entry.preferences.get("data_collection") == ("deny" if denies else None)
        most: Json = entry.preferences["max_price"]
        assert set(most) == {"prompt", "completion", "request"}
        bound = here.candidate(ROUTERS[0], ROUTED, "-m", ROUTED)["estimated_cost_usd"]
        assert float(most["completion"]) * 4096 / 1e6 <= bound


def test_the_first_free_model_at_medium_is_announced_once(tmp_path: Path) -> None:
    model = "google/gemma-4-31b-it:free"
    with lab(tmp_path) as here:
        first, second = (here.run("ask", "--free", "-m", model, "hello") for _ in range(2))
        assert (first.code, second.code) == (0, 0)
        assert "is free, and who runs a free model may keep what it is asked" in first.err
        assert second.err == ""
        assert "data_collection" not in here.sandbox.chats()[0].preferences


def test_netrc_is_ignored(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text(
        "machine 127.0.0.1 login someone password from-netrc\ndefault login a password b\n"
    )
    (tmp_path / ".netrc").chmod(0o600)

    def answer(heard: Heard) -> tuple[int, Mapping[str, str], list[bytes]]:
        if heard.path.endswith("/api/show"):
            return 200, {}, [b'{"details":{"family":"x","format":"gguf"},"model_info":{"general.architecture":"x"}}']
        if heard.path.endswith("/api/tags"):
            return 200, {}, [json.dumps(sandbox_tags(LOCAL)).encode()]
        return 200, {"Content-Type": "application/x-ndjson"}, [b'{"message":{"content":"ok"},"done":true}\n']

    with Listener(answer) as server, lab(tmp_path) as here:
        endpoints(here.config, ollama=f"{server.url}/api", local=server.url)
        assert here.run("ask", "hello", "-m", SERVED).out == "ok\n"
        assert here.run("ask", "hello", "-m", LOCAL, "--privacy", "critical").out == "ok\n"
        first, *others = [heard.headers.get("authorization") for heard in server.heard]
        assert first == f"Bearer {here.sandbox.keys[OLLAMA]}"
        assert others == [None, None, None]


# --- privacy ---


def test_critical_asks_the_daemon_on_this_machine_and_nobody_else(tmp_path: Path) -> None:
    with Listener(lambda _: (200, {}, [b"{}"])) as proxy, lab(tmp_path) as here:
        names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        proxies = dict.fromkeys(names, proxy.url)
        done = here.run("ask", "my diary", "--privacy", "critical", "-m", LOCAL, **proxies)
        assert (done.code, done.out) == (0, f"{heading(LOCAL, 'local')}my diary\n")
        assert proxy.heard == []
        assert [(r.place, r.where, r.with_authorization) for r in here.sandbox.requests] == [
            ("local", "show", False),
            ("local", "list", False),
            ("local", "chat", False),
        ]


@pytest.mark.parametrize("model", ["diary", "diary:latest", "gpt-oss:120b-cloud", "glm-5.2:cloud", "unheard-of"])
def test_critical_refuses_what_it_cannot_prove_local(model: str, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("ask", "my diary", "--privacy", "critical", "-m", model)
        assert (done.code, done.out) == (4, "")
        assert {entry.place for entry in here.sandbox.requests} <= {"local"}
        assert here.sandbox.chats() == ()
        done = here.run("ask", "my diary", "--privacy", "critical", "-m", model, "--json")
        assert (done.code, done.document["error"]["code"]) == (4, "refused")
        assert not here.state.days


@pytest.mark.parametrize("name", ["gpt-oss:120b-cloud ", " glm-5.2: cloud", "GLM-5.2:\u2003Cloud", "x:cloud:local"])
def test_a_cloud_model_by_any_reading_of_its_name_stays_unasked(name: str, tmp_path: Path) -> None:
    """The daemon trims names, whole and in their tag, before it looks whether they are cloud models."""
    with lab(tmp_path) as here:
        done = here.quick("ask", "my diary", "--privacy", "critical", "-m", name)
        assert (done.code, done.out, here.sandbox.requests) == (4, "", ())
        assert "it is a cloud model" in done.err
        assert here.route("--privacy", "critical", "-m", name)["decision"] is None


def test_critical_without_a_model_takes_the_first_chat_model_of_this_machine(tmp_path: Path) -> None:
    tags = sandbox_tags("nomic-embed-text:latest", LOCAL)
    with lab(tmp_path, Fault.raw("local", json_reply(200, tags), where=FaultScope.LIST)) as here:
        assert here.route("--privacy", "critical")["decision"] is None, "its list is not known"
        said = here.ask("--privacy", "critical")
        assert (said["key"], said["provider"], said["model"]) == (None, "local", LOCAL)
        assert {entry.place for entry in here.sandbox.requests} == {"local"}
        assert here.route("--privacy", "critical")["decision"]["model"] == LOCAL


def test_critical_without_a_model_takes_the_configured_one(tmp_path: Path) -> None:
    with lab(tmp_path, settings='[routing]\nlocal_model = "qwen3-vl:4b"\n') as here:
        assert here.route("--privacy", "critical")["decision"]["model"] == "qwen3-vl:4b"
        assert here.ask("--privacy", "critical")["model"] == "qwen3-vl:4b"


@pytest.mark.parametrize(
    ("names", "has"), [([], "no model at all"), (["nomic-embed-text:latest"], "it has nomic-embed-text:latest")]
)
def test_critical_without_a_model_is_refused_where_nothing_here_chats(
    names: list[str], has: str, tmp_path: Path
) -> None:
    with lab(tmp_path, Fault.raw("local", json_reply(200, sandbox_tags(*names)), where=FaultScope.LIST)) as here:
        done = here.quick("ask", "my diary", "--privacy", "critical")
        assert (done.code, done.out, here.chats()) == (4, "", [])
        assert has in done.err


def test_critical_without_a_daemon_is_refused_for_nothing_was_sent(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        for options in ([], ["-m", LOCAL]):
            done = here.run("ask", "my diary", "--privacy", "critical", *options, OLLAMA_HOST="127.0.0.1:9")
            assert (done.code, done.out) == (4, "")
            assert "127.0.0.1:9" in done.err
        assert here.sandbox.requests == ()


def sandbox_tags(*names: str) -> dict[str, object]:
    details = {"format": "gguf", "family": "x"}
    return {"models": [{"name": n, "size": 1_000_000_000, "digest": "0" * 64, "details": details} for n in names]}


FOREIGN = "sk-ant-api03-0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ('"{}"', "quotation marks"),
        ("'{}'", "quotation marks"),
        (f"{OLLAMA}={{}}", "whole assignment"),
        (f"export {OLLAMA}={{}}", "whole assignment"),
    ],
)
def test_a_secret_that_was_stored_wrongly_is_told_and_never_sent(value: str, told: str, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        wrong = value.format(here.env[OLLAMA])
        here.env = {**here.env, OLLAMA: wrong}
        done = here.run("ask", "hello", "-m", SERVED, "--key", OLLAMA)
        assert (done.code, here.sandbox.requests) == (4, ())
        assert told in done.err
        assert wrong not in done.err
        done = here.run("ask", "hello", "-m", SERVED)
        assert (done.code, [chat.caller for chat in here.sandbox.chats()]) == (0, [OLLAMA_2])
        assert f"{OLLAMA} is not used" in done.err


def test_another_company_s_key_is_told_before_it_is_sent(tmp_path: Path) -> None:
    """Here the endpoint is on loopback, where somebody's own relay may want just that key."""
    with lab(tmp_path) as here:
        done = here.run("ask", "hello", "-m", SERVED, "-v", "--no-failover", **{OLLAMA: FOREIGN})
        told = done.err.index(f"The secret of {OLLAMA} looks like a key of Anthropic.")
        assert told < done.err.index("unauthorized")
        assert FOREIGN not in done.err


def test_another_company_s_key_never_goes_to_a_provider_s_own_host(tmp_path: Path) -> None:
    env = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "LBK_STATE": str(tmp_path / "state.json"),
        OLLAMA: FOREIGN,
    }
    done = run_lbk(["ask", "hello", "-m", SERVED, "--key", OLLAMA], env)
    assert (done.returncode, done.stdout) == (4, "")
    assert "looks like a key of Anthropic, so it is not sent to ollama" in done.stderr
    planned = json.loads(run_lbk(["route", "--json", "-m", SERVED, "--key", OLLAMA], env).stdout)
    assert [c["reason"] for c in planned["candidates"]] == ["no_secret"]


def test_what_cannot_be_proved_local_is_refused_without_failover_too(tmp_path: Path) -> None:
    with lab(tmp_path, "local@show=500") as here:
        done = here.quick("ask", "hello", "--json", "--privacy", "critical", "-m", LOCAL, "--no-failover")
        assert here.chats() == []
    assert (done.code, done.document["error"]["code"]) == (4, "refused")


def test_a_role_s_level_cannot_be_widened(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("ask", "my diary", "-p", "identity", "--role", "interface", "--privacy", "low")
        assert (done.code, done.out) == (0, f"{heading('gemma3:27b', 'local')}my diary\n")
        assert {entry.place for entry in here.sandbox.requests} == {"local"}


def own_address() -> str:
    """An address of this machine that is not loopback; where it has none, one that belongs to nobody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            found: str = probe.getsockname()[0]
        except OSError:
            return "192.0.2.1"
    return found


def test_critical_refuses_an_ollama_on_another_address(tmp_path: Path) -> None:
    with Listener(lambda _: (200, {}, [b'{"details":{}}']), "0.0.0.0") as server, lab(tmp_path) as here:  # noqa: S104
        endpoints(here.config)
        text = here.config.read_text("utf-8").partition("[providers.local]")[0]
        here.config.write_text(text, "utf-8")
        for host in (f"http://{own_address()}:{server.port}", f"{own_address()}:{server.port}", "192.0.2.1"):
            done = here.run("ask", "my diary", "--privacy", "critical", "-m", LOCAL, OLLAMA_HOST=host)
            assert (done.code, done.out) == (4, "")
            planned = here.run("route", "--json", "--privacy", "critical", "-m", LOCAL, OLLAMA_HOST=host)
            assert (planned.code, planned.document["decision"]) == (4, None)
        assert server.heard == []
        assert here.sandbox.requests == ()


def test_high_never_goes_to_openrouter(tmp_path: Path) -> None:
    with lab(tmp_path, "ollama=500") as here:
        done = here.run("ask", "secret plan", "--privacy", "high", "-m", SERVED, "--json")
        assert (done.code, [a["key"] for a in done.document["attempts"]]) == (5, [OLLAMA, OLLAMA_2])
        assert {entry.path.split("/")[1] for entry in here.sandbox.requests if entry.place == "internet"} == {"ollama"}
        done = here.run("ask", "secret plan", "--privacy", "high", "-m", ROUTED)
        assert (done.code, done.out) == (4, "")
        assert not any("openrouter" in entry.path for entry in here.sandbox.requests)


def test_a_call_that_cannot_be_sent_costs_nothing(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        endpoints(here.config, ollama="https://ollama.com/v1")
        done = here.run("ask", "hello", "-m", SERVED, HTTPS_PROXY="socks5://127.0.0.1:9")
        state = here.state
    assert (done.code, done.out) == (3, "")
    assert "HTTPS_PROXY" in done.err
    assert state.holds == {}
    assert [day.cells for day in state.days.values() if day.cells] == []


def test_an_untrusted_host_gets_no_secret(tmp_path: Path) -> None:
    with Listener(lambda _: (200, {}, sse("stolen")), "0.0.0.0") as server, lab(tmp_path) as here:  # noqa: S104
        for url in (f"http://{own_address()}:{server.port}/v1", "https://api.ollama.cloud/v1"):
            endpoints(here.config, ollama=url)
            done = here.run("ask", "hello", "-m", SERVED, "--json")
            assert (done.code, done.document["error"]["code"]) == (3, "config")
            assert "trusted_hosts" in done.document["error"]["message"]
            assert here.quick("route", "-m", SERVED).code == 3
        assert server.heard == []
        assert here.sandbox.requests == ()


# --- what is printed ---

ANSWERED = {"request_id", "text", "key", "provider", "model", "pillar", "role", "finish_reason", "usage", "cost_usd"}
ANSWERED |= {"instead_of", "cost_source", "latency_ms", "attempts"}
ATTEMPT = {"key", "provider", "model", "outcome", "status", "latency_ms", "cooldown_until", "detail"}


def test_the_document_of_an_answer(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=60") as here:
        done = here.run("ask", "hello", "-p", "tools", "--role", "burst", "--json")
        found = done.document
        assert (done.code, done.err) == (0, "")
        assert set(found) == ANSWERED
        assert all(set(attempt) == ATTEMPT for attempt in found["attempts"])
        assert (found["key"], found["provider"], found["model"]) == (OLLAMA_2, "ollama", "gpt-oss:120b")
        assert (found["pillar"], found["role"], found["finish_reason"]) == ("tools", "burst", "stop")
        assert found["usage"] == {"prompt_tokens": 2, "completion_tokens": 14}
        assert found["cost_usd"] == pytest.approx((2 * 0.15 + 14 * 0.60) / 1e6)
        assert found["cost_source"] == "estimate"
        first, second = found["attempts"]
        assert (first["outcome"], first["status"]) == ("rate_limited", 429)
        assert first["cooldown_until"].endswith("Z")
        assert (second["outcome"], second["status"], second["cooldown_until"]) == ("answered", 200, None)
        assert isinstance(found["latency_ms"], int)


def test_where_the_cost_comes_from(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        routed = here.ask("-m", ROUTED)
        used = routed["usage"]
        cost = (used["prompt_tokens"] * 0.26 + used["completion_tokens"] * 0.38) / 1e6
        assert (routed["cost_source"], routed["cost_usd"]) == ("provider", pytest.approx(cost))
        local = here.ask("-m", LOCAL, "--privacy", "critical")
        assert (local["key"], local["provider"]) == (None, "local")
        assert (local["cost_source"], local["cost_usd"]) == ("local", 0)


def test_an_unknown_price_is_unknown_and_charged_at_its_bound(tmp_path: Path) -> None:
    with lab(tmp_path, serve_retired=True) as here:
        found = here.ask("-m", "gemma3:12b", "--max-tokens", "100")
        assert (found["cost_usd"], found["cost_source"]) == (None, "unknown")
        assert float(here.cell()[1].unknown_usd) > 100 * 75 / 1e6


CACHING = f"""[models."{SERVED}"]
input_usd_per_mtok = 0.95
output_usd_per_mtok = 4
cached_input_usd_per_mtok = 0.16
"""


@pytest.mark.parametrize("path", ["v1", "api"])
def test_tokens_out_of_a_cache_are_charged_at_their_price(tmp_path: Path, path: str) -> None:
    said, counts = (
        {"message": {"role": "assistant", "content": "Oui"}},
        {"prompt_eval_count": 10_000, "eval_count": 100},
    )
    native = [said, {"done": True, "done_reason": "stop", **counts, "prompt_eval_cached_count": 9_000}]
    delta = {"choices": [{"index": 0, "delta": {"content": "Oui"}, "finish_reason": "stop"}]}
    usage = {"prompt_tokens": 10_000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 9_000}}
    form, kind, events = "data: {}\n\n", "text/event-stream", [delta, {"choices": [], "usage": usage}]
    if path == "api":
        form, kind, events = "{}\n", "application/x-ndjson", native
    body = "".join(form.format(json.dumps(event)) for event in events).encode()
    with lab(tmp_path) as here:
        endpoints(here.config, ollama=here.sandbox.ollama_endpoints[path == "api"])
        here.configure(CACHING)
        here.sandbox.add(Fault.raw("ollama", HttpReply(200, (body,), (("Content-Type", kind),), len(body))))
        found = here.ask("-m", SERVED)
        assert (found["cost_source"], found["cost_usd"]) == ("estimate", pytest.approx(0.00279))
        assert str(here.cell()[1].cost_usd) == "0.00279"


def test_an_unknown_price_is_charged_for_what_was_used_where_that_is_more(tmp_path: Path) -> None:
    """And the template's excess is in the next bound, at the unknown price."""
    usage = {"prompt_tokens": 5_037, "completion_tokens": 1}
    events = [{"choices": [{"index": 0, "delta": {"content": "Oui"}, "finish_reason": "stop"}]}, {"usage": usage}]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    with lab(tmp_path) as here:
        reply = HttpReply(200, (body,), (("Content-Type", "text/event-stream"),), len(body))
        here.sandbox.add(Fault.raw("ollama", reply, times=None))
        for number in (1, 2):
            found = here.ask("-m", "strange:1b", "--max-tokens", "1", "--key", OLLAMA)
            assert (found["cost_source"], found["cost_usd"]) == ("unknown", None)
            assert float(here.cell()[1].unknown_usd) == pytest.approx(number * (5_037 * 15 + 75) / 1e6)


def test_the_document_of_a_failure(tmp_path: Path) -> None:
    with lab(tmp_path, "ollama=429retry=60", "openrouter=429retry=90") as here:
        failed = here.run("ask", "hello", "-m", SERVED, "--json")
        assert (failed.code, failed.err) == (5, "")
        assert set(failed.document) == {"error", "retry_at", "attempts", "request_id"}
        assert set(failed.document["error"]) == {"code", "message"}
        assert failed.document["error"]["code"] == "failed"
        assert len(failed.document["attempts"]) == 5
        assert failed.document["retry_at"] == failed.document["attempts"][0]["cooldown_until"]
        refused = here.run("ask", "hello", "-m", SERVED, "--json")
        assert (refused.code, refused.err) == (4, "")
        assert refused.document["error"]["code"] == "refused"
        assert (refused.document["attempts"], refused.document["retry_at"]) == ([], failed.document["retry_at"])
        text = here.run("ask", "hello", "-m", SERVED)
        assert (text.code, text.out) == (4, "")
        assert text.err.startswith(f"lbk: Nothing may take {SERVED} now; the first key comes free at ")
        assert text.err.count("\n") == 1


def test_verbose_talks_on_stderr_only(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=503:1") as here:
        done = here.run("ask", "hello", "-m", SERVED, "-v")
        assert (done.code, done.out) == (0, f"{heading()}hello\n")
        first, last = done.err.splitlines()
        assert first.startswith(f"lbk: {OLLAMA} × {SERVED}: unavailable (503) after ")
        assert "left out until" in first
        assert last.startswith(f"lbk: {SERVED} through {OLLAMA_2}: 2 tokens in, 13 out, ")
        quiet = here.run("ask", "hello", "-m", SERVED)
        assert (quiet.out, quiet.err) == (done.out, "")
        both = here.run("ask", "hello", "-m", SERVED, "-v", "--json")
        assert both.document["text"] == f"{heading()}hello"


def test_no_failover_tries_once(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=500") as here:
        done = here.run("ask", "hello", "-m", SERVED, "--no-failover")
        assert (done.code, done.out, here.chats()) == (5, "", [OLLAMA])
        assert "No failover was asked for" in done.err


def test_no_stream_prints_the_same_and_may_fail_over_later(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=errormid:1") as here:
        done = here.run("ask", "hello", "-m", SERVED, "--no-stream")
        assert (done.code, done.out, done.err) == (0, f"{heading()}hello\n", "")
        assert [entry.stream for entry in here.sandbox.chats()] == [False, False]


def test_the_answer_streams(tmp_path: Path) -> None:
    with lab(tmp_path, pace_seconds=0.2) as here:
        process = start_lbk(["ask", "-m", SERVED, "hello"], here.env)
        assert process.stdout is not None
        first = process.stdout.read(7)
        seen = time.monotonic()
        rest = process.stdout.read()
        assert time.monotonic() - seen > 0.3
        process.communicate()
        assert first + rest == f"{heading()}hello\n"


THOUGHT = b'data: {"choices":[{"delta":{"reasoning":"hm"}}]}\n\n'
CAPPED = b'data: {"choices":[{"delta":{},"finish_reason":"length"}]}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("options", [[], ["--no-stream"], ["--json"]])
def test_an_answer_that_is_not_whole_says_so_in_one_line(options: list[str], tmp_path: Path) -> None:
    thoughts = Fault.raw(OLLAMA, HttpReply(200, (THOUGHT, CAPPED), (("Content-Type", "text/event-stream"),)))
    for fault, more, line, finish in (
        (
            f"{OLLAMA}=400:9",
            ["--key", OLLAMA_2, "--max-tokens", "3"],
            "The answer is cut: the cap of output tokens",
            "length",
        ),
        (f"{OLLAMA}=finish=content_filter:1", [], "The answer is cut: a filter of", "content_filter"),
        (thoughts, [], "There is not a word of an answer: the cap of output tokens", "length"),
    ):
        with lab(tmp_path, fault) as here:
            done = here.quick("ask", "hello", "-m", SERVED, *options, *more)
            assert (done.code, done.err.count("\n")) == (0, 1)
            assert done.err.startswith(f"lbk: {line}")
            if "--json" in options:
                assert done.document["finish_reason"] == finish


def test_an_end_of_nothing_is_no_answer_and_the_next_is_asked(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=empty=load:1") as here:
        asked = here.ask("-m", SERVED)
        assert [(a["key"], a["outcome"]) for a in asked["attempts"]] == [(OLLAMA, "empty"), (OLLAMA_2, "answered")]
        assert "load" in asked["attempts"][0]["detail"]
        here.sandbox.add("ollama=empty", "openrouter=empty")
        done = here.quick("ask", "hello", "-m", SERVED)
        assert (done.code, done.out) == (5, "")
        assert f"{OLLAMA_2}: empty (200)" in done.err


def test_signs_of_life_cost_nothing_and_hide_nothing(tmp_path: Path) -> None:
    with lab(tmp_path, "ollama=heartbeats", "openrouter=heartbeats", "local=heartbeats") as here:
        for model, wanted in ((SERVED, ()), (ROUTED, ()), (LOCAL, ("--key", "local"))):
            asked = here.ask("-m", model, *wanted)
            assert [attempt["outcome"] for attempt in asked["attempts"]] == ["answered"]
            assert asked["text"].endswith("hello")
            assert asked["cost_source"] in {"estimate", "provider", "local"}


def test_a_cut_answer_shows_what_came_and_says_so(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=stall=60") as here:
        began = time.monotonic()
        done = here.run("ask", "hello", "-m", SERVED, "--timeout", "1s")
        assert time.monotonic() - began < 40
        assert done.code == 5
        assert done.out.startswith("Sandbox")
        assert done.out.endswith("\n")
        assert done.err.startswith("lbk: The answer was cut: ")
        assert here.chats() == [OLLAMA]


def test_timeout_is_the_longest_silence(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=slow=90") as here:
        began = time.monotonic()
        done = here.run("ask", "hello", "-m", SERVED, "--timeout", "1s", "--json")
        assert 1 <= time.monotonic() - began < 60
        assert [a["outcome"] for a in done.document["attempts"]] == ["timeout", "answered"]
        assert done.document["attempts"][0]["latency_ms"] >= 1000


# --- waiting ---


def test_wait_for_the_first_key_to_come_free(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=2:1") as here:
        options = ["-m", SERVED, "--key", OLLAMA]
        done = here.run("ask", "hello", *options, "--wait", "30s", "-v")
        assert (done.code, done.out) == (0, f"{heading()}hello\n")
        assert here.chats() == [OLLAMA, OLLAMA]
        assert done.err.count("waiting until ") == 1
        first, second = here.sandbox.chats()
        assert 1.9 <= (second.at - first.at).total_seconds() < 6
        assert not here.state.waiters


def test_a_wait_ends_with_a_reset(tmp_path: Path) -> None:
    """The key failed for this very question; whoever resets it wants it tried again."""
    with lab(tmp_path, f"{OLLAMA}=429retry=25:1") as here:
        waiting = start_lbk(["ask", "hello", "-m", SERVED, "--key", OLLAMA, "--wait", "30s", "-v"], here.env)
        while not here.state.waiters:
            time.sleep(0.02)
            assert waiting.poll() is None
        assert here.quick("reset-limits", "--all").code == 0
        out, _ = waiting.communicate(timeout=PATIENCE_S)
        assert (waiting.returncode, out) == (0, f"{heading()}hello\n")
        assert here.chats() == [OLLAMA, OLLAMA]
        assert not here.state.waiters


def test_a_wait_that_would_be_in_vain_is_not_begun(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=600:1") as here:
        options = ["-m", SERVED, "--key", OLLAMA, "--wait", "50s"]
        began = time.monotonic()
        assert here.run("ask", "hello", *options).code == 5
        assert here.run("ask", "hello", *options).code == 4
        assert time.monotonic() - began < 40


def test_the_countdown_is_drawn_on_a_terminal_and_wiped(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=2:1") as here:
        done = on_terminal(["ask", "hello", "-m", SERVED, "--key", OLLAMA, "--wait", "30s"], here.env)
        assert done.code == 0
        assert "\r\x1b[Klbk: all keys are out, the first comes free in 2 s" in done.out
        assert "in 1 s" in done.out
        assert done.out.endswith(f"\r\x1b[K{heading()}hello\n")


# --- ends ---


@pytest.mark.parametrize("options", [[], ["--no-stream"], ["--json"]])
def test_a_reader_that_leaves_gets_no_traceback(options: list[str], tmp_path: Path) -> None:
    with lab(tmp_path, pace_seconds=0.01) as here:
        program = start_lbk(["ask", "-m", SERVED, "word " * 40, *options], here.env)
        assert program.stdout is not None
        if not options:
            assert program.stdout.read(5) == "Sandb"
        program.stdout.close()
        assert program.stderr is not None
        assert program.stderr.read() == ""
        program.stderr.close()
        assert program.wait(timeout=PATIENCE_S) == 130
        assert here.cell()[1].calls == 1
        assert not here.state.holds


def test_an_output_that_cannot_be_written_is_said_and_the_call_is_charged(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with lab(tmp_path) as here, full.open("wb") as nowhere:
        for options in ([], ["--no-stream"], ["--json"]):
            done = subprocess.run(
                command(["ask", "-m", SERVED, "hello", *options]),
                env={"PYTHONPATH": str(ROOT), **here.env},
                stdin=subprocess.DEVNULL,
                stdout=nowhere,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            assert (done.returncode, done.stderr) == (
                3,
                "lbk: standard output cannot be written: No space left on device. Nothing is printed any more.\n",
            )
        assert not here.state.holds


def interrupted(here: Lab, *options: str) -> tuple[int, str, str]:
    process = start_lbk(["ask", "-m", SERVED, "hello", *options], here.env)
    deadline = time.monotonic() + 20
    while not here.sandbox.chats():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def test_ctrl_c_leaves_everything_clean_and_the_call_charged(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=slow=30:1") as here:
        assert interrupted(here) == (130, "", "lbk: interrupted\n")
        assert not here.state.holds
        assert here.cell()[1].unconfirmed_usd > 0
        assert here.chats() == [OLLAMA]


def test_ctrl_c_amid_the_answer_ends_the_line(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=stall=30:1") as here:
        code, out, err = interrupted(here)
        assert (code, err) == (130, "lbk: interrupted\n")
        assert out.startswith("Sandbox")
        assert out.endswith("\n")


def test_without_any_key_nothing_is_sent_and_the_way_on_is_shown(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        bare = {name: value for name, value in here.env.items() if name not in here.sandbox.secrets}
        here.env = bare
        done = here.run("ask", "hello", "-m", SERVED)
        assert (done.code, done.out) == (4, "")
        assert "no secret" in done.err
        assert not any(entry.with_authorization for entry in here.sandbox.requests)


@pytest.mark.parametrize("level", Privacy)
def test_a_document_is_ascii_and_one(level: Privacy, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        model = LOCAL if level is Privacy.CRITICAL else SERVED
        done = here.run("ask", "Grüße\x1b[31m\u202e", "-m", model, "--privacy", level, "--json")
        assert done.out.isascii()
        found: Json = json.loads(done.out)
        assert found["text"].endswith("You said: Grüße")


def test_amounts_are_written_out_and_open_files_are_no_news(tmp_path: Path) -> None:
    """A price of a cent for a million tokens; a dotenv file for all to read, which `test-keys` tells of."""
    settings = f'[keys.{OLLAMA}]\nsecret = "dotenv:.env#A"\n[models."{SERVED}"]\n'
    prices = "input_usd_per_mtok = 0.01\noutput_usd_per_mtok = 0.02\n"
    with lab(tmp_path, settings=settings + prices) as here:
        (tmp_path / ".env").write_text(f"A={here.env.pop(OLLAMA)}\n")
        (tmp_path / ".env").chmod(0o644)
        done = here.run("ask", "hello", "-m", SERVED, "--key", OLLAMA, "-v")
        assert (done.code, done.err.count("\n")) == (0, 1)
        assert " 0.00000028 USD (estimate), " in done.err
        assert here.run("route", "-q").err == ""
        assert "chmod 600" in here.run("test-keys").err
