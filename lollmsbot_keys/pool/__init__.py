"""`KeyPool`: one pool of keys for an event loop, with the failover, limits and budgets that `lbk` has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

from lollmsbot_keys.core.failures.table import classifier
from lollmsbot_keys.core.model.outcome import Answer, Report, delivered
from lollmsbot_keys.core.model.request import Plan
from lollmsbot_keys.core.model.summary import Summary
from lollmsbot_keys.core.state.events import Reset
from lollmsbot_keys.edges.environment.processes import this_process
from lollmsbot_keys.edges.providers import Wire
from lollmsbot_keys.edges.state.write_queue import StateQueue
from lollmsbot_keys.errors import UsageError
from lollmsbot_keys.pool.background_alerts import BackgroundAlerts
from lollmsbot_keys.pool.context import AskContext, Resources
from lollmsbot_keys.pool.failover import Failover
from lollmsbot_keys.pool.prompt import Listener, Options, Prompt, question
from lollmsbot_keys.pool.secret_loader import SecretLoader
from lollmsbot_keys.pool.settle import Settler
from lollmsbot_keys.runtime import Engine

if TYPE_CHECKING:
    from lollmsbot_keys.edges.log.writer import EventLog

__all__ = ["Answers", "KeyPool", "Listener", "Options", "Prompt", "question"]


class KeyPool:
    """A pool for one event loop: `async with KeyPool.open() as pool: answer = await pool.ask("…", pillar="soul")`.

    It shares limits, budgets and what it learns with every other process on the same state file. Any number of
    questions may be on their way at once. What an answer did cost is in the file a few milliseconds after it at the
    latest, and when the pool is closed; until then the hold of its call stands for it.

    When a call crosses a line (a share of a budget, unusual use, a refused key), its listener gets a notice, and
    `alerts.urls` are told where there are some: in the background, after the answer. `alerts=False` leaves all of that
    to the code that made the pool.

    Leaving the block waits for all that was begun; a stream that nobody reads any more is ended first, and charged.
    From then on the pool takes no question.

    `log_file` gets one line of JSON for each attempt and each refusal; by default that goes where `LBK_LOG_FILE` or
    `log.file` says, or nowhere.
    """

    def __init__(self, engine: Engine, *, alerts: bool = True, log_file: Path | None = None) -> None:
        self.engine = engine
        self._log = _log_at(engine.log_path(log_file))
        self.crossed = False
        """Whether a call of this pool crossed a line of `alerts`."""
        self._lookout = BackgroundAlerts(engine) if alerts else None
        self._queue = StateQueue(engine.state)
        self._wire = Wire(
            scrubber=engine.secrets.scrubber,
            proxy_for=engine.environment.proxy_for,
            classify=classifier(engine.config.cooldowns, engine.clock),
            trusted_hosts={name: settings.trusted_hosts for name, settings in engine.config.providers.items()},
        )
        self._resources = Resources(engine, self._queue, self._wire, SecretLoader(engine.secrets), this_process())
        self._begun: set[asyncio.Future[Report]] = set()
        self._streams: dict[asyncio.Task[Report], asyncio.Task[object] | None] = {}  # each with the task that reads it
        self._closed = False

    @classmethod
    def open(cls, config: Path | None = None, state: Path | None = None, log_file: Path | None = None) -> Self:
        """Open a pool on the files that `lbk` uses, or on others.

        Raises:
            ConfigError: the configuration cannot be used.
        """
        return cls(Engine.open(config, state), log_file=log_file)

    async def __aenter__(self) -> Self:
        await self._wire.__aenter__()
        self._closed = False
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            await self._all_over()
            await self._queue.written()
            if self._lookout is not None:
                await self._lookout.finish()
        finally:
            await self._wire.aclose()

    async def _all_over(self) -> None:
        """End the streams that were left, and wait for all that was begun."""
        await asyncio.sleep(0)  # lets new tasks begin
        here = asyncio.current_task()
        for stream, reader in self._streams.items():
            if reader is None or reader is here or reader.done():
                stream.cancel()
        while begun := self._begun | self._streams.keys():
            await asyncio.wait(begun)
        self._closed = True  # nobody would wait until the cost of a later call is written

    async def ask(self, prompt: str, **options: Unpack[Options]) -> Answer:
        """Ask `prompt`, and return the whole answer.

        Raises:
            Refused: nothing may take it now, and nothing was sent; `error.report` says why, and when to try again.
            AllFailed: every attempt failed; `error.report.attempts` tells how.
            AnswerCut: the answer ended early; `error.report.text` is what came.
            UsageError, ConfigError, StateError, SecretError: something that a person must mend.
        """
        return delivered(await self.answer(question(prompt, options)))

    def stream(self, prompt: str, **options: Unpack[Options]) -> Answers:
        """Ask `prompt`, and return the answer piece by piece: `async for piece in pool.stream("…")`.

        Raises as `ask` does.
        """
        return Answers(self._begin, question(prompt, options))

    def _begin(self, asked: Prompt, listener: Listener) -> asyncio.Task[Report]:
        stream = asyncio.create_task(self.answer(asked, listener))
        self._streams[stream] = asyncio.current_task()
        stream.add_done_callback(self._streams.pop)
        return stream

    async def answer(self, asked: Prompt, listener: Listener | None = None) -> Report:
        """Ask one question, and return the report: an answer, or why there is none.

        `listener` hears of it as it happens.

        Raises:
            UsageError, ConfigError, StateError, SecretError: something that a person must mend.
        """
        if self._closed:
            raise UsageError("The pool is closed: ask within its block.")
        listener = listener or Unheard()
        log = None
        if self._log is not None:
            from lollmsbot_keys.pool.request_log import RequestLog

            log = RequestLog(self._log, self.engine, listener)
        asking = Failover(AskContext(self._resources, asked, listener, log))
        over: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._begun.add(over)
        try:
            return await asking.run()
        finally:
            self._begun.remove(over)
            over.cancel()
            asking.settling.when_settled(lambda: self._look_out(asking.settling, listener))

    def _look_out(self, settling: Settler, listener: Listener) -> None:
        if settling.crossed:
            self.crossed = True
            if self._lookout is not None:
                self._lookout.crossed(listener)

    def route(self, **options: Unpack[Options]) -> Plan:
        """Return the plan that a question with these options would follow now.

        Sends nothing, changes nothing.
        """
        return self.engine.plan(question("?", options).request)

    async def reset_limits(self, keys: Collection[str] | None = None) -> Reset:
        """Clear cooldowns and disabled marks of some keys, or of all, and return what was cleared.

        Money stays.

        Raises:
            UsageError: there is no such key.
        """
        return await self._queue.update(self.engine.resetting(keys))

    async def daily_summary(self) -> Summary:
        """Return today's calls, tokens and money by key and provider, and which keys are ready."""
        await self._queue.written()
        return await asyncio.to_thread(self.engine.summary)


def _log_at(path: Path | None) -> EventLog | None:
    if path is None:
        return None
    from lollmsbot_keys.edges.log.writer import EventLog  # most people keep none

    return EventLog(path)


class Unheard(Listener):
    """A listener for a question to which nobody listens."""

    live = False


class Answers(Listener):
    """A streamed answer: iterate over it; afterwards `answer` is the whole.

    Leaving early cancels the call.
    """

    def __init__(self, begin: Callable[[Prompt, Listener], asyncio.Task[Report]], asked: Prompt) -> None:
        self._begin, self._asked = begin, asked
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self.answer: Answer | None = None

    def text(self, piece: str) -> None:
        self._pieces.put_nowait(piece)

    async def __aiter__(self) -> AsyncIterator[str]:
        work = self._begin(self._asked, self)
        work.add_done_callback(lambda _: self._pieces.put_nowait(None))
        try:
            while (piece := await self._pieces.get()) is not None:
                yield piece
            if work.cancelled():
                raise UsageError("The pool was closed before the answer was over. Read it to its end within the block.")
            self.answer = delivered(await work)
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
