"""`lbk costs --reconcile`: our ledger beside the providers' own, lost figures fetched, prices refreshed.

Our books are read before the providers are asked and once more afterwards, so that calls that ended in between are
explained.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from lollmsbot_keys.commands.fetch_model_lists import fetch_list, keep
from lollmsbot_keys.commands.late_costs import fetch_lost
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.costs import query
from lollmsbot_keys.core.costs.provider_usage import ollama_booked, openrouter_booked, range_of
from lollmsbot_keys.core.costs.reconcile import (
    TOLERANCE_USD,
    Books,
    Group,
    LedgerQuestion,
    begin_of,
    compare,
    total,
    uncompared,
)
from lollmsbot_keys.core.failures.table import classifier
from lollmsbot_keys.core.model.config import Key, Provider
from lollmsbot_keys.core.model.period import Window
from lollmsbot_keys.core.model.reconciliation import Comparison, Lost, Reconciliation, ReportedUsage
from lollmsbot_keys.core.model.snapshot import Snapshot, Spender
from lollmsbot_keys.core.model.statement import DaySpan, Gap
from lollmsbot_keys.core.money.amounts import budget_day
from lollmsbot_keys.edges.caches.key_checks import CachedKeyCheck, keep_checks, read_checks
from lollmsbot_keys.edges.environment.event_loop import run
from lollmsbot_keys.edges.providers import KeyCheck, KeyVerdict, Wire
from lollmsbot_keys.edges.secrets.secret import Secret
from lollmsbot_keys.errors import SecretError
from lollmsbot_keys.runtime import Engine

__all__ = ["TOLERANCE_USD", "Reconciling"]

PATIENCE = timedelta(seconds=15)
"""The longest that one question may take."""


class ProviderReport(NamedTuple):
    """The reply of a provider about one group.

    `told` is `None` where it told no sum, and `problem` says why.
    """

    group: Group
    told: ReportedUsage | None = None
    problem: str = ""
    note: str = ""


class Reconciling:
    """One run of the comparison.

    `looks`: how output should look.
    """

    def __init__(self, config: Path | None, state: Path | None, window: Window, tolerance: Decimal) -> None:
        self._engine = Engine.open(config, state)
        self._window, self._tolerance = window, tolerance
        self._cache = self._engine.state.cache
        self._secrets: dict[str, Secret] = {}
        self._gaps: dict[str, Gap] = {}
        environment = self._engine.environment
        self.output_style = environment.output_style

    @property
    def warnings(self) -> tuple[str, ...]:
        """The messages for a person about configuration, state and secrets."""
        return (*self._engine.warnings, *self._engine.secrets.warnings)

    def run(self) -> Reconciliation:
        """Ask the providers, book what was lost, and compare.

        Raises:
            ConfigError, SecretError, StateError: see `errors`. What the providers do is in the result.
        """
        for key in self._engine.config.keys:
            if key.enabled:
                try:
                    self._secrets[key.name] = self._engine.secrets.open(key.name)
                except SecretError:
                    continue
        return run(self._run)

    async def _run(self) -> Reconciliation:
        engine = self._engine
        async with self._wire() as wire:
            lost = await fetch_lost(engine, wire, self._secrets, PATIENCE)
            groups = await self._groups(wire, engine.state.read())
            before = await asyncio.to_thread(self._books)
            providers = sorted({group.provider for group in groups})
            replies, lists = await asyncio.gather(
                asyncio.gather(*(self._reply(wire, group) for group in groups)),
                asyncio.gather(*(fetch_list(engine, wire, provider, PATIENCE) for provider in providers)),
            )
        for provider, found in zip(providers, lists, strict=True):
            keep(engine, provider, found)
        after = await asyncio.to_thread(self._books)
        return self._together(replies, lost, before, after)

    def _wire(self) -> Wire:
        engine = self._engine
        return Wire(
            scrubber=engine.secrets.scrubber,
            proxy_for=engine.environment.proxy_for,
            classify=classifier(engine.config.cooldowns, engine.clock),
            trusted_hosts={name: settings.trusted_hosts for name, settings in engine.config.providers.items()},
        )

    # --- our side ---

    def _books(self) -> Books:
        """Read the state, and the sums of every day that reaches into our day or month, or into UTC's."""
        engine, now = self._engine, self._engine.clock()
        snapshot, zone = engine.state.read(now), engine.config.timezone
        begin = min(begin_of(self._window, now, zone), begin_of(self._window, now, UTC))
        span = DaySpan(budget_day(begin, zone), budget_day(now, zone))
        stored: Sequence[query.Part] = ()
        if span.days > 1 or span.since in snapshot.closed:
            from lollmsbot_keys.edges.state.history import History

            found = History(engine.state.history, engine.warnings.append).between(span)
            stored = list(found.sums(query.in_state(snapshot)))
            self._gaps = {gap.month: gap for gap in query.gaps(snapshot, stored, found.survey)}
        parts = query.parts_of(snapshot, stored, span)
        sums = query.grouped(parts, lambda day, place: (day, Spender(place.provider, place.key)))
        return Books(snapshot, sums)

    # --- their side ---

    async def _groups(self, wire: Wire, snapshot: Snapshot) -> list[Group]:
        """Return the keys that can be asked about, together where their provider makes one sum of them."""
        keys = [key for key in self._engine.config.keys if key.name in self._secrets]
        labels = await asyncio.gather(*(self._label(wire, key, snapshot) for key in keys))
        members: dict[tuple[Provider, str], list[str]] = {}
        for key, label in zip(keys, labels, strict=True):
            members.setdefault((key.provider, label), []).append(key.name)
        asked = frozenset(self._secrets)
        return [
            Group(provider, tuple(names), provider is Provider.OLLAMA, asked)
            for (provider, _), names in members.items()
        ]

    async def _label(self, wire: Wire, key: Key, snapshot: Snapshot) -> str:
        """Return what the provider counts by: for OpenRouter the secret, for Ollama its account."""
        secret = self._secrets[key.name]
        if key.provider is not Provider.OLLAMA:
            return secret.fingerprint or key.name
        account = self._engine.account(key, snapshot)
        if not account.startswith(f"{key.name}#"):
            return account
        endpoints = self._engine.config.providers[key.provider].endpoints
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                return await wire.whose_key(key.provider, endpoints, secret, PATIENCE) or account
        except TimeoutError:
            return account

    async def _reply(self, wire: Wire, group: Group) -> ProviderReport:
        """Ask the provider about one group, with any of its keys."""
        reply = ProviderReport(group, problem="no key could be used to ask")
        for name in group.keys:
            check, at, note = await self._booked(wire, group.provider, name)
            if check.status == 200 and check.verdict is KeyVerdict.VALID:
                return self._read(group, check, at, note)
            reply = reply._replace(problem=check.detail)
            if check.verdict is not KeyVerdict.INVALID:
                break
        return reply

    async def _booked(self, wire: Wire, provider: Provider, name: str) -> tuple[KeyCheck, datetime, str]:
        """Ask once what is booked for a key.

        Ollama is asked once a minute at most: within it, the last reply is taken.
        """
        engine, secret, range_ = self._engine, self._secrets[name], range_of(self._window)
        label, now = f"{name} usage {range_}", engine.clock()
        kept = read_checks(self._cache, now).get(label) if provider is Provider.OLLAMA else None
        if kept is not None and secret.fingerprint and kept.fingerprint == secret.fingerprint:
            seconds = max(0, round((now - kept.at).total_seconds()))
            note = f"What {provider} says of {name} is {seconds} s old: it is asked once a minute at most."
            return KeyCheck(KeyVerdict.VALID, "kept", status=200, facts=kept.facts), kept.at, note
        endpoints = engine.config.providers[provider].endpoints
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                check = await wire.ledger(provider, endpoints, secret, PATIENCE).booked(range_)
        except TimeoutError:
            words = f"no answer within {PATIENCE.total_seconds():g} seconds"
            return KeyCheck(KeyVerdict.UNKNOWN, words), now, ""
        if provider is Provider.OLLAMA and check.status == 200 and check.verdict is KeyVerdict.VALID:
            keep_checks(self._cache, {label: CachedKeyCheck(secret.fingerprint, now, check.facts)}, now)
        return check, engine.clock(), ""

    def _read(self, group: Group, check: KeyCheck, at: datetime, note: str) -> ProviderReport:
        if group.provider is Provider.OPENROUTER:
            told = openrouter_booked(check.facts, self._window, at)
        else:
            told = ollama_booked(check.facts, at)
        problem = "" if told is not None else "it tells no sum of money: a plan that is not billed by the token?"
        return ProviderReport(group, told, problem, note)

    # --- both ---

    def _together(self, replies: Iterable[ProviderReport], lost: Lost, before: Books, after: Books) -> Reconciliation:
        zone = self._engine.config.timezone
        comparisons: list[Comparison] = []
        notes = []
        for group, told, problem, note in _merged(replies):
            if told is None:
                comparisons.append(uncompared(group, after, problem))
                continue
            since = max(told.since, begin_of(self._window, told.at, zone)) if group.per_account else told.since
            comparisons.append(compare(LedgerQuestion(group, told, since, zone), before, after, self._tolerance))
            notes += [note] if note else []
        comparisons += self._unasked(after)
        notes += [f"{gap.month}: the history lacks days; our sums may be too low." for gap in self._gaps.values()]
        return Reconciliation(self._window, str(zone), self._tolerance, tuple(comparisons), lost, tuple(notes))

    def _unasked(self, books: Books) -> Iterable[Comparison]:
        """Yield the keys that spent something and cannot be asked about."""
        spent = {spender for (_, spender), cell in books.sums.items() if cell.cost_usd and spender.key}
        for provider, name in sorted(spent):
            if name not in self._secrets:
                group = Group(provider, (name,), per_account=False)
                yield uncompared(group, books, _why_unasked(self._engine.config.key(name)))


def _merged(replies: Iterable[ProviderReport]) -> list[ProviderReport]:
    """Merge the replies that tell the very same use.

    Nobody said that their keys share an account.
    """
    merged: dict[object, ProviderReport] = {}
    for number, reply in enumerate(replies):
        used = reply.told is not None and reply.group.per_account and any(one.figures.usd for one in reply.told.bins)
        same = (reply.group.provider, total(reply.told)) if used and reply.told is not None else number
        first = merged.get(same)
        keys = (*first.group.keys, *reply.group.keys) if first is not None else reply.group.keys
        merged[same] = (first or reply)._replace(group=reply.group._replace(keys=keys))
    return list(merged.values())


def _why_unasked(key: Key | None) -> str:
    if key is None:
        return "it is not configured any more"
    return "it has no secret" if key.enabled else "enabled = false in the configuration"
