"""Key checks, lists of models, and the proof that a model is run on this machine."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest

from lollmsbot_keys.core.model.config import Privacy, Provider
from lollmsbot_keys.edges.providers import KeyCheck, Locality, LocalityProof, ModelList
from lollmsbot_keys.edges.secrets import Secret
from lollmsbot_keys.errors import SecretError
from lollmsbot_keys.sandbox import Fault, FaultScope, Sandbox
from lollmsbot_keys.sandbox.http import HttpReply, bytes_reply, json_reply
from tests.test_providers_wire import KEYS, call_to, closed_endpoint, hang_up, secret_of, send, using, wire_for

SHORT = timedelta(seconds=0.5)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


# Key checks


def check(sandbox: Sandbox, provider: str, *faults: str | Fault, endpoints: tuple[str, ...] = ()) -> KeyCheck:
    sandbox.add(*faults)
    secret = secret_of(sandbox, provider)
    assert secret is not None
    where = endpoints or sandbox.endpoints[provider]
    return using(sandbox, lambda wire: wire.check_key(Provider(provider), where, secret, SHORT))


def on_check(provider: str, reply: HttpReply) -> Fault:
    return Fault.raw(KEYS[provider], reply, where=FaultScope.CHECK)


@pytest.mark.parametrize(("provider", "path"), [("ollama", "/api/balance"), ("openrouter", "/key")])
def test_a_good_key_is_valid(sandbox: Sandbox, provider: str, path: str) -> None:
    found = check(sandbox, provider)
    assert (found.verdict, found.status, found.endpoint) == ("valid", 200, sandbox.endpoints[provider][0])
    assert found.facts
    (seen,) = sandbox.requests
    assert seen.path.endswith(path)
    assert (seen.where, seen.key) == ("check", KEYS[provider])


@pytest.mark.parametrize("provider", ["ollama", "openrouter"])
def test_a_refused_key_is_invalid(sandbox: Sandbox, provider: str) -> None:
    found = check(sandbox, provider, f"{KEYS[provider]}@check=401")
    assert (found.verdict, found.status) == ("invalid", 401)
    assert found.detail.casefold().startswith("refused (401): u")


def test_a_refusal_alone_in_a_list_is_one(sandbox: Sandbox) -> None:
    body = b'[{"error": {"code": 401, "message": "API key not valid"}}]'
    found = check(sandbox, "openrouter", on_check("openrouter", bytes_reply(401, body, "application/json")))
    assert (found.verdict, found.detail) == ("invalid", "refused (401): API key not valid")


def test_an_unknown_secret_is_invalid(sandbox: Sandbox) -> None:
    stranger = Secret("sk-or-v1-" + "0" * 64, Provider.OPENROUTER)
    endpoints = sandbox.endpoints["openrouter"]
    found = using(sandbox, lambda wire: wire.check_key(Provider.OPENROUTER, endpoints, stranger))
    assert found.verdict == "invalid"


def test_a_suspended_account_still_has_a_good_key(sandbox: Sandbox) -> None:
    found = check(sandbox, "ollama", on_check("ollama", json_reply(403, {"error": "account suspended"})))
    assert (found.verdict, found.detail) == (
        "valid",
        "accepted, but its account may not do this (403): account suspended",
    )


@pytest.mark.parametrize("provider", ["ollama", "openrouter"])
@pytest.mark.parametrize(
    "reply",
    [
        bytes_reply(401, b"<html>Access denied</html>", "text/html"),
        bytes_reply(403, b"<!DOCTYPE html>", "text/plain"),
        bytes_reply(401, b"Unauthorized", "text/plain"),
        bytes_reply(200, b"<html>Sign in to the hotel</html>", "text/html"),
        json_reply(200, {"hello": "world"}),
        json_reply(200, [1]),
        json_reply(200, {"error": {"code": 401}}),
        json_reply(404, {"error": "not found"}),
        json_reply(429, {"error": "too many requests"}, ("Retry-After", "60")),
        json_reply(500, {"error": "x"}),
        json_reply(302, {}, ("Location", "http://127.0.0.1:9/")),
    ],
)
def test_what_is_no_clear_word_counts_neither_way(sandbox: Sandbox, provider: str, reply: HttpReply) -> None:
    found = check(sandbox, provider, on_check(provider, reply))
    assert (found.verdict, found.status) == ("unknown", reply.status)
    assert found.detail


@pytest.mark.parametrize("fault", ["drop", "slow=2"])
def test_a_check_without_an_answer_counts_neither_way(sandbox: Sandbox, fault: str) -> None:
    assert check(sandbox, "ollama", f"OLLAMA_API_KEY@check={fault}").verdict == "unknown"


def test_the_next_endpoint_is_asked_when_one_is_away(sandbox: Sandbox) -> None:
    away = closed_endpoint()
    assert check(sandbox, "ollama", endpoints=(f"{away}/v1", *sandbox.endpoints["ollama"])).verdict == "valid"
    alone = check(sandbox, "ollama", endpoints=(f"{away}/v1",))
    assert (alone.verdict, alone.status) == ("unknown", None)
    assert "cannot be reached" in alone.detail


def test_an_echoed_secret_does_not_come_back(sandbox: Sandbox) -> None:
    secret = sandbox.keys["OLLAMA_API_KEY"]
    body = {"included": {"balance_usd": 1, secret: f"Bearer {secret}"}}
    found = check(sandbox, "ollama", on_check("ollama", json_reply(200, body)))
    assert found.verdict == "valid"
    assert secret not in repr(found)


def test_a_check_sends_the_secret_to_no_foreign_host(sandbox: Sandbox) -> None:
    with pytest.raises(SecretError):
        check(sandbox, "ollama", endpoints=("https://ollama.cloud/api",))


# Lists of models


def models(sandbox: Sandbox, provider: str, *endpoints: str) -> ModelList:
    where = endpoints or sandbox.endpoints[provider]
    return using(sandbox, lambda wire: wire.list_models(Provider(provider), where, SHORT))


def test_lists_are_read_without_a_secret(sandbox: Sandbox) -> None:
    openai, native = (models(sandbox, "ollama", endpoint) for endpoint in sandbox.endpoints["ollama"])
    assert openai == native
    assert "gpt-oss:120b" in openai.names
    assert "openai/gpt-oss-120b" in models(sandbox, "openrouter").names
    assert not any(request.with_authorization for request in sandbox.requests)


@pytest.mark.parametrize("suffix", ["", "/api", "/v1"])
def test_a_local_list_has_only_what_runs_here(sandbox: Sandbox, suffix: str) -> None:
    found = models(sandbox, "local", sandbox.local_endpoint + suffix)
    assert found.problem == ""
    assert "gemma3:27b" in found.names
    assert not {name for name in found.names if "cloud" in name or "diary" in name}


def test_a_local_server_without_tags_has_a_plain_list(sandbox: Sandbox) -> None:
    sandbox.add(Fault.raw("local", json_reply(404, {"error": "x"}), where=FaultScope.LIST))
    assert "gemma3:27b" in models(sandbox, "local", f"{sandbox.local_endpoint}/v1").names


def test_no_list_is_not_an_empty_list(sandbox: Sandbox) -> None:
    assert "cannot be asked" in models(sandbox, "local", closed_endpoint()).problem
    sandbox.add(Fault.raw("local", bytes_reply(200, b"<html>", "text/html"), where=FaultScope.LIST))
    assert "gave no list (200)" in models(sandbox, "local").problem


# Proof


def proof(sandbox: Sandbox, model: str, endpoint: str = "") -> LocalityProof:
    return using(sandbox, lambda wire: wire.prove_local(endpoint or sandbox.local_endpoint, model, SHORT))


@pytest.mark.parametrize("suffix", ["", "/api", "/v1"])
def test_a_model_of_this_machine_is_proven(sandbox: Sandbox, suffix: str) -> None:
    found = proof(sandbox, "gemma3:27b", sandbox.local_endpoint + suffix)
    assert (found.locality, found.pinned) == (Locality.PROVEN, sandbox.local_endpoint + suffix)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("gpt-oss:120b-cloud", "cloud model"),
        ("glm-5.2:cloud", "cloud model"),
        ("GLM-5.2:CLOUD", "cloud model"),
        ("glm-5.2:cloud ", "cloud model"),
        (" glm-5.2: cloud", "cloud model"),
        ("gpt-oss:\u2003120b-cloud\u00a0", "cloud model"),
        ("gpt-oss:120b-cloud\u200b", "cloud model"),
        ("glm-5.2:cloud:local", "cloud model"),
        ("diary", "run elsewhere"),
        ("nope", "does not know"),
    ],
)
def test_what_runs_elsewhere_is_refused(sandbox: Sandbox, model: str, why: str) -> None:
    found = proof(sandbox, model)
    assert found.locality is Locality.REFUSED
    assert why in found.detail


DETAILS = {"format": "gguf", "family": "x"}
OWN = {"details": DETAILS, "model_info": {"general.architecture": "x"}}


@pytest.mark.parametrize(
    "body",
    [
        {**OWN, "remote_host": "https://ollama.com:443"},
        {**OWN, "remote_model": "kimi-k3"},
        {**OWN, "Remote_Host": "x"},
        {**OWN, "details": {**DETAILS, "remoteHost": "x"}},
        {**OWN, "model_info": {"general": [{"remote_model": {"name": "x"}}]}},
        {"details": {**DETAILS, "parent_model": "kimi-k3:cloud"}},
        {"details": {**DETAILS, "parent_model": "kimi-k3: cloud"}},
        {**OWN, "format": "cloud"},
        {"details": {**DETAILS, "format": "Cloud "}},
        {"details": {**DETAILS, "format": ""}},
        {"details": {"family": "x"}},
        {"details": None, "model_info": {}},
        {"model_info": {"general.architecture": "x"}},
        {"details": {**DETAILS, "family": "cloud"}},
        {"details": {**DETAILS, "families": ["x", "remote"]}},
        {**OWN, "capabilities": ["completion", "cloud"]},
        {**OWN, "remote_url": "https://x.example"},
        {**OWN, "remotes": ["x"]},
        {**OWN, "is_cloud": True},
        {**OWN, "upstream": {"host": "x"}},
        {**OWN, "model_info": {"general.remote_host": "x"}},
        {**OWN, "model": "kimi-k3:cloud"},
        {**OWN, "modelfile": "FROM kimi-k3: cloud\n"},
        {**OWN, "modelfile": 'FROM "kimi-k3:\u2003Cloud "\n'},
        {**OWN, "modelfile": "# by hand\nfrom  'kimi-k3:CLOUD'\nTEMPLATE x"},
        {**OWN, "modelfile": "# FROM gpt-oss:120b-cloud\n\nFROM /blobs/sha256-1\n"},
        {**OWN, "modelfile": ["FROM kimi-k3:cloud"]},
        {**OWN, "modelfile": "FROM https://x.example/kimi-k3"},
        {**OWN, "base_url": "https://x.example/v1"},
        {**OWN, "details": {**DETAILS, "source": "https://x.example"}},
        {**OWN, "host": "x.example"},
        {**OWN, "endpoint": {"url": "x"}},
        {**OWN, "provider": "openai"},
        {**OWN, "region": "eu-west"},
        {**OWN, "is_local": False},
        {**OWN, "error": "x"},
        {"hello": "world"},
        {},
        [],
        "details",
    ],
)
def test_a_daemon_that_does_not_clearly_say_here_is_refused(sandbox: Sandbox, body: object) -> None:
    sandbox.add(Fault.raw("local", json_reply(200, body), where=FaultScope.SHOW))
    assert proof(sandbox, "gemma3:27b").locality is Locality.REFUSED


TAG = {"name": "gemma3:27b", "size": 17_396_936_941, "digest": "a418f5838eaf" + "0" * 52, "details": DETAILS}


@pytest.mark.parametrize(
    "tag",
    [
        {**TAG, "remote_host": "https://ollama.com:443"},
        {**TAG, "remote_model": "gemma3:27b"},
        {**TAG, "remote": True},
        {**TAG, "size": 0},
        {**TAG, "size": 383},
        {**TAG, "size": "17396936941"},
        {**TAG, "size": True},
        {name: TAG[name] for name in ("name", "digest", "details")},
        {name: TAG[name] for name in ("name", "size", "details")},
        {name: TAG[name] for name in ("name", "size", "digest")},
        {**TAG, "digest": ""},
        {**TAG, "digest": "cloud"},
        {**TAG, "details": {**DETAILS, "format": "cloud"}},
        {**TAG, "details": {**DETAILS, "format": ""}},
        {**TAG, "details": {**DETAILS, "families": ["cloud"]}},
        {**TAG, "model": "gemma3:cloud"},
        {**TAG, "name": "gemma3:4b"},
    ],
)
def test_a_list_that_does_not_clearly_say_here_is_refused(sandbox: Sandbox, tag: dict[str, object]) -> None:
    """A relay may say one thing of a model, and another in its list; the prompt of neither leaves."""
    sandbox.add(Fault.raw("local", json_reply(200, {"models": [tag]}), where=FaultScope.LIST))
    assert proof(sandbox, "gemma3:27b").locality is Locality.REFUSED
    assert [request.where for request in sandbox.requests] == ["show", "list"]


@pytest.mark.parametrize(
    "name", ["gemma3:27b", " Gemma3: 27B ", "library/gemma3:27b", "registry.ollama.ai/library/gemma3:27b"]
)
def test_a_model_is_found_in_the_list_as_the_daemon_finds_it(sandbox: Sandbox, name: str) -> None:
    sandbox.add(Fault.raw("local", json_reply(200, OWN), where=FaultScope.SHOW))
    sandbox.add(Fault.raw("local", json_reply(200, {"models": [TAG]}), where=FaultScope.LIST))
    assert proof(sandbox, name).locality is Locality.PROVEN


def test_a_twin_in_the_list_that_runs_elsewhere_is_refused(sandbox: Sandbox) -> None:
    twins = [TAG, {**TAG, "name": "Gemma3:27B", "remote_host": "x"}]
    sandbox.add(Fault.raw("local", json_reply(200, {"models": twins}), where=FaultScope.LIST))
    assert proof(sandbox, "gemma3:27b").locality is Locality.REFUSED


@pytest.mark.parametrize("fault", ["500", "404", "drop", "html200", "junk", "redirect"])
def test_trouble_with_the_list_is_no_proof(sandbox: Sandbox, fault: str) -> None:
    sandbox.add(f"local@list={fault}")
    assert proof(sandbox, "gemma3:27b").locality is Locality.REFUSED


def test_a_model_that_the_daemon_does_not_know_is_refused_with_those_it_has(sandbox: Sandbox) -> None:
    found = proof(sandbox, "kimi-k3")
    assert "does not know kimi-k3; it has: gemma3:27b, gpt-oss:20b, nomic" in found.detail
    assert "diary" not in found.detail


@pytest.mark.parametrize(
    ("tags", "chat"),
    [
        ([], ""),
        ([TAG], "gemma3:27b"),
        ([{**TAG, "name": "nomic-embed-text:latest"}, TAG], "gemma3:27b"),
        ([{**TAG, "name": "x", "details": {**DETAILS, "families": ["nomic-bert"]}}, TAG], "gemma3:27b"),
        ([{**TAG, "name": "x", "capabilities": ["embedding"]}, TAG], "gemma3:27b"),
        ([{**TAG, "name": "bge-like", "capabilities": ["completion"]}, TAG], "bge-like"),
        ([{**TAG, "name": "kimi: cloud"}, TAG], "gemma3:27b"),
        ([{**TAG, "name": "diary", "remote_host": "x"}], ""),
        ([{**TAG, "name": "unclear", "size": 300}, TAG], "gemma3:27b"),
    ],
)
def test_the_first_chat_model_is_one_that_clearly_runs_here(sandbox: Sandbox, tags: list[object], chat: str) -> None:
    sandbox.add(Fault.raw("local", json_reply(200, {"models": tags}), where=FaultScope.LIST))
    assert models(sandbox, "local").chat == chat


@pytest.mark.parametrize(
    "twice",
    ['"remote_host": "https://x.example", "remote_host": ""', '"model_info": {"a": {"b": 1, "b": 1}}', '"details": {}'],
)
def test_a_name_that_comes_twice_is_refused(sandbox: Sandbox, twice: str) -> None:
    """Which of the two the daemon means, nobody knows."""
    body = json.dumps(OWN).replace("{", f"{{{twice}, ", 1).encode()
    sandbox.add(Fault.raw("local", bytes_reply(200, body, "application/json"), where=FaultScope.SHOW))
    found = proof(sandbox, "gemma3:27b")
    assert (found.locality, "cannot say where" in found.detail) == (Locality.REFUSED, True)


def test_a_modelfile_of_its_own_does_no_harm(sandbox: Sandbox) -> None:
    modelfile = "# FROM gemma3:27b\n\nFROM /blobs/sha256-1\nSYSTEM text from the :cloud\n"
    sandbox.add(Fault.raw("local", json_reply(200, {**OWN, "modelfile": modelfile}), where=FaultScope.SHOW))
    assert proof(sandbox, "gemma3:27b").locality is Locality.PROVEN


@pytest.mark.parametrize("fault", ["500", "404", "drop", "slow=2", "html403", "html200", "junk", "redirect", "401"])
def test_trouble_is_no_proof(sandbox: Sandbox, fault: str) -> None:
    sandbox.add(f"local@show={fault}")
    assert proof(sandbox, "gemma3:27b").locality is Locality.REFUSED


def test_empty_remote_fields_do_no_harm(sandbox: Sandbox) -> None:
    model_info = {"general.architecture": "x", "general.license.link": "https://x.example/license"}
    here = {
        "host": "127.0.0.1",
        "endpoint": "http://localhost:11434",
        "provider": "ollama",
        "local": True,
        "server": "",
    }
    body = {**OWN, **here, "license": "see https://x.example", "remote_host": "", "remote_model": None}
    body |= {"model_info": model_info, "projector_info": model_info}
    sandbox.add(Fault.raw("local", json_reply(200, body), where=FaultScope.SHOW))
    assert proof(sandbox, "gemma3:27b").locality is Locality.PROVEN


@pytest.mark.parametrize(
    "endpoint",
    ["http://192.0.2.1:11434", "http://0.0.0.0:11434", "http://[2001:db8::1]:11434", "http://[::ffff:192.0.2.1]"],
)
def test_another_machine_is_refused_without_a_word(sandbox: Sandbox, endpoint: str) -> None:
    found = proof(sandbox, "gemma3:27b", endpoint)
    assert found.locality is Locality.REFUSED
    assert "not only this machine" in found.detail
    assert sandbox.requests == ()


@pytest.mark.parametrize("endpoint", ["", "nonsense", "http://me@127.0.0.1:11434", "ftp://127.0.0.1"])
def test_what_is_no_address_is_refused(sandbox: Sandbox, endpoint: str) -> None:
    found = proof(sandbox, "gemma3:27b", endpoint or "http://")
    assert found.locality is Locality.REFUSED


def test_no_daemon_is_unreachable(sandbox: Sandbox) -> None:
    assert proof(sandbox, "gemma3:27b", closed_endpoint()).locality is Locality.UNREACHABLE
    assert proof(sandbox, "gemma3:27b", "http://no-such-host.invalid:9").locality is Locality.UNREACHABLE


def test_a_name_is_pinned_to_the_address_that_answered(sandbox: Sandbox) -> None:
    named = sandbox.local_endpoint.replace("127.0.0.1", "localhost")
    found = proof(sandbox, "gemma3:27b", named)
    assert (found.pinned, found.host) == (sandbox.local_endpoint, named.removeprefix("http://"))


def test_a_critical_prompt_leaves_only_after_the_proof(sandbox: Sandbox) -> None:
    heard = send(sandbox, "local", privacy=Privacy.CRITICAL)
    assert heard.outcome.kind == "answered"
    assert [request.where for request in sandbox.requests] == ["show", "list", "chat"]


@pytest.mark.parametrize("asked", [True, False])
def test_a_critical_prompt_stays_when_the_proof_fails(sandbox: Sandbox, asked: bool) -> None:  # noqa: FBT001
    privacy = Privacy.MEDIUM if asked else Privacy.CRITICAL
    heard = send(sandbox, "local", model="diary", privacy=privacy, prove_local=asked)
    assert (heard.outcome.kind, heard.billed, heard.outcome.status) == ("unproven", False, None)
    assert "run elsewhere" in heard.evidence
    assert sandbox.chats() == ()


def test_one_unproven_endpoint_does_not_spoil_a_proven_one(sandbox: Sandbox) -> None:
    endpoints = ("http://192.0.2.1:11434", sandbox.local_endpoint)
    assert send(sandbox, "local", privacy=Privacy.CRITICAL, endpoints=endpoints).outcome.kind == "answered"
    away = ("http://192.0.2.1:11434", closed_endpoint())
    assert send(sandbox, "local", privacy=Privacy.CRITICAL, endpoints=away).outcome.kind == "unproven"


def test_both_requests_go_to_the_pinned_address_under_the_name(sandbox: Sandbox) -> None:
    """The daemon sees its own name in Host, although the connection was made to the address."""

    said = {
        "/api/show": OWN,
        "/api/tags": {"models": [TAG]},
        "/api/chat": {"message": {"content": "hi"}, "done": True},
    }

    async def main() -> tuple[list[str], str]:
        hosts: list[str] = []
        over = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            hosts.extend(line for line in head.decode().split("\r\n") if line.lower().startswith("host:"))
            path = head.split()[1].decode()
            data = json.dumps(said[path]).encode()
            head = (
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            )
            writer.write(head % len(data) + data)
            await writer.drain()
            await hang_up(writer)
            if path == "/api/chat":
                over.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host = f"localhost:{server.sockets[0].getsockname()[1]}"
        call = call_to(sandbox, "local", privacy=Privacy.CRITICAL, endpoints=(f"http://{host}",))
        async with server:
            async with wire_for(sandbox) as wire:
                outcome = await wire.send(call, lambda _: None)
            await asyncio.wait_for(over.wait(), 3)
        assert outcome.kind == "answered"
        return hosts, host

    hosts, expected = asyncio.run(main())
    assert [host.split(": ")[1] for host in hosts] == [expected] * 3


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not _has_ipv6(), reason="no IPv6 loopback here")
def test_ipv6_loopback_is_this_machine_too(sandbox: Sandbox) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as silent:
        port = silent.getsockname()[1]
        found = proof(sandbox, "gemma3:27b", f"http://[::1]:{port}")
    assert (found.locality, "gave no answer" in found.detail) == (Locality.REFUSED, True)
