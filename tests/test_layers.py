"""The layer rules that import-linter has no word for; the order of the layers themselves stands in pyproject.toml."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "lollmsbot_keys"

# Of the project itself, beside its own layer, errors and _version. Of core, either only the nouns or all of it.
MAY_USE = {
    "": {"pool", "nouns"},
    "__main__": {"cli"},
    "cli": {"commands", "render", "nouns"},
    "render": {"nouns"},
    "commands": {"pool", "alarm", "engine", "sandbox", "edges", "core"},
    "pool": {"alarm", "engine", "edges", "core"},
    "alarm": {"engine", "edges", "core"},
    "engine": {"edges", "core"},
    "edges": {"nouns"},
    "sandbox": {"nouns"},
    "core": set[str](),
    "data": set[str](),
    "errors": set[str](),
    "_version": set[str](),
}

# Of others: what is not named here is for nobody. A place holds for everything under it.
THIRD_PARTIES = {
    "typer": "cli",
    "rich": "render",
    "httpx": "edges.providers",
    "h11": "edges.providers",
    "backports": "edges.providers.unpacking",
    "compression": "edges.providers.unpacking",  # Python's own from 3.14 on
    "brotli": "edges.providers.unpacking",
    "certifi": "edges.providers",
    "apprise": "edges.courier",
    "pydantic": "edges",
    "platformdirs": "edges.environment",
    "prometheus_client": "edges",
    "dotenv": "edges",
    "keyring": "edges",
    "filelock": "edges",
}

# Core decides; time, chance and files are arguments. These modules of the standard library touch none of them.
PURE = {"__future__", "bisect", "collections", "contextlib", "dataclasses", "datetime", "decimal", "difflib", "email"}
PURE |= {"enum", "functools", "hashlib", "heapq", "ipaddress", "itertools", "json", "math", "operator", "re", "types"}
PURE |= {"typing", "unicodedata", "urllib"}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint", "id"}
IMPURE_CALLS |= {"hash"}  # that of a str is another in every process
CLOCKS = {"now", "utcnow", "today"}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}

# What `route` and `costs` load has to be ready before a person notices.
HOT = {"commands.route", "commands.costs", "commands.alerts", "alarm"}
SLOW = {"asyncio", "concurrent", "http", "socket", "ssl", "urllib.request"}


@dataclass(frozen=True, slots=True)
class Module:
    """One module by its name inside the package (`edges.environment`; the package itself is the empty one)."""

    name: str
    tree: ast.Module

    @property
    def layer(self) -> str:
        return self.name.partition(".")[0]

    def under(self, place: str) -> bool:
        return self.name == place or self.name.startswith(f"{place}.")

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and full name of everything imported anywhere in the module, inside functions too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                origin = "." * node.level + (node.module or "")
                yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def read_modules() -> list[Module]:
    modules = []
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules.append(Module(name, ast.parse(path.read_text(encoding="utf-8"), str(path))))
    return modules


def read_nouns() -> set[str]:
    """The modules of core that stand below `money`, the lowest verb, in import-linter's list."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["containers"] == [f"{PACKAGE}.core"])
    names = [name.strip("() ") for layer in layers for name in layer.split("|")]
    return set(names[names.index("money") + 1 :])


NOUNS = read_nouns()


def foreign_imports(module: Module) -> Iterator[str]:
    for line, target in module.imports():
        top = target.partition(".")[0]
        if top in {PACKAGE, *sys.stdlib_module_names}:
            continue
        if not top:
            yield f"{line}: {target} hides its layer, write it in full"
            continue
        place = THIRD_PARTIES.get(top)
        if place is None or not module.under(place):
            yield f"{line}: {top} belongs to {place or 'nobody'}"


def own_imports(module: Module) -> Iterator[str]:
    allowed = MAY_USE[module.layer] | {module.layer, "errors", "_version"}
    for line, target in module.imports():
        top, _, rest = target.partition(".")
        layer, _, inner = rest.partition(".")
        if top != PACKAGE or layer in allowed:
            continue
        if not (layer == "core" and "nouns" in allowed and inner.partition(".")[0] in NOUNS):
            yield f"{line}: {target} is out of reach here"


