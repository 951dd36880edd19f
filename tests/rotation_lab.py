"""A pool in a sandbox whose keys have their secrets in a dotenv file, as `lbk rotate` likes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dotenv import dotenv_values

from lollmsbot_keys.core.model.rotation_journal import Replacement
from lollmsbot_keys.core.model.snapshot import Sighting
from lollmsbot_keys.sandbox import Fault
from tests.lab import OLLAMA, ROUTERS, Ended, Json, Lab, lab

MINTED = ROUTERS[0]


class RotationLab:
    """One pool. The secrets of `OLLAMA` and `MINTED` are in `.env`; the variables of these names are gone."""

    def __init__(self, here: Lab) -> None:
        self.here, self.sandbox, self.folder = here, here.sandbox, here.folder
        self.dotenv = here.folder / ".env"
        secrets = {name: here.env.pop(name) for name in (OLLAMA, MINTED)}
        self.before = (
            "# mine\nexport OTHER='one two'\n" + "".join(f"{n}={s}\n" for n, s in secrets.items()) + "\nLAST=1\n"
        )
        self.first = secrets[MINTED]
        self.dotenv.write_text(self.before, "utf-8")
        self.dotenv.chmod(0o600)
        here.configure("".join(f'[keys.{name}]\nsecret = "dotenv:.env#{name}"\n' for name in secrets))

    def rotate(self, *args: str, stdin: str | None = None, **variables: str) -> Ended:
        """A real process."""
        return self.here.run("rotate", *args, stdin=stdin, **variables)

    def document(self, *args: str, stdin: str | None = None) -> Json:
        """The JSON of a rotation that must succeed."""
        done = self.rotate(*args, "--json", stdin=stdin)
        assert done.code == 0, done
        return done.document

    def secret(self, name: str = MINTED) -> str | None:
        """What every reader of the dotenv file finds."""
        return dotenv_values(self.dotenv).get(name)

    def works(self, name: str = MINTED) -> bool:
        """Whether the provider takes what is stored."""
        return self.secret(name) in self.sandbox.living_keys().values()

    def made(self) -> list[str]:
        """The names of the keys at the provider that lbk made."""
        return [name for name in self.sandbox.living_keys() if "(lbk " in name]

    def journal(self, name: str = MINTED) -> Replacement | None:
        return self.here.state.rotations.get(name)

    def sighting(self, name: str = MINTED) -> Sighting:
        return self.here.state.sightings[name]

    def steps(self, document: Json) -> dict[str, str]:
        """Each step of a document with its status."""
        return {entry["step"]: entry["status"] for entry in document["steps"]}


@contextmanager
def rotation_lab(folder: Path, *faults: str | Fault) -> Iterator[RotationLab]:
    """A running one."""
    with lab(folder, *faults) as here:
        yield RotationLab(here)
