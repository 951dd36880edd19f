"""The amount that a finished call is booked at.

It is the provider's own figure, an estimate, or the most that the call can have cost.
"""

from __future__ import annotations

from decimal import Decimal

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Price, Provider
from lollmsbot_keys.core.model.outcome import CostSource, Usage
from lollmsbot_keys.core.money.amounts import MTOK, NOTHING, cost


class Charge(NamedTuple):
    """The amount that a finished call is booked at.

    `amount_usd` goes into the ledger. `cost_usd` is what people are told: `None` where only the bound is known.
    `unconfirmed` marks a call that may or may not have been billed, booked at its bound.
    """

    amount_usd: Decimal
    cost_usd: Decimal | None
    source: CostSource
    unconfirmed: bool = False


UNBILLED = Charge(NOTHING, NOTHING, "provider")


def unconfirmed(held: Decimal, provider: Provider) -> Charge:
    """Return the charge for a call that may have been billed, which is all that was held."""
    if provider is Provider.LOCAL:
        return Charge(NOTHING, NOTHING, "local")
    return Charge(held, None, "unknown", unconfirmed=True)


def estimate(price: Price, usage: Usage) -> Decimal:
    """Compute the cost of `usage` at `price`.

    Tokens read from a cache, or written to one, count at their own price where it is known.
    """
    cached, written = usage.cached_tokens, usage.cache_write_tokens
    others = usage.prompt_tokens - cached - written
    if others < 0:  # they are no part of the prompt's tokens, but told beside them
        others = usage.prompt_tokens
    full, read, write = price.input_usd_per_mtok, price.cached_input_usd_per_mtok, price.cache_write_usd_per_mtok
    apart = cached * (full if read is None else read) + written * (full if write is None else write)
    return cost(price, others, usage.completion_tokens) + apart / MTOK


def at_most(held: Decimal, most: Price, usage: Usage) -> Decimal:
    """Compute the most that a call can have cost.

    It is what was held, or the reported use at the price `most`, if that is more.
    """
    return max(held, usage.cost_usd or NOTHING, estimate(most, usage))


def charge(provider: Provider, usage: Usage | None, price: Price | None, most: Price, held: Decimal) -> Charge:
    """Price an answer.

    The provider's own figure comes first, then tokens at the dated price, then the bound. A figure of zero is not
    believed for tokens that have a price, or whose price nobody knows.
    """
    if provider is Provider.LOCAL:
        return Charge(NOTHING, NOTHING, "local")
    usage = usage or Usage()
    tokens = usage.tokens
    given_away = price is not None and price.is_zero
    if usage.cost_usd is not None and (usage.cost_usd > 0 or given_away or not tokens):
        return Charge(usage.cost_usd, usage.cost_usd, "provider")
    if price is not None and (tokens or given_away):
        amount = estimate(price, usage)
        return Charge(amount, amount, "estimate")
    return Charge(at_most(held, most, usage), None, "unknown")
