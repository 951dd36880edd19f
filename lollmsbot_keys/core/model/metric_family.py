"""What a monitoring system is told: families of samples, whatever format they are written in."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.request import EMPTY, Reason

SampleId = tuple[str, tuple[tuple[str, str], ...]]
"""A sample's name and its labels in alphabetical order: what tells one series from another."""

READY, OFF = "ready", "off"
WHOLE_KEY = (
    Reason.COOLING_DOWN,
    Reason.HOURLY_LIMIT,
    Reason.OVER_BUDGET,
    Reason.HELD,
    Reason.NO_CREDIT,
    Reason.DISABLED,
    Reason.NO_SECRET,
)
"""Reasons for which a key is left out whatever the request."""
KEY_STATES = (READY, *(reason.value for reason in WHOLE_KEY), OFF)
"""What a whole key can be; `off` is one that the configuration switches off."""


class MetricType(StrEnum):
    """What may be done with a family's values. Those of a gauge go up and down, all others only up."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Sample(NamedTuple):
    """One value. `name` is the family's, or in a histogram with `_bucket`, `_sum` or `_count` behind it."""

    name: str
    labels: Mapping[str, str]
    value: Decimal | float

    @property
    def id(self) -> SampleId:
        return self.name, tuple(sorted(self.labels.items()))


class Family(NamedTuple):
    """All samples of one name, with what a person should know about them. Counters end in `_total`."""

    name: str
    kind: MetricType
    help: str
    samples: tuple[Sample, ...]


class ShownCounters(NamedTuple):
    """Counters as they were last shown, and how much of each is carried over from a state that has since gone back."""

    values: Mapping[SampleId, float] = EMPTY
    carried: Mapping[SampleId, float] = EMPTY
