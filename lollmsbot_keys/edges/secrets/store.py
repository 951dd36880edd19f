"""The secrets of all keys: read late, kept in memory, never shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path

from lollmsbot_keys.core.model.config import Key
from lollmsbot_keys.edges.secrets.fingerprint import fingerprint, installation_key
from lollmsbot_keys.edges.secrets.scrubber import Scrubber
from lollmsbot_keys.edges.secrets.secret import SHORTEST_REDACTED, Secret, fault_of
from lollmsbot_keys.edges.secrets.sources import (
    COMMAND_LIMIT,
    SecretFiles,
    SourceFault,
    from_command,
    from_environment,
    from_keyring,
    split_reference,
)
from lollmsbot_keys.edges.secrets.vendor_prefixes import looks_like_another
from lollmsbot_keys.errors import SecretError

_NO_CHANCE = 8
"""Characters. Something shorter may be a part of an innocent name."""


class Secrets:
    """The secrets behind the keys' references.

    `environ` is the whole environment (commands run in it), `base` the folder that relative paths start from,
    `key_path` the installation's fingerprint key, made only if `create_key`. One object is not for several threads at
    once.
    """

    __slots__ = (
        "_command_limit", "_create_key", "_environ", "_files", "_key", "_key_path", "_key_read", "_keys", "_opened",
        "_problems", "_unusable", "_warnings", "foreign", "scrubber",
    )  # fmt: skip

    def __init__(
        self,
        keys: Iterable[Key],
        environ: Mapping[str, str],
        base: Path,
        key_path: Path,
        *,
        create_key: bool = False,
        command_limit: timedelta = COMMAND_LIMIT,
    ) -> None:
        self._keys = {key.name: key for key in keys}
        self._environ = environ
        self._files = SecretFiles(base, environ)
        self._key_path, self._create_key = key_path, create_key
        self._key: bytes | None = None
        self._key_read = False
        self._command_limit = command_limit
        self._opened: dict[str, Secret] = {}
        self._problems: dict[str, str] = {}
        self._unusable = set[str]()
        self._warnings: list[str] = []
        self.foreign: dict[str, str] = {}
        """The keys whose secret looks like one of another company, with that company."""
        self.scrubber = Scrubber()
        """The scrubber of every secret opened so far and later; one for the life of this object."""

    def __repr__(self) -> str:
        return f"<secrets of {len(self._keys)} keys>"

    def present(self) -> dict[str, str]:
        """Return the fingerprints of the keys that have a secret, by name.

        "" stands for a secret that was not opened yet, because that is slow or may ask the user.

        Raises:
            StateError: the fingerprint key cannot be used.
        """
        found: dict[str, str] = {}
        for name, key in self._keys.items():
            if name not in self._opened and name not in self._problems:
                if self._is_slow(key):
                    found[name] = ""
                    continue
                self._read(key)
            if name in self._opened:
                found[name] = self._opened[name].fingerprint
        return found

    def open(self, name: str) -> Secret:
        """Return the secret of the key `name`.

        A command or keyring is asked the first time, for up to its time limit.

        Raises:
            SecretError: there is none; the message says why.
            StateError: the fingerprint key cannot be used.
        """
        if name not in self._opened:
            if (key := self._keys.get(name)) is None:
                raise SecretError(f"There is no key {name}. See: lbk config show")
            if name not in self._problems:
                self._read(key)
            if name in self._problems:
                raise SecretError(
                    f"{name} has no secret: {self._problems[name]}. Mend that, or change `secret` in [keys.{name}]."
                )
        return self._opened[name]

    def has(self, text: str) -> bool:
        """Say whether `text` is one of the secrets that were read, or has one in it that is too long for chance."""
        known = [secret.reveal() for secret in self._opened.values()]
        return any(text == secret or (len(secret) >= _NO_CHANCE and secret in text) for secret in known)

    def problem(self, name: str) -> str | None:
        """Return why the key `name` has no secret, as far as is known.

        These words follow "no secret: ".
        """
        return self._problems.get(name)

    def is_unusable(self, name: str) -> bool:
        """Say whether the source of the key `name` gave a text that no header can carry."""
        return name in self._unusable

    def forget(self, name: str) -> None:
        """Forget the secret of `name`, so that it is read again when it is next needed.

        The scrubber still knows the old one.
        """
        self._unusable.discard(name)
        self.foreign.pop(name, None)
        self._opened.pop(name, None)
        self._problems.pop(name, None)
        self._files.forget()

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings about the sources read so far, one sentence each."""
        return (*self._files.warnings, *self._warnings)

    def _is_slow(self, key: Key) -> bool:
        scheme, _, rest = key.secret.partition(":")
        if scheme == "dotenv":
            rest = rest.rpartition("#")[0]
        if scheme in {"dotenv", "file"}:
            return self._files.is_waiting(self._files.path(rest))
        return scheme in {"command", "keyring"}

    def _read(self, key: Key) -> None:
        """Put the secret of `key` among the opened ones, or the reason why not among the problems."""
        # First, so that no traceback of it meets a secret among the local variables.
        salt = self._fingerprint_key()
        try:
            characters = self._fetch(key.secret).strip()
        except SourceFault as fault:
            self._problems[key.name] = str(fault)
            return
        if not characters:
            self._problems[key.name] = "its source is empty"
        elif (fault_found := fault_of(characters)) is not None:
            self._problems[key.name] = f"the text from its source {fault_found}"
            self._unusable.add(key.name)
        else:
            self._keep(key, Secret(characters, key.provider, fingerprint(characters, salt)))
            if len(characters) < SHORTEST_REDACTED:
                self._warnings.append(f"The secret of {key.name} is too short to be recognised in a provider's text.")

    def _keep(self, key: Key, secret: Secret) -> None:
        if company := looks_like_another(secret):
            self.foreign[key.name] = company
        self.scrubber.learn(secret)  # first: from the next line on another thread may send it
        self._opened[key.name] = secret

    def _fetch(self, reference: str) -> str:
        scheme, rest = split_reference(reference)
        match scheme:
            case "env":
                return from_environment(rest, self._environ)
            case "dotenv":
                path, _, name = rest.rpartition("#")
                return self._files.dotenv(self._files.path(path), name)
            case "file":
                return self._files.file(self._files.path(rest))
            case "command":
                return from_command(rest, self._environ, self._command_limit)
            case _:
                service, _, name = rest.rpartition("/")
                return from_keyring(service, name)

    def _fingerprint_key(self) -> bytes | None:
        if not self._key_read:
            self._key = installation_key(self._key_path, create=self._create_key)
            self._key_read = True
        return self._key
