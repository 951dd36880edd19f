"""The check for a misspelt model name.

A call would only find out that nobody has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lollmsbot_keys.core.model.config import Config, Provider, match_name

NEAR = 0.8
"""The least similarity of two names, from 0 to 1: that of `kimi-k2.7` and `kimi-k2.6` is 0.89."""
_DATED = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")


def slip_of(name: str, config: Config, lists: Mapping[Provider, frozenset[str]]) -> str | None:
    """Return the known name that `name` is close to; `None` where it is known itself, or like none.

    What is configured anywhere is known, and what is in one of `lists`.
    """
    if match_name(name, config.models) is not None or any(match_name(name, names) for names in lists.values()):
        return None
    known = {*_configured(config), *config.models, *(other for names in lists.values() for other in names)}
    if "/" in name:  # OpenRouter takes its ids with a variant (`:nitro`) and with a date, too, and lists neither
        plain = name.partition(":")[0]
        if name.startswith("openrouter/") or not known.isdisjoint({plain, _DATED.sub("", plain)}):
            return None
    if name in known or "@" in name:
        return None
    from difflib import get_close_matches  # imported only for an unknown name

    return next(iter(get_close_matches(name, sorted(known), n=1, cutoff=NEAR)), None)


def _configured(config: Config) -> Iterator[str]:
    yield config.routing.default_model
    yield from (model.openrouter for model in config.models.values() if model.openrouter is not None)
    yield from (model.successor for model in config.models.values() if model.successor is not None)
    yield from config.providers[Provider.OPENROUTER].free_models
    for pillar in config.pillars.values():
        yield from (role.model for role in pillar.roles.values())
        if pillar.fallback is not None:
            yield pillar.fallback.model


def unknown_model(name: str, near: str) -> str:
    """Return the message for a name that no list has."""
    return (
        f"No list has a model {name!r}. Did you mean {near!r}? All that there are: lbk test-keys --models. "
        f'If it is right all the same, give it a table: [models."{name}"].'
    )