def environment_reads(module: Module) -> Iterator[str]:
    if module.name == "edges.environment":
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT and ast.unparse(node.value) == "os":
            yield f"{node.lineno}: os.{node.attr} belongs to edges.environment"
    for line, target in module.imports():
        if target in {f"os.{name}" for name in ENVIRONMENT}:
            yield f"{line}: {target} belongs to edges.environment"


def impurities(module: Module) -> Iterator[str]:
    if module.layer != "core":
        return
    for line, target in module.imports():
        if target.partition(".")[0] not in PURE | {PACKAGE} or target.startswith("urllib.request"):
            yield f"{line}: core is pure, {target} may not be"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            owner, _, method = called.rpartition(".")
            if called in IMPURE_CALLS or (method in CLOCKS and owner.endswith(("datetime", "date"))):
                yield f"{node.lineno}: core is pure, {called}() is not"


def slow_imports(module: Module) -> Iterator[str]:
    for line, target in module.imports() if module.name in HOT else ():
        if any(f"{target}.".startswith(f"{slow}.") for slow in SLOW):
            yield f"{line}: {target} is too slow for the hot path"


def slow_nouns(module: Module) -> Iterator[str]:
    for line, target in module.imports() if module.name != "core.noun" else ():
        if target == "typing.NamedTuple":
            yield f"{line}: nouns are made faster by core.noun"


def violations(module: Module) -> list[str]:
    rules = (foreign_imports, own_imports, environment_reads, impurities, slow_imports, slow_nouns)
    return [f"{module.name or PACKAGE}:{found}" for rule in rules for found in rule(module)]


def test_every_module_keeps_to_its_layer() -> None:
    modules = read_modules()
    assert {"core.catalogue", "errors"} <= {module.name for module in modules}
    found = [breach for module in modules for breach in violations(module)]
    assert not found, "\n".join(["the layers are broken:", *found])


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("commands.route", "import typer"),
        ("cli", "from rich.console import Console"),
        ("commands.ask", "def f():\n    from httpx import Client"),
        ("edges.state_file", "import httpx"),
        ("edges.providers.ollama", "import requests"),
        ("core.money", "import pydantic"),
        ("cli.ask", f"from {PACKAGE}.edges.environment import Environment"),
        ("cli.ask", f"from {PACKAGE} import KeyPool"),
        ("cli.route", f"from {PACKAGE}.core.route import route"),
        ("render.human", f"from {PACKAGE}.commands import route"),
        ("edges.state_file", f"from {PACKAGE}.core import record"),
        ("edges.state_file", f"from {PACKAGE} import core"),
        ("commands.costs", f"from {PACKAGE}.render import human"),
        ("sandbox.server", f"import {PACKAGE}.edges.secrets"),
        ("errors", f"from {PACKAGE}.core.report import Report"),
        ("commands.sandbox", "import os\nos.environ.get('HOME')"),
        ("cli", "from os import getenv"),
        ("edges.secrets.keychain", "from .vault import Vault"),
        ("core.route", "import random"),
        ("core.route", "from time import time"),
        ("core.route", "from pathlib import Path"),
        ("core.route", "import urllib.request"),
        ("core.route", "from datetime import datetime, UTC\ndatetime.now(UTC)"),
        ("core.route", "import datetime\ndatetime.date.today()"),
        ("core.route", "open('defaults.toml')"),
        ("commands.route", "def f():\n    import asyncio"),
        ("commands.costs", "from urllib.request import urlopen"),
        ("pool", "from typing import NamedTuple"),
    ],
)
def test_a_breach_is_seen(name: str, source: str) -> None:
    assert violations(Module(name, ast.parse(source))) != []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("", f"from {PACKAGE}.pool import KeyPool"),
        ("cli.ask", f"import typer\nfrom {PACKAGE}.core.request import Reason\nfrom {PACKAGE}.commands.ask import ask"),
        ("edges.providers.ollama", f"import httpx\nfrom {PACKAGE} import _version, errors"),
        ("edges.environment", "import os\nos.environ.get('HOME')"),
        ("pool", f"import asyncio\nfrom {PACKAGE}.core.route import route"),
        ("pool.failover", f"from {PACKAGE}.pool.waiting import Queue"),
        ("core.route", "from datetime import datetime\ndef f(now: datetime) -> str: return now.isoformat()"),
    ],
)
def test_what_is_allowed_passes(name: str, source: str) -> None:
    assert violations(Module(name, ast.parse(source))) == []
