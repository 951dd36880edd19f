"""Laws of the counters once more keys were seen than have rows of their own: nothing is lost, and nothing goes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.metrics.collect import measured
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.metric_family import MetricType
from lollmsbot_keys.core.model.snapshot import Cell, Failed, Hold, Snapshot, Spender
from lollmsbot_keys.core.state.totals import LAPSED, MOST_FAILURES, MOST_SPENDERS, count
from lollmsbot_keys.edges.state.codec import decode, encode
from tests.examples import examples
from tests.strategies import CONFIG, FACTS, HOUR, ME, NOW, TODAY

OTHER = "(other)"
SEEN = [f"K{number}" for number in range(MOST_SPENDERS - 2)]
"""Keys that are in the table already: two more, and it is full."""
spenders = st.builds(
    Spender,
    st.sampled_from([Provider.OLLAMA, Provider.OPENROUTER]),
    st.sampled_from([*SEEN[:2], *(f"new{number}" for number in range(6))]),
)
outcomes = st.sampled_from(["answered", "rate_limited", "junk"])
calls = st.lists(st.tuples(spenders, outcomes, st.integers(0, 100)), max_size=20)


def counted(snapshot: Snapshot, spender: Spender, outcome: str, cents: int) -> Snapshot:
    """`snapshot` after one more call."""
    hold = Hold("h", ME, NOW, NOW + HOUR, TODAY, spender.key, spender.provider, "kimi", "", Decimal(1))
    entry = Cell(calls=1, errors=int(outcome != "answered"), prompt_tokens=3, cost_usd=Decimal(cents) / 100)
    return count(snapshot, hold, entry, outcome, NOW)


def nearly_full() -> Snapshot:
    return Snapshot(totals={Spender(Provider.OLLAMA, key): Cell(calls=1) for key in SEEN})


def by_provider(totals: Mapping[Spender, Cell]) -> dict[Provider, Cell]:
    return {p: Cell.total(cell for spender, cell in totals.items() if spender.provider is p) for p in Provider}


@settings(max_examples=examples(100))
@given(calls)
def test_what_the_counters_add_up_to_is_all_that_was_called(made: list[tuple[Spender, str, int]]) -> None:
    snapshot = before = nearly_full()
    for call in made:
        snapshot = counted(snapshot, *call)
    for provider, sum_ in by_provider(snapshot.totals).items():
        mine = [(outcome, cents) for spender, outcome, cents in made if spender.provider is provider]
        assert sum_.calls == by_provider(before.totals)[provider].calls + len(mine)
        assert sum_.errors == sum(outcome != "answered" for outcome, _ in mine)
        assert sum_.cost_usd == Decimal(sum(cents for _, cents in mine)) / 100
        assert sum_.prompt_tokens == 3 * len(mine)
    expected = Counter((spender.provider, outcome) for spender, outcome, _ in made if outcome != "answered")
    found: Counter[tuple[Provider, str]] = Counter()
    for failed, times in snapshot.failures.items():
        found[failed.provider, failed.outcome] += times
    assert found == expected


@settings(max_examples=examples(100))
@given(calls)
def test_whoever_has_a_row_keeps_it_and_it_only_grows(made: list[tuple[Spender, str, int]]) -> None:
    snapshot = nearly_full()
    for call in made:
        after = counted(snapshot, *call)
        assert snapshot.totals.keys() <= after.totals.keys()
        assert all(after.totals[spender].calls >= cell.calls for spender, cell in snapshot.totals.items())
        assert all(after.failures[failed] >= times for failed, times in snapshot.failures.items())
        assert Cell.total(after.totals.values()).calls == Cell.total(snapshot.totals.values()).calls + 1
        snapshot = after
    named = [spender for spender in snapshot.totals if spender.key != OTHER]
    assert len(named) <= MOST_SPENDERS
    assert len(snapshot.totals) <= MOST_SPENDERS + len(Provider)
    assert {failed.key for failed in snapshot.failures} <= {spender.key for spender in snapshot.totals}
    assert decode(encode(snapshot)) == snapshot


@settings(max_examples=examples(30))
@given(calls)
def test_no_series_of_a_monitoring_system_goes_back_or_away(made: list[tuple[Spender, str, int]]) -> None:
    snapshot, before = nearly_full(), samples(nearly_full())
    for call in made:
        snapshot = counted(snapshot, *call)
        after = samples(snapshot)
        assert {place for place, shown in before.items() if after.get(place, -1) < shown} == set()
        before = after
    keys = {dict(labels).get("key") for _, labels in before}
    assert len(keys) <= MOST_SPENDERS + len(CONFIG.keys) + 3, "local, (other), and what has no key"


def samples(snapshot: Snapshot) -> dict[tuple[str, frozenset[tuple[str, str]]], Decimal | float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in measured(CONFIG, snapshot, FACTS, NOW, "1.2.3")
        if family.kind is not MetricType.GAUGE
        for sample in family.samples
    }


def test_failures_beyond_the_most_share_a_row_for_each_outcome() -> None:
    full = {Failed(Provider.OLLAMA, "K0", f"outcome {number}"): 1 for number in range(MOST_FAILURES)}
    snapshot = nearly_full()._replace(failures=full)
    for _ in range(2):
        snapshot = counted(snapshot, Spender(Provider.OLLAMA, "K1"), "junk", 1)
    assert snapshot.failures == {**full, Failed(Provider.OLLAMA, OTHER, "junk"): 2}


def test_a_late_settlement_of_a_shared_row_adds_what_the_call_cost_beyond_its_hold() -> None:
    snapshot = nearly_full()
    for key in ("one", "two"):
        snapshot = counted(snapshot, Spender(Provider.OLLAMA, key), "answered", 1)
    hold = Hold("h", ME, NOW, NOW + HOUR, TODAY, "three", Provider.OLLAMA, "kimi", "", Decimal(1))
    snapshot = count(snapshot, hold, Cell(calls=1, errors=1, cost_usd=Decimal(1)), LAPSED, NOW)
    late = count(snapshot, hold._replace(lapsed=True), Cell(calls=1, cost_usd=Decimal(3)), "answered", NOW)
    shared = late.totals[Spender(Provider.OLLAMA, OTHER)]
    assert (shared.calls, shared.errors, shared.cost_usd) == (1, 1, Decimal(3))
