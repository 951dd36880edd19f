"""`lbk completion`: the scripts that teach a shell lbk's commands, options and names."""

from __future__ import annotations

from pathlib import Path

from lollmsbot_keys.errors import ConfigError

_PACKAGE = Path(__file__).parents[1]
_FOLDERS = (_PACKAGE / "data" / "completions", _PACKAGE.parent / "completions")
"""The folders of the scripts: in a wheel, and in a checkout."""


def script(file: str) -> str:
    """Read the script in that file of completions/.

    Raises:
        ConfigError: this installation has lost it.
    """
    for folder in _FOLDERS:
        try:
            return (folder / file).read_text(encoding="utf-8")
        except OSError:
            continue
    raise ConfigError(f"{file} is not part of this installation of lbk. Install it again.")
