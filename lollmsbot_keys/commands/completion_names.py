"""The names that a shell offers when somebody presses TAB.

They come out of the configuration, even if other parts of it are wrong. Neither state nor secrets are read, and nothing
is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.base.shell_words import expanded, option, unquoted
from lollmsbot_keys.edges.config import lenient
from lollmsbot_keys.edges.environment.variables import Environment

Tree = Mapping[str, object]


class Name(NamedTuple):
    """A word to choose, with a short description.

    After `=` or `.` at its end more is to come.
    """

    text: str
    about: str = ""


def offered(kind: str, words: Sequence[str], environment: Environment | None = None, *, typed: bool) -> list[Name]:
    """Return the names of one kind (see `cli.introspect`); none for a kind without names.

    `words` are the command line as far as the value, which comes last and may be begun. `typed`: with their quotes.
    """
    environment = environment or Environment.here()
    understood = unquoted if typed else expanded
    meant = [understood(word, environment.variables) or "" for word in words]
    before, begun = meant[:-1], meant[-1] if meant else ""
    if kind == "fault":
        found: Iterable[Name] = _faults(lenient.shipped(), begun)  # the sandbox has the keys that everybody has
    else:
        tree = lenient.in_force(option(before, "--config", "--config"), environment)
        found = _of_config(kind, tree, before, begun)
    first: dict[str, Name] = {}
    for name in found:
        if _harmless(name.text):
            first.setdefault(name.text, name)
    return list(first.values())


def _of_config(kind: str, tree: Tree, before: Sequence[str], begun: str) -> Iterable[Name]:
    match kind:
        case "key":
            return (name for name in _keys(tree) if name.text not in before)
        case "key-or-local":
            return (*_keys(tree), Name("local", "the Ollama on this machine"))
        case "pillar":
            return _pillars(tree)
        case "role":
            return _roles(tree, option(before, "--pillar", "-p"))
        case "model":
            return _models(tree)
        case "assumption":
            return _assumptions(tree, begun)
        case "setting":
            return _settings(tree, begun)
        case _:
            return ()


def _harmless(text: str) -> bool:
    """Say whether a name can stand on a line of its own, and is not taken for an option there."""
    return text.isprintable() and text.strip() == text != "" and not text.startswith("-")


def _tables(tree: Tree, *path: str) -> dict[str, Tree]:
    """Return the tables within the one at `path`.

    What should be a table and is none is left out.
    """
    here: object = tree
    for name in path:
        here = here.get(name) if isinstance(here, dict) else None
    return {name: table for name, table in here.items() if isinstance(table, dict)} if isinstance(here, dict) else {}


def _words(*parts: object) -> str:
    return ", ".join(part for part in parts if isinstance(part, str) and part)


# --- keys ---


def _keys(tree: Tree) -> Iterator[Name]:
    for name, key in _tables(tree, "keys").items():
        off = "off" if key.get("enabled") is False else ""
        reserved = "reserved" if key.get("reserved") is True else ""
        yield Name(name, _words(key.get("provider"), key.get("account"), reserved, off))


def _assumptions(tree: Tree, begun: str) -> Iterator[Name]:
    from lollmsbot_keys.core.model.request import ASSUMABLE

    for name, about in _keys(tree):
        if begun.startswith(f"{name}="):
            yield from (Name(f"{name}={state}") for state in ASSUMABLE)
        else:
            yield Name(f"{name}=", about)


def _faults(tree: Tree, begun: str) -> Iterator[Name]:
    from lollmsbot_keys.core.model.config import Provider
    from lollmsbot_keys.sandbox.fault_completion import suggestions

    targets = {name: Provider(str(key["provider"])) for name, key in _tables(tree, "keys").items()}
    targets |= {str(provider): provider for provider in Provider}
    return (Name(*suggested) for suggested in suggestions(begun, targets))


# --- pillars, models, settings ---


def _pillars(tree: Tree) -> Iterator[Name]:
    for name in _tables(tree, "pillars"):
        yield Name(name, _words(*_roles_of(tree, name)))


def _roles_of(tree: Tree, pillar: str) -> dict[str, Tree]:
    roles = _tables(tree, "pillars", pillar)
    roles.pop("fallback", None)  # stands among the roles, but is none
    return roles


def _roles(tree: Tree, pillar: str | None) -> Iterator[Name]:
    """Yield the roles of one pillar; without a pillar all of them, with the pillars that have them."""
    if pillar is not None:
        for name, role in _roles_of(tree, pillar).items():
            yield Name(name, _words(role.get("model"), role.get("privacy")))
        return
    pillars: dict[str, list[str]] = {}
    for its in _tables(tree, "pillars"):
        for name in _roles_of(tree, its):
            pillars.setdefault(name, []).append(its)
    yield from (Name(name, _words(*its)) for name, its in pillars.items())


def _models(tree: Tree) -> Iterator[Name]:
    """Yield the models of the catalogue, then those that are only named: by a pillar, or as a free one."""
    for name, model in _tables(tree, "models").items():
        prices = [model.get(f"{way}put_usd_per_mtok") for way in ("in", "out")]
        cost = f"{prices[0]} and {prices[1]} USD/Mtok" if None not in prices else ""
        successor = model.get("successor", model.get("stand_in"))
        yield Name(name, _words(f"replaced by {successor}" if successor else "", cost))
    free = _tables(tree, "providers").get("openrouter", {}).get("free_models")
    yield from (Name(str(name), "free") for name in (free if isinstance(free, list) else ()))
    for pillar in _tables(tree, "pillars"):
        yield from (Name(str(role["model"])) for role in _tables(tree, "pillars", pillar).values() if "model" in role)


def _settings(tree: Tree, begun: str) -> Iterator[Name]:
    """Yield the next part of a key path; a table's name ends with the dot that leads into it."""
    for name, value in tree.items():
        path = f"{name}."
        if begun.startswith(path) and isinstance(value, dict):
            yield from (Name(f"{path}{below.text}") for below in _settings(value, begun.removeprefix(path)))
        else:
            yield Name(path if isinstance(value, dict) else name)


# --- what is known without a configuration ---


def targets() -> list[Name]:
    """Return the beginnings of every target that `lbk rotate` can write to."""
    from lollmsbot_keys.edges.targets.parse import FORMS

    return [Name(f"{scheme}:", form) for scheme, form in FORMS.items()]
