"""One look at the alerts: what holds, what is over, and what the watcher must tell.

It is one step under the lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lollmsbot_keys.core.alerts.evaluate import alerts
from lollmsbot_keys.core.alerts.keys import usable
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.alert import STANDARD_OUTPUT, Alert, AlertEnded, Letter, Telling, Watched
from lollmsbot_keys.core.model.config import Config
from lollmsbot_keys.core.model.lease import Lease
from lollmsbot_keys.core.model.request import Facts
from lollmsbot_keys.core.model.snapshot import Raised, Snapshot
from lollmsbot_keys.core.money.amounts import budget_day
from lollmsbot_keys.core.state import alert_delivery
from lollmsbot_keys.core.state.events import record


class Watcher(NamedTuple):
    """The process that looks.

    The lease under which it tells, and the marks of the channels. `ends`: it prints what is over, too.
    """

    lease: Lease
    channels: tuple[str, ...] = ()
    ends: bool = True


class Watch(NamedTuple):
    """The result of one look.

    `news` are the alerts that nobody had seen; `letters` is what the watcher must deliver. `ended` are the ends that
    the letters tell of: perhaps to a channel that was down, and printed long ago.
    """

    alerts: tuple[Alert, ...]
    news: tuple[Alert, ...]
    ended: tuple[AlertEnded, ...]
    letters: tuple[Letter, ...]

    @property
    def resolved(self) -> tuple[AlertEnded, ...]:
        """The ends that are still to be printed."""
        names = {letter.name for letter in self.letters if letter.over and letter.channel == STANDARD_OUTPUT}
        return tuple(one for one in self.ended if one.name in names)


def watch(config: Config, snapshot: Snapshot, facts: Facts, now: datetime, watcher: Watcher) -> tuple[Snapshot, Watch]:
    """Note the alerts that hold at `now`, and take on what must be told.

    Returns the very same snapshot where there is nothing to do.
    """
    held = alerts(config, snapshot, facts, now)
    today, fit = budget_day(now, config.timezone), usable(config, snapshot, facts, now)
    before = snapshot.alerts
    snapshot = record(snapshot, Watched(held, fit, watcher.channels, today, watcher.ends), now)
    letters = _mine(alert_delivery.owed(snapshot, watcher.channels, now), held, watcher)
    if letters:
        snapshot = record(snapshot, Telling(frozenset(letter.name for letter in letters), watcher.lease), now)
    news = tuple(alert for alert in held if _is_news(before.get(alert.name), snapshot.alerts.get(alert.name)))
    return snapshot, Watch(held, news, alert_delivery.ended(snapshot, letters), letters)


def _mine(letters: Sequence[Letter], held: Sequence[Alert], watcher: Watcher) -> tuple[Letter, ...]:
    """Return the letters that the watcher can deliver.

    Those are alerts whose words are known now, and ends. Letters for standard output only if it prints.
    """
    names = {alert.name for alert in held}
    return tuple(
        letter
        for letter in letters
        if (letter.over or letter.name in names) and (watcher.ends or letter.channel != STANDARD_OUTPUT)
    )


def _is_news(before: Raised | None, after: Raised | None) -> bool:
    if before is None or after is None:
        return True
    return before.over is not None or (before.window, before.level) != (after.window, after.level)
