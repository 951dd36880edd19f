"""The delivery of alerts, in the snapshot: which are raised, delivered and over, and who was told.

Each channel hears of an alert once in its window, and once of its end. A process that is about to deliver takes a
lease, so that two processes do not deliver the same; the delivery is noted afterwards. A process that dies in between
leaves the alert undelivered, and the next one delivers it: twice is better than never.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta
from typing import assert_never

from lollmsbot_keys.core.model.alert import (
    POOL,
    STANDARD_OUTPUT,
    Alert,
    AlertEnded,
    AlertsDelivered,
    Letter,
    Telling,
    Watched,
)
from lollmsbot_keys.core.model.lease import Lease, Owner
from lollmsbot_keys.core.model.snapshot import Raised, Snapshot

MOST_RAISED = 64
"""The most alerts that are kept at once: with so many, people look at the first ones."""
OVER_KEPT = timedelta(days=3)
"""The time that the end of an alert waits for a channel that is out of order."""


def apply(snapshot: Snapshot, event: Watched | Telling | AlertsDelivered, now: datetime) -> Snapshot:
    """Return the snapshot after `event`, or the very same one if it brings no news."""
    match event:
        case Watched(alerts, usable, channels, today, ends):
            observed = observe(snapshot, alerts, channels, today, now, ends=ends)
            return observed if _is_shrunk(observed) else remember(observed, usable, today)
        case Telling(names, lease):
            return lend(snapshot, names, lease)
        case AlertsDelivered(letters, lease):
            return delivered(snapshot, letters, lease)
        case _:
            assert_never(event)


def _is_shrunk(snapshot: Snapshot) -> bool:
    """Say whether the pool is down to its last key.

    Then the day before that stays the measure, until the pool has recovered.
    """
    return POOL in snapshot.alerts and snapshot.alerts[POOL].over is None


def observe(
    snapshot: Snapshot, held: Sequence[Alert], channels: Sequence[str], today: date, now: datetime, *, ends: bool
) -> Snapshot:
    """Note the alerts that hold now, and with `ends` also those that hold no more.

    A process that only looked at what has just happened does not see ends: those are for the process that prints them.
    """
    alerts = dict(snapshot.alerts)
    for alert in held[:MOST_RAISED]:
        alerts[alert.name] = _raised(alerts.get(alert.name), alert, str(today), now)
    if ends:
        holding = {alert.name for alert in held}
        covered = {name for alert in held for name in alert.covers}
        for name in alerts.keys() - holding:
            if name in covered:
                del alerts[name]
            elif alerts[name].over is None:
                alerts[name] = _ended(alerts[name], channels, str(today), now)
    kept = _kept(alerts, str(today), now)
    return snapshot if kept == snapshot.alerts else snapshot._replace(alerts=kept)


def _raised(known: Raised | None, alert: Alert, today: str, now: datetime) -> Raised:
    window, lasting = alert.window or today, not alert.window
    fresh = Raised(window, alert.level, alert.since or now, alert.title, lasting)
    if known is None:
        return fresh
    begins_anew = window > known.window  # a clock that steps back begins no window
    if begins_anew and (known.over is not None or not lasting):
        return fresh
    if known.over is not None:
        known = _unsure(known)._replace(over=None, due=(), since=fresh.since)
    if alert.level > known.level:
        return fresh._replace(window=known.window, since=known.since)
    if begins_anew and known.calmed:  # they believe that it is over
        believing = tuple(channel for channel in known.told if channel not in known.calmed)
        return known._replace(window=window, told=believing, calmed=())
    return known


def _unsure(known: Raised) -> Raised:
    """Return the alert with channels that may have heard of its end marked as not told.

    The process that was delivering the end never came back, and may have told some of them.
    """
    if known.lease is None:
        return known
    return known._replace(told=tuple(channel for channel in known.told if channel not in known.due))


def _ended(known: Raised, channels: Sequence[str], today: str, now: datetime) -> Raised:
    """Return the alert with the end that channels must hear of.

    Channels that heard that it was over, and not that it came back in the same window, hear nothing.
    """
    due = (STANDARD_OUTPUT, *(channel for channel in channels if channel not in known.calmed))
    window = max(known.window, today) if known.lasting else known.window
    return known._replace(window=window, over=now, due=due)


def _kept(alerts: Mapping[str, Raised], today: str, now: datetime) -> dict[str, Raised]:
    """Return `alerts` without those that are over, told and past their window.

    An alert that came back within its window must be recognised.
    """
    kept = {
        name: raised
        for name, raised in alerts.items()
        if raised.over is None
        or (raised.over > now - OVER_KEPT and (raised.due or raised.window >= today[: len(raised.window)]))
    }
    if len(kept) > MOST_RAISED:
        kept = dict(sorted(kept.items(), key=lambda item: (item[1].over is None, item[1].since))[-MOST_RAISED:])
    return kept


def remember(snapshot: Snapshot, usable: AbstractSet[str], today: date) -> Snapshot:
    """Note the keys that can be used today.

    Of the days before it only the last is kept, to compare today with it.
    """
    known = snapshot.usable.get(today, frozenset())
    before = max((day for day in snapshot.usable if day < today), default=None)
    days = {} if before is None else {before: snapshot.usable[before]}
    if usable or known:
        days[today] = known | usable
    return snapshot if days == snapshot.usable else snapshot._replace(usable=days)


def owed(snapshot: Snapshot, channels: Iterable[str], now: datetime) -> tuple[Letter, ...]:
    """Return the messages that are to be delivered and that no other process is delivering."""
    letters: list[Letter] = []
    for name, raised in snapshot.alerts.items():
        if raised.lease is not None and raised.lease.until > now:
            continue
        if raised.over is None:
            waiting = [channel for channel in channels if channel not in {*raised.told, *raised.calmed}]
        else:
            waiting = [channel for channel in (STANDARD_OUTPUT, *channels) if channel in raised.due]
        over = raised.over is not None
        letters += [Letter(name, raised.window, raised.level, over, channel) for channel in waiting]
    return tuple(letters)


def lend(snapshot: Snapshot, names: AbstractSet[str], lease: Lease) -> Snapshot:
    """Give the lease on these alerts to one process.

    Nobody else delivers them until it ends.
    """
    alerts = {
        name: _unsure(raised)._replace(lease=lease) if name in names and raised.lease != lease else raised
        for name, raised in snapshot.alerts.items()
    }
    return snapshot if alerts == snapshot.alerts else snapshot._replace(alerts=alerts)


def delivered(snapshot: Snapshot, letters: Iterable[Letter], lease: Lease) -> Snapshot:
    """Note the delivered letters and give the lease back.

    An alert that has changed since is still to be told.
    """
    alerts = {
        name: raised._replace(lease=None) if raised.lease == lease else raised
        for name, raised in snapshot.alerts.items()
    }
    for letter in letters:
        raised = alerts.get(letter.name)
        if raised is None or letter[1:4] != (raised.window, raised.level, raised.over is not None):
            continue
        if letter.over:
            alerts[letter.name] = _calmed(raised, letter.channel)
        elif letter.channel not in raised.told:
            alerts[letter.name] = raised._replace(told=(*raised.told, letter.channel))
    return snapshot if alerts == snapshot.alerts else snapshot._replace(alerts=alerts)


def _calmed(raised: Raised, channel: str) -> Raised:
    due = tuple(one for one in raised.due if one != channel)
    if channel == STANDARD_OUTPUT or channel in raised.calmed:
        return raised._replace(due=due)
    return raised._replace(due=due, calmed=(*raised.calmed, channel))


def without_leases(snapshot: Snapshot, dead: AbstractSet[Owner]) -> Snapshot:
    """End the leases of processes that have ended.

    Nobody knows how far they came, so others may deliver.
    """
    alerts = {
        name: raised._replace(lease=raised.lease._replace(until=raised.since))
        if raised.lease is not None and raised.lease.owner in dead
        else raised
        for name, raised in snapshot.alerts.items()
    }
    return snapshot if alerts == snapshot.alerts else snapshot._replace(alerts=alerts)


def ended(snapshot: Snapshot, letters: Iterable[Letter]) -> tuple[AlertEnded, ...]:
    """Return the ended alerts that these letters tell of, each once."""
    names = dict.fromkeys(letter.name for letter in letters if letter.over)
    return tuple(
        AlertEnded(name, raised.title, raised.since, raised.over)
        for name in names
        if (raised := snapshot.alerts.get(name)) is not None and raised.over is not None
    )
