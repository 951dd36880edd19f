"""Every fault, as a client meets it; and the grammar that asks for them."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.errors import UsageError
from lollmsbot_keys.sandbox import Fault, FaultScope, Sandbox, SandboxPort
from lollmsbot_keys.sandbox.fault_kinds import KINDS, FaultValue
from lollmsbot_keys.sandbox.fault_schedule import parse_fault
from lollmsbot_keys.sandbox.http import json_reply
from tests.support import PATIENCE_S

MODELS = {"OLLAMA_API_KEY": "kimi-k2.6", "OPENROUTER_API_KEY_1": "z-ai/glm-5.2", "local": "gemma3:27b"}
OLLAMA, ROUTER, LOCAL = MODELS
TARGETS = {OLLAMA: Provider.OLLAMA, ROUTER: Provider.OPENROUTER, "local": Provider.LOCAL, "ollama": Provider.OLLAMA}


class Client:
    """Asks one sandbox. `status` 0 is a connection that closed before any answer, a cut body a `cut`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def chat(self, key: str, *, stream: bool = True, native: bool = True) -> Answer:
        endpoints = {OLLAMA: self.sandbox.ollama_endpoints[native], "local": self.sandbox.local_endpoint + "/api"}
        base = endpoints.get(key, self.sandbox.openrouter_endpoint)
        path = "/chat" if base.endswith("/api") else "/chat/completions"
        messages = [{"role": "user", "content": "Hello"}]
        return self.send(base + path, key, {"model": MODELS[key], "messages": messages, "stream": stream})

    def send(self, url: str, key: str, body: object = None) -> Answer:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
        secret = self.sandbox.secrets.get(key)
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        started = time.monotonic()
        try:
            method = "GET" if body is None else "POST"
            connection.request(method, parts.path, None if body is None else json.dumps(body).encode(), headers)
            response = connection.getresponse()
            first_byte_s = time.monotonic() - started
            try:
                return Answer(response, response.read(), first_byte_s, cut=False)
            except http.client.IncompleteRead as error:
                return Answer(response, error.partial, first_byte_s, cut=True)
        except http.client.RemoteDisconnected:
            return Answer(None, b"", 0.0, cut=True)
        finally:
            connection.close()


class Answer:
    def __init__(
        self, response: http.client.HTTPResponse | None, body: bytes, first_byte_s: float, *, cut: bool
    ) -> None:
        self.status = 0 if response is None else response.status
        self.headers = http.client.HTTPMessage() if response is None else response.headers
        self.body, self.cut, self.first_byte_s = body, cut, first_byte_s

    def json(self) -> Any:  # noqa: ANN401  JSON
        return json.loads(self.body)


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(shared: Sandbox) -> Sandbox:
    shared.world.clear_faults()
    shared.world.forget_requests()
    return shared


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    return Client(sandbox)


# Which status, which words, for whom


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("400", 400, "invalid"),
        ("401", 401, "unauthorized"),
        ("402", 402, "not included in your free usage"),
        ("403", 403, "requires a subscription"),
        ("404", 404, 'model \\"kimi-k2.6\\" not found'),
        ("408", 408, "timed out"),
        ("410", 410, "retired"),
        ("429", 429, "weekly usage limit"),
        ("429slot", 429, "timed out waiting for a concurrent request slot"),
        ("500", 500, "Internal Server Error"),
        ("502", 502, "cannot be reached"),
        ("503", 503, "Server overloaded"),
        ("504", 504, "Timeout"),
        ("524", 524, "timeout"),
        ("529", 529, "Overloaded"),
        ("error200", 200, '{"error":"'),
    ],
)
def test_ollama_failures(client: Client, kind: str, status: int, words: str) -> None:
    client.sandbox.add(f"{OLLAMA}={kind}")
    got = client.chat(OLLAMA)
    assert got.status == status
    assert words in got.body.decode()
    assert isinstance(got.json()["error"], str)
    assert "Retry-After" not in got.headers


