"""A pool of LLM keys that keeps itself healthy: failover, limits, privacy and budgets, shared by every process.

    async with KeyPool.open() as pool:
        answer = await pool.ask("Why is the sky blue?", pillar="soul")

Public are the names in `__all__`; every module below is private, and may change with any version. Names are loaded when
they are first used: the command line must not wait for what it does not need.
"""

from __future__ import annotations

from lollmsbot_keys._version import __version__

TYPE_CHECKING = False  # type checkers know the name; `typing` itself would double the time of `lbk --version`
if TYPE_CHECKING:
    from lollmsbot_keys.core.model.config import Privacy, Provider
    from lollmsbot_keys.core.model.outcome import (
        AllFailed,
        Answer,
        AnswerCut,
        Attempt,
        NoAnswer,
        NoAnswerError,
        Refused,
        Usage,
    )
    from lollmsbot_keys.core.model.request import Plan, Priority
    from lollmsbot_keys.core.model.summary import Summary
    from lollmsbot_keys.errors import ConfigError, LbkError, SecretError, StateError, UsageError
    from lollmsbot_keys.pool import KeyPool, Listener

__all__ = [
    "AllFailed",
    "Answer",
    "AnswerCut",
    "Attempt",
    "ConfigError",
    "KeyPool",
    "LbkError",
    "Listener",
    "NoAnswer",
    "NoAnswerError",
    "Plan",
    "Priority",
    "Privacy",
    "Provider",
    "Refused",
    "SecretError",
    "StateError",
    "Summary",
    "Usage",
    "UsageError",
    "__version__",
]

_HOMES = {
    "core.model.config": ("Privacy", "Provider"),
    "core.model.outcome": (
        "AllFailed",
        "Answer",
        "AnswerCut",
        "Attempt",
        "NoAnswer",
        "NoAnswerError",
        "Refused",
        "Usage",
    ),
    "core.model.request": ("Plan", "Priority"),
    "core.model.summary": ("Summary",),
    "errors": ("ConfigError", "LbkError", "SecretError", "StateError", "UsageError"),
    "pool": ("KeyPool", "Listener"),
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
