"""Every value in force, and its origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import cast

from lollmsbot_keys.core.model.config_origin import Origin, Setting, Value
from lollmsbot_keys.edges.config.line_numbers import Path, key_path, line_numbers, line_of
from lollmsbot_keys.edges.config.load import Sources

_UNSAID = {"enabled": True, "reserved": False}


def settings(sources: Sources) -> tuple[Setting, ...]:
    """Return all values of a checked configuration, in its order.

    The values that a key has by default are included. Of alert URLs only the service is shown: the rest of them are
    credentials.
    """
    lines = line_numbers(sources.text) if sources.text is not None else {}
    variables = {path: variable for variable, path, _ in sources.overrides}
    found: list[Setting] = []
    for path, value in _leaves(_complete(sources.tree)):
        key, shown = key_path(path), _masked(path, _plain(value))
        if path in variables:
            found.append(Setting(key, shown, Origin.ENVIRONMENT, variable=variables[path]))
        elif _holds(sources.file, path):
            line = line_of(path, lines)
            found.append(Setting(key, shown, Origin.FILE, file=str(sources.path), line=line))
        else:
            found.append(Setting(key, shown, Origin.DEFAULT))
    return tuple(found)


def _complete(tree: Mapping[str, object]) -> dict[str, object]:
    keys = cast("Mapping[str, Mapping[str, object]]", tree["keys"])
    said = {name: {"provider": None, "secret": f"env:{name}", **_UNSAID, **key} for name, key in keys.items()}
    return {**tree, "keys": said}


def _leaves(tree: Mapping[str, object], above: Path = ()) -> Iterator[tuple[Path, object]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _holds(tree: object, path: Path) -> bool:
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return False
        tree = tree[name]
    return True


def _plain(value: object) -> Value:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case date():
            return value.isoformat()
        case list():
            return [_plain(entry) for entry in value]
        case _:
            return cast("Value", value)


def _masked(path: Path, value: Value) -> Value:
    if path == ("alerts", "urls") and isinstance(value, list):
        return [f"{str(url).partition('://')[0]}://..." for url in value]
    return value
