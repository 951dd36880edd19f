"""`github:…`: secrets of GitHub Actions, through `gh secret set`, which encrypts them on this machine.

The login of `gh` counts (`GH_TOKEN`, `GITHUB_TOKEN`, or its own store); `GH_HOST` names another server. GitHub gives no
secret back, to anybody.
"""

from __future__ import annotations

import re

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.edges.secrets import Secret
from lollmsbot_keys.edges.targets.subprocesses import FinishedProcess, Programs
from lollmsbot_keys.edges.targets.target import NOT_READABLE, MaybeWritten, NotReadable
from lollmsbot_keys.errors import SecretError

_STATUS = re.compile(r"\bHTTP (\d{3})\b")
_NEXT_STEPS = {
    "401": "Log in again: gh auth login",
    "403": "The login needs leave to write secrets: Secrets: write for a fine-grained token, else the scope repo, or "
    "admin:org for an organisation. The GITHUB_TOKEN of a workflow never has it.",
    "404": "Correct the name, or log in as somebody who may see it: gh auth status",
}


class Repository(NamedTuple):
    """`OWNER/REPO`, or one of its environments."""

    name: str
    environment: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.environment}" if self.environment else self.name


class Organisation(NamedTuple):
    name: str

    def __str__(self) -> str:
        return f"orgs/{self.name}"


class GithubTarget:
    """One secret of a repository, an environment or an organisation."""

    __slots__ = ("_name", "_place", "_programs", "label")

    def __init__(self, place: Repository | Organisation, name: str, programs: Programs) -> None:
        self._place, self._name, self._programs = place, name.upper(), programs  # GitHub knows upper case only
        self.label = f"github:{place}#{self._name}"

    def __repr__(self) -> str:
        return f"<{self.label}>"

    def check(self) -> None:
        if not self._programs.has("gh"):
            raise SecretError(f"{self.label} needs GitHub's gh, which is not installed. See: https://cli.github.com")
        login = self._gh("auth", "token")
        # gh before 2.17 (2022) cannot tell without the network.
        if login.code != 0 and "unknown command" not in login.complaint:
            raise SecretError("gh is not logged in. Run: gh auth login, or set GH_TOKEN.")

    def write(self, secret: Secret) -> None:
        shared = self._visibility(self._place.name) if isinstance(self._place, Organisation) else []
        done = self._gh("secret", "set", self._name, *self._where(), *shared, secret=secret)
        if done.code != 0:
            raise self._failure(done)

    def read_back(self) -> NotReadable:
        return NOT_READABLE

    def restore(self, previous: Secret | None) -> None:
        """Restore as `Target` does, if the caller knows what was there; a new secret is not removed."""
        if previous is None:
            import shlex

            raise SecretError(
                f"{self.label} stays. To remove it: gh secret delete {shlex.join([self._name, *self._where()])}"
            )
        self.write(previous)

    def _where(self) -> list[str]:
        match self._place:
            case Repository(name, ""):
                return ["--repo", name]
            case Repository(name, environment):
                return ["--repo", name, "--env", environment]
            case Organisation(name):
                return ["--org", name]

    def _visibility(self, organisation: str) -> list[str]:
        """Return the options that keep an organisation's secret with the repositories that have it now.

        Without them gh gives it to all private ones (cli/cli#8110), as it does with a new secret.
        """
        path = f"orgs/{organisation}/actions/secrets/{self._name}"
        found = self._gh("api", path, "--jq", ".visibility")
        if found.code != 0 and "HTTP 404" in found.complaint:
            return []
        if found.code != 0:
            raise self._refusal(found)
        visibility = found.output.strip()
        if visibility != "selected":
            return ["--visibility", visibility]
        listed = self._gh("api", "--paginate", f"{path}/repositories?per_page=100", "--jq", ".repositories[].full_name")
        if listed.code != 0:
            raise self._refusal(listed)
        if not listed.output.split():
            raise SecretError(
                f"{self.label} is shared with selected repositories, but none is selected, and gh cannot leave it so. "
                "Select one, or set the secret by hand."
            )
        return ["--visibility", "selected", "--repos", ",".join(listed.output.split())]

    def _failure(self, done: FinishedProcess) -> SecretError:
        """Return the error for a run of gh that failed.

        A server that refuses (4xx) has changed nothing; the key to encrypt with is fetched before all else.
        """
        status = _STATUS.search(done.complaint)
        if (status is not None and status[1].startswith("4")) or "failed to fetch public key" in done.complaint:
            return self._refusal(done)
        return MaybeWritten(self._words(done))

    def _refusal(self, done: FinishedProcess) -> SecretError:
        return SecretError(self._words(done))

    def _words(self, done: FinishedProcess) -> str:
        status = _STATUS.search(done.complaint)
        step = _NEXT_STEPS.get(status[1] if status is not None else "", "Try again once that is mended.")
        return f"gh could not set {self.label} (exit code {done.code}): {done.complaint or 'it says nothing'}. {step}"

    def _gh(self, *arguments: str, secret: Secret | None = None) -> FinishedProcess:
        return self._programs.run(["gh", *arguments], secret, GH_DEBUG="")
