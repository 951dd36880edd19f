"""The samples of a snapshot's counters: calls, tokens, money, time and errors, by key and by provider.

They come from `Snapshot.totals` and `Snapshot.failures`, which only grow and hold a bounded number of keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import accumulate

from lollmsbot_keys.core.model.config import Config, Provider
from lollmsbot_keys.core.model.metric_family import Family, MetricType, Sample
from lollmsbot_keys.core.model.outcome import OutcomeKind
from lollmsbot_keys.core.model.snapshot import LATENCY_BOUNDS_MS, Cell, Failed, Snapshot, Spender
from lollmsbot_keys.core.money.ledger import OTHER, added
from lollmsbot_keys.core.state.totals import LAPSED

LOCAL = "local"
ERRORS = (*(kind.value for kind in OutcomeKind if kind not in {OutcomeKind.ANSWERED, OutcomeKind.UNPROVEN}), LAPSED)
"""Every outcome that is counted as an error. An unproven local call was never sent, so it is none."""

_BOUNDS = (*(repr(bound / 1000) for bound in LATENCY_BOUNDS_MS), "+Inf")
_THOUSAND = Decimal(1000)


def named(spender: Spender) -> Spender:
    """Return the spender under a name that a configuration can have.

    All others, which only a damaged state has, become one.
    """
    return spender if re.fullmatch(r"[A-Za-z0-9_.-]{0,200}", spender.key) else spender._replace(key=OTHER)


def labels(spender: Spender) -> dict[str, str]:
    """Return the labels `key` and `provider`; the key is `local` where there is none."""
    return {"key": spender.key or LOCAL, "provider": spender.provider.value}


def configured(config: Config) -> tuple[Spender, ...]:
    """Return the keys of the configuration in their order, then local."""
    return (*(Spender(key.provider, key.name) for key in config.keys), Spender(Provider.LOCAL, ""))


def counts(config: Config, snapshot: Snapshot) -> Iterator[Family]:
    """Yield all counters, with zeros for keys that have done nothing yet.

    A series that begins at 1 shows no growth.
    """
    mine = configured(config)
    totals = dict.fromkeys(mine, Cell())
    for spender, cell in snapshot.totals.items():
        totals[named(spender)] = added(totals.get(named(spender)), cell)
    yield _counter("api_calls_total", "Calls sent to a provider, failed ones too.", totals, lambda cell: cell.calls)
    yield _tokens(totals)
    yield _counter(
        "api_cost_usd_total",
        "US dollars charged since the state began; later corrections count upwards only.",
        totals,
        lambda cell: cell.cost_usd,
    )
    yield _counter(
        "api_cost_total",
        "The same US dollars as a gauge, for dashboards that know this name.",
        totals,
        lambda cell: cell.cost_usd,
    )._replace(kind=MetricType.GAUGE)
    yield Family(
        "api_latency_seconds",
        MetricType.HISTOGRAM,
        "How long calls took, from sending to the last byte. Calls whose end nobody saw are not in it.",
        tuple(sample for spender, cell in totals.items() for sample in _distribution(labels(spender), cell)),
    )
    yield _errors(mine, snapshot.failures)
    yield from _by_provider(config, totals)


def _counter(name: str, text: str, totals: Mapping[Spender, Cell], figure: Callable[[Cell], Decimal | int]) -> Family:
    samples = tuple(Sample(name, labels(spender), figure(cell)) for spender, cell in totals.items())
    return Family(name, MetricType.COUNTER, text, samples)


def _tokens(totals: Mapping[Spender, Cell]) -> Family:
    name = "api_tokens_total"
    samples = [
        Sample(name, {**labels(spender), "direction": direction}, tokens)
        for spender, cell in totals.items()
        for direction, tokens in (("in", cell.prompt_tokens), ("out", cell.completion_tokens))
    ]
    return Family(
        name, MetricType.COUNTER, "Tokens as the providers count them: in (prompts), out (answers).", tuple(samples)
    )


def _distribution(names: Mapping[str, str], cell: Cell) -> Iterator[Sample]:
    name = "api_latency_seconds"
    for bound, calls in zip(_BOUNDS, accumulate(cell.latencies), strict=True):
        yield Sample(f"{name}_bucket", {**names, "le": bound}, calls)
    yield Sample(f"{name}_count", names, sum(cell.latencies))
    yield Sample(f"{name}_sum", names, cell.latency_ms / _THOUSAND)


def _errors(spenders: Iterable[Spender], failures: Mapping[Failed, int]) -> Family:
    name = "api_errors_total"
    counted = {(spender, outcome): 0 for spender in spenders for outcome in ERRORS}
    for failed, count in failures.items():
        outcome = failed.outcome if failed.outcome in ERRORS else OTHER
        place = named(Spender(failed.provider, failed.key)), outcome
        counted[place] = counted.get(place, 0) + count
    samples = [
        Sample(name, {**labels(spender), "outcome": outcome}, count) for (spender, outcome), count in counted.items()
    ]
    return Family(name, MetricType.COUNTER, "Calls that gave no whole answer, by what became of them.", tuple(samples))


def _by_provider(config: Config, totals: Mapping[Spender, Cell]) -> Iterator[Family]:
    sums = {
        provider: Cell.total(cell for spender, cell in totals.items() if spender.provider is provider)
        for provider in config.providers
    }
    calls, failovers = "provider_calls_total", "provider_failovers_total"
    yield Family(
        calls,
        MetricType.COUNTER,
        "Calls sent to a provider with any of its keys.",
        tuple(Sample(calls, {"provider": provider.value}, cell.calls) for provider, cell in sums.items()),
    )
    yield Family(
        failovers,
        MetricType.COUNTER,
        "Calls to a provider that stood in for one that had failed.",
        tuple(Sample(failovers, {"provider": provider.value}, cell.failovers) for provider, cell in sums.items()),
    )
