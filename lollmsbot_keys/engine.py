"""Configuration, state and secrets brought together: what every command and the pool stand on.

Nothing here waits for a network, and nothing here is slow to import: `lbk route` needs no more than this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lollmsbot_keys.core import judge
from lollmsbot_keys.core.catalogue import Config, Key, Provider
from lollmsbot_keys.core.request import Facts, Plan, Request, SetAside
from lollmsbot_keys.core.route import route
from lollmsbot_keys.core.state import Snapshot
from lollmsbot_keys.core.upkeep import Housekeeping
from lollmsbot_keys.core.wish import unknown
from lollmsbot_keys.edges.config.file import compiled_path, load
from lollmsbot_keys.edges.environment import Environment
from lollmsbot_keys.edges.secrets import Secrets
from lollmsbot_keys.edges.state.file import StateFile
from lollmsbot_keys.errors import UsageError

if TYPE_CHECKING:
    from lollmsbot_keys.core.day import Summary
    from lollmsbot_keys.core.record import Reset


def utc_now() -> datetime:
    """The only clock."""
    return datetime.now(UTC)


class Engine:
    """One configuration with its state file and secrets. `warnings` gathers what a person should be told."""

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
        """Load everything. `create` allows making the fingerprint key, which a command that changes nothing must not.

        Raises:
            ConfigError: the configuration cannot be used.
        """
        environment = environment or Environment.here()
        state_path = environment.state_path(state)
        loaded = load(config, environment, compiled_path(state_path))
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
            file.path.with_name("fingerprint.key"),
            create_key=create,
        )
        return cls(loaded.config, file, secrets, environment, clock, warnings)

    def facts(self, assumed: Mapping[str, SetAside] | None = None) -> Facts:
        """What routing must know besides configuration and state, as of now."""
        from lollmsbot_keys.edges.model_lists import read_lists

        lists = read_lists(self.state.path.with_name("cache"), self.clock())
        present = self.secrets.present()
        lacking = (key.name for key in self.config.keys if key.name not in present)
        problems = {name: problem for name in lacking if (problem := self.secrets.problem(name)) is not None}
        return Facts(present, lists, assumed or {}, problems)

    def plan(self, request: Request, at: datetime | None = None, assumed: Mapping[str, SetAside] | None = None) -> Plan:
        """What would happen to `request` (at another time, under assumptions). Changes nothing.

        Raises:
            UsageError, StateError: see `route` and `StateFile.read`.
        """
        now = at or self.clock()
        return route(request, self.config, self.state.read(now), self.facts(assumed), now)

    def account(self, key: Key, snapshot: Snapshot) -> str:
        """Who is billed for `key`, as far as is known."""
        return judge.account_of(key, self.secrets.present().get(key.name, ""), snapshot)

    def keep_list(self, provider: Provider, names: Iterable[str]) -> None:
        """Remember a provider's fetched model list."""
        from lollmsbot_keys.edges.model_lists import keep_list

        keep_list(self.state.path.with_name("cache"), provider, names, self.clock())

    def summary(self) -> Summary:
        """Today at a glance. Changes nothing."""
        from lollmsbot_keys.core.summary import summarise

        now = self.clock()
        return summarise(self.config, self.state.read(now), self.facts(), now)

    def resetting(
        self, keys: Collection[str] | None, providers: Collection[Provider] = ()
    ) -> Callable[[Snapshot, datetime], tuple[Snapshot, Reset]]:
        """The change that clears what keeps `keys` out (`None`: all keys and providers); it answers what it cleared.

        Raises:
            UsageError: there is no such key.
        """
        from lollmsbot_keys.core.record import record, resettable

        for name in keys or ():
            if self.config.key(name) is None:
                raise UsageError(unknown("key", name, [key.name for key in self.config.keys]))
        whole = frozenset(self.config.providers if keys is None else providers)
        chosen = [k for k in self.config.keys if keys is None or k.name in keys or k.provider in whole]

        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, Reset]:
            reset = resettable(snapshot, {key.name: self.account(key, snapshot) for key in chosen}, whole)
            return record(snapshot, reset, now), reset

        return change
