"""The samples of a snapshot's values that go up and down: money, budgets, the state of keys.

Money is that of the day and of the month.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.costs.forecast import forecast
from lollmsbot_keys.core.metrics.counters import configured, labels, named
from lollmsbot_keys.core.model.config import Config, Key, Provider
from lollmsbot_keys.core.model.metric_family import KEY_STATES, OFF, READY, WHOLE_KEY, Family, MetricType, Sample
from lollmsbot_keys.core.model.period import Window
from lollmsbot_keys.core.model.request import Facts, Reason, SetAside
from lollmsbot_keys.core.model.snapshot import Hold, Snapshot, Spender
from lollmsbot_keys.core.money import amounts
from lollmsbot_keys.core.money.budgets import Budgets
from lollmsbot_keys.core.money.ledger import OTHER
from lollmsbot_keys.core.routing import eligibility
from lollmsbot_keys.core.state.call_window import calls_within_an_hour

Amounts = Mapping[Spender, Decimal | int]


class Budget(NamedTuple):
    """One budget and what it has to cover already.

    `key` is `None` for a provider's own.
    """

    provider: Provider
    key: str | None
    window: Window
    limit_usd: Decimal
    committed_usd: Decimal

    @property
    def used_percent(self) -> Decimal:
        """The spent and held money as a share of the limit; 100 for a budget of nothing."""
        return 100 * self.committed_usd / self.limit_usd if self.limit_usd else Decimal(100)


def gauges(config: Config, snapshot: Snapshot, facts: Facts, now: datetime) -> Iterator[Family]:
    """Yield all gauges.

    Spenders that are neither configured nor counted go together, so that labels stay bounded.
    """
    day = amounts.budget_day(now, config.timezone)
    spenders = dict.fromkeys((*configured(config), *(named(spender) for spender in snapshot.totals)))
    every = _Every(tuple(spenders))
    budgets = Budgets(config, snapshot, now)
    yield from _spending(every, snapshot, day)
    yield from _budget_use(tuple(_each(config, budgets)))
    yield _forecasts(config, snapshot, now)
    yield from _windows(config, budgets, day)
    yield from _holds(every, snapshot)
    yield from _key_states(config, snapshot, facts, now, budgets)
    yield from _hourly_use(config, snapshot, now)
    yield from _times(config, snapshot, now)


class _Every:
    """The maker of families with one sample for each spender, zeros included."""

    def __init__(self, spenders: tuple[Spender, ...]) -> None:
        self._spenders = spenders

    def __call__(self, name: str, text: str, amounts: Amounts) -> Family:
        sums: dict[Spender, Decimal | int] = dict.fromkeys(self._spenders, 0)
        for spender, amount in amounts.items():
            place = spender if spender in sums else spender._replace(key=OTHER)
            sums[place] = sums.get(place, 0) + amount
        return _gauge(name, text, ((labels(spender), amount) for spender, amount in sums.items()))


def _gauge(name: str, text: str, samples: Iterable[tuple[Mapping[str, str], Decimal | float]]) -> Family:
    return Family(name, MetricType.GAUGE, text, tuple(Sample(name, names, value) for names, value in samples))


# --- money ---


def _spending(every: _Every, snapshot: Snapshot, day: date) -> Iterator[Family]:
    yield every(
        "daily_cost_usd",
        "US dollars charged on this budget day, without what is held.",
        amounts.recorded(snapshot, day),
    )
    yield every(
        "monthly_cost_usd",
        "US dollars charged in the month of this budget day, without what is held.",
        amounts.recorded_in_month(snapshot, amounts.month_of(day)),
    )
    calls: dict[Spender, int] = {}
    for place, cell in (snapshot.days[day].cells if day in snapshot.days else {}).items():
        spender = Spender(place.provider, place.key)
        calls[spender] = calls.get(spender, 0) + cell.calls
    yield every("lbk_daily_calls", "Calls of this budget day.", calls)


def _each(config: Config, budgets: Budgets) -> Iterator[Budget]:
    for window in Window:
        for provider, settings in config.providers.items():
            limit = settings.daily_budget_usd if window is Window.DAY else settings.monthly_budget_usd
            if limit is not None:
                spent = amounts.of_provider(budgets.committed(window), provider)
                yield Budget(provider, None, window, limit, spent)
        for key in config.keys:
            limit = key.daily_budget_usd if window is Window.DAY else key.monthly_budget_usd
            if limit is not None:
                spent = budgets.committed(window).get(Spender(key.provider, key.name), amounts.NOTHING)
                yield Budget(key.provider, key.name, window, limit, spent)


def _budget_use(budgets: Iterable[Budget]) -> Iterator[Family]:
    places = [(_budget_labels(budget), budget) for budget in budgets]
    yield _gauge(
        "budget_utilization_percent",
        "Share of a budget that is spent or held; at 100 nothing more is sent.",
        ((names, budget.used_percent) for names, budget in places),
    )
    yield _gauge(
        "lbk_budget_limit_usd",
        "The budget in US dollars.",
        ((names, budget.limit_usd) for names, budget in places),
    )


def _budget_labels(budget: Budget) -> dict[str, str]:
    names = {"provider": budget.provider.value, "window": budget.window.value, "scope": "provider"}
    return names if budget.key is None else {**names, "scope": "key", "key": budget.key}


def _forecasts(config: Config, snapshot: Snapshot, now: datetime) -> Family:
    found = {provider: forecast(config, snapshot, provider, now) for provider in config.providers}
    places = [
        (provider, window, coming.day_usd if window is Window.DAY else coming.month_usd)
        for provider, coming in found.items()
        for window in Window
    ]
    return _gauge(
        "lbk_forecast_usd",
        "What a provider will have cost by the end at the recent pace; missing where it is too early to tell.",
        (
            ({"provider": provider.value, "window": window.value}, usd)
            for provider, window, usd in places
            if usd is not None
        ),
    )


def _windows(config: Config, budgets: Budgets, day: date) -> Iterator[Family]:
    starts = {
        window: amounts.day_end(first - timedelta(days=1), config.timezone)
        for window, first in ((Window.DAY, day), (Window.MONTH, day.replace(day=1)))
    }
    yield _gauge(
        "lbk_budget_start_timestamp_seconds",
        "When this budget day and this month began.",
        (({"window": window.value}, start.timestamp()) for window, start in starts.items()),
    )
    yield _gauge(
        "lbk_budget_end_timestamp_seconds",
        "When this budget day and this month end, and their budgets begin anew.",
        (({"window": window.value}, budgets.end(window).timestamp()) for window in Window),
    )


def _holds(every: _Every, snapshot: Snapshot) -> Iterator[Family]:
    def sums(figure: Callable[[Hold], Decimal | int]) -> Amounts:
        found: dict[Spender, Decimal | int] = {}
        for hold in snapshot.holds.values():
            if not hold.lapsed:
                spender = Spender(hold.provider, hold.key)
                found[spender] = found.get(spender, 0) + figure(hold)
        return found

    yield every("lbk_holds", "Calls on their way, for each of which money is held.", sums(lambda _: 1))
    yield every("lbk_holds_usd", "US dollars held for calls on their way.", sums(lambda hold: hold.amount_usd))


# --- keys ---


def _key_states(config: Config, snapshot: Snapshot, facts: Facts, now: datetime, budgets: Budgets) -> Iterator[Family]:
    # The process that measures may have no secrets: the state knows that a key was used with one.
    seen = {name: sighting.fingerprint for name, sighting in snapshot.sightings.items()}
    facts = facts._replace(secrets={**seen, **facts.secrets})
    marks = [(_labels(key), key, eligibility.standing(key, config, snapshot, facts, now)) for key in config.keys]
    states = []
    for names, key, mark in marks:
        out = mark or eligibility.hourly_limit(key, config, snapshot, now) or budgets.used_up(key)
        states.append((names, _state(key, out)))
    yield _gauge(
        "lbk_key_state",
        "1 for the state that a key is in, 0 for all others.",
        (({**names, "state": state}, float(state == now_in)) for names, now_in in states for state in KEY_STATES),
    )
    yield _gauge(
        "lbk_key_cooldown_seconds",
        "Time until a key that is left out for a while may be used again; 0 where it is not.",
        ((names, _left(mark, now)) for names, _, mark in marks),
    )


def _labels(key: Key) -> dict[str, str]:
    return labels(Spender(key.provider, key.name))


def _state(key: Key, out: SetAside | None) -> str:
    if out is None:
        return READY
    if not key.enabled:
        return OFF
    return out.reason.value if out.reason in WHOLE_KEY else Reason.COOLING_DOWN.value


def _left(mark: SetAside | None, now: datetime) -> float:
    return (mark.until - now).total_seconds() if mark is not None and mark.until is not None else 0.0


def _hourly_use(config: Config, snapshot: Snapshot, now: datetime) -> Iterator[Family]:
    yield _gauge(
        "lbk_key_hourly_calls",
        "Calls of the last sixty minutes.",
        ((_labels(key), calls_within_an_hour(snapshot.hours.get(key.name, {}), now)) for key in config.keys),
    )
    limits = ((key, config.providers[key.provider].max_calls_per_hour) for key in config.keys)
    yield _gauge(
        "lbk_key_hourly_calls_limit",
        "Calls that a key may make in any sixty minutes.",
        ((_labels(key), limit) for key, limit in limits if limit is not None),
    )


def _times(config: Config, snapshot: Snapshot, now: datetime) -> Iterator[Family]:
    yield _gauge(
        "lbk_key_secret_age_seconds",
        "Time since a key's secret was first seen here; missing where it never was.",
        (
            (_labels(key), max(0.0, (now - snapshot.sightings[key.name].since).total_seconds()))
            for key in config.keys
            if key.name in snapshot.sightings
        ),
    )
    yield _gauge(
        "lbk_key_last_success_timestamp_seconds",
        "When a key last gave a whole answer; missing where it never did.",
        (
            (labels(spender), snapshot.successes[spender.key].timestamp())
            for spender in configured(config)
            if spender.key in snapshot.successes
        ),
    )
