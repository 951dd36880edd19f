"""The opening of secrets that takes a while: a command is run, a keychain may ask a person."""

from __future__ import annotations

import asyncio

from lollmsbot_keys.edges.secrets import Secrets
from lollmsbot_keys.edges.secrets.secret import Secret


class SecretLoader:
    """The opening of each secret, once, for all questions that wait for it.

    Nobody wants to be asked by a keychain twice.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._under_way: dict[str, asyncio.Task[Secret]] = {}

    async def open(self, key: str) -> None:
        """Wait until the secret of `key` is open.

        A question that gives up waiting leaves the opening to the others.

        Raises:
            SecretError: there is none; the message says why.
        """
        work = self._under_way.get(key)
        if work is None:
            work = asyncio.create_task(asyncio.to_thread(self._secrets.open, key))
            self._under_way[key] = work
            work.add_done_callback(lambda done: self._done(key, done))
        await asyncio.shield(work)

    def _done(self, key: str, work: asyncio.Task[Secret]) -> None:
        del self._under_way[key]
        if not work.cancelled():
            work.exception()  # marked as seen: perhaps nobody waits any more
