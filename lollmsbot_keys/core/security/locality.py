"""The place where a daemon on this machine runs a model: here, elsewhere, or not clearly here.

Only the daemon's own words tell. A daemon that is signed in passes some models on to its maker. Its words differ by
version and by author, so any sign of another place is believed. A sign of this machine is believed only where the model
has what its own weights must have: a known format, their size, and their digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from lollmsbot_keys.core.model.config import as_compared, is_cloud_name
from lollmsbot_keys.core.security.trusted_hosts import is_loopback, is_on_loopback

FORMATS = frozenset({"gguf", "ggml", "safetensors"})
"""The formats of weights. A model that is run elsewhere has none, or a word such as `cloud`."""
LEAST_BYTES = 65_536
"""The least size of weights. An entry for a model elsewhere has a few hundred bytes."""

_ELSEWHERE = ("remote", "cloud", "upstream", "proxy", "relay")
_NOT_HERE = frozenset({*_ELSEWHERE, "hosted", "external", "api"})
_FREE_TEXT = frozenset(
    {"modelfile", "template", "system", "license", "parameters", "messages", "modelinfo", "projectorinfo"}
)
"""Fields whose text may say anything."""
_PLACES = frozenset({"host", "hostname", "endpoint", "server", "provider", "location", "region", "baseurl", "apibase"})
"""Fields that a relay may have, and a user's own daemon does not."""
_HERE = frozenset({"local", "localhost", "ollama"})
_LONGEST_WORD = 200
_FROM = re.compile(r"^[^\S\n]*#?[^\S\n]*FROM[^\S\n]+([^\n]+)$", re.IGNORECASE | re.MULTILINE)
"""The line of a Modelfile with the model's origin, also in a comment, where Ollama puts the model's own name."""
_OWN_PARTS = {"details", "model_info", "modelfile", "template", "capabilities"}
_NO_CHAT = ("embed", "minilm", "rerank", "bert", "bge-")
"""Parts of names and families of models that cannot chat."""


def elsewhere(said: Mapping[str, object]) -> str:
    """Return the sign of another place in `said`, or "".

    `said` is a reply of `show`, or an entry of `tags`.
    """
    for name, value, free_text in _fields(said):
        plain = _plain(name)
        if value and any(word in plain for word in _ELSEWHERE):
            return f"{name} is set"
        if plain == "modelfile" and not _is_made_here(value):
            return "it may be made from a cloud model"
        if plain in {"local", "islocal"} and value is False:
            return f"{name} is false"
        if plain in _PLACES and not free_text and value and not _is_here(value):
            return f"{name} is set"
        if isinstance(value, str) and not free_text and _names_another_place(value):
            return f"{name} is {value.strip()!r}"
    return ""


def doubt_of_show(said: object) -> str:
    """Return the reason to doubt that `/api/show` speaks of a model run here, or ""."""
    if not isinstance(said, dict) or said.get("error") or _OWN_PARTS.isdisjoint(said):
        return "the daemon does not say where"
    return elsewhere(said) or _doubt_of_details(said)


def doubt_of_tags(entries: Iterable[Mapping[str, object]], model: str) -> str:
    """Return the reason to doubt that `/api/tags` has `model` as one run here, or ""."""
    wanted = _full(model)
    found = [entry for entry in entries if wanted in {_full(name) for name in names_of(entry)}]
    if not found:
        return "it is not in the daemon's list"
    return next(filter(None, map(_doubt_of_entry, found)), "")


def names_of(entry: Mapping[str, object]) -> list[str]:
    """Return the names in an entry of `tags`.

    There is one, or the same one twice.
    """
    return [name for field in ("name", "model") if isinstance(name := entry.get(field), str) and name]


def first_chat_model(entries: Iterable[Mapping[str, object]]) -> str:
    """Return the first model in `tags` that clearly runs here and can chat, or ""."""
    clear = (entry for entry in entries if not _doubt_of_entry(entry) and _chats(entry))
    return next((names_of(entry)[0] for entry in clear if names_of(entry)), "")


def _doubt_of_entry(entry: Mapping[str, object]) -> str:
    size, digest = entry.get("size"), entry.get("digest")
    if found := elsewhere(entry):
        return found
    if isinstance(size, bool) or not isinstance(size, int) or size < LEAST_BYTES:
        return "its size is none that a model has"
    if not isinstance(digest, str) or re.fullmatch("(sha256:)?[0-9a-f]{12,}", digest) is None:
        return "it has no digest"
    return _doubt_of_details(entry)


def _doubt_of_details(said: Mapping[str, object]) -> str:
    details = said.get("details")
    known = details.get("format") if isinstance(details, dict) else None
    return "" if isinstance(known, str) and known.casefold() in FORMATS else "the format of its weights is not known"


def _chats(entry: Mapping[str, object]) -> bool:
    able = entry.get("capabilities")
    if isinstance(able, list) and able:
        return "completion" in able
    details = entry.get("details")
    families = [details.get("family"), details.get("families")] if isinstance(details, dict) else []
    words = as_compared(f"{names_of(entry)} {families}")
    return not any(word in words for word in _NO_CHAT)


def _full(name: str) -> str:
    """Return `name` in the daemon's full form, with a tag and without its standard prefixes."""
    plain = as_compared(name).removeprefix("registry.ollama.ai/").removeprefix("library/")
    return plain if ":" in plain.rpartition("/")[2] else f"{plain}:latest"


def _is_made_here(modelfile: object) -> bool:
    if not isinstance(modelfile, str):
        return False
    origins = [origin.strip(" \t\r\"'") for origin in _FROM.findall(modelfile)]
    return not any(is_cloud_name(origin) or "://" in origin for origin in origins)


def _names_another_place(value: str) -> bool:
    if "://" in value:
        return not _is_here(value)
    return len(value) <= _LONGEST_WORD and (as_compared(value) in _NOT_HERE or is_cloud_name(value))


def _is_here(value: object) -> bool:
    """Say whether `value` names this machine, as a place or as a URL."""
    return isinstance(value, str) and (as_compared(value) in _HERE or is_on_loopback(value) or is_loopback(value))


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


def _fields(said: object) -> Iterator[tuple[str, object, bool]]:
    """Yield every name and value at any depth, and whether it is free text.

    The texts of a list come under the list's name.
    """
    waiting: list[tuple[str, object, bool]] = [("", said, False)]
    while waiting:
        name, here, free_text = waiting.pop()
        free_text = free_text or _plain(name) in _FREE_TEXT
        if name:
            yield name, here, free_text
        if isinstance(here, dict):
            waiting += [(inner, value, free_text) for inner, value in here.items()]
        elif isinstance(here, list):
            waiting += [(name, value, free_text) for value in here]
