"""The search for alerts, and the telling: each once in a window and to each channel.

However many processes look at the same moment, an alert is told once. One look is one step under the lock of the state.
What must be told is told after it, without the lock, and noted when it has arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lollmsbot_keys.core.alerts.check import Watch, Watcher, watch
from lollmsbot_keys.core.alerts.evaluate import alerts
from lollmsbot_keys.core.model.alert import STANDARD_OUTPUT, Alert, AlertKind, AlertsDelivered, Letter, Tone
from lollmsbot_keys.core.model.lease import Lease
from lollmsbot_keys.core.model.request import Facts
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.state.events import record
from lollmsbot_keys.edges.environment.processes import this_process
from lollmsbot_keys.errors import StateError
from lollmsbot_keys.runtime import Engine

if TYPE_CHECKING:
    from lollmsbot_keys.edges.notifications.channels import Channels, Notification

LEASE = timedelta(minutes=1)
"""The time for one process to tell, longer than any patience while sending."""
CRON_PATIENCE, PROMPT_PATIENCE = timedelta(seconds=20), timedelta(seconds=10)
"""The longest time for sending: for cron, and for a person who has the answer and waits for the prompt."""


class AlertNotifier:
    """The alerts of one engine.

    `ends`: also handles what is over, and prints that once. `problems` gathers what kept alerts from being noted or
    told.
    """

    def __init__(self, engine: Engine, *, ends: bool = True) -> None:
        self._engine, self._ends = engine, ends
        self._channels: Channels | None = None
        self._lease: Lease | None = None
        self.problems: list[str] = []

    def look(self, facts: Facts | None = None) -> Watch:
        """Return what holds now, and what must be told.

        The state is only written where there is news. Where it cannot be written what holds is returned all the same,
        and nothing is told to channels: nobody could remember it, and cron would tell them every time.

        Raises:
            StateError: the state cannot be read.
        """
        engine, seen_at = self._engine, self._engine.clock()
        known = facts or engine.facts()
        snapshot = engine.state.read(seen_at)
        self._lease = Lease(this_process(), seen_at + LEASE)
        watcher = Watcher(self._lease, self._marks(), self._ends)

        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, Watch]:
            return watch(engine.config, snapshot, known, now, watcher)

        after, seen = change(snapshot, seen_at)
        if after is snapshot:
            return seen
        try:
            return engine.state.update(change)
        except StateError as error:
            unsent = " Nothing was sent to alerts.urls." if engine.config.alerts.urls else ""
            self.problems.append(f"{error}{unsent}")
            return seen._replace(letters=())

    def tell(self, seen: Watch, patience: timedelta, *, printed: bool = True) -> None:
        """Tell the channels what they are owed.

        `printed`: the caller has printed what is for standard output.
        """
        arrived = [letter for letter in seen.letters if printed and letter.channel == STANDARD_OUTPUT]
        messages = _messages(seen)
        if messages and self._channels is not None:
            outcome = self._channels.send(messages, patience)
            self.problems += [
                f"{problem}. The next lbk costs --alert tries again." for problem in _distinct(outcome.values())
            ]
            arrived += [letter for letter in seen.letters if outcome.get(letter.channel) == ""]
        self._note(seen, tuple(arrived))

    def _note(self, seen: Watch, arrived: tuple[Letter, ...]) -> None:
        lease = self._lease
        if lease is None or not seen.letters:
            return

        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
            return record(snapshot, AlertsDelivered(arrived, lease), now), None

        try:
            self._engine.state.update(change)
        except StateError as error:
            self.problems.append(f"{error} What was sent will be sent once more.")

    def _marks(self) -> tuple[str, ...]:
        engine, urls = self._engine, self._engine.config.alerts.urls
        if urls and self._channels is None:
            from lollmsbot_keys.edges.notifications.channels import Channels  # only for those who have some

            try:
                self._channels = Channels(urls, engine.state.fingerprint_key, engine.environment.for_helpers)
            except StateError as error:
                self.problems.append(f"{error} Nothing was sent to alerts.urls.")
        return self._channels.marks if self._channels is not None else ()


def to_say(seen: Watch) -> tuple[str, ...]:
    """Return the messages for the one that made the call.

    The pool has already said that its key was refused, or that all of them were.
    """
    known = {AlertKind.KEY_DISABLED, AlertKind.STANDSTILL}
    return tuple(alert.message for alert in seen.news if alert.kind not in known)


def holding(engine: Engine, now: datetime) -> tuple[Alert, ...]:
    """Return the alerts that hold at `now`.

    Changes nothing, tells nobody.
    """
    return alerts(engine.config, engine.state.read(now), engine.facts(), now)


def _messages(seen: Watch) -> dict[str, Notification]:
    """Return one message for each channel, with all that it is owed, the gravest first."""
    owed: dict[str, list[Letter]] = {}
    for letter in seen.letters:
        if letter.channel != STANDARD_OUTPUT:
            owed.setdefault(letter.channel, []).append(letter)
    return {channel: _message(seen, letters) for channel, letters in owed.items()}


def _message(seen: Watch, letters: Sequence[Letter]) -> Notification:
    from platform import node

    from lollmsbot_keys.edges.notifications.channels import Notification

    raised = {letter.name for letter in letters if not letter.over}
    over = {letter.name for letter in letters if letter.over}
    held = [alert for alert in seen.alerts if alert.name in raised]
    ended = [one for one in seen.ended if one.name in over]
    lines = [*(alert.message for alert in held), *(one.message for one in ended)]
    titles = [*(alert.title for alert in held), *(f"resolved: {one.title}" for one in ended)]
    title = titles[0] if len(titles) == 1 else f"{titles[0]} (and {len(titles) - 1} more)"
    tone = Tone.GOOD if not held else Tone.GRAVE if any(alert.grave for alert in held) else Tone.WARNING
    return Notification(f"lbk: {title}", "\n".join([*lines, f"-- lbk on {node()}"]), tone)


def _distinct(problems: Iterable[str]) -> list[str]:
    return [problem for problem in dict.fromkeys(problems) if problem]
