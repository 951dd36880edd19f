"""`lbk ask`: one question, answered with failover."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lollmsbot_keys.core.model.outcome import Report
from lollmsbot_keys.edges.environment.event_loop import run
from lollmsbot_keys.errors import LbkError
from lollmsbot_keys.pool import KeyPool, Listener, Options, Prompt, question
from lollmsbot_keys.runtime import Engine

__all__ = ["Asking", "Listener", "Options", "Prompt", "question"]


class Asking:
    """A question and the files it is asked with.

    `workflow` is true where stdout is read for CI commands.
    """

    def __init__(self, config: Path | None, state: Path | None, log_file: Path | None = None) -> None:
        self._engine = Engine.open(config, state)
        self._log_file = log_file
        environment = self._engine.environment
        self.workflow, self.output_style = environment.github_actions, environment.output_style
        self._crossed = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """The messages for a person about configuration and state; those about secrets come from `test-keys`."""
        return tuple(self._engine.warnings)

    def ask(self, question: Prompt, listener: Listener) -> Report:
        """Ask the question, and wait for the end.

        Raises:
            UsageError, ConfigError, StateError, SecretError: see `errors`.
            KeyboardInterrupt: a person did not want to wait; the call is charged if it may have been billed.
        """
        return run(lambda: self._ask(question, listener))

    async def _ask(self, question: Prompt, listener: Listener) -> Report:
        pool = KeyPool(self._engine, alerts=False, log_file=self._log_file)
        try:
            async with pool:
                return await pool.answer(question, listener)
        finally:  # a closed pool has settled everything
            self._crossed = pool.crossed

    def alert(self) -> Iterator[str]:
        """Yield what people must be told now, if the question crossed a line, and tell the channels.

        What kept channels from being told comes last. For after the answer, which it must not delay. Telling the
        channels takes a few seconds at most.
        """
        if not self._crossed:
            return
        from lollmsbot_keys.alerting import PROMPT_PATIENCE, AlertNotifier, to_say  # rarely needed

        alarm = AlertNotifier(self._engine, ends=False)
        try:
            seen = alarm.look()
            yield from to_say(seen)
            alarm.tell(seen, PROMPT_PATIENCE)
        except LbkError as error:
            yield str(error)
        yield from alarm.problems
