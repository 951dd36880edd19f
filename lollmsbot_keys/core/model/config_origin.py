"""One value of the configuration with its origin, and a problem with one."""

from __future__ import annotations

from enum import StrEnum

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.errors import ConfigError

Value = bool | int | float | str | list["Value"] | None
"""A value as JSON holds it. Amounts are numbers here, for reading only."""


class Origin(StrEnum):
    """The origin of a value.

    The later one wins.
    """

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"


class Setting(NamedTuple):
    """One value in force.

    `key` is its TOML key path; `place` is `file:line` or the variable's name.
    """

    key: str
    value: Value
    origin: Origin
    file: str | None = None
    line: int | None = None
    variable: str | None = None

    @property
    def table(self) -> str:
        """The key path without its last name."""
        return self.key[: -len(self.name)].removesuffix(".")

    @property
    def name(self) -> str:
        """The last name of the key path, in quotes where TOML wants them."""
        if self.key.endswith('"'):
            return self.key[self.key[:-1].rindex('"') :]
        return self.key.rpartition(".")[2]

    @property
    def source(self) -> str:
        """The origin for people: `default`, `config.toml:12`, or `OLLAMA_HOST`."""
        match self.origin:
            case Origin.DEFAULT:
                return "default"
            case Origin.FILE:
                return f"{self.file}:{self.line}" if self.line else f"{self.file}"
            case Origin.ENVIRONMENT:
                return f"environment {self.variable}"


class Problem(NamedTuple):
    """One error in the configuration.

    `message` never holds a secret.
    """

    message: str
    key: str | None = None
    file: str | None = None
    line: int | None = None
    variable: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file or self.variable
        return ": ".join(part for part in (place, self.key, self.message) if part)


class ConfigProblems(ConfigError):
    """All errors of the configuration at once."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
