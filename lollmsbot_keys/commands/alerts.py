"""`lbk costs --alert`: the alerts that people must be told, for cron."""

from __future__ import annotations

from pathlib import Path

from lollmsbot_keys.alerting import CRON_PATIENCE, AlertNotifier
from lollmsbot_keys.core.alerts.check import Watch
from lollmsbot_keys.core.model.statement import By, Statement
from lollmsbot_keys.runtime import Engine

__all__ = ["Alerting", "Watch"]


class Alerting:
    """One look at the alerts.

    `look` returns what must be printed; then `tell` tells the channels, which may take seconds.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._alarm = AlertNotifier(engine)
        self._seen: Watch | None = None

    @classmethod
    def open(cls, config: Path | None, state: Path | None) -> Alerting:
        """Open the files that `lbk` uses, or others.

        Raises:
            ConfigError: the configuration cannot be used.
        """
        return cls(Engine.open(config, state, create=False))

    def look(self) -> Watch:
        """Return what holds now, and what is over since the last look.

        Raises:
            StateError: the state cannot be read.
        """
        self._seen = self._alarm.look()
        return self._seen

    def statement(self) -> Statement:
        """Return the statement of today, for those who want the whole document."""
        return self._engine.statement(By.KEY)

    def tell(self, *, printed: bool = True) -> None:
        """Tell the channels what is new to them, and remember what was told, and what was `printed`."""
        if self._seen is not None:
            self._alarm.tell(self._seen, CRON_PATIENCE, printed=printed)

    @property
    def problems(self) -> tuple[str, ...]:
        """The messages for a person about configuration, state and channels so far."""
        return (*self._engine.warnings, *self._alarm.problems)
