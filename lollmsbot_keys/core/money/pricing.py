"""The price that counts for a model.

It is your own, that of OpenRouter's list as it was last fetched, the shipped dated one, or none.

Two questions have two answers. An *estimate* takes the price that is most likely true. A *bound* takes the dearest of
all that may be true, because it must never be too low; OpenRouter is told it as `max_price`, so that a price that rose
since then leads to a refusal and never to a bill.

- A price of your own file is your word for estimates. A list that asks more raises the bound all the same.
- A fresh list is believed, whether it is dearer or cheaper than the shipped price.
- An old one is believed where it is dearer. Cheaper, it lowers no bound, and gives an estimate only if it is newer than
  the shipped price.
- A model that is meant to be free and has a price in a list, fresh or old, is not called at all.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Config, Price, Provider
from lollmsbot_keys.core.model.request import LIST_FRESH_FOR, PriceList
from lollmsbot_keys.core.money.amounts import GIVEN_AWAY, price_of

_ROUTERS = "openrouter/"
"""OpenRouter's own choices of a model. They cost what the chosen one costs, and a list has no true price of them."""


class Pricing(NamedTuple):
    """One model's price for estimates, and the most that it may be charged at.

    `price` is `None` where nobody knows it. `free`: its provider gives it away. `not_free` says why that is not so any
    more.
    """

    price: Price | None
    most: Price
    free: bool = False
    not_free: str = ""


class Quote(NamedTuple):
    """The prices of one model in a list.

    `price` is the usual one by the token, `most` the dearest (long prompts, cache writes, thoughts).
    """

    price: Price
    most: Price


def pricing(config: Config, listed: PriceList, provider: Provider, model: str, now: datetime) -> Pricing:
    """Find the prices of `model` at `provider` from everything known at `now`."""
    if provider is Provider.LOCAL:
        return Pricing(GIVEN_AWAY, GIVEN_AWAY)
    known = price_of(config, provider, model)
    if known is GIVEN_AWAY:
        return Pricing(GIVEN_AWAY, GIVEN_AWAY, free=True, not_free=_not_free(listed, model, now))
    without = Pricing(known, (known or config.routing.unknown_price).most)
    quote = quoted(listed, model) if provider is Provider.OPENROUTER else None
    if quote is None:
        return without
    own = known if config.model(model).own_price else None
    if is_fresh(listed, now):
        return Pricing(own or quote.price, dearest(quote.most, own.most if own else quote.most))
    newer = quote.price if _is_newer(listed, quote, known) else known
    return Pricing(own or newer, dearest(quote.most, without.most))


def not_free(config: Config, listed: PriceList, now: datetime) -> list[str]:
    """Return a warning for each model that is configured as free and has a price."""
    models = config.providers[Provider.OPENROUTER].free_models
    why = ((model, pricing(config, listed, Provider.OPENROUTER, model, now).not_free) for model in models)
    return [
        f"{model} is {reason}. It is left out; see free_models of [providers.openrouter]."
        for model, reason in why
        if reason
    ]


def is_fresh(listed: PriceList, now: datetime) -> bool:
    """Say whether a list is new enough to be believed in everything.

    A list from the future is not: it was kept when a clock was wrong.
    """
    return listed.fetched is not None and timedelta() <= now - listed.fetched < LIST_FRESH_FOR


def quoted(listed: PriceList, model: str) -> Quote | None:
    """Return the list's prices for exactly this model, or `None` if there is none by the token."""
    if listed.fetched is None or model.startswith(_ROUTERS):
        return None
    figures = listed.prices.get(model)
    try:
        amounts = [Decimal(figure) for figure in figures or ()]
    except (InvalidOperation, TypeError, ValueError):
        return None
    if len(amounts) not in range(2, 6) or not all(amount.is_finite() and amount >= 0 for amount in amounts):
        return None
    day, cached = listed.fetched.date(), amounts.pop() if len(amounts) % 2 else None
    price = Price(amounts[0], amounts[1], day, cached)
    return Quote(price, dearest(price.most, Price(amounts[-2], amounts[-1], day)))


def dearest(one: Price, other: Price) -> Price:
    """Return the higher input price and the higher output price of the two."""
    if one.input_usd_per_mtok >= other.input_usd_per_mtok and one.output_usd_per_mtok >= other.output_usd_per_mtok:
        return one
    return Price(
        max(one.input_usd_per_mtok, other.input_usd_per_mtok), max(one.output_usd_per_mtok, other.output_usd_per_mtok)
    )


def _is_newer(listed: PriceList, quote: Quote, known: Price | None) -> bool:
    """Say whether an old list has the best price that is known.

    A list that once gave the model away is not believed.
    """
    if quote.price.is_zero or listed.fetched is None:
        return False
    return known is None or known.priced_on is None or known.priced_on <= listed.fetched.date()


def _not_free(listed: PriceList, model: str, now: datetime) -> str:
    """Return the list's evidence that a model is not free, or "".

    A list without the model says nothing here: that is a matter of `routing.eligibility.Gone`.
    """
    if listed.fetched is None or model.startswith(_ROUTERS) or model not in listed.prices:
        return ""
    quote = quoted(listed, model)
    if quote is not None and quote.most.is_zero:
        return ""
    asks = "has no price for it by the token"
    if quote is not None:
        asks = f"asks {quote.most.input_usd_per_mtok:f} and {quote.most.output_usd_per_mtok:f} USD for a million tokens"
    old = "" if is_fresh(listed, now) else " (fetch a newer one: lbk test-keys)"
    return f"not free any more: OpenRouter's list of {listed.fetched:%Y-%m-%d %H:%M} UTC {asks}{old}"
