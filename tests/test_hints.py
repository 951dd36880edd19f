from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lollmsbot_keys.core.failures.retry_after import retry_hint

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
LONGEST = timedelta(days=8)
MIDNIGHT_MS = 1_795_478_400_000  # 2026-11-24T00:00:00Z


def told(headers: dict[str, str], body: object = None, *, limited: bool = True) -> tuple[float, str] | None:
    """How many seconds to wait, and by whose word."""
    hint = retry_hint(headers, body, NOW, LONGEST, limited=limited)
    return None if hint is None else ((hint.until - NOW).total_seconds(), hint.source)


def waits(value: str, header: str = "Retry-After") -> timedelta | None:
    hint = retry_hint({header: value}, None, NOW, LONGEST)
    return None if hint is None else hint.until - NOW


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("17", 17),
        ("17.5", 17.5),
        (" 17 ", 17),
        ("1.7e1", 17),
        ("0", 1),
        ("0.2", 1),
        ("2026", 2026),  # a number of seconds, not a year
        ("17s", 17),
        ("500ms", 1),
        ("2m59.56s", 179.56),
        ("1h30m", 5400),
        ("140h 21m", 505_260),
        ("1d", 86_400),
        ("1795478400", 64_800),
        ("1795478400000", 64_800),
        ("1795478400000000", 64_800),
        ("1795478400000000000", 64_800),
        ("Mon, 23 Nov 2026 06:00:30 GMT", 30),
        ("Monday, 23-Nov-26 07:00:00 GMT", 3600),
        ("Mon Nov 23 07:00:00 2026", 3600),
        ("2026-11-23T07:00:00Z", 3600),
        ("2026-11-23T09:00:00+02:00", 3600),
        ("2026-11-23 07:00:00", 3600),
        ("2026-11-24", 64_800),
        ("PT37S", 37),
        ("PT1H30M", 5400),
        ("00:05:00", 300),
        ("2w", 691_200),  # the longest that is believed
        ("20, 20", 20),  # one line each from the server and from what stands before it
        ("120, 60", 120),
        ("60,120", 120),
        ("0, 20", 20),
        ("20, -20", 20),
        ("20, Sun, 06 Nov 1994 08:49:37 GMT", 20),
        ("Mon, 23 Nov 2026 06:00:30 GMT, Mon, 23 Nov 2026 06:00:50 GMT", 50),
        ("Mon, 23 Nov 2026 06:00:30 GMT, 40", 40),
    ],
)
def test_each_form_of_a_header_reads(value: str, seconds: float) -> None:
    assert waits(value) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nan",
        "inf",
        "-inf",
        "-1",
        "1e999",
        "1_000",
        "9" * 41,
        "12abc",
        "soon",
        "1795000000",  # an epoch that is over
        "1795000000000000",
        "9" * 25,
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Mon, 99 Nov 2026 06:00:30 GMT",
        "2026-11-22T07:00:00Z",
        "9999-12-31T23:59:59-23:59x",
        "17s or so",
        "٣",
        ", ,",
        "soon, later",
        "20, soon",
        "Feb 31, 2027",
        "Wed, 31 Feb 2027 00:00:00 GMT",
        "-20, -20",
        "PT",
    ],
)
def test_what_is_no_time_to_come_is_absent(value: str) -> None:
    assert waits(value) is None


def test_an_unusable_header_leaves_the_word_to_the_next() -> None:
    hint = retry_hint({"retry-after": "soon", "x-ratelimit-reset": str(MIDNIGHT_MS)}, None, NOW, LONGEST)
    assert hint is not None
    assert (hint.source, hint.until) == ("X-RateLimit-Reset", datetime(2026, 11, 24, tzinfo=UTC))


@pytest.mark.parametrize(
    ("headers", "body", "seconds", "source"),
    [
        ({"Retry-After": "0"}, {"retry_after": 30}, 30, "retry_after in the body"),
        ({"Retry-After": "0"}, {"error": "Please try again in 20s"}, 20, "the message"),
        ({"Retry-After": "0", "X-RateLimit-Reset": str(MIDNIGHT_MS)}, None, 64_800, "X-RateLimit-Reset"),
        ({"Retry-After-Ms": "0", "Retry-After": "0"}, {"retry_after": 0}, 1, "Retry-After-Ms"),
        ({"Retry-After": "20", "X-RateLimit-Reset": str(MIDNIGHT_MS)}, None, 20, "Retry-After"),
        ({"Retry-After": "20"}, {"retry_after": 600}, 20, "Retry-After"),
        ({"X-RateLimit-Reset": f"{MIDNIGHT_MS}, {MIDNIGHT_MS}"}, None, 64_800, "X-RateLimit-Reset"),
        ({"Retry-After": "nan"}, {"retry_after": -1, "message": "wait 5 minutes"}, 300, "the message"),
        ({"X-Ms-Retry-After-Ms": "2500"}, None, 2.5, "X-Ms-Retry-After-Ms"),
    ],
)
def test_of_several_words_the_most_direct_wins_and_a_zero_says_nothing_beside_a_figure(
    headers: dict[str, str], body: object, seconds: float, source: str
) -> None:
    assert told(headers, body) == (seconds, source)


