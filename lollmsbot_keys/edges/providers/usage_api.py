"""The providers' own ledgers: what they say that a key, an account or one call has cost. Asking is free."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.edges.providers.call import KeyCheck
from lollmsbot_keys.edges.providers.json_api import Asker
from lollmsbot_keys.edges.providers.key_check import Free, ask_with_secret, check_key
from lollmsbot_keys.edges.secrets.secret import Secret


class Ledger:
    """One secret's view of its provider's ledger. What comes back is read by `core.costs.provider_usage`.

    Every method raises SecretError and ConfigError as `Wire.send` does.
    """

    def __init__(
        self, asker: Asker, provider: Provider, endpoints: tuple[str, ...], secret: Secret, silence: timedelta
    ) -> None:
        self._asker, self._provider, self._endpoints = asker, provider, endpoints
        self._secret, self._silence = secret, silence

    async def booked(self, range_: str) -> KeyCheck:
        """The sums. OpenRouter tells all of them with the key; of Ollama's, `range_` is one of 24h, 7d and 30d.

        Ollama allows ten such questions a minute to all keys and devices of a user, its balance among them.
        """
        if self._provider is Provider.OPENROUTER:
            return await check_key(self._asker, self._provider, self._endpoints, self._secret, self._silence)
        return await self._ask(f"/api/usage?range={quote(range_, safe='')}", "totals")

    async def generation(self, id_: str) -> KeyCheck:
        """One call, by OpenRouter's name of it. 404: not written yet, or never."""
        return await self._ask(f"/generation?id={quote(id_, safe='')}")

    async def _ask(self, path: str, *tables: str) -> KeyCheck:
        free = Free(path, self._silence, tables)
        return await ask_with_secret(self._asker, self._provider, self._endpoints, self._secret, free)
