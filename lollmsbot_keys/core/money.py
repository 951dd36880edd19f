"""Prices, bounds, budgets: how much a call can cost, what it did cost, and what is left.

Everything is US dollars in `Decimal`. A bound is never too low: a token is at least one byte, so the prompt's bytes
bound its tokens, and the output cap bounds the rest.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import NamedTuple

from lollmsbot_keys.core.catalogue import Config, Price, Provider
from lollmsbot_keys.core.report import CostSource, Usage
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


class Charge(NamedTuple):
    """What a finished call is booked at.

    `amount_usd` goes into the ledger. `cost_usd` is what people are told: `None` where only the bound is known.
    `unconfirmed` marks a call that may or may not have been billed, booked at its bound.
    """

    amount_usd: Decimal
    cost_usd: Decimal | None
    source: CostSource
    unconfirmed: bool = False


UNBILLED = Charge(NOTHING, NOTHING, "provider")


def unconfirmed(held: Decimal, provider: Provider) -> Charge:
    """The charge for a call that may have been billed: everything that was held for it."""
    if provider is Provider.LOCAL:
        return Charge(NOTHING, NOTHING, "local")
    return Charge(held, None, "unknown", unconfirmed=True)


def charge(provider: Provider, usage: Usage | None, price: Price | None, held: Decimal) -> Charge:
    """Price an answer: the provider's own figure first, then tokens at the dated price, then the bound.

    A figure of zero for tokens that have a price, or whose price nobody knows, is not believed.
    """
    if provider is Provider.LOCAL:
        return Charge(NOTHING, NOTHING, "local")
    usage = usage or Usage()
    tokens = usage.prompt_tokens + usage.completion_tokens
    if usage.cost_usd is not None and (usage.cost_usd > 0 or price == GIVEN_AWAY or not tokens):
        return Charge(usage.cost_usd, usage.cost_usd, "provider")
    if price is not None and (tokens or price == GIVEN_AWAY):
        estimate = cost(price, usage.prompt_tokens, usage.completion_tokens)
        return Charge(estimate, estimate, "estimate")
    return Charge(held, None, "unknown")


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
