"""Laying one configuration tree over another, and the resulting order of keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

Table = dict[str, object]
"""A TOML table as tomllib gives it: text, whole numbers, `Decimal`, dates, arrays, tables."""


def merge(under: Mapping[str, object], over: Mapping[str, object]) -> Table:
    """Lay `over` on `under`, table by table.

    Known names keep their place, new ones follow in their order. A value that is no table replaces the old one, an
    array as a whole. Neither argument is changed.
    """
    merged: Table = dict(under)
    for name, value in over.items():
        below = under.get(name)
        merged[name] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def with_values(tree: Mapping[str, object], values: Iterable[tuple[tuple[str, ...], object]]) -> Table:
    """Return `tree` with single values set at their key paths."""
    merged: Table = dict(tree)
    for path, value in values:
        layer: object = value
        for name in reversed(path):
            layer = {name: layer}
        merged = merge(merged, cast("Table", layer))
    return merged


def mended(tree: Mapping[str, object], wrong: Iterable[tuple[str, ...]], good: Mapping[str, object]) -> Table:
    """Return `tree` with the values at the wrong key paths taken from `good`.

    A value that `good` does not have is removed.
    """
    result: Table = dict(tree)
    for path in wrong:
        result = _mend(result, path, good)
    return result


def _mend(tree: Mapping[str, object], path: tuple[str, ...], good: object) -> Table:
    name, below = path[0], path[1:]
    instead = good.get(name) if isinstance(good, dict) else None
    here, result = tree.get(name), dict(tree)
    if below and isinstance(here, dict):
        result[name] = _mend(here, below, instead)
    elif instead is not None:
        result[name] = instead
    else:
        result.pop(name, None)
    return result


def by_priority(keys: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return the keys' names in order.

    A key with a `priority` stands at that place (from 1); the others keep their order around it.
    """
    placed = {name: priority for name, key in keys.items() if isinstance(priority := key.get("priority"), int)}
    order = [name for name in keys if name not in placed]
    for name in sorted(placed, key=lambda one: placed[one]):
        order.insert(placed[name] - 1, name)
    return order
