"""The providers' model lists as they were last fetched, with their prices: a cache beside the state."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.request import EMPTY, LIST_FRESH_FOR, PriceList
from lollmsbot_keys.edges.files.regular import read_plain
from lollmsbot_keys.errors import StateError

FILE = "models.json"
VERSION = 2
_PATIENCE = timedelta(seconds=5)


class Listed(NamedTuple):
    """One list as it came."""

    provider: Provider
    fetched: datetime
    names: frozenset[str]
    prices: Mapping[str, Any]
    chat: str | None


class CachedModelLists(NamedTuple):
    """The known model lists: names and `Facts.local_chat` of fresh ones, OpenRouter's prices, and their times."""

    lists: Mapping[Provider, frozenset[str]] = EMPTY
    prices: PriceList = PriceList()
    local_chat: str | None = None
    fetched: Mapping[Provider, datetime] = EMPTY


def read_lists(folder: Path, now: datetime, own: Iterable[Listed] = ()) -> CachedModelLists:
    """Return the newest list of each provider that is known at `now`.

    `own` came to this process, which perhaps could not keep it. A list that cannot be read is not known. A time in the
    future is the fault of a clock: every other list counts as newer.
    """
    lists: dict[Provider, frozenset[str]] = {}
    times: dict[Provider, datetime] = {}
    prices, local_chat = PriceList(), None
    every = sorted((*_understood(_content(folder)), *own), key=lambda one: (one.fetched <= now, one.fetched))
    for provider, fetched, names, quoted, chat in every:
        if timedelta() <= now - fetched < LIST_FRESH_FOR:
            lists[provider], times[provider] = names, fetched
            local_chat = chat if provider is Provider.LOCAL else local_chat
        if provider is Provider.OPENROUTER and quoted:
            prices = PriceList(fetched, quoted)
    return CachedModelLists(lists, prices, local_chat, times)


@lru_cache(maxsize=1)
def _understood(content: bytes) -> tuple[Listed, ...]:
    """Return each list with its provider, time, prices and chat model.

    Every call asks for it, and it changes once a day.
    """
    found = []
    for name, entry in _entries(content).items():
        with suppress(ValueError, KeyError, TypeError):
            fetched = datetime.fromisoformat(entry["fetched"])
            if fetched.tzinfo is not None:
                names = frozenset(map(str, entry["models"]))
                found.append(Listed(Provider(name), fetched, names, dict(entry["prices"]), entry.get("chat")))
    return tuple(found)


def keep_list(
    folder: Path,
    provider: Provider,
    models: Iterable[str],
    now: datetime,
    prices: Mapping[str, Sequence[str] | None] = EMPTY,
    chat: str | None = None,
) -> Listed:
    """Keep a list in the cache, beside the lists of other processes.

    Best effort: lbk works without it.
    """
    from lollmsbot_keys.edges.files.atomic import replace_file
    from lollmsbot_keys.edges.files.lock import locked

    listed = Listed(provider, now, frozenset(models), dict(prices), chat)
    entry = {"fetched": now.isoformat(), "models": sorted(listed.names), "prices": listed.prices, "chat": chat}
    with suppress(OSError, StateError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(folder / f"{FILE}.lock", _PATIENCE):
            lists = {**_entries(_content(folder)), provider: entry}
            content = json.dumps({"version": VERSION, "lists": lists}, separators=(",", ":")).encode()
            replace_file(folder / FILE, content, durable=False)
    return listed


def _content(folder: Path) -> bytes:
    """Return the bytes of the file; none where it cannot be read."""
    try:
        return read_plain(folder / FILE)
    except OSError:
        return b""


def _entries(content: bytes) -> dict[str, Any]:
    """Return the kept lists by provider; none where the cache is unreadable."""
    try:
        tree = json.loads(content)
        return dict(tree["lists"]) if tree["version"] == VERSION else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
