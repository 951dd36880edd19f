"""Prices, bounds, budgets: how much a call can cost, what it did cost, and what is left.

Everything is US dollars in `Decimal`. A bound is never too low: a token is at least one byte, so the prompt's bytes
bound its tokens, and the output cap bounds the rest.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal

from lollmsbot_keys.core.catalogue import Config, Price, Provider
from lollmsbot_keys.core.state import Snapshot, Spender

NOTHING = Decimal(0)
GIVEN_AWAY = Price(NOTHING, NOTHING)
TEMPLATE_TOKENS = 256
"""What a provider's chat template may add to the prompt: role markers, a default system line. Generous on purpose."""

_MTOK = Decimal(1_000_000)


def price_of(config: Config, provider: Provider, model: str) -> Price | None:
    """What `provider` asks for `model`; `None` where nobody knows. Never another seller's price."""
    if provider is Provider.LOCAL or (provider is Provider.OPENROUTER and config.is_free(model)):
        return GIVEN_AWAY
    return config.model(model).price


def cost(price: Price, prompt_tokens: int, completion_tokens: int) -> Decimal:
    """The price of so many tokens, exactly."""
    return (price.input_usd_per_mtok * prompt_tokens + price.output_usd_per_mtok * completion_tokens) / _MTOK


def bound(price: Price, prompt_bytes: int, max_output_tokens: int) -> Decimal:
    """The most that a call can cost at `price`."""
    return cost(price, prompt_bytes + TEMPLATE_TOKENS, max_output_tokens)


def budget_day(now: datetime, timezone: tzinfo) -> date:
    """The budget day that `now` lies in: it changes at the zone's midnight, through daylight saving too."""
    return now.astimezone(timezone).date()


def day_end(day: date, timezone: tzinfo) -> datetime:
    """The instant at which `day` ends, in UTC. A day may last 23 or 25 hours."""
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=timezone).astimezone(UTC)


def committed(snapshot: Snapshot, day: date) -> dict[Spender, Decimal]:
    """Recorded spend plus open holds of `day`, by spender: what a budget has to cover already."""
    totals: dict[Spender, Decimal] = dict(snapshot.closed.get(day, {}))
    open_day = snapshot.days.get(day)
    if open_day is not None:
        for spender, amount in open_day.spent.items():
            totals[spender] = totals.get(spender, NOTHING) + amount
    for hold in snapshot.holds.values():
        if hold.day == day and not hold.lapsed:
            spender = Spender(hold.provider, hold.key)
            totals[spender] = totals.get(spender, NOTHING) + hold.amount_usd
    return totals


def of_provider(totals: dict[Spender, Decimal], provider: Provider) -> Decimal:
    """The sum over one provider's keys, present and former."""
    return sum((amount for spender, amount in totals.items() if spender.provider is provider), NOTHING)
