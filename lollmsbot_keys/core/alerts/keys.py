"""The alerts about keys: a disabled key, a pool that shrank to its last key, an overdue secret."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from lollmsbot_keys.core.model.accounts import fingerprint_of
from lollmsbot_keys.core.model.alert import POOL, STANDSTILL, Alert, AlertKind
from lollmsbot_keys.core.model.config import Config, Key
from lollmsbot_keys.core.model.explain import why_not
from lollmsbot_keys.core.model.request import Candidate, Facts, Reason, Request
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.money import amounts
from lollmsbot_keys.core.routing import eligibility
from lollmsbot_keys.core.routing.route import route

WORTH_A_MESSAGE = timedelta(minutes=5)
"""The shortest standstill that is told."""
GONE_FOR = timedelta(days=1)
"""The time out after which a key is lost to the pool; a rate limit of an hour is not worth a message."""


def usable(config: Config, snapshot: Snapshot, facts: Facts, now: datetime) -> frozenset[str]:
    """Return the keys that have worked and can still be used.

    Those that are not disabled, and not left out for a day or longer.
    """
    return frozenset(
        key.name
        for key in config.keys
        if key.name in snapshot.successes and not _lost(key, config, snapshot, facts, now)
    )


def disabled(config: Config, snapshot: Snapshot, facts: Facts) -> Iterator[Alert]:
    """Yield an alert for each key whose present secret was refused."""
    for key in config.keys:
        mark = snapshot.disabled.get(key.name)
        if mark is None or not key.enabled or not mark.covers(fingerprint_of(key.name, snapshot, facts)):
            continue
        yield Alert(
            AlertKind.KEY_DISABLED,
            f"disabled {key.name}",
            f"{key.name}: disabled",
            f"{key.name} has been disabled since {mark.since:%Y-%m-%d %H:%M} UTC: {key.provider} refused its secret. "
            f"Replace the secret, or try it again: lbk reset-limits {key.name}",
            grave=True,
            provider=key.provider,
            key=key.name,
            since=mark.since,
        )


def _lost(key: Key, config: Config, snapshot: Snapshot, facts: Facts, now: datetime) -> str:
    """Return why the pool can do nothing with `key` for a day or longer; "" where it can."""
    fingerprint = fingerprint_of(key.name, snapshot, facts)
    mark = snapshot.disabled.get(key.name)
    if not key.enabled or (mark is not None and mark.covers(fingerprint)):
        return "disabled"
    out = [
        cooldown.until
        for cooldown in eligibility.cooldowns_of(key, fingerprint, config, snapshot, facts, now)
        if cooldown.until - cooldown.since >= GONE_FOR
    ]
    return f"left out until {max(out):%Y-%m-%d %H:%M} UTC" if out else ""


def shrunk(config: Config, snapshot: Snapshot, facts: Facts, now: datetime) -> Iterator[Alert]:
    """Yield an alert if one key or none is left of several that could be used before.

    Before: on the last known day before today. A key that was taken out of the configuration, or switched off there, is
    no loss.
    """
    today = amounts.budget_day(now, config.timezone)
    before_today = max((day for day in snapshot.usable if day < today), default=None)
    if before_today is None:
        return
    worked = [key for key in config.keys if key.enabled and key.name in snapshot.usable[before_today]]
    left = usable(config, snapshot, facts, now)
    lost = {key.name: why for key in worked if (why := _lost(key, config, snapshot, facts, now))}
    if len(worked) < 2 or not lost or len(left) > 1:
        return
    last = next((key for key in config.keys if key.name in left), None)
    gone = ", ".join(f"{name} ({why})" for name, why in lost.items())
    if last is not None:
        title = f"only {last.name} is left"
        next_step = f"If {last.name} fails too, no provider answers. See: lbk test-keys"
    else:
        title = "no key is left"
        next_step = "No provider answers any more. See: lbk test-keys"
    yield Alert(
        AlertKind.POOL,
        POOL,
        f"pool: {title}",
        f"{title[0].upper()}{title[1:]} of the {len(worked)} that could be used on {before_today}; {gone}. {next_step}",
        level=1 if last is not None else 2,
        grave=True,
        provider=last.provider if last is not None else None,
        key=last.name if last is not None else None,
    )


def standstill(config: Config, snapshot: Snapshot, facts: Facts, now: datetime) -> Iterator[Alert]:
    """Yield an alert if no request could go anywhere, now and for longer than a moment.

    Neither a general request nor one of any role.
    """
    used = {*snapshot.sightings, *snapshot.successes, *facts.secrets}
    seen = {key.name: fingerprint_of(key.name, snapshot, facts) for key in config.keys if key.name in used}
    if not seen:
        return
    known_to_all = Facts(seen, facts.lists, prices=facts.prices)
    plan = route(Request(), config, snapshot, known_to_all, now)
    if any(map(_may_answer, plan.candidates)):
        return
    for role in _roles(config):  # local does not count: it helps only the roles whose model it has
        of_role = route(role, config, snapshot, known_to_all, now).candidates
        if any(candidate.key is not None and _may_answer(candidate) for candidate in of_role):
            return
    mine = tuple(candidate for candidate in plan.candidates if candidate.key is None or candidate.key in seen)
    if not mine:
        return
    answered = max((moment for moment in snapshot.successes.values() if moment <= now), default=None)
    since = max([*(_out_since(candidate, snapshot, now) for candidate in mine), *([answered] if answered else [])])
    known = snapshot.alerts.get(STANDSTILL)
    standing = known is not None and known.over is None
    if standing and known is not None and (answered is None or answered <= known.since):
        since = min(since, known.since)
    elif plan.retry_at is not None and plan.retry_at - since < WORTH_A_MESSAGE:
        return
    plan = plan._replace(candidates=mine)
    yield Alert(
        AlertKind.STANDSTILL,
        STANDSTILL,
        "nothing could answer",
        f"Nothing could answer since {since:%Y-%m-%d %H:%M} UTC: {why_not(plan)}. See: lbk route",
        grave=True,
        since=since,
        covers=tuple(name for name in snapshot.alerts if name == POOL or name.startswith(("budget ", "disabled "))),
    )


def _roles(config: Config) -> Iterator[Request]:
    for name, pillar in config.pillars.items():
        yield from (Request(pillar=name, role=role) for role in pillar.roles)


def _may_answer(candidate: Candidate) -> bool:
    """Say whether the candidate can be used now, or in a moment."""
    return candidate.set_aside is None or candidate.set_aside.reason is Reason.HELD


def _out_since(candidate: Candidate, snapshot: Snapshot, now: datetime) -> datetime:
    """Return since when the candidate is known to be out; the beginning of time where nobody knows."""
    mark = snapshot.disabled.get(candidate.key or "")
    began = [mark.since] if mark is not None and mark.covers(candidate.fingerprint) else []
    began += [
        cooldown.since
        for cooldown in snapshot.cooldowns.values()
        if cooldown.until > now and cooldown.scope.covers(candidate)
    ]
    return min(began, default=datetime.min.replace(tzinfo=UTC))


def overdue(config: Config, due: Sequence[tuple[str, int]]) -> Iterator[Alert]:
    """Yield an alert for each key whose secret should have been replaced so many days ago."""
    for name, days in due:
        key = config.key(name)
        yield Alert(
            AlertKind.ROTATION_OVERDUE,
            f"rotation {name}",
            f"{name}: rotation overdue",
            f"The secret of {name} should have been replaced {days} {'day' if days == 1 else 'days'} ago. "
            f"Replace it: lbk rotate {name}",
            provider=key.provider if key is not None else None,
            key=name,
        )
