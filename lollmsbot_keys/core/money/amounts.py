"""Prices, bounds, budgets: how much a call can cost, what it did cost, and what is left.

Everything is US dollars in `Decimal`. A bound is never too low: it has the most tokens that the prompt may come to
(`tokens`) and that the model's template may add (`templates`), and the output cap, each at the dearest rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import TypeVar

from lollmsbot_keys.core.model.config import Config, Price, Provider
from lollmsbot_keys.core.model.snapshot import Snapshot, Spender

NOTHING = Decimal(0)
GIVEN_AWAY = Price(NOTHING, NOTHING)

MTOK = Decimal(1_000_000)

Moment = TypeVar("Moment", date, str)
"""A budget day, or a month."""


def price_of(config: Config, provider: Provider, model: str) -> Price | None:
    """What `provider` asks for `model`; `None` where nobody knows. Never another seller's price."""
    if provider is Provider.LOCAL or (provider is Provider.OPENROUTER and config.is_free(model)):
        return GIVEN_AWAY
    return config.model(model).price


def cost(price: Price, prompt_tokens: int, completion_tokens: int) -> Decimal:
    """The price of so many tokens, exactly."""
    return (price.input_usd_per_mtok * prompt_tokens + price.output_usd_per_mtok * completion_tokens) / MTOK


def bound(price: Price, *, prompt_tokens: int, template_tokens: int, max_output_tokens: int) -> Decimal:
    """The most that a call can cost at `price`."""
    return cost(price.most, prompt_tokens + template_tokens, max_output_tokens)


def budget_day(now: datetime, timezone: tzinfo) -> date:
    """The budget day that `now` lies in: it changes at the zone's midnight, through daylight saving too."""
    return now.astimezone(timezone).date()


def day_end(day: date, timezone: tzinfo) -> datetime:
    """The instant at which `day` ends, in UTC. A day may last 23 or 25 hours."""
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=timezone).astimezone(UTC)


def month_of(day: date) -> str:
    """The month whose budget `day` counts against: "2026-11"."""
    return f"{day:%Y-%m}"


def last_of_month(day: date) -> date:
    """The last day of the month that `day` lies in."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def month_end(day: date, timezone: tzinfo) -> datetime:
    """The instant at which the month of `day` ends, in UTC."""
    return day_end(last_of_month(day), timezone)


def recorded(snapshot: Snapshot, day: date) -> dict[Spender, Decimal]:
    """What was spent on `day`, by spender."""
    totals: dict[Spender, Decimal] = dict(snapshot.closed.get(day, {}))
    if day in snapshot.days:
        _add(totals, snapshot.days[day].spent)
    return totals


def recorded_in_month(snapshot: Snapshot, month: str) -> dict[Spender, Decimal]:
    """What was spent on all days of `month`, of which most are closed."""
    totals: dict[Spender, Decimal] = dict(snapshot.months.get(month, {}))
    for day, content in snapshot.days.items():
        if month_of(day) == month:
            _add(totals, content.spent)
    return totals


def dropped(sums: Mapping[Moment, object], moment: Moment) -> bool:
    """Whether the sums of closed days or months may have had `moment` once: those of a later one are there.

    Clocks go forward, so this is the work of one that was ahead for a while.
    """
    return moment not in sums and bool(sums) and moment < max(sums)


def forgotten(snapshot: Snapshot, today: date) -> bool:
    """Whether what was spent before on `today`, or in its month, may only be in the history (`ledger.recalled`)."""
    return dropped(snapshot.closed, today) or dropped(snapshot.months, month_of(today))


def held(snapshot: Snapshot, day: date) -> dict[Spender, Decimal]:
    """What is held for calls on their way that count against `day`, by spender."""
    totals: dict[Spender, Decimal] = {}
    for hold in snapshot.holds.values():
        if hold.day == day and not hold.lapsed:
            _add(totals, {Spender(hold.provider, hold.key): hold.amount_usd})
    return totals


def held_in_month(snapshot: Snapshot, month: str) -> dict[Spender, Decimal]:
    """The same for all days of `month`."""
    totals: dict[Spender, Decimal] = {}
    for day in {hold.day for hold in snapshot.holds.values() if month_of(hold.day) == month}:
        _add(totals, held(snapshot, day))
    return totals


def committed(snapshot: Snapshot, day: date) -> dict[Spender, Decimal]:
    """Recorded spend plus open holds of `day`, by spender: what a budget has to cover already."""
    totals = recorded(snapshot, day)
    _add(totals, held(snapshot, day))
    return totals


def committed_in_month(snapshot: Snapshot, month: str) -> dict[Spender, Decimal]:
    """The same for all days of `month`."""
    totals = recorded_in_month(snapshot, month)
    _add(totals, held_in_month(snapshot, month))
    return totals


def _add(totals: dict[Spender, Decimal], amounts: Mapping[Spender, Decimal]) -> None:
    if not totals:
        totals.update(amounts)
        return
    for spender, amount in amounts.items():
        totals[spender] = totals.get(spender, NOTHING) + amount


def of_provider(totals: Mapping[Spender, Decimal], provider: Provider) -> Decimal:
    """The sum over one provider's keys, present and former."""
    return sum([amount for spender, amount in totals.items() if spender.provider is provider], NOTHING)
