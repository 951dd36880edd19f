"""The tokens that chat templates add to a prompt: marks, and often a system text of their own.

The figures are measured and kept as data. A call that used more than its bound had teaches the model's own figure: it
is in every bound from then on, and is never lowered.
"""

from __future__ import annotations

from collections.abc import Mapping

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Config, Provider
from lollmsbot_keys.core.model.snapshot import Snapshot

MOST_TOKENS = 32_768
"""The most that is believed of one report: a wrong one must not price a model out of every budget for ever."""
MOST_MODELS = 64
OTHERS = "(others)"
"""The shared name of models beyond `MOST_MODELS` of one provider: nothing is forgotten, and the state stays small."""


class TemplateSeen(NamedTuple):
    """The news that a model's template added more tokens than the bound of the call had."""

    provider: Provider
    model: str
    tokens: int


def configured(config: Config, model: str) -> int:
    """Return the most tokens that the template of `model` adds, by the configuration."""
    return config.model(model).template_tokens or config.routing.template_tokens


def template_tokens(config: Config, snapshot: Snapshot, provider: Provider, model: str) -> int:
    """Return the most tokens that the template adds, by the configuration or by an earlier report."""
    learnt = snapshot.template_tokens.get(provider, {})
    return max(configured(config, model), learnt.get(model, 0), learnt.get(OTHERS, 0))


def learnt(snapshot: Snapshot, seen: TemplateSeen) -> Snapshot:
    """Return the snapshot with the figure of `seen`, limited to what is believed of one report."""
    known = snapshot.template_tokens.get(seen.provider, {})
    name = seen.model if seen.model in known or len(known) < MOST_MODELS else OTHERS
    tokens = min(seen.tokens, MOST_TOKENS)
    if tokens <= known.get(name, 0):
        return snapshot
    figures: Mapping[str, int] = {**known, name: tokens}
    return snapshot._replace(template_tokens={**snapshot.template_tokens, seen.provider: figures})
