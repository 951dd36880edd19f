"""The report of `lbk costs`: calls and money of a span of days, grouped in one of five ways."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from decimal import Decimal
from enum import StrEnum

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.snapshot import Cell
from lollmsbot_keys.core.model.summary import KeyDay, Summary


class By(StrEnum):
    """The subject of a statement's rows."""

    KEY = "key"
    PROVIDER = "provider"
    MODEL = "model"
    PILLAR = "pillar"
    DAY = "day"

    @property
    def asks_for_models(self) -> bool:
        """Whether it needs finer sums than those by day and key."""
        return self in {By.MODEL, By.PILLAR}


class DaySpan(NamedTuple):
    """The budget days from one to another, both included."""

    since: date
    until: date

    @property
    def days(self) -> int:
        return (self.until - self.since).days + 1


class Row(NamedTuple):
    """The sums of one key, provider, model, pillar or day.

    `name` is "" where there is none: local calls have no key, and many calls no pillar. `provider` is given for keys,
    providers and models.
    """

    name: str
    provider: Provider | None
    sums: Cell


class Gap(NamedTuple):
    """A month ("2026-10") of which the history lacks days.

    `lacking_usd` is what they cost, if the state knows it. `damaged` names a file that was set aside because it could
    not be read.
    """

    month: str
    lacking_usd: Decimal | None = None
    damaged: str = ""


class Survey(NamedTuple):
    """The content of the history for some months ("2026-10").

    `present` have a file. `missing` had one, as the next month's file tells; `damaged` names the file of a month that
    was set aside because it could not be read.
    """

    months: tuple[str, ...]
    present: AbstractSet[str]
    missing: AbstractSet[str]
    damaged: Mapping[str, str]


class Statement(NamedTuple):
    """The summary of today, and the sums of the span that was asked for.

    `keys` stand as they do today, with the sums of the span; `rows` are grouped `by` what was asked for.
    """

    summary: Summary
    span: DaySpan
    by: By
    keys: tuple[KeyDay, ...]
    rows: tuple[Row, ...]
    total: Cell
    gaps: tuple[Gap, ...] = ()
