"""The protocol of all targets."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from lollmsbot_keys.edges.secrets import Secret
from lollmsbot_keys.errors import SecretError

Hold = Callable[[str], Secret]
"""The function that makes a secret of characters read from a target."""


class NotReadable(Enum):
    """The answer of a place that takes secrets and never gives one back."""

    NOT_READABLE = "not readable"


NOT_READABLE: Final = NotReadable.NOT_READABLE


class MaybeWritten(SecretError):
    """The error of a write after which nobody knows whether the new secret arrived.

    After any other `SecretError` of `write`, it did not arrive. A target that can be read decides the matter by
    `read_back`.
    """


class Target(Protocol):
    """One place for one secret.

    Each method may raise `SecretError`, whose words hold no secret.
    """

    @property
    def label(self) -> str:
        """The name of the place, which may be shown anywhere.

        Except for `command:` it is a reference that means this target again.
        """

    def check(self) -> None:
        """Raise unless a secret can be written here.

        This finds only what shows without a change and without a network.
        """

    def write(self, secret: Secret) -> None:
        """Put `secret` here; to do it twice is the same as once."""

    def read_back(self) -> Secret | NotReadable | None:
        """Return the secret that is here now; `None` if there is none.

        An empty value is a secret of no characters.
        """

    def restore(self, previous: Secret | None) -> None:
        """Put back what `read_back` gave before, whatever is here now."""
