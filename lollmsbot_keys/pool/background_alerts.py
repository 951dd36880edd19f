"""The look at the alerts after a call crossed a line, while the answer is already out."""

from __future__ import annotations

import asyncio

from lollmsbot_keys.errors import LbkError
from lollmsbot_keys.pool.prompt import Listener
from lollmsbot_keys.runtime import Engine


class BackgroundAlerts:
    """The looks in the background.

    No answer waits for them, and closing the pool waits for as long as sending may take.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._looking: set[asyncio.Task[None]] = set()

    def crossed(self, listener: Listener) -> None:
        """Tell `listener`, and the channels if there are any, because a call crossed a line."""
        task = asyncio.create_task(self._look(listener))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def finish(self) -> None:
        """Wait until everybody is told."""
        while self._looking:
            await asyncio.wait(set(self._looking))

    async def _look(self, listener: Listener) -> None:
        from lollmsbot_keys.alerting import PROMPT_PATIENCE, AlertNotifier, to_say  # rarely needed

        alarm = AlertNotifier(self._engine, ends=False)
        facts = self._engine.facts()  # not in the thread: secrets are read by one thread only
        try:
            seen = await asyncio.to_thread(alarm.look, facts)
            for message in to_say(seen):
                listener.notice(message)
            await asyncio.to_thread(alarm.tell, seen, PROMPT_PATIENCE)
        except LbkError as error:
            alarm.problems.append(str(error))
        for problem in alarm.problems:
            listener.notice(problem)
