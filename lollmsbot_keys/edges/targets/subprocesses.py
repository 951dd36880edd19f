"""Programs that take a secret: on their standard input, never as an argument, and with a time limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.edges.environment.proxy import proxy_credentials
from lollmsbot_keys.edges.secrets import Scrubber, Secret
from lollmsbot_keys.edges.targets.target import MaybeWritten
from lollmsbot_keys.errors import SecretError

_CREDENTIALS = ("_TOKEN", "_SECRET", "_PASSWORD", "_API_KEY", "_ACCESS_KEY")
_LAST_LINES = 3
_LONGEST = 300


class FinishedProcess(NamedTuple):
    """The end of a program: exit code, output (as it is), and its last error output.

    The error output is without any secret.
    """

    code: int
    output: str
    complaint: str

    def __repr__(self) -> str:  # `gh auth token` writes a token
        return f"<ended with {self.code}>"


class Programs:
    """The runner of programs in `environ`, each for at most `limit`.

    `scrubber` takes the secrets it knows out of their output.
    """

    __slots__ = ("_environ", "_limit", "_scrubber")

    def __init__(self, environ: Mapping[str, str], limit: timedelta, scrubber: Scrubber) -> None:
        self._environ, self._limit, self._scrubber = environ, limit, scrubber

    def __repr__(self) -> str:
        return "<programs>"

    def has(self, program: str) -> bool:
        """Say whether there is such a program."""
        import shutil

        return shutil.which(program, path=self._environ.get("PATH")) is not None

    def run(self, argv: Sequence[str], secret: Secret | None = None, **variables: str) -> FinishedProcess:
        """Run `argv`, with `secret` and a line break as its input.

        `variables` go over the environment. Same session and group: a password manager may have to ask on the terminal,
        and Ctrl-C must reach it.

        Raises:
            MaybeWritten: it had the secret and did not end in time.
            SecretError: it cannot be started, or did not end in time.
        """
        import subprocess

        try:
            done = subprocess.run(  # noqa: S603  the user's own command line or configuration names it
                argv,
                input=b"" if secret is None else f"{secret.reveal()}\n".encode(),
                capture_output=True,
                timeout=self._limit.total_seconds(),
                env={**self._environ, **variables},
                check=False,
            )
        except subprocess.TimeoutExpired:
            kind = SecretError if secret is None else MaybeWritten
            raise kind(f"{argv[0]} did not end within {self._limit.total_seconds():g} seconds.") from None
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it cannot be run"
            raise SecretError(f"{argv[0]} cannot be started: {why}.") from None
        self._learn(secret)
        # All of it, before it is shortened: a secret may go over more lines than are kept.
        lines = self._scrubber.text(done.stderr.decode(errors="replace")).strip().splitlines()
        complaint = self._scrubber.line("\n".join(lines[-_LAST_LINES:]), _LONGEST)
        return FinishedProcess(done.returncode, done.stdout.decode(errors="replace"), complaint)

    def _learn(self, secret: Secret | None) -> None:
        """Teach the scrubber what programs may repeat: the secret, and their logins in the environment."""
        for name, value in self._environ.items():
            is_one = name.upper().endswith(_CREDENTIALS)
            credentials = (value,) if is_one else proxy_credentials(value) if name.upper().endswith("_PROXY") else ()
            self._scrubber.learn(*(Secret(characters, Provider.LOCAL) for characters in credentials))
        if secret is not None:
            self._scrubber.learn(secret)
