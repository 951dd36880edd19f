"""The claim of a plan's next candidate, with its bound held before anything is sent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from datetime import datetime

from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.routing.claim import Claim, Claimant, Claiming, Locked, Nothing, claim
from lollmsbot_keys.errors import SecretError
from lollmsbot_keys.pool.context import AskContext, to_the_end
from lollmsbot_keys.pool.refusal import untrusted
from lollmsbot_keys.pool.settle import Settler
from lollmsbot_keys.pool.wait_queue import WaitQueue


def new_id() -> str:
    """Return a name that no other hold has."""
    return os.urandom(8).hex()


class Claimer:
    """The claims of one prompt."""

    def __init__(self, context: AskContext, queueing: WaitQueue, settling: Settler) -> None:
        self._context, self._queueing, self._settling = context, queueing, settling
        self._doubted = set[str]()

    async def claim(self) -> Claim | Nothing:
        """Claim the next candidate, or return why none can be claimed.

        Raises:
            ConfigError: it would be a candidate whose host is not trusted.
        """
        while True:
            claiming = await self._try()
            match claiming:
                case Locked(key):
                    await self._open(key)
                case Nothing(plan) if plan.untrusted is not None:
                    if self._context.log is not None:
                        self._context.log.refused(plan)
                    raise untrusted(plan.untrusted)
                case _:
                    return claiming

    async def _try(self) -> Claiming:
        context = self._context
        facts = context.engine.facts()
        self._tell_doubts()
        opened = {name for name, fingerprint in facts.secrets.items() if fingerprint}
        claimant = Claimant(context.owner, new_id(), opened, self._queueing.ticket)

        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, Claiming]:
            request, config = context.prompt.request, context.engine.config
            return claim(request, config, snapshot, facts, now, context.tried, claimant)

        claiming = context.queue.update(change)
        try:
            answer = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            await to_the_end(self._give_back(claiming))
            raise
        if isinstance(answer, Claim):
            self._queueing.ticket = None
        return answer

    def _tell_doubts(self) -> None:
        """Tell each doubt about a secret once, before any secret is sent."""
        for name, doubt in self._context.engine.doubts().items():
            if name not in self._doubted:
                self._doubted.add(name)
                self._context.listener.notice(doubt)

    async def _give_back(self, claiming: Awaitable[Claiming]) -> None:
        """Release a hold that may be on the disk already: nothing was sent."""
        if isinstance(claimed := await claiming, Claim):
            await self._settling.release(claimed.hold)

    async def _open(self, key: str) -> None:
        try:
            await self._context.opening.open(key)
        except SecretError as error:
            self._context.listener.notice(str(error))
