"""`command:PROGRAM ARGUMENTS`: a program that stores the secret it reads from its standard input."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lollmsbot_keys.edges.secrets import Secret
from lollmsbot_keys.edges.targets.subprocesses import Programs
from lollmsbot_keys.edges.targets.target import NOT_READABLE, MaybeWritten, NotReadable
from lollmsbot_keys.errors import SecretError

_STORES = re.compile(r"(?:.*/)?(?:go)?pass")
"""The password stores whose entries are a secret and, below it, a person's notes."""


class CommandTarget:
    """A program whose exit code 0 is taken as proof that it has stored the secret."""

    __slots__ = ("_argv", "_programs", "label")

    def __init__(self, argv: Sequence[str], programs: Programs) -> None:
        self._argv, self._programs = tuple(argv), programs
        self.label = f"command:{argv[0]}"  # its arguments may be somebody's credentials

    def __repr__(self) -> str:
        return f"<{self.label}>"

    def check(self) -> None:
        if not self._programs.has(self._argv[0]):
            raise SecretError(f"There is no program {self._argv[0]}. Install it, or correct the target.")
        if _STORES.fullmatch(self._argv[0]) and "insert" in self._argv[1:] and self._has_remarks():
            raise SecretError(
                f"{self.label}: the entry has more lines than its secret, and insert would replace them all. Let a "
                "script of yours store the first line, or move the others to an entry of their own."
            )

    def _has_remarks(self) -> bool:
        shown = self._programs.run([self._argv[0], "show", self._argv[-1]])
        return shown.code == 0 and shown.output.partition("\n")[2].strip() != ""

    def write(self, secret: Secret) -> None:
        done = self._programs.run(self._argv, secret)
        if done.code != 0:
            says = f"It says: {done.complaint}" if done.complaint else "Run it by hand to see why."
            raise MaybeWritten(f"{self._argv[0]} was to store the secret and ended with exit code {done.code}. {says}")

    def read_back(self) -> NotReadable:
        return NOT_READABLE

    def restore(self, previous: Secret | None) -> None:
        """Restore as `Target` does, if the caller knows what was there; a secret cannot be removed."""
        if previous is None:
            raise SecretError(f"{self.label} stored the secret and cannot take it away. Remove it there by hand.")
        self.write(previous)
