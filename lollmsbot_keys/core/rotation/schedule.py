"""The schedule of rotations: when each secret is to be replaced.

A key is due in its week of every month, and overdue once that week is over. The first of the four weeks begins on the
1st, the others on the 8th, the 15th and the 22nd, at midnight of the configuration's zone. A secret that was first seen
before its week began is due in it; one that came with it, or later, waits for the next month's. A rotation that stands
still is due too, and has seven days as well.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta, tzinfo

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Config, Key
from lollmsbot_keys.core.model.request import Facts
from lollmsbot_keys.core.model.rotation_journal import Age, Replacement, Standing, Step
from lollmsbot_keys.core.model.snapshot import Sighting, Snapshot
from lollmsbot_keys.core.money.amounts import day_end
from lollmsbot_keys.core.state.secret_history import is_news

DAY = timedelta(days=1)
WEEK = 7 * DAY


class DueSpan(NamedTuple):
    """The time from which something is due, and the time from which it is overdue."""

    begins: datetime
    ends: datetime


def week_after(since: datetime, number: int, zone: tzinfo) -> DueSpan:
    """Return the first week of that number, of any month, that begins after `since`."""
    month = since.astimezone(zone).date().replace(day=1)
    while True:
        week = _week(month, number, zone)
        if week.begins > since:
            return week
        month = (month + 31 * DAY).replace(day=1)


def _week(month: date, number: int, zone: tzinfo) -> DueSpan:
    """Return the week of that number of one month.

    It is computed from ends of days, not from beginnings: the zone's midnight may not exist, and `day_end` handles
    that.
    """
    before = month + (number - 1) * WEEK - DAY
    return DueSpan(day_end(before, zone), day_end(before + WEEK, zone))


def standings(
    config: Config, snapshot: Snapshot, facts: Facts, now: datetime, at_work: Collection[str] = ()
) -> tuple[Standing, ...]:
    """Return the age and the rotation of every key's secret.

    `at_work` names the keys whose rotation is going on right now.
    """
    return tuple(
        _standing(key, config.timezone, snapshot, facts, now, at_work=key.name in at_work) for key in config.keys
    )


def overdue(config: Config, snapshot: Snapshot, facts: Facts, now: datetime) -> tuple[tuple[str, int], ...]:
    """Return the keys that are overdue, each with the number of days."""
    return tuple(
        (standing.key, standing.late)
        for standing in standings(config, snapshot, facts, now)
        if standing.status is Age.OVERDUE
    )


def _standing(key: Key, zone: tzinfo, snapshot: Snapshot, facts: Facts, now: datetime, *, at_work: bool) -> Standing:
    sighting = _sighting(key, snapshot, facts, now)
    rotation = snapshot.rotations.get(key.name)
    if rotation is not None and not rotation.under_way and not at_work:
        rotation = None
    spans = []
    if sighting is not None and key.rotate_week is not None and key.enabled:
        spans.append(week_after(sighting.since, key.rotate_week, zone))
    if rotation is not None and not at_work:
        spans.append(_still(rotation))
    first = min(spans, key=lambda span: span.ends, default=None)
    known = sighting is not None or rotation is not None
    return Standing(
        key.name,
        key.provider,
        generation=sighting.generation if sighting is not None else 0,
        since=sighting.since if sighting is not None else None,
        due=first.begins if first is not None else None,
        status=_age(first, now) if known else Age.UNKNOWN,
        late=max(0, (now - first.ends) // DAY + 1) if first is not None else 0,
        step=rotation.step if rotation is not None else None,
        at_work=at_work,
        until=rotation.until if rotation is not None and rotation.step is Step.GRACE else None,
    )


def _age(span: DueSpan | None, now: datetime) -> Age:
    if span is None or now < span.begins:
        return Age.OK
    return Age.DUE if now < span.ends else Age.OVERDUE


def _sighting(key: Key, snapshot: Snapshot, facts: Facts, now: datetime) -> Sighting | None:
    """Return the secret that the key has; one that nobody has used yet is as old as this moment."""
    known = snapshot.sightings.get(key.name)
    held = facts.secrets.get(key.name, "")
    if not is_news(snapshot, key.name, held):
        return known
    return Sighting(held, now, known.generation + 1 if known is not None else 1)


def _still(rotation: Replacement) -> DueSpan:
    """Return the due time of a rotation that nobody works on.

    In its grace it is due when the grace ends, else since it stopped.
    """
    begins = rotation.until if rotation.step is Step.GRACE and rotation.until is not None else rotation.changed
    return DueSpan(begins, begins + WEEK)