DEFAULT = '"default";q=100;w=60'


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        # draft-ietf-httpapi-ratelimit-headers from 08 on: a list of limits, each with what is left and for how long
        ({"RateLimit": '"default";r=0;t=30'}, 30),
        ({"RateLimit": '"100-in-15min"; r=0; t=900', "RateLimit-Policy": '"100-in-15min"; q=100; w=900'}, 900),
        ({"RateLimit": "default;r=0;t=30"}, 30),
        ({"RateLimit": '"burst";r=0;t=30, "daily";r=500;t=40000'}, 30),
        ({"RateLimit": '"burst";r=0;t=30, "daily";r=0;t=40000'}, 40_000),
        ({"RateLimit": '"a, b; \\"c\\"";r=0;t=7'}, 7),
        ({"RateLimit": '"default";r=0', "RateLimit-Policy": DEFAULT}, 60),
        ({"RateLimit": '"default";r=1;t=30'}, 30),  # of a 429 all the same
        # until 07: one dictionary, and before that a header for each figure
        ({"RateLimit": "limit=100, remaining=0, reset=50"}, 50),
        ({"RateLimit": "limit=9, remaining=4, reset=900, limit=100, remaining=0, reset=50"}, 50),
        ({"RateLimit": "limit=100, remaining=0", "RateLimit-Policy": "10;w=1, 100;w=60"}, 60),
        ({"RateLimit-Reset": "50", "RateLimit-Remaining": "0", "RateLimit-Limit": "100, 100;w=60"}, 50),
        ({"RateLimit-Reset": "120, 60"}, 120),
        ({"RateLimit-Reset": "120, 60", "RateLimit-Remaining": "5, 0"}, 60),
        ({"RateLimit-Reset": "60;w=3600"}, 60),
        # what others made of it
        ({"X-RateLimit-Reset-Requests": "9s", "X-RateLimit-Reset-Tokens": "6m0s"}, 360),
        (
            {
                "X-RateLimit-Remaining-Requests": "0.4",
                "X-RateLimit-Reset-Requests": "9s",
                "X-RateLimit-Remaining-Tokens": "800",
                "X-RateLimit-Reset-Tokens": "6m0s",
            },
            9,
        ),
        (
            {
                "anthropic-ratelimit-tokens-reset": "2026-11-23T06:01:00Z",
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-23T07:00:00Z",
                "anthropic-ratelimit-requests-remaining": "49",
            },
            60,
        ),
        ({"X-RateLimit-Reset-After": "1.5"}, 1.5),
        ({"X-Rate-Limit-Reset": "1795478400"}, 64_800),
        # nothing but the rule
        ({"RateLimit-Policy": DEFAULT}, 60),
        ({"RateLimit-Policy": '"burst";q=10;w=1, "daily";q=1000;w=3600'}, 3600),
        ({"RateLimit-Limit": "100, 100;w=60"}, 60),
        ({"RateLimit": "@@@ ;;; =,", "RateLimit-Policy": ";;w=, =,"}, None),
        ({"RateLimit": '"default";r=0;t=-5'}, None),
    ],
)
def test_limits_in_headers_are_read_in_all_their_forms(headers: dict[str, str], seconds: float | None) -> None:
    found = told(headers)
    assert (None if found is None else found[0]) == seconds


@pytest.mark.parametrize(
    "headers",
    [
        {"RateLimit": '"default";r=9;t=900', "RateLimit-Policy": DEFAULT},
        {"X-RateLimit-Remaining": "45", "X-RateLimit-Reset": str(MIDNIGHT_MS)},
    ],
)
def test_a_limit_that_is_not_passed_is_no_reason_to_wait_for_something_else(headers: dict[str, str]) -> None:
    assert told(headers, limited=False) is None
    assert told(headers) is not None


def test_milliseconds_are_milliseconds() -> None:
    assert waits("17000", "retry-after-ms") == timedelta(seconds=17)
    assert waits(str(MIDNIGHT_MS), "Retry-After-Ms") == timedelta(hours=18)


