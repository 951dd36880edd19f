"""The amounts at which people want to be told, and the check whether one call crossed one.

The check runs after every call, so it is cheap. Only what is recorded counts, not what is held: most of a hold is given
back, and an alert must not come and go with every call on its way.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Config, Key, Provider, ProviderSettings
from lollmsbot_keys.core.model.period import Window
from lollmsbot_keys.core.model.request import EMPTY
from lollmsbot_keys.core.model.snapshot import Hold, Snapshot, Spender
from lollmsbot_keys.core.money import amounts, template_tokens
from lollmsbot_keys.core.money.budgets import BudgetLimit, Budgets
from lollmsbot_keys.core.routing.succession import heir
from lollmsbot_keys.core.state import usage_baseline

WHOLE = Decimal(100)
EARLY = timedelta(hours=2)
"""The beginning of a day, in which its pace says nothing."""
_SECOND = timedelta(seconds=1)


class Ordinary(NamedTuple):
    """A call of the default model at the default cap, with a very short prompt, and its highest cost."""

    model: str
    bound_usd: Decimal
    is_priced: bool


def spent_budgets(config: Config, snapshot: Snapshot, now: datetime) -> Budgets:
    """Return all budgets with what is recorded against them."""
    return Budgets(config, snapshot._replace(holds=EMPTY), now)


def steps(config: Config, limit: BudgetLimit, provider: Provider, now: datetime) -> Iterator[tuple[Decimal, Decimal]]:
    """Yield the shares of a budget to tell of, in percent, each with the amount that reaches it.

    A budget is a hard stop, so its last cents are never spent: all of it counts as used up once an ordinary call (the
    default model at the configured cap of output) does not fit into the rest.
    """
    for percent in config.alerts.at_percent:
        amount = limit.budget_usd * percent / WHOLE
        if percent >= WHOLE:
            amount = limit.budget_usd - _room(config, limit, provider, now)
        yield percent, amount


def is_reached(spent: Decimal, amount: Decimal) -> bool:
    """Say whether so much was spent.

    Without any spending nothing is reached, not even the end of a budget of nothing.
    """
    return spent > 0 and spent >= amount


def day_begins(config: Config, now: datetime) -> datetime:
    """Return when the budget day of `now` began."""
    return amounts.day_end(amounts.budget_day(now, config.timezone) - timedelta(days=1), config.timezone)


def crosses(config: Config, before: Snapshot, after: Snapshot, hold: Hold, now: datetime) -> bool:
    """Say whether the call of `hold` may have crossed a line that `alerts` judges.

    The call was settled between these two snapshots.
    """
    key, today = config.key(hold.key), amounts.budget_day(now, config.timezone)
    if key is None or hold.day != today:  # a call from before midnight is for cron: its day is over
        return False
    spender = Spender(key.provider, key.name)
    spent = usage_baseline.cost_of(after, spender, today)
    cost = spent - usage_baseline.cost_of(before, spender, today)
    if cost > 0:
        for limit in spent_budgets(config, after, now).limits(key):
            became = limit.committed_usd
            for line in _lines(config, limit, key.provider, now):
                if is_reached(became, line) and not is_reached(became - cost, line):
                    return True
    return _becomes_unusual(after, spender, today, spent, cost)


def _lines(config: Config, limit: BudgetLimit, provider: Provider, now: datetime) -> Iterator[Decimal]:
    yield from (amount for _, amount in steps(config, limit, provider, now))
    if limit.window is Window.DAY:
        yield from _pace(config, limit, now)


def _pace(config: Config, limit: BudgetLimit, now: datetime) -> Iterator[Decimal]:
    """Yield what may be spent by now if the budget is to last the day.

    The forecast looks closer, once this is passed.
    """
    begins = day_begins(config, now)
    if now - begins >= EARLY:
        ends = amounts.day_end(amounts.budget_day(now, config.timezone), config.timezone)
        yield limit.budget_usd * Decimal((now - begins) // _SECOND) / Decimal((ends - begins) // _SECOND)


def ordinary(config: Config, provider: Provider, now: datetime) -> Ordinary | None:
    """Return the most usual call of `provider`; `None` where it does not have the default model.

    Where that is retired, it is a call of the model that answers in its place.
    """
    model = config.routing.default_model
    if provider is Provider.OPENROUTER and "/" not in model:
        model = config.model(model).openrouter or model
    if ("/" in model) is not (provider is Provider.OPENROUTER):
        return None
    model = _served(config, model, now.date())
    price = amounts.price_of(config, provider, model)
    bound = amounts.bound(
        price or config.routing.unknown_price,
        prompt_tokens=0,
        template_tokens=template_tokens.configured(config, model),
        max_output_tokens=config.routing.max_output_tokens,
    )
    return Ordinary(model, bound, is_priced=price is not None)


def _served(config: Config, model: str, today: date) -> str:
    def missing(name: str) -> bool:
        return config.model(name).not_served(today) != ""

    instead = heir(config, model, missing) if missing(model) else None
    return model if instead is None else instead.name


def too_small(config: Config, now: datetime) -> dict[str, str]:
    """Return the settings of budgets that can never pay an ordinary call, each with a message.

    A budget of nothing is meant so.
    """
    tables: list[tuple[str, Provider, ProviderSettings | Key]] = [
        *((f"providers.{provider}", provider, its) for provider, its in config.providers.items()),
        *((f"keys.{key.name}", key.provider, key) for key in config.keys),
    ]
    found = {}
    for table, provider, its in tables:
        call = ordinary(config, provider, now)
        for name, usd in (("daily_budget_usd", its.daily_budget_usd), ("monthly_budget_usd", its.monthly_budget_usd)):
            if call is not None and usd and usd < call.bound_usd:
                found[f"{table}.{name}"] = (
                    f"{table}.{name} cannot pay one call of the default cap: it is {usd} USD, and {call.model} may "
                    f"cost {call.bound_usd:.4f}. Raise it, or lower routing.max_output_tokens."
                )
    return found


def _room(config: Config, limit: BudgetLimit, provider: Provider, now: datetime) -> Decimal:
    """Return what an ordinary call may cost; nothing where its price is unknown, or where none would ever fit."""
    call = ordinary(config, provider, now)
    if call is None or not call.is_priced:
        return amounts.NOTHING
    return call.bound_usd if call.bound_usd < limit.budget_usd else amounts.NOTHING


def _becomes_unusual(after: Snapshot, spender: Spender, today: date, spent: Decimal, cost: Decimal) -> bool:
    if len(after.closed) < usage_baseline.LEAST_DAYS:
        return False
    if spent > usage_baseline.LEAST_USD:
        usual = usage_baseline.usual_cost(after, spender, today)
        if usual is not None and spent - cost <= usual.line < spent:
            return True
    calls = usage_baseline.calls_of(after, spender.key, today)
    if calls <= usage_baseline.LEAST_CALLS:
        return False
    usual = usage_baseline.usual_calls(after, spender.key, today)
    return usual is not None and calls - 1 <= usual.line < calls
