"""Prices, bounds and budgets: what a call can cost, what it did cost, and what is left.

Everything is US dollars in `Decimal`. A bound is never too low: it has the most tokens that the prompt may come to
(`prompt_tokens`) and that the model's template may add (`template_tokens`), and the output cap, each at the dearest
rate.
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
    """Return the price of `model` at `provider`, or `None` if nobody knows it.

    It is never another seller's price.
    """
    if provider is Provider.LOCAL or (provider is Provider.OPENROUTER and config.is_free(model)):
        return GIVEN_AWAY
    return config.model(model).price


def cost(price: Price, prompt_tokens: int, completion_tokens: int) -> Decimal:
    """Compute the exact price of the tokens."""
    return (price.input_usd_per_mtok * prompt_tokens + price.output_usd_per_mtok * completion_tokens) / MTOK


def bound(price: Price, *, prompt_tokens: int, template_tokens: int, max_output_tokens: int) -> Decimal:
    """Compute the most that a call can cost at `price`."""
    return cost(price.most, prompt_tokens + template_tokens, max_output_tokens)


def budget_day(now: datetime, timezone: tzinfo) -> date:
    """Return the budget day of `now`.

    It changes at the zone's midnight, also on the days on which daylight saving begins or ends.
    """
    return now.astimezone(timezone).date()


def day_end(day: date, timezone: tzinfo) -> datetime:
    """Return the end of `day` in UTC.

    A day may last 23 or 25 hours.
    """
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=timezone).astimezone(UTC)


def month_of(day: date) -> str:
    """Return the month whose budget `day` counts against, as "2026-11"."""
    return f"{day:%Y-%m}"


def last_of_month(day: date) -> date:
    """Return the last day of the month of `day`."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def month_end(day: date, timezone: tzinfo) -> datetime:
    """Return the end of the month of `day` in UTC."""
    return day_end(last_of_month(day), timezone)


def recorded(snapshot: Snapshot, day: date) -> dict[Spender, Decimal]:
    """Sum the spending of `day` by spender."""
    totals: dict[Spender, Decimal] = dict(snapshot.closed.get(day, {}))
    if day in snapshot.days:
        _add(totals, snapshot.days[day].spent)
    return totals


def recorded_in_month(snapshot: Snapshot, month: str) -> dict[Spender, Decimal]:
    """Sum the spending of all days of `month`, most of them closed, by spender."""
    totals: dict[Spender, Decimal] = dict(snapshot.months.get(month, {}))
    for day, content in snapshot.days.items():
        if month_of(day) == month:
            _add(totals, content.spent)
    return totals


def dropped(sums: Mapping[Moment, object], moment: Moment) -> bool:
    """Say whether the sums of closed days or months may once have had `moment`.

    They may if those of a later one are there. Clocks go forward, so only a clock that was ahead for a while causes
    this.
    """
    return moment not in sums and bool(sums) and moment < max(sums)


def forgotten(snapshot: Snapshot, today: date) -> bool:
    """Say whether earlier spending of `today` or of its month may only be in the history.

    `ledger.recalled` brings it back.
    """
    return dropped(snapshot.closed, today) or dropped(snapshot.months, month_of(today))


def held(snapshot: Snapshot, day: date) -> dict[Spender, Decimal]:
    """Sum the holds of open calls that count against `day`, by spender."""
    totals: dict[Spender, Decimal] = {}
    for hold in snapshot.holds.values():
        if hold.day == day and not hold.lapsed:
            _add(totals, {Spender(hold.provider, hold.key): hold.amount_usd})
    return totals


def held_in_month(snapshot: Snapshot, month: str) -> dict[Spender, Decimal]:
    """Sum the holds of open calls that count against `month`, by spender."""
    totals: dict[Spender, Decimal] = {}
    for day in {hold.day for hold in snapshot.holds.values() if month_of(hold.day) == month}:
        _add(totals, held(snapshot, day))
    return totals


def committed(snapshot: Snapshot, day: date) -> dict[Spender, Decimal]:
    """Sum recorded spending and open holds of `day`, by spender.

    A budget must already cover this sum.
    """
    totals = recorded(snapshot, day)
    _add(totals, held(snapshot, day))
    return totals


def committed_in_month(snapshot: Snapshot, month: str) -> dict[Spender, Decimal]:
    """Sum recorded spending and open holds of `month`, by spender."""
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
    """Sum the amounts of one provider's keys, present and former."""
    return sum([amount for spender, amount in totals.items() if spender.provider is provider], NOTHING)
