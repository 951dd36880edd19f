"""The budgets of one moment: how much of each is spent or held, and which of them a call could pass.

A budget is a provider's or a key's, for a day or for a calendar month of the configured zone. All are hard stops: what
is recorded, what is held, and the most that the new call can cost never exceed one together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from lollmsbot_keys.core import money
from lollmsbot_keys.core.catalogue import Config, Key, Provider, ProviderSettings
from lollmsbot_keys.core.day import Window
from lollmsbot_keys.core.noun import NamedTuple
from lollmsbot_keys.core.request import Reason, SetAside
from lollmsbot_keys.core.state import Snapshot, Spender

_WHEN = {Window.DAY: "today", Window.MONTH: "this month"}


class Limit(NamedTuple):
    """One configured budget, the table that says so, and what is committed against it."""

    table: str
    window: Window
    budget_usd: Decimal
    committed_usd: Decimal

    @property
    def setting(self) -> str:
        """The configuration's name of it."""
        match self.window:
            case Window.DAY:
                return f"{self.table}.daily_budget_usd"
            case Window.MONTH:
                return f"{self.table}.monthly_budget_usd"
            case _:
                assert_never(self.window)


class Budgets:
    """All budgets at `now`. Sums are worked out when a budget first needs them: most people set few."""

    def __init__(self, config: Config, snapshot: Snapshot, now: datetime) -> None:
        self._config, self._snapshot = config, snapshot
        self._day = money.budget_day(now, config.timezone)
        self._committed: dict[Window, Mapping[Spender, Decimal]] = {}
        self._limits: dict[Provider, tuple[Limit, ...]] = {}

    def committed(self, window: Window) -> Mapping[Spender, Decimal]:
        """Recorded spend plus open holds of this day or month, by spender."""
        if window not in self._committed:
            match window:
                case Window.DAY:
                    totals = money.committed(self._snapshot, self._day)
                case Window.MONTH:
                    totals = money.committed_in_month(self._snapshot, money.month_of(self._day))
                case _:
                    assert_never(window)
            self._committed[window] = totals
        return self._committed[window]

    def limits(self, key: Key) -> tuple[Limit, ...]:
        """The budgets that a call with `key` counts against: its provider's and its own."""
        known = self._limits.get(key.provider)
        if known is None:
            settings, table = self._config.providers[key.provider], f"providers.{key.provider}"
            known = self._limits[key.provider] = tuple(
                self._set_by(settings, table, lambda totals: money.of_provider(totals, key.provider))
            )
        if key.daily_budget_usd is None and key.monthly_budget_usd is None:
            return known
        me = Spender(key.provider, key.name)
        return (*known, *self._set_by(key, f"keys.{key.name}", lambda totals: totals.get(me, money.NOTHING)))

    def _set_by(
        self, owner: ProviderSettings | Key, table: str, mine: Callable[[Mapping[Spender, Decimal]], Decimal]
    ) -> Iterator[Limit]:
        if owner.daily_budget_usd is not None:
            spent = mine(self.committed(Window.DAY))
            yield Limit(table, Window.DAY, owner.daily_budget_usd, spent)
        if owner.monthly_budget_usd is not None:
            spent = mine(self.committed(Window.MONTH))
            yield Limit(table, Window.MONTH, owner.monthly_budget_usd, spent)

    def passed_by(self, key: Key, bound: Decimal) -> Iterator[SetAside]:
        """Every budget that a call of at most `bound` could pass."""
        for limit in self.limits(key):
            if limit.committed_usd + bound > limit.budget_usd:
                until = self.end(limit.window) if bound <= limit.budget_usd else None
                detail = (
                    f"{limit.committed_usd:.4f} spent or held {_WHEN[limit.window]}, this call could cost {bound:.4f}, "
                    f"{limit.setting} is {limit.budget_usd}"
                )
                yield SetAside(Reason.OVER_BUDGET, until, detail)

    def used_up(self, key: Key) -> SetAside | None:
        """The budget of which nothing is left, for longest; `None` while each has some, which may be too little."""
        gone = [limit for limit in self.limits(key) if limit.committed_usd >= limit.budget_usd]
        if not gone:
            return None
        last = max(gone, key=lambda limit: self.end(limit.window))
        return SetAside(Reason.OVER_BUDGET, self.end(last.window), f"nothing is left of {last.setting}")

    def end(self, window: Window) -> datetime:
        """When the day or month ends, in UTC."""
        match window:
            case Window.DAY:
                return money.day_end(self._day, self._config.timezone)
            case Window.MONTH:
                return money.month_end(self._day, self._config.timezone)
            case _:
                assert_never(window)
