"""All samples that `lbk metrics` gives a monitoring system, from one snapshot.

Names that the design prescribes stand as they are (`api_…`, `provider_…`, `daily_cost_usd`, …); all others begin with
`lbk_`. Labels are names of keys and providers and words of lbk's own: no model, no account, no text of a provider.
"""

from __future__ import annotations

from datetime import datetime

from lollmsbot_keys.core.metrics.counters import counts
from lollmsbot_keys.core.metrics.gauges import gauges
from lollmsbot_keys.core.model.config import Config
from lollmsbot_keys.core.model.metric_family import Family, MetricType, Sample
from lollmsbot_keys.core.model.request import Facts
from lollmsbot_keys.core.model.snapshot import Snapshot


def measured(config: Config, snapshot: Snapshot, facts: Facts, now: datetime, version: str) -> tuple[Family, ...]:
    """Return all families as of `now`, none of them twice."""
    return (
        *counts(config, snapshot),
        *gauges(config, snapshot, facts, now),
        _single("lbk_build_info", "The version of lbk that measured this.", {"version": version}, 1),
        _single("lbk_metrics_last_run_timestamp_seconds", "When this was measured.", {}, now.timestamp()),
    )


def _single(name: str, text: str, labels: dict[str, str], value: float) -> Family:
    return Family(name, MetricType.GAUGE, text, (Sample(name, labels, value),))
