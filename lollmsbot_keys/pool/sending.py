"""One attempt: sent once, read, and settled whatever becomes of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import monotonic

from lollmsbot_keys.core.failures.error_body import Words
from lollmsbot_keys.core.model.config import Privacy
from lollmsbot_keys.core.model.outcome import Billing, Failure, Outcome, OutcomeKind
from lollmsbot_keys.core.model.request import Reach
from lollmsbot_keys.core.money.charges import Charge
from lollmsbot_keys.core.routing.claim import Claim
from lollmsbot_keys.core.state.settlement import Finished, discreet
from lollmsbot_keys.edges.providers import Call
from lollmsbot_keys.errors import ConfigError, SecretError
from lollmsbot_keys.pool.context import AskContext, to_the_end
from lollmsbot_keys.pool.settle import Settler

_QUICKLY_READ = 100_000
"""The most characters searched in the event loop; more are searched in a thread, so that nothing else waits."""
_INTERRUPTED = Failure(OutcomeKind.INTERRUPTED, Reach.REQUEST, final=True, billing=Billing.POSSIBLY)


class Sender:
    """The attempts of one prompt.

    `text` is what came of the last one.
    """

    def __init__(self, context: AskContext, settling: Settler) -> None:
        self._context, self._settling = context, settling
        self._words = Words(message.content for message in context.prompt.messages)
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    async def send(self, claimed: Claim) -> tuple[Outcome, Charge]:
        """Send once, and settle.

        Raises:
            ConfigError, SecretError: raised before a byte was sent; the hold is given back.
        """
        context, candidate, sent_at = self._context, claimed.candidate, monotonic()
        self._pieces = []
        context.listener.asking(f"{candidate.label} × {candidate.model}")
        try:
            outcome = await context.wire.send(self._call(claimed), self._hear)
        except (ConfigError, SecretError):  # raised before a byte leaves: there is nothing to book
            await to_the_end(self._settling.release(claimed.hold))
            raise
        except BaseException:
            # Interrupted, or a bug, or the reader went away: it may have been billed.
            outcome = Outcome(OutcomeKind.INTERRUPTED, failure=_INTERRUPTED, started=bool(self._pieces))
            await to_the_end(self._settle(claimed, outcome, monotonic() - sent_at))
            raise
        return outcome, await self._settle(claimed, outcome, monotonic() - sent_at)

    def _hear(self, piece: str) -> None:
        self._pieces.append(piece)
        if self._context.listener.live:
            self._context.listener.text(piece)

    def _call(self, claimed: Claim) -> Call:
        candidate, prompt = claimed.candidate, self._context.prompt
        return Call(
            provider=candidate.provider,
            model=candidate.model,
            endpoints=candidate.endpoints,
            secret=self._context.engine.secrets.open(candidate.key) if candidate.key else None,
            messages=prompt.messages,
            max_output_tokens=claimed.plan.max_output_tokens,
            temperature=prompt.temperature,
            privacy=claimed.plan.privacy,
            free=candidate.free,
            price=candidate.most,
            stream=prompt.stream,
            timeout=prompt.timeout,
            prove_local=claimed.plan.privacy is Privacy.CRITICAL,
        )

    async def _settle(self, claimed: Claim, outcome: Outcome, seconds: float) -> Charge:
        latency, failover = timedelta(seconds=seconds), bool(self._context.tried)
        outcome = await self._without_quotations(outcome)
        finished = Finished(claimed.candidate, claimed.hold, outcome, latency, failover=failover)
        return await self._settling.settle(claimed, finished)

    async def _without_quotations(self, outcome: Outcome) -> Outcome:
        if outcome.failure is None:
            return outcome
        answer = self.text
        if self._words.size + len(answer) <= _QUICKLY_READ:
            return discreet(outcome, self._words, answer)
        return await asyncio.to_thread(discreet, outcome, self._words, answer)
