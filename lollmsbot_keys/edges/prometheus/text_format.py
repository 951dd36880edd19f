"""Prometheus's text format, by its official client: families as text, and the counters of an earlier text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from lollmsbot_keys.core.model.metric_family import Family, MetricType, SampleId, ShownCounters

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

POOL = "pool"
"""The label that tells pools apart if their files lie in one folder: node_exporter drops a sample found twice."""
_REMARK = b"# lbk carries over: "


def registry_of(families: Sequence[Family], pool: str) -> CollectorRegistry:
    """Return a registry of the client library that has only these families of `pool`.

    It has no figures of the process itself.
    """
    from prometheus_client import CollectorRegistry
    from prometheus_client.registry import Collector

    class FamilyCollector(Collector):
        def collect(self) -> Iterable[Metric]:
            return (_metric(family, pool) for family in families)

        def describe(self) -> Iterable[Metric]:
            return ()  # or the library would collect once more, to know the names

    registry = CollectorRegistry(auto_describe=False)
    registry.register(FamilyCollector())
    return registry


def _metric(family: Family, pool: str) -> Metric:
    from prometheus_client import Metric

    # The library puts a counter's suffix back on when it writes.
    name = family.name.removesuffix("_total") if family.kind is MetricType.COUNTER else family.name
    metric = Metric(name, family.help, family.kind.value)
    for sample in family.samples:
        metric.add_sample(sample.name, {**sample.labels, POOL: pool}, float(sample.value))
    return metric


def text_of(families: Sequence[Family], pool: str) -> bytes:
    """Return the families of `pool` in the text format, version 0.0.4."""
    from prometheus_client import generate_latest

    return generate_latest(registry_of(families, pool))


def remembering(text: bytes, shown: ShownCounters) -> bytes:
    """Return `text` with a comment that holds the counters carried over.

    With it, the next text can be made from this one.
    """
    if not shown.carried:
        return text
    carried = [[name, dict(labels), more] for (name, labels), more in shown.carried.items()]
    return text + _REMARK + json.dumps(carried, separators=(",", ":")).encode() + b"\n"


def shown_in(text: bytes) -> ShownCounters:
    """Return the counters in `text`, of any pool; none if the text is not ours."""
    from prometheus_client.parser import text_string_to_metric_families

    try:
        metrics = list(text_string_to_metric_families(text.decode()))
        carried = dict(_carried(text))
    except (ValueError, KeyError, TypeError, IndexError):
        return ShownCounters()
    values: dict[SampleId, float] = {}
    for metric in metrics:
        if metric.type != MetricType.GAUGE:
            for sample in metric.samples:
                labels = {name: value for name, value in sample.labels.items() if name != POOL}
                values[sample.name, tuple(sorted(labels.items()))] = sample.value
    return ShownCounters(values, {place: more for place, more in carried.items() if place in values})


def _carried(text: bytes) -> Iterator[tuple[SampleId, float]]:
    for line in text.splitlines():
        if line.startswith(_REMARK):
            for name, labels, more in json.loads(line.removeprefix(_REMARK)):
                yield (str(name), tuple(sorted((str(k), str(v)) for k, v in labels.items()))), float(more)
