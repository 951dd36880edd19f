"""The wire to the providers: one call, one HTTP request, one outcome.

Nothing is sent twice. The next endpoint is tried only where not a byte of the request left this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Self

from lollmsbot_keys._version import __version__
from lollmsbot_keys.core.model.config import Privacy, Provider
from lollmsbot_keys.core.model.outcome import Billing, Failure, Outcome, OutcomeKind
from lollmsbot_keys.core.model.reply import Classifier, Reply, Trouble
from lollmsbot_keys.edges.environment.proxy import proxy_credentials
from lollmsbot_keys.edges.http import Broken, Exchange, Http, Response, Silent, Stalled, Unsent
from lollmsbot_keys.edges.http.event_stream import Frame, MalformedStream
from lollmsbot_keys.edges.providers import key_check, local_proof
from lollmsbot_keys.edges.providers.answer_stream import Reading, Stage, read_answer
from lollmsbot_keys.edges.providers.call import Call, KeyCheck, Locality, LocalityProof, ModelList
from lollmsbot_keys.edges.providers.dialects import Dialect, chat_body, chat_url, dialect_of
from lollmsbot_keys.edges.providers.json_api import Asker, Got, place
from lollmsbot_keys.edges.providers.keys_api import KeysApi
from lollmsbot_keys.edges.providers.usage import usage_in
from lollmsbot_keys.edges.providers.usage_api import Ledger
from lollmsbot_keys.edges.secrets.scrubber import Scrubber
from lollmsbot_keys.edges.secrets.secret import Secret

PATIENCE = timedelta(seconds=30)
"""The longest silence on small questions: key checks, lists, proofs."""
_ID_CHARACTERS = 100


class Wire:
    """The connections to all providers, for one event loop.

    Use it as an async context manager. Everything that comes back is redacted by `scrubber` before anyone sees it.
    `proxy_for` gives the proxy for a URL, or `None`; it is not asked for loopback or local endpoints. `classify` is the
    failure table. A secret goes only to its provider's own hosts, loopback, or a host in `trusted_hosts`.
    """

    def __init__(
        self,
        scrubber: Scrubber,
        classify: Classifier,
        proxy_for: Callable[[str], str | None],
        trusted_hosts: Mapping[Provider, tuple[str, ...]],
        user_agent: str = f"lbk/{__version__}",
    ) -> None:
        self._http = Http(partial(_proxy, scrubber, proxy_for))
        self._asker = Asker(self._http, scrubber, trusted_hosts, user_agent)
        self._scrubber = scrubber
        self._classify = classify

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections, so that calls on their way fail."""
        await self._http.aclose()

    async def send(self, call: Call, on_text: Callable[[str], None]) -> Outcome:
        """Send `call`, give the answer's text to `on_text` as it comes, and return the outcome.

        Raises:
            SecretError: the secret may not be sent to the next endpoint.
            ConfigError: an address, the proxy or the certificates cannot be used.
        """
        if not call.privacy.permits(call.provider):
            raise ValueError(f"a {call.privacy} prompt was about to go to {call.provider}")
        trouble, detail = Trouble.UNREACHABLE, "no endpoint is configured"
        for endpoint in call.endpoints:
            host = ""
            if call.prove_local or call.privacy is Privacy.CRITICAL:
                proof = await self.prove_local(endpoint, call.model, call.timeout)
                if proof.locality is not Locality.PROVEN:
                    detail = proof.detail
                    trouble = Trouble.UNPROVEN  # a daemon that cannot be asked proves nothing, and nothing was sent
                    continue
                endpoint, host = proof.pinned, proof.host  # noqa: PLW2901 - the same endpoint, by its address
            try:
                return await self._attempt(call, endpoint, host, on_text)
            except Unsent as error:
                detail = f"{place(endpoint)}: {error}"
        return self._troubled(call, trouble, detail)

    async def check_key(
        self, provider: Provider, endpoints: tuple[str, ...], secret: Secret, silence: timedelta = PATIENCE
    ) -> KeyCheck:
        """Check `secret` at its provider by a call that costs nothing.

        Only a clear no counts against the secret.

        Raises:
            SecretError, ConfigError: as `send`.
        """
        return await key_check.check_key(self._asker, provider, endpoints, secret, silence)

    async def whose_key(
        self, provider: Provider, endpoints: tuple[str, ...], secret: Secret, silence: timedelta = PATIENCE
    ) -> str | None:
        """Return the account of `secret`, where the key check does not tell it; `None` if it stays unknown.

        Best effort; raises as `send`.
        """
        return await key_check.whose_key(self._asker, provider, endpoints, secret, silence)

    async def list_models(
        self, provider: Provider, endpoints: tuple[str, ...], silence: timedelta = PATIENCE
    ) -> ModelList:
        """List the models of the first endpoint that has a list, without a secret.

        Of a local daemon, only the models that it runs itself.

        Raises:
            ConfigError: as `send`.
        """
        return await key_check.list_models(self._asker, provider, endpoints, silence)

    def management(self, endpoint: str, secret: Secret, silence: timedelta = PATIENCE) -> KeysApi:
        """Return the calls that manage OpenRouter's keys; `secret` is a management key."""
        return KeysApi(self._asker, endpoint, secret, silence)

    def ledger(
        self, provider: Provider, endpoints: tuple[str, ...], secret: Secret, silence: timedelta = PATIENCE
    ) -> Ledger:
        """Return the provider's ledger for `secret`."""
        return Ledger(self._asker, provider, endpoints, secret, silence)

    async def prove_local(self, endpoint: str, model: str, silence: timedelta = PATIENCE) -> LocalityProof:
        """Prove that the daemon at `endpoint` runs `model` on this machine; without a proof, refuse."""
        return await local_proof.prove_local(self._asker, endpoint, model, silence)

    async def _attempt(self, call: Call, endpoint: str, host: str, on_text: Callable[[str], None]) -> Outcome:
        """Send one HTTP request to one endpoint and return the outcome.

        Raises:
            Unsent: it could not be sent.
        """
        dialect = dialect_of(call.provider, endpoint)
        exchange = Exchange(
            "POST",
            chat_url(dialect, endpoint),
            {**self._asker.headers(call.provider, endpoint, call.secret), "Content-Type": "application/json"},
            chat_body(dialect, endpoint, call),
            call.timeout,
            direct=call.provider is Provider.LOCAL,
            host=host,
        )
        try:
            async with self._http.exchange(exchange) as response:
                if response.status != 200:
                    return self._refused(call, await self._asker.read(response))
                return await self._answer(call, dialect, response, on_text)
        except Silent as silence:
            return self._troubled(call, Trouble.TIMEOUT, _words(silence, exchange))
        except Broken as error:
            return self._troubled(call, Trouble.DROPPED, str(error))

    async def _answer(
        self, call: Call, dialect: Dialect, response: Response, on_text: Callable[[str], None]
    ) -> Outcome:
        """Read a reply of status 200 to its end, or until it fails."""
        reading = Reading(dialect, self._scrubber.stream(), on_text, local=call.provider is Provider.LOCAL)
        trouble, detail = Trouble.DROPPED, "the connection ended before the answer did"
        try:
            if await read_answer(response, reading, streamed=call.stream) is Frame.PAGE:
                return self._refused(call, Got(response.status, {}, "", html=True))
        except Silent as silence:
            trouble, detail = Trouble.TIMEOUT, _words(silence, response.exchange)
        except Broken as error:
            detail = str(error)
        except MalformedStream as error:
            trouble, detail = Trouble.JUNK, str(error)
        reading.close()
        if reading.stage is Stage.ENDED:
            await response.drain()
        outcome = self._concluded(call, response, reading, trouble, detail)
        return outcome._replace(generation_id=self._id(response, reading))

    def _concluded(self, call: Call, response: Response, reading: Reading, trouble: Trouble, detail: str) -> Outcome:
        if reading.empty:
            trouble, detail = Trouble.EMPTY, f"an end ({reading.finish_reason or 'unnamed'}) without a word or a token"
        elif reading.whole:
            finish = reading.finish_reason
            return Outcome(
                OutcomeKind.ANSWERED,
                response.status,
                usage=reading.usage,
                interim=reading.interim,
                finish_reason=None if finish is None else self._scrubber.text(finish),
                started=reading.started,
            )
        if reading.stage is Stage.FAILED:
            body = self._asker.opened(reading.error)
            reply = Reply(response.status, self._asker.hints(response.headers), body)
            failure = self._classify(reply, call.provider, free=call.free)
        else:
            failure = self._judged(call, Trouble.CUT if reading.started else trouble, detail)
        return _failed(response.status, failure, reading)

    def _refused(self, call: Call, got: Got) -> Outcome:
        failure = self._classify(Reply(got.status, got.headers, got.body, got.html), call.provider, free=call.free)
        usage = usage_in(got.body) if isinstance(got.body, dict) else None
        return Outcome(failure.kind, got.status, failure, usage)

    def _troubled(self, call: Call, trouble: Trouble, detail: str) -> Outcome:
        failure = self._judged(call, trouble, detail)
        return Outcome(failure.kind, failure=failure)

    def _judged(self, call: Call, trouble: Trouble, detail: str) -> Failure:
        return self._classify(trouble, call.provider, free=call.free, detail=self._scrubber.text(detail))

    def _id(self, response: Response, reading: Reading) -> str | None:
        found = response.headers.get("x-generation-id") or reading.id
        return self._scrubber.line(found, _ID_CHARACTERS) if found else None


def _words(silence: Silent, exchange: Exchange) -> str:
    if isinstance(silence, Stalled):
        return f"nothing but signs of life for {exchange.wordless_s:g} seconds"
    return f"not a byte for {exchange.silence.total_seconds():g} seconds"


def _proxy(scrubber: Scrubber, proxy_for: Callable[[str], str | None], url: str) -> str | None:
    """Return the proxy for `url`; redact its login in all text from now on."""
    proxy = proxy_for(url)
    if proxy is not None:
        scrubber.learn(*(Secret(characters, Provider.LOCAL) for characters in proxy_credentials(proxy)))
    return proxy


def _failed(status: int, failure: Failure, reading: Reading) -> Outcome:
    """Return the outcome of an answer that began and failed.

    Once there was text it is a cut, for every reason.
    """
    if reading.begun:
        failure = failure._replace(billing=Billing.POSSIBLY)
    outcome = Outcome(failure.kind, status, failure, reading.usage, interim=reading.interim)
    if not reading.started:
        return outcome
    return outcome._replace(kind=OutcomeKind.CUT, started=True)
