"""The refusal of a misspelt model before any call.

Where a name is like a known one, the live lists are asked first.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.request import Request
from lollmsbot_keys.core.routing.resolve import LOCAL_NAME, understand
from lollmsbot_keys.core.routing.spelling import slip_of, unknown_model
from lollmsbot_keys.core.security.trusted_hosts import is_on_loopback
from lollmsbot_keys.edges.providers import Wire
from lollmsbot_keys.errors import UsageError
from lollmsbot_keys.runtime import Engine

_PATIENCE = timedelta(seconds=5)


async def refuse_slips(engine: Engine, wire: Wire, request: Request) -> None:
    """Refuse the model that `request` names if it is like another one and in no list of this moment.

    A provider that does not give its list might have the model: then it is asked for it.

    Raises:
        UsageError: nobody has it, or it is a secret.
    """
    if request.model is None:
        return
    lists = engine.facts().lists
    engine.refuse_own_secret(request)
    if slip_of(request.model, engine.config, lists) is None:
        return
    sellers, told = _sellers(engine, request), set[Provider]()
    if not sellers:  # this machine's daemon says itself what it has, at no cost
        return
    for provider in (*sellers, Provider.LOCAL):
        endpoints = engine.config.providers[provider].endpoints
        if provider is Provider.LOCAL and not all(map(is_on_loopback, endpoints)):
            continue
        found = await wire.list_models(provider, endpoints, _PATIENCE)
        if not found.problem:
            told.add(provider)
            await asyncio.to_thread(engine.keep_list, provider, found.names, found.prices, found.chat)
    facts = engine.facts()
    silent = {key.provider for key in engine.config.keys if key.name in facts.secrets} - told
    near = slip_of(request.model, engine.config, facts.lists)
    if near is not None and silent.isdisjoint(sellers):
        raise UsageError(unknown_model(request.model, near))


def _sellers(engine: Engine, request: Request) -> list[Provider]:
    """Return the providers that could have such a model for this request, without this machine."""
    resolved, model = understand(request, engine.config), request.model or ""
    key = engine.config.key(request.key) if request.key else None
    home = Provider.OPENROUTER if "/" in model else Provider.OLLAMA
    asked = [key.provider] if key is not None else [] if request.key == LOCAL_NAME else [home]
    return [provider for provider in asked if resolved.privacy.permits(provider)]
