"""`lbk ask`: one question, answered with failover."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lollmsbot_keys.core.report import Report
from lollmsbot_keys.engine import Engine
from lollmsbot_keys.pool import KeyPool, Listener, Options, Question, question

__all__ = ["Asking", "Listener", "Options", "Question", "question"]


class Asking:
    """A question and the files it is asked with. `workflow` is true where stdout is read for CI commands."""

    def __init__(self, config: Path | None, state: Path | None) -> None:
        self._engine = Engine.open(config, state)
        self.workflow = self._engine.environment.github_actions

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should be told about configuration, state and secrets."""
        return (*self._engine.warnings, *self._engine.secrets.warnings)

    def ask(self, question: Question, listener: Listener) -> Report:
        """Ask, and wait for the end.

        Raises:
            UsageError, ConfigError, StateError, SecretError: see there.
            KeyboardInterrupt: a person did not want to wait; the call is charged if it may have been billed.
        """
        return asyncio.run(self._ask(question, listener))

    async def _ask(self, question: Question, listener: Listener) -> Report:
        async with KeyPool(self._engine) as pool:
            return await pool.answer(question, listener)
