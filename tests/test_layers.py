"""The layer rules that import-linter has no word for; the order of the layers themselves stands in pyproject.toml."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter

import pytest

from tests import import_graph
from tests.import_graph import PACKAGE

# Of the project itself, beside its own layer, errors and _version. Of core, either only its values or all of it.
MAY_USE = {
    "": {"pool", "values"},
    "__main__": {"cli"},
    "cli": {"commands", "render", "values"},
    "render": {"values"},
    "commands": {"pool", "alerting", "runtime", "sandbox", "edges", "core"},
    "pool": {"alerting", "runtime", "edges", "core"},
    "alerting": {"runtime", "edges", "core"},
    "runtime": {"edges", "core"},
    "edges": {"values"},
    "sandbox": {"values"},
    "core": set[str](),
    "data": set[str](),
    "errors": set[str](),
    "_version": set[str](),
}

# Of others: what is not named here is for nobody. A place holds for everything under it.
THIRD_PARTIES = {
    "typer": "cli",
    "rich": "render",
    "httpx": "edges.http",
    "h11": "edges.http",
    "backports": "edges.http.decompression",
    "compression": "edges.http.decompression",  # Python's own from 3.14 on
    "brotli": "edges.http.decompression",
    "certifi": "edges.http",
    "apprise": "edges.notifications.apprise_process",
    "pydantic": "edges",
    "platformdirs": "edges.environment.variables",
    "prometheus_client": "edges",
    "dotenv": "edges",
    "keyring": "edges",
    "filelock": "edges",
}

VALUES = {"base", "model", "security"}
"""What of core is for everyone: the rest decides."""

# Core decides; time, chance and files are arguments. These modules of the standard library touch none of them.
PURE = {"__future__", "bisect", "collections", "contextlib", "dataclasses", "datetime", "decimal", "difflib", "email"}
PURE |= {"enum", "functools", "hashlib", "heapq", "ipaddress", "itertools", "json", "math", "operator", "re", "types"}
PURE |= {"typing", "unicodedata", "urllib"}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint", "id"}
IMPURE_CALLS |= {"hash"}  # that of a str is another in every process
CLOCKS = {"now", "utcnow", "today"}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}

# What `route` and `costs` load has to be ready before a person notices.
HOT = {"commands.route", "commands.costs", "commands.alerts", "alerting"}
SLOW = {"asyncio", "concurrent", "http", "socket", "ssl", "urllib.request"}


@dataclass(frozen=True, slots=True)
class Module:
    """One module by its name inside the package (`edges.files.lock`; the package itself is the empty one)."""

    name: str
    tree: ast.Module

    @property
    def layer(self) -> str:
        return self.name.partition(".")[0]

    def under(self, place: str) -> bool:
        return self.name == place or self.name.startswith(f"{place}.")

    def imports(self) -> Iterator[tuple[int, str]]:
        return import_graph.imports(self.tree)


def read_modules() -> list[Module]:
    return [Module(name, tree) for name, tree in import_graph.sources().items()]


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
        if not (layer == "core" and "values" in allowed and inner.partition(".")[0] in VALUES):
            yield f"{line}: {target} is out of reach here"


def environment_reads(module: Module) -> Iterator[str]:
    if module.name == "edges.environment.variables":
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


def slow_tuples(module: Module) -> Iterator[str]:
    for line, target in module.imports() if module.name != "core.base.namedtuple" else ():
        if target == "typing.NamedTuple":
            yield f"{line}: values are made faster by core.base.namedtuple"


def violations(module: Module) -> list[str]:
    rules = (foreign_imports, own_imports, environment_reads, impurities, slow_imports, slow_tuples)
    return [f"{module.name or PACKAGE}:{found}" for rule in rules for found in rule(module)]


def test_every_module_keeps_to_its_layer() -> None:
    modules = read_modules()
    assert {"core.model.config", "errors"} <= {module.name for module in modules}
    found = [breach for module in modules for breach in violations(module)]
    assert not found, "\n".join(["the layers are broken:", *found])


def test_a_module_has_at_most_350_lines() -> None:
    sizes = {path: path.read_text(encoding="utf-8").count("\n") for path in (import_graph.ROOT / PACKAGE).rglob("*.py")}
    assert {path.name: lines for path, lines in sizes.items() if lines > 350} == {}


def test_a_class_name_has_one_home() -> None:
    homes: dict[str, list[str]] = {}
    for module in read_modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(module.name)
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


@pytest.mark.parametrize("graph", [import_graph.packages, import_graph.modules])
def test_nothing_imports_in_a_circle(graph: Callable[[], import_graph.Graph]) -> None:
    TopologicalSorter(graph()).prepare()  # else it names the circle


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("commands.route", "import typer"),
        ("cli", "from rich.console import Console"),
        ("commands.ask", "def f():\n    from httpx import Client"),
        ("edges.state_file", "import httpx"),
        ("edges.providers.ollama", "import requests"),
        ("core.money.amounts", "import pydantic"),
        ("cli.commands.ask", f"from {PACKAGE}.edges.environment.variables import Environment"),
        ("cli.commands.ask", f"from {PACKAGE} import KeyPool"),
        ("cli.commands.route", f"from {PACKAGE}.core.routing.route import route"),
        ("render.human", f"from {PACKAGE}.commands import route"),
        ("edges.state_file", f"from {PACKAGE}.core.state import events"),
        ("edges.state_file", f"from {PACKAGE} import core"),
        ("commands.costs", f"from {PACKAGE}.render import human"),
        ("sandbox.server", f"import {PACKAGE}.edges.secrets"),
        ("errors", f"from {PACKAGE}.core.model.outcome import Report"),
        ("commands.sandbox", "import os\nos.environ.get('HOME')"),
        ("cli", "from os import getenv"),
        ("edges.secrets.keychain", "from .vault import Vault"),
        ("core.routing.route", "import random"),
        ("core.routing.route", "from time import time"),
        ("core.routing.route", "from pathlib import Path"),
        ("core.routing.route", "import urllib.request"),
        ("core.routing.route", "from datetime import datetime, UTC\ndatetime.now(UTC)"),
        ("core.routing.route", "import datetime\ndatetime.date.today()"),
        ("core.routing.route", "open('defaults.toml')"),
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
        (
            "cli.commands.ask",
            f"import typer\nfrom {PACKAGE}.core.model.request import Reason\nfrom {PACKAGE}.commands.ask import ask",
        ),
        ("edges.http.ollama", f"import httpx\nfrom {PACKAGE} import _version, errors"),
        ("edges.environment.variables", "import os\nos.environ.get('HOME')"),
        ("pool", f"import asyncio\nfrom {PACKAGE}.core.routing.route import route"),
        ("pool.failover", f"from {PACKAGE}.pool.wait_queue import Queue"),
        ("core.routing.route", "from datetime import datetime\ndef f(now: datetime) -> str: return now.isoformat()"),
    ],
)
def test_what_is_allowed_passes(name: str, source: str) -> None:
    assert violations(Module(name, ast.parse(source))) == []
