"""`lbk costs`: today's calls and money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lollmsbot_keys.core.summary import Summary
from lollmsbot_keys.engine import Engine


@dataclass(frozen=True, slots=True)
class Today:
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
