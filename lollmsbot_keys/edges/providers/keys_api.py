"""OpenRouter's keys: listed, made, switched off and deleted with a management key, which can do nothing else.

Source: OpenRouter's OpenAPI file, and its guide to key rotation. They contradict each other about the place of the new
secret in the reply, so both places are read. Making a key is not idempotent, and its secret is shown once: where the
reply does not come, the caller has to look for the key by its name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.edges.http import Broken, Silent, Unsent
from lollmsbot_keys.edges.providers.json_api import LIST_BYTES, Asker, Got, JsonRequest, place
from lollmsbot_keys.edges.secrets.secret import Secret, fault_of
from lollmsbot_keys.errors import SecretError, Unasked

CARRIED_OVER = ("limit", "limit_reset", "include_byok_in_limit", "expires_at", "workspace_id")
"""The settings that a new key takes over from the one it replaces, as far as the provider tells them."""

_PAGE = 100
_MOST_PAGES = 100
_WORDS = 200


class ManagedKey(NamedTuple):
    """One key in the provider's list.

    `label` is its masked form or a text, `terms` are the settings that a new key can take over.
    """

    hash: str
    name: str
    label: str
    disabled: bool
    terms: Mapping[str, object]


class Made(NamedTuple):
    """A key that was made just now; its `repr` hides the secret."""

    characters: str
    hash: str

    def __repr__(self) -> str:
        return f"<key {self.hash}>"


class KeysApi:
    """The calls under `/keys` of one endpoint.

    Each one may be repeated, except `make`.
    """

    def __init__(self, asker: Asker, endpoint: str, secret: Secret, silence: timedelta) -> None:
        self._asker, self._secret, self._silence = asker, secret, silence
        self._endpoint = endpoint
        self._url = f"{endpoint.rstrip('/')}/keys"

    async def keys(self) -> tuple[ManagedKey, ...]:
        """List all keys, also those that are switched off.

        Raises:
            Unasked, SecretError: see `_ask`.
        """
        found: dict[str, ManagedKey] = {}
        offset = 0
        for _ in range(_MOST_PAGES):
            got = await self._ask("GET", f"?offset={offset}&include_disabled=true", most_bytes=LIST_BYTES)
            page = _data(got)
            if got.status != 200 or not isinstance(page, list):
                raise self._unclear(got, "the list of its keys")
            for entry in page:
                if (key := _read(entry)) is not None:
                    found[key.hash] = key
            if len(page) < _PAGE:
                return tuple(found.values())
            offset += len(page)
        raise Unasked(f"{place(self._endpoint)} lists more than {offset} keys: delete some that are not used.")

    async def make(self, name: str, terms: Mapping[str, object]) -> Made:
        """Make a key called `name`.

        Raises:
            Unasked: no reply came, or not as documented; the key may exist all the same.
            SecretError: see `_ask`.
        """
        got = await self._ask("POST", "", {"name": name, **terms})
        body = got.body if isinstance(got.body, dict) else {}
        data = _data(got)
        about = data if isinstance(data, dict) else {}
        characters, number = body.get("key", about.get("key")), about.get("hash")
        if got.status not in {200, 201}:
            raise self._unclear(got, f"no new key ({got.status})")
        if not isinstance(characters, str) or not isinstance(number, str) or fault_of(characters) or not characters:
            raise Unasked(f"{place(self._endpoint)} made a key, but did not show its secret as documented.")
        return Made(characters, number)

    async def switch(self, number: str, *, off: bool) -> bool:
        """Switch the key of that hash off or on; return `False` where there is none.

        Raises as `keys`.
        """
        got = await self._ask("PATCH", f"/{quote(number, safe='')}", {"disabled": off})
        if got.status not in {200, 404}:
            raise self._unclear(got, "whether the key was switched")
        return got.status == 200

    async def delete(self, number: str) -> bool:
        """Delete the key of that hash; return `False` where it does not exist any more.

        Raises as `keys`.
        """
        got = await self._ask("DELETE", f"/{quote(number, safe='')}")
        if got.status not in {200, 204, 404}:
            raise self._unclear(got, "whether the key was deleted")
        return got.status != 404

    async def _ask(
        self, method: str, rest: str, body: Mapping[str, object] | None = None, most_bytes: int = 1 << 20
    ) -> Got:
        """Make one call.

        Raises:
            Unasked: no reply came.
            SecretError: the management key may not go to this endpoint, or the provider does not accept it.
        """
        headers = self._asker.headers(Provider.OPENROUTER, self._endpoint, self._secret)
        content = b"" if body is None else json.dumps(body, default=float).encode()
        question = JsonRequest(method, f"{self._url}{rest}", self._silence, content)
        try:
            got = await self._asker.ask(question, headers, most_bytes)
        except (Unsent, Silent, Broken) as error:
            words = self._asker.scrubber.line(str(error), _WORDS)
            raise Unasked(f"{place(self._endpoint)} was asked about its keys and gave no answer: {words}.") from None
        if got.status in {401, 403} and not got.html:
            raise SecretError(
                f"{place(self._endpoint)} does not take the management key ({got.status}{self._said(got)}). Make one "
                "at https://openrouter.ai/settings/management-keys and store it where management_secret of "
                "[providers.openrouter] points."
            )
        return got

    def _unclear(self, got: Got, what: str) -> Unasked:
        return Unasked(f"{place(self._endpoint)} did not tell {what} ({got.status}{self._said(got)}). Try again later.")

    def _said(self, got: Got) -> str:
        error = got.body.get("error") if isinstance(got.body, dict) else None
        words = error.get("message") if isinstance(error, dict) else error
        return f": {self._asker.scrubber.line(words, _WORDS)}" if isinstance(words, str) and words else ""


def _data(got: Got) -> object:
    return got.body.get("data") if isinstance(got.body, dict) and not got.html else None


def _read(entry: object) -> ManagedKey | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("hash"), str) or not entry["hash"]:
        return None
    name, label = entry.get("name"), entry.get("label")
    return ManagedKey(
        entry["hash"],
        name if isinstance(name, str) else "",
        label if isinstance(label, str) else "",
        entry.get("disabled") is True,
        terms(entry),
    )


def terms(facts: Mapping[str, object]) -> dict[str, object]:
    """Return the settings in `facts` that a new key takes over.

    `facts` is a listed key, or the provider's reply to `GET /key`.
    """
    return {name: facts[name] for name in CARRIED_OVER if facts.get(name) is not None}
