"""The things that all prompts of a pool use, and one prompt on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.request import Tried
from lollmsbot_keys.edges.providers import Wire
from lollmsbot_keys.edges.state.write_queue import StateQueue
from lollmsbot_keys.pool.prompt import Listener, Prompt
from lollmsbot_keys.pool.secret_loader import SecretLoader
from lollmsbot_keys.runtime import Engine

if TYPE_CHECKING:
    from lollmsbot_keys.pool.request_log import RequestLog


class Resources(NamedTuple):
    """The things that all prompts of one pool use."""

    engine: Engine
    queue: StateQueue
    wire: Wire
    opening: SecretLoader
    owner: Owner


class AskContext:
    """One prompt on its way: what claiming, sending, settling and waiting share.

    `log` is told of each decision, where there is one. `tried` are the candidates that failed, each left out as far as
    its failure reaches.
    """

    def __init__(self, resources: Resources, prompt: Prompt, listener: Listener, log: RequestLog | None) -> None:
        self.engine, self.queue, self.wire, self.opening, self.owner = resources
        self.prompt, self.listener, self.log = prompt, listener, log
        self.tried: list[Tried] = []


async def to_the_end(work: Coroutine[object, object, object]) -> None:
    """Finish `work` although this task is being cancelled.

    An error in it must not hide the reason for the cancelling.
    """
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
