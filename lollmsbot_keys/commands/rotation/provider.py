"""The provider's side of a rotation: its word on a secret, and the keys that it makes and deletes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from lollmsbot_keys.commands.rotation.manual_steps import Proved
from lollmsbot_keys.core.keys.verdict import Heard, foreign, prove
from lollmsbot_keys.core.model.config import Key
from lollmsbot_keys.core.security.trusted_hosts import is_own_host
from lollmsbot_keys.edges.providers import KeyCheck, KeyVerdict, Wire
from lollmsbot_keys.edges.providers.keys_api import KeysApi, Made, ManagedKey, terms
from lollmsbot_keys.edges.secrets import Secret
from lollmsbot_keys.edges.secrets.vendor_prefixes import looks_like_another
from lollmsbot_keys.errors import ConfigError
from lollmsbot_keys.runtime import Engine

PATIENCE = timedelta(seconds=15)
"""The longest that one question may take."""


class Remote:
    """The `RotationClient` over the wire.

    `management`: the management secret, or why there is none.
    """

    def __init__(self, engine: Engine, wire: Wire, key: Key, management: Secret | str) -> None:
        self._engine, self._wire, self._key, self._management = engine, wire, key, management
        self._endpoints = engine.config.providers[key.provider].endpoints

    async def prove(self, secret: Secret) -> Proved:
        """Ask the provider about `secret`.

        One that is plainly another company's is not shown to it.
        """
        looks_like = looks_like_another(secret)
        if looks_like and all(is_own_host(self._key.provider, endpoint) for endpoint in self._endpoints):
            return Proved(foreign(self._key.provider, looks_like), {})
        check = await self._check(secret)
        heard = Heard(check.verdict.value, check.detail, check.status, check.facts, check.hints, looks_like)
        proof = prove(self._key.provider, heard, self._engine.config.cooldowns, self._engine.clock())
        if proof.verdict.is_good_key and proof.account is None:
            proof = proof._replace(account=await self._whose(secret))
        data = check.facts.get("data")
        return Proved(proof, data if isinstance(data, dict) else {})

    async def keys(self) -> tuple[ManagedKey, ...]:
        return await self._door().keys()

    async def make(self, name: str, terms: Mapping[str, object]) -> Made:
        return await self._door().make(name, terms)

    async def switch(self, number: str, *, off: bool) -> bool:
        return await self._door().switch(number, off=off)

    async def delete(self, number: str) -> bool:
        return await self._door().delete(number)

    async def pause(self, seconds: float) -> None:
        """Give the provider time to spread the news."""
        await asyncio.sleep(seconds)

    async def _check(self, secret: Secret) -> KeyCheck:
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                return await self._wire.check_key(self._key.provider, self._endpoints, secret, PATIENCE)
        except TimeoutError:
            words = f"no answer within {PATIENCE.total_seconds():g} seconds"
            return KeyCheck(KeyVerdict.UNKNOWN, words, self._endpoints[0] if self._endpoints else "")

    async def _whose(self, secret: Secret) -> str | None:
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                return await self._wire.whose_key(self._key.provider, self._endpoints, secret, PATIENCE)
        except TimeoutError:
            return None

    def _door(self) -> KeysApi:
        if isinstance(self._management, str):
            raise ConfigError(self._management)
        if not self._endpoints:
            raise ConfigError("providers.openrouter.endpoints names no place to ask.")
        return self._wire.management(self._endpoints[0], self._management, PATIENCE)


def likely(old: Proved | None, listed: tuple[ManagedKey, ...]) -> ManagedKey | None:
    """Return the one listed key that the old secret seems to be; `None` if no single one is like it.

    The provider gives both the same label and the same terms. It is a guess: nothing documented ties a secret to its
    number. Nobody may delete by it without having seen the old secret refused once that key was switched off.
    """
    label = old.facts.get("label") if old is not None else None
    if old is None or not isinstance(label, str) or not label:
        return None
    told = terms(old.facts)
    same = [
        key
        for key in listed
        if key.label == label and all(key.terms.get(name, value) == value for name, value in told.items())
    ]
    return same[0] if len(same) == 1 else None
