"""The summary of one budget day, from the state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal

from lollmsbot_keys.core.costs import query
from lollmsbot_keys.core.costs.forecast import forecast
from lollmsbot_keys.core.model.config import Config, Key, Provider
from lollmsbot_keys.core.model.request import Facts
from lollmsbot_keys.core.model.snapshot import Cell, Snapshot, Spender, Uncertain
from lollmsbot_keys.core.model.statement import DaySpan
from lollmsbot_keys.core.model.summary import KeyDay, ProviderDay, Summary, Use
from lollmsbot_keys.core.money import amounts
from lollmsbot_keys.core.money.budgets import Budgets
from lollmsbot_keys.core.money.ledger import added_doubts
from lollmsbot_keys.core.routing import eligibility


def summarise(
    config: Config, snapshot: Snapshot, facts: Facts, now: datetime, stored: Iterable[query.Part] = ()
) -> Summary:
    """Sum up the budget day that `now` lies in.

    `stored` are parts of that day that have left for the history already, which only a clock that steps back can make.
    """
    day = amounts.budget_day(now, config.timezone)
    parts = query.parts_of(snapshot, stored, DaySpan(day, day))
    uses = _Uses(snapshot, day, query.by_spender(parts))
    keys = [_key(key, config, snapshot, facts, now, uses) for key in config.keys]
    return Summary(
        day=day,
        zone=str(config.timezone),
        ends=amounts.day_end(day, config.timezone),
        keys=tuple(query.key_sums(keys, uses.today)),
        providers=tuple(_provider(provider, config, snapshot, now, uses) for provider in config.providers),
        total=Cell.total(uses.today.values()),
        prices=query.price_dates(config, facts.prices, parts, now),
        listed=facts.prices.fetched,
    )


class _Uses:
    """The money spent and held, today and this month, by spender; computed once for all keys and providers."""

    def __init__(self, snapshot: Snapshot, day: date, today: Mapping[Spender, Cell]) -> None:
        month = amounts.month_of(day)
        self.today = today
        self.month = _month(snapshot, month)
        self.held = amounts.held(snapshot, day)
        self.held_in_month = amounts.held_in_month(snapshot, month)

    def of(
        self, mine: Callable[[Spender], bool], daily_usd: Decimal | None, monthly_usd: Decimal | None
    ) -> tuple[Use, Use]:
        """Return the use of those spenders on the day and in the month."""
        return (
            _use(self.today, self.held, mine, daily_usd),
            _use(self.month, self.held_in_month, mine, monthly_usd),
        )


def _use(
    sums: Mapping[Spender, Cell],
    held: Mapping[Spender, Decimal],
    mine: Callable[[Spender], bool],
    budget_usd: Decimal | None,
) -> Use:
    total = Cell.total(cell for spender, cell in sums.items() if mine(spender))
    return Use(total, sum((usd for spender, usd in held.items() if mine(spender)), amounts.NOTHING), budget_usd)


def _month(snapshot: Snapshot, month: str) -> dict[Spender, Cell]:
    """Return the amounts of a month by spender.

    For its closed days the state has only these amounts.
    """
    doubts: dict[Spender, Uncertain] = dict(snapshot.uncertain.get(month, {}))
    for spender, cell in query.by_spender(_open_days(snapshot, month)).items():
        doubts[spender] = added_doubts(doubts.get(spender, Uncertain()), cell)
    return {
        spender: Cell(0, 0, 0, 0, 0, cost, *doubts.get(spender, Uncertain()))
        for spender, cost in amounts.recorded_in_month(snapshot, month).items()
    }


def _open_days(snapshot: Snapshot, month: str) -> Iterator[query.Part]:
    return ((day, content) for day, content in snapshot.days.items() if amounts.month_of(day) == month)


def _key(key: Key, config: Config, snapshot: Snapshot, facts: Facts, now: datetime, uses: _Uses) -> KeyDay:
    me = Spender(key.provider, key.name)
    day, month = uses.of(lambda spender: spender == me, key.daily_budget_usd, key.monthly_budget_usd)
    out = eligibility.standing(key, config, snapshot, facts, now) or eligibility.hourly_limit(
        key, config, snapshot, now
    )
    return KeyDay(key.name, key.provider, Cell(), out or Budgets(config, snapshot, now).used_up(key), day, month)


def _provider(provider: Provider, config: Config, snapshot: Snapshot, now: datetime, uses: _Uses) -> ProviderDay:
    settings = config.providers[provider]
    day, month = uses.of(
        lambda spender: spender.provider is provider, settings.daily_budget_usd, settings.monthly_budget_usd
    )
    return ProviderDay(
        provider,
        day,
        month,
        min(config.alerts.at_percent, default=None),
        forecast(config, snapshot, provider, now),
    )
