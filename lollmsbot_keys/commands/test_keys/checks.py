"""One round of `lbk test-keys`: every question at once, the lessons for routing, and the findings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import TypeVar

from lollmsbot_keys.commands.fetch_model_lists import fetch_list, keep
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.failures.table import classifier
from lollmsbot_keys.core.keys import apply
from lollmsbot_keys.core.keys.availability import LOCAL, Market, rotten, survey
from lollmsbot_keys.core.keys.verdict import Heard, foreign, missing, prove, unusable
from lollmsbot_keys.core.model.config import Key, Provider
from lollmsbot_keys.core.model.findings import Findings, KeyFinding, KeyProof, Verdict
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.money.ledger import milliseconds
from lollmsbot_keys.core.money.pricing import not_free
from lollmsbot_keys.core.routing import eligibility
from lollmsbot_keys.core.security.trusted_hosts import is_own_host
from lollmsbot_keys.edges.caches.key_checks import CachedKeyCheck, keep_checks, read_checks
from lollmsbot_keys.edges.providers import KeyCheck, KeyVerdict, Wire
from lollmsbot_keys.edges.providers.call import ModelList
from lollmsbot_keys.edges.secrets.secret import Secret
from lollmsbot_keys.edges.secrets.vendor_prefixes import looks_like_another
from lollmsbot_keys.runtime import Engine

T = TypeVar("T")


class KeyCheckRequest(NamedTuple):
    """The keys to test, and how to test them.

    `timeout` bounds each question as a whole.
    """

    keys: tuple[str, ...]
    provider: Provider | None
    deep: bool
    allow_unreachable: bool
    timeout: timedelta


class Progress:
    """The listener to a test; every method does nothing until a subclass says otherwise."""

    def secret(self, characters: str) -> None:
        """Learn the characters of a secret before it is used.

        A listener that prints for a machine that hides secrets must tell it them now.
        """

    def waiting_for(self, names: Sequence[str]) -> None:
        """Hear which names have not answered yet."""

    def finished(self) -> None:
        """Hear that nothing is waited for any more."""


class Asked(NamedTuple):
    """One key, with the provider's reply."""

    key: Key
    fingerprint: str
    proof: KeyProof
    endpoint: str = ""
    status: int | None = None
    latency_ms: int | None = None


