"""`lbk config`: the place of the configuration, its settings and origins, its problems, and a first file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

from lollmsbot_keys.core.alerts.thresholds import too_small
from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.config import Config, Key
from lollmsbot_keys.core.model.config_origin import ConfigProblems, Problem, Setting
from lollmsbot_keys.core.security.sanitize import clean_line
from lollmsbot_keys.core.security.trusted_hosts import OWN_HOSTS, trusted
from lollmsbot_keys.edges.config import load as config_file
from lollmsbot_keys.edges.config.overrides import without_overrides
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.errors import SecretError, UsageError


@dataclass(frozen=True, slots=True)
class ConfigPlace:
    """The config file's path, and whether it is there."""

    path: Path
    found: bool


@dataclass(frozen=True, slots=True)
class ShownSettings:
    """The settings in force, all or those asked for."""

    path: Path
    found: bool
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """The problems of a configuration, and the warnings about what is merely odd."""

    path: Path
    found: bool
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def where(option: Path | None, environment: Environment | None = None) -> ConfigPlace:
    """Return the config file in use.

    A named one that is missing is reported, not refused: `init` may be about to write it.
    """
    path, _ = (environment or Environment.here()).config_path(option)
    try:
        return ConfigPlace(path, path.exists())
    except (OSError, ValueError):
        return ConfigPlace(path, found=False)


def show(option: Path | None, wanted: str | None = None, environment: Environment | None = None) -> ShownSettings:
    """Return every setting in force with its origin.

    `wanted` is a key path, or the beginning of one.

    Raises:
        ConfigError: the configuration cannot be used.
        UsageError: nothing is called `wanted`.
    """
    from lollmsbot_keys.edges.config.origins import settings

    sources = config_file.read(option, environment or Environment.here())
    found = settings(sources)
    if wanted is not None:
        found = _under(wanted, found)
    return ShownSettings(sources.path, sources.text is not None, found)


def check(option: Path | None, environment: Environment | None = None) -> Checked:
    """Return everything that is wrong, as values.

    In the file, in the variables, endpoints that no secret may go to, sources. A source that somebody chose must give a
    secret; of a variable nobody knows whether it has to be set here.
    """
    environment = environment or Environment.here()
    here = where(option, environment)
    problems: tuple[Problem, ...] = ()
    try:
        sources = config_file.read(option, environment)
    except ConfigProblems as error:
        problems = error.problems
        if not all(problem.variable for problem in problems):
            return Checked(here.path, here.found, problems, ())
        sources = config_file.read(option, without_overrides(environment))
    loaded = config_file.config_of(sources)
    problems = (*problems, *_untrusted(sources, loaded.config))
    bad, unwise = _sources(sources, loaded.config, environment)
    warnings = (*loaded.warnings, *unwise, *too_small(loaded.config, datetime.now(UTC)).values())
    return Checked(here.path, here.found, (*problems, *bad), warnings)


def init(option: Path | None, environment: Environment | None = None) -> ConfigPlace:
    """Write a first config file; `found` says whether there was one already, which then stays as it is.

    Raises:
        ConfigError: the place cannot be written to.
    """
    from lollmsbot_keys.edges.config.template import write_new

    path, _ = (environment or Environment.here()).config_path(option)
    try:
        write_new(path)
    except FileExistsError:
        return ConfigPlace(path, found=True)
    return ConfigPlace(path, found=False)


def set_by_variables() -> dict[str, str]:
    """Return the environment variables that override the configuration, with the setting of each."""
    from lollmsbot_keys.edges.config import variables

    return variables.set_by_variables()


def output_style(environment: Environment | None = None) -> OutputStyle:
    """Return how output should look."""
    return (environment or Environment.here()).output_style


def _under(wanted: str, settings: tuple[Setting, ...]) -> tuple[Setting, ...]:
    plain = _unquoted(wanted).removesuffix(".")
    found = tuple(one for one in settings if f"{_unquoted(one.key)}.".startswith(f"{plain}."))
    if not found:
        tables = {_unquoted(one.table) for one in settings}
        near = get_close_matches(plain, [*(_unquoted(one.key) for one in settings), *tables], n=1)
        hint = f" Did you mean {near[0]}?" if near else " All settings: lbk config show"
        raise UsageError(f'No setting is called "{clean_line(wanted)}".{hint}')
    return found


def _unquoted(key: str) -> str:
    return key.replace('"', "")


def _untrusted(sources: config_file.Sources, config: Config) -> list[Problem]:
    """Return the endpoints that are used with a secret but may not be shown one."""
    from lollmsbot_keys.edges.config.origins import settings

    origins = {setting.key: setting for setting in settings(sources)}
    problems: list[Problem] = []
    for provider, its in config.providers.items():
        at = origins[f"providers.{provider}.endpoints"]
        for endpoint in its.endpoints:
            if not trusted(provider, endpoint, its.trusted_hosts):
                message = (
                    f"{endpoint} may not be shown a secret: it is neither {' nor '.join(sorted(OWN_HOSTS[provider]))} "
                    f"over https, nor loopback. If it is yours, use https and name its host in "
                    f"providers.{provider}.trusted_hosts."
                )
                problems.append(Problem(message, at.key, at.file, at.line, at.variable))
    return problems


def _sources(
    sources: config_file.Sources, config: Config, environment: Environment
) -> tuple[list[Problem], tuple[str, ...]]:
    """Return the sources of secrets that give none, and what is unwise about the others."""
    from lollmsbot_keys.edges.config.origins import settings
    from lollmsbot_keys.edges.secrets import Secrets

    places = {f"keys.{key.name}.secret": key for key in config.keys if key.enabled}
    for provider, its in config.providers.items():
        at = f"providers.{provider}.management_secret"
        if its.management_secret is not None:
            places[at] = Key(at, provider, its.management_secret)
    places = {at: key for at, key in places.items() if not key.secret.startswith("env:")}
    base = sources.path.parent.absolute()
    secrets = Secrets(places.values(), environment.variables, base, base / "no fingerprint is needed")
    origins = {_unquoted(setting.key): setting for setting in settings(sources)}
    problems: list[Problem] = []
    for at, key in places.items():
        try:
            secrets.open(key.name)
        except SecretError:
            by = origins[at]
            problems.append(Problem(f"no secret: {secrets.problem(key.name)}", by.key, by.file, by.line, by.variable))
    return problems, secrets.warnings
