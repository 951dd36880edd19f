"""The sliding hour in minutes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.state.call_window import calls_within_an_hour, counted, free_again, minute_of, tidied
from tests.examples import examples
from tests.strategies import HOUR, MINUTE, NOW

THIS = minute_of(NOW)
windows = st.dictionaries(st.integers(-70, 5).map(lambda ago: THIS + ago), st.integers(1, 5), max_size=6)


@pytest.mark.parametrize(
    ("window", "calls"),
    [
        ({}, 0),
        ({0: 3}, 3),
        ({-59: 2, 0: 1}, 3),
        ({-60: 2, 0: 1}, 3),  # a part of that minute is within the hour
        ({-61: 2, 0: 1}, 1),
        ({+5: 4}, 4),  # from a clock that was ahead: better one too many than one too few
    ],
)
def test_calls_of_the_last_hour(window: dict[int, int], calls: int) -> None:
    assert calls_within_an_hour({THIS + ago: count for ago, count in window.items()}, NOW) == calls


@settings(max_examples=examples(150))
@given(windows, st.integers(1, 8))
def test_a_full_window_names_the_first_moment_at_which_it_has_room(window: dict[int, int], limit: int) -> None:
    window = tidied(window, NOW)
    if calls_within_an_hour(window, NOW) < limit:
        return
    then = free_again(window, limit, NOW)
    assert then is not None
    assert NOW < then <= NOW + HOUR + MINUTE
    assert calls_within_an_hour(window, then) < limit
    assert calls_within_an_hour(window, then - timedelta(microseconds=1)) >= limit


def test_no_time_makes_room_where_no_call_is_allowed() -> None:
    assert free_again({THIS: 3}, 0, NOW) is None
    assert free_again({}, 0, NOW) is None


@settings(max_examples=examples(100))
@given(windows)
def test_one_more_call_is_one_more(window: dict[int, int]) -> None:
    after = counted(window, NOW)
    assert calls_within_an_hour(after, NOW) == calls_within_an_hour(window, NOW) + 1
    assert set(after) <= set(range(THIS - 60, THIS + 1)), "never more than 61 buckets"


@settings(max_examples=examples(100))
@given(windows)
def test_tidying_changes_no_count_and_is_done_once(window: dict[int, int]) -> None:
    after = tidied(window, NOW)
    assert calls_within_an_hour(after, NOW) == calls_within_an_hour(window, NOW)
    assert tidied(after, NOW) == after


def test_calls_of_the_same_minute_share_a_bucket() -> None:
    assert counted({THIS: 2}, NOW + timedelta(seconds=29)) == {THIS: 3}
    assert counted({THIS: 2}, NOW + timedelta(seconds=30)) == {THIS: 2, THIS + 1: 1}
