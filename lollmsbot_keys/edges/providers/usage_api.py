"""The providers' own ledgers: the costs that they report for a key, an account or one call.

Asking is free.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.edges.providers.call import KeyCheck
from lollmsbot_keys.edges.providers.json_api import Asker
from lollmsbot_keys.edges.providers.key_check import Free, ask_with_secret, check_key
from lollmsbot_keys.edges.secrets.secret import Secret


class Ledger:
    """The ledger that a provider shows to one secret.

    `core.costs.provider_usage` reads the replies. Every method raises SecretError and ConfigError as `Wire.send` does.
    """

    def __init__(
        self, asker: Asker, provider: Provider, endpoints: tuple[str, ...], secret: Secret, silence: timedelta
    ) -> None:
        self._asker, self._provider, self._endpoints = asker, provider, endpoints
        self._secret, self._silence = secret, silence

    async def booked(self, range_: str) -> KeyCheck:
        """Ask for the sums.

        OpenRouter tells all of them with the key; for Ollama, `range_` is one of 24h, 7d and 30d. Ollama allows ten
        such questions a minute to all keys and devices of a user, its balance among them.
        """
        if self._provider is Provider.OPENROUTER:
            return await check_key(self._asker, self._provider, self._endpoints, self._secret, self._silence)
        return await self._ask(f"/api/usage?range={quote(range_, safe='')}", "totals")

    async def generation(self, id_: str) -> KeyCheck:
        """Ask for one call, by the id that OpenRouter gave it.

        404: not written yet, or never.
        """
        return await self._ask(f"/generation?id={quote(id_, safe='')}")

    async def _ask(self, path: str, *tables: str) -> KeyCheck:
        free = Free(path, self._silence, tables)
        return await ask_with_secret(self._asker, self._provider, self._endpoints, self._secret, free)
