"""The daemon on this machine, which may have been started since its models were last asked for."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from lollmsbot_keys.core.model.config import Privacy, Provider
from lollmsbot_keys.core.model.request import Plan, Rule
from lollmsbot_keys.core.routing.claim import Claim
from lollmsbot_keys.core.routing.resolve import LOCAL_NAME
from lollmsbot_keys.core.security.trusted_hosts import is_on_loopback
from lollmsbot_keys.pool.context import AskContext, to_the_end
from lollmsbot_keys.pool.settle import Settler

_PATIENCE = timedelta(seconds=2)
"""The longest wait: a daemon on this machine answers at once, or cannot help."""


class LocalDaemon:
    """The facts that one prompt learns of the daemon, which it asks once.

    `problem` says why the daemon is no help.
    """

    def __init__(self, context: AskContext, settling: Settler) -> None:
        self._context, self._settling = context, settling
        self._asked = False
        self.problem = ""

    async def list_models(self) -> bool:
        """Ask for the daemon's list, the first time only, keep it, and say whether it came."""
        context = self._context
        endpoints = context.engine.config.providers[Provider.LOCAL].endpoints
        if self._asked or not all(map(is_on_loopback, endpoints)):
            return False
        self._asked = True
        listed = await context.wire.list_models(Provider.LOCAL, endpoints, _PATIENCE)
        self.problem = listed.problem
        if listed.problem:
            return False
        await asyncio.to_thread(context.engine.keep_list, Provider.LOCAL, listed.names, chat=listed.chat)
        return True

    async def may_help(self, plan: Plan) -> bool:
        """Say, before the prompt is given up, whether the daemon has the model.

        At `critical` local is in the plan already, whatever it is known to have.
        """
        engine, request = self._context.engine, self._context.prompt.request
        if request.key not in (None, LOCAL_NAME):
            return False
        if plan.privacy is Privacy.CRITICAL or not await self.list_models():
            return False
        here = [one for one in engine.plan(request).candidates if one.provider is Provider.LOCAL]
        self.problem = "" if here else f"it does not have {plan.model or engine.config.routing.default_model}"
        return any(candidate.eligible for candidate in here)

    async def replaces(self, claimed: Claim) -> bool:
        """Say, before a stand-in answers, whether the daemon has the model itself.

        If it has, the claim is given back.
        """
        if claimed.candidate.rule is not Rule.STAND_IN or Provider.LOCAL in self._context.engine.facts().lists:
            return False
        helps = True
        try:
            helps = await self.may_help(claimed.plan)
        finally:
            if helps:  # true also after an interruption
                await to_the_end(self._settling.release(claimed.hold))
        return helps
