"""`keyring:SERVICE/NAME`: an entry of the system's keyring, through the keyring package (an optional extra)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lollmsbot_keys.edges.secrets import Secret
from lollmsbot_keys.edges.targets.target import Hold
from lollmsbot_keys.errors import SecretError


class KeyringTarget:
    """One entry of the keyring."""

    __slots__ = ("_hold", "_name", "_service", "label")

    def __init__(self, service: str, name: str, hold: Hold) -> None:
        self._service, self._name, self._hold = service, name, hold
        self.label = f"keyring:{service}/{name}"

    def __repr__(self) -> str:
        return f"<{self.label}>"

    def check(self) -> None:
        """Check as `Target` does; a locked keyring asks its owner for the password now."""
        self._get()
        import keyring
        from keyring.backends import null

        if isinstance(keyring.get_keyring(), null.Keyring):
            raise SecretError(
                "This machine's keyring is switched off: it forgets what it is given. Switch it on (see: keyring "
                "diagnose), or write to another place, such as --to file:PATH"
            )

    def write(self, secret: Secret) -> None:
        with self._speaking():
            import keyring

            keyring.set_password(self._service, self._name, secret.reveal())

    def read_back(self) -> Secret | None:
        found = self._get()
        return None if found is None else self._hold(found)

    def restore(self, previous: Secret | None) -> None:
        if previous is not None:
            self.write(previous)
        elif self._get() is not None:
            with self._speaking():
                import keyring

                keyring.delete_password(self._service, self._name)

    def _get(self) -> str | None:
        with self._speaking():
            import keyring

            return keyring.get_password(self._service, self._name)

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Turn errors into words of ours: a backend's own may hold anything."""
        try:
            import keyring.errors
        except ImportError:
            raise SecretError('Keyring support is not installed. Run: pip install "lollmsbot-keys[keyring]"') from None
        try:
            yield
        except keyring.errors.NoKeyringError:
            raise SecretError(
                "This machine has no keyring service. Write to another place, such as --to file:PATH"
            ) from None
        except Exception as error:  # noqa: BLE001  backends raise what they like
            raise SecretError(
                f"The keyring refused {self.label} ({type(error).__name__}). Is it locked? Unlock it, and try again."
            ) from None
