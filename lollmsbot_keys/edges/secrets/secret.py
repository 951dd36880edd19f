"""The only type that holds a secret's characters; it never prints them."""

from __future__ import annotations

from typing import Final, NoReturn, final

from lollmsbot_keys.core.model.config import Provider

LONGEST = 8192
"""Characters; common servers refuse a longer header line."""

SHORTEST_REDACTED = 8
"""Characters; anything shorter stands in ordinary text too often to be taken out of it."""


@final
class Secret:
    """The characters of one key.

    `fingerprint` tells two secrets of this installation apart and says nothing else about them ("" = not known).
    There is no equality by value: compare fingerprints.
    """

    __slots__ = ("__characters", "fingerprint", "provider")

    def __init__(self, characters: str, provider: Provider, fingerprint: str = "") -> None:
        self.__characters: Final = characters
        self.provider: Final = provider
        self.fingerprint: Final = fingerprint

    def header(self) -> str:
        """Return the value of the ``Authorization`` header."""
        return f"Bearer {self.__characters}"

    def reveal(self) -> str:
        """Return the characters themselves.

        They are for a scrubber, or for a place that stores them; keep them out of everything else.
        """
        return self.__characters

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("<secret>", spec)

    def __getstate__(self) -> NoReturn:
        # Every way of copying and pickling asks for this.
        raise TypeError("a secret is not copied or pickled")


_SHORTEST_NAME = 3


def fault_of(characters: str) -> str | None:
    """Return why `characters` (stripped, not empty) cannot be a secret; `None` if they can.

    The reason never quotes them.
    """
    # RFC 6750 gives a bearer token printable ASCII without blanks; HTTP libraries refuse the rest with errors that
    # quote it.
    if len(characters) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if len(characters) > 1 and characters[0] == characters[-1] and characters[0] in "\"'`":
        return "stands in quotation marks, which docker --env-file leaves on: write it without them"
    name, _, value = characters.removeprefix("export ").partition("=")
    if name.isidentifier() and len(name) >= _SHORTEST_NAME and len(value.strip("=")) >= SHORTEST_REDACTED:
        return "is a whole assignment (NAME=value): leave out the name"
    if characters.isascii() and characters.isprintable() and " " not in characters:
        return None
    if any(line_break in characters for line_break in "\r\n"):
        return "has more than one line"
    if any(character.isspace() for character in characters):
        return "has white space inside"
    if not characters.isascii():
        return "has a character that is not ASCII (a typographic quote or dash?)"
    return "has a control character inside"
