"""Our ledger beside the provider's own figures, for `lbk costs --reconcile`."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.period import Window


class Figures(NamedTuple):
    """The use in a span of time.

    Counts are `None` where nobody tells them. Tokens from a cache are part of the prompt's.
    """

    usd: Decimal = Decimal(0)
    calls: int | None = 0
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    cached_tokens: int = 0


class Bin(NamedTuple):
    """The sum over a span of time that nobody knows in finer parts."""

    since: datetime
    until: datetime
    figures: Figures


class ReportedUsage(NamedTuple):
    """The use that a provider reports from `since` on, as of `at`.

    `bins` lie one after the other.
    """

    since: datetime
    at: datetime
    bins: tuple[Bin, ...]


class Cause(StrEnum):
    """A reason why two honest figures differ."""

    ON_THEIR_WAY = "on_their_way"
    MEANWHILE = "ended_meanwhile"
    UNCONFIRMED = "unconfirmed"
    UNKNOWN_PRICE = "unknown_price"
    FORMER_SECRET = "former_secret"
    FORMER_KEYS = "former_keys"
    DAY_BOUNDARY = "day_boundary"
    ESTIMATES = "estimates"
    LATE = "late_figures"


class Part(NamedTuple):
    """The part of a difference that `cause` explains.

    It could explain up to `at_most_usd`.
    """

    cause: Cause
    usd: Decimal
    at_most_usd: Decimal


class ReconcileVerdict(StrEnum):
    """The result of a comparison."""

    AGREES = "agrees"
    EXPLAINED = "explained"
    UNEXPLAINED = "unexplained"
    NOT_COMPARED = "not_compared"


class Comparison(NamedTuple):
    """The comparison of one key, or of one account's keys, from `since` to `at`.

    It is for all keys of an account where the provider counts no finer (`per_account`). `ours` is the sum of all our
    days that reach into that time. `theirs` is `None` where nothing can be compared, and `problem` says why. `parts`
    explain the difference but for `unexplained_usd`, which has its sign.
    """

    keys: tuple[str, ...]
    provider: Provider
    per_account: bool
    ours: Figures
    theirs: Figures | None = None
    since: datetime | None = None
    at: datetime | None = None
    parts: tuple[Part, ...] = ()
    tolerance_usd: Decimal = Decimal(0)
    problem: str = ""
    first_seen: datetime | None = None

    @property
    def difference_usd(self) -> Decimal | None:
        """The amount that the provider booked beyond ours."""
        return None if self.theirs is None else self.theirs.usd - self.ours.usd

    @property
    def unexplained_usd(self) -> Decimal:
        difference = self.difference_usd or Decimal(0)
        rest = abs(difference) - sum((part.usd for part in self.parts), Decimal(0))
        return rest.copy_sign(difference)

    @property
    def verdict(self) -> ReconcileVerdict:
        if self.theirs is None:
            return ReconcileVerdict.NOT_COMPARED
        if abs(self.theirs.usd - self.ours.usd) <= self.tolerance_usd:
            return ReconcileVerdict.AGREES
        return (
            ReconcileVerdict.UNEXPLAINED
            if abs(self.unexplained_usd) > self.tolerance_usd
            else ReconcileVerdict.EXPLAINED
        )


class Lost(NamedTuple):
    """The figures of calls that broke off.

    `found` ones were booked at `held_usd`, and cost `cost_usd`. `left` are those that nobody told yet; the next run
    asks again.
    """

    found: int = 0
    left: int = 0
    held_usd: Decimal = Decimal(0)
    cost_usd: Decimal = Decimal(0)


class Reconciliation(NamedTuple):
    """All comparisons of one run.

    `window` is the day or the month that they are about, the provider's own where it tells no other.
    """

    window: Window
    zone: str
    tolerance_usd: Decimal
    comparisons: tuple[Comparison, ...]
    lost: Lost
    notes: tuple[str, ...] = ()

    @property
    def compared(self) -> tuple[Comparison, ...]:
        return tuple(one for one in self.comparisons if one.verdict is not ReconcileVerdict.NOT_COMPARED)

    @property
    def unexplained(self) -> tuple[Comparison, ...]:
        return tuple(one for one in self.comparisons if one.verdict is ReconcileVerdict.UNEXPLAINED)
