"""Names of models that nobody has and that are like one that there is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.routing.spelling import slip_of
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.runtime import Engine
from tests.lab import OLLAMA, SERVED, Heard, Lab, Listener, endpoints, lab, sse
from tests.strategies import CONFIG

LISTS = {
    Provider.OLLAMA: frozenset({"kimi-k2.6", "gpt-oss:120b"}),
    Provider.OPENROUTER: frozenset({"deepseek/deepseek-v3.2", "openrouter/auto"}),
    Provider.LOCAL: frozenset({"gemma3:4b"}),
}


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("kimi-k2.7", "kimi-k2.6"),
        ("kimi-k2,6", "kimi-k2.6"),
        ("gemma3:5b", "gemma3:4b"),
        ("gpt-oss:12b", "gpt-oss:120b"),
        ("deepseek/deepseek-v3.3", "deepseek/deepseek-v3.2"),
        ("kimi-k2.6", None),
        ("kimi-k2.6:cloud", None),
        ("gpt-oss", None),
        ("kimi", None),
        ("plain:8b", None),
        ("old/claude", None),
        ("lama:free", None),
        ("deepseek/deepseek-v3.2:nitro", None),
        ("deepseek/deepseek-v3.2-20251201", None),
        ("openrouter/autos", None),
        ("kimi-k2.7@groq", None),
        ("something-else-altogether", None),
    ],
)
def test_only_a_near_miss_of_a_known_name_is_a_slip(name: str, near: str | None) -> None:
    assert slip_of(name, CONFIG, LISTS) == near


def test_a_slip_ends_with_2_before_any_call_and_names_both(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        asked = here.quick("ask", "-m", NEW, "hi")
        assert (asked.code, asked.out, here.chats()) == (2, "", [])
        assert "'kimi-k2.7'" in asked.err
        assert "'kimi-k2.6'" in asked.err
        routed = here.quick("route", "-m", "kimi-k2.7")
        assert (routed.code, "'kimi-k2.6'" in routed.err) == (2, True), "the list is known by now"


def test_route_does_not_refuse_what_a_list_that_it_does_not_know_may_have(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        (notice,) = here.route("-m", "kimi-k2.7")["notices"]
        assert "'kimi-k2.6'" in notice


NEW = "kimi-k2.7"


@pytest.mark.parametrize(
    "listed",
    [
        (200, b'{"data": [{"id": "kimi-k2.7"}]}'),
        (404, b"no list here"),
        (200, b'{"data": []}'),
        (200, b'{"data": [1]}'),
    ],
)
def test_a_name_that_may_be_new_is_asked_for(tmp_path: Path, listed: tuple[int, bytes]) -> None:
    """Where the kept list is too old to have it, and where a provider tells none; an empty one is not believed."""

    def answer(heard: Heard) -> tuple[int, Mapping[str, str], list[bytes]]:
        status, body = listed
        return (200, {}, sse("new")) if heard.body else (status, {}, [body])

    with lab(tmp_path) as here, Listener(answer) as ours:
        engine = Engine.open(environment=Environment(here.env))
        new = NEW.encode() in listed[1]
        if new:
            engine.keep_list(Provider.OLLAMA, ["kimi-k2.6"])
        endpoints(here.config, ollama=f"http://127.0.0.1:{ours.port}/v1")
        asked = here.quick("ask", "-m", NEW, "hi")
        assert (asked.code, asked.out) == (0, "new\n")
        assert here.candidate(OLLAMA, SERVED, "-m", SERVED)["eligible"] is not new


def unkept(here: Lab) -> None:
    """Make a place where no list can be kept."""
    cache = Engine.open(environment=Environment(here.env)).state.cache
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text("no folder")


def test_a_list_that_cannot_be_kept_is_believed_all_the_same(tmp_path: Path) -> None:
    """On a full disk, or beside two hundred others that want the same lock."""

    def answer(heard: Heard) -> tuple[int, Mapping[str, str], list[bytes]]:
        return (200, {}, sse("new")) if heard.body else (200, {}, [b'{"data": [{"id": "kimi-k2.7"}]}'])

    with lab(tmp_path) as here, Listener(answer) as ours:
        endpoints(here.config, ollama=f"http://127.0.0.1:{ours.port}/v1")
        unkept(here)
        assert here.quick("ask", "-m", NEW, "hi").out == "new\n"


def test_so_is_that_of_this_machine(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        unkept(here)
        for name in here.sandbox.secrets:
            del here.env[name]
        assert "on local" in here.quick("ask", "-m", "gemma3:27b", "hi").out
        assert "on local" in here.quick("ask", "--privacy", "critical", "hi").out


def test_looking_for_a_name_forgets_no_chat_model_of_this_machine(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.quick("test-keys")
        chat = Engine.open(environment=Environment(here.env)).facts().local_chat
        assert here.quick("ask", "-m", NEW, "hi").code == 2
        assert Engine.open(environment=Environment(here.env)).facts().local_chat == chat != ""


def test_who_has_no_key_needs_no_list_to_be_told(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        endpoints(here.config, ollama="http://127.0.0.1:9/v1", local="http://127.0.0.1:9")
        for name in here.sandbox.secrets:
            del here.env[name]
        asked = here.quick("ask", "-m", NEW, "hi")
        assert (asked.code, "Did you mean 'kimi-k2." in asked.err) == (2, True)
