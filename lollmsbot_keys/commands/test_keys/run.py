"""`lbk test-keys`: the proof of every key, what each may still do, and the outdated parts of the configuration.

Everything is asked at once. Checks and lists are no calls: they count against no limit and cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from lollmsbot_keys.commands.test_keys.checks import KeyCheckRequest, KeyRound, Progress
from lollmsbot_keys.core.model.config import Key, Provider
from lollmsbot_keys.core.model.findings import Findings
from lollmsbot_keys.core.routing.resolve import unknown
from lollmsbot_keys.core.security.trusted_hosts import trusted
from lollmsbot_keys.edges.environment.event_loop import run
from lollmsbot_keys.edges.secrets.secret import Secret
from lollmsbot_keys.errors import SecretError, UsageError
from lollmsbot_keys.runtime import Engine

__all__ = ["KeyCheckRequest", "KeyTest", "Progress"]


class KeyTest:
    """One test of keys.

    `workflow`: stdout is read for GitHub's commands. `step_summary`: its file for Markdown.
    """

    def __init__(self, config: Path | None, state: Path | None) -> None:
        self._engine = Engine.open(config, state)
        environment = self._engine.environment
        self.workflow, self.output_style = environment.github_actions, environment.output_style
        self.step_summary = environment.step_summary

    @property
    def now(self) -> datetime:
        return self._engine.clock()

    @property
    def warnings(self) -> tuple[str, ...]:
        """The messages for a person about configuration, state and secrets."""
        return (*self._engine.warnings, *self._engine.secrets.warnings)

    def run(self, wanted: KeyCheckRequest, progress: Progress) -> Findings:
        """Test the keys, record what routing should know, and return all findings.

        Raises:
            UsageError: there is no such key.
            SecretError: a secret would have to go to a host that is not trusted with it. Nothing was sent.
            ConfigError, StateError: see `errors`.
        """
        keys, notes = self._chosen(wanted)
        snapshot = self._engine.state.read()
        secrets = self._open(keys)
        self._demand_trust(secrets.values())
        for secret in secrets.values():
            progress.secret(secret.reveal())
        with_filter = bool(wanted.keys) or wanted.provider is not None
        sellers = {key.provider for key in keys} if with_filter else set(self._engine.config.providers)
        if wanted.provider is Provider.LOCAL:
            sellers = {Provider.LOCAL}
        checks = KeyRound(self._engine, wanted, snapshot, secrets, progress, tuple(notes))
        return run(lambda: checks.run(keys, frozenset(sellers)))

    def add_to_summary(self, markdown: str) -> str:
        """Append to the step's summary, and return what went wrong, "" for nothing."""
        if self.step_summary is None:
            return ""
        try:
            with self.step_summary.open("a", encoding="utf-8") as file:
                file.write(markdown)
        except OSError as error:
            return f"GITHUB_STEP_SUMMARY cannot be written: {error.strerror}."
        return ""

    def _chosen(self, wanted: KeyCheckRequest) -> tuple[list[Key], list[str]]:
        config = self._engine.config
        for name in wanted.keys:
            if config.key(name) is None:
                raise UsageError(unknown("key", name, [key.name for key in config.keys]))
        if wanted.provider is Provider.LOCAL and not wanted.keys:
            return [], []  # the daemon has no key, and is asked for its list
        keys = [key for key in config.keys if not wanted.keys or key.name in wanted.keys]
        keys = [key for key in keys if wanted.provider in (None, key.provider)]
        if not keys:
            raise UsageError(f"No key that you named belongs to {wanted.provider}. See lbk config show.")
        off = [key.name for key in keys if not key.enabled and key.name not in wanted.keys]
        note = [f"Not tested, because enabled = false: {', '.join(off)}. Name a key to test it all the same."]
        return [key for key in keys if key.name not in off], note if off else []

    def _open(self, keys: Iterable[Key]) -> dict[str, Secret]:
        """Open the secrets that there are, one after the other: a source may ask a person."""
        secrets = self._engine.secrets
        found = {}
        for key in keys:
            try:
                found[key.name] = secrets.open(key.name)
            except SecretError:
                continue
        return found

    def _demand_trust(self, secrets: Iterable[Secret]) -> None:
        for provider in {secret.provider for secret in secrets}:
            settings = self._engine.config.providers[provider]
            for endpoint in settings.endpoints:
                if not trusted(provider, endpoint, settings.trusted_hosts):
                    raise SecretError(
                        f"{endpoint} is not a host of {provider} that a secret may be sent to. Nothing was sent. "
                        f"Correct providers.{provider}.endpoints, or name the host in "
                        f"providers.{provider}.trusted_hosts."
                    )
