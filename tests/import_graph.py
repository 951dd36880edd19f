"""The graph of imports.

`python -m tests.import_graph` prints each package of lollmsbot_keys with those that it uses.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

PACKAGE = "lollmsbot_keys"
ROOT = Path(__file__).parent.parent

Graph = Mapping[str, set[str]]
"""The names that each module imports; all names are those inside the package."""


@cache
def sources() -> Mapping[str, ast.Module]:
    """Return every module by its name inside the package (`edges.files.lock`; the package itself is the empty one)."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything imported anywhere in a module, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def modules() -> Graph:
    """Return the modules of the project that each module imports."""
    known = sources()
    return {name: set(_own(tree, known)) - {name} for name, tree in known.items()}


def packages() -> Graph:
    """Return the imports between packages: those of core and of edges, and the other names at the top."""
    found: dict[str, set[str]] = {}
    for name, used in modules().items():
        found.setdefault(room(name), set()).update(map(room, used))
    return {name: used - {name} for name, used in found.items()}


def room(module: str) -> str:
    """Return the package that a module belongs to: two words deep in core and edges, one elsewhere."""
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] in {"core", "edges"} else 1])


def _own(tree: ast.Module, known: Mapping[str, object]) -> Iterator[str]:
    for _, target in imports(tree):
        top, _, name = target.partition(".")
        if top == PACKAGE:
            yield name if name in known else name.rpartition(".")[0]


if __name__ == "__main__":
    for package, used in sorted(packages().items()):
        print(f"{package or PACKAGE:22} {' '.join(sorted(used))}".rstrip())  # noqa: T201 - that is its work
