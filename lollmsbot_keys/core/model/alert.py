"""What people are to be told of without having asked: one alert as a value, and one message about it to one channel."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import Enum, StrEnum, auto

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.lease import Lease


class AlertKind(StrEnum):
    """What an alert is about; the order is that of lines and messages, the gravest first."""

    STANDSTILL = "standstill"
    POOL = "pool"
    KEY_DISABLED = "key_disabled"
    BUDGET = "budget"
    FORECAST = "forecast"
    UNUSUAL = "unusual"
    ROTATION_OVERDUE = "rotation_overdue"


class Tone(Enum):
    """How a message is meant: calls are refused or soon may be; something should be looked at; it is over."""

    GRAVE = auto()
    WARNING = auto()
    GOOD = auto()


class Alert(NamedTuple):
    """Something that holds now and should not.

    `name` is the same for as long as it is about the same thing. `title` says what and which in a few words that are
    still true when it is over; `message` is one line with what, which, and what next. `window` is the day or month
    that it is told once in; "" for what lasts until somebody mends it. A higher `level` is news within a window.
    `grave`: calls are refused because of it, or soon may be. `covers` names alerts that this one makes pointless.
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
    """One message that is owed to one channel: an alert as it stood, or its end. `channel` "" is standard output."""

    name: str
    window: str
    level: int
    over: bool
    channel: str


STANDARD_OUTPUT = ""
POOL, STANDSTILL = "pool", "standstill"
"""The names of the alerts that the pool has shrunk, and that nothing could answer: there is one pool."""


class AlertEnded(NamedTuple):
    """An alert that is over: what it was, and how long."""

    name: str
    title: str
    since: datetime
    over: datetime

    @property
    def message(self) -> str:
        """One line for people."""
        return f"resolved: {self.title} (since {self.since:%Y-%m-%d %H:%M} UTC)"


def figure(number: Decimal) -> str:
    """Dollars or calls in a message: two decimals at most, and below one as much as there is to see."""
    if number >= 1:
        return f"{number:.2f}".removesuffix(".00")
    return f"{number:.6f}".rstrip("0").rstrip(".")


# --- what happens to them ---


class Watched(NamedTuple):
    """Somebody looked what people must be told; with `ends` also for what need not be told any more.

    `usable` are the keys that can be used, `channels` the marks of those who are told.
    """

    alerts: tuple[Alert, ...]
    usable: frozenset[str]
    channels: tuple[str, ...]
    today: date
    ends: bool


class Telling(NamedTuple):
    """Somebody is about to tell these."""

    names: frozenset[str]
    lease: Lease


class AlertsDelivered(NamedTuple):
    """Somebody who was about to tell is done, and these letters arrived."""

    letters: tuple[Letter, ...]
    lease: Lease
