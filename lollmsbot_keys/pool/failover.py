"""The way of one prompt, from the first claim to the report: the only loop that fails over.

Each turn claims a candidate under the lock, sends once, and settles. The loop stops at an answer, at the first piece of
text that somebody saw, at a failure that no other key would mend, or when nothing is left.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic

from lollmsbot_keys.core.model.outcome import Answer, NoAnswer, NoAnswerCode, Outcome, OutcomeKind, Report, Usage
from lollmsbot_keys.core.model.request import Plan, Rule, Tried
from lollmsbot_keys.core.money.charges import Charge
from lollmsbot_keys.core.money.ledger import milliseconds
from lollmsbot_keys.core.routing.claim import Claim, Nothing
from lollmsbot_keys.core.routing.resolve import understand
from lollmsbot_keys.pool.claiming import Claimer
from lollmsbot_keys.pool.context import AskContext
from lollmsbot_keys.pool.local_daemon import LocalDaemon
from lollmsbot_keys.pool.refusal import broken_off, exhausted, words
from lollmsbot_keys.pool.sending import Sender
from lollmsbot_keys.pool.settle import Settler
from lollmsbot_keys.pool.spelling import refuse_slips
from lollmsbot_keys.pool.unauthorized import confirm
from lollmsbot_keys.pool.wait_queue import Wait, WaitQueue


class Failover:
    """One prompt on its way."""

    def __init__(self, context: AskContext) -> None:
        self._context = context
        self.settling = Settler(context)
        self._queueing = WaitQueue(context)
        self._claimer = Claimer(context, self._queueing, self.settling)
        self._sender = Sender(context, self.settling)
        self._daemon = LocalDaemon(context, self.settling)
        self._broken = ""
        """The text of the last answer that broke off and that nobody saw."""

    async def run(self) -> Report:
        """Follow the plan to its end, and return the report.

        Raises:
            UsageError, ConfigError, StateError, SecretError: see `errors`. What the providers do is in the report.
        """
        began, engine, request = monotonic(), self._context.engine, self._context.prompt.request
        await refuse_slips(engine, self._context.wire, request)
        if understand(request, engine.config).wants_own_model:
            await self._daemon.list_models()
        try:
            while True:
                claiming = await self._claimer.claim()
                if isinstance(claiming, Claim):
                    report = None if await self._daemon.replaces(claiming) else await self._attempt(claiming, began)
                elif await self._daemon.may_help(claiming.plan):
                    continue
                else:
                    report = await self._wait(claiming)
                if report is not None:
                    return report
        finally:
            await self._queueing.leave()

    async def _wait(self, nothing: Nothing) -> Report | None:
        match await self._queueing.wait(nothing):
            case Wait.NO_USE:
                return self._exhausted(nothing.plan)
            case Wait.CAME_FREE:
                self._context.tried.clear()
            case Wait.NOT_YET:
                pass
        return None

    async def _attempt(self, claimed: Claim, began: float) -> Report | None:
        """Send once, and return the report if that was the end."""
        context, candidate = self._context, claimed.candidate
        for notice in claimed.notices:
            context.listener.notice(notice)
        outcome, charge = await self._sender.send(claimed)
        failure, failover = outcome.failure, context.prompt.failover
        if failure is None:
            return self._answered(claimed, outcome, charge, monotonic() - began)
        if outcome.started and (context.listener.live or not failover):
            return self._failed("cut", f"{broken_off(failure)}. It is not asked again.")
        if failure.final:
            return self._failed("failed", f"{candidate.label} would not take the request: {words(failure)}")
        if failure.kind is OutcomeKind.UNAUTHORIZED:
            await confirm(context, candidate, self.settling)
        if not failover and failure.kind is not OutcomeKind.UNPROVEN:  # then nothing was sent
            return self._failed("failed", f"{candidate.label}: {words(failure)}. No failover was asked for.")
        context.tried.append(Tried(candidate, failure.reach))
        self._broken = self._sender.text or self._broken
        return None

    def _answered(self, claimed: Claim, outcome: Outcome, charge: Charge, seconds: float) -> Answer:
        candidate, plan = claimed.candidate, claimed.plan
        return Answer(
            text=self._sender.text,
            key=candidate.key,
            provider=candidate.provider,
            model=candidate.model,
            pillar=plan.pillar,
            role=plan.role,
            finish_reason=outcome.finish_reason,
            usage=outcome.usage or Usage(),
            cost_usd=charge.cost_usd,
            cost_source=charge.source,
            charged_usd=charge.amount_usd,
            latency_ms=milliseconds(timedelta(seconds=seconds)),
            attempts=tuple(self.settling.attempts),
            request_id=self._request_id,
            instead_of=plan.model if candidate.rule in {Rule.SUCCESSOR, Rule.STAND_IN} else None,
        )

    def _exhausted(self, plan: Plan) -> NoAnswer:
        # Perhaps nothing can answer any more, which is an alert.
        self.settling.crossed |= bool(self._context.engine.config.alerts.urls)
        code, message = exhausted(plan, self.settling.attempts, self._daemon.problem)
        if code == "refused" and self._context.log is not None:
            self._context.log.refused(plan)
        return self._failed("cut" if self._broken else code, message, plan.retry_at)

    def _failed(self, code: NoAnswerCode, message: str, retry_at: datetime | None = None) -> NoAnswer:
        text = self._sender.text or self._broken
        return NoAnswer(code, message, retry_at, tuple(self.settling.attempts), text, self._request_id)

    @property
    def _request_id(self) -> str | None:
        return None if self._context.log is None else self._context.log.request
