"""The loader of the configuration: the shipped defaults, the user's file over them, the environment over both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Config
from lollmsbot_keys.edges.config import DEFAULTS
from lollmsbot_keys.edges.config import cache as compiled_cache
from lollmsbot_keys.edges.config.build import Compiled, build
from lollmsbot_keys.edges.config.overrides import overrides as set_by
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.errors import ConfigError

if TYPE_CHECKING:
    from lollmsbot_keys.core.model.config_origin import ConfigProblems
    from lollmsbot_keys.edges.config.merge import Table
    from lollmsbot_keys.edges.config.variables import Override

_MALFORMED = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, OSError)


class Loaded(NamedTuple):
    """The configuration in force, and the user's file: its path, and whether it exists."""

    config: Config
    path: Path
    found: bool
    warnings: tuple[str, ...] = ()


class Sources(NamedTuple):
    """The checked sources of the configuration.

    `text` is the user's file, `None` where there is none.
    """

    path: Path
    text: str | None
    defaults: Table
    file: Table
    overrides: tuple[Override, ...]
    tree: Table


def load(option: Path | None, environment: Environment, cache: Path | None = None) -> Loaded:
    """Load the configuration in force.

    `option` is `--config`; `cache` is the place of the compiled form, or `None` to keep none.

    Raises:
        ConfigError: a named file is missing, a file cannot be read, or something in it or in a variable is wrong;
            the message names every such thing.
    """
    path, named = environment.config_path(option)
    overrides = _overrides(path, environment, must_exist=named)
    identity = compiled_cache.identity((DEFAULTS, path), overrides) if cache is not None else None
    if cache is not None and identity is not None:
        kept = _kept(cache, identity, path)
        if kept is not None and (kept.found or not named):
            return kept
    sources = _read(path, overrides, must_exist=named)
    compiled, warnings = _compile(sources)
    if cache is not None and identity is not None:
        compiled_cache.write(cache, identity, _without_urls(compiled), warnings)
    return Loaded(build(compiled), path, sources.text is not None, warnings)


def read(option: Path | None, environment: Environment) -> Sources:
    """Read all sources that `load` reads, to show where each value comes from.

    Raises as `load` does.
    """
    path, named = environment.config_path(option)
    return _read(path, _overrides(path, environment, must_exist=named), must_exist=named)


def config_of(sources: Sources) -> Loaded:
    """Return the configuration that `load` would give for these sources."""
    compiled, warnings = _compile(sources)
    return Loaded(build(compiled), sources.path, sources.text is not None, warnings)


def _overrides(path: Path, environment: Environment, *, must_exist: bool) -> tuple[Override, ...]:
    """Return the values that the variables set.

    Where a variable is wrong, the error names the faults of the file as well.
    """
    try:
        return set_by(environment)
    except ConfigError as error:
        from lollmsbot_keys.core.model.config_origin import ConfigProblems

        try:
            _read(path, (), must_exist=must_exist)
        except ConfigProblems as more:
            found = error.problems if isinstance(error, ConfigProblems) else ()
            raise ConfigProblems(*more.problems, *found) from None
        raise


def compiled_path(state: Path) -> Path:
    """Return the place of the compiled configuration: beside the state file."""
    return state.with_name(f"{state.stem}-config.cache.json")


def _kept(cache: Path, identity: compiled_cache.Identity, path: Path) -> Loaded | None:
    found = compiled_cache.read(cache, identity)
    if found is None:
        return None
    compiled, warnings = found
    try:
        alerts = cast("dict[str, object]", compiled["alerts"])
        if alerts["urls"] is None:
            alerts["urls"] = _alert_urls(path)
        return Loaded(build(compiled), path, compiled_cache.has_user_file(identity), warnings)
    except _MALFORMED:
        return None


def _without_urls(compiled: Compiled) -> Compiled:
    alerts = cast("Mapping[str, object]", compiled["alerts"])
    return {**compiled, "alerts": {**alerts, "urls": None}} if alerts["urls"] else compiled


def _alert_urls(path: Path) -> object:
    from lollmsbot_keys.edges.config import toml as toml_text  # only for those who have such URLs
    from lollmsbot_keys.edges.config import validators

    alerts = cast("Mapping[str, object]", toml_text.parse(toml_text.read(path), str(path))["alerts"])
    return validators.urls(alerts["urls"])


def _compile(sources: Sources) -> tuple[Compiled, tuple[str, ...]]:
    from lollmsbot_keys.edges.config.build import compile_tree, own_prices

    compiled = compile_tree(sources.tree, own_prices(sources.file, sources.defaults))
    if sources.text is None:
        return compiled, ()
    from lollmsbot_keys.edges.config import rules  # only a person's own file can be odd

    return compiled, rules.warnings(sources.tree)


def _read(path: Path, overrides: tuple[Override, ...], *, must_exist: bool) -> Sources:
    from lollmsbot_keys.edges.config import toml as toml_text  # not needed for a kept configuration
    from lollmsbot_keys.edges.config.build import without_parts
    from lollmsbot_keys.edges.config.merge import merge, with_values

    defaults = toml_text.parse(DEFAULTS.read_text(encoding="utf-8"), str(DEFAULTS))
    text = toml_text.read(path, must_exist=must_exist)
    file = toml_text.parse(text, str(path)) if text is not None else {}
    tree = merge(without_parts(defaults, file), file)
    if text is not None:
        _check(tree, defaults, file, path, line_source=text)
    return Sources(
        path, text, defaults, file, overrides, with_values(tree, ((to, value) for _, to, value in overrides))
    )


def _check(tree: Table, defaults: Table, file: Table, path: Path, *, line_source: str) -> None:
    """Check the merged tree against the schema, and its right values against the rules."""
    from lollmsbot_keys.edges.config import rules, schema  # pydantic takes 0.1 s
    from lollmsbot_keys.edges.config.merge import mended

    found = schema.faults(tree)
    wrong = [where for where, _ in found]
    for where, message in rules.faults(mended(tree, wrong, defaults), file):
        if not any(where == one[: len(where)] or one == where[: len(one)] for one in wrong):
            found.append((where, message))
    if found:
        raise _problems(found, line_source, path)


def _problems(found: list[tuple[tuple[str, ...], str]], text: str, path: Path) -> ConfigProblems:
    from lollmsbot_keys.core.model.config_origin import ConfigProblems, Problem  # only when something is wrong
    from lollmsbot_keys.edges.config.line_numbers import key_path, line_numbers, line_of
    from lollmsbot_keys.edges.config.validators import harmless

    lines = line_numbers(text)
    problems = [
        Problem(
            message,
            key=key_path(tuple(name if harmless(name) else "..." for name in where)),
            file=str(path),
            line=line_of(where, lines),
        )
        for where, message in found
    ]
    return ConfigProblems(*sorted(problems, key=lambda problem: problem.line or 0))
