"""The configuration as far as it can be read, for code that needs only its names.

A file that is missing, broken or no file at all counts as empty. Nothing is checked, cached or written, and nobody is
disturbed.
"""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

from lollmsbot_keys.edges.config import DEFAULTS
from lollmsbot_keys.edges.config.merge import Table, merge
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.errors import ConfigError

_LARGEST_BYTES = 1 << 20
_UNREADABLE = (OSError, ValueError, RecursionError, ArithmeticError, ConfigError)


def shipped() -> Table:
    """Return the shipped tables; numbers stay text."""
    return tomllib.loads(DEFAULTS.read_text(encoding="utf-8"), parse_float=str)


def in_force(option: str | None, environment: Environment) -> Table:
    """Return the user's tables laid over the shipped ones.

    `option` is `--config`.
    """
    everybodys = shipped()
    try:
        path, _ = environment.config_path(Path(option) if option else None)
        merged = merge(everybodys, _read(path))
    except _UNREADABLE:
        return everybodys
    flat = {name for name, value in merged.items() if not isinstance(value, dict)}
    return {name: everybodys.get(name, value) if name in flat else value for name, value in merged.items()}


def _read(path: Path) -> Table:
    """Read the file; raise one of `_UNREADABLE` where that fails.

    A pipe is not opened: it can be read only once, and perhaps nobody writes to it.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST_BYTES:
        raise ValueError("not what a configuration is")
    return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=str)
