"""One budget day at a glance: what each key and provider spent, what is held, and which keys are ready."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from lollmsbot_keys.core.catalogue import Provider
from lollmsbot_keys.core.request import SetAside
from lollmsbot_keys.core.state import Cell


class KeyDay(NamedTuple):
    """One key's day. `key` is `None` for local; `set_aside` says why it is out, `None` that it is ready."""

    key: str | None
    provider: Provider
    sums: Cell
    set_aside: SetAside | None


class ProviderDay(NamedTuple):
    """One provider's day and month in US dollars; `reserved_usd` is held for calls on their way."""

    provider: Provider
    today_usd: Decimal
    month_usd: Decimal
    reserved_usd: Decimal
    daily_budget_usd: Decimal | None
    alert_at_percent: Decimal | None

    @property
    def alert(self) -> bool:
        """Whether spend and holds have reached the lowest share of the budget at which people want to know."""
        used, limit = self.used_percent, self.alert_at_percent
        return used is not None and limit is not None and used >= limit

    @property
    def used_percent(self) -> Decimal | None:
        """Spent and held, as a share of the budget; `None` without one."""
        if self.daily_budget_usd is None:
            return None
        committed = self.today_usd + self.reserved_usd
        if not self.daily_budget_usd:
            return Decimal(100)
        return (100 * committed / self.daily_budget_usd).quantize(Decimal("0.1"))


class Summary(NamedTuple):
    """One day. `zone` is the name of the zone whose midnight ends it."""

    day: date
    zone: str
    keys: tuple[KeyDay, ...]
    providers: tuple[ProviderDay, ...]
    total: Cell
    reserved_usd: Decimal
    month_usd: Decimal
