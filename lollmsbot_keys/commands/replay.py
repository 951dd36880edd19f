"""`lbk route --replay`: the decision for a request that the log remembers, and what became of it."""

from __future__ import annotations

from pathlib import Path

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.log_record import Entry
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.edges.log.reader import entries_of
from lollmsbot_keys.errors import UsageError
from lollmsbot_keys.runtime import Engine


class Replayed(NamedTuple):
    """All decisions for one request in order, at least one; and how output should look."""

    entries: tuple[Entry, ...]
    output_style: OutputStyle


def replay(config: Path | None, state: Path | None, request: str, log_file: Path | None) -> Replayed:
    """Read what the log has of `request` (`last` is the newest one).

    Neither state nor secrets are read.

    Raises:
        UsageError: no log is named anywhere, or it has nothing of the request.
        ConfigError: the log cannot be read; or the configuration, where the log is named nowhere else.
    """
    environment = Environment.here()
    path = environment.log_path(log_file) or Engine.open(config, state, create=False).log_path()
    if path is None:
        raise UsageError("No log is kept. Name one for lbk ask with --log-file, LBK_LOG_FILE, or file in [log].")
    return Replayed(entries_of(path, request), environment.output_style)
