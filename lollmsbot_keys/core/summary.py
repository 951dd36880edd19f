"""How one budget day is summed up from the state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal

from lollmsbot_keys.core import judge, money
from lollmsbot_keys.core.catalogue import Config, Key, Provider
from lollmsbot_keys.core.day import KeyDay, ProviderDay, Summary
from lollmsbot_keys.core.ledger import added
from lollmsbot_keys.core.request import Facts, Reason, SetAside
from lollmsbot_keys.core.state import Cell, CellKey, Snapshot, Spender


def summarise(config: Config, snapshot: Snapshot, facts: Facts, now: datetime) -> Summary:
    """The budget day that `now` lies in."""
    day = money.budget_day(now, config.timezone)
    cells = snapshot.days[day].cells if day in snapshot.days else {}
    keys = tuple(_keys(config, snapshot, facts, now, cells))
    providers = tuple(_provider(provider, config, snapshot, day) for provider in config.providers)
    return Summary(
        day=day,
        zone=str(config.timezone),
        keys=keys,
        providers=providers,
        total=_sum(cells.values()),
        reserved_usd=sum((p.reserved_usd for p in providers), money.NOTHING),
        month_usd=sum((p.month_usd for p in providers), money.NOTHING),
    )


def _keys(
    config: Config, snapshot: Snapshot, facts: Facts, now: datetime, cells: Mapping[CellKey, Cell]
) -> Iterable[KeyDay]:
    known = {key.name for key in config.keys}
    day = money.budget_day(now, config.timezone)
    committed = money.committed(snapshot, day)
    for key in config.keys:
        sums = _sum(cell for place, cell in cells.items() if place.key == key.name)
        out = judge.standing(key, snapshot, facts, now) or judge.hourly_limit(key, config, snapshot, now)
        yield KeyDay(key.name, key.provider, sums, out or _used_up(key, config, committed, day))
    former = {(place.key, place.provider) for place in cells if place.key not in known}
    for name, provider in sorted(former):
        sums = _sum(cell for place, cell in cells.items() if (place.key, place.provider) == (name, provider))
        yield KeyDay(name or None, provider, sums, None)


def _used_up(key: Key, config: Config, committed: dict[Spender, Decimal], day: date) -> SetAside | None:
    """Whether nothing is left of the provider's or the key's budget. What is left may be too little for a call."""
    budget = config.providers[key.provider].daily_budget_usd
    mine = committed.get(Spender(key.provider, key.name), money.NOTHING)
    gone = budget is not None and money.of_provider(committed, key.provider) >= budget
    if gone or (key.daily_budget_usd is not None and mine >= key.daily_budget_usd):
        return SetAside(Reason.OVER_BUDGET, money.day_end(day, config.timezone), "nothing is left of the day's budget")
    return None


def _provider(provider: Provider, config: Config, snapshot: Snapshot, day: date) -> ProviderDay:
    held = (h.amount_usd for h in snapshot.holds.values() if h.provider is provider and h.day == day and not h.lapsed)
    reserved = sum(held, money.NOTHING)
    today = money.of_provider(money.committed(snapshot, day), provider) - reserved
    month = f"{day:%Y-%m}"
    closed = money.of_provider(dict(snapshot.months.get(month, {})), provider)
    open_days = sum(
        (_spent(content.spent, provider) for d, content in snapshot.days.items() if f"{d:%Y-%m}" == month),
        money.NOTHING,
    )
    return ProviderDay(
        provider,
        today,
        closed + open_days,
        reserved,
        config.providers[provider].daily_budget_usd,
        min(config.alerts.at_percent, default=None),
    )


def _spent(sums: Mapping[Spender, Decimal], provider: Provider) -> Decimal:
    return money.of_provider(dict(sums), provider)


def _sum(cells: Iterable[Cell]) -> Cell:
    total = Cell()
    for cell in cells:
        total = added(total, cell)
    return total
