"""The replies to good key checks of the last minute, beside the state.

Ollama lets a user ask ten times a minute, with all keys and on all machines together. A caller that asks more often
gets the last reply instead of nothing. No secret is in it: a fingerprint, balances and limits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.edges.files.regular import read_plain
from lollmsbot_keys.errors import StateError

FRESH_FOR = timedelta(minutes=1)
FILE = "checks.json"
VERSION = 1
_PATIENCE = timedelta(seconds=5)
_UNKEPT = frozenset({"label"})
"""OpenRouter's label of a key shows a piece of the secret."""


class CachedKeyCheck(NamedTuple):
    """One good check: the fingerprint of its secret, its time, and the provider's words."""

    fingerprint: str
    at: datetime
    facts: Mapping[str, object]


def read_checks(folder: Path, now: datetime) -> dict[str, CachedKeyCheck]:
    """Return the checks by key that are fresh at `now`.

    An unreadable cache is no cache.
    """
    try:
        tree = json.loads(read_plain(folder / FILE))
        if tree["version"] != VERSION:
            return {}
        found = {
            str(name): CachedKeyCheck(
                str(entry["fingerprint"]), datetime.fromisoformat(entry["at"]), dict(entry["facts"])
            )
            for name, entry in tree["checks"].items()
        }
        return {name: kept for name, kept in found.items() if timedelta() <= now - kept.at < FRESH_FOR}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def keep_checks(folder: Path, fresh: Mapping[str, CachedKeyCheck], now: datetime) -> None:
    """Add checks to those that are still fresh, also those of other processes.

    Best effort: lbk works without them.
    """
    from lollmsbot_keys.edges.files.atomic import replace_file
    from lollmsbot_keys.edges.files.lock import locked

    with suppress(OSError, StateError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(folder / f"{FILE}.lock", _PATIENCE):
            checks = {
                name: {"fingerprint": one.fingerprint, "at": one.at.isoformat(), "facts": _without_labels(one.facts)}
                for name, one in {**read_checks(folder, now), **fresh}.items()
            }
            # Amounts are decimal: as text they are read again as they were.
            content = json.dumps({"version": VERSION, "checks": checks}, separators=(",", ":"), default=str).encode()
            replace_file(folder / FILE, content, durable=False)


def _without_labels(facts: Mapping[str, object]) -> dict[str, object]:
    return {
        name: _without_labels(value) if isinstance(value, dict) else value
        for name, value in facts.items()
        if name not in _UNKEPT
    }