@pytest.mark.parametrize(
    ("kind", "status", "where", "expected"),
    [
        ("400", 400, ("metadata", "error_type"), "invalid_request"),
        ("401", 401, ("message",), "User not found."),
        ("402", 402, ("metadata", "limit_source"), "openrouter_credits"),
        ("402limit", 402, ("metadata", "limit_source"), "openrouter_key_limit"),
        ("402inflight", 402, ("metadata", "limit_source"), "openrouter_in_flight_budget"),
        ("403", 403, ("metadata", "patterns"), ["(sandbox)"]),
        ("403limit", 403, ("metadata", "limit_source"), "openrouter_key_limit"),
        ("moderation", 403, ("metadata", "reasons"), ["violence"]),
        ("404", 404, ("message",), "No endpoints found for z-ai/glm-5.2."),
        ("408", 408, ("message",), "Operation timed out. Please try again later."),
        ("429upstream", 429, ("metadata", "retry_after_seconds"), 17),
        ("429capacity", 429, ("availability", "retry_after"), 40),
        ("429free", 429, ("metadata", "limit_source"), "openrouter_free_tier_daily"),
        ("500", 500, ("code",), 500),
        ("502", 502, ("message",), "Provider returned error"),
        ("503", 503, ("message",), "Service temporarily unavailable"),
        ("529", 529, ("metadata", "error_type"), "provider_overloaded"),
        ("error200", 200, ("code",), 502),
    ],
)
def test_openrouter_failures(client: Client, kind: str, status: int, where: tuple[str, ...], expected: object) -> None:
    client.sandbox.add(f"{ROUTER}={kind}")
    got = client.chat(ROUTER)
    assert got.status == status
    assert got.headers["Content-Type"].startswith("application/json")  # before the first token never an event
    found = got.json()["error"]
    for name in where:
        found = found[name]
    assert found == expected


def test_too_dear_for_this_request(client: Client) -> None:
    client.sandbox.add(f"{ROUTER}=402afford")
    assert "can only afford 7217" in client.chat(ROUTER).json()["error"]["message"]


def test_error_inside_a_whole_answer_sits_in_the_choice(client: Client) -> None:
    client.sandbox.add(f"{ROUTER}=error200")
    choice = client.chat(ROUTER, stream=False).json()["choices"][0]
    assert (choice["finish_reason"], choice["error"]["code"]) == ("error", 502)


def test_when_a_limit_ends(client: Client) -> None:
    retry = "Wed, 21 Oct 2026 07:28:00 GMT"
    client.sandbox.add(f"{ROUTER}=429=90:1", f"{ROUTER}=429reset=1795478400000:1", f"{ROUTER}=429retry={retry}:1")
    client.sandbox.add(f"{ROUTER}=503retry=2.5:1", f"{ROUTER}=429upstream=17s:1", f"{OLLAMA}=429retry=3600")
    before_ms = time.time() * 1000
    got = client.chat(ROUTER)
    reset_ms = int(got.headers["X-RateLimit-Reset"])
    assert 89_000 < reset_ms - before_ms < 95_000
    assert got.json()["error"]["metadata"]["headers"]["X-RateLimit-Reset"] == str(reset_ms)
    assert client.chat(ROUTER).headers["X-RateLimit-Reset"] == "1795478400000"
    assert client.chat(ROUTER).headers["Retry-After"] == retry
    assert client.chat(ROUTER).headers["Retry-After"] == "2.5"
    assert client.chat(ROUTER).json()["error"]["metadata"]["retry_after_seconds"] == "17s"
    assert client.chat(OLLAMA).headers["Retry-After"] == "3600"


# Connections and bodies that go wrong


@pytest.mark.parametrize("key", MODELS)
@pytest.mark.parametrize("stream", [True, False])
def test_dropped_and_cut(client: Client, key: str, stream: bool) -> None:  # noqa: FBT001  a parameter of the test
    client.sandbox.add(f"{key}=drop:1", f"{key}=lost:1", f"{key}=cut:1")
    assert [client.chat(key, stream=stream).status for _ in range(2)] == [0, 0]
    cut = client.chat(key, stream=stream)
    assert (cut.status, cut.cut) == (200, True)
    assert b"Sandbox" in cut.body
    assert b'"done":true' not in cut.body
    assert b"[DONE]" not in cut.body
    assert client.chat(key, stream=stream).cut is False
    assert [entry.status for entry in client.sandbox.chats(key)] == [None, None, 200, 200]


def test_what_was_lost_was_billed_and_what_was_dropped_was_not(client: Client) -> None:
    def usage() -> float:
        return float(client.send(client.sandbox.openrouter_endpoint + "/key", ROUTER).json()["data"]["usage"])

    before = usage()
    client.sandbox.add(f"{ROUTER}=drop:1")
    client.chat(ROUTER)
    assert usage() == before
    client.sandbox.add(f"{ROUTER}=lost:1")
    client.chat(ROUTER)
    assert usage() > before


def test_slow_and_stalled(client: Client) -> None:
    client.sandbox.add(f"{OLLAMA}=slow=0.3:1", f"{OLLAMA}=stall=0.3:1")
    slow = client.chat(OLLAMA)
    assert slow.first_byte_s >= 0.3
    assert slow.cut is False
    started = time.monotonic()
    stalled = client.chat(OLLAMA)
    assert time.monotonic() - started >= 0.3
    assert stalled.cut is True
    assert b"Sandbox" in stalled.body


