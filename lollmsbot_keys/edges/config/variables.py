"""The environment variables that set a part of the configuration, read and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

from lollmsbot_keys.core.model.config_origin import ConfigProblems, Problem
from lollmsbot_keys.core.security.trusted_hosts import authority
from lollmsbot_keys.edges.config import validators

Override = tuple[str, tuple[str, ...], object]
"""A variable's name, the key path that it sets, and the value in the shape the TOML file would give it."""

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_LOOPBACK_FOR = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, never bound
_DEFAULT_PORTS = {"http": 80, "https": 443}
_OLLAMA_PORT = 11_434


def read(variables: Mapping[str, str]) -> tuple[Override, ...]:
    """Return what each variable sets, in the order given.

    Every name must be one of this module's table.

    Raises:
        ConfigProblems: one or more hold what they cannot mean; a possible secret is not repeated.
    """
    problems: list[Problem] = []
    overrides: list[Override] = []
    for name, text in variables.items():
        path, convert = _VARIABLES[name]
        try:
            overrides.append((name, path, convert(text.strip())))
        except ValueError as error:
            given = "" if isinstance(error, validators.Unechoed) else f", got {validators.show(text)}"
            problems.append(Problem(f"{error}{given}", key=".".join(path), variable=name))
    if problems:
        raise ConfigProblems(*problems)
    return tuple(overrides)


def set_by_variables() -> dict[str, str]:
    """Return the setting that each variable stands over."""
    return {name: ".".join(path) for name, (path, _) in _VARIABLES.items()}


def ollama_host(text: str) -> str:
    """Return the address of the local Ollama as a full URL, by the rules of Ollama's own `OLLAMA_HOST`.

    No scheme means http and port 11434; with one, its own default port. An address to listen on everywhere becomes
    loopback. Source: envconfig/config.go of github.com/ollama/ollama. An impossible port is an error here, not a guess.
    """
    text = text.strip("\"' ")
    scheme, separator, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("http", text)
    if rest == "ollama.com" and not separator:
        scheme = "https"
    default_port = _DEFAULT_PORTS.get(scheme, 0) if separator or scheme == "https" else _OLLAMA_PORT
    place, slash, path = rest.partition("/")
    host, port = _host_and_port(place)
    host = _LOOPBACK_FOR.get(host, host)
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port or default_port}{slash}{path}"
    try:
        validators.endpoint(url)
    except ValueError:
        raise validators.Unechoed('expected an address such as "127.0.0.1:11434" or "https://host:port"') from None
    return url.rstrip("/")


def _host_and_port(place: str) -> tuple[str, int | None]:
    if place.count(":") > 1 and not place.startswith("["):
        place = f"[{place}]"
    if place.startswith(":"):
        place = f"127.0.0.1{place}"
    found = authority(place) if place else ("", None)
    if found is None:
        raise validators.Unechoed('expected an address such as "127.0.0.1:11434" or "https://host:port"')
    return found


def _flag(text: str) -> object:
    word = text.casefold()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("expected true or false")


def _calls(text: str) -> object:
    # int() would also take "1_000" and digits of other scripts, which no shell script means.
    return validators.calls(int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else text)


def _number(text: str) -> object:
    try:
        return Decimal(text) if text.isascii() and "_" not in text else text
    except InvalidOperation:
        return text


def _amount(text: str) -> object:
    return validators.amount(_number(text))


def _percent(text: str) -> object:
    return validators.percent(_number(text.removesuffix("%").strip()))


def _endpoints(text: str) -> object:
    return [ollama_host(text)]


_VARIABLES: dict[str, tuple[tuple[str, ...], Callable[[str], object]]] = {
    "PREFER_OLLAMA": (("routing", "prefer_ollama"), _flag),
    "OLLAMA_FAILOVER": (("routing", "ollama_failover"), _flag),
    "OPENROUTER_FALLBACK": (("routing", "openrouter_fallback"), _flag),
    "PREFER_FREE_TIER": (("routing", "prefer_free_tier"), _flag),
    "ALERT_AT_PERCENT": (("alerts", "at_percent"), _percent),
    "OLLAMA_MAX_CALLS_PER_HOUR": (("providers", "ollama", "max_calls_per_hour"), _calls),
    "OLLAMA_DAILY_BUDGET": (("providers", "ollama", "daily_budget_usd"), _amount),
    "OPENROUTER_MAX_CALLS_PER_HOUR": (("providers", "openrouter", "max_calls_per_hour"), _calls),
    "OPENROUTER_DAILY_BUDGET": (("providers", "openrouter", "daily_budget_usd"), _amount),
    "OLLAMA_HOST": (("providers", "local", "endpoints"), _endpoints),
}
