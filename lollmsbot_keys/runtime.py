"""The configuration, state and secrets together: the base of every command and of the pool.

Nothing here waits for a network, and nothing here is slow to import: `lbk route` needs no more than this.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lollmsbot_keys.core.model.accounts import account_of, known_as
from lollmsbot_keys.core.model.config import Config, Key, Provider
from lollmsbot_keys.core.model.request import EMPTY, Facts, Known, Plan, Request, SetAside
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.routing.resolve import KEY_AS_MODEL, unknown
from lollmsbot_keys.core.routing.route import route
from lollmsbot_keys.core.security.trusted_hosts import is_own_host
from lollmsbot_keys.core.state.expiry import Housekeeping
from lollmsbot_keys.edges.config.load import compiled_path, load
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.edges.secrets import Secrets
from lollmsbot_keys.edges.state.store import StateFile
from lollmsbot_keys.errors import ConfigError, StateError, UsageError

if TYPE_CHECKING:
    from lollmsbot_keys.core.model.statement import By, Statement
    from lollmsbot_keys.core.model.summary import Summary
    from lollmsbot_keys.core.state.events import Reset
    from lollmsbot_keys.edges.caches.model_lists import CachedModelLists, Listed


def utc_now() -> datetime:
    """Return the time in UTC: the clock of every engine."""
    return datetime.now(UTC)


class Engine:
    """One configuration with its state file and secrets.

    `warnings` gathers what a person should be told.
    """

    def __init__(
        self,
        config: Config,
        state: StateFile,
        secrets: Secrets,
        environment: Environment,
        clock: Callable[[], datetime],
        warnings: list[str],
    ) -> None:
        self.config, self.state, self.secrets = config, state, secrets
        self.environment, self.clock, self.warnings = environment, clock, warnings
        self._config_file, self._cached = Path(), Path()
        self._listed: dict[Provider, Listed] = {}

    @classmethod
    def open(
        cls,
        config: Path | None = None,
        state: Path | None = None,
        *,
        environment: Environment | None = None,
        clock: Callable[[], datetime] = utc_now,
        create: bool = True,
    ) -> Engine:
        """Load everything.

        `create` allows making the fingerprint key, which a command that changes nothing must not.

        Raises:
            ConfigError: the configuration cannot be used.
            StateError: a folder is named as the state.
        """
        environment = environment or Environment.here()
        state_path = environment.state_path(state)
        if os.path.isdir(state_path):  # noqa: PTH112 - a Path's own raises where nobody may look
            raise StateError(f"{state_path} is a folder. Name a file in it with --state or LBK_STATE.")
        cached = compiled_path(state_path)
        loaded = load(config, environment, cached)
        warnings = list(loaded.warnings)
        file = StateFile(
            state_path,
            keeper=Housekeeping(loaded.config.timezone, loaded.config.cooldowns.longest),
            clock=clock,
            warn=warnings.append,
        )
        secrets = Secrets(
            loaded.config.keys,
            environment.variables,
            loaded.path.parent,
            file.fingerprint_key,
            create_key=create,
        )
        engine = cls(loaded.config, file, secrets, environment, clock, warnings)
        engine._config_file, engine._cached = loaded.path, cached
        return engine

    def log_path(self, option: Path | None = None) -> Path | None:
        """Return the path of the log: `option`, the environment's, or the configuration's; `None` for no log.

        Raises:
            ConfigError: the name begins with the home folder of a user who does not exist, names no file, or one that
                lbk keeps itself.
        """
        place = self.config.log_file
        setting = None if place is None else Path(place) if place.startswith("~") else self._config_file.parent / place
        path = self.environment.log_path(option, setting)
        if path is not None and self.keeps(path):
            raise ConfigError(
                f"{path} cannot be the log: lbk keeps something else there. Name another file, with --log-file, "
                "LBK_LOG_FILE, or file in [log]."
            )
        return path

    def keeps(self, path: Path) -> bool:
        """Say whether `path` is the configuration, the state, or one of the files beside the state.

        No other thing may be put there.
        """
        real, state = Path(os.path.realpath(path)), self.state
        files = {state.path, state.lock, state.copy, state.fingerprint_key, self._cached, self._config_file}
        folders = {Path(os.path.realpath(folder)) for folder in (state.history, state.cache, state.unsettled)}
        return real in {Path(os.path.realpath(file)) for file in files} or not folders.isdisjoint((real, *real.parents))

    def facts(self, assumed: Mapping[str, SetAside] | None = None) -> Facts:
        """Return what routing must know besides configuration and state, as of now."""
        kept = self._lists()
        misplaced = self._misplaced()
        present = {name: of for name, of in self.secrets.present().items() if name not in misplaced}
        lacking = (key.name for key in self.config.keys if key.name not in present)
        problems = {n: problem for n in lacking if (problem := misplaced.get(n) or self.secrets.problem(n)) is not None}
        return Facts(present, kept.lists, assumed or {}, problems, kept.prices, kept.local_chat or "")

    def _misplaced(self) -> dict[str, str]:
        """Return the keys whose secret is plainly another company's, each with the reason why it is not sent.

        Only keys whose secret would go to nobody but the provider itself.
        """
        self.secrets.present()
        found = {}
        for name, company in self.secrets.foreign.items():
            provider = next(key.provider for key in self.config.keys if key.name == name)
            if all(is_own_host(provider, endpoint) for endpoint in self.config.providers[provider].endpoints):
                found[name] = f"it looks like a key of {company}, so it is not sent to {provider}"
        return found

    def doubts(self) -> dict[str, str]:
        """Return what a person should be told of secrets before any is sent, by key."""
        misplaced, secrets = self._misplaced(), self.secrets
        wrong = {key.name: secrets.problem(key.name) for key in self.config.keys if secrets.is_unusable(key.name)}
        told = {name: f"{name} is not used: {problem}." for name, problem in {**wrong, **misplaced}.items()}
        return {
            **{name: f"The secret of {name} looks like a key of {of}." for name, of in secrets.foreign.items()},
            **told,
        }

    def known(self) -> Known:
        """Return the age of the models and prices behind the plans."""
        return Known(self.config.catalogue_read_on, self._lists().fetched)

    def _lists(self) -> CachedModelLists:
        from lollmsbot_keys.edges.caches.model_lists import read_lists

        return read_lists(self.state.cache, self.clock(), tuple(self._listed.values()))

    def plan(self, request: Request, at: datetime | None = None, assumed: Mapping[str, SetAside] | None = None) -> Plan:
        """Return the plan of `request`, now or at another time, under assumptions.

        Changes nothing.

        Raises:
            UsageError, StateError: see `route` and `StateFile.read`.
        """
        now = at or self.clock()
        facts = self.facts(assumed)
        self.refuse_own_secret(request)
        return route(request, self.config, self.state.read(now), facts, now)

    def refuse_own_secret(self, request: Request) -> None:
        """Look whether a secret that is open stands where a model's name belongs; it may have any form.

        Raises:
            UsageError: it does.
        """
        if request.model and self.secrets.has(request.model.strip()):
            raise UsageError(KEY_AS_MODEL)

    def account(self, key: Key, snapshot: Snapshot) -> str:
        """Return who is billed for `key`, as far as is known."""
        return account_of(key, self.secrets.present().get(key.name, ""), snapshot)

    def keep_list(
        self,
        provider: Provider,
        names: Iterable[str],
        prices: Mapping[str, Sequence[str] | None] = EMPTY,
        chat: str | None = None,
    ) -> None:
        """Remember a provider's fetched model list with its prices, and local's chat model."""
        from lollmsbot_keys.edges.caches.model_lists import keep_list

        self._listed[provider] = keep_list(self.state.cache, provider, names, self.clock(), prices, chat)

    def summary(self) -> Summary:
        """Return the summary of today.

        Changes nothing.
        """
        from lollmsbot_keys.core.model.statement import By

        return self.statement(By.KEY).summary

    def statement(self, by: By, since: date | None = None) -> Statement:
        """Return what was spent from `since` (by default, today) to today.

        Changes nothing. The history is only read for a day that may be in it. It is read after the state, see
        `query.parts_of`.

        Raises:
            StateError: the state cannot be read, or a month that is asked for.
        """
        from lollmsbot_keys.core.costs import query
        from lollmsbot_keys.core.costs.summarise import summarise
        from lollmsbot_keys.core.model.statement import DaySpan
        from lollmsbot_keys.core.money.amounts import budget_day

        now = self.clock()
        snapshot, today = self.state.read(now), budget_day(now, self.config.timezone)
        span = DaySpan(since or today, today)
        if span.days == 1 and today not in snapshot.closed:
            parts = query.parts_of(snapshot, (), span)
            summary = summarise(self.config, snapshot, self.facts(), now)
            return query.statement(summary, self.config, by, span, parts)
        from lollmsbot_keys.edges.state.history import History

        known = query.in_state(snapshot)
        stored = History(self.state.history, self.warnings.append).between(span)
        sums = list(stored.sums(known))
        named = query.parts_of(snapshot, stored.named(by, span, known), span) if by.asks_for_models else None
        summary = summarise(self.config, snapshot, self.facts(), now, sums)
        found = query.statement(summary, self.config, by, span, query.parts_of(snapshot, sums, span), named)
        return found._replace(gaps=tuple(query.gaps(snapshot, sums, stored.survey)))

    def resetting(
        self, keys: Collection[str] | None, providers: Collection[Provider] = ()
    ) -> Callable[[Snapshot, datetime], tuple[Snapshot, Reset]]:
        """Return the change that clears what keeps `keys` out (`None`: all keys and providers).

        The change returns what it cleared.

        Raises:
            UsageError: there is no such key.
        """
        from lollmsbot_keys.core.state.events import record, resettable

        for name in keys or ():
            if self.config.key(name) is None:
                raise UsageError(unknown("key", name, [key.name for key in self.config.keys]))
        whole = frozenset(self.config.providers if keys is None else providers)
        chosen = [k for k in self.config.keys if keys is None or k.name in keys or k.provider in whole]

        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, Reset]:
            accounts, facts = {key.name: self.account(key, snapshot) for key in chosen}, self.facts()
            reset = resettable(snapshot, accounts, whole, lambda scope: known_as(scope, self.config, snapshot, facts))
            return record(snapshot, reset, now), reset

        return change
