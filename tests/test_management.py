"""OpenRouter's door to its keys, against a server that answers as documented, and as it should not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

import pytest

from lollmsbot_keys.core.failures.table import classifier
from lollmsbot_keys.core.model.config import Cooldowns, Provider
from lollmsbot_keys.edges.providers import Wire
from lollmsbot_keys.edges.providers.keys_api import KeysApi
from lollmsbot_keys.edges.secrets import Scrubber, Secret
from lollmsbot_keys.errors import LbkError, SecretError, Unasked
from tests.lab import Heard, Json, Listener
from tests.support import utc_now

T = TypeVar("T")
SECRET = "sk-or-v1-the-management-key-itself"
MADE = "sk-or-v1-a-secret-made-just-now"
COOLDOWNS = Cooldowns(timedelta(hours=1), timedelta(minutes=5), timedelta(days=8))
JSON = {"Content-Type": "application/json"}


def asked(endpoint: str, what: Callable[[KeysApi], Coroutine[None, None, T]]) -> T:
    secret = Secret(SECRET, Provider.OPENROUTER)

    async def ask() -> T:
        async with Wire(Scrubber(secret), classifier(COOLDOWNS, utc_now), lambda _: None, {}) as wire:
            return await what(wire.management(endpoint, secret, timedelta(seconds=20)))

    return asyncio.run(ask())


def answering(status: int, body: Json) -> Callable[[Heard], tuple[int, dict[str, str], list[bytes]]]:
    return lambda _heard: (status, JSON, [json.dumps(body).encode()])


def entry(number: int, **more: Json) -> Json:
    return {"hash": f"h{number}", "name": f"n{number}", "label": f"sk-…{number}", "disabled": False, **more}


@pytest.mark.parametrize(
    "body", [{"data": {"hash": "h1"}, "key": MADE}, {"data": {"hash": "h1", "key": MADE}}], ids=["schema", "guide"]
)
def test_the_new_secret_is_found_in_either_place(body: Json) -> None:
    with Listener(answering(201, body)) as server:
        made = asked(server.url, lambda door: door.make("name", {"limit": Decimal("25.5"), "limit_reset": "monthly"}))
        (heard,) = server.heard
    assert (made.characters, made.hash) == (MADE, "h1")
    assert MADE not in repr(made)
    assert (heard.method, heard.path) == ("POST", "/keys")
    assert heard.headers["authorization"] == f"Bearer {SECRET}"
    assert heard.document == {"name": "name", "limit": 25.5, "limit_reset": "monthly"}


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"hash": "h1"}},
        {"key": MADE},
        {"data": [], "key": MADE},
        {"data": {"hash": 7}, "key": MADE},
        {"data": {"hash": "h"}, "key": "two words"},
        {"data": {"hash": "h"}, "key": ""},
        [],
    ],
)
def test_a_reply_without_a_secret_is_no_key(body: Json) -> None:
    with Listener(answering(201, body)) as server, pytest.raises(Unasked) as failed:
        asked(server.url, lambda door: door.make("name", {}))
    assert MADE not in str(failed.value)


def test_the_list_is_read_to_its_end() -> None:
    everything = [entry(number, limit=number, workspace_id=None) for number in range(230)]

    def answer(heard: Heard) -> tuple[int, dict[str, str], list[bytes]]:
        offset = int(heard.path.partition("offset=")[2].partition("&")[0])
        assert "include_disabled=true" in heard.path
        page = [*everything[offset : offset + 100], *([{"name": "no number"}] if offset == 200 else [])]
        return 200, JSON, [json.dumps({"data": page}).encode()]

    with Listener(answer) as server:
        keys = asked(server.url, lambda door: door.keys())
        assert len(server.heard) == 3
    assert [key.hash for key in keys] == [f"h{number}" for number in range(230)]
    assert keys[7].terms == {"limit": 7}


def test_a_list_without_an_end_is_given_up() -> None:
    with Listener(answering(200, {"data": [entry(number) for number in range(100)]})) as server:
        with pytest.raises(Unasked):
            asked(server.url, lambda door: door.keys())
        assert len(server.heard) == 100


def test_what_is_gone_is_no_failure() -> None:
    with Listener(answering(404, {"error": {"message": "API key not found"}})) as server:
        assert not asked(server.url, lambda door: door.switch("h/1", off=True))
        assert not asked(server.url, lambda door: door.delete("h/1"))
        assert [(heard.method, heard.path) for heard in server.heard] == [
            ("PATCH", "/keys/h%2F1"),
            ("DELETE", "/keys/h%2F1"),
        ]
        assert server.heard[0].document == {"disabled": True}


CALLS: dict[str, Callable[[KeysApi], Coroutine[None, None, object]]] = {
    "list": lambda door: door.keys(),
    "make": lambda door: door.make("name", {}),
    "switch": lambda door: door.switch("h", off=False),
    "delete": lambda door: door.delete("h"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": {"message": "User not found."}}, SecretError),
        (403, {"error": {"message": f"Only management keys can, not {SECRET}"}}, SecretError),
        (429, {"error": {"message": "slow down"}}, Unasked),
        (500, {"error": "boom"}, Unasked),
        (302, {}, Unasked),
        (200, "junk", Unasked),
    ],
)
def test_what_is_no_answer(
    call: Callable[[KeysApi], Coroutine[None, None, object]], status: int, body: Json, kind: type[LbkError]
) -> None:
    """A plain 200 is enough of an answer to a change, whatever comes with it."""
    with Listener(answering(status, body)) as server:
        if status == 200 and call in (CALLS["switch"], CALLS["delete"]):
            assert asked(server.url, call)
            return
        with pytest.raises(kind) as failed:
            asked(server.url, call)
        assert len(server.heard) == 1
    assert SECRET not in str(failed.value)


def test_a_page_is_no_answer() -> None:
    with Listener(lambda _: (403, {"Content-Type": "text/html"}, [b"<html>blocked"])) as server, pytest.raises(Unasked):
        asked(server.url, lambda door: door.keys())


def test_nobody_there() -> None:
    with Listener(answering(200, {})) as server:
        gone = server.url
    with pytest.raises(Unasked, match="gave no answer"):
        asked(gone, lambda door: door.keys())


def test_the_management_key_goes_to_no_stranger() -> None:
    with pytest.raises(SecretError, match="Nothing was sent"):
        asked("https://stranger.example/api/v1", lambda door: door.keys())
