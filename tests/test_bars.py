"""Bars: as long as what they stand for, to an eighth of a character."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lollmsbot_keys.render.console.amounts import amount, count, limit, round_amount
from lollmsbot_keys.render.console.bars import bar

EIGHTHS = " ▏▎▍▌▋▊▉█"


def length(drawn: str) -> int:
    """In eighths."""
    return sum(map(EIGHTHS.index, drawn))


@pytest.mark.parametrize(
    ("share", "drawn"),
    [
        ("0", ""),
        ("-1", ""),
        ("0.000001", "▏"),
        ("0.1", "▊"),
        ("0.125", "█"),
        ("0.5", "████"),
        ("0.51", "████▏"),
        ("0.999", "████████"),
        ("1", "████████"),
        ("7", "████████"),
    ],
)
def test_a_bar_of_eight_characters(share: str, drawn: str) -> None:
    assert bar(Decimal(share), 8) == drawn


@given(st.decimals(0, 2, places=4), st.integers(8, 40))
def test_a_bar_is_as_long_as_its_share(share: Decimal, width: int) -> None:
    drawn = bar(share, width)
    assert abs(length(drawn) - min(share, Decimal(1)) * width * 8) <= (1 if share < Decimal("0.01") else Decimal("0.5"))
    assert len(drawn) <= width


@pytest.mark.parametrize(
    ("number", "short"),
    [
        (0, "0"),
        (9_999, "9999"),
        (10_000, "10.0k"),
        (12_345, "12.3k"),
        (99_940, "99.9k"),
        (99_960, "100k"),
        (999_499, "999k"),
        (999_500, "1.0M"),
        (13_329_516, "13.3M"),
        (2_500_000_000, "2.5G"),
        (2_500_000_000_000, "2500G"),
        (-12_345, "-12.3k"),
    ],
)
def test_counts_that_are_short(number: int, short: str) -> None:
    assert count(number, short=True) == short
    assert count(number) == str(number)


@pytest.mark.parametrize(
    ("value", "long", "short"),
    [
        ("0", "0.000000", "0.0000"),
        ("0.00004", "0.000040", "<0.0001"),
        ("0.00006", "0.000060", "0.0001"),
        ("0.0000001", "<0.000001", "<0.0001"),
        ("12.3456789", "12.345679", "12.3457"),
        ("-0.3", "-0.300000", "-0.3000"),
    ],
)
def test_something_is_never_shown_as_nothing(value: str, long: str, short: str) -> None:
    assert (amount(Decimal(value)), amount(Decimal(value), short=True)) == (long, short)


def test_amounts_that_are_about_right_and_budgets_as_people_write_them() -> None:
    assert [round_amount(Decimal(value)) for value in ("0.012345", "0.5", "12.346", "1234.5")] == [
        "0.0123",
        "0.50",
        "12.35",
        "1234",
    ]
    assert [limit(Decimal(value)) for value in ("50", "0.5", "0.015", "1E+2", "0")] == [
        "50.00",
        "0.50",
        "0.015",
        "100.00",
        "0.00",
    ]
