"""The choice of the model that is asked in place of one that its seller no longer serves."""

from __future__ import annotations

from collections.abc import Callable

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Config


class Heir(NamedTuple):
    """The model to ask instead.

    `ours`: on the way to it the seller named no successor, and the catalogue did.
    """

    name: str
    ours: bool


def heir(config: Config, model: str, missing: Callable[[str], bool]) -> Heir | None:
    """Return the first successor of `model` that is not `missing`, else the last; `None` without any.

    Successors retire too, so a chain may be long. A circle in the configuration gives its last link.
    """
    entry, passed, ours = config.model(model), set[str](), False
    found = None
    while config.routing.follow_successors and (found is None or missing(found.name)):
        passed.add(entry.name)
        ours = ours or entry.successor is None
        entry = config.model(entry.successor or entry.stand_in or entry.name)
        if entry.name in passed:
            break
        found = Heir(entry.name, ours)
    return found
