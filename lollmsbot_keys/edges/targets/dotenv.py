"""`dotenv:PATH#NAME`: one variable of a dotenv file."""

from __future__ import annotations

from pathlib import Path

from lollmsbot_keys.edges.files.dotenv_reading import BYTE_ORDER_MARK
from lollmsbot_keys.edges.secrets import Secret
from lollmsbot_keys.edges.targets.dotenv_edit import obstacle, value_of, with_value, without
from lollmsbot_keys.edges.targets.secret_file import TextFile
from lollmsbot_keys.edges.targets.target import Hold
from lollmsbot_keys.errors import SecretError


class DotenvTarget:
    """A variable of a dotenv file.

    A file without the variable gets it at the end; a missing file is made.
    """

    __slots__ = ("_file", "_hold", "_name", "label")

    def __init__(self, path: Path, name: str, hold: Hold) -> None:
        self._file, self._name, self._hold = TextFile(path), name, hold
        self.label = f"dotenv:{path}#{name}"

    def __repr__(self) -> str:
        return f"<{self.label}>"

    def check(self) -> None:
        self._file.check()
        self._refuse(self._file.read() or "")

    def remark(self) -> str | None:
        """Return what is odd about the file, but does not prevent writing to it."""
        text = self._file.read() or ""
        if text.startswith(BYTE_ORDER_MARK):
            return (
                f"{self._file.path} begins with a byte order mark, which stays. Shells, node and uv do not read the "
                "first name behind it; for them, save it without."
            )
        if "\r\n" in text:
            return (
                f"{self._file.path} has CRLF at the ends of its lines, which stay. A shell that reads it has a "
                "carriage return at the end of every value; for shells, save it with LF."
            )
        return None

    def write(self, secret: Secret) -> None:
        self._put(secret, for_shells=True)

    def read_back(self) -> Secret | None:
        text = self._file.read()
        value = None if text is None else value_of(text, self._name)
        return None if value is None else self._hold(value)

    def restore(self, previous: Secret | None) -> None:
        """Restore as `Target` does; a file that was made for the new secret stays, empty."""
        if previous is not None:
            self._put(previous, for_shells=False)
        elif self._file.read() is not None:
            self._file.edit(lambda text: without(text or "", self._name))

    def _put(self, secret: Secret, *, for_shells: bool) -> None:
        def change(text: str | None) -> str:
            if for_shells:
                self._refuse(text or "")
            changed = with_value(text or "", self._name, secret.reveal(), for_shells=for_shells)
            if changed is None:
                raise SecretError(
                    f"{self._file.path} cannot hold a secret with such a mix of quotes, $ and backslashes so that "
                    "python-dotenv and a shell read the same. Write it to a file: or keyring: target."
                )
            return changed

        self._file.edit(change)

    def _refuse(self, text: str) -> None:
        if (why := obstacle(text, self._name)) is not None:
            raise SecretError(f"{self._file.path}: {why}")
