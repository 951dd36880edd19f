"""Small questions that cost nothing: whether a secret is good, and which models there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.security.locality import elsewhere, first_chat_model
from lollmsbot_keys.edges.http import Broken, Silent, Unsent
from lollmsbot_keys.edges.http.event_stream import alone
from lollmsbot_keys.edges.providers.call import KeyCheck, KeyVerdict, ModelList
from lollmsbot_keys.edges.providers.dialects import Dialect, dialect_of, root_of
from lollmsbot_keys.edges.providers.json_api import LIST_BYTES, Asker, Got, JsonRequest, entries_of, place
from lollmsbot_keys.edges.providers.price_list import quotes
from lollmsbot_keys.edges.secrets.secret import Secret

_LONGEST_NAME = 200
_DETAIL_CHARACTERS = 200


async def check_key(
    asker: Asker, provider: Provider, endpoints: tuple[str, ...], secret: Secret, silence: timedelta
) -> KeyCheck:
    """Ask the provider by a free call that it refuses without a good key.

    Lists of models prove nothing. Ollama: `GET /api/balance` (ten a minute for all keys of a user); OpenRouter: `GET
    /key`.
    """
    path = "/key" if provider is Provider.OPENROUTER else "/api/balance"
    return await ask_with_secret(asker, provider, endpoints, secret, Free(path, silence, ("included", "purchased")))


class Free(NamedTuple):
    """A free question under a provider's own path.

    Ollama's good replies hold one of the `tables`.
    """

    path: str
    silence: timedelta
    tables: tuple[str, ...] = ()


async def ask_with_secret(
    asker: Asker, provider: Provider, endpoints: tuple[str, ...], secret: Secret, free: Free
) -> KeyCheck:
    """Ask the first endpoint that can be reached."""
    problem = "no endpoint is configured"
    for endpoint in endpoints:
        headers = asker.headers(provider, endpoint, secret)
        base = endpoint.rstrip("/") if provider is Provider.OPENROUTER else root_of(endpoint)
        try:
            got = await asker.ask(JsonRequest("GET", f"{base}{free.path}", free.silence), headers)
        except Unsent as error:
            problem = f"{place(endpoint)} cannot be reached: {error}"
            continue
        except (Silent, Broken) as error:
            detail = asker.scrubber.line(f"{place(endpoint)} gave no answer: {error}", _DETAIL_CHARACTERS)
            return KeyCheck(KeyVerdict.UNKNOWN, detail, endpoint)
        return _judged(asker, provider, endpoint, got, free)
    return KeyCheck(KeyVerdict.UNKNOWN, asker.scrubber.line(problem, _DETAIL_CHARACTERS))


def _judged(asker: Asker, provider: Provider, endpoint: str, got: Got, free: Free) -> KeyCheck:
    body = alone(got.body)
    facts = body if isinstance(body, dict) and not got.html else {}
    verdict, detail = _verdict(provider, got, facts, free)
    said = facts.get("error")
    words = said.get("message") if isinstance(said, dict) else said
    if isinstance(words, str) and words:
        detail = f"{detail}: {words}"
    return KeyCheck(verdict, asker.scrubber.line(detail, _DETAIL_CHARACTERS), endpoint, got.status, facts, got.headers)


def _verdict(provider: Provider, got: Got, facts: dict[str, object], free: Free) -> tuple[KeyVerdict, str]:
    if got.html:
        return KeyVerdict.UNKNOWN, f"a page came instead of an answer ({got.status})"
    match got.status:
        case 200 if _looks_right(provider, facts, free):
            return KeyVerdict.VALID, "accepted"
        case 401 if facts:
            return KeyVerdict.INVALID, "refused (401)"
        case 403 if facts and provider is Provider.OLLAMA:
            return KeyVerdict.VALID, "accepted, but its account may not do this (403)"
        case 429:
            return KeyVerdict.UNKNOWN, "asked too often (429)"
        case _:
            return KeyVerdict.UNKNOWN, f"an answer that says nothing about the key ({got.status})"


def _looks_right(provider: Provider, facts: dict[str, object], free: Free) -> bool:
    if facts.get("error"):
        return False
    tables = ("data",) if provider is Provider.OPENROUTER else free.tables
    return any(isinstance(facts.get(name), dict) for name in tables)


async def whose_key(
    asker: Asker, provider: Provider, endpoints: tuple[str, ...], secret: Secret, silence: timedelta
) -> str | None:
    """Return the account behind a key of Ollama, which its key check does not tell; `None` if it stays unknown.

    `POST /api/me` is in no documentation, only in Ollama's own source (api/types.go): best effort.
    """
    if provider is not Provider.OLLAMA or not endpoints:
        return None
    headers = asker.headers(provider, endpoints[0], secret)
    try:
        got = await asker.ask(JsonRequest("POST", f"{root_of(endpoints[0])}/api/me", silence, b"{}"), headers)
    except (Unsent, Silent, Broken):
        return None
    found = got.body.get("id") if got.status == 200 and isinstance(got.body, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= _LONGEST_NAME else None


async def list_models(asker: Asker, provider: Provider, endpoints: tuple[str, ...], silence: timedelta) -> ModelList:
    """List the models of the first endpoint that has a list, without a secret.

    Of a local daemon, only the models that it runs itself.
    """
    problem = "no endpoint is configured"
    for endpoint, url in ((candidate, url) for candidate in endpoints for url in _list_urls(provider, candidate)):
        question = JsonRequest("GET", url, silence, direct=provider is Provider.LOCAL)
        try:
            got = await asker.ask(question, asker.headers(provider, endpoint, None), LIST_BYTES)
        except (Unsent, Silent, Broken) as error:
            problem = asker.scrubber.line(f"{place(endpoint)} cannot be asked: {error}", _DETAIL_CHARACTERS)
            continue
        entries = entries_of(got)
        if entries is not None and provider is Provider.LOCAL:
            own = [entry for entry in entries if not elsewhere(entry)]
            return ModelList(frozenset(_names(own)), chat=first_chat_model(own))
        if entries is not None:
            prices = quotes(entries) if provider is Provider.OPENROUTER else {}
            if names := frozenset(_names(entries)):
                return ModelList(names, prices=prices)
            problem = "its list is empty, which is not believed"
            continue
        problem = f"{place(endpoint)} gave no list ({got.status})"
    return ModelList(frozenset(), problem)


def _list_urls(provider: Provider, endpoint: str) -> tuple[str, ...]:
    plain = f"{endpoint.rstrip('/')}/models"
    tags = f"{root_of(endpoint)}/api/tags"
    if dialect_of(provider, endpoint) is Dialect.NATIVE:
        return (tags,)
    # Only the native list tells which models a daemon would pass on; other local servers have none.
    return (tags, plain) if provider is Provider.LOCAL else (plain,)


def _names(entries: Iterable[dict[str, object]]) -> Iterator[str]:
    for entry in entries:
        # OpenRouter's entries have an id, and a name for people.
        name = entry.get("id", entry.get("name"))
        if isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME:
            yield name
