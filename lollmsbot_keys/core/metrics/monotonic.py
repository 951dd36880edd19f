"""Counters that never go back, also where the state does.

A state that was restored from an older copy counts a little less than before. A monitoring system reads every step
back as a restart from zero, and would add the whole counter once more (prometheus/prometheus#4232).
"""

from __future__ import annotations

from collections.abc import Iterable

from lollmsbot_keys.core.model.metric_family import Family, MetricType, Sample, SampleId, ShownCounters


def carry(families: Iterable[Family], before: ShownCounters) -> tuple[tuple[Family, ...], ShownCounters]:
    """Add to the families what the state has lost since `before`, and return what to remember next time.

    A counter that is not there any more is forgotten: it begins at zero if it comes back, as after a restart.
    """
    values: dict[SampleId, float] = {}
    carried: dict[SampleId, float] = {}

    def carried_over(sample: Sample) -> Sample:
        place, counted = sample.id, float(sample.value)
        last = before.values.get(place, 0.0)
        more = max(before.carried.get(place, 0.0), last - counted)
        if more:
            carried[place] = more
        values[place] = max(last, counted + more)  # the sum may be rounded to a little less
        return sample._replace(value=values[place])

    found = tuple(
        family
        if family.kind is MetricType.GAUGE
        else family._replace(samples=tuple(carried_over(sample) for sample in family.samples))
        for family in families
    )
    return found, ShownCounters(values, carried)
