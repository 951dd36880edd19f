"""`file:PATH`: a file that holds the secret and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from lollmsbot_keys.edges.secrets import Secret, fault_of
from lollmsbot_keys.edges.targets.secret_file import TextFile
from lollmsbot_keys.edges.targets.target import Hold
from lollmsbot_keys.errors import SecretError

_CONTENT = re.compile(r"(?P<before>\ufeff?\s*)(?P<secret>.*?)(?P<after>\s*)", re.DOTALL)


class FileTarget:
    """A file with one secret.

    The white space around it stays; a new file ends its line, as text files do.
    """

    __slots__ = ("_file", "_hold", "label")

    def __init__(self, path: Path, hold: Hold) -> None:
        self._file, self._hold = TextFile(path), hold
        self.label = f"file:{path}"

    def __repr__(self) -> str:
        return f"<{self.label}>"

    def check(self) -> None:
        self._file.check()
        self._refuse_other_content(self._file.read())

    def write(self, secret: Secret) -> None:
        def change(text: str | None) -> str:
            self._refuse_other_content(text)
            return _around(text, secret.reveal())

        self._file.edit(change)

    def read_back(self) -> Secret | None:
        text = self._file.read()
        return None if text is None else self._hold(_split(text)[1])

    def restore(self, previous: Secret | None) -> None:
        """Restore as `Target` does; a file that did not exist is removed again."""
        if previous is None:
            self._file.remove()
        else:
            self._file.edit(lambda text: _around(text, previous.reveal()))

    def _refuse_other_content(self, text: str | None) -> None:
        """Refuse to overwrite a file with anything but a secret in it.

        Somebody may have named the wrong file.
        """
        present = _split(text or "")[1]
        if present and (fault := fault_of(present)) is not None:
            raise SecretError(
                f"{self._file.path} is not overwritten, for what is in it is no secret: it {fault}. Name another file, "
                "or remove this one."
            )


def _split(text: str) -> tuple[str, str, str]:
    found = _CONTENT.fullmatch(text)
    return (found["before"], found["secret"], found["after"]) if found is not None else ("", text, "")


def _around(text: str | None, characters: str) -> str:
    before, present, after = _split(text or "")
    if not present:
        before, after = ("\ufeff" if before.startswith("\ufeff") else ""), "\n"
    return f"{before}{characters}{after}"
