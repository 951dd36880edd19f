from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lollmsbot_keys.core.hints import retry_hint

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
LONGEST = timedelta(days=8)
MIDNIGHT_MS = 1_795_478_400_000  # 2026-11-24T00:00:00Z


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
        ("Mon, 23 Nov 2026 06:00:30 GMT", 30),
        ("Monday, 23-Nov-26 07:00:00 GMT", 3600),
        ("Mon Nov 23 07:00:00 2026", 3600),
        ("2026-11-23T07:00:00Z", 3600),
        ("2026-11-23T09:00:00+02:00", 3600),
        ("2026-11-23 07:00:00", 3600),
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
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Mon, 99 Nov 2026 06:00:30 GMT",
        "2026-11-22T07:00:00Z",
        "9999-12-31T23:59:59-23:59x",
        "17s or so",
        "٣",
    ],
)
def test_what_is_no_time_to_come_is_absent(value: str) -> None:
    assert waits(value) is None


def test_an_unusable_header_leaves_the_word_to_the_next() -> None:
    hint = retry_hint({"retry-after": "soon", "x-ratelimit-reset": str(MIDNIGHT_MS)}, None, NOW, LONGEST)
    assert hint is not None
    assert (hint.source, hint.until) == ("X-RateLimit-Reset", datetime(2026, 11, 24, tzinfo=UTC))


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
NAMES = st.sampled_from(["Retry-After", "retry-after-ms", "X-RateLimit-Reset", "RateLimit-Reset"])


@given(st.dictionaries(NAMES, st.text(max_size=40)), JSON, st.timedeltas(timedelta(seconds=1), timedelta(days=30)))
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
        str(int(moment.timestamp() * 1000)),
    ]
    assert {waits(form) for form in forms} == {moment - NOW}


def test_a_very_long_message_takes_no_long_time() -> None:
    text = "reset in " + "1h" * 500_000
    assert retry_hint({"Retry-After": "1h" * 500_000}, json.loads(json.dumps({"error": text})), NOW, LONGEST) is None