@pytest.mark.parametrize("key", MODELS)
def test_an_error_after_some_text(client: Client, key: str) -> None:
    client.sandbox.add(f"{key}=errormid:1", f"{key}=unfinished:1")
    failed = client.chat(key)
    assert (failed.status, failed.cut) == (200, False)
    assert b"Sandbox" in failed.body
    last = failed.body.strip().removeprefix(b"data: ").splitlines()[-1].removeprefix(b"data: ")
    assert "error" in json.loads(last)
    unfinished = client.chat(key)
    assert (unfinished.status, unfinished.cut) == (200, False)
    assert b"Hello" in unfinished.body
    assert b"[DONE]" not in unfinished.body
    assert b'"done":true' not in unfinished.body


@pytest.mark.parametrize("key", MODELS)
def test_an_end_of_another_kind(client: Client, key: str) -> None:
    client.sandbox.add(f"{key}=empty=load:2", f"{key}=finish=content_filter:2")
    for stream in (True, False):
        empty = client.chat(key, stream=stream)
        assert b"load" in empty.body
        assert b"Sandbox" not in empty.body.replace(b'"provider":"Sandbox"', b"")
    for stream in (True, False):
        filtered = client.chat(key, stream=stream)
        assert b"Sandbox" in filtered.body
        assert b"content_filter" in filtered.body


@pytest.mark.parametrize("key", MODELS)
def test_signs_of_life_between_the_words(client: Client, key: str) -> None:
    plain = client.chat(key).body
    client.sandbox.add(f"{key}=heartbeats:1")
    beaten = client.chat(key).body
    assert b"Hello" in beaten
    assert beaten.count(b"\n") > plain.count(b"\n")


