"""The providers' model lists as they were last fetched: a cache beside the state, for routing and completion."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from lollmsbot_keys.core.catalogue import Provider

FRESH_FOR = timedelta(days=1)
"""An older list is not believed any more: providers add and retire models by the week."""
FILE = "models.json"
VERSION = 1


def read_lists(folder: Path, now: datetime) -> dict[Provider, frozenset[str]]:
    """The lists that are fresh at `now`. An unreadable cache is no cache."""
    try:
        tree = json.loads((folder / FILE).read_bytes())
        if tree["version"] != VERSION:
            return {}
        return {
            Provider(name): frozenset(map(str, entry["models"]))
            for name, entry in tree["lists"].items()
            if timedelta() <= now - datetime.fromisoformat(entry["fetched"]) < FRESH_FOR
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def keep_list(folder: Path, provider: Provider, models: Iterable[str], now: datetime) -> None:
    """Remember a list. Best effort: a cache that cannot be written is done without."""
    from lollmsbot_keys.edges.atomic_file import replace_file

    lists: dict[str, object] = {}
    with suppress(OSError, ValueError, KeyError, TypeError):
        tree = json.loads((folder / FILE).read_bytes())
        if tree["version"] == VERSION:
            lists = dict(tree["lists"])
    lists[provider] = {"fetched": now.isoformat(), "models": sorted(models)}
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = json.dumps({"version": VERSION, "lists": lists}, separators=(",", ":")).encode()
        replace_file(folder / FILE, content, durable=False)
