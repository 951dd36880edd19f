"""One question, from the first claim to the report: the only loop that fails over.

Each turn claims a candidate under the lock, sends once, settles, and stops at an answer, at the first piece of text
that somebody saw, at a failure that no other key would mend, or when nothing is left.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.failures.error_body import Words
from lollmsbot_keys.core.model.config import Privacy, Provider
from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.outcome import (
    Answer,
    Billing,
    Failure,
    NoAnswer,
    NoAnswerCode,
    Outcome,
    OutcomeKind,
    Report,
    Usage,
)
from lollmsbot_keys.core.model.request import Candidate, Plan, Reach, Rule, Tried
from lollmsbot_keys.core.model.snapshot import Snapshot, same_secret
from lollmsbot_keys.core.money.charges import Charge
from lollmsbot_keys.core.money.ledger import milliseconds
from lollmsbot_keys.core.routing.claim import Claim, Claimant, Claiming, Locked, Nothing, claim
from lollmsbot_keys.core.routing.resolve import LOCAL_NAME, understand
from lollmsbot_keys.core.security.trusted_hosts import is_on_loopback
from lollmsbot_keys.core.state.settlement import Finished, discreet
from lollmsbot_keys.edges.providers import Call, KeyVerdict, Wire
from lollmsbot_keys.edges.state.write_queue import StateQueue
from lollmsbot_keys.errors import ConfigError, SecretError
from lollmsbot_keys.pool.prompt import Listener, Prompt
from lollmsbot_keys.pool.refusal import broken_off, exhausted, untrusted, words
from lollmsbot_keys.pool.secret_loader import Opening
from lollmsbot_keys.pool.settle import Settling
from lollmsbot_keys.pool.spelling import refuse_slips
from lollmsbot_keys.pool.unauthorized import after_unauthorized
from lollmsbot_keys.pool.wait_queue import Queueing, Wait
from lollmsbot_keys.runtime import Engine

if TYPE_CHECKING:
    from lollmsbot_keys.pool.request_log import RequestLog

_LOCAL_PATIENCE = timedelta(seconds=2)
"""A daemon on this machine answers at once, or is in no state to help."""
_QUICKLY_READ = 100_000
"""Characters. More are looked through beside the event loop: what else is under way must not wait for it."""
_INTERRUPTED = Failure(OutcomeKind.INTERRUPTED, Reach.REQUEST, final=True, billing=Billing.POSSIBLY)


def new_id() -> str:
    """A name that no other hold has."""
    return os.urandom(8).hex()


class Resources(NamedTuple):
    """What all questions of one pool use."""

    engine: Engine
    queue: StateQueue
    wire: Wire
    opening: Opening
    owner: Owner


class Failover:
    """One question on its way. What is decided is told to `journal`, where there is one."""

    def __init__(self, means: Resources, question: Prompt, listener: Listener, journal: RequestLog | None) -> None:
        self._engine, self._queue, self._wire, self._opening, self._owner = means
        self._question, self._listener, self._journal = question, listener, journal
        self.settling = Settling(self._engine, self._queue, listener, journal)
        self._tried: list[Tried] = []
        self._prompt = Words(message.content for message in question.messages)
        self._text: list[str] = []
        self._doubted = set[str]()
        self._broken = ""
        """What came of the last answer that broke off and that nobody saw."""
        self._asked_local, self._local = False, ""
        self._queueing = Queueing(self._engine, self._queue, self._owner, question, listener)

    async def run(self) -> Report:
        """Follow the plan to its end.

        Raises:
            UsageError, ConfigError, StateError, SecretError: see there. What the providers do is in the report.
        """
        began = monotonic()
        await refuse_slips(self._engine, self._wire, self._question.request)
        if understand(self._question.request, self._engine.config).wants_own_model:
            await self._list_local()
        try:
            while True:
                claiming = await self._claim()
                if isinstance(claiming, Claim):
                    report = None if await self._rather_local(claiming) else await self._attempt(claiming, began)
                elif await self._local_may_help(claiming.plan):
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
                self._tried.clear()
            case Wait.NOT_YET:
                pass
        return None

    async def _rather_local(self, claimed: Claim) -> bool:
        """Before a stand-in answers, look whether this machine has the model itself. Then the claim is given back."""
        if claimed.candidate.rule is not Rule.STAND_IN or Provider.LOCAL in self._engine.facts().lists:
            return False
        helps = True
        try:
            helps = await self._local_may_help(claimed.plan)
        finally:
            if helps:  # or was interrupted
                await _to_the_end(self.settling.release(claimed.hold))
        return helps

    async def _local_may_help(self, plan: Plan) -> bool:
        """Before giving up, look once whether a daemon on this machine has the model: it may have been started since.

        At `critical` local is in the plan already, whatever it is known to have.
        """
        if self._question.request.key not in (None, LOCAL_NAME):
            return False
        if plan.privacy is Privacy.CRITICAL or not await self._list_local():
            return False
        candidates = self._engine.plan(self._question.request).candidates
        here = [candidate for candidate in candidates if candidate.provider is Provider.LOCAL]
        self._local = "" if here else f"it does not have {plan.model or self._engine.config.routing.default_model}"
        return any(candidate.eligible for candidate in here)

    async def _list_local(self) -> bool:
        """Whether the daemon's list came, for the first time in this question. It is kept."""
        endpoints = self._engine.config.providers[Provider.LOCAL].endpoints
        if self._asked_local or not all(map(is_on_loopback, endpoints)):
            return False
        self._asked_local = True
        listed = await self._wire.list_models(Provider.LOCAL, endpoints, _LOCAL_PATIENCE)
        self._local = listed.problem
        if listed.problem:
            return False
        await asyncio.to_thread(self._engine.keep_list, Provider.LOCAL, listed.names, chat=listed.chat)
        return True

    # --- claim ---

    async def _claim(self) -> Claim | Nothing:
        """The next candidate with its bound held, or what stands in the way."""
        while True:
            claiming = await self._try_claim()
            match claiming:
                case Locked(key):
                    await self._open(key)
                case Nothing(plan) if plan.untrusted is not None:
                    if self._journal is not None:
                        self._journal.refused(plan)
                    raise untrusted(plan.untrusted)
                case _:
                    return claiming

    async def _try_claim(self) -> Claiming:
        engine, question = self._engine, self._question
        facts = engine.facts()
        self._tell_doubts()
        opened = {name for name, fingerprint in facts.secrets.items() if fingerprint}
        claimant = Claimant(self._owner, new_id(), opened, self._queueing.ticket)

        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, Claiming]:
            return claim(question.request, engine.config, snapshot, facts, now, self._tried, claimant)

        claiming = self._queue.update(change)
        try:
            answer = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            await _to_the_end(self._give_back(claiming))
            raise
        if isinstance(answer, Claim):
            self._queueing.ticket = None
        return answer

    def _tell_doubts(self) -> None:
        """Say once what is odd about a secret, before one is sent."""
        for name, doubt in self._engine.doubts().items():
            if name not in self._doubted:
                self._doubted.add(name)
                self._listener.notice(doubt)

    async def _give_back(self, claiming: Awaitable[Claiming]) -> None:
        """The hold may be on the disk already. Nothing was sent, so it goes again."""
        if isinstance(claimed := await claiming, Claim):
            await self.settling.release(claimed.hold)

    async def _open(self, key: str) -> None:
        try:
            await self._opening.open(key)
        except SecretError as error:
            self._listener.notice(str(error))

    # --- send ---

    async def _attempt(self, claimed: Claim, began: float) -> Report | None:
        """Send once, settle, and say whether that was the end."""
        for notice in claimed.notices:
            self._listener.notice(notice)
        candidate, sent_at = claimed.candidate, monotonic()
        self._listener.asking(f"{candidate.label} × {candidate.model}")
        try:
            outcome = await self._wire.send(self._call(claimed), self._hear)
        except (ConfigError, SecretError):  # raised before a byte leaves: there is nothing to book
            await _to_the_end(self.settling.release(claimed.hold))
            raise
        except BaseException:
            # Interrupted, or a bug, or the reader went away: it may have been billed.
            outcome = Outcome(OutcomeKind.INTERRUPTED, failure=_INTERRUPTED, started=bool(self._text))
            await _to_the_end(self._settle(claimed, outcome, monotonic() - sent_at))
            raise
        charge = await self._settle(claimed, outcome, monotonic() - sent_at)
        failure = outcome.failure
        if failure is None:
            return self._answered(claimed, outcome, charge, monotonic() - began)
        if outcome.started and (self._listener.live or not self._question.failover):
            return self._failed("cut", f"{broken_off(failure)}. It is not asked again.")
        if failure.final:
            return self._failed("failed", f"{candidate.label} would not take the request: {words(failure)}")
        if failure.kind is OutcomeKind.UNAUTHORIZED:
            await self._confirm(candidate)
        if not self._question.failover and failure.kind is not OutcomeKind.UNPROVEN:  # then nothing was sent
            return self._failed("failed", f"{candidate.label}: {words(failure)}. No failover was asked for.")
        self._tried.append(Tried(candidate, failure.reach))
        self._broken, self._text = "".join(self._text) or self._broken, []
        return None

    def _hear(self, piece: str) -> None:
        self._text.append(piece)
        if self._listener.live:
            self._listener.text(piece)

    def _call(self, claimed: Claim) -> Call:
        candidate, question = claimed.candidate, self._question
        return Call(
            provider=candidate.provider,
            model=candidate.model,
            endpoints=candidate.endpoints,
            secret=self._engine.secrets.open(candidate.key) if candidate.key else None,
            messages=question.messages,
            max_output_tokens=claimed.plan.max_output_tokens,
            temperature=question.temperature,
            privacy=claimed.plan.privacy,
            free=candidate.free,
            price=candidate.most,
            stream=question.stream,
            timeout=question.timeout,
            prove_local=claimed.plan.privacy is Privacy.CRITICAL,
        )

    # --- settle ---

    async def _settle(self, claimed: Claim, outcome: Outcome, seconds: float) -> Charge:
        latency, failover = timedelta(seconds=seconds), bool(self._tried)
        finished = Finished(
            claimed.candidate, claimed.hold, await self._without_quotations(outcome), latency, failover=failover
        )
        return await self.settling.settle(claimed, finished)

    async def _without_quotations(self, outcome: Outcome) -> Outcome:
        if outcome.failure is None:
            return outcome
        answer = "".join(self._text)
        if self._prompt.size + len(answer) <= _QUICKLY_READ:
            return discreet(outcome, self._prompt, answer)
        return await asyncio.to_thread(discreet, outcome, self._prompt, answer)

    async def _confirm(self, candidate: Candidate) -> None:
        if candidate.key is None:
            return
        engine = self._engine
        secret = engine.secrets.open(candidate.key)
        if not same_secret(secret.fingerprint, candidate.fingerprint):  # replaced meanwhile: no news of the new one
            return
        check = await self._wire.check_key(candidate.provider, candidate.endpoints, secret)
        unavailable = engine.config.cooldowns.unavailable
        await self.settling.record(*after_unauthorized(candidate, candidate.key, check, engine.clock(), unavailable))
        if check.verdict is KeyVerdict.INVALID:
            self.settling.crossed = True
            engine.secrets.forget(candidate.key)  # its source may have a new one by now
            self._listener.notice(
                f"{candidate.key} was refused by {candidate.provider} and is disabled. "
                f"Replace its secret, or try it again with: lbk reset-limits {candidate.key}"
            )

    # --- report ---

    def _answered(self, claimed: Claim, outcome: Outcome, charge: Charge, seconds: float) -> Answer:
        return Answer(
            text="".join(self._text),
            key=claimed.candidate.key,
            provider=claimed.candidate.provider,
            model=claimed.candidate.model,
            pillar=claimed.plan.pillar,
            role=claimed.plan.role,
            finish_reason=outcome.finish_reason,
            usage=outcome.usage or Usage(),
            cost_usd=charge.cost_usd,
            cost_source=charge.source,
            charged_usd=charge.amount_usd,
            latency_ms=milliseconds(timedelta(seconds=seconds)),
            attempts=tuple(self.settling.attempts),
            request_id=self._request_id,
            instead_of=claimed.plan.model if claimed.candidate.rule in {Rule.SUCCESSOR, Rule.STAND_IN} else None,
        )

    def _failed(self, code: NoAnswerCode, message: str, retry_at: datetime | None = None) -> NoAnswer:
        text = "".join(self._text) or self._broken
        return NoAnswer(code, message, retry_at, tuple(self.settling.attempts), text, self._request_id)

    @property
    def _request_id(self) -> str | None:
        return None if self._journal is None else self._journal.request

    def _exhausted(self, plan: Plan) -> NoAnswer:
        self.settling.crossed |= bool(self._engine.config.alerts.urls)  # perhaps nothing can answer any more
        code, message = exhausted(plan, self.settling.attempts, self._local)
        if code == "refused" and self._journal is not None:
            self._journal.refused(plan)
        return self._failed("cut" if self._broken else code, message, plan.retry_at)


async def _to_the_end(work: Coroutine[object, object, object]) -> None:
    """Finish `work` although this task is being cancelled. What goes wrong in it must not hide why it is."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