@pytest.mark.parametrize(
    ("body", "source", "seconds"),
    [
        ({"error": {"metadata": {"headers": {"X-RateLimit-Reset": str(MIDNIGHT_MS)}}}}, "X-RateLimit-Reset", 64_800),
        ({"error": {"metadata": {"headers": {"Retry-After": 17}}}}, "Retry-After", 17),
        ({"error": {"metadata": {"retry_after_seconds": 17}}}, "retry_after_seconds", 17),
        ({"error": {"metadata": {"retry_after_seconds": Decimal("17.5")}}}, "retry_after_seconds", 17.5),
        ({"error": {"availability": {"retry_after": 40}}}, "retry_after", 40),
        ({"error": {"metadata": {"resets_at": "2026-11-24T00:00:00Z"}}}, "resets_at", 64_800),
        ({"error": {"retry_after_ms": 2500}}, "retry_after_ms", 2.5),
        ({"retry_after": "17s"}, "retry_after", 17),
        ({"error": {"details": [{"retryDelay": "17s"}]}}, "retryDelay", 17),
        ({"error": {"details": [{"retryDelay": {"seconds": 17, "nanos": 0}}]}}, "retryDelay", 17),
        ({"error": {"details": [{"metadata": {"quotaResetDelay": "2h14m"}}]}}, "quotaResetDelay", 8040),
        ([{"error": {"details": [{"retryDelay": "17s"}]}}], "retryDelay", 17),
        ({"error": {"metadata": {"raw": [{"error": {"details": [{"retryDelay": "37s"}]}}]}}}, "retryDelay", 37),
        ({"error": {"metadata": {"raw": {"error": {"retryAfter": 5}}}}}, "retryAfter", 5),
        ({"error": {"resets_in_seconds": 77}}, "resets_in_seconds", 77),
        ({"error": {"metadata": {"headers": {"RateLimit": '"x";r=0;t=9'}}}}, "RateLimit", 9),
        ({"retry_after": [20, 30]}, "retry_after", 30),
    ],
)
def test_each_place_in_a_body_is_found(body: object, source: str, seconds: float) -> None:
    hint = retry_hint({}, body, NOW, LONGEST)
    assert hint is not None
    assert (hint.source, hint.until - NOW) == (f"{source} in the body", timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Quota exceeded, reset after 140h 21m.", 505_260),
        ("Your limit will reset at 2026-11-23 07:00:00.", 3600),
        ("Please try again in 20s", 20),
        ("resets in 1 hour and 5 minutes", 3900),
        ("Please retry in 6m0s.", 360),
        ("Please try again in about 5 minutes.", 300),
        ("Please try again in approximately 2 hours and 5 min", 7500),
        ("Try again in ~30s", 30),
        ("try again in 5-10 minutes", 600),
        ("wait 30 seconds before retrying", 30),
        ("resets in less than a minute", 60),
        ("available again in an hour", 3600),
        ("Rate limit resets in: 5m", 300),
        ("The limit is lifted in 1 week", 604_800),
        ("resets in 02:14:33", 8073),
        ("retry after 30", 30),
        ("retry-after: 30, said the server", 30),
        ('it said {"retryDelay": "37s", "x', 37),
        ('it said {\\"retryDelay\\": \\"37s\\", \\"x', 37),
        ("Your weekly limit resets 2026-11-29T00:00:00Z", 496_800),
        ("Limit resets: 2026-11-24 00:00 UTC", 64_800),
        ("resets on 2026-11-24.", 64_800),
        ("please wait until 2026-11-24T01:00:00+01:00", 64_800),
        ("will be reset at Tue, 24 Nov 2026 00:00:00 GMT.", 64_800),
        ("resets at 1795478400", 64_800),
        ("try again at Nov 23rd, 2026 2:11 PM.", 29_460),
        ("resets on November 24, 2026 at 00:00 UTC", 64_800),
        ("resets Nov. 24, 2026", 64_800),
        ("resets at 12:00 AM? No: at Nov 24, 2026 12:00 AM: resets Nov 24, 2026 12:00 AM", 64_800),
        ("resets at midnight UTC", 64_800),
        ("resets at 06:01 UTC", 60),
        ("Daily limit reached (resets 05:00Z)", 82_800),
        ("Your limit was reset at 2026-11-20 07:00:00. Please try again in 20s", 20),
        ("Too many requests. You may go on in about 5 minutes", 300),
        ("next request allowed in 30 seconds", 30),
        ("You are blocked for 10 minutes", 600),
        ("cooldown: 30s", 30),
        ("please hold off for 30s", 30),
        ("try again in 3 days 4 hours 12 minutes.", 274_320),
        ("Please try again in\n\t20s", 20),
    ],
)
@pytest.mark.parametrize("shape", ["object", "string", "raw", "plain"])
def test_prose_is_read(text: str, seconds: float, shape: str) -> None:
    bodies: dict[str, object] = {
        "object": {"error": {"message": text}},
        "string": {"error": text},
        "raw": {"error": {"message": "Provider returned error", "metadata": {"raw": text}}},
        "plain": text,
    }
    hint = retry_hint({}, bodies[shape], NOW, LONGEST)
    assert hint is not None
    assert (hint.source, hint.until - NOW) == ("the message", timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "text",
    [
        "High demand for x:free, limited to 15 requests per minute",
        "you (someuser) have reached your weekly usage limit, upgrade for higher limits",
        "Server overloaded, please retry shortly (ref: 1h)",
        "The last request took 3 minutes",
        "Your limit was reset at 2026-11-20 07:00:00.",
        "try again in a few minutes",
        "retry after 30 requests",
        "resets in 1 month",
        "resets at 25:00 UTC",
        "resets on Feb 31, 2027",
        "resets at 3pm",
        "the request ran in 3 minutes",
        "wait " + " " * 1_900 + "x",
    ],
)
def test_prose_without_a_time_to_come_says_nothing(text: str) -> None:
    assert retry_hint({}, {"error": text}, NOW, LONGEST) is None