@pytest.mark.parametrize("key", MODELS)
def test_pages_and_junk(client: Client, key: str) -> None:
    client.sandbox.add(f"{key}=html403:1", f"{key}=html200:1", f"{key}=junk:1")
    firewall, portal, junk = (client.chat(key) for _ in range(3))
    assert (firewall.status, firewall.headers["Content-Type"]) == (403, "text/html; charset=UTF-8")
    assert b"Cloudflare" in firewall.body
    assert (portal.status, portal.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert junk.status == 200
    with pytest.raises(ValueError, match=r"codec can't decode|Expecting"):
        junk.json()


def test_a_redirect_leads_to_a_port_that_keeps_watch(client: Client) -> None:
    client.sandbox.add(f"{ROUTER}=redirect")
    got = client.chat(ROUTER)
    location = got.headers["Location"]
    assert got.status == 302
    assert location.startswith(client.sandbox.elsewhere)
    assert location != client.sandbox.openrouter_endpoint
    client.send(location, ROUTER, {})
    assert (client.sandbox.requests[-1].place, client.sandbox.requests[-1].with_authorization) == (
        SandboxPort.ELSEWHERE,
        True,
    )


@pytest.mark.parametrize("key", [OLLAMA, ROUTER])
def test_the_authorization_header_comes_back(client: Client, key: str) -> None:
    secret = client.sandbox.keys[key]
    client.sandbox.add(f"{key}=echo:1", f"{key}=echo200:1")
    failed = client.chat(key)
    assert failed.status == 500
    assert failed.body.decode().count(f"Bearer {secret}") == 2
    assert isinstance(failed.json()["error"], str | dict)
    split = client.chat(key)
    assert split.status == 200
    assert secret not in split.body.decode()
    pieces = [json.loads(line.removeprefix(b"data: ")) for line in split.body.splitlines() if b'"content"' in line]
    contents = [(piece["choices"][0]["delta"] if key == ROUTER else piece["message"])["content"] for piece in pieces]
    assert f"Bearer {secret}" in "".join(contents)


def test_costs_that_are_not_to_be_believed(client: Client) -> None:
    client.sandbox.add(f"{ROUTER}=zero:1", f"{ROUTER}=over=42.5:1", f"{OLLAMA}=zero:1", f"{OLLAMA}=over:1")
    free, dear = (client.chat(ROUTER, stream=False).json()["usage"] for _ in range(2))
    assert (free["cost"], dear["cost"]) == (0, 42.5)
    assert free["total_tokens"] > 0
    silent, excessive = (client.chat(OLLAMA, stream=False).json() for _ in range(2))
    assert "eval_count" not in silent
    assert excessive["eval_count"] == 10_000_000


# Whom, which requests, how often


def test_faults_of_one_key_queue_up_and_spare_the_others(client: Client) -> None:
    client.sandbox.add(f"{OLLAMA}=429:2", f"{OLLAMA}=503:1")
    assert client.chat("local").status == 200
    assert [client.chat(OLLAMA).status for _ in range(4)] == [429, 429, 503, 200]


def test_a_whole_provider_fails_and_a_key_s_own_fault_comes_first(client: Client) -> None:
    client.sandbox.add("ollama=503", f"{OLLAMA}=429:1")
    assert [client.chat(OLLAMA).status for _ in range(3)] == [429, 503, 503]


def test_a_fault_of_the_checks_leaves_the_chat_alone(client: Client) -> None:
    client.sandbox.add(f"{ROUTER}@check=503:1", "local@show=500", "openrouter@list=html200")
    key = client.sandbox.openrouter_endpoint + "/key"
    assert client.chat(ROUTER).status == 200
    assert [client.send(key, ROUTER).status for _ in range(2)] == [503, 200]
    assert client.send(client.sandbox.local_endpoint + "/api/show", "local", {"model": "gemma3:27b"}).status == 500
    assert b"WiFi" in client.send(client.sandbox.openrouter_endpoint + "/models", ROUTER).body


def test_a_refused_key_is_refused_by_the_check_as_well(client: Client) -> None:
    client.sandbox.add(f"{OLLAMA}=401:1")
    balance = client.sandbox.ollama_endpoints[1] + "/balance"
    assert client.send(balance, OLLAMA).status == 401
    assert client.chat(OLLAMA).status == 401
    assert client.send(balance, OLLAMA).status == 200
    client.sandbox.add(f"{OLLAMA}=401chat")
    assert (client.chat(OLLAMA).status, client.send(balance, OLLAMA).status) == (401, 200)


def test_a_reply_given_byte_for_byte(client: Client) -> None:
    client.sandbox.add(Fault.raw(OLLAMA, json_reply(418, {"error": "teapot"}, ("Retry-After", "NaN"))))
    got = client.chat(OLLAMA)
    assert (got.status, got.headers["Retry-After"], got.json()) == (418, "NaN", {"error": "teapot"})
    assert client.chat(OLLAMA).status == 200


def test_faults_can_be_changed_while_it_runs(client: Client) -> None:
    url = client.sandbox.control + "/faults"
    posted = client.send(url, "", {"faults": [f"{OLLAMA}=503:1", f"{ROUTER}=cut"]})
    assert posted.json() == {"faults": [f"{OLLAMA}=503:1", f"{ROUTER}=cut"]}
    assert client.chat(OLLAMA).status == 503
    assert client.send(url, "").json() == {"faults": [f"{ROUTER}=cut"]}
    refused = client.send(url, "", {"faults": ["local=503", "nobody=503"]})
    assert refused.status == 400
    assert "nobody" in refused.json()["error"]
    assert client.send(url, "").json() == {"faults": [f"{ROUTER}=cut"]}


# The grammar


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("OLLAMA_API_KEY", "KEY=KIND"),
        ("OLAMA_API_KEY=429", "did you mean OLLAMA_API_KEY?"),
        ("nobody=429", "There are: OLLAMA_API_KEY"),
        ("OLLAMA_API_KEY=5O3", "did you mean 503?"),
        ("OLLAMA_API_KEY=", "can have: 400"),
        ("OLLAMA_API_KEY=429upstream", "ollama has no fault"),
        ("OPENROUTER_API_KEY_1=429slot", "openrouter has no fault"),
        ("OLLAMA_API_KEY=503:0", "from 1"),
        ("OLLAMA_API_KEY=503=4", "takes no value"),
        ("OLLAMA_API_KEY=503:many", "no fault '503:many'"),
        ("OLLAMA_API_KEY=slow=soon", "seconds"),
        ("OLLAMA_API_KEY=slow=nan", "seconds"),
        ("OLLAMA_API_KEY=slow=-1", "seconds"),
        ("OLLAMA_API_KEY=429retry", "needs a value"),
        ("OLLAMA_API_KEY=429retry=1\r\nX: y", "printable"),
        ("OLLAMA_API_KEY@sometimes=503", "There are: chat, check"),
        ("OLLAMA_API_KEY@check=cost", "no fault"),
        ("OLLAMA_API_KEY@check=over", "chat only"),
    ],
)
def test_what_cannot_be_read_is_said_with_what_exists(text: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        Sandbox([text])
    assert words in str(refused.value)
    assert repr(text) in str(refused.value)


@given(
    target=st.sampled_from(sorted(TARGETS)),
    kind=st.sampled_from(sorted(KINDS)),
    where=st.sampled_from(FaultScope),
    times=st.none() | st.integers(1, 999),
    seconds=st.integers(0, 9999),
)
def test_a_fault_reads_back_as_it_is_written(
    target: str, kind: str, where: FaultScope, times: int | None, seconds: int
) -> None:
    known = KINDS[kind]
    if TARGETS[target] not in known.providers or (known.chat_only and where is not FaultScope.CHAT):
        return
    if known.check_only and where is not FaultScope.CHECK:
        return
    value = None if known.value is FaultValue.NONE else str(seconds)
    fault = Fault(target, known, where, value, times)
    assert parse_fault(str(fault), TARGETS) == fault
