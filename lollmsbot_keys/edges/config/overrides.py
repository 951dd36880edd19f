"""The environment variables that stand over the configuration.

The code that reads them is loaded only where one is set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lollmsbot_keys.edges.environment.variables import Environment

if TYPE_CHECKING:
    from lollmsbot_keys.edges.config.variables import Override

_NAMES = (
    "PREFER_OLLAMA",
    "OLLAMA_FAILOVER",
    "OPENROUTER_FALLBACK",
    "PREFER_FREE_TIER",
    "ALERT_AT_PERCENT",
    "OLLAMA_MAX_CALLS_PER_HOUR",
    "OLLAMA_DAILY_BUDGET",
    "OPENROUTER_MAX_CALLS_PER_HOUR",
    "OPENROUTER_DAILY_BUDGET",
    "OLLAMA_HOST",
)


def overrides(environment: Environment) -> tuple[Override, ...]:
    """Return the values that the variables of the contract set, checked.

    Raises:
        ConfigError: a variable holds something it cannot mean; names all such variables.
    """
    if not any(map(environment.get, _NAMES)):
        return ()
    from lollmsbot_keys.edges.config.variables import read

    return read({name: value for name in _NAMES if (value := environment.get(name)) is not None})


def without_overrides(environment: Environment) -> Environment:
    """Return the same environment without the variables that set values of the configuration."""
    return Environment({name: value for name, value in environment.variables.items() if name not in _NAMES})