def test_a_hint_is_clamped_and_its_own_word_kept() -> None:
    hint = retry_hint({"Retry-After": "99999999"}, None, NOW, LONGEST)
    assert hint is not None
    assert (hint.until, hint.raw, hint.clamped) == (NOW + LONGEST, "99999999", True)


def test_a_hint_within_reach_is_believed_in_full() -> None:
    hint = retry_hint({"Retry-After": str(7 * 86_400)}, None, NOW, LONGEST)
    assert hint is not None
    assert (hint.until, hint.clamped) == (NOW + timedelta(days=7), False)


@pytest.mark.parametrize("value", [True, False, None, [], {}, 10**400, Decimal("1e999"), float("nan")])
def test_values_of_other_kinds_are_absent(value: object) -> None:
    assert retry_hint({}, {"error": {"metadata": {"retry_after_seconds": value}}}, NOW, LONGEST) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.decimals(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "metadata", "headers", "Retry-After", "resets_at", "message", "availability", "retry_after"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        "Retry-After",
        "retry-after-ms",
        "X-RateLimit-Reset",
        "X-RateLimit-Remaining",
        "RateLimit-Reset",
        "RateLimit-Remaining",
        "RateLimit",
        "RateLimit-Policy",
    ]
)
VALUES = st.text(max_size=40) | st.text('"d;rtwq=,0 5:-eT\\', max_size=40)


@given(st.dictionaries(NAMES, VALUES), JSON, st.timedeltas(timedelta(seconds=1), timedelta(days=30)))
def test_nothing_raises_and_no_hint_leaves_its_bounds(
    headers: dict[str, str], body: object, longest: timedelta
) -> None:
    hint = retry_hint(headers, body, NOW, longest)
    if hint is not None:
        assert NOW < hint.until <= NOW + longest
        assert len(hint.raw) <= 100


@given(st.floats(min_value=0, max_value=8 * 86_400), st.sampled_from(["", "s"]))
def test_a_delay_means_the_same_as_a_number_and_with_a_unit(seconds: float, unit: str) -> None:
    text = f"{seconds:.6f}{unit}"
    found = waits(text)
    assert found is not None
    assert abs(found - max(timedelta(seconds=seconds), timedelta(seconds=1))) < timedelta(milliseconds=1)


@given(st.datetimes(datetime(2026, 11, 23, 6, 0, 2), datetime(2026, 12, 1)))  # noqa: DTZ001 - given its zone below
def test_one_moment_means_the_same_in_every_form(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    forms = [
        moment.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        moment.isoformat(),
        str(int(moment.timestamp())),
        str(int(moment.timestamp()) * 1_000),
        str(int(moment.timestamp()) * 1_000_000),
    ]
    assert {waits(form) for form in forms} == {moment - NOW}


def test_a_very_long_message_takes_no_long_time() -> None:
    for text in ("reset in " * 300, "retry" * 500, 'wait "' * 400, "~ 1 - " * 400, "resets " + "1:" * 900):
        assert retry_hint({}, {"error": text}, NOW, LONGEST) is None
    text = "reset in " + "1h" * 500_000
    assert retry_hint({"Retry-After": "1h" * 500_000}, json.loads(json.dumps({"error": text})), NOW, LONGEST) is None
