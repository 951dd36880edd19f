"""References to targets.

    dotenv:PATH#NAME                  a variable of a dotenv file
    file:PATH                         a file that holds the secret alone
    keyring:SERVICE/NAME              an entry of the system's keyring
    github:OWNER/REPO                 a secret of a repository
    github:OWNER/REPO@ENVIRONMENT     of one of its deployment environments
    github:orgs/ORGANISATION          of an organisation (github.com/orgs/… is its page, so nobody is called `orgs`)
    command:PROGRAM ARGUMENTS         a program that reads the secret from its standard input; there is no shell

A GitHub secret is called as the key; ``#NAME`` at the end gives it another name. Relative paths start from the folder
of the configuration, as those of sources do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Key
from lollmsbot_keys.edges.secrets import Scrubber, Secret, fingerprint
from lollmsbot_keys.edges.secrets.command_line import words
from lollmsbot_keys.edges.secrets.sources import SecretFiles
from lollmsbot_keys.edges.targets.subprocesses import Programs
from lollmsbot_keys.edges.targets.target import Hold, Target
from lollmsbot_keys.errors import SecretError, UsageError

PROGRAM_LIMIT = timedelta(seconds=60)
"""The time limit of a program, which may need a server (three times for an organisation) or a person who unlocks it."""

FORMS = {
    "dotenv": "dotenv:PATH#NAME",
    "file": "file:PATH",
    "keyring": "keyring:SERVICE/NAME",
    "github": "github:OWNER/REPO, github:OWNER/REPO@ENVIRONMENT or github:orgs/ORGANISATION, each with #NAME at will",
    "command": "command:PROGRAM ARGUMENTS",
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GITHUB = re.compile(
    r"""
    orgs/ (?P<org>[A-Za-z0-9][A-Za-z0-9_-]*)
    | (?P<repo> (?!orgs/)[A-Za-z0-9][A-Za-z0-9_-]* / (?!\.{1,2}(?:@|\Z))[A-Za-z0-9._-]+ )
      (?: @ (?P<environment> [^@\s] (?:[^@]*[^@\s])? ) )?
    """,
    re.VERBOSE,
)


class Surroundings(NamedTuple):
    """The facts about the world that targets need; its `repr` shows none of them.

    `base` is the folder that relative paths start from, `environ` the whole environment (programs run in it),
    `scrubber` takes all secrets out of messages; it learns those that are read here, and what programs are given.
    `fingerprint_key` is the installation's (`None`: what is read back has no fingerprint), `limit` is for one program,
    and `keeps` tells whether a file is lbk's own.
    """

    base: Path
    environ: Mapping[str, str]
    scrubber: Scrubber
    fingerprint_key: bytes | None = None
    limit: timedelta = PROGRAM_LIMIT
    keeps: Callable[[Path], bool] = lambda _: False

    def __repr__(self) -> str:
        return f"<surroundings of {self.base}>"


def parse_target(text: str, key: Key, around: Surroundings) -> Target:
    """Parse `text` into the target for a secret of `key`.

    Raises:
        UsageError: `text` is no target. It is not quoted, for it may be a secret in the wrong place.
        SecretError: an environment variable, which nobody can write; or a file of lbk's own.
    """
    scheme, _, rest = text.strip().partition(":")
    if not text.isprintable():
        raise _malformed("")
    match scheme:
        case "dotenv":
            return _dotenv(rest, key, around)
        case "file":
            return _file(rest, key, around)
        case "keyring":
            return _keyring(rest, key, around)
        case "github":
            return _github(rest, key, around)
        case "command":
            return _command(rest, around)
        case "env":
            raise SecretError(
                "An environment variable cannot be written: it belongs to whoever starts the programs. "
                + _elsewhere(key.name)
            )
        case _:
            raise _malformed(scheme)


def own_target(key: Key, around: Surroundings) -> Target:
    """Return the place where `key` finds its secret, as a target.

    Raises:
        SecretError: it can only be read: an environment variable, or a command that prints.
    """
    match key.secret.partition(":")[0]:
        case "env":
            raise SecretError(f"{key.name} is an environment variable, which cannot be written. {_elsewhere(key.name)}")
        case "command":
            raise SecretError(f"{key.name} is read from a command, which does not store. {_elsewhere(key.name)}")
        case _:
            return parse_target(key.secret, key, around)


def _elsewhere(name: str) -> str:
    return (
        f"Say where the new secret goes, for instance --to dotenv:.env#{name} or --to keyring:lbk/{name}, and let "
        f"`secret` in [keys.{name}] name the place that it is read from."
    )


def _malformed(scheme: str) -> UsageError:
    if scheme in FORMS:
        return UsageError(f"A {scheme} target is written {FORMS[scheme]}")
    near = get_close_matches(scheme.casefold(), FORMS, n=1, cutoff=0.7)
    hint = f" Did you mean {near[0]}: ?" if near else ""
    return UsageError(f"That is no target.{hint} The forms are: {'; '.join(FORMS.values())}")


def _dotenv(rest: str, key: Key, around: Surroundings) -> Target:
    path, _, name = rest.rpartition("#")
    if not path.strip() or _VARIABLE.fullmatch(name) is None:
        raise _malformed("dotenv")
    from lollmsbot_keys.edges.targets.dotenv import DotenvTarget

    return DotenvTarget(_path(path, around), name, _hold(key, around))


def _file(rest: str, key: Key, around: Surroundings) -> Target:
    if not rest.strip():
        raise _malformed("file")
    from lollmsbot_keys.edges.targets.file import FileTarget

    return FileTarget(_path(rest, around), _hold(key, around))


def _keyring(rest: str, key: Key, around: Surroundings) -> Target:
    service, _, name = rest.rpartition("/")
    if not service.strip() or not name.strip():
        raise _malformed("keyring")
    from lollmsbot_keys.edges.targets.keyring import KeyringTarget

    return KeyringTarget(service, name, _hold(key, around))


def _github(rest: str, key: Key, around: Surroundings) -> Target:
    place, mark, name = rest.partition("#")
    name = name if mark else key.name
    found = _GITHUB.fullmatch(place)
    if found is None:
        raise _malformed("github")
    if _VARIABLE.fullmatch(name) is None or name.upper().startswith("GITHUB_"):
        raise UsageError(
            f"{name if not mark else 'What follows the #'} cannot be the name of a GitHub secret: that takes letters, "
            f"digits and _, no digit and no GITHUB_ at the beginning. Choose one: --to github:{place}#NAME"
        )
    from lollmsbot_keys.edges.targets.github_actions import GithubTarget, Organisation, Repository

    where = Organisation(found["org"]) if found["org"] else Repository(found["repo"], found["environment"] or "")
    return GithubTarget(where, name, _programs(around))


def _command(rest: str, around: Surroundings) -> Target:
    try:
        argv = words(rest)
    except ValueError:
        raise UsageError("The command of the target has a quote without an end.") from None
    if not argv:
        raise _malformed("command")
    from lollmsbot_keys.edges.targets.command import CommandTarget

    return CommandTarget(argv, _programs(around))


def _path(text: str, around: Surroundings) -> Path:
    path = SecretFiles(around.base, around.environ).path(text)
    if around.keeps(path):
        raise SecretError(f"{path} is a file that lbk keeps itself. Name another one for the secret.")
    return path


def _programs(around: Surroundings) -> Programs:
    return Programs(around.environ, around.limit, around.scrubber)


def _hold(key: Key, around: Surroundings) -> Hold:
    def hold(characters: str) -> Secret:
        secret = Secret(characters, key.provider, fingerprint(characters, around.fingerprint_key))
        around.scrubber.learn(secret)
        return secret

    return hold
