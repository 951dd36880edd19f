"""Upkeep that keeps the state small and sane.

What has expired goes, and what a wrong clock left behind is put right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta, tzinfo

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.snapshot import KEPT_AFTER_LAPSE, ClosedDay, Cooldown, Day, Hold, Snapshot, Waiter
from lollmsbot_keys.core.model.unsettled import Settlement
from lollmsbot_keys.core.money.amounts import budget_day, forgotten
from lollmsbot_keys.core.state.call_window import tidied

LAPSED_KEPT = 32
"""The most lapsed holds that wait for a late settlement: processes that die in a loop must not pile them up."""
SKEW = timedelta(minutes=2)
"""The most that clocks of processes may differ before a time counts as coming from the future."""


def upkeep(
    snapshot: Snapshot,
    now: datetime,
    longest: timedelta,
    dead: AbstractSet[Owner] = frozenset(),
    alive: AbstractSet[Owner] = frozenset(),
) -> Snapshot:
    """Return the snapshot without what is over at `now`.

    A hold lapses when its owner is among the `dead`, or when it has expired and its owner is not among those known to
    be `alive`. A cooldown that began in the future was recorded by a clock that has since stepped back: it keeps its
    length and begins now. None lasts longer than `longest` from now.
    """
    snapshot = _without_dead(snapshot, now, dead, alive)
    if dead and snapshot.alerts:
        from lollmsbot_keys.core.state.alert_delivery import without_leases

        snapshot = without_leases(snapshot, dead)
    hours = {key: window for key, buckets in snapshot.hours.items() if (window := tidied(buckets, now))}
    cooldowns = {
        scope: _rebased(cooldown, now, longest)
        for scope, cooldown in snapshot.cooldowns.items()
        if cooldown.until > now
    }
    holds = {id_: _in_time(hold, now) for id_, hold in _kept(snapshot.holds, now)}
    return snapshot._replace(
        hours=hours,
        cooldowns=cooldowns,
        holds=holds,
        waiters={id_: waiter for id_, waiter in snapshot.waiters.items() if _still_waiting(waiter, now)},
    )


def _without_dead(snapshot: Snapshot, now: datetime, dead: AbstractSet[Owner], alive: AbstractSet[Owner]) -> Snapshot:
    """Charge the holds of ended processes, and forget their places in the queue."""
    lapsed = frozenset(
        id_
        for id_, hold in snapshot.holds.items()
        if not hold.lapsed and (hold.owner in dead or (hold.expires <= now and hold.owner not in alive))
    )
    gone = frozenset(id_ for id_, waiter in snapshot.waiters.items() if waiter.owner in dead)
    if not lapsed and not gone:
        return snapshot
    from lollmsbot_keys.core.state.events import Lapsed, WaitOver, record

    return record(record(snapshot, Lapsed(lapsed), now), WaitOver(gone), now)


def _rebased(cooldown: Cooldown, now: datetime, longest: timedelta) -> Cooldown:
    if cooldown.since > now + SKEW:
        length = min(cooldown.until - cooldown.since, longest)
        return cooldown._replace(since=now, until=now + length)
    if cooldown.until > now + longest:
        return cooldown._replace(until=now + longest)
    return cooldown


def _kept(holds: Mapping[str, Hold], now: datetime) -> list[tuple[str, Hold]]:
    lapsed = sorted((hold.expires, id_) for id_, hold in holds.items() if hold.lapsed and hold.expires > now)
    waiting = {id_ for _, id_ in lapsed[-LAPSED_KEPT:]}
    return [(id_, hold) for id_, hold in holds.items() if not hold.lapsed or id_ in waiting]


def _in_time(hold: Hold, now: datetime) -> Hold:
    """Return `hold` with times that fit the clock.

    A hold from the future must not outlive its call by as long as the clock was wrong.
    """
    if hold.lapsed:
        return hold._replace(expires=min(hold.expires, now + KEPT_AFTER_LAPSE))
    if hold.claimed > now + SKEW:
        return hold._replace(claimed=now, expires=now + (hold.expires - hold.claimed))
    return hold


def _still_waiting(waiter: Waiter, now: datetime) -> bool:
    return waiter.until > now and waiter.since <= now + SKEW


class Housekeeping(NamedTuple):
    """The upkeep with the configuration's settings filled in.

    A state store does it around every change.
    """

    timezone: tzinfo
    longest: timedelta

    def before(
        self, snapshot: Snapshot, now: datetime, dead: AbstractSet[Owner], alive: AbstractSet[Owner]
    ) -> Snapshot:
        """Return the meaning of a reading of the state at `now`."""
        return upkeep(snapshot, now, self.longest, dead, alive)

    def adopted(self, snapshot: Snapshot, kept: Mapping[str, Settlement], now: datetime) -> Snapshot:
        """Return the snapshot with settlements that could not be written in time."""
        from lollmsbot_keys.core.state.adoption import adopt

        return adopt(snapshot, kept, now)

    def forgotten(self, snapshot: Snapshot, now: datetime) -> date | None:
        """Return today, or `None` if its spending is not to be looked up in the history.

        The spending is that of today or of its month.
        """
        today = budget_day(now, self.timezone)
        return today if forgotten(snapshot, today) else None

    def recalled(self, snapshot: Snapshot, today: date, stored: Iterable[tuple[date, Day]]) -> Snapshot:
        """Return the snapshot with the history's sums of the month."""
        from lollmsbot_keys.core.money.ledger import recalled

        return recalled(snapshot, today, stored)

    def after(self, snapshot: Snapshot, now: datetime) -> tuple[Snapshot, tuple[ClosedDay, ...]]:
        """Return the snapshot to write, and the days that leave for the history."""
        from lollmsbot_keys.core.money.ledger import close_days

        snapshot, closed = close_days(snapshot, budget_day(now, self.timezone))
        if closed:
            from lollmsbot_keys.core.state.usage_baseline import lengthened

            snapshot = lengthened(snapshot, closed)
        return snapshot, closed
