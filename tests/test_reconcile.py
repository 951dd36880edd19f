"""Both ledgers side by side: honest causes are found, and nothing else is explained away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lollmsbot_keys.core.costs.provider_usage import generation, ollama_booked, openrouter_booked
from lollmsbot_keys.core.costs.reconcile import (
    ESTIMATE_MARGIN,
    TOLERANCE_USD,
    Books,
    Group,
    LedgerQuestion,
    begin_of,
    compare,
    within,
)
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.model.period import Window
from lollmsbot_keys.core.model.reconciliation import Bin, Cause, Comparison, Figures, ReconcileVerdict, ReportedUsage
from lollmsbot_keys.core.model.snapshot import Cell, Hold, Sighting, Snapshot, Spender
from lollmsbot_keys.core.money.amounts import budget_day
from lollmsbot_keys.core.state.call_window import minute_of
from lollmsbot_keys.render.reconcile import sentences
from tests.strategies import DAY, HOUR, ME, MINUTE, NOW, TODAY, ZONES

OPENROUTER, OLLAMA = Provider.OPENROUTER, Provider.OLLAMA
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0)
R1 = Group(OPENROUTER, ("R1",), per_account=False, asked=frozenset({"R1", "R2"}))
ACCOUNT = Group(OLLAMA, ("O1", "O2"), per_account=True, asked=frozenset({"O1", "O2"}))


def usd(text: str) -> Decimal:
    return Decimal(text)


def booked(key: str, cell: Cell, day: date = TODAY) -> dict[tuple[date, Spender], Cell]:
    """One day of one key in our ledger."""
    return {(day, Spender(OLLAMA if key.startswith("O") else OPENROUTER, key)): cell}


def cost(
    amount: str,
    *,
    calls: int = 1,
    tokens: tuple[int, int] = (0, 0),
    estimated: str = "0",
    unconfirmed: str = "0",
    unknown: str = "0",
) -> Cell:
    """Sums of that cost and its parts, in dollars."""
    return Cell(calls, 0, 0, *tokens, usd(amount), usd(estimated), usd(unconfirmed), usd(unknown))


def told(amount: str, tokens: tuple[int, int] | None = None, cached: int = 0) -> ReportedUsage:
    figures = Figures(usd(amount), None, None, None) if tokens is None else Figures(usd(amount), 1, *tokens, cached)
    return ReportedUsage(MIDNIGHT, NOW, (Bin(MIDNIGHT, NOW, figures),))


def hold(key: str, amount: str) -> Hold:
    return Hold("h", ME, NOW, NOW + HOUR, TODAY, key, OPENROUTER, "moon/kimi", "", usd(amount))


class Case(NamedTuple):
    """Our books (and what they were before we asked), what was told, and what should come of it."""

    sums: Mapping[tuple[date, Spender], Cell]
    told: ReportedUsage
    causes: Mapping[Cause, str]
    unexplained: str = "0"
    group: Group = R1
    before: Mapping[tuple[date, Spender], Cell] | None = None
    snapshot: Snapshot = Snapshot()
    zone: tzinfo = UTC

    def compared(self) -> Comparison:
        question = LedgerQuestion(self.group, self.told, self.told.since, self.zone)
        before = Books(self.snapshot, self.sums if self.before is None else self.before)
        return compare(question, before, Books(self.snapshot, self.sums), TOLERANCE_USD)


YESTERDAY = TODAY - DAY
BERLIN = ZoneInfo("Europe/Berlin")
REPLACED = Snapshot(sightings={"R1": Sighting("new", NOW - HOUR, 2, ("old",))})
FIRST_SEEN = Snapshot(sightings={"R1": Sighting("new", NOW - HOUR)})
RECENT = Snapshot(hours={"R1": {minute_of(NOW): 1, minute_of(NOW - HOUR): 1}})
TOKENS = (1000, 100)

CASES = {
    "the same": Case(booked("R1", cost("0.5")), told("0.5"), {}),
    "somebody else": Case(booked("R1", cost("0.5")), told("0.92"), {}, "0.42"),
    "nothing of ours": Case({}, told("0.42"), {}, "0.42"),
    "less, and nobody knows why": Case(booked("R1", cost("0.5")), told("0.1"), {}, "-0.4"),
    "another key is no excuse": Case(booked("R2", cost("0.42")), told("0.42"), {}, "0.42"),
    "on its way": Case({}, told("0.3"), {Cause.ON_THEIR_WAY: "0.3"}, snapshot=Snapshot(holds={"h": hold("R1", "0.4")})),
    "more than is on its way": Case(
        {}, told("0.5"), {Cause.ON_THEIR_WAY: "0.4"}, "0.1", snapshot=Snapshot(holds={"h": hold("R1", "0.4")})
    ),
    "on the way of another": Case({}, told("0.3"), {}, "0.3", snapshot=Snapshot(holds={"h": hold("R2", "0.4")})),
    "a lapsed hold is booked already": Case(
        {}, told("0.3"), {}, "0.3", snapshot=Snapshot(holds={"h": hold("R1", "0.4")._replace(lapsed=True)})
    ),
    "ended meanwhile": Case(
        booked("R1", cost("0.5")), told("0.3"), {Cause.MEANWHILE: "0.2"}, before=booked("R1", cost("0.3"))
    ),
    "unconfirmed": Case(booked("R1", cost("0.5", unconfirmed="0.3")), told("0.25"), {Cause.UNCONFIRMED: "0.25"}),
    "more than the unconfirmed": Case(
        booked("R1", cost("0.5", unconfirmed="0.1")), told("0.25"), {Cause.UNCONFIRMED: "0.1"}, "-0.15"
    ),
    "unconfirmed explains no more": Case(booked("R1", cost("0.5", unconfirmed="0.3")), told("0.6"), {}, "0.1"),
    "unknown price": Case(booked("R1", cost("0.5", unknown="0.4")), told("0.2"), {Cause.UNKNOWN_PRICE: "0.3"}),
    "both": Case(
        booked("R1", cost("0.9", unconfirmed="0.3", unknown="0.4")),
        told("0.2"),
        {Cause.UNCONFIRMED: "0.3", Cause.UNKNOWN_PRICE: "0.4"},
    ),
    "a secret that was replaced today": Case(
        booked("R1", cost("0.5")), told("0.1"), {Cause.FORMER_SECRET: "0.4"}, snapshot=REPLACED
    ),
    "a first secret replaced none": Case(booked("R1", cost("0.5")), told("0.1"), {}, "-0.4", snapshot=FIRST_SEEN),
    "and somebody else": Case(booked("R1", cost("0.5")), told("0.9"), {}, "0.4", snapshot=REPLACED),
    "late": Case(booked("R1", cost("0.5", calls=2)), told("0.25"), {Cause.LATE: "0.25"}, snapshot=RECENT),
    "later than that": Case(
        booked("R1", cost("0.5", calls=2)), told("0.1"), {Cause.LATE: "0.25"}, "-0.15", snapshot=RECENT
    ),
    "our day began before theirs": Case(
        booked("R1", cost("0.5")), told("0.2"), {Cause.DAY_BOUNDARY: "0.3"}, zone=BERLIN
    ),
    "a day boundary explains no more": Case(booked("R1", cost("0.5")), told("0.7"), {}, "0.2", zone=BERLIN),
    "yesterday is over": Case(booked("R1", cost("0.5"), YESTERDAY) | booked("R1", cost("0.1")), told("0.1"), {}),
    "yesterday still counts in the west": Case(
        booked("R1", cost("0.5"), YESTERDAY) | booked("R1", cost("0.1")),
        told("0.2"),
        {Cause.DAY_BOUNDARY: "0.4"},
        zone=ZoneInfo("America/Santiago"),
    ),
    "an account is the sum of its keys": Case(
        booked("O1", cost("0.2")) | booked("O2", cost("0.3")), told("0.5"), {}, group=ACCOUNT
    ),
    "somebody else of the account": Case(
        booked("O1", cost("0.2")) | booked("O2", cost("0.3")), told("0.9"), {}, "0.4", group=ACCOUNT
    ),
    "a key that is not configured any more": Case(
        booked("O1", cost("0.2")) | booked("OLD", cost("0.3")), told("0.5"), {Cause.FORMER_KEYS: "0.3"}, group=ACCOUNT
    ),
    "OpenRouter counts no other keys": Case(
        booked("R1", cost("0.2")) | booked("R9", cost("0.3")), told("0.5"), {}, "0.3"
    ),
    "a dearer price, the very same tokens": Case(
        booked("O1", cost("0.2", estimated="0.2", tokens=TOKENS)),
        told("0.4", TOKENS),
        {Cause.ESTIMATES: "0.2"},
        group=ACCOUNT,
    ),
    "a cheaper price": Case(
        booked("O1", cost("0.4", estimated="0.4", tokens=TOKENS)),
        told("0.2", TOKENS),
        {Cause.ESTIMATES: "0.2"},
        group=ACCOUNT,
    ),
    "tokens from a cache are ours": Case(
        booked("O1", cost("0.2", estimated="0.2", tokens=(200, 100))),
        told("0.3", (1000, 100), cached=800),
        {Cause.ESTIMATES: "0.1"},
        group=ACCOUNT,
    ),
    "half of the answers are not ours": Case(
        booked("O1", cost("0.2", estimated="0.2", tokens=(1000, 50))),
        told("0.5", TOKENS),
        {Cause.ESTIMATES: "0.05"},
        "0.25",
        group=ACCOUNT,
    ),
    "no tokens are told: a quarter may be wrong": Case(
        booked("O1", cost("0.4", estimated="0.4")), told("0.6"), {Cause.ESTIMATES: "0.1"}, "0.1", group=ACCOUNT
    ),
    "what was not estimated is no matter of prices": Case(
        booked("O1", cost("0.4", tokens=TOKENS)), told("0.6", TOKENS), {}, "0.2", group=ACCOUNT
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_explains_a_difference(case: Case) -> None:
    found = case.compared()
    assert {part.cause: part.usd for part in found.parts} == {cause: usd(part) for cause, part in case.causes.items()}
    assert found.unexplained_usd == usd(case.unexplained)
    assert all(part.usd <= part.at_most_usd for part in found.parts)
    expected = (
        ReconcileVerdict.UNEXPLAINED
        if usd(case.unexplained)
        else ReconcileVerdict.EXPLAINED
        if case.causes
        else ReconcileVerdict.AGREES
    )
    assert found.verdict is expected


def test_the_margin_of_an_estimate_is_what_the_table_says() -> None:
    assert usd("0.4") * ESTIMATE_MARGIN == usd("0.1")


def test_a_cent_is_left_alone() -> None:
    at, above = (Case(booked("R1", cost("0.5")), told(amount), {}).compared() for amount in ("0.51", "0.510001"))
    assert (at.verdict, above.verdict) == (ReconcileVerdict.AGREES, ReconcileVerdict.UNEXPLAINED)


def test_what_is_said_of_somebody_else() -> None:
    seen = Snapshot(sightings={"R1": Sighting("new", NOW - HOUR)})
    (conclusion, advice) = sentences(CASES["somebody else"]._replace(snapshot=seen).compared())
    assert conclusion.startswith(
        "R1: 0.42 USD more than lbk knows of: somebody else is using R1, or it was used before"
    )
    assert advice == "See openrouter.ai/activity for who it was. If nobody should have: lbk rotate R1"
    (late,) = sentences(CASES["less, and nobody knows why"].compared())
    assert "0.4 USD less than lbk booked, unexplained" in late
    assert [*sentences(CASES["the same"].compared())] == []
    (why,) = sentences(CASES["unconfirmed"].compared())
    assert why == "R1: 0.25 USD: unconfirmed calls, which are booked at the most they can have cost."


# --- laws ---

_amounts = st.integers(1, 900_000).map(lambda micro: Decimal(micro).scaleb(-6))
_moments = st.integers(0, 40 * 24 * 60).map(lambda minutes: NOW - minutes * MINUTE)
_calls = st.lists(st.tuples(_moments, _amounts), max_size=12)
_cuts = st.lists(_moments, min_size=2, max_size=8, unique=True).map(sorted)


def total(calls: list[tuple[datetime, Decimal]], since: datetime, until: datetime) -> Decimal:
    return sum((amount for at, amount in calls if since <= at < until), Decimal(0))


@given(_calls, _cuts, _moments, _moments)
def test_what_lies_in_a_time_is_between_its_least_and_its_most(
    calls: list[tuple[datetime, Decimal]], cuts: list[datetime], one: datetime, other: datetime
) -> None:
    since, until = sorted((one, other))
    calls = [call for call in calls if cuts[0] <= call[0] < cuts[-1]]
    bins = [Bin(a, b, Figures(total(calls, a, b))) for a, b in pairwise(cuts)]
    least, most = within(bins, since, until)
    assert least.usd <= total(calls, since, until) <= most.usd


AROUND = [datetime(2026, 10, 25, 12, tzinfo=UTC), datetime(2026, 3, 1, 0, 30, tzinfo=UTC), NOW, MIDNIGHT + DAY - MINUTE]


@example(calls=[(MIDNIGHT - MINUTE, usd("0.5"))], others=usd("0.4"), zone=UTC, window=Window.DAY, now=NOW)
@given(_calls, st.just(Decimal(0)) | _amounts, st.sampled_from(ZONES), st.sampled_from(Window), st.sampled_from(AROUND))
def test_an_honest_ledger_is_never_accused_and_somebody_else_never_excused_by_the_clock(
    calls: list[tuple[datetime, Decimal]],
    others: Decimal,
    zone: tzinfo,
    window: Window,
    now: datetime,
) -> None:
    """Whatever the zone: without others nothing is unexplained, and with them no more than they spent. In UTC all."""
    calls = [(at - NOW + now, amount) for at, amount in calls]
    span = {
        "usage_monthly" if window is Window.MONTH else "usage_daily": total(
            calls, begin_of(window, now, UTC), now + MINUTE
        )
        + others
    }
    reply = openrouter_booked({"data": span}, window, now)
    assert reply is not None
    sums: dict[tuple[date, Spender], Cell] = {}
    for at, amount in calls:
        place = (budget_day(at, zone), Spender(OPENROUTER, "R1"))
        sums[place] = Cell(1, cost_usd=amount + (sums[place].cost_usd if place in sums else 0))
    books = Books(Snapshot(), sums)
    found = compare(LedgerQuestion(R1, reply, reply.since, zone), books, books, Decimal(0))
    assert 0 <= found.unexplained_usd <= others
    if zone is UTC:
        assert found.unexplained_usd == others
    assert found.difference_usd == found.unexplained_usd + (
        sum((part.usd for part in found.parts), Decimal(0)) * (1 if (found.difference_usd or 0) > 0 else -1)
    )


# --- what providers tell ---


@pytest.mark.parametrize(
    ("data", "window", "since", "amount"),
    [
        ({"usage_daily": 25.5, "usage_monthly": 99}, Window.DAY, MIDNIGHT, "25.5"),
        ({"usage_daily": 25.5, "usage_monthly": "99.25"}, Window.MONTH, MIDNIGHT.replace(day=1), "99.25"),
        ({"usage_daily": 1, "byok_usage_daily": 0.5}, Window.DAY, MIDNIGHT, "1.5"),
        ({"usage_daily": 1, "byok_usage_daily": None}, Window.DAY, MIDNIGHT, "1"),
        ({"usage": 7}, Window.DAY, MIDNIGHT, None),
        ({"usage_daily": -1}, Window.DAY, MIDNIGHT, None),
        ({"usage_daily": "NaN"}, Window.DAY, MIDNIGHT, None),
        ({}, Window.DAY, MIDNIGHT, None),
    ],
)
def test_what_openrouter_tells(data: object, window: Window, since: datetime, amount: str | None) -> None:
    found = openrouter_booked({"data": data}, window, NOW)
    assert (found and (found.since, found.bins[0].figures.usd)) == (None if amount is None else (since, usd(amount)))


def bucket(hour: int, dollars: object, **counts: int) -> dict[str, object]:
    since = MIDNIGHT + hour * HOUR
    return {
        "from": f"{since:%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{since + HOUR:%Y-%m-%dT%H:%M:%SZ}",
        "usage_usd": dollars,
        **counts,
    }


WHOLE = {"from": "2026-11-22T06:00:00Z", "until": "2026-11-23T06:00:30Z"}
TOTALS = {"request_count": 15, "usage_usd": 0.5, "input_tokens": 10, "cached_input_tokens": 4, "output_tokens": 3}


@pytest.mark.parametrize(
    ("name", "facts", "bins"),
    [
        (
            "buckets",
            {**WHOLE, "totals": TOTALS, "buckets": [bucket(1, 0.5), bucket(0, "0.25")]},
            [(0, "0.25"), (1, "0.5")],
        ),
        ("totals alone", {**WHOLE, "totals": TOTALS}, [(-18, "0.5")]),
        ("a bucket that makes no sense", {**WHOLE, "totals": TOTALS, "buckets": [bucket(1, None)]}, [(-18, "0.5")]),
        ("no buckets yet", {**WHOLE, "totals": TOTALS, "buckets": []}, [(-18, "0.5")]),
        ("a plan without money", {**WHOLE, "totals": {"request_count": 3}, "buckets": [{"request_count": 3}]}, None),
        ("no time", {"totals": TOTALS}, None),
        ("nothing", {}, None),
        ("lists where tables should be", {**WHOLE, "totals": [], "buckets": {}}, None),
    ],
)
def test_what_ollama_tells(name: str, facts: Mapping[str, object], bins: list[tuple[int, str]] | None) -> None:
    found = ollama_booked(facts, NOW)
    told_bins = None if found is None else [((one.since - MIDNIGHT) // HOUR, one.figures.usd) for one in found.bins]
    assert told_bins == (None if bins is None else [(hour, usd(amount)) for hour, amount in bins]), name


def test_what_ollama_counts() -> None:
    found = ollama_booked({**WHOLE, "totals": TOTALS}, NOW)
    assert found is not None
    assert found.bins[0].figures == Figures(usd("0.5"), 15, 10, 3, 4)


@pytest.mark.parametrize(
    ("data", "usage"),
    [
        ({"total_cost": 0.02, "native_tokens_prompt": 9, "native_tokens_completion": 4}, Usage(9, 4, usd("0.02"))),
        ({"total_cost": "0.02", "tokens_prompt": 9, "tokens_completion": 4}, Usage(9, 4, usd("0.02"))),
        ({"total_cost": 0.01, "is_byok": True, "upstream_inference_cost": 0.2}, Usage(0, 0, usd("0.21"))),
        ({"total_cost": 0.01, "is_byok": True, "upstream_inference_cost": None}, None),
        ({"total_cost": None}, None),
        ({"total_cost": Decimal("1e-3000000")}, None),
        ({"total_cost": "1_0"}, None),
        ({}, None),
    ],
)
def test_what_one_call_cost(data: dict[str, object], usage: Usage | None) -> None:
    assert generation({"data": {"id": "gen-1", **data}}, "gen-1") == usage
    assert generation({"data": {"id": "gen-2", **data}}, "gen-1") is None
    assert generation({"data": data}, "gen-1") is None
