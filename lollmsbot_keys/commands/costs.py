"""`lbk costs`: today's calls and money."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from lollmsbot_keys.core.day import Summary
from lollmsbot_keys.engine import Engine


class Today(NamedTuple):
    """Today's summary, the time of it, and whether output must stay plain."""

    summary: Summary
    now: datetime
    plain: bool
    warnings: tuple[str, ...]


def today(config: Path | None, state: Path | None) -> Today:
    """What today cost so far. Changes nothing.

    Raises:
        ConfigError, StateError: see there.
    """
    engine = Engine.open(config, state, create=False)
    return Today(engine.summary(), engine.clock(), engine.environment.no_color, tuple(engine.warnings))
