"""`Wire.send` against the sandbox: real sockets, the documented bodies, and replies broken byte for byte."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

import pytest

from lollmsbot_keys.core.failures.table import classifier
from lollmsbot_keys.core.model.config import Cooldowns, Price, Privacy, Provider
from lollmsbot_keys.core.model.outcome import Billing, Outcome, OutcomeKind, Usage
from lollmsbot_keys.edges.providers import Call, ChatMessage, Wire
from lollmsbot_keys.edges.secrets import Scrubber, Secret
from lollmsbot_keys.errors import ConfigError, SecretError
from lollmsbot_keys.sandbox import Fault, Sandbox
from lollmsbot_keys.sandbox.http import Cut, HttpReply, Pause

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
COOLDOWNS = Cooldowns(timedelta(hours=1), timedelta(minutes=5), timedelta(days=8))
KEYS = {"ollama": "OLLAMA_API_KEY", "openrouter": "OPENROUTER_API_KEY_1", "local": "local"}
MODELS = {"ollama": "gpt-oss:120b", "openrouter": "openai/gpt-oss-120b", "local": "gemma3:27b"}
T = TypeVar("T")


@dataclass
class Heard:
    """An outcome and the text that was passed on."""

    outcome: Outcome
    pieces: list[str]

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def evidence(self) -> str:
        return self.outcome.failure.evidence if self.outcome.failure else ""

    @property
    def billed(self) -> bool:
        return self.outcome.failure is not None and self.outcome.failure.billing is Billing.POSSIBLY


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def no_proxy(_url: str) -> str | None:
    return None


def secret_of(sandbox: Sandbox, provider: str) -> Secret | None:
    if provider == "local":
        return None
    return Secret(sandbox.keys[KEYS[provider]], Provider(provider), "f1")


def call_to(sandbox: Sandbox, provider: str, **changes: object) -> Call:
    call = Call(
        provider=Provider(provider),
        model=MODELS[provider],
        endpoints=sandbox.endpoints[provider],
        secret=secret_of(sandbox, provider),
        messages=(ChatMessage("user", "Grüße 👋"),),
        max_output_tokens=99,
        temperature=None,
        privacy=Privacy.MEDIUM,
        free=False,
        price=Price(Decimal(1), Decimal(2)),
        stream=True,
        timeout=timedelta(seconds=5),
    )
    return replace(call, **changes)  # type: ignore[arg-type]  # fields of Call by their names


def wire_for(sandbox: Sandbox, proxy_for: Callable[[str], str | None] = no_proxy) -> Wire:
    secrets = [secret for name in ("ollama", "openrouter") if (secret := secret_of(sandbox, name))]
    return Wire(Scrubber(*secrets), classifier(COOLDOWNS, lambda: NOW), proxy_for, {})


def using(sandbox: Sandbox, work: Callable[[Wire], Coroutine[object, object, T]]) -> T:
    async def main() -> T:
        async with wire_for(sandbox) as wire:
            return await work(wire)

    return asyncio.run(main())


def send(sandbox: Sandbox, provider: str, *faults: str | Fault, **changes: object) -> Heard:
    sandbox.add(*faults)
    pieces: list[str] = []
    call = call_to(sandbox, provider, **changes)
    return Heard(using(sandbox, lambda wire: wire.send(call, pieces.append)), pieces)


def raw(provider: str, *frames: bytes | Pause | Cut, kind: str = "", status: int = 200) -> Fault:
    """Exactly these bytes as the next answer."""
    kinds = {"ollama": "text/event-stream", "openrouter": "text/event-stream", "local": "application/x-ndjson"}
    return Fault.raw(KEYS[provider], HttpReply(status, frames, (("Content-Type", kind or kinds[provider]),)))


def sse(value: object) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def delta(text: str, finish: str | None = None) -> bytes:
    return sse({"choices": [{"delta": {"content": text}, "finish_reason": finish}]})


DONE = b"data: [DONE]\n\n"


# Answers


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("provider", "which"),
    [("ollama", slice(0, 1)), ("ollama", slice(1, 2)), ("openrouter", slice(1)), ("local", slice(1))],
)
def test_an_answer_comes_in_every_dialect(sandbox: Sandbox, provider: str, which: slice, stream: bool) -> None:  # noqa: FBT001
    heard = send(sandbox, provider, endpoints=sandbox.endpoints[provider][which], stream=stream)
    assert heard.outcome.kind is OutcomeKind.ANSWERED
    assert (heard.outcome.status, heard.outcome.failure, heard.outcome.started) == (200, None, True)
    assert "Grüße 👋" in heard.text
    assert heard.outcome.finish_reason == "stop"
    usage = heard.outcome.usage
    assert usage is not None
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0
    assert (usage.cost_usd is not None) == (provider == "openrouter")
    assert (len(heard.pieces) > 1) == stream
    assert (heard.outcome.generation_id or "").startswith("gen-") == (provider == "openrouter")
    (seen,) = sandbox.requests
    assert seen.with_authorization == (provider != "local")
    assert seen.headers["user-agent"].startswith("lbk/")


def test_text_comes_as_it_is_said(sandbox: Sandbox) -> None:
    async def main() -> list[float]:
        times: list[float] = []
        sandbox.add(raw("ollama", delta("first"), Pause(0.3), delta("second", "stop"), DONE))
        async with wire_for(sandbox) as wire:
            await wire.send(call_to(sandbox, "ollama"), lambda _: times.append(time.monotonic()))
        return times

    times = asyncio.run(main())
    assert times[1] - times[0] > 0.2


def test_characters_split_over_chunks_stay_whole(sandbox: Sandbox) -> None:
    stream = b": OPENROUTER PROCESSING\r\n\r\n" + (delta("Grüße ") + delta("👋", "stop") + DONE).replace(b"\n", b"\r\n")
    heard = send(sandbox, "openrouter", raw("openrouter", *(stream[i : i + 1] for i in range(len(stream)))))
    assert (heard.outcome.kind, heard.text) == ("answered", "Grüße 👋")


@pytest.mark.parametrize(
    ("frames", "kind"),
    [
        # A whole document where a stream was asked for, under several names, and lines under a wrong one.
        ((b'{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}',), "application/json"),
        ((b'{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}',), "text/plain"),
        ((b'{\n "choices":[{"message":{"content":"hello"}}]\n}',), "application/json"),
        ((delta("hello", "stop"), DONE), "application/json"),
        ((delta("hello", "stop"), DONE), "text/plain"),
        # No [DONE] after the finish; no finish before [DONE]; a break after the finish.
        ((delta("hello", "stop"),), ""),
        ((delta("hello"), DONE), ""),
        ((delta("hello", "stop"), Cut()), ""),
        ((delta("hello", "stop"), sse({"error": {"code": 500}})), ""),
    ],
)
def test_a_whole_answer_counts_however_it_is_dressed(
    sandbox: Sandbox, frames: tuple[bytes | Cut, ...], kind: str
) -> None:
    heard = send(sandbox, "ollama", raw("ollama", *frames, kind=kind))
    assert (heard.outcome.kind, heard.text) == ("answered", "hello")


BEATS = [
    b"data:\n\n",
    b"data:   \n\n",
    b"data\n\n",
    b"event: ping\ndata:\n\n",
    b"id: 5\n\n",
    b"event: ping\ndata: 2026-12-01 12:00:00.1\n\n",
    b'event: trace\ndata: ["a",1]\n\n',
    b"foo: bar\n\nfoo\n",
    b": OPENROUTER PROCESSING\n\n",
    b"data: null\n\n",
]
FIGURES = {"prompt_tokens": 11, "completion_tokens": 7}
COSTS = {"choices": [], "usage": {**FIGURES, "cost": 0.001}}


@pytest.mark.parametrize("provider", ["ollama", "openrouter"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_signs_of_life_are_no_part_of_an_answer(sandbox: Sandbox, provider: str, ending: bytes) -> None:
    for beat in BEATS:
        parts = (beat, delta("Hello "), beat, delta("world"), beat, delta("", "stop"), beat, sse(COSTS), beat, DONE)
        heard = send(sandbox, provider, raw(provider, *(part.replace(b"\n", ending) for part in parts)))
        assert (heard.outcome.kind, heard.text) == ("answered", "Hello world"), beat
        assert heard.outcome.usage == Usage(11, 7, Decimal("0.001"))


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_an_error_in_a_200_may_stand_alone_in_a_list(sandbox: Sandbox, kind: str) -> None:
    error = b'[{"error": {"code": 429, "message": "quota", "details": [{"retryDelay": "37s"}]}}]'
    frame = error if kind == "application/json" else b"data: " + error + b"\n\n"
    outcome = send(sandbox, "openrouter", raw("openrouter", frame, kind=kind)).outcome
    assert outcome.failure is not None
    assert (outcome.kind, outcome.failure.evidence, outcome.failure.source) == (
        "rate_limited",
        "quota",
        "retryDelay in the body",
    )


@pytest.mark.parametrize(
    ("later", "usage"),
    [
        (FIGURES, Usage(11, 7, Decimal("0.001"))),
        ({**FIGURES, "cost": None}, Usage(11, 7, Decimal("0.001"))),
        ({**FIGURES, "cost": 0}, Usage(11, 7, Decimal("0.001"))),
        ({**FIGURES, "cost": 0.002}, Usage(11, 7, Decimal("0.002"))),
        ({"cost": 0.002}, Usage(11, 7, Decimal("0.002"))),
        # More tokens than the cost was for: it is not what they cost.
        ({"prompt_tokens": 11, "completion_tokens": 900}, Usage(11, 900)),
        (None, Usage(11, 7, Decimal("0.001"))),
    ],
)
def test_a_later_figure_takes_nothing_away(sandbox: Sandbox, later: object, usage: Usage) -> None:
    frames = delta("hello", "stop"), sse(COSTS), sse({"choices": [], "usage": later}), DONE
    assert send(sandbox, "openrouter", raw("openrouter", *frames)).outcome.usage == usage


def choice(finish: str | None, usage: object = None, **message: object) -> bytes:
    """A whole answer in one event."""
    return sse({"choices": [{"message": message, "finish_reason": finish}], "usage": usage})


NO_TOKENS = {"prompt_tokens": 11, "completion_tokens": 0}
LOADED = b'{"message": {"content": ""}, "done": true, "done_reason": "%s", "eval_count": %d}\n'


@pytest.mark.parametrize(
    ("provider", "frame", "kind"),
    [
        ("local", LOADED % (b"load", 0), "empty"),
        ("local", LOADED % (b"unload", 0), "empty"),
        ("local", LOADED % (b"stop", 0), "empty"),
        ("local", LOADED % (b"length", 0), "answered"),
        ("local", LOADED % (b"stop", 3), "answered"),
        ("ollama", choice("stop", content=""), "empty"),
        ("ollama", choice("stop", NO_TOKENS, content=None), "empty"),
        ("ollama", choice("tool_calls", NO_TOKENS), "empty"),
        ("ollama", choice("stop", FIGURES, content=""), "answered"),
        ("ollama", choice("stop", reasoning="hm"), "answered"),
        ("ollama", choice("tool_calls", tool_calls=[{"id": "a"}]), "answered"),
        ("ollama", choice("function_call", function_call={"name": "f"}), "answered"),
        ("ollama", choice("stop", reasoning_details=[{"type": "reasoning.encrypted"}]), "answered"),
        ("ollama", choice("stop", images=[{"type": "image_url"}]), "answered"),
        ("ollama", choice("length", NO_TOKENS, content=""), "answered"),
        ("ollama", choice("content_filter", content=""), "answered"),
    ],
)
def test_an_end_of_nothing_is_no_answer(sandbox: Sandbox, provider: str, frame: bytes, kind: str) -> None:
    document = frame.removeprefix(b"data: ")
    for reply in (raw(provider, frame), raw(provider, document, kind="application/json")):
        heard = send(sandbox, provider, reply)
        assert (heard.outcome.kind, heard.text) == (kind, "")
        assert heard.billed == (kind == "empty")


def test_a_stream_counts_where_a_document_was_asked_for(sandbox: Sandbox) -> None:
    heard = send(sandbox, "ollama", raw("ollama", delta("hel"), delta("lo", "stop"), DONE), stream=False)
    assert (heard.outcome.kind, heard.text) == ("answered", "hello")


def test_thoughts_are_not_passed_on(sandbox: Sandbox) -> None:
    thought = sse({"choices": [{"delta": {"reasoning": "hm"}, "finish_reason": None}]})
    heard = send(sandbox, "openrouter", raw("openrouter", thought, delta("42", "stop"), DONE))
    assert heard.text == "42"


# Failures: kind, reach, cooldown, billing of every fault that the sandbox knows

FAULTS = [
    ("ollama", "400", "bad_request", "request", None),
    ("ollama", "401", "unauthorized", "key", None),
    ("ollama", "402", "no_credit", "key_and_model", 3600),
    ("ollama", "403", "forbidden", "key_and_model", 3600),
    ("ollama", "404", "no_such_model", "model", 86_400),
    ("ollama", "410", "no_such_model", "model", 86_400),
    ("ollama", "429", "rate_limited", "account", 3600),
    ("ollama", "429retry=17", "rate_limited", "account", 17),
    ("ollama", "429retry=Mon, 23 Nov 2026 06:01:00 GMT", "rate_limited", "account", 60),
    ("ollama", "429reset=1795478400000", "rate_limited", "account", 64_800),
    ("ollama", "429retry=nan", "rate_limited", "account", 3600),
    ("ollama", "429slot", "rate_limited", "account", 300),
    ("ollama", "500", "server_error", "key_and_model", None),
    ("ollama", "502", "server_error", "key_and_model", None),
    ("ollama", "503", "unavailable", "key", 300),
    ("ollama", "503retry=9", "unavailable", "key", 9),
    ("ollama", "html403", "junk", "key_and_model", None),
    ("openrouter", "401", "unauthorized", "key", None),
    ("openrouter", "402", "no_credit", "account", 3600),
    ("openrouter", "402afford", "no_credit", "request", None),
    ("openrouter", "402limit", "no_credit", "key", 3600),
    ("openrouter", "402inflight", "rate_limited", "account", 5),
    ("openrouter", "403", "moderated", "request", None),
    ("openrouter", "moderation", "moderated", "request", None),
    ("openrouter", "404", "no_such_model", "model", 86_400),
    ("openrouter", "404policy", "unavailable", "request", None),
    ("openrouter", "429upstream", "rate_limited", "model", 17),
    ("openrouter", "429capacity", "rate_limited", "model", 40),
    ("openrouter", "503", "unavailable", "model", 300),
    ("openrouter", "529", "server_error", "key_and_model", None),
    ("openrouter", "error200", "server_error", "key_and_model", None),
    ("openrouter", "redirect", "redirected", "key_and_model", None),
    ("local", "404", "no_such_model", "model", None),
    ("local", "503", "unavailable", "key_and_model", None),
]


@pytest.mark.parametrize("stream", [True, False])
def test_every_fault_reaches_the_table(sandbox: Sandbox, stream: bool) -> None:  # noqa: FBT001
    for provider, fault, kind, reach, seconds in FAULTS:
        heard = send(sandbox, provider, f"{KEYS[provider]}={fault}:1", stream=stream)
        failure = heard.outcome.failure
        assert failure is not None, fault
        wait = None if failure.until is None else (failure.until - NOW).total_seconds()
        assert (failure.kind, failure.reach, wait, failure.billing) == (kind, reach, seconds, "nothing"), fault
        assert (heard.outcome.kind, heard.outcome.started, heard.pieces) == (kind, False, []), fault
    assert len(sandbox.chats()) == len(FAULTS)  # one attempt, one request


@pytest.mark.parametrize(
    ("provider", "fault", "kind"),
    [
        ("openrouter", "408", "timeout"),
        ("openrouter", "524", "timeout"),
        ("ollama", "504", "timeout"),
        ("ollama", "drop", "dropped"),
        ("ollama", "lost", "dropped"),
        ("ollama", "html200", "junk"),
        ("ollama", "junk", "junk"),
        ("openrouter", "slow=1.5", "timeout"),
    ],
)
def test_what_may_have_been_billed_says_so(sandbox: Sandbox, provider: str, fault: str, kind: str) -> None:
    patience = timedelta(seconds=0.5 if fault.startswith("slow") else 10)
    heard = send(sandbox, provider, f"{KEYS[provider]}={fault}", timeout=patience)
    assert (heard.outcome.kind, heard.billed, heard.outcome.started) == (kind, True, False)
    assert heard.outcome.failure is not None
    assert heard.outcome.failure.strike
    assert len(sandbox.chats()) == 1


def test_no_redirect_is_followed(sandbox: Sandbox) -> None:
    heard = send(sandbox, "ollama", "OLLAMA_API_KEY=redirect")
    assert (heard.outcome.kind, heard.outcome.status) == ("redirected", 302)
    assert [request.place for request in sandbox.requests] == ["internet"]


@pytest.mark.parametrize("provider", ["ollama", "openrouter", "local"])
@pytest.mark.parametrize("fault", ["cut", "unfinished", "errormid", "stall"])
def test_after_the_first_text_it_is_a_cut(sandbox: Sandbox, provider: str, fault: str) -> None:
    heard = send(sandbox, provider, f"{KEYS[provider]}={fault}", timeout=timedelta(seconds=0.5))
    assert (heard.outcome.kind, heard.outcome.started, heard.billed) == ("cut", True, True)
    assert heard.text.startswith("Sandbox")


def test_a_cut_keeps_what_its_reason_cools(sandbox: Sandbox) -> None:
    error = {"provider": "X", "error": {"code": 429, "message": "slow down", "metadata": {"retry_after_seconds": 17}}}
    heard = send(sandbox, "openrouter", raw("openrouter", delta("Hel"), sse(error)))
    failure = heard.outcome.failure
    assert failure is not None
    assert (heard.outcome.kind, failure.kind, failure.reach) == ("cut", "rate_limited", "model")
    assert failure.until == NOW + timedelta(seconds=17)


@pytest.mark.parametrize("before", [b"\n", b": hello\n\n", b"event: error\n", b"retry: 7\ndata:\n\n"])
@pytest.mark.parametrize("after", [b"\n", DONE])
def test_a_refusal_may_come_as_an_event(sandbox: Sandbox, before: bytes, after: bytes) -> None:
    error = {"error": {"code": 429, "message": "slow down", "metadata": {"retry_after_seconds": 17}}}
    heard = send(sandbox, "openrouter", raw("openrouter", before, sse(error), after, status=429))
    failure = heard.outcome.failure
    assert failure is not None
    assert (failure.kind, failure.until, failure.evidence) == ("rate_limited", NOW + timedelta(seconds=17), "slow down")


def test_an_error_chunk_that_comes_first_costs_nothing(sandbox: Sandbox) -> None:
    error = sse({"error": {"code": 502, "message": "Provider returned error"}, "choices": [{"finish_reason": "error"}]})
    heard = send(sandbox, "openrouter", raw("openrouter", b": OPENROUTER PROCESSING\n\n", error))
    assert (heard.outcome.kind, heard.outcome.started, heard.billed) == ("server_error", False, False)
    assert heard.evidence == "Provider returned error"


def test_an_error_after_thoughts_may_have_cost(sandbox: Sandbox) -> None:
    thought = sse({"choices": [{"delta": {"reasoning": "hm"}}]})
    heard = send(sandbox, "openrouter", raw("openrouter", thought, sse({"error": {"code": 502, "message": "x"}})))
    assert (heard.outcome.kind, heard.outcome.started, heard.billed) == ("server_error", False, True)


DEAR = {"prompt_tokens": 5, "completion_tokens": 900, "cost": 0.5}
SPENT = Usage(5, 900, Decimal("0.5"))
FAULT = {"code": 502, "message": "x"}
BROKEN: list[object] = [
    {"error": FAULT, "usage": DEAR, "choices": [{"delta": {"content": ""}, "finish_reason": "error"}]},
    {"usage": DEAR, "choices": [{"error": FAULT, "message": {"content": ""}, "finish_reason": "error"}]},
    {"error": FAULT, "usage": DEAR},
]


@pytest.mark.parametrize("error", BROKEN)
def test_an_error_that_tells_its_cost_is_believed(sandbox: Sandbox, error: object) -> None:
    document = json.dumps({"id": "g", **error}).encode()  # type: ignore[dict-item]  # they all are
    for reply in (
        raw("openrouter", b": OPENROUTER PROCESSING\n\n", b"data: " + document + b"\n\n", DONE),
        raw("openrouter", document, kind="application/json"),
        raw("openrouter", document, kind="application/json", status=502),
    ):
        heard = send(sandbox, "openrouter", reply)
        assert (heard.outcome.kind, heard.outcome.usage, heard.outcome.interim) == ("server_error", SPENT, False)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("said", [{"content": "hello"}, {"reasoning": "hm"}])
def test_an_error_beside_words_may_have_cost_and_nobody_sees_them(
    sandbox: Sandbox, said: dict[str, str], *, stream: bool
) -> None:
    event = {"error": {"code": 429, "message": "x"}, "choices": [{"delta" if stream else "message": said}]}
    reply = raw("openrouter", sse(event)) if stream else raw("openrouter", sse(event)[6:], kind="application/json")
    heard = send(sandbox, "openrouter", reply, stream=stream)
    assert (heard.outcome.kind, heard.billed, heard.text) == ("rate_limited", True, "")


def test_figures_right_behind_an_error_count_and_words_do_not(sandbox: Sandbox) -> None:
    error, figures = sse({"error": FAULT}), sse({"choices": [], "usage": DEAR})
    for frames in ((error, figures, DONE), (error + figures,), (error, delta("Hel"), figures, b"data: nonsense\n\n")):
        heard = send(sandbox, "openrouter", raw("openrouter", *frames))
        assert (heard.outcome.kind, heard.outcome.usage, heard.text) == ("server_error", SPENT, "")
    began = time.monotonic()
    heard = send(sandbox, "openrouter", raw("openrouter", error, Pause(30)), timeout=timedelta(seconds=30))
    assert (heard.outcome.kind, heard.outcome.usage) == ("server_error", None)
    assert time.monotonic() - began < 20, "nobody waits for them"


LAST = sse({"choices": [], "usage": DEAR})
AMID = sse({"choices": [{"delta": {"content": "Hel"}}], "usage": DEAR})
STOP = sse({"choices": [{"delta": {}, "finish_reason": "stop"}]})
STOP_WITH_FIGURES = sse({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": DEAR})


@pytest.mark.parametrize(
    ("frames", "interim"),
    [
        ((AMID,), True),
        ((AMID, delta("lo")), True),
        ((LAST,), True),
        ((AMID, sse({"error": FAULT})), True),
        ((LAST, sse({"error": FAULT})), False),
        ((AMID, STOP), True),
        ((AMID, STOP, Cut()), True),
        ((AMID, STOP, DONE), False),
        ((AMID, STOP_WITH_FIGURES), False),
        ((AMID, STOP, LAST), False),
        ((AMID, DONE), False),
        ((delta("Hel"), STOP, LAST, DONE), False),
        ((delta("Hel"), Cut()), False),
    ],
)
def test_figures_amid_an_answer_are_those_of_a_moment(
    sandbox: Sandbox, frames: tuple[bytes | Cut, ...], *, interim: bool
) -> None:
    assert send(sandbox, "openrouter", raw("openrouter", *frames)).outcome.interim is interim


@pytest.mark.parametrize(
    ("frames", "kind", "outcome"),
    [
        ((b"data: " + b"x" * 10_000_000 + b"\n\n",), "", "junk"),
        ((delta("Hel"), b"data: " + b"x" * 10_000_000), "", "cut"),
        ((b"data: nonsense\n\n",), "", "junk"),
        ((DONE,), "", "empty"),
        ((b"Too many requests",), "text/plain", "junk"),
        ((b"",), "", "dropped"),
        ((b" " * 1_000_000,), "", "junk"),
        ((b'{"hello": "world"}',), "application/json", "junk"),
        ((b'{"message": {"content": "hel"}, "done": false}',), "application/json", "junk"),
        ((b"[1, 2]",), "application/json", "junk"),
        ((b'{"choices": [{"mess',), "application/json", "junk"),
        ((b": comment\n\n", Cut()), "", "dropped"),
        ((b"<html><body>Sign in</body></html>",), "text/event-stream", "junk"),
    ],
)
def test_broken_answers(sandbox: Sandbox, frames: tuple[bytes | Cut, ...], kind: str, outcome: str) -> None:
    heard = send(sandbox, "ollama", raw("ollama", *frames, kind=kind))
    assert (heard.outcome.kind, heard.billed) == (outcome, True)


def test_a_native_stream_without_its_last_line_is_a_cut(sandbox: Sandbox) -> None:
    line = b'{"message": {"content": "Hel"}, "done": false}\n'
    assert send(sandbox, "local", raw("local", line)).outcome.kind == "cut"
    whole = send(sandbox, "local", raw("local", line, kind="application/json"))
    assert (whole.outcome.kind, whole.text) == ("junk", "")
    error = b'{"error": "an error was encountered while running the model"}\n'
    heard = send(sandbox, "local", raw("local", line, error))
    assert (heard.outcome.kind, heard.evidence) == ("cut", "an error was encountered while running the model")
    assert send(sandbox, "local", raw("local", error)).outcome.kind == "server_error"


def test_an_error_page_of_any_size_is_read_in_part(sandbox: Sandbox) -> None:
    page = b"<html>" + b"x" * 20_000_000
    heard = send(sandbox, "ollama", raw("ollama", page, kind="text/html", status=502))
    assert (heard.outcome.kind, heard.evidence) == ("junk", "an HTML page came instead of an answer")


# Secrets


@pytest.mark.parametrize("provider", ["ollama", "openrouter"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", ["echo", "echo200"])
def test_an_echoed_secret_is_seen_nowhere(sandbox: Sandbox, provider: str, fault: str, stream: bool) -> None:  # noqa: FBT001
    heard = send(sandbox, provider, f"{KEYS[provider]}={fault}", stream=stream)
    secret = sandbox.keys[KEYS[provider]]
    assert secret not in repr(heard)
    assert secret[-12:] not in repr(heard)
    assert secret not in heard.text
    assert heard.evidence or heard.text


def test_a_secret_split_over_chunks_and_headers_is_taken_out(sandbox: Sandbox) -> None:
    secret = sandbox.keys["OLLAMA_API_KEY"]
    frames = [delta(f"<{secret[:9]}"), delta(secret[9:15]), delta(f"{secret[15:]}>", secret), DONE]
    heard = send(sandbox, "ollama", raw("ollama", *frames))
    assert heard.outcome.kind == "answered"
    assert heard.text.startswith("<")
    assert heard.text.endswith(">")
    assert secret not in repr(heard)
    header = HttpReply(429, (json.dumps({secret: secret, "error": secret}).encode(),), (("Retry-After", secret),))
    assert secret not in repr(send(sandbox, "ollama", Fault.raw("OLLAMA_API_KEY", header)))


def test_a_secret_echoed_by_an_error_chunk_is_no_evidence(sandbox: Sandbox) -> None:
    secret = sandbox.keys["OLLAMA_API_KEY"]
    heard = send(sandbox, "ollama", raw("ollama", sse({"error": {"code": 500, "message": f"no {secret}!"}})))
    assert heard.outcome.kind == "server_error"
    assert heard.evidence.startswith("no ")
    assert secret not in repr(heard)


def test_text_that_begins_like_a_secret_comes_in_the_end(sandbox: Sandbox) -> None:
    begins = sandbox.keys["OLLAMA_API_KEY"][:9]
    assert send(sandbox, "ollama", raw("ollama", delta(begins, "stop"), DONE)).text == begins
    cut = send(sandbox, "ollama", raw("ollama", delta(f"Hello {begins}")))
    assert (cut.outcome.kind, cut.text) == ("cut", f"Hello {begins}")
    # Nobody has seen any of it: another key may still answer.
    held = send(sandbox, "ollama", raw("ollama", delta(begins)))
    assert (held.outcome.kind, held.outcome.started, held.billed, held.text) == ("dropped", False, True, "")


def test_terminal_control_does_not_pass(sandbox: Sandbox) -> None:
    heard = send(sandbox, "ollama", raw("ollama", delta("a\x1b["), delta("31mb\x9b2J\u202e", "stop"), DONE))
    assert heard.text == "ab"


def test_a_secret_goes_to_no_foreign_host(sandbox: Sandbox) -> None:
    for endpoint in ("https://api.ollama.cloud/v1", "http://ollama.com/v1", "https://ollama.com@127.0.0.1/v1"):
        with pytest.raises(SecretError) as raised:
            send(sandbox, "ollama", endpoints=(endpoint,))
        assert sandbox.keys["OLLAMA_API_KEY"] not in str(raised.value)


def test_a_secret_goes_to_no_other_provider(sandbox: Sandbox) -> None:
    with pytest.raises(SecretError):
        send(sandbox, "openrouter", secret=secret_of(sandbox, "ollama"))
    with pytest.raises(SecretError):
        send(sandbox, "local", secret=secret_of(sandbox, "ollama"))
    assert sandbox.requests == ()


def test_a_secret_that_no_header_can_carry_is_not_quoted(sandbox: Sandbox) -> None:
    with pytest.raises(SecretError) as raised:
        send(sandbox, "ollama", secret=Secret("line one\nline two", Provider.OLLAMA))
    assert "line one" not in str(raised.value)
    assert sandbox.requests == ()


@pytest.mark.parametrize(("privacy", "provider"), [("critical", "ollama"), ("high", "openrouter")])
def test_no_prompt_goes_where_its_level_forbids(sandbox: Sandbox, privacy: str, provider: str) -> None:
    with pytest.raises(ValueError, match=privacy):
        send(sandbox, provider, privacy=Privacy(privacy))
    assert sandbox.requests == ()


# The network


def closed_endpoint() -> str:
    """A loopback port that nobody listens on."""
    with Sandbox() as gone:
        return gone.local_endpoint


def test_a_refused_connection_is_the_endpoints_fault(sandbox: Sandbox) -> None:
    endpoints = (f"{closed_endpoint()}/v1", *sandbox.endpoints["ollama"])
    assert send(sandbox, "ollama", endpoints=endpoints).outcome.kind == "answered"
    assert len(sandbox.chats()) == 1


def test_a_sent_request_is_not_sent_to_the_next_endpoint(sandbox: Sandbox) -> None:
    assert send(sandbox, "ollama", "OLLAMA_API_KEY=lost").outcome.kind == "dropped"
    assert len(sandbox.chats()) == 1


@pytest.mark.parametrize("endpoint", ["", "http://no-such-host.invalid:9/v1"])
def test_unreachable(sandbox: Sandbox, endpoint: str) -> None:
    provider = "local" if endpoint else "ollama"
    heard = send(sandbox, provider, endpoints=(endpoint or f"{closed_endpoint()}/v1",))
    failure = heard.outcome.failure
    assert failure is not None
    assert (failure.kind, failure.reach, failure.until, heard.billed) == ("unreachable", "provider", None, False)
    assert "127.0.0.1" in failure.evidence or "no-such-host" in failure.evidence


def test_no_tls_is_nothing_sent(sandbox: Sandbox) -> None:
    endpoint = sandbox.endpoints["ollama"][0].replace("http://", "https://")
    heard = send(sandbox, "ollama", endpoints=(endpoint,), timeout=timedelta(seconds=0.5))
    assert (heard.outcome.kind, heard.billed) == ("unreachable", False)
    assert sandbox.requests == ()


def test_surroundings_do_not_steer_a_call(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dead = closed_endpoint()
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, dead)
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login thief password thief\nmachine 127.0.0.1 login thief password thief\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    assert send(sandbox, "ollama").outcome.kind == "answered"
    assert send(sandbox, "local").outcome.kind == "answered"
    first, second = sandbox.requests
    assert (first.key, second.with_authorization) == ("OLLAMA_API_KEY", False)


def test_a_proxy_is_asked_for_only_off_this_machine(sandbox: Sandbox) -> None:
    asked: list[str] = []

    def proxy_for(url: str) -> str:
        asked.append(url)
        return closed_endpoint()

    async def main() -> list[Outcome]:
        async with wire_for(sandbox, proxy_for) as wire:
            calls = [
                call_to(sandbox, "ollama"),
                call_to(sandbox, "local"),
                call_to(sandbox, "local", endpoints=("http://no-such-host.invalid:9",)),
                call_to(sandbox, "ollama", endpoints=("https://ollama.com/v1",)),
            ]
            return [await wire.send(call, lambda _: None) for call in calls]

    assert [outcome.kind for outcome in asyncio.run(main())] == ["answered", "answered", "unreachable", "unreachable"]
    assert asked == ["https://ollama.com/v1/chat/completions"]


def test_a_proxy_that_cannot_be_used_is_named_without_its_password(sandbox: Sandbox) -> None:
    async def main() -> None:
        async with wire_for(sandbox, lambda _: "socks9://me:hunter22@127.0.0.1:9") as wire:
            await wire.send(call_to(sandbox, "ollama", endpoints=("https://ollama.com/v1",)), lambda _: None)

    with pytest.raises(ConfigError) as raised:
        asyncio.run(main())
    assert "hunter22" not in str(raised.value)


LOGIN = "somebody:hunter2%2Fhunter2"
LOGINS = [LOGIN, unquote(LOGIN), "hunter2/hunter2", b64encode(unquote(LOGIN).encode()).decode()]


@pytest.mark.parametrize("words", LOGINS)
@pytest.mark.parametrize("reply", ["HTTP/1.1 407 no {}\r\nContent-Length: 0\r\n\r\n", "{}\r\n\r\n"])
def test_what_logs_in_to_a_proxy_is_not_repeated(sandbox: Sandbox, reply: str, words: str) -> None:
    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply.format(words).encode())
        await hang_up(writer)

    async def main() -> str:
        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        url = f"http://{LOGIN}@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        call = call_to(sandbox, "ollama", endpoints=("https://ollama.com/v1",))
        async with server, wire_for(sandbox, lambda _: url) as wire:
            outcome = await wire.send(call, lambda _: None)
            check = await wire.check_key(Provider.OLLAMA, call.endpoints, Secret("a-key-of-ollama", Provider.OLLAMA))
        return f"{outcome.failure} {check}"

    said = asyncio.run(main())
    assert "hunter2" not in said
    assert words not in said
    assert "127.0.0.1" in said or "ollama.com" in said


def test_certificates_that_cannot_be_read_are_the_users_to_mend(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    assert send(sandbox, "ollama").outcome.kind == "answered"  # loopback needs none
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        send(sandbox, "ollama", endpoints=("https://127.0.0.1:9/v1",))


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close, and be done with it before the loop is."""
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def left_by(sandbox: Sandbox, *sent_bytes: bytes, interrupt: bool) -> Outcome | None:
    """Call a server that sends some bytes and stays on the line. Fails unless the line is closed for it."""
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + b"".join(sent_bytes))
        await writer.drain()
        await reader.read()
        await hang_up(writer)
        left.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    heard = asyncio.Event()
    async with server, wire_for(sandbox) as wire:
        task = asyncio.create_task(wire.send(call_to(sandbox, "ollama", endpoints=(endpoint,)), lambda _: heard.set()))
        if interrupt:
            await heard.wait()
            task.cancel()
        await asyncio.wait({task})
        await asyncio.wait_for(left.wait(), 3)
    return None if task.cancelled() else task.result()


