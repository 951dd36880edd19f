"""Every row of the failure table, with the statuses and bodies that providers were seen to send."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lollmsbot_keys.core.failures.error_body import quotes, symptoms
from lollmsbot_keys.core.failures.table import TABLE, classifier, classify
from lollmsbot_keys.core.model.config import Cooldowns, Provider
from lollmsbot_keys.core.model.outcome import Billing, Failure
from lollmsbot_keys.core.model.reply import Reply, Trouble

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
COOLDOWNS = Cooldowns(timedelta(hours=1), timedelta(minutes=5), timedelta(days=8))
HOUR, SHORT, DAY = timedelta(hours=1), timedelta(minutes=5), timedelta(days=1)
MIDNIGHT = "1795478400000"  # 2026-11-24T00:00:00Z


class Want(NamedTuple):
    kind: str
    reach: str
    wait: timedelta | None = None
    source: str = ""
    flags: frozenset[str] = frozenset()


def want(kind: str, reach: str, wait: timedelta | None = None, source: str = "", *flags: str) -> Want:
    return Want(kind, reach, wait, source or ("default" if wait else ""), frozenset(flags))


def got(failure: Failure) -> Want:
    flags = {name for name in ("final", "strike") if getattr(failure, name)}
    if failure.billing is Billing.POSSIBLY:
        flags.add("billed")
    wait = None if failure.until is None else failure.until - NOW
    return Want(failure.kind, failure.reach, wait, failure.source, frozenset(flags))


def judged(what: Reply | Trouble, provider: str = "openrouter", *, free: bool = False, detail: str = "") -> Failure:
    return classify(what, Provider(provider), free=free, cooldowns=COOLDOWNS, now=NOW, detail=detail)


def reply(status: int, body: object = "", html: bool = False, **headers: str) -> Reply:  # noqa: FBT001, FBT002
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, html)


def said(message: str, **metadata: object) -> dict[str, object]:
    return {"error": {"message": message, "metadata": metadata}}


OLLAMA: list[tuple[int, str, Want]] = [
    (401, "unauthorized", want("unauthorized", "key")),
    (402, "this model is not included in your free usage; add credits", want("no_credit", "key_and_model", HOUR)),
    (403, "this model requires a subscription, upgrade for access", want("forbidden", "key_and_model", HOUR)),
    (404, 'model "nope" not found', want("no_such_model", "model", DAY)),
    (410, "this model was retired", want("no_such_model", "model", DAY)),
    (429, "you (someuser) have reached your weekly usage limit", want("rate_limited", "account", HOUR)),
    (429, "you've reached your hourly usage limit, please wait", want("rate_limited", "account", HOUR)),
    (429, "timed out waiting for a concurrent request slot", want("rate_limited", "account", SHORT)),
    (429, "too many concurrent requests", want("rate_limited", "account", SHORT)),
    (500, "Internal Server Error (ref: 1)", want("server_error", "key_and_model", None, "", "strike")),
    (502, "cannot be reached", want("server_error", "key_and_model", None, "", "strike")),
    (503, "Server overloaded, please retry shortly (ref: 1)", want("unavailable", "key", SHORT)),
    (504, "timeout", want("timeout", "key_and_model", None, "", "strike", "billed")),
    (400, "invalid temperature", want("bad_request", "request", None, "", "final")),
    (400, '"x" is not a valid model ID', want("no_such_model", "model", DAY)),
    (418, "teapot", want("junk", "key_and_model", None, "", "strike")),
]


@pytest.mark.parametrize(("status", "text", "expected"), OLLAMA)
@pytest.mark.parametrize("shape", ["string", "object"])
def test_ollama(status: int, text: str, expected: Want, shape: str) -> None:
    error: object = text if shape == "string" else {"message": text, "type": "api_error", "param": None, "code": None}
    assert got(judged(reply(status, {"error": error}), "ollama")) == expected


AFFORD = "This request requires more credits, or fewer max_tokens. You requested up to 9, but can only afford 7."
AVAILABLE = {"code": "capacity_exhausted", "retryable": True, "retry_after": 40}
OPENROUTER: list[tuple[Reply, Want]] = [
    (reply(401, said("User not found.")), want("unauthorized", "key")),
    (
        reply(402, said("Insufficient credits.", limit_source="openrouter_credits")),
        want("no_credit", "account", HOUR),
    ),
    (reply(402, said("Insufficient credits.")), want("no_credit", "account", HOUR)),
    (reply(402, said("Spent.", limit_source="openrouter_key_limit")), want("no_credit", "key", HOUR)),
    (
        reply(402, said("Wait.", limit_source="openrouter_in_flight_budget"), retry_after="9"),
        want("rate_limited", "account", timedelta(seconds=9), "Retry-After"),
    ),
    (
        reply(402, said("Wait.", limit_source="openrouter_credits", reason="in_flight_budget_exhausted")),
        want("rate_limited", "account", SHORT),
    ),
    (reply(402, said(AFFORD)), want("no_credit", "request")),
    (
        reply(402, said("Too dear.", limit_source="openrouter_credits", reason="weight_exceeds_budget")),
        want("no_credit", "request"),
    ),
    (
        reply(403, said("It requires moderation", reasons=["violence"], flagged_input="…")),
        want("moderated", "request", None, "", "final"),
    ),
    (
        reply(403, said("Request blocked: prompt injection patterns detected", patterns=["ignore all"])),
        want("moderated", "request", None, "", "final"),
    ),
    (
        reply(400, said("No.", error_type="content_policy_violation")),
        want("moderated", "request", None, "", "final"),
    ),
    (reply(403, said("Key limit exceeded (total limit).")), want("no_credit", "key", HOUR)),
    (
        reply(403, said("Budget.", limit_source="openrouter_workspace_budget", resets_at="2026-11-24T00:00:00Z")),
        want("no_credit", "key", timedelta(hours=18), "resets_at in the body"),
    ),
    (reply(403, said("Not for you.")), want("forbidden", "key_and_model", HOUR)),
    (
        reply(403, {"error": {"message": "No.", "availability": {"code": "region_restricted"}}}),
        want("forbidden", "key_and_model", HOUR),
    ),
    (reply(404, said("No endpoints found for x:free.")), want("no_such_model", "model", DAY)),
    (
        reply(404, said("No endpoints found matching your data policy (Free model publication).")),
        want("unavailable", "request"),
    ),
    (
        reply(404, {"error": {"message": "No.", "availability": {"code": "constraint_filtered"}}}),
        want("unavailable", "request"),
    ),
    # The settings of one account: another key may do it, and nothing is known of the model.
    (
        reply(404, said("No allowed providers are available for the selected model.", available_providers=["x"])),
        want("unavailable", "request"),
    ),
    (reply(404, said("No allowed providers are available for the selected model.")), want("unavailable", "request")),
    (reply(404, said("No endpoints.", available_providers=["x"])), want("unavailable", "request")),
    (
        reply(404, said("All providers have been ignored. Change it: https://openrouter.ai/settings/preferences")),
        want("unavailable", "request"),
    ),
    (
        reply(404, said("No endpoints found matching your data policy (Zero data retention).")),
        want("unavailable", "request"),
    ),
    (reply(404, said("No endpoints found that allow zero data retention")), want("unavailable", "request")),
    (reply(404, said("No endpoints found that are ZDR")), want("unavailable", "request")),
    (reply(404, said("This account is for zero-data-retention providers only")), want("unavailable", "request")),
    (reply(404, said("See https://openrouter.ai/settings/privacy")), want("unavailable", "request")),
    (reply(404, said("No endpoints found that can handle the requested parameters.")), want("unavailable", "request")),
    (reply(402, said("Blocked by your data policy")), want("unavailable", "request")),
    # The size of this request, for what this key has.
    (
        reply(402, said("Prompt tokens limit exceeded: 12345 > 9000. Upgrade to a paid account")),
        want("unavailable", "request"),
    ),
    (reply(404, said("Prompt tokens limit exceeded: 12345 > 9000.")), want("unavailable", "request")),
    (reply(402, said("It would pass the token capacity of your plan")), want("unavailable", "request")),
    (reply(404, said(AFFORD)), want("no_credit", "request")),
    # What no key can make it do.
    (reply(404, said("No endpoints found that support tool use.")), want("unavailable", "model")),
    (
        reply(404, {"error": {"message": "No.", "availability": {"code": "privacy_restricted"}}}),
        want("unavailable", "request"),
    ),
    (
        reply(400, {"error": {"message": "No.", "availability": {"code": "wrong_endpoint"}}}),
        want("unavailable", "request"),
    ),
    (
        reply(404, {"error": {"message": "No.", "availability": {"code": "free_variant_ended"}}}),
        want("no_such_model", "model", DAY),
    ),
    (
        reply(400, {"error": {"message": "No.", "availability": {"code": "model_not_found"}}}),
        want("no_such_model", "model", DAY),
    ),
    (reply(400, said("a/b is not a valid model ID")), want("no_such_model", "model", DAY)),
    (
        reply(400, said("Too long", error_type="context_length_exceeded")),
        want("bad_request", "request", None, "", "final"),
    ),
    (reply(412, said("No.")), want("bad_request", "request", None, "", "final")),
    (reply(413, said("No.")), want("bad_request", "request", None, "", "final")),
    (reply(422, said("No.")), want("bad_request", "request", None, "", "final")),
    (
        reply(429, said("Rate limit exceeded: free-models-per-day.", headers={"X-RateLimit-Reset": MIDNIGHT})),
        want("rate_limited", "free_models", timedelta(hours=18), "X-RateLimit-Reset in the body"),
    ),
    (
        reply(429, said("No.", limit_source="openrouter_free_tier_daily")),
        want("rate_limited", "free_models", HOUR),
    ),
    (reply(429, said("Rate limit exceeded: free-models-per-min")), want("rate_limited", "free_models", SHORT)),
    (
        reply(429, said("Provider returned error", provider_name="X", retry_after_seconds=17), retry_after="17"),
        want("rate_limited", "model", timedelta(seconds=17), "Retry-After"),
    ),
    (
        reply(429, said("No.", limit_source="upstream_provider_shared_pool", retry_after_seconds=17)),
        want("rate_limited", "model", timedelta(seconds=17), "retry_after_seconds in the body"),
    ),
    (reply(429, said("High demand", limit_source="openrouter_shared_capacity")), want("rate_limited", "model", HOUR)),
    (
        reply(429, {"error": {"message": "Full.", "http_status": 429, "availability": AVAILABLE}}),
        want("rate_limited", "model", timedelta(seconds=40), "retry_after in the body"),
    ),
    (
        reply(429, said("Rate limit exceeded"), x_ratelimit_reset=MIDNIGHT),
        want("rate_limited", "account", timedelta(hours=18), "X-RateLimit-Reset"),
    ),
    (reply(429), want("rate_limited", "account", HOUR)),
    (
        reply(503, said("Service temporarily unavailable"), retry_after="30"),
        want("unavailable", "model", timedelta(seconds=30), "Retry-After"),
    ),
    (reply(503, said("No provider meets your routing requirements")), want("unavailable", "model", SHORT)),
    (reply(500, said("No.")), want("server_error", "key_and_model", None, "", "strike")),
    (reply(502, said("Provider returned error")), want("server_error", "key_and_model", None, "", "strike")),
    # One of these cools nothing, even where it names a time.
    (reply(529, said("No."), retry_after="30"), want("server_error", "key_and_model", None, "", "strike")),
    (reply(408, said("No.")), want("timeout", "key_and_model", None, "", "strike", "billed")),
    (reply(524, said("No.")), want("timeout", "key_and_model", None, "", "strike", "billed")),
]


@pytest.mark.parametrize(("what", "expected"), OPENROUTER)
def test_openrouter(what: Reply, expected: Want) -> None:
    assert got(judged(what)) == expected


def test_a_free_model_over_an_unnamed_limit_takes_only_free_models_out() -> None:
    assert got(judged(reply(429, said("Rate limit exceeded")), free=True)) == want("rate_limited", "free_models", HOUR)


JUNK = want("junk", "key_and_model", None, "", "strike")


@pytest.mark.parametrize("provider", ["ollama", "openrouter"])
@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (reply(403, html=True), JUNK),
        (reply(401, html=True), JUNK),
        (reply(404, html=True, retry_after="30"), JUNK),
        (reply(502, html=True, retry_after="30"), JUNK),
        (reply(520, html=True, retry_after="30"), JUNK),
        (reply(524, html=True), want("timeout", "key_and_model", None, "", "strike", "billed")),
        (reply(200, html=True), want("junk", "key_and_model", None, "", "strike", "billed")),
        (reply(301), want("redirected", "key_and_model", None, "", "strike")),
        (reply(307, html=True), want("redirected", "key_and_model", None, "", "strike")),
        (reply(404, "404 page not found"), JUNK),
        (reply(405, {"error": "method not allowed"}), JUNK),
        (reply(599, [1, 2]), JUNK),
    ],
)
def test_what_says_nothing_about_a_key_cools_nothing(provider: str, what: Reply, expected: Want) -> None:
    assert got(judged(what, provider)) == expected


SECONDS_20 = timedelta(seconds=20)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("provider", ["ollama", "openrouter"])
@pytest.mark.parametrize(
    "what",
    [
        reply(429, html=True, retry_after="20"),  # nginx
        reply(503, html=True, retry_after="20"),
        reply(429, html=True),  # Cloudflare 1015
        reply(503, html=True),
        reply(524, html=True),
        reply(504, html=True),
        reply(408, html=True),
    ],
)
def test_a_status_that_says_all_is_believed_whatever_the_body(provider: str, what: Reply, free: bool) -> None:  # noqa: FBT001
    """A page, an empty body, words, JSON that is no error: all of them mean the same."""
    failures = [
        got(judged(what._replace(html=body is None, body=body or ""), provider, free=free))
        for body in (None, "", "error code: 1015", [], {}, [1, "x"], {"detail": "x"})
    ]
    assert failures == failures[:1] * 7
    assert failures[0].kind not in {"junk", "bad_request"}
    if what.headers:
        assert (failures[0].wait, failures[0].source) == (SECONDS_20, "Retry-After")


def test_a_limit_with_something_left_is_no_reason_to_leave_a_busy_model_out_until_it_is_whole() -> None:
    headers = {"x-ratelimit-remaining": "45", "x-ratelimit-reset": MIDNIGHT}
    assert got(judged(Reply(503, headers, said("busy")))) == want("unavailable", "model", SHORT)
    hours = want("rate_limited", "account", timedelta(hours=18), "X-RateLimit-Reset")
    assert got(judged(Reply(429, headers, said("slow down")))) == hours


GOOGLE = {
    "code": 429,
    "message": "You exceeded your current quota",
    "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"}],
}


def test_an_error_may_stand_in_a_list() -> None:
    alone, listed = (judged(reply(429, body), "ollama") for body in ({"error": GOOGLE}, [{"error": GOOGLE}]))
    assert alone == listed
    assert got(listed) == want("rate_limited", "account", timedelta(seconds=37), "retryDelay in the body")
    assert listed.evidence == "You exceeded your current quota"
    assert got(judged(reply(402, [said("but can only afford 7")]))) == want("no_credit", "request")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            {"code": 502, "message": "Provider returned error"},
            want("server_error", "key_and_model", None, "", "strike"),
        ),
        ({"code": "429", "message": "x"}, want("rate_limited", "account", HOUR)),
        ({"code": "server_error", "message": "x"}, want("server_error", "key_and_model", None, "", "strike")),
        ({"message": "x", "metadata": {"error_type": "rate_limit_exceeded"}}, want("rate_limited", "account", HOUR)),
        ({"message": "x", "http_status": 503}, want("unavailable", "model", SHORT)),
        (
            {"message": "x", "metadata": {"error_type": "timeout"}},
            want("timeout", "key_and_model", None, "", "strike", "billed"),
        ),
        (
            {"code": 403, "message": "x", "metadata": {"reasons": ["y"]}},
            want("moderated", "request", None, "", "final"),
        ),
        ({"status": "RESOURCE_EXHAUSTED", "message": "x"}, want("rate_limited", "account", HOUR)),
        ({"type": "insufficient_quota", "message": "x"}, want("rate_limited", "account", HOUR)),
        ({"status": "UNAVAILABLE", "message": "x"}, want("unavailable", "model", SHORT)),
        ({"message": "x"}, want("server_error", "key_and_model", None, "", "strike", "billed")),
        ("an error was encountered", want("server_error", "key_and_model", None, "", "strike", "billed")),
        ({"code": 200, "message": "x"}, want("server_error", "key_and_model", None, "", "strike", "billed")),
        ({"code": 418, "message": "x"}, want("junk", "key_and_model", None, "", "strike", "billed")),
    ],
)
def test_an_error_inside_a_200_counts_as_its_own_code(error: object, expected: Want) -> None:
    assert got(judged(reply(200, {"error": error}))) == expected


def test_an_error_chunk_that_names_the_upstream_is_about_the_model() -> None:
    chunk = {"provider": "OpenAI", "error": {"code": 429, "message": "Rate limit exceeded"}}
    assert got(judged(reply(200, chunk))) == want("rate_limited", "model", HOUR)


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (Trouble.UNREACHABLE, want("unreachable", "provider")),
        (Trouble.UNPROVEN, want("unproven", "key_and_model")),
        (Trouble.TIMEOUT, want("timeout", "key_and_model", None, "", "strike", "billed")),
        (Trouble.DROPPED, want("dropped", "key_and_model", None, "", "strike", "billed")),
        (Trouble.JUNK, want("junk", "key_and_model", None, "", "strike", "billed")),
        (Trouble.EMPTY, want("empty", "key_and_model", None, "", "strike", "billed")),
        (Trouble.CUT, want("cut", "key_and_model", None, "", "strike", "billed")),
    ],
)
def test_trouble_without_a_reply(trouble: Trouble, expected: Want) -> None:
    failure = judged(trouble, detail="because")
    assert got(failure) == expected
    assert failure.evidence == "because"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (
            reply(401, {"error": "unauthorized", "signin_url": "https://example.test"}),
            want("forbidden", "key_and_model"),
        ),
        (reply(402, {"error": "no"}), want("no_credit", "key_and_model")),
        (reply(403, {"error": "no"}), want("forbidden", "key_and_model")),
        (reply(404, {"error": "model not found"}), want("no_such_model", "model")),
        (reply(429, {"error": "no"}, retry_after="60"), want("rate_limited", "key_and_model")),
        (reply(500, {"error": "no"}), want("server_error", "key_and_model")),
        (reply(503, {"error": "server busy"}), want("unavailable", "key_and_model")),
        (reply(400, {"error": '"x" does not support chat'}), want("forbidden", "key_and_model")),
        (reply(400, {"error": "bad"}), want("bad_request", "request", None, "", "final")),
        (Trouble.DROPPED, want("dropped", "key_and_model", None, "", "billed")),
    ],
)
def test_of_a_local_daemon_nothing_is_remembered(what: Reply | Trouble, expected: Want) -> None:
    assert got(judged(what, "local")) == expected


def test_configured_times_are_used() -> None:
    own = Cooldowns(timedelta(minutes=7), timedelta(seconds=3), timedelta(minutes=2))
    table = classifier(own, lambda: NOW)
    limited = table(reply(429, {"error": "x"}), Provider.OLLAMA, free=False)
    busy = table(reply(503, {"error": "x"}), Provider.OLLAMA, free=False)
    hinted = table(reply(503, {"error": "x"}, retry_after="600"), Provider.OLLAMA, free=False)
    assert [failure.until for failure in (limited, busy, hinted)] == [
        NOW + timedelta(minutes=7),
        NOW + timedelta(seconds=3),
        NOW + timedelta(minutes=2),
    ]
    assert hinted.source == "Retry-After (shortened from 600)"


def test_evidence_is_one_short_line_without_the_account() -> None:
    text = "you (Some One) have reached\nyour limit " + "x" * 500
    evidence = judged(reply(429, {"error": text}), "ollama").evidence
    assert evidence.startswith("you (…) have reached your limit xxx")
    assert len(evidence) == 200
    assert "Some One" not in evidence


def test_evidence_of_an_upstream_429_is_the_upstreams_word() -> None:
    failure = judged(reply(429, said("Provider returned error", raw="m is temporarily rate-limited upstream")))
    assert failure.evidence == "Provider returned error: m is temporarily rate-limited upstream"


UPSTREAM = {"error": {"message": "max_tokens is too large: 9000", "type": "invalid_request_error"}}


@pytest.mark.parametrize(
    ("raw", "said_there"),
    [
        ("max_tokens is too large: 9000", "max_tokens is too large: 9000"),
        (UPSTREAM, "max_tokens is too large: 9000"),
        ([UPSTREAM], "max_tokens is too large: 9000"),
        ({"message": "too large"}, "too large"),
        ({"detail": "too large"}, "too large"),
        ({"error": "too large"}, "too large"),
        ("<html><body>Bad Gateway", "an HTML page"),
        ("", ""),
        ({"x": 1}, ""),
        (None, ""),
        ("Provider returned error", ""),
    ],
)
@pytest.mark.parametrize("status", [400, 402, 404, 429, 500, 502, 503, 200])
def test_what_an_upstream_said_is_the_reason(status: int, raw: object, said_there: str) -> None:
    body = {"error": {"message": "Provider returned error", "metadata": {"raw": raw, "provider_name": "X"}}}
    failure = judged(reply(status, body))
    assert failure.evidence == (f"Provider returned error: {said_there}" if said_there else "Provider returned error")
    # It may quote a request that is wrong; then it is shown and not kept.
    assert failure.lasting_evidence == ("" if status == 400 and raw and said_there else failure.evidence)


def test_what_an_upstream_said_decides_nothing_but_a_429() -> None:
    """It may quote the prompt, and a prompt must not take a model out."""
    body = said("Provider returned error", raw="your input 'x is not a valid model ID, can only afford' is too long")
    assert got(judged(reply(400, body))) == want("bad_request", "request", None, "", "final")
    assert got(judged(reply(402, body))) == want("no_credit", "account", HOUR)


def test_a_flagged_prompt_is_no_evidence() -> None:
    failure = judged(reply(403, said("Blocked", reasons=["x"], flagged_input="my secret plan", raw="my secret plan")))
    assert failure.evidence == "Blocked"


@pytest.mark.parametrize("status", [201, 204, 299])
def test_what_comes_under_another_2xx_may_be_an_answer_and_is_no_evidence(status: int) -> None:
    for body in ("the answer", {"message": "the answer"}, {"error": "the answer"}):
        said = f"something came under the status {status}, where an answer has 200"
        assert judged(reply(status, body)).evidence == said


def test_what_is_no_json_is_shown_and_not_kept() -> None:
    failure = judged(reply(503, "upstream connect error"), "ollama")
    assert (failure.evidence, failure.lasting_evidence) == ("upstream connect error", "")
    failure = judged(reply(503, {"error": "overloaded"}), "ollama")
    assert (failure.evidence, failure.lasting_evidence) == ("overloaded", "overloaded")
    assert judged(reply(503, html=True)).lasting_evidence == "an HTML page came instead of an answer"


@pytest.mark.parametrize("trouble", list(Trouble))
def test_what_an_http_library_says_of_a_broken_answer_is_not_kept(trouble: Trouble) -> None:
    failure = judged(trouble, detail="illegal chunk header: b'my answer'")
    broken = trouble in {Trouble.DROPPED, Trouble.CUT}
    assert failure.lasting_evidence == ("" if broken else failure.evidence)


@given(st.text(), st.text(), st.text(min_size=1).filter(lambda text: text.split()))
def test_a_quotation_is_seen_wherever_it_stands(before: str, after: str, prompt: str) -> None:
    assert quotes(f"{before} {prompt} {after}", ["other", prompt])
    assert quotes(f"{before} {json.dumps(prompt)[1:-1]} {after}", [prompt])


@pytest.mark.parametrize(
    ("text", "prompt", "does"),
    [
        ("error near: tell me about the", "Please tell me about  THE sea", True),
        ("error near: tell me about", "Please tell me about the sea", False),  # 15 characters and a blank before them
        ("error: x", "x", True),
        ("exit: no", "x", False),
        ("Rate limit exceeded", "What is the meaning of life?", False),
        ("bad input: 你好世界你好", "请说你好世界你好吗", True),
        ("anything", "", False),
        ("", "anything", False),
    ],
)
def test_a_quotation_has_sixteen_bytes_or_is_all_of_it(text: str, prompt: str, does: bool) -> None:  # noqa: FBT001
    assert quotes(text, [prompt]) is does


def _even(text: str) -> bytes:
    return " ".join(text.casefold().split()).encode("utf-8", "replace")


def slowly_quotes(text: str, source: str) -> bool:
    """What `quotes` is to answer, window by window."""
    found = _even(text)
    forms = (source, json.dumps(source)[1:-1]) if b"\\" in found else (source,)
    for even in map(_even, forms):
        if len(even) >= 16:
            if any(found[at : at + 16] in even for at in range(len(found) - 15)):
                return True
        elif even and re.search(rb"(?<!\w)" + re.escape(even) + rb"(?!\w)", found):
            return True
    return False


LETTERS = st.text('aB \n\t\xa0\u2003ßẞÄéİЖ’你😀"\\-\ud800', max_size=60)


@given(LETTERS, LETTERS, st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_the_quick_search_finds_what_the_slow_one_does(
    text: str,
    source: str,
    begin: int,
    end: int,
    escaped: bool,  # noqa: FBT001
) -> None:
    said = json.dumps(source[begin:end])[1:-1] if escaped else source[begin:end]
    for evidence in (text, f"{text}{said}", said):
        assert quotes(evidence, [source]) is slowly_quotes(evidence, source)


@pytest.mark.parametrize(
    "filling", ["The sea is wide. ", "Das Meer, ’s ist groß. ", "大海很宽  ", "-", "\n\n  ", "tell me "]
)
@pytest.mark.parametrize("shift", [0, 1, 7, 8, 15, 16, 17])
def test_a_quotation_is_seen_at_every_place_of_a_long_prompt(filling: str, shift: int) -> None:
    """Long ones are looked through in slices of 262144 characters."""
    secret, edge = "Zoë owes me 4711 €", 1 << 18
    before = (filling * (edge // len(filling) + 1))[: edge - shift]
    assert quotes("bad input near: zoë OWES me 4711 €", [f"{before}{secret}{filling}"])
    assert not quotes("bad input near (zoë OWES me 47)", [f"{before}{secret}{filling}"])
    assert not quotes("bad input near: ", [before])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "metadata", "code", "availability", "raw", "headers", "limit_source", "type"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(st.integers(100, 999), JSON, st.sampled_from(Provider), st.booleans(), st.booleans())
def test_anything_is_judged(status: int, body: object, provider: Provider, html: bool, free: bool) -> None:  # noqa: FBT001
    headers: Mapping[str, str] = {"retry-after": "17"}
    failure = classify(Reply(status, headers, body, html), provider, free=free, cooldowns=COOLDOWNS, now=NOW)
    assert len(failure.evidence) <= 200
    assert failure.until is None or failure.until > NOW
    assert not (failure.strike and failure.until is not None)
    assert not (failure.final and failure.reach != "request")
    failure.evidence.encode()


def test_every_row_decides_something() -> None:
    """No row stands in the shade of the ones above it: each is the first to hold for some reply of this file."""
    bodies = [(status, {"error": text}, Provider.OLLAMA) for status, text, _ in OLLAMA]
    seen = [symptoms(reply(status, body), provider, free=False) for status, body, provider in bodies]
    seen += [symptoms(what, Provider.OPENROUTER, free=free) for what, _ in OPENROUTER for free in (False, True)]
    more = [(401, ""), (400, {"error": '"x" does not support chat'})]
    seen += [symptoms(reply(status, body), Provider.LOCAL, free=False) for status, body in more]
    pages = [reply(403, html=True), reply(200, html=True), reply(301)]
    inside = [reply(200, {"error": "x"}), reply(200, {"error": {"code": 418}})]
    seen += [symptoms(what, Provider.OLLAMA, free=False) for what in pages + inside]
    used = {next(i for i, row in enumerate(TABLE) if all(test(one) for test in row.tests)) for one in seen}
    assert used == set(range(len(TABLE)))
