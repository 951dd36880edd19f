"""What every target can do."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from lollmsbot_keys.edges.secrets import Secret
from lollmsbot_keys.errors import SecretError

Hold = Callable[[str], Secret]
"""Makes a secret of characters that were read from a target."""


class NotReadable(Enum):
    """The answer of a place that takes secrets and never gives one back."""

    NOT_READABLE = "not readable"


NOT_READABLE: Final = NotReadable.NOT_READABLE


class MaybeWritten(SecretError):
    """Writing failed, and nobody knows whether the new secret arrived. Any other `SecretError` of `write`: it did not.

    A target that can be read decides the matter by `read_back`.
    """


class Target(Protocol):
    """One place for one secret. Each method may raise `SecretError`, whose words hold no secret."""

    @property
    def label(self) -> str:
        """The place, in words that go anywhere. But for `command:` it is a reference that means this target again."""

    def check(self) -> None:
        """Raise unless a secret can be written here, as far as can be told without a change and without a network."""

    def write(self, secret: Secret) -> None:
        """Put `secret` here. Doing it twice is doing it once."""

    def read_back(self) -> Secret | NotReadable | None:
        """What is here now; `None` where nothing is. An empty value is a secret of no characters."""

    def restore(self, previous: Secret | None) -> None:
        """Put back what `read_back` gave before, whatever is here now."""
