"""The loopback providers answer as the real ones: bodies, statuses, headers, limits."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from lollmsbot_keys.sandbox import FaultScope, Sandbox, SandboxPort
from tests.support import PATIENCE_S

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
FREE = "google/gemma-4-31b-it:free"


@dataclass(frozen=True, slots=True)
class Got:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:  # noqa: ANN401  JSON
        return json.loads(self.body)

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]

    def events(self) -> list[Any]:
        data = [block[6:] for block in self.body.split(b"\n\n") if block.startswith(b"data: ")]
        assert data[-1] == b"[DONE]"
        return [json.loads(event) for event in data[:-1]]


def call(url: str, secret: str | None = None, body: object = None, method: str | None = None) -> Got:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    data = None if body is None else json.dumps(body).encode()
    try:
        connection.request(method or ("GET" if data is None else "POST"), url.partition(parts.netloc)[2], data, headers)
        answer = connection.getresponse()
        return Got(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def chat(endpoint: str, secret: str | None, model: str, **more: object) -> Got:
    path = "/chat" if endpoint.endswith("/api") else "/chat/completions"
    return call(endpoint + path, secret, {"model": model, "messages": HELLO, **more})


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def key(sandbox: Sandbox) -> str:
    return sandbox.keys["OLLAMA_API_KEY"]


@pytest.fixture
def router_key(sandbox: Sandbox) -> str:
    return sandbox.keys["OPENROUTER_API_KEY_1"]


# Ollama Cloud


def test_native_chat_streams_lines_unless_told_not_to(sandbox: Sandbox, key: str) -> None:
    got = chat(sandbox.ollama_endpoints[1], key, "kimi-k2.6")
    assert (got.status, got.headers["Content-Type"]) == (200, "application/x-ndjson")
    *text, last = got.lines()
    assert len(text) >= 3
    assert {line["done"] for line in text} == {False}
    said = "".join(line["message"]["content"] for line in text)
    assert said == "Sandbox kimi-k2.6 here, on ollama. You said: Hello"
    assert (last["done"], last["done_reason"], last["prompt_eval_count"]) == (True, "stop", 3 + 2)
    assert last["eval_count"] == -(-len(said) // 4)

    whole = chat(sandbox.ollama_endpoints[1], key, "kimi-k2.6", stream=False)
    assert whole.json()["message"] == {"role": "assistant", "content": said}


def test_openai_dialect_streams_events_with_usage_on_request(sandbox: Sandbox, key: str) -> None:
    v1 = sandbox.ollama_endpoints[0]
    got = chat(v1, key, "kimi-k2.6", stream=True, stream_options={"include_usage": True})
    assert got.headers["Content-Type"].startswith("text/event-stream")
    *text, finish, usage = got.events()
    said = "".join(chunk["choices"][0]["delta"]["content"] for chunk in text)
    assert said.startswith("Sandbox kimi-k2.6 here")
    assert (finish["choices"][0]["delta"], finish["choices"][0]["finish_reason"]) == ({}, "stop")
    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 5, "completion_tokens": 13, "total_tokens": 18}
    assert "cost" not in usage["usage"]

    without = chat(v1, key, "kimi-k2.6", stream=True).events()
    assert all("usage" not in chunk for chunk in without)
    whole = chat(v1, key, "kimi-k2.6").json()
    assert (whole["object"], whole["choices"][0]["message"]["content"]) == ("chat.completion", said)


def test_a_retired_model_is_not_found_unless_asked_to_be_served(sandbox: Sandbox, key: str) -> None:
    for endpoint in sandbox.ollama_endpoints:
        got = chat(endpoint, key, "kimi-k2.5")
        assert (got.status, got.json()) == (404, {"error": 'model "kimi-k2.5" not found'})
    with Sandbox(serve_retired=True) as generous:
        got = chat(generous.ollama_endpoints[1], generous.keys["OLLAMA_API_KEY"], "kimi-k2.5", stream=False)
        assert got.status == 200


@pytest.mark.parametrize("path", ["/tags", "/../v1/models"])
@pytest.mark.parametrize("secret", [None, "wrong"])
def test_lists_are_public_and_prove_nothing(sandbox: Sandbox, path: str, secret: str | None) -> None:
    url = sandbox.ollama_endpoints[1] + path
    url = url.replace("/api/../v1", "/v1")
    got = call(url, secret)
    names = {entry.get("name") or entry["id"] for entry in got.json().get("models") or got.json()["data"]}
    assert got.status == 200
    assert {"kimi-k2.6", "mistral-large-3:675b"} <= names
    assert "kimi-k2.5" not in names


def test_only_a_good_key_may_chat_or_ask_about_itself(sandbox: Sandbox, router_key: str) -> None:
    v1, api = sandbox.ollama_endpoints
    for secret in (None, "wrong", router_key):
        assert chat(v1, secret, "kimi-k2.6").json() == {"error": "Unauthorized"}
        assert chat(api, secret, "kimi-k2.6").json() == {"error": "unauthorized"}
        assert [call(api + path, secret).status for path in ("/balance", "/usage")] == [401, 401]
        assert call(api + "/me", secret, {}).status == 401
        assert chat(sandbox.local_endpoint + "/api", secret, "gemma3:27b").status == 200


def test_balance_and_usage_follow_what_was_used(sandbox: Sandbox, key: str) -> None:
    api = sandbox.ollama_endpoints[1]
    chat(api, key, "kimi-k3", stream=False)
    used = call(api + "/usage?range=24h&group_by=model", key).json()["totals"]
    assert (used["request_count"], used["input_tokens"], used["output_tokens"]) == (1, 5, 12)
    assert used["usage_usd"] == pytest.approx((5 * 3 + 12 * 15) / 1e6)
    included = call(api + "/balance", key).json()["included"]
    assert included["allowance_usd"] - included["balance_usd"] == pytest.approx(used["usage_usd"])
    other = call(api + "/usage", sandbox.keys["OLLAMA_API_KEY_2"]).json()["totals"]
    assert other["request_count"] == 0


@pytest.mark.parametrize("path", ["/balance?x=1", "/usage?range=1h", "/usage?range=7d&range=7d", "/usage?by=model"])
def test_odd_queries_are_refused(sandbox: Sandbox, key: str, path: str) -> None:
    assert call(sandbox.ollama_endpoints[1] + path, key).status == 400


def test_the_eleventh_check_of_a_minute_is_too_many_for_the_account() -> None:
    with Sandbox(one_ollama_account=True) as sandbox:
        first, second = (sandbox.keys[name] for name in ("OLLAMA_API_KEY", "OLLAMA_API_KEY_2"))
        url = sandbox.ollama_endpoints[1] + "/balance"
        assert {call(url, secret).status for secret in [first, second] * 5} == {200}
        refused = call(url, second)
        assert refused.status == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert call(sandbox.ollama_endpoints[1] + "/me", first, {}).json()["id"] == "sandbox-user-1"


@pytest.mark.parametrize(
    "body", [{"max_tokens": 3}, {"max_completion_tokens": 3}, {"options": {"num_predict": 3}}], ids=str
)
def test_the_cap_on_the_answer_is_kept(sandbox: Sandbox, key: str, body: dict[str, object]) -> None:
    got = chat(sandbox.ollama_endpoints[1], key, "kimi-k2.6", stream=False, **body).json()
    assert (got["message"]["content"], got["eval_count"], got["done_reason"]) == ("Sandbox kimi", 3, "length")


# OpenRouter


def test_openrouter_streams_comments_then_text_then_the_cost(sandbox: Sandbox, router_key: str) -> None:
    got = chat(sandbox.openrouter_endpoint, router_key, "moonshotai/kimi-k2.5", stream=True)
    assert got.body.startswith(b": OPENROUTER PROCESSING\n\n")
    *text, stop, usage = got.events()
    said = "".join(chunk["choices"][0]["delta"]["content"] for chunk in text)
    assert said == "Sandbox moonshotai/kimi-k2.5 here, on openrouter. You said: Hello"
    assert stop["choices"][0]["finish_reason"] == "stop"
    assert usage["usage"]["cost"] == pytest.approx((5 * 0.41 + 17 * 2.06) / 1e6)
    assert got.headers["X-Generation-Id"] == usage["id"]

    known = call(f"{sandbox.openrouter_endpoint}/generation?id={usage['id']}", router_key).json()["data"]
    assert known["total_cost"] == usage["usage"]["cost"]
    assert call(f"{sandbox.openrouter_endpoint}/generation?id=gen-none", router_key).status == 404


def test_openrouter_whole_answer(sandbox: Sandbox, router_key: str) -> None:
    got = chat(sandbox.openrouter_endpoint, router_key, "openrouter/auto")
    assert got.headers["X-Generation-Id"] == got.json()["id"]
    assert got.json()["model"] == "openai/gpt-oss-120b"
    assert got.json()["usage"]["cost"] > 0


@pytest.mark.parametrize(
    ("model", "provider", "status", "words"),
    [
        ("google/gemini-pro", {}, 400, "google/gemini-pro is not a valid model ID"),
        ("nobody/nothing:free", {}, 404, "No endpoints found for nobody/nothing:free."),
        (FREE, {"data_collection": "deny"}, 404, "No endpoints found matching your data policy"),
        ("openrouter/free", {"data_collection": "deny"}, 404, "data policy"),
        ("z-ai/glm-5.2", {"max_price": {"prompt": 0.61, "completion": 9}}, 404, "max_price"),
        ("z-ai/glm-5.2", {"max_price": {"prompt": 9, "completion": 2.4199}}, 404, "max_price"),
    ],
)
def test_what_openrouter_will_not_serve(
    sandbox: Sandbox, router_key: str, model: str, provider: dict[str, object], status: int, words: str
) -> None:
    got = chat(sandbox.openrouter_endpoint, router_key, model, provider=provider)
    assert got.status == status
    assert words in got.json()["error"]["message"]
    assert sandbox.chats()[-1].preferences == json.loads(json.dumps(provider), parse_float=str)


def test_a_price_that_is_just_enough_is_enough(sandbox: Sandbox, router_key: str) -> None:
    enough = {"max_price": {"prompt": 0.62, "completion": "2.42"}, "data_collection": "deny"}
    assert chat(sandbox.openrouter_endpoint, router_key, "z-ai/glm-5.2", provider=enough).status == 200


def test_the_model_list_is_public_and_prices_are_text_per_token(sandbox: Sandbox) -> None:
    listed = {model["id"]: model["pricing"] for model in call(sandbox.openrouter_endpoint + "/models").json()["data"]}
    assert listed["openai/gpt-oss-20b"] == {"prompt": "0.000000018", "completion": "0.00000009"}
    assert listed[FREE] == {"prompt": "0", "completion": "0"}
    assert listed["openrouter/auto"]["prompt"] == "-1"


def test_a_key_learns_about_itself_and_its_account(sandbox: Sandbox, router_key: str) -> None:
    base = sandbox.openrouter_endpoint
    chat(base, router_key, "z-ai/glm-5.2")
    mine = call(base + "/key", router_key).json()["data"]
    other = call(base + "/key", sandbox.keys["OPENROUTER_API_KEY_2"]).json()["data"]
    assert mine["creator_user_id"] == other["creator_user_id"] == "user_sandbox"
    assert mine["usage_daily"] > 0 == other["usage_daily"]
    assert call(base + "/credits", router_key).status == 403
    bought = call(base + "/credits", sandbox.management_key).json()["data"]
    assert bought["total_usage"] == mine["usage"]
    for path in ("/key", "/credits", "/generation?id=x", "/keys"):
        assert call(base + path).json()["error"]["message"] == "Missing Authentication header"
        assert call(base + path, "wrong").json() == {"error": {"message": "User not found.", "code": 401}}


def test_free_calls_are_counted_for_the_whole_account() -> None:
    with Sandbox(free_per_day=3) as sandbox:
        secrets = [sandbox.keys[f"OPENROUTER_API_KEY_{number}"] for number in (1, 2, 3)]
        assert [chat(sandbox.openrouter_endpoint, secret, FREE).status for secret in secrets] == [200] * 3
        refused = chat(sandbox.openrouter_endpoint, secrets[0], FREE)
        error = refused.json()["error"]
        assert (refused.status, error["metadata"]["limit_source"]) == (429, "openrouter_free_tier_daily")
        assert int(refused.headers["X-RateLimit-Reset"]) % 86_400_000 == 0
        assert error["metadata"]["headers"]["X-RateLimit-Reset"] == refused.headers["X-RateLimit-Reset"]
        assert chat(sandbox.openrouter_endpoint, secrets[0], "z-ai/glm-5.2").status == 200


def test_the_life_of_a_managed_key(sandbox: Sandbox, router_key: str) -> None:
    keys = sandbox.openrouter_endpoint + "/keys"
    assert call(keys, router_key, {"name": "x"}).status == 403
    assert call(keys, sandbox.management_key, {"limit": 5}).status == 400
    made = call(keys, sandbox.management_key, {"name": "fresh", "limit": 5, "limit_reset": "monthly"})
    secret, about = made.json()["key"], made.json()["data"]
    assert (made.status, about["name"], about["limit_remaining"], len(about["hash"])) == (201, "fresh", 5, 64)
    assert secret.startswith("sk-or-v1-")

    def use() -> int:
        return chat(sandbox.openrouter_endpoint, secret, "z-ai/glm-5.2").status

    one = f"{keys}/{about['hash']}"
    assert use() == 200
    assert sandbox.chats()[-1].key == "fresh"
    assert "fresh" in [key["name"] for key in call(keys, sandbox.management_key).json()["data"]]
    assert call(one, sandbox.management_key, {"disabled": True}, "PATCH").json()["data"]["disabled"] is True
    assert use() == 401
    assert "fresh" not in [key["name"] for key in call(keys, sandbox.management_key).json()["data"]]
    call(one, sandbox.management_key, {"disabled": False, "limit": 0}, "PATCH")
    assert use() == 402
    call(one, sandbox.management_key, {"limit": None}, "PATCH")
    assert use() == 200
    assert call(one, sandbox.management_key, method="DELETE").json() == {"deleted": True}
    assert use() == 401
    assert call(one, sandbox.management_key).status == 404


def test_a_management_key_cannot_chat(sandbox: Sandbox) -> None:
    assert chat(sandbox.openrouter_endpoint, sandbox.management_key, "z-ai/glm-5.2").status == 401


# Local


def test_the_daemon_tells_which_models_leave_the_machine(sandbox: Sandbox) -> None:
    show = sandbox.local_endpoint + "/api/show"
    plain = call(show, body={"model": "gemma3:27b"}).json()
    assert "remote_host" not in plain
    for name in ("diary", "gpt-oss:120b-cloud", "glm-5.2-cloud", "kimi-k2.6:cloud"):
        assert call(show, body={"model": name}).json()["remote_host"] == "https://ollama.com:443"
    assert call(show, body={"model": "nope"}).status == 404
    names = [model["name"] for model in call(sandbox.local_endpoint + "/api/tags").json()["models"]]
    assert {"gemma3:27b", "qwen3-vl:4b", "nomic-embed-text-v2-moe:latest", "gpt-oss:20b"} <= set(names)


def test_the_daemon_answers_in_both_dialects(sandbox: Sandbox) -> None:
    base = sandbox.local_endpoint
    assert chat(base + "/api", None, "gemma3:27b").lines()[-1]["done"] is True
    assert (
        chat(base + "/v1", None, "gemma3:27b").json()["choices"][0]["message"]["content"].startswith("Sandbox gemma3")
    )
    missing = chat(base + "/v1", None, "nope")
    assert (missing.status, missing.json()["error"]["type"]) == (404, "not_found_error")
    assert chat(base + "/api", None, "nope").json() == {"error": 'model "nope" not found'}
    assert chat(base + "/api", None, "nomic-embed-text-v2-moe").status == 400
    assert call(base + "/api/version").json() == {"version": "0.40.1"}


# The log


def test_the_log_names_keys_and_never_shows_secrets(sandbox: Sandbox, key: str) -> None:
    chat(sandbox.ollama_endpoints[0], key, "kimi-k2.6", stream=True, max_tokens=7)
    call(f"{sandbox.ollama_endpoints[1]}/tags?leak={key}", "wrong")
    chat(sandbox.local_endpoint + "/api", None, "gemma3:27b")
    first, second, third = sandbox.requests
    assert (first.key, first.model, first.stream, first.status) == ("OLLAMA_API_KEY", "kimi-k2.6", True, 200)
    assert (first.where, first.place, first.max_output_tokens) == (FaultScope.CHAT, SandboxPort.INTERNET, 7)
    assert (second.key, second.with_authorization, second.where) == (None, True, FaultScope.LIST)
    assert (third.caller, third.with_authorization) == ("local", False)
    assert len(sandbox.chats()) == 2
    assert sandbox.chats("local") == (third,)

    seen = call(sandbox.control + "/requests")
    assert [entry["key"] for entry in seen.json()] == ["OLLAMA_API_KEY", None, None]
    assert not [secret for secret in sandbox.secrets.values() if secret in seen.body.decode()]
    call(sandbox.control + "/requests", method="DELETE")
    assert sandbox.requests == ()


def test_made_up_keys_are_new_every_time_and_plainly_made_up() -> None:
    first, second = Sandbox(), Sandbox()
    assert list(first.keys) == [
        *("OLLAMA_API_KEY", "OLLAMA_API_KEY_2"),
        *("OPENROUTER_API_KEY_1", "OPENROUTER_API_KEY_2", "OPENROUTER_API_KEY_3"),
    ]
    assert not set(first.secrets.values()) & set(second.secrets.values())
    assert all("sandbox-" in secret or secret.startswith("sk-or-v1-5a4db0") for secret in first.secrets.values())
    assert {len(secret) for secret in first.secrets.values() if secret.startswith("sk-or-")} == {9 + 64}


def test_paths_that_nobody_serves(sandbox: Sandbox) -> None:
    assert call(sandbox.ollama_endpoints[1] + "/nothing").status == 404
    wrong = call(sandbox.ollama_endpoints[1] + "/chat")
    assert (wrong.status, wrong.headers["Allow"]) == (405, "POST")
