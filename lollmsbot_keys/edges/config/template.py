"""A person's first config file: the shipped defaults, explained, every value commented out."""

from __future__ import annotations

import os
from pathlib import Path

from lollmsbot_keys.edges.config import DEFAULTS
from lollmsbot_keys.errors import ConfigError

_INTRODUCTION = """\
# Your settings for lollmsbot-keys, laid over its defaults. Every value below is commented out and shows its default:
# to change one, remove the # before it and before the [table] it stands in. Lines that begin with "# " only explain.
# `lbk config show` says what is in force and why, `lbk config check` what is wrong.
"""


def template() -> str:
    """Return the file's text: valid TOML that sets nothing.

    Once every `#name` line is uncommented, it sets the defaults.
    """
    body = DEFAULTS.read_text(encoding="utf-8").partition("\n\n")[2]
    lines = [line if not line or line.startswith("#") else f"#{line}" for line in body.splitlines()]
    return "\n".join([_INTRODUCTION, *lines, ""])


def write_new(path: Path) -> None:
    """Write the file, mode 0600, in folders of mode 0700 where they are new.

    Raises:
        FileExistsError: there is something at `path` already, also a broken link; it stays as it is.
        ConfigError: the place cannot be written to.
    """
    created = False
    try:
        _make_folders(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        created = True
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(template())
    except FileExistsError:
        if path.parent.is_dir():
            raise
        raise ConfigError(f"{path.parent}: is no folder. Choose another path: --config PATH") from None
    except (OSError, ValueError) as error:
        if created:
            path.unlink(missing_ok=True)  # half a file would be in the way of the next attempt
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "impossible path"
        raise ConfigError(f"{path}: cannot be written: {reason.lower()}. Choose another path: --config PATH") from None


def _make_folders(folder: Path) -> None:
    """Make folders like `mkdir -p`, but each new one for its owner only.

    `Path.mkdir` gives the mode to the last one alone.
    """
    missing = [folder, *folder.parents]
    for one in reversed([path for path in missing if not path.exists()]):
        one.mkdir(mode=0o700, exist_ok=True)
