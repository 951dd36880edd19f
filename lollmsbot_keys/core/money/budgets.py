"""The budgets of one moment, with what is spent or held of each.

They also tell which of them a call could pass. A budget is a provider's or a key's, for a day or for a calendar month
of the configured zone. All are hard stops: the sum of what is recorded, what is held, and the most that the new call
can cost never exceeds a budget. Held is not spent: most of it comes back when its call ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import assert_never

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Config, Key, Provider, ProviderSettings
from lollmsbot_keys.core.model.period import Window
from lollmsbot_keys.core.model.request import Reason, SetAside
from lollmsbot_keys.core.model.snapshot import Snapshot, Spender
from lollmsbot_keys.core.money import amounts

_WHEN = {Window.DAY: "today", Window.MONTH: "this month"}
_USUAL = timedelta(seconds=10)
"""The length of a call whose key has no finished call yet."""
_SOON = timedelta(seconds=1)


class BudgetLimit(NamedTuple):
    """One configured budget and what is committed against it.

    `table` is the configuration's table that sets it. Some of what is committed is only held. `key` is the key that it
    limits, or `None` where it is the provider's.
    """

    table: str
    window: Window
    budget_usd: Decimal
    committed_usd: Decimal
    held_usd: Decimal = amounts.NOTHING
    key: str | None = None

    @property
    def spent_usd(self) -> Decimal:
        """The part that no end of a call gives back."""
        return self.committed_usd - self.held_usd

    @property
    def setting(self) -> str:
        """Its name in the configuration."""
        match self.window:
            case Window.DAY:
                return f"{self.table}.daily_budget_usd"
            case Window.MONTH:
                return f"{self.table}.monthly_budget_usd"
            case _:
                assert_never(self.window)


class Budgets:
    """All budgets at `now`.

    Sums are computed when a budget first needs them, because most people set few budgets.
    """

    def __init__(self, config: Config, snapshot: Snapshot, now: datetime) -> None:
        self._config, self._snapshot, self._now = config, snapshot, now
        self._day = amounts.budget_day(now, config.timezone)
        self._committed: dict[Window, Mapping[Spender, Decimal]] = {}
        self._held: dict[Window, Mapping[Spender, Decimal]] = {}
        self._limits: dict[Provider, tuple[BudgetLimit, ...]] = {}

    def committed(self, window: Window) -> Mapping[Spender, Decimal]:
        """Sum recorded spending and open holds of this day or month, by spender."""
        if window not in self._committed:
            match window:
                case Window.DAY:
                    held, totals = amounts.held(self._snapshot, self._day), amounts.committed(self._snapshot, self._day)
                case Window.MONTH:
                    month = amounts.month_of(self._day)
                    held = amounts.held_in_month(self._snapshot, month)
                    totals = amounts.committed_in_month(self._snapshot, month)
                case _:
                    assert_never(window)
            self._held[window], self._committed[window] = held, totals
        return self._committed[window]

    def limits(self, key: Key) -> tuple[BudgetLimit, ...]:
        """Return the budgets of the provider and of `key`, which a call counts against."""
        known = self._limits.get(key.provider)
        if known is None:
            settings, table = self._config.providers[key.provider], f"providers.{key.provider}"
            known = self._limits[key.provider] = tuple(
                self._set_by(settings, table, lambda totals: amounts.of_provider(totals, key.provider))
            )
        if key.daily_budget_usd is None and key.monthly_budget_usd is None:
            return known
        me = Spender(key.provider, key.name)
        its_own = self._set_by(key, f"keys.{key.name}", lambda totals: totals.get(me, amounts.NOTHING))
        return (*known, *(limit._replace(key=key.name) for limit in its_own))

    def _set_by(
        self, owner: ProviderSettings | Key, table: str, mine: Callable[[Mapping[Spender, Decimal]], Decimal]
    ) -> Iterator[BudgetLimit]:
        budgets = ((Window.DAY, owner.daily_budget_usd), (Window.MONTH, owner.monthly_budget_usd))
        for window, budget in budgets:
            if budget is not None:
                committed = mine(self.committed(window))
                yield BudgetLimit(table, window, budget, committed, mine(self._held[window]))

    def passed_by(self, key: Key, bound: Decimal) -> Iterator[SetAside]:
        """Yield every budget that a call of at most `bound` could pass.

        The reason says whether that is because of what is spent, or only because of what is held.
        """
        for limit in self.limits(key):
            if limit.committed_usd + bound <= limit.budget_usd:
                continue
            held = f" and {limit.held_usd:.4f} held" if limit.held_usd else ""
            detail = (
                f"{limit.spent_usd:.4f} spent{held} {_WHEN[limit.window]}, this call could cost {bound:.4f}, "
                f"{limit.setting} is {limit.budget_usd}"
            )
            if limit.spent_usd + bound <= limit.budget_usd:
                yield SetAside(Reason.HELD, self._next_end(key, limit), detail)
            else:
                until = self.end(limit.window) if bound <= limit.budget_usd else None
                yield SetAside(Reason.OVER_BUDGET, until, detail)

    def used_up(self, key: Key) -> SetAside | None:
        """Return the used-up budget that lasts longest, or `None` while each has some left.

        What is left may be too little for a call.
        """
        gone = [limit for limit in self.limits(key) if limit.committed_usd >= limit.budget_usd]
        if not gone:
            return None
        spent = [limit for limit in gone if limit.spent_usd >= limit.budget_usd]
        if not spent:
            until, setting = max((self._next_end(key, limit), limit.setting) for limit in gone)
            return SetAside(Reason.HELD, until, f"what is left of {setting} is held by calls on their way")
        last = max(spent, key=lambda limit: self.end(limit.window))
        return SetAside(Reason.OVER_BUDGET, self.end(last.window), f"nothing is left of {last.setting}")

    def _next_end(self, key: Key, limit: BudgetLimit) -> datetime:
        """Estimate when the first call that holds some of `limit` will end.

        The estimate is how long calls of its key usually take.
        """
        ends = [
            min(hold.claimed, self._now) + self._usual(Spender(hold.provider, hold.key))
            for hold in self._snapshot.holds.values()
            if not hold.lapsed
            and hold.amount_usd
            and hold.provider is key.provider
            and limit.key in {None, hold.key}
            and self._counts(hold.day, limit.window)
        ]
        return max(min(ends, default=self._now), self._now + _SOON)

    def _counts(self, day: date, window: Window) -> bool:
        match window:
            case Window.DAY:
                return day == self._day
            case Window.MONTH:
                return amounts.month_of(day) == amounts.month_of(self._day)
            case _:
                assert_never(window)

    def _usual(self, spender: Spender) -> timedelta:
        seen = self._snapshot.totals.get(spender)
        return timedelta(milliseconds=seen.latency_ms // seen.calls) if seen is not None and seen.calls else _USUAL

    def end(self, window: Window) -> datetime:
        """Return the end of the day or month in UTC."""
        match window:
            case Window.DAY:
                return amounts.day_end(self._day, self._config.timezone)
            case Window.MONTH:
                return amounts.month_end(self._day, self._config.timezone)
            case _:
                assert_never(window)
