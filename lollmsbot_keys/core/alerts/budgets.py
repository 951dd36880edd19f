"""The alerts about budgets: a share that is spent, or one that will not last at the recent pace."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from lollmsbot_keys.core.alerts import thresholds
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.costs.forecast import forecast
from lollmsbot_keys.core.model.alert import Alert, AlertKind, figure
from lollmsbot_keys.core.model.config import Config, Provider
from lollmsbot_keys.core.model.period import Window
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.model.summary import Forecast
from lollmsbot_keys.core.money import amounts

STILL_BREACHED = Decimal("0.9")
"""The share of a budget below which a forecast alert ends: one close to the budget must not come and go."""


class _Budget(NamedTuple):
    """One budget: whose it is, for which day or month, until when, and what of it is spent."""

    about: str
    provider: Provider
    key: str | None
    setting: str
    length: Window
    window: str
    until: str
    usd: Decimal
    spent: Decimal
    reached: Decimal | None

    def is_of(self, other: _Budget) -> bool:
        """Say whether the two are different budgets of one provider."""
        return self.provider is other.provider and self.setting != other.setting


def budgets(config: Config, snapshot: Snapshot, now: datetime) -> Iterator[Alert]:
    """Yield one alert for each budget: its highest share reached, or that it is too small.

    Too small is a budget that cannot pay any ordinary call.
    """
    small, every = thresholds.too_small(config, now), list(_all(config, snapshot, now))
    for budget in every:
        # While this budget refuses calls, the new beginning of another budget of the same keys is no news.
        others = tuple(f"budget {one.setting}" for one in every if budget.key in {None, one.key} and one.is_of(budget))
        if budget.setting in small:
            yield _too_small(budget, small[budget.setting], others)
        elif budget.reached is not None:
            yield _reached(budget, budget.reached, others)


def forecasts(config: Config, snapshot: Snapshot, now: datetime) -> Iterator[Alert]:
    """Yield an alert for each provider's budget that will be used up before its time."""
    looked: dict[Provider, Forecast] = {}
    for budget in _all(config, snapshot, now):
        if budget.key is not None or not budget.usd:
            continue
        if budget.provider not in looked:
            looked[budget.provider] = forecast(config, snapshot, budget.provider, now)
        expected, when = _expected(looked[budget.provider], budget.length)
        known = snapshot.alerts.get(f"forecast {budget.setting}")
        held = known is not None and known.over is None and known.window == budget.window
        # Early in the day nothing can be expected: an alert about this month goes on meanwhile.
        if held if expected is None else expected >= budget.usd * (STILL_BREACHED if held else 1):
            yield _breached(config, budget, expected, when)


def _all(config: Config, snapshot: Snapshot, now: datetime) -> Iterator[_Budget]:
    """Yield every budget once."""
    known, seen = thresholds.spent_budgets(config, snapshot, now), set[str]()
    for key in config.keys:
        for limit in known.limits(key):
            if limit.setting in seen:
                continue
            seen.add(limit.setting)
            of_key = limit.setting.startswith("keys.")
            spent = limit.committed_usd
            steps = thresholds.steps(config, limit, key.provider, now)
            yield _Budget(
                key.name if of_key else key.provider.value,
                key.provider,
                key.name if of_key else None,
                limit.setting,
                limit.window,
                *_times(config, limit.window, now),
                limit.budget_usd,
                spent,
                max((percent for percent, amount in steps if thresholds.is_reached(spent, amount)), default=None),
            )


def _times(config: Config, length: Window, now: datetime) -> tuple[str, str]:
    """Return the name of the day or month, and when it ends."""
    day = amounts.budget_day(now, config.timezone)
    match length:
        case Window.DAY:
            return str(day), f"midnight ({config.timezone})"
        case Window.MONTH:
            return amounts.month_of(day), f"the end of {amounts.last_of_month(day)} ({config.timezone})"
        case _:
            assert_never(length)


def _too_small(budget: _Budget, words: str, others: tuple[str, ...]) -> Alert:
    return Alert(
        AlertKind.BUDGET,
        f"budget {budget.setting}",
        f"{budget.about}: {budget.setting} cannot pay one call of the default cap",
        words,
        level=int(thresholds.WHOLE * 100),
        grave=True,
        provider=budget.provider,
        key=budget.key,
        covers=(f"forecast {budget.setting}", *others),
    )


def _reached(budget: _Budget, percent: Decimal, others: tuple[str, ...]) -> Alert:
    sums = f"{figure(budget.spent)} of {figure(budget.usd)} USD"
    if budget.spent < budget.usd:
        sums += f" ({int(100 * budget.spent / budget.usd)} %)"
    used_up = percent >= thresholds.WHOLE
    if used_up:
        rest = "; the rest is too little for an ordinary call" if budget.spent < budget.usd else ""
        message = (
            f"{budget.about} has used up its budget for {budget.window}: {sums}{rest}. "
            f"Its calls are refused until {budget.until}, unless you raise {budget.setting}."
        )
    else:
        message = (
            f"{budget.about} has spent {sums} of its budget for {budget.window}. "
            f"When all of it is spent, its calls are refused until {budget.until}. See: lbk costs"
        )
    return Alert(
        AlertKind.BUDGET,
        f"budget {budget.setting}",
        f"{budget.about}: {percent:f} % of the budget for {budget.window}",
        message,
        window=budget.window,
        level=int(percent * 100),
        grave=used_up,
        provider=budget.provider,
        key=budget.key,
        threshold=percent,
        covers=(f"forecast {budget.setting}", *others) if used_up else (),
    )


def _expected(seen: Forecast, length: Window) -> tuple[Decimal | None, datetime | None]:
    match length:
        case Window.DAY:
            return seen.day_usd, seen.reached
        case Window.MONTH:
            return seen.month_usd, seen.monthly_reached
        case _:
            assert_never(length)


def _breached(config: Config, budget: _Budget, expected: Decimal | None, when: datetime | None) -> Alert:
    at = f" at about {when.astimezone(config.timezone):%Y-%m-%d %H:%M} ({config.timezone})" if when is not None else ""
    sums = f"{figure(budget.spent)} of {figure(budget.usd)} USD spent"
    if expected is not None:
        sums += f", {figure(expected)} expected"
    return Alert(
        AlertKind.FORECAST,
        f"forecast {budget.setting}",
        f"{budget.about}: the budget for {budget.window} will not last",
        f"{budget.about} will have used up its budget for {budget.window}{at} at the recent pace: {sums}. "
        f"Slow down, or raise {budget.setting}.",
        window=budget.window,
        provider=budget.provider,
    )
