"""The families of samples for a monitoring system, in any format."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.request import EMPTY, Reason

SampleId = tuple[str, tuple[tuple[str, str], ...]]
"""A sample's name and its labels in alphabetical order, which identify a series."""

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
"""Reasons that leave a key out for every request."""
KEY_STATES = (READY, *(reason.value for reason in WHOLE_KEY), OFF)
"""The states of a whole key; `off` is a key that the configuration switches off."""


class MetricType(StrEnum):
    """The behaviour of a family's values.

    Those of a gauge go up and down, all others only up.
    """

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Sample(NamedTuple):
    """One value.

    `name` is the family's, or in a histogram with `_bucket`, `_sum` or `_count` behind it.
    """

    name: str
    labels: Mapping[str, str]
    value: Decimal | float

    @property
    def id(self) -> SampleId:
        return self.name, tuple(sorted(self.labels.items()))


class Family(NamedTuple):
    """All samples of one name, with what a person should know about them.

    Counters end in `_total`.
    """

    name: str
    kind: MetricType
    help: str
    samples: tuple[Sample, ...]


class ShownCounters(NamedTuple):
    """Counters as they were last shown, with the parts carried over from earlier states.

    A part is carried over when the state has gone back since.
    """

    values: Mapping[SampleId, float] = EMPTY
    carried: Mapping[SampleId, float] = EMPTY
