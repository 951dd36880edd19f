"""The forecast of spending: by the end of the day and the month, and when a budget will be reached.

The state keeps sums of days and the calls of the last hour, so the pace, in dollars an hour, is the middle one of
three that can be told from them:

- today's: from midnight to now;
- the last hour's: its calls, at what a call costs today on average;
- the usual one: that of the middle one of the last days.

A burst, a quiet hour or one expensive day moves one of the three, and so moves little. Before the last days are known
it is the mean of the first two. Coming days are taken to cost the mean of the last ones, because quiet days come again
as well as busy ones.

Nothing is said before two hours and ten calls of a day, and nothing about days to come before three are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from lollmsbot_keys.core.model.config import Config, Provider
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.model.summary import Forecast
from lollmsbot_keys.core.money import amounts
from lollmsbot_keys.core.state.call_window import calls_within_an_hour

__all__ = ["Forecast", "forecast"]

EARLIEST = timedelta(hours=2)
FEWEST_CALLS = 10
LAST_DAYS = 7
FEWEST_DAYS = 3

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def forecast(config: Config, snapshot: Snapshot, provider: Provider, now: datetime) -> Forecast:
    """Compute what `provider` will have cost by the end of the day and the month.

    And when its budgets will be reached.
    """
    outlook = _Outlook(config, snapshot, provider, now)
    if outlook.over < EARLIEST:
        return Forecast(reason="too early to tell: less than two hours of the day are over")
    if outlook.calls < FEWEST_CALLS:
        return Forecast(reason=f"too early to tell: {outlook.calls} of {FEWEST_CALLS} calls today")
    return outlook.month(outlook.today())


class _Outlook:
    """The state of one provider's day so far.

    Money, calls, the time that is over and the time that is left, and the pace in dollars an hour.
    """

    def __init__(self, config: Config, snapshot: Snapshot, provider: Provider, now: datetime) -> None:
        self._snapshot, self._provider, self._now, self._zone = snapshot, provider, now, config.timezone
        self._settings = config.providers[provider]
        self._day = amounts.budget_day(now, self._zone)
        cells = snapshot.days[self._day].cells if self._day in snapshot.days else {}
        self.calls = sum(cell.calls for place, cell in cells.items() if place.provider is provider)
        self.over = now - amounts.day_end(self._day - _DAY, self._zone)
        self._end = amounts.day_end(self._day, self._zone)
        self._spent = self._cost(self._day)
        self._last = self._last_days()
        windows = (snapshot.hours.get(key.name, {}) for key in config.keys_of(provider))
        self._calls_of_the_hour = sum(calls_within_an_hour(window, now) for window in windows)

    def today(self) -> Forecast:
        """Compute the forecast of the day alone."""
        pace, left = self._pace(), self._end - self._now
        return Forecast(
            day_usd=self._spent + pace * _hours(left),
            reached=_reached(self._settings.daily_budget_usd, self._spent, pace, self._now, left),
        )

    def month(self, found: Forecast) -> Forecast:
        """Add the month to the forecast `found`."""
        budget, pace = self._settings.monthly_budget_usd, self._pace()
        so_far = amounts.of_provider(
            amounts.recorded_in_month(self._snapshot, amounts.month_of(self._day)), self._provider
        )
        after_today = so_far + pace * _hours(self._end - self._now)
        reached = _reached(budget, so_far, pace, self._now, self._end - self._now)
        coming = (amounts.last_of_month(self._day) - self._day).days
        if coming and len(self._last) < FEWEST_DAYS:
            known = f"{len(self._last)} of {FEWEST_DAYS} days before today are known"
            return found._replace(monthly_reached=reached, reason=f"too early to tell of the month: {known}")
        a_day = sum(self._last, amounts.NOTHING) / max(1, len(self._last))
        return found._replace(
            month_usd=after_today + coming * a_day,
            monthly_reached=reached or _reached(budget, after_today, a_day / 24, self._end, coming * _DAY),
        )

    def _pace(self) -> Decimal:
        paces = [self._spent / _hours(self.over), self._spent / self.calls * self._calls_of_the_hour]
        if len(self._last) >= FEWEST_DAYS:
            paces.append(_median(self._last) / 24)
        return _median(paces)

    def _last_days(self) -> list[Decimal]:
        """Return the cost of each of the last days, idle ones too, as far back as anything is known."""
        known = [day for day in {*self._snapshot.closed, *self._snapshot.days} if day < self._day]
        if not known:
            return []
        first = max(min(known), self._day - LAST_DAYS * _DAY)
        return [self._cost(first + number * _DAY) for number in range((self._day - first).days)]

    def _cost(self, day: date) -> Decimal:
        return amounts.of_provider(amounts.recorded(self._snapshot, day), self._provider)


def _reached(
    budget: Decimal | None, spent: Decimal, pace: Decimal, begin: datetime, length: timedelta
) -> datetime | None:
    """Compute when `spent` has grown to `budget` at that pace; `None` where it does not within `length`."""
    if budget is None:
        return None
    left = budget - spent
    if left <= 0:
        return begin
    if left > pace * _hours(length):
        return None
    return begin + _HOUR * float(left / pace)


def _hours(length: timedelta) -> Decimal:
    return Decimal(length // timedelta(microseconds=1)) / 3_600_000_000


def _median(amounts: Sequence[Decimal]) -> Decimal:
    ordered, middle = sorted(amounts), len(amounts) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
