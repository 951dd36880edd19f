"""The sources of a secret's characters: `env:`, `dotenv:`, `file:`, `command:`, `keyring:`.

Every function returns the raw text or raises `SourceFault`, whose words complete "<key> has no secret: …". They never
quote the content of a source, and from a reference they quote only what is hardly a secret in the wrong place.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from lollmsbot_keys.edges.secrets.command_line import words

LARGEST_FILE_BYTES = 1 << 20
COMMAND_LIMIT = timedelta(seconds=10)

SCHEMES = ("env", "dotenv", "file", "command", "keyring")
_GRAMMAR = "env:NAME, dotenv:PATH#NAME, file:PATH, command:… or keyring:SERVICE/NAME"

_REMARK = r"\s*(?:[^\s:][^:]*:.*|-{3,}\s*)?"


class SourceFault(Exception):
    """The reason why a source gives no text."""


def split_reference(reference: str) -> tuple[str, str]:
    """Split `reference` into its scheme and the rest, and check the form of both."""
    scheme, _, rest = reference.partition(":")
    name = {"dotenv": rest.rpartition("#"), "keyring": rest.rpartition("/")}.get(scheme, (rest, "", rest))
    if scheme not in SCHEMES or not name[0].strip() or not name[2].strip():
        raise SourceFault(f"its `secret` must be one of {_GRAMMAR}")
    return scheme, rest


def from_environment(name: str, environ: Mapping[str, str]) -> str:
    """Return the value of the variable `name`."""
    if (value := environ.get(name)) is not None:
        return value
    # Someone may have written env:<the secret itself>.
    looks_like_a_name = name.isupper() and name.replace("_", "").isalnum()
    variable = f"the environment variable {name}" if looks_like_a_name else "the environment variable that it names"
    raise SourceFault(f"{variable} is not set")


class SecretFiles:
    """The files and dotenv files that hold secrets, each read once.

    Paths are relative to `base`.
    """

    __slots__ = ("_base", "_contents", "_dotenvs", "_home", "warnings")

    def __init__(self, base: Path, environ: Mapping[str, str]) -> None:
        self._base = base
        self._home = environ.get("HOME")
        self._contents: dict[Path, str] = {}
        self._dotenvs: dict[Path, Mapping[str, str | None]] = {}
        self.warnings: list[str] = []

    def __repr__(self) -> str:
        return "<files>"

    def path(self, text: str) -> Path:
        """Return the path that `text` means."""
        if self._home and (text == "~" or text.startswith("~/")):
            return Path(self._home, text[2:])
        try:
            return self._base / Path(text).expanduser()
        except RuntimeError:  # ~nobody-here
            return self._base / text

    def is_waiting(self, path: Path) -> bool:
        """Say whether reading `path` may block, as with a pipe from a password manager."""
        try:
            return stat.S_ISFIFO(path.stat().st_mode) and path not in self._contents
        except (OSError, ValueError):
            return False

    def file(self, path: Path) -> str:
        """Return the whole text in `path`."""
        if path not in self._contents:
            try:
                self._contents[path] = self._read(path)
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else "that is no path"
                raise SourceFault(f"{str(path)!r} cannot be read: {why}") from None
        return self._contents[path]

    def dotenv(self, path: Path, name: str) -> str:
        """Return the value of `name` in the dotenv file `path`, taken literally (no `${…}`)."""
        if path not in self._dotenvs:
            text = self.file(path)
            from lollmsbot_keys.edges.files.dotenv_reading import values

            self._dotenvs[path] = values(text)
        if (value := self._dotenvs[path].get(name)) is None:
            raise SourceFault(f"{path} gives no value to {name}")
        return value

    def forget(self) -> None:
        """Forget what was read, so that it is read again when it is next asked for."""
        self._contents.clear()
        self._dotenvs.clear()

    def _read(self, path: Path) -> str:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(LARGEST_FILE_BYTES + 1)
        if len(content) > LARGEST_FILE_BYTES:
            raise SourceFault(f"{path} is larger than {LARGEST_FILE_BYTES >> 20} MiB, which no file of secrets is")
        if os.name == "posix" and stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
            warning = f"{path} holds a secret and can be read by other users. Run: chmod 600 '{path}'"
            if warning not in self.warnings:
                self.warnings.append(warning)
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:  # its message would quote the bytes
            raise SourceFault(f"{path} is no UTF-8 text") from None


def from_command(line: str, environ: Mapping[str, str], limit: timedelta = COMMAND_LIMIT) -> str:
    """Run the command `line` and return its standard output.

    No shell, no input; its error output is not shown. From an entry as `pass show` prints it, the first line counts:
    the others are remarks, such as `user: me`.
    """
    import subprocess

    try:
        argv = words(line)
    except ValueError:
        raise SourceFault("its command has a quote without an end") from None
    if not argv:
        raise SourceFault("its command is empty")
    try:
        # Same session and group: a password manager may have to ask on the terminal, and Ctrl-C must reach it.
        done = subprocess.run(  # noqa: S603  the user's own configuration names it
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limit.total_seconds(),
            env=dict(environ),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SourceFault(f"its command did not end within {limit.total_seconds():g} seconds") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it cannot be run"
        raise SourceFault(f"its command cannot be started: {why}") from None
    if done.returncode != 0:
        raise SourceFault(f"its command ended with exit code {done.returncode}; run it by hand to see why")
    try:
        first, *remarks = done.stdout.decode().strip().splitlines() or [""]
    except UnicodeDecodeError:
        raise SourceFault("its command gave no UTF-8 text") from None
    return first if all(re.fullmatch(_REMARK, remark) for remark in remarks) else "\n".join([first, *remarks])


def from_keyring(service: str, name: str) -> str:
    """Return the entry `name` of `service` in the system's keyring."""
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise SourceFault('keyring support is not installed. Run: pip install "lollmsbot-keys[keyring]"') from None
    try:
        found = keyring.get_password(service, name)
    except keyring.errors.NoKeyringError:
        raise SourceFault("this machine has no keyring service. Use another source, such as file:PATH") from None
    except Exception as error:  # noqa: BLE001  backends raise what they like; its words may hold anything
        raise SourceFault(f"the keyring refused ({type(error).__name__}). Is it locked?") from None
    if found is None:
        raise SourceFault(f"the keyring has nothing for {service}/{name}")
    return found