class KeyRound:
    """One round of questions, all at once."""

    def __init__(
        self,
        engine: Engine,
        wanted: KeyCheckRequest,
        snapshot: Snapshot,
        secrets: Mapping[str, Secret],
        progress: Progress,
        notes: tuple[str, ...],
    ) -> None:
        self._engine, self._wanted, self._snapshot = engine, wanted, snapshot
        self._secrets, self._progress, self._notes = secrets, progress, list(notes)
        self._open: list[str] = []
        self._checked: dict[str, CachedKeyCheck] = {}
        self._cache = engine.state.cache
        config = engine.config
        self._wire = Wire(
            scrubber=engine.secrets.scrubber,
            proxy_for=engine.environment.proxy_for,
            classify=classifier(config.cooldowns, engine.clock),
            trusted_hosts={name: settings.trusted_hosts for name, settings in config.providers.items()},
        )

    async def run(self, keys: Sequence[Key], sellers: frozenset[Provider]) -> Findings:
        """Ask, learn, and put everything together."""
        try:
            async with self._wire:
                asked, listed = await asyncio.gather(
                    asyncio.gather(*(self._watched(key.name, partial(self._ask, key)) for key in keys)),
                    asyncio.gather(
                        *(self._watched(f"list of {seller}", partial(self._list, seller)) for seller in sellers)
                    ),
                )
            lists = dict(zip(sellers, listed, strict=True))
            self._keep(lists)
            await asyncio.to_thread(self._learn, asked)
            findings = [self._finding(one, lists) for one in asked]
            if self._wanted.provider is Provider.LOCAL:
                findings.append(self._daemon(lists[Provider.LOCAL]))
            if self._wanted.deep and self._wanted.provider is not Provider.LOCAL:
                findings = await self._deepen(findings)
            return self._together(self._with_routing(findings), lists, sellers)
        finally:
            self._progress.finished()

    async def _deepen(self, findings: Sequence[KeyFinding]) -> list[KeyFinding]:
        from lollmsbot_keys.commands.test_keys.deep import deepen
        from lollmsbot_keys.pool import KeyPool

        engine, silence = self._engine, self._wanted.timeout
        async with KeyPool(engine) as pool:
            calls = (self._watched(found.key, partial(deepen, engine, pool, found, silence)) for found in findings)
            return list(await asyncio.gather(*calls))

    async def _watched(self, name: str, work: Callable[[], Coroutine[object, object, T]]) -> T:
        """Do `work`, and tell the listener which names have not answered yet.

        The work begins here: what is cancelled before that leaves nothing behind.
        """
        self._open.append(name)
        self._progress.waiting_for(self._open)
        try:
            return await work()
        finally:
            self._open.remove(name)
            self._progress.waiting_for(self._open)

    # --- ask ---

    async def _ask(self, key: Key) -> Asked:
        secret = self._secrets.get(key.name)
        if secret is None:
            problem = self._engine.secrets.problem(key.name) or ""
            proof = unusable(problem) if self._engine.secrets.is_unusable(key.name) else missing(problem)
            return Asked(key, "", proof)
        endpoints = self._engine.config.providers[key.provider].endpoints
        looks_like = looks_like_another(secret)
        if looks_like and all(is_own_host(key.provider, endpoint) for endpoint in endpoints):
            return Asked(key, secret.fingerprint, foreign(key.provider, looks_like))
        (check, latency), account = await asyncio.gather(
            self._check(key, endpoints, secret), self._account(key, endpoints, secret)
        )
        now = self._engine.clock()
        proof = prove(
            key.provider, self._heard(key, secret, check, now, looks_like), self._engine.config.cooldowns, now
        )
        if proof.verdict.is_good_key and proof.account is None:
            proof = proof._replace(account=account)
        latency_ms = milliseconds(latency) if check.status is not None else None
        return Asked(key, secret.fingerprint, proof, check.endpoint, check.status, latency_ms)

    def _heard(self, key: Key, secret: Secret, check: KeyCheck, now: datetime, looks_like: str) -> Heard:
        """Return what came back from the check.

        Where the check was one too many, it is what the same secret was told less than a minute ago.
        """
        if check.status == 200 and check.verdict is KeyVerdict.VALID and secret.fingerprint:
            self._checked[key.name] = CachedKeyCheck(secret.fingerprint, now, check.facts)
        if check.status == 429:
            kept = read_checks(self._cache, now).get(key.name)
            if kept is not None and secret.fingerprint and kept.fingerprint == secret.fingerprint:
                seconds = max(0, round((now - kept.at).total_seconds()))
                self._notes.append(f"{key.name} is as it was {seconds} s ago: {key.provider} was asked too often.")
                return Heard("valid", "accepted", 200, kept.facts)
        return Heard(check.verdict.value, check.detail, check.status, check.facts, check.hints, looks_like)

    async def _check(self, key: Key, endpoints: tuple[str, ...], secret: Secret) -> tuple[KeyCheck, timedelta]:
        began, limit = monotonic(), self._wanted.timeout
        try:
            async with asyncio.timeout(limit.total_seconds()):
                check = await self._wire.check_key(key.provider, endpoints, secret, limit)
        except TimeoutError:
            words = f"no answer within {limit.total_seconds():g} seconds"
            check = KeyCheck(KeyVerdict.UNKNOWN, words, endpoints[0] if endpoints else "")
        return check, timedelta(seconds=monotonic() - began)

    async def _account(self, key: Key, endpoints: tuple[str, ...], secret: Secret) -> str | None:
        """Ask whose key it is, if nobody has said so before; `None` if nobody says."""
        known = self._snapshot.accounts.get(key.name)
        if known is not None and secret.fingerprint and known.fingerprint == secret.fingerprint:
            return known.name
        if key.account is not None:
            return None
        try:
            async with asyncio.timeout(self._wanted.timeout.total_seconds()):
                return await self._wire.whose_key(key.provider, endpoints, secret, self._wanted.timeout)
        except TimeoutError:
            return None

    async def _list(self, provider: Provider) -> ModelList:
        return await fetch_list(self._engine, self._wire, provider, self._wanted.timeout)

    # --- learn ---

    def _keep(self, lists: Mapping[Provider, ModelList]) -> None:
        for provider, found in lists.items():
            keep(self._engine, provider, found)
        if self._checked:
            keep_checks(self._cache, self._checked, self._engine.clock())

    def _learn(self, asked: Sequence[Asked]) -> None:
        """Write what was found out into the state, if it says anything."""
        telling = [one for one in asked if one.fingerprint and (one.proof.verdict in _TELLING or one.proof.limits)]
        if not telling:
            return
        before = self._snapshot.disabled

        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, Snapshot]:
            for one in telling:
                snapshot = apply.taught(snapshot, one.key, one.fingerprint, one.proof, now)
            return snapshot, snapshot

        self._snapshot = self._engine.state.update(change)
        for name in before.keys() - self._snapshot.disabled.keys():
            self._notes.append(f"{name} had been disabled; it is used again.")

    # --- tell ---

    def _finding(self, one: Asked, lists: Mapping[Provider, ModelList]) -> KeyFinding:
        listed = lists.get(one.key.provider)
        models = None
        if one.proof.verdict is Verdict.INVALID:
            models = frozenset[str]()
        elif one.proof.verdict.is_good_key and listed is not None and not listed.problem:
            models = listed.names
        return KeyFinding(one.key.name, one.key.provider, one.proof, one.endpoint, one.status, one.latency_ms, models)

    def _daemon(self, listed: ModelList) -> KeyFinding:
        """Return the finding on this machine's daemon: it has no key, and is well if it lists models."""
        endpoints = self._engine.config.providers[Provider.LOCAL].endpoints
        endpoint = endpoints[0] if endpoints else ""
        if listed.problem:
            proof = KeyProof(Verdict.UNREACHABLE, listed.problem, NO_DAEMON)
            return KeyFinding(LOCAL, Provider.LOCAL, proof, endpoint)
        reason = "answers" if listed.names else "answers, and has no model yet: ollama pull NAME"
        return KeyFinding(LOCAL, Provider.LOCAL, KeyProof(Verdict.VALID, reason), endpoint, models=listed.names)

    def _with_routing(self, findings: Iterable[KeyFinding]) -> list[KeyFinding]:
        """Add to each finding what routing makes of the key from now on."""
        engine = self._engine
        now, facts = engine.clock(), engine.facts()
        snapshot = engine.state.read(now)
        self._snapshot = snapshot
        told = []
        for found in findings:
            key = engine.config.key(found.key)
            aside = eligibility.standing(key, engine.config, snapshot, facts, now) if key is not None else None
            told.append(found._replace(set_aside=aside))
        return told

    def _together(
        self, findings: Sequence[KeyFinding], lists: Mapping[Provider, ModelList], sellers: frozenset[Provider]
    ) -> Findings:
        config = self._engine.config
        came = {provider: found.names for provider, found in lists.items() if not found.problem}
        standing = [found for found in findings if found.verdict not in {Verdict.INVALID, Verdict.MISSING}]
        market = Market(
            came,
            sellers,
            {provider: tuple(found.key for found in standing if found.provider is provider) for provider in Provider},
            self._engine.clock().date(),
        )
        paid = not_free(config, self._engine.facts().prices, self._engine.clock())
        return Findings(
            keys=tuple(findings),
            models=survey(config, market),
            lists=tuple((provider, len(came[provider])) for provider in Provider if provider in came),
            silent=tuple((p, lists[p].problem) for p in Provider if p in lists and lists[p].problem),
            shared=apply.sharing((found, self._billed(found)) for found in findings),
            warnings=(*_soon_over(findings, self._engine.clock()), *paid),
            notes=tuple(self._notes),
            allow_unreachable=self._wanted.allow_unreachable,
            pillars=rotten(config, market),
            read_on=config.catalogue_read_on,
        )

    def _billed(self, found: KeyFinding) -> str:
        """Return who is billed, where somebody said so; "" for a key that stands for itself."""
        key = self._engine.config.key(found.key)
        if key is None or not found.verdict.is_good_key:
            return ""
        account = self._engine.account(key, self._snapshot)
        return "" if "#" in account and account.startswith(f"{key.name}#") else account


NO_DAEMON = "Start it with: ollama serve. If it is elsewhere, set OLLAMA_HOST, or endpoints in [providers.local]."
_TELLING = {Verdict.VALID, Verdict.INVALID, Verdict.LIMITED, Verdict.NO_CREDIT}
_SOON = timedelta(days=7)


def _soon_over(findings: Iterable[KeyFinding], now: datetime) -> list[str]:
    return [
        f"{found.key} expires on {found.proof.expires_at:%Y-%m-%d %H:%M} UTC: make a new one before that."
        for found in findings
        if found.verdict is not Verdict.INVALID
        and found.proof.expires_at is not None
        and found.proof.expires_at <= now + _SOON
    ]
