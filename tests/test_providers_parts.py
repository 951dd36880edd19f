"""The parts of the wire that touch no network: bodies, events, figures."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Price, Privacy, Provider
from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.edges.http.event_stream import (
    END,
    LONGEST_LINE_BYTES,
    EventReader,
    Frame,
    MalformedStream,
    frame_of,
    parse,
)
from lollmsbot_keys.edges.http.exchange import Exchange, Response, Stalled
from lollmsbot_keys.edges.providers.answer_stream import Reading, read_answer
from lollmsbot_keys.edges.providers.call import Call, ChatMessage
from lollmsbot_keys.edges.providers.dialects import Dialect, chat_body, chat_url, dialect_of, piece_of
from lollmsbot_keys.edges.providers.usage import native_usage, openai_usage
from lollmsbot_keys.edges.secrets import Scrubber


def call(
    provider: str = "openrouter",
    *,
    model: str = "a/b",
    privacy: str = "medium",
    free: bool = False,
    stream: bool = True,
    temperature: float | None = None,
    text: str = "Hi",
) -> Call:
    return Call(
        provider=Provider(provider),
        model=model,
        endpoints=(),
        secret=None,
        messages=(ChatMessage("system", "Be kind."), ChatMessage("user", text)),
        max_output_tokens=99,
        temperature=temperature,
        privacy=Privacy(privacy),
        free=free,
        price=Price(Decimal("0.375"), Decimal("2.025")),
        stream=stream,
        timeout=timedelta(seconds=5),
    )


def sent(dialect: Dialect, what: Call, endpoint: str = "https://openrouter.ai/api/v1") -> dict[str, object]:
    body = json.loads(chat_body(dialect, endpoint, what))
    assert isinstance(body, dict)
    return body


@pytest.mark.parametrize(
    ("provider", "endpoint", "dialect", "url"),
    [
        ("ollama", "https://ollama.com/v1", Dialect.OPENAI, "https://ollama.com/v1/chat/completions"),
        ("ollama", "https://ollama.com/v1/", Dialect.OPENAI, "https://ollama.com/v1/chat/completions"),
        ("ollama", "https://ollama.com/api", Dialect.NATIVE, "https://ollama.com/api/chat"),
        ("local", "http://127.0.0.1:11434", Dialect.NATIVE, "http://127.0.0.1:11434/api/chat"),
        ("local", "http://127.0.0.1:11434/", Dialect.NATIVE, "http://127.0.0.1:11434/api/chat"),
        ("local", "http://[::1]:8080/v1", Dialect.OPENAI, "http://[::1]:8080/v1/chat/completions"),
        (
            "openrouter",
            "https://openrouter.ai/api/v1",
            Dialect.OPENROUTER,
            "https://openrouter.ai/api/v1/chat/completions",
        ),
    ],
)
def test_the_endpoint_names_the_dialect(provider: str, endpoint: str, dialect: Dialect, url: str) -> None:
    assert dialect_of(Provider(provider), endpoint) is dialect
    assert chat_url(dialect, endpoint) == url


def test_what_openrouter_is_sent() -> None:
    assert sent(Dialect.OPENROUTER, call(temperature=0.5)) == {
        "model": "a/b",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}],
        "stream": True,
        "max_tokens": 99,
        "temperature": 0.5,
        "provider": {
            "max_price": {"prompt": 0.375, "completion": 2.025, "request": 0},
            "data_collection": "deny",
        },
    }


def test_free_and_low_calls_make_no_promise_of_privacy() -> None:
    assert sent(Dialect.OPENROUTER, call(free=True))["provider"] == {
        "max_price": {"prompt": 0, "completion": 0, "request": 0}
    }
    terms = sent(Dialect.OPENROUTER, call(privacy="low"))["provider"]
    assert isinstance(terms, dict)
    assert "data_collection" not in terms


def test_what_ollama_is_sent() -> None:
    streamed = sent(Dialect.OPENAI, call("ollama", model="gpt-oss:120b-cloud"), "https://ollama.com/v1")
    assert (streamed["model"], streamed["max_tokens"]) == ("gpt-oss:120b", 99)
    assert "provider" not in streamed
    native = sent(Dialect.NATIVE, call("ollama", model="glm-5.2:cloud", temperature=0, stream=False))
    assert (native["model"], native["stream"]) == ("glm-5.2", False)
    assert native["options"] == {"num_predict": 99, "temperature": 0}


@pytest.mark.parametrize(
    ("provider", "endpoint", "stream", "asked"),
    [
        ("ollama", "https://ollama.com/v1", True, True),
        ("ollama", "https://ollama.com/v1", False, False),
        ("ollama", "https://ollama.com/api", True, False),
        ("local", "http://127.0.0.1:8080/v1", True, True),  # llama.cpp's server
        ("openrouter", "http://127.0.0.1:4000/v1", True, True),  # a LiteLLM proxy
        ("openrouter", "http://127.0.0.1:4000/v1", False, False),
        ("openrouter", "https://relay.example/openrouter.ai/api/v1", True, True),
        ("openrouter", "https://openrouter.ai/api/v1", True, False),
        ("openrouter", "https://eu.openrouter.ai/api/v1", True, False),
    ],
)
def test_whoever_needs_it_is_asked_for_the_usage(provider: str, endpoint: str, *, stream: bool, asked: bool) -> None:
    dialect = dialect_of(Provider(provider), endpoint)
    options = sent(dialect, call(provider, stream=stream), endpoint).get("stream_options")
    assert options == ({"include_usage": True} if asked else None)


def test_a_local_daemon_knows_its_models_by_their_whole_names() -> None:
    assert sent(Dialect.NATIVE, call("local", model="gpt-oss:120b-cloud"))["model"] == "gpt-oss:120b-cloud"


def test_half_a_character_from_a_shell_does_no_harm() -> None:
    messages = sent(Dialect.OPENAI, call(text="a\udcffb"))["messages"]
    assert isinstance(messages, list)
    assert messages[1]["content"] == "a?b"


# Figures


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 1}, Usage(9, 1)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": "2", "audio_tokens": 9},
            },
            Usage(9, 1, None, 5, 2),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": -5}}, Usage(9, 1)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": None}, Usage(9, 1)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": [5]}, Usage(9, 1)),
        ({"prompt_tokens": "9", "completion_tokens": Decimal("1.0")}, Usage(9, 1)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cost": Decimal("0.0000012")}, Usage(9, 1, Decimal("0.0000012"))),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cost": 0}, Usage(9, 1, Decimal(0))),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cost": None}, Usage(9, 1)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cost": Decimal("1e7")}, Usage(9, 1)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cost": Decimal(-1)}, Usage(9, 1)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cost": "NaN"}, Usage(9, 1)),
        ({"prompt_tokens": -9, "completion_tokens": 1}, None),
        ({"prompt_tokens": 9}, None),
        ({"prompt_tokens": True, "completion_tokens": 1}, None),
        ({"prompt_tokens": Decimal("1e999999999"), "completion_tokens": 1}, None),
        ({"cost": Decimal("0.5")}, Usage(0, 0, Decimal("0.5"))),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 1,
                "cost": Decimal("0.01"),
                "is_byok": True,
                "cost_details": {"upstream_inference_cost": Decimal("0.2")},
            },
            Usage(9, 1, Decimal("0.21")),
        ),
        # What nobody means: written out, some of these have a million digits and some a billion.
        ({"prompt_tokens": 9, "completion_tokens": 1, "cost": Decimal("1e-3000000")}, Usage(9, 1)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cost": "1e-31"}, Usage(9, 1)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cost": Decimal("0." + "1" * 99)}, Usage(9, 1)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cost": "1_0"}, Usage(9, 1)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cost": "\u0661"}, Usage(9, 1)),
        # The fee alone would understate what one's own key was billed.
        ({"prompt_tokens": 9, "completion_tokens": 1, "cost": Decimal("0.01"), "is_byok": True}, Usage(9, 1)),
    ],
)
def test_openai_usage(usage: dict[str, object], expected: Usage | None) -> None:
    assert openai_usage(usage) == expected


def test_a_count_that_ollama_leaves_out_is_zero_only_where_nothing_is_paid() -> None:
    assert native_usage({"prompt_eval_count": 11, "eval_count": 2}, local=False) == Usage(11, 2)
    assert native_usage({"eval_count": 2}, local=False) is None
    assert native_usage({"eval_count": 2}, local=True) == Usage(0, 2)
    counts: dict[str, object] = {"prompt_eval_count": 9, "eval_count": 2, "prompt_eval_cached_count": 7}
    assert native_usage(counts, local=False) == Usage(9, 2, None, 7)
    assert native_usage({**counts, "prompt_eval_cached_count": "many"}, local=False) == Usage(9, 2)
    assert native_usage({}, local=True) is None


def test_a_zero_has_no_places() -> None:
    found = openai_usage({"prompt_tokens": 9, "completion_tokens": 1, "cost": Decimal("0e-3000000")})
    assert found is not None
    assert f"{found.cost_usd:f}" == "0"


@given(st.recursive(st.none() | st.integers() | st.text(max_size=9) | st.decimals(), lambda x: st.lists(x, max_size=2)))
def test_no_figure_is_believed_that_cannot_be(value: object) -> None:
    found = openai_usage({"prompt_tokens": value, "completion_tokens": value, "cost": value})
    if found is not None:
        assert 0 <= found.prompt_tokens <= 10**9
        assert found.cost_usd is None or 0 <= found.cost_usd <= 10**6
        assert found.cost_usd is None or len(f"{found.cost_usd:f}") <= 80


# Pieces


def test_thoughts_are_not_text() -> None:
    thinking: dict[str, object] = {"choices": [{"delta": {"reasoning": "hm", "content": ""}, "finish_reason": None}]}
    piece = piece_of(Dialect.OPENROUTER, thinking, local=False)
    assert (piece.text, piece.begun) == ("", True)
    native = piece_of(Dialect.NATIVE, {"message": {"thinking": "hm", "content": ""}, "done": False}, local=False)
    assert (native.text, native.begun, native.finish) == ("", True, None)


def test_parts_of_a_message_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}, None]
    assert piece_of(Dialect.OPENAI, {"choices": [{"message": {"content": parts}}]}, local=False).text == "ab"


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"code": 502}},
        {"error": "x"},
        {"choices": [{"error": {"code": 502}, "finish_reason": "error"}]},
        {"choices": [{"delta": {}, "finish_reason": "error"}]},
    ],
)
def test_an_error_is_found_wherever_it_is(event: dict[str, object]) -> None:
    error = piece_of(Dialect.OPENROUTER, event, local=False).error
    assert isinstance(error, dict)
    assert error["error"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "message", "content", "error", "usage", "finish_reason", "done", "id"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["choices", "message", "error", "usage", "done"]), JSON), st.sampled_from(Dialect)
)
def test_any_event_reads(event: dict[str, object], dialect: Dialect) -> None:
    assert isinstance(piece_of(dialect, event, local=False).text, str)


# Lines


def events(*chunks: bytes) -> list[object]:
    reader = EventReader()
    found: list[object] = [event for chunk in chunks for event in reader.feed(chunk)]
    return found + list(reader.close())


STREAM = (
    b"\xef\xbb\xbf: OPENROUTER PROCESSING\r\n\r\nid: 7\r\nretry: 10\r\n"
    + 'data: {"a": "Grüße 👋"}\r\n\r\ndata:{"b":\r\ndata: 2}\r\n\r\n: \r\n'.encode()
    + b'{"c": 3.10}\r\n\r\ndata: [DONE]\r\n\r\n'
)
MEANT = [{"a": "Grüße 👋"}, {"b": 2}, {"c": Decimal("3.10")}, END]


@pytest.mark.parametrize("ending", [b"\r\n", b"\n", b"\r"])
def test_every_line_ending_and_every_split_gives_the_same_events(ending: bytes) -> None:
    stream = STREAM.replace(b"\r\n", ending)
    assert events(stream) == MEANT
    assert events(*(bytes([byte]) for byte in stream)) == MEANT
    for place in range(len(stream)):
        assert events(stream[:place], stream[place:]) == MEANT


def test_an_event_is_out_as_soon_as_its_line_has_an_end() -> None:
    reader = EventReader()
    fed = [list(reader.feed(chunk)) for chunk in (b'{"a":', b" 1}\r", b'\n{"b"', b": 2}\n", b'{"c": 3}\r\n')]
    assert fed == [[], [{"a": 1}], [], [{"b": 2}], [{"c": 3}]]
    fed = [
        list(reader.feed(chunk)) for chunk in (b'data: {"a": 1}\r', b"\n\r", b'\ndata: {"b": 2}\r\r', b"data: [DONE]\n")
    ]
    assert fed == [[], [{"a": 1}], [{"b": 2}], [END]]


A, B = b'data: {"a": 1}\n\n', b'data: {"b": 2}\n\n'
EVENT_STREAMS = [
    # What the HTML standard says of event streams, and what the Web Platform Tests try (eventsource/format-*).
    (b"data\n\n", []),
    (b"data:\n\ndata\ndata\n\n" + A, [{"a": 1}]),
    (A + b"data:   \n\n" + B, [{"a": 1}, {"b": 2}]),
    (A + b"event: ping\ndata:\n\nid: 5\ndata: \n\n" + B, [{"a": 1}, {"b": 2}]),
    (A + b"event: ping\n\nevent\nid\nretry\ndata: 7\n\n", "no JSON object"),
    (A + b"event: ping\ndata: 2026-12-01 12:00:00.1\n\n" + B, [{"a": 1}, {"b": 2}]),
    (b'event: trace\ndata: ["a",1]\n\n' + A, [{"a": 1}]),
    (b'data: {"a": 1}\nevent: trace\n\n' + B, [{"b": 2}]),
    (b'event: trace\ndata: {"error": "of the trace"}\n\n' + A, [{"a": 1}]),
    (b'event: chunk\ndata: {"choices": []}\n\n', [{"choices": []}]),
    (b'event: message\ndata: {"a": 1}\n\nevent: \n' + B, [{"a": 1}, {"b": 2}]),
    (b"event: a\nevent: message\n" + A, [{"a": 1}]),
    (b"foo: bar\n" + A + b"justsometext\nFoo\n" + B, [{"a": 1}, {"b": 2}]),
    (b'data: {"a":\n data: 5\nData: 6\nda-ta: 7\ndata\ndata_: 8\ndata:1\ndata:}\n\n', [{"a": 1}]),
    (b":\n:data: 1\n: " + b"x" * 5000 + b"\ndata:" + b'{"a": 1}\n:\n\n', [{"a": 1}]),
    (b'data:\t{"a":\r\ndata: \ndata:1}\r\n\r', [{"a": 1}]),
    (b"\xef\xbb\xbf" + A + b"\xef\xbb\xbf" + B + A, [{"a": 1}, {"a": 1}]),
    (b'id: 1\x00\nretry: soon\ndata: {"a": "\xff"}\n\n', [{"a": "\ufffd"}]),
    (b"\n\n\n" + A + b"\n\n", [{"a": 1}]),
    (b'data: {"a": [\n' + b"data: 0,\n" * 5000 + b"data: 1]}\n\n", [{"a": [0] * 5000 + [1]}]),
    # What is no error but says so, and errors without an object.
    (b'event: error\ndata: {"message": "no"}\n\n' + A, [{"error": {"message": "no"}}, {"a": 1}]),
    (b'event: error\ndata: {"error": "no", "code": 1}\n\n', [{"error": "no", "code": 1}]),
    (b'data: {"message": "no"}\nevent: error\n\n', [{"error": {"message": "no"}}]),
    (b"event: error\ndata: overloaded\n\n", [{"error": "overloaded"}]),
    (b"event: Error\ndata\n\n", [{"error": "no words"}]),
    # What is not the standard's, and is sent all the same.
    (b'data: {"a": 1}\ndata: {"b": 2}\ndata: [DONE]\n', [{"a": 1}, {"b": 2}, END]),
    (b'data: {"a": 1}\r\rdata: [DONE]', [{"a": 1}, END]),
    (b"event: done\ndata: [DONE]\n\n", [END]),
    (A + b"data: null\n\n" + B + b'data: ""\n\n', [{"a": 1}, {"b": 2}]),
    (b' {"a": 1}\n\n{"b": 2}', [{"a": 1}, {"b": 2}]),
    (b'\x1e{"a": 1}\n\x1e{"b": 2}\n', [{"a": 1}, {"b": 2}]),  # RFC 7464, application/json-seq
    (b'{"a": 1}\n{"b"', [{"a": 1}]),
    (A + b'data: {"b"', [{"a": 1}]),
    (A + b'data: {"b": 2}', [{"a": 1}, {"b": 2}]),
]


@pytest.mark.parametrize(("stream", "meant"), EVENT_STREAMS)
def test_a_stream_of_events_reads_as_the_standard_says(stream: bytes, meant: list[object] | str) -> None:
    for ending in (b"\n", b"\r\n", b"\r"):
        sent = re.sub(rb"\r\n|\n|\r", ending, stream)
        for chunks in ([sent], [bytes([byte]) for byte in sent[:2000]] + [sent[2000:]]):
            if isinstance(meant, str):
                with pytest.raises(MalformedStream, match=meant):
                    events(*chunks)
            else:
                assert events(*chunks) == meant


def dressed(draw: st.DrawFn, event: dict[str, object]) -> list[bytes]:
    """The lines of one event, as senders of many kinds have them."""
    noise = [b"", b":", b": ping", b"id: 7", b"id", b"retry: 1", b"data", b"data:", b"data:   ", b"event: message"]
    noise += [b"event", b"foo: bar", b"\x00", b"justsometext", b" data: 1"]
    between = st.lists(st.sampled_from(noise), max_size=2)
    text = json.dumps(event, ensure_ascii=False, indent=draw(st.none() | st.integers(0, 3))).encode()
    lines = [b"data:" + b" " * draw(st.integers(0, 2)) + line for line in text.split(b"\n")]
    foreign = draw(st.sampled_from([[], [b"event: trace", b"data: [1]", b""], [b"data: 7", b"event: x", b""]]))
    inside = [line for each in lines for line in (*(n for n in draw(between) if n), each)]
    return [*draw(between), b"", *foreign, *inside, *(n for n in draw(between) if n), b""]


@given(st.data(), st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.integers()), max_size=4))
def test_however_events_are_dressed_and_split_they_are_the_same(
    data: st.DataObject, said: list[dict[str, object]]
) -> None:
    wrap = st.composite(dressed)
    lines = [line for event in said for line in data.draw(wrap(event))]
    ending = data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    stream = b"".join(line + ending for line in (*lines, b"", b"data: [DONE]", b""))
    places = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    chunks = [stream[a:b] for a, b in pairwise([0, *places, len(stream)])]
    assert events(*chunks) == [*said, END]


@pytest.mark.parametrize(
    "stream",
    [
        b"data: nonsense\n\n",
        b"data: [1]\n\n",
        b"event: message\ndata: nonsense\n\n",
        b"hello\n",
        b"Too many\nrequests",
        b'data: {"a":\n\n',
        b'{"a": NaN}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"x" * (LONGEST_LINE_BYTES + 1),
        (b"data: " + b"x" * 1_000_000 + b"\n") * 5,
        b"data: " + (b"[" * 4000 + b"\ndata: ") * 1100,
        b"event: trace\n" + b"data: " + (b"[" * 4000 + b"\ndata: ") * 1100,
    ],
)
def test_what_makes_no_sense_is_refused(stream: bytes) -> None:
    with pytest.raises(MalformedStream):
        events(stream)


def test_a_line_without_an_end_is_not_awaited() -> None:
    reader = EventReader()
    assert list(reader.feed(b"x" * LONGEST_LINE_BYTES)) == []
    with pytest.raises(MalformedStream):
        list(reader.feed(b"x"))


@pytest.mark.parametrize("text", ["NaN", "Infinity", "[" * 100_000, "1" * 5_000, "", "{"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(MalformedStream):
        parse(text)


@pytest.mark.parametrize(
    ("content_type", "first", "streamed", "frame"),
    [
        ("text/event-stream; charset=utf-8", b"", True, Frame.LINES),
        ("application/x-ndjson", b"{", True, Frame.LINES),
        ("application/json", b"{", True, Frame.DOCUMENT),
        ("Application/JSON; charset=utf-8", b"{", False, Frame.DOCUMENT),
        ("application/json", b"data: {", True, Frame.LINES),
        ("text/html", b"", True, Frame.PAGE),
        ("text/html", b"Not allowed", True, Frame.PAGE),
        ("text/html; charset=UTF-8", b"\n<html>", True, Frame.PAGE),
        ("text/html; charset=UTF-8", b": hello\n", True, Frame.LINES),
        ("text/html; charset=UTF-8", b'{"choices', False, Frame.DOCUMENT),
        ("application/json", b"event: x\n", False, Frame.LINES),
        ("application/json", b"[", True, Frame.DOCUMENT),
        ("application/json", b" <!doctype html>", True, Frame.PAGE),
        ("text/event-stream", b"\n<html>", True, Frame.PAGE),
        ("", b"{", False, Frame.DOCUMENT),
        ("text/plain", b"{", True, Frame.LINES),
        ("", b"data: {", False, Frame.LINES),
    ],
)
def test_how_a_body_is_divided(content_type: str, first: bytes, streamed: bool, frame: Frame) -> None:  # noqa: FBT001
    assert frame_of(content_type, first, streamed=streamed) is frame


# Patience


def heard(chunk: bytes, times: int, kind: str) -> Reading:
    """An answer of that chunk, so many times, in which no word may take longer than a third of a second."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(times):
            yield chunk
            await asyncio.sleep(0.01)

    async def main() -> Reading:
        exchange = Exchange("POST", "http://127.0.0.1:9/", {}, b"", timedelta(seconds=0.01))
        response = Response(exchange, 200, [(b"content-type", kind.encode())], chunks())
        reading = Reading(Dialect.OPENROUTER, Scrubber().stream(), lambda _: None, local=False)
        await read_answer(response, reading, streamed=True)
        return reading

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("chunk", "kind"),
    [
        (b": OPENROUTER PROCESSING\n\n", "text/event-stream"),
        (b"\n", "text/event-stream"),
        (b" ", "application/json"),
        (b'data: {"choices": [{"delta": {"role": "assistant", "content": ""}}]}\n\n', "text/event-stream"),
        (b"data: {}\n\n", "text/event-stream"),
    ],
)
def test_signs_of_life_are_not_waited_on_for_ever(chunk: bytes, kind: str) -> None:
    with pytest.raises(Stalled):
        heard(chunk, 300, kind)


def test_behind_the_finish_signs_of_life_buy_no_time() -> None:
    """All of it is there: what may come are its figures, and nobody waits an hour for them."""
    finished = b'data: {"choices": [{"delta": {"content": "hello"}, "finish_reason": "stop"}]}\n\n'

    async def chunks() -> AsyncIterator[bytes]:
        yield finished
        while True:
            yield b"data:\n\n"
            await asyncio.sleep(0.01)

    async def main() -> Reading:
        exchange = Exchange("POST", "http://127.0.0.1:9/", {}, b"", timedelta(seconds=0.2))
        response = Response(exchange, 200, [(b"content-type", b"text/event-stream")], chunks())
        reading = Reading(Dialect.OPENAI, Scrubber().stream(), lambda _: None, local=False)
        with pytest.raises(Stalled):
            async with asyncio.timeout(exchange.wordless_s - 1):
                await read_answer(response, reading, streamed=True)
        return reading

    assert asyncio.run(main()).whole


def test_each_word_buys_time() -> None:
    word = b': OPENROUTER PROCESSING\n\ndata: {"choices": [{"delta": {"reasoning": "hm"}}]}\n\n'
    assert heard(word, 80, "text/event-stream").words == 80
