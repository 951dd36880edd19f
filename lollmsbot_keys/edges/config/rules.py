"""The rules between values of the configuration: references, orders, chains, names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import cast

from lollmsbot_keys.core.base import durations
from lollmsbot_keys.core.model.config import LONGEST_NAME, Privacy, as_compared, is_cloud_name, match_name, strip_cloud
from lollmsbot_keys.edges.config.build import PRICE_PARTS
from lollmsbot_keys.edges.config.merge import Table
from lollmsbot_keys.edges.config.validators import nearest

Fault = tuple[tuple[str, ...], str]
Tables = Mapping[str, Table]
_IDENTIFIER = r"[A-Za-z0-9_.-]+"
_PARTS = {
    **dict.fromkeys(PRICE_PARTS, "a part of a price that is not there: input_usd_per_mtok is missing"),
    "priced_on": "the date of a price that is not there",
}
LOCAL = "local"
"""The name of a candidate without a key, and so of no key."""


def faults(tree: Table, file: Table) -> list[Fault]:
    """Return every broken rule of a tree whose single values are right, each with its key path.

    `file` is the user's part of the tree: a mistake that spans several tables is shown there.
    """
    keys, models = cast("Tables", tree["keys"]), cast("Tables", tree["models"])
    pillars = cast("Mapping[str, Tables]", tree["pillars"])
    return [
        *_names(keys, models, pillars),
        *_priorities(keys),
        *_cooldowns(cast("Mapping[str, str]", tree["cooldowns"])),
        *_prices(models),
        *_successors(models, file.get("models")),
        *_roles(pillars, keys),
        *_leaving(pillars, cast("Table", tree["routing"])),
    ]


def warnings(tree: Table) -> tuple[str, ...]:
    """Return warnings about values that are allowed but probably not intended."""
    owners: dict[object, str] = {}
    found: list[str] = []
    for name, key in cast("Tables", tree["keys"]).items():
        reference = key.get("secret", f"env:{name}")
        if reference in owners:
            found.append(f"keys.{name} and keys.{owners[reference]} name the same secret: their limits count twice")
        owners.setdefault(reference, name)
    return tuple(found)


def _names(keys: Tables, models: Tables, pillars: Mapping[str, Tables]) -> Iterator[Fault]:
    for kind, names in (("keys", keys), ("pillars", pillars)):
        for name in names:
            if re.fullmatch(_IDENTIFIER, name) is None:
                yield (kind, name), "expected a name of letters, digits, _, . and -"
    for name in keys:
        if name == LOCAL:
            yield ("keys", name), '"local" means a call without a key; choose another name'
    for kind, names in (("keys", keys), ("pillars", pillars), ("models", models)):
        for name in names:
            if len(name) > LONGEST_NAME:
                yield (kind, name), f"expected a name of at most {LONGEST_NAME} characters"
    for name in models:
        if not name or not name.isprintable() or name.split() != [name]:
            yield ("models", name), "expected a model's name: not empty, without white space"
    yield from _twins(models)
    for pillar, roles in pillars.items():
        for role in roles:
            if re.fullmatch(_IDENTIFIER, role) is None:
                yield ("pillars", pillar, role), "expected a name of letters, digits, _, . and -"


def _twins(models: Tables) -> Iterator[Fault]:
    """Yield models that are one and the same for the daemon.

    Of two tables only the one that is spelt as in the request would count.
    """
    first: dict[str, str] = {}
    for name in models:
        plain = name if "/" in name else strip_cloud(name)
        known = first.setdefault(as_compared(plain).removesuffix(":latest"), name)
        if known != name:
            yield ("models", name), f'{known} in other words, which has a table already; write it as models."{known}"'
        elif plain != name and name.split() == [name]:
            yield (
                ("models", name),
                f"expected its name at the provider, {plain}; the suffix is of the local daemon alone",
            )


def _priorities(keys: Tables) -> Iterator[Fault]:
    owners: dict[object, str] = {}
    for name, key in keys.items():
        priority = key.get("priority")
        if priority is not None and priority in owners:
            yield ("keys", name, "priority"), f"{owners[priority]} has the same; give each its own"
        owners.setdefault(priority, name)


def _cooldowns(cooldowns: Mapping[str, str]) -> Iterator[Fault]:
    longest = durations.parse(cooldowns["longest"])
    for name in ("rate_limited", "unavailable"):
        if durations.parse(cooldowns[name]) > longest:
            yield (
                ("cooldowns", "longest"),
                f"expected at least {name} ({cooldowns[name]}), got {cooldowns['longest']}",
            )


def _prices(models: Tables) -> Iterator[Fault]:
    both = ("input_usd_per_mtok", "output_usd_per_mtok")
    for name, model in models.items():
        missing = [half for half in both if half not in model]
        if len(missing) == 1:
            yield ("models", name), f"{missing[0]} is missing: a price has both halves"
        elif missing:
            yield from ((("models", name, part), what) for part, what in _PARTS.items() if part in model)


def _successors(models: Tables, mine: object) -> Iterator[Fault]:
    for name, model in models.items():
        for field in ("successor", "stand_in"):
            if ("/" in str(model.get(field, name))) != ("/" in name):
                yield ("models", name, field), "expected a model of the same seller (OpenRouter ids have a /)"
        successor, seen = _next(model), [name]
        while isinstance(successor, str):
            found = match_name(successor, models) or successor
            if found == name and isinstance(mine, dict) and name in mine:
                field = "successor" if "successor" in model else "stand_in"
                yield ("models", name, field), f"goes in a circle: {' -> '.join([*seen, name])}"
            if found in seen:
                break
            seen.append(found)
            successor = _next(models.get(found, {}))


def _next(model: Table) -> object:
    return model.get("successor", model.get("stand_in"))


def _roles(pillars: Mapping[str, Tables], keys: Tables) -> Iterator[Fault]:
    for pillar, roles in pillars.items():
        if not any(role != "fallback" for role in roles):
            yield ("pillars", pillar), "expected at least one role besides the fallback"
        for role, settings in roles.items():
            key = settings.get("key")
            if key is not None and key not in keys:
                known = nearest(str(key), keys) or f"; known keys: {', '.join(keys)}"
                yield ("pillars", pillar, role, "key"), f"no such key{known}"


def _leaving(pillars: Mapping[str, Tables], routing: Table) -> Iterator[Fault]:
    """Yield every cloud model in a place for critical prompts, which must stay on this machine."""
    if is_cloud_name(str(routing["local_model"])):
        yield ("routing", "local_model"), "expected a model of this machine's own; this is a cloud model"
    for pillar, roles in pillars.items():
        for role, settings in roles.items():
            level = settings.get("privacy", routing["default_privacy"])
            if level == Privacy.CRITICAL and is_cloud_name(str(settings["model"])):
                yield (
                    ("pillars", pillar, role, "model"),
                    "a cloud model, which critical prompts never reach; name one of this machine's own",
                )
