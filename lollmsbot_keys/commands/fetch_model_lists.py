"""The providers' model lists, fetched and kept for routing and prices."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.edges.providers import Wire
from lollmsbot_keys.edges.providers.call import ModelList
from lollmsbot_keys.runtime import Engine

_LOCAL_PATIENCE = timedelta(seconds=2)
"""The longest wait: a daemon on this machine answers at once, or cannot help."""


async def fetch_list(engine: Engine, wire: Wire, provider: Provider, limit: timedelta) -> ModelList:
    """Fetch what `provider` offers now, within `limit`; or why that is not known.

    Raises:
        ConfigError: see `Wire.list_models`.
    """
    limit = min(_LOCAL_PATIENCE, limit) if provider is Provider.LOCAL else limit
    try:
        async with asyncio.timeout(limit.total_seconds()):
            return await wire.list_models(provider, engine.config.providers[provider].endpoints, limit)
    except TimeoutError:
        return ModelList(frozenset(), f"no list within {limit.total_seconds():g} seconds")


def keep(engine: Engine, provider: Provider, found: ModelList) -> None:
    """Remember a list that came."""
    if not found.problem:
        engine.keep_list(provider, found.names, found.prices, found.chat)
