"""Alerts that people get without asking, and the messages about them to each channel."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import Enum, StrEnum, auto

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.lease import Lease


class AlertKind(StrEnum):
    """The subject of an alert.

    The order is that of lines and messages, the gravest first.
    """

    STANDSTILL = "standstill"
    POOL = "pool"
    KEY_DISABLED = "key_disabled"
    BUDGET = "budget"
    FORECAST = "forecast"
    UNUSUAL = "unusual"
    ROTATION_OVERDUE = "rotation_overdue"


class Tone(Enum):
    """The weight of a message.

    Calls are refused or soon may be; something should be looked at; it is over.
    """

    GRAVE = auto()
    WARNING = auto()
    GOOD = auto()


class Alert(NamedTuple):
    """A state that holds now and should not.

    `name` stays the same while the alert is about the same thing. `title` says what and which in a few words that are
    still true when it is over; `message` is one line with what, which, and what next. `window` is the day or month that
    it is told once in; "" for what lasts until somebody mends it. A higher `level` is news within a window. `grave`:
    calls are refused because of it, or soon may be. `covers` names alerts that this one makes pointless.
    """

    kind: AlertKind
    name: str
    title: str
    message: str
    window: str = ""
    level: int = 0
    grave: bool = False
    provider: Provider | None = None
    key: str | None = None
    threshold: Decimal | None = None
    since: datetime | None = None
    covers: tuple[str, ...] = ()


class Letter(NamedTuple):
    """One message for one channel, about an alert as it was or about its end.

    A `channel` of "" is standard output.
    """

    name: str
    window: str
    level: int
    over: bool
    channel: str


STANDARD_OUTPUT = ""
POOL, STANDSTILL = "pool", "standstill"
"""The names of two alerts: the pool has shrunk, and nothing could answer. There is one pool, so a name is enough."""


class AlertEnded(NamedTuple):
    """An alert that is over, with its beginning and its end."""

    name: str
    title: str
    since: datetime
    over: datetime

    @property
    def message(self) -> str:
        """One line for people."""
        return f"resolved: {self.title} (since {self.since:%Y-%m-%d %H:%M} UTC)"


def figure(number: Decimal) -> str:
    """Write dollars or calls for a message.

    There are at most two decimals, and below one as many as are needed.
    """
    if number >= 1:
        return f"{number:.2f}".removesuffix(".00")
    return f"{number:.6f}".rstrip("0").rstrip(".")


# --- what happens to them ---


class Watched(NamedTuple):
    """The alerts that hold at a look, and with `ends` also the end of all others.

    `usable` are the keys that can be used, `channels` the marks of those who are told.
    """

    alerts: tuple[Alert, ...]
    usable: frozenset[str]
    channels: tuple[str, ...]
    today: date
    ends: bool


class Telling(NamedTuple):
    """The beginning of a delivery of these alerts."""

    names: frozenset[str]
    lease: Lease


class AlertsDelivered(NamedTuple):
    """The end of a delivery, with the letters that arrived."""

    letters: tuple[Letter, ...]
    lease: Lease
