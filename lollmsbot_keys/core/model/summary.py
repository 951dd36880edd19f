"""One budget day at a glance: the spending of keys and providers, what is held, and the ready keys."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.request import SetAside
from lollmsbot_keys.core.model.snapshot import Cell


class Forecast(NamedTuple):
    """The cost of one provider at the recent pace, and the time at which a budget is reached.

    It is computed as if no budget stopped the provider. `day_usd` is for the end of the budget day, `month_usd` for
    that of its month; `reached` and `monthly_reached` say when the daily and the monthly budget are used up, `None`
    where they last. What is not known is `None`, and `reason` says why.
    """

    day_usd: Decimal | None = None
    month_usd: Decimal | None = None
    reached: datetime | None = None
    monthly_reached: datetime | None = None
    reason: str = ""


class Use(NamedTuple):
    """The cost of a day or a month so far beside its budget (`None`: there is none).

    Of a month only the amounts of `sums` are known. `held_usd` is held for calls on their way.
    """

    sums: Cell = Cell()
    held_usd: Decimal = Decimal(0)
    budget_usd: Decimal | None = None

    @property
    def used_percent(self) -> Decimal | None:
        """The percentage of the budget that is spent or held, or `None` without a budget."""
        if self.budget_usd is None:
            return None
        if not self.budget_usd:
            return Decimal(100)
        return (100 * (self.sums.cost_usd + self.held_usd) / self.budget_usd).quantize(Decimal("0.1"))

    def reaches(self, percent: Decimal) -> bool:
        """Say whether this percentage of the budget is spent.

        What is held may come back, and is no news.
        """
        spent = self.sums.cost_usd
        return self.budget_usd is not None and spent > 0 and 100 * spent >= percent * self.budget_usd


class KeyDay(NamedTuple):
    """One key's calls and its state.

    `key` is `None` for local; `set_aside` says why it is out, `None` that it is ready. `day` and `month` are always
    today's, whatever span `sums` is about.
    """

    key: str | None
    provider: Provider
    sums: Cell
    set_aside: SetAside | None
    day: Use = Use()
    month: Use = Use()


class ProviderDay(NamedTuple):
    """One provider's day and month, with its forecast."""

    provider: Provider
    day: Use
    month: Use
    alert_at_percent: Decimal | None
    forecast: Forecast = Forecast()

    @property
    def today_usd(self) -> Decimal:
        return self.day.sums.cost_usd

    @property
    def month_usd(self) -> Decimal:
        return self.month.sums.cost_usd

    @property
    def reserved_usd(self) -> Decimal:
        """The money held for calls on their way."""
        return self.day.held_usd

    @property
    def daily_budget_usd(self) -> Decimal | None:
        return self.day.budget_usd

    @property
    def used_percent(self) -> Decimal | None:
        """The percentage of the daily budget that is spent or held, or `None` without one."""
        return self.day.used_percent

    @property
    def alert(self) -> bool:
        """Whether the day or the month has reached the lowest share at which people want to know."""
        limit = self.alert_at_percent
        return limit is not None and (self.day.reaches(limit) or self.month.reaches(limit))


class PriceDates(NamedTuple):
    """The oldest and the newest date of the prices in today's estimates."""

    oldest: date
    newest: date


class Summary(NamedTuple):
    """The summary of one day.

    `zone` is the name of the zone whose midnight ends it, at `ends`. `prices` are those of today's estimates; `listed`
    is when OpenRouter's list of prices was fetched, if it ever was.
    """

    day: date
    zone: str
    ends: datetime
    keys: tuple[KeyDay, ...]
    providers: tuple[ProviderDay, ...]
    total: Cell
    prices: PriceDates | None = None
    listed: datetime | None = None

    @property
    def reserved_usd(self) -> Decimal:
        return sum((provider.reserved_usd for provider in self.providers), Decimal(0))

    @property
    def month_usd(self) -> Decimal:
        return sum((provider.month_usd for provider in self.providers), Decimal(0))
