"""`KeyPool`: one pool of keys for an event loop, with the failover, limits and budgets that `lbk` has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Self, Unpack

from lollmsbot_keys.core.classify import classifier
from lollmsbot_keys.core.day import Summary
from lollmsbot_keys.core.record import Reset
from lollmsbot_keys.core.report import Answer, Report, delivered
from lollmsbot_keys.core.request import Plan
from lollmsbot_keys.edges.providers import Wire
from lollmsbot_keys.edges.state.processes import this_process
from lollmsbot_keys.edges.state.queue import StateQueue
from lollmsbot_keys.engine import Engine
from lollmsbot_keys.pool.failover import Failover
from lollmsbot_keys.pool.question import Listener, Options, Question, question

__all__ = ["Answers", "KeyPool", "Listener", "Options", "Question", "question"]


class KeyPool:
    """A pool for one event loop: `async with KeyPool.open() as pool: answer = await pool.ask("…", pillar="soul")`.

    It shares limits, budgets and what it learns with every other process on the same state file. Any number of
    questions may be on their way at once.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._queue = StateQueue(engine.state)
        self._owner = this_process()
        self._wire = Wire(
            scrubber=engine.secrets.scrubber,
            proxy_for=engine.environment.proxy_for,
            classify=classifier(engine.config.cooldowns, engine.clock),
            trusted_hosts={name: settings.trusted_hosts for name, settings in engine.config.providers.items()},
        )

    @classmethod
    def open(cls, config: Path | None = None, state: Path | None = None) -> Self:
        """A pool on the files that `lbk` uses, or on others.

        Raises:
            ConfigError: the configuration cannot be used.
        """
        return cls(Engine.open(config, state))

    async def __aenter__(self) -> Self:
        await self._wire.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._wire.aclose()

    async def ask(self, prompt: str, **options: Unpack[Options]) -> Answer:
        """The whole answer to `prompt`.

        Raises:
            Refused: nothing may take it now, and nothing was sent; `error.report` says why, and when to try again.
            AllFailed: every attempt failed; `error.report.attempts` tells how.
            AnswerCut: the answer ended early; `error.report.text` is what came.
            UsageError, ConfigError, StateError, SecretError: something that a person must mend.
        """
        return delivered(await self.answer(question(prompt, options)))

    def stream(self, prompt: str, **options: Unpack[Options]) -> Answers:
        """The answer to `prompt` piece by piece: `async for piece in pool.stream("…")`. Raises as `ask` does."""
        return Answers(self, question(prompt, options))

    async def answer(self, asked: Question, listener: Listener | None = None) -> Report:
        """The report on one question: an answer, or why there is none. `listener` hears of it as it happens.

        Raises:
            UsageError, ConfigError, StateError, SecretError: something that a person must mend.
        """
        return await Failover(self.engine, self._queue, self._wire, self._owner, asked, listener or Listener()).run()

    def route(self, **options: Unpack[Options]) -> Plan:
        """The plan that a question with these options would follow now. Sends nothing, changes nothing."""
        return self.engine.plan(question("?", options).request)

    async def reset_limits(self, keys: Collection[str] | None = None) -> Reset:
        """Clear cooldowns and disabled marks of some keys, or of all. Returns what was cleared. Money stays.

        Raises:
            UsageError: there is no such key.
        """
        return await self._queue.update(self.engine.resetting(keys))

    async def daily_summary(self) -> Summary:
        """Today's calls, tokens and money by key and provider, and which keys are ready."""
        return await asyncio.to_thread(self.engine.summary)


class Answers(Listener):
    """A streamed answer: iterate over it; afterwards `answer` is the whole. Leaving early cancels the call."""

    def __init__(self, pool: KeyPool, asked: Question) -> None:
        self._pool, self._asked = pool, asked
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self.answer: Answer | None = None

    def text(self, piece: str) -> None:
        self._pieces.put_nowait(piece)

    async def __aiter__(self) -> AsyncIterator[str]:
        work = asyncio.create_task(self._pool.answer(self._asked, self))
        work.add_done_callback(lambda _: self._pieces.put_nowait(None))
        try:
            while (piece := await self._pieces.get()) is not None:
                yield piece
            self.answer = delivered(await work)
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
