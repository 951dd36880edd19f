"""Small requests and replies in JSON: who may get a secret, which headers are sent, what is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from urllib.parse import urlsplit

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.security.trusted_hosts import trusted
from lollmsbot_keys.edges.http import Exchange, Http, Response
from lollmsbot_keys.edges.http.event_stream import Frame, MalformedStream, error_in, frame_of, parse, parse_bytes
from lollmsbot_keys.edges.providers.dialects import APP_NAME
from lollmsbot_keys.edges.secrets.scrubber import Scrubber
from lollmsbot_keys.edges.secrets.secret import Secret, fault_of
from lollmsbot_keys.errors import SecretError

ERROR_BYTES = 1024 * 1024
LIST_BYTES = 32 * 1024 * 1024
_MOST_MODELS = 20_000
_KEPT_TEXT_CHARACTERS = 4_000
_JSON = re.compile(r"\s*[\[{]")
_HINT_WORDS = ("retry", "ratelimit", "rate-limit")


class Got(NamedTuple):
    """One small reply, redacted; `body` is JSON, or text if it is not JSON."""

    status: int
    headers: Mapping[str, str]
    body: object
    html: bool


class JsonRequest(NamedTuple):
    """A small request; for `direct` and `host` see `Exchange`.

    `strict`: a reply that has a name twice in one object could be read in two ways, and is not read as JSON.
    """

    method: str
    url: str
    silence: timedelta
    body: bytes = b""
    direct: bool = False
    host: str = ""
    strict: bool = False


class Asker:
    """The sender of small requests, which adds headers and reads whole replies."""

    def __init__(
        self, http: Http, scrubber: Scrubber, trusted_hosts: Mapping[Provider, tuple[str, ...]], user_agent: str
    ) -> None:
        self.http = http
        self.scrubber = scrubber
        self._trusted_hosts = trusted_hosts
        self._user_agent = user_agent

    def headers(self, provider: Provider, endpoint: str, secret: Secret | None) -> dict[str, str]:
        """Return the headers for one request to `endpoint`.

        Raises:
            SecretError: the secret may not go there, or no header can carry it.
        """
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": self._user_agent}
        if provider is Provider.OPENROUTER:
            headers["X-OpenRouter-Title"] = APP_NAME
        if secret is not None:
            headers["Authorization"] = self._authorization(provider, endpoint, secret)
        return headers

    def _authorization(self, provider: Provider, endpoint: str, secret: Secret) -> str:
        if secret.provider is not provider or provider is Provider.LOCAL:
            raise SecretError(f"A secret of {secret.provider} was about to go to {provider}. Nothing was sent.")
        if not _trusted(provider, endpoint, self._trusted_hosts.get(provider, ())):
            raise SecretError(
                f"{endpoint} is not a host of {provider} that a secret may be sent to. Nothing was sent. "
                f"Correct providers.{provider}.endpoints, or name the host in providers.{provider}.trusted_hosts."
            )
        fault = fault_of(secret.reveal())
        if fault is not None:
            raise SecretError(f"The secret for {provider} {fault}: no header can carry it. Store it again.")
        return secret.header()

    async def ask(self, question: JsonRequest, headers: Mapping[str, str], most_bytes: int = ERROR_BYTES) -> Got:
        """Send a small request and read the reply.

        Raises:
            Unsent, Silent, Broken: no reply came.
        """
        headers = {**headers, "Content-Type": "application/json"} if question.body else headers
        exchange = Exchange(
            question.method,
            question.url,
            headers,
            question.body,
            question.silence,
            direct=question.direct,
            host=question.host,
        )
        async with self.http.exchange(exchange) as response:
            return await self.read(response, most_bytes, strict=question.strict)

    async def read(self, response: Response, most_bytes: int = ERROR_BYTES, *, strict: bool = False) -> Got:
        """Read the reply into a form that may be kept."""
        raw = await response.read(most_bytes)
        html = False
        body: object
        try:
            body = self.opened(_parsed(raw, strict=strict))
        except MalformedStream:
            html = frame_of(response.headers.get("content-type", ""), raw[:1024], streamed=False) is Frame.PAGE
            # Scrubbed before it is shortened: half a secret would not be recognised.
            body = "" if html else self.scrubber.text(raw.decode("utf-8", "replace"))[:_KEPT_TEXT_CHARACTERS]
        return Got(response.status, self.hints(response.headers), body, html)

    def opened(self, body: object) -> object:
        """Return `body`, redacted.

        JSON that it quotes from an upstream is parsed first, because escapes hide secrets.
        """
        return self.scrubber.tree(_opened(body))

    def hints(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers that may say when to come back, redacted."""
        return {
            name: self.scrubber.text(value)
            for name, value in headers.items()
            if any(word in name for word in _HINT_WORDS)
        }


def _parsed(raw: bytes, *, strict: bool) -> object:
    """Parse one document; or the error in a stream of events, the form of some refusals."""
    try:
        return parse_bytes(raw, strict=strict)
    except MalformedStream:
        if strict:
            raise
        return error_in(raw)


def _opened(body: object) -> object:
    """Return `body` with the JSON text in `error.metadata.raw` parsed.

    Errors may stand in a list.
    """
    if isinstance(body, list):
        return [_opened(one) if isinstance(one, dict) else one for one in body]
    match body:
        case {"error": {"metadata": {"raw": str(raw), **metadata}, **error}, **rest} if _JSON.match(raw):
            try:
                inner = _opened(parse(raw))
            except MalformedStream:
                return body
            return {**rest, "error": {**error, "metadata": {**metadata, "raw": inner}}}
        case _:
            return body


@lru_cache(maxsize=256)
def _trusted(provider: Provider, endpoint: str, hosts: tuple[str, ...]) -> bool:
    """Say whether the endpoint may see a secret, from a cache: every request asks."""
    return trusted(provider, endpoint, hosts)


def entries_of(got: Got) -> list[dict[str, object]] | None:
    """Return the entries of a list of models; `None` where there is no list."""
    if got.status != 200 or not isinstance(got.body, dict):
        return None
    found = got.body.get("models", got.body.get("data"))
    if not isinstance(found, list):
        return None
    return [entry for entry in found[:_MOST_MODELS] if isinstance(entry, dict)]


def place(endpoint: str) -> str:
    """Return the host of an endpoint, for messages."""
    return urlsplit(endpoint).netloc or endpoint