def test_an_interrupted_call_leaves_no_connection(sandbox: Sandbox) -> None:
    assert asyncio.run(left_by(sandbox, delta("Hel"), interrupt=True)) is None


def test_a_failed_call_leaves_no_connection(sandbox: Sandbox) -> None:
    outcome = asyncio.run(left_by(sandbox, b"data: nonsense\n\n", interrupt=False))
    assert outcome is not None
    assert outcome.kind == "junk"


def test_an_answer_is_over_when_it_says_so(sandbox: Sandbox) -> None:
    began = time.monotonic()
    outcome = asyncio.run(left_by(sandbox, delta("hello", "stop"), DONE, interrupt=False))
    assert outcome is not None
    assert outcome.kind == "answered"
    assert time.monotonic() - began < 4.9  # not the call's timeout of 5 s


def test_a_finished_answer_leaves_its_connection_for_the_next(sandbox: Sandbox) -> None:
    async def main() -> tuple[int, int]:
        connections, requests = 0, 0
        over = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections, requests
            connections += 1
            body = delta("hello", "stop") + DONE
            while head := await reader.read(65_536):
                requests += head.count(b"POST /v1/chat/completions")
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                writer.write(b"%x\r\n%s\r\n" % (len(body), body))
                await writer.drain()
                await asyncio.sleep(0.01)  # the end of the chunks comes a little after the end of the answer
                writer.write(b"0\r\n\r\n")
            await hang_up(writer)
            over.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with server:
            async with wire_for(sandbox) as wire:
                for _ in range(3):
                    await wire.send(call_to(sandbox, "ollama", endpoints=(endpoint,)), lambda _: None)
            await asyncio.wait_for(over.wait(), 3)
        return connections, requests

    assert asyncio.run(main()) == (1, 3)


def test_a_reader_that_goes_away_is_not_mistaken_for_the_network(sandbox: Sandbox) -> None:
    def closed_pipe(_text: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        using(sandbox, lambda wire: wire.send(call_to(sandbox, "ollama"), closed_pipe))


def test_many_calls_at_once_and_connections_used_again(sandbox: Sandbox) -> None:
    async def main() -> list[OutcomeKind]:
        async with wire_for(sandbox) as wire:
            outcomes: list[Outcome] = []
            for _ in range(3):
                patient = call_to(sandbox, "ollama", timeout=timedelta(minutes=1))
                calls = (wire.send(patient, lambda _: None) for _ in range(50))
                outcomes += await asyncio.gather(*calls)
            return [outcome.kind for outcome in outcomes]

    assert set(asyncio.run(main())) == {"answered"}
    assert len(sandbox.chats()) == 150
