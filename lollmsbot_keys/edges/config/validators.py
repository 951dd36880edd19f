"""The checks for the kinds of values that the configuration holds.

Every check returns its value, or raises `ValueError` with what was expected, without the value; `Unechoed` where the
value may hold a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import TypeGuard

from lollmsbot_keys.core.base import durations
from lollmsbot_keys.core.model.config import LONGEST_NAME, Balance, Privacy
from lollmsbot_keys.core.security.trusted_hosts import address, authority

_LARGEST = 1_000_000_000
ABILITIES = ("chat", "tools", "images", "json", "thinking", "embed")
_LONGEST_ECHO = 40
_DECIMAL_PLACES = 12
SECRET_FORMS = "env:NAME, dotenv:PATH#NAME, keyring:SERVICE/NAME, command:... or file:PATH"


class Unechoed(ValueError):
    """A wrong value that must not be repeated, because it may hold a secret."""


def show(value: object) -> str:
    """Return a wrong value for a message: short, in TOML's spelling, and never a possible secret."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"' if harmless(value) else f"a text of {len(value)} characters"
        case dict():
            return "a table"
        case list():
            return "an array"
        case int() | Decimal():
            text = str(value) if isinstance(value, Decimal) or abs(value) < 10**_LONGEST_ECHO else "an endless number"
            return text if len(text) <= _LONGEST_ECHO else "an endless number"
        case datetime() | date():
            return value.isoformat()
        case _:
            return f"a {type(value).__name__}"


def harmless(text: str) -> bool:
    """Say whether a wrong text may be repeated: short, printable, and unlike a provider's key."""
    return len(text) <= _LONGEST_ECHO and text.isprintable() and not re.search(r"(?i)sk-|[0-9a-f]{20}", text)


def nearest(name: str, known: Collection[str]) -> str:
    """Return `; did you mean "..."?` with the nearest known name, or nothing."""
    by_case = {one.casefold(): one for one in known}
    found = get_close_matches(name.casefold(), by_case, n=1, cutoff=0.6)
    return f'; did you mean "{by_case[found[0]]}"?' if found else ""


def flag(value: object) -> object:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")  # noqa: TRY004 - pydantic collects ValueError only
    return value


def calls(value: object) -> object:
    """Check a number of calls an hour.

    Zero is impossible (a share of zero calls means nothing): `enabled = false` switches a key off.
    """
    return _whole(value, 1)


def tokens(value: object) -> object:
    return _whole(value, 1)


def priority(value: object) -> object:
    return _whole(value, 1)


def amount(value: object) -> object:
    """Check an amount of US dollars; zero is allowed."""
    if not _is_number(value) or not 0 <= value <= _LARGEST:
        raise ValueError(f"expected an amount of US dollars from 0 to {_LARGEST}")
    return value


def percent(value: object) -> object:
    if not _is_number(value) or not 0 <= value <= 100:
        raise ValueError("expected a percentage from 0 to 100")
    return value


def percents(value: object) -> object:
    """Check one share of a budget, or an array of shares.

    One alone stands for itself and the whole budget.
    """
    if not isinstance(value, list):
        return percent(value)
    return _distinct(value, percent, "percentages, such as [75, 100]")


def week(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 4:
        raise ValueError("expected a week of the month, from 1 to 4")
    return value


def two_prices(value: object) -> object:
    """Check the prices of input and output.

    Not zero: an unknown price that counts as nothing would be no bound at all.
    """
    if not isinstance(value, list) or len(value) != 2 or not all(_is_number(price) and price > 0 for price in value):
        raise ValueError("expected two amounts above 0, for input and output, such as [15, 75]")
    return [amount(price) for price in value]


def duration(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"expected {durations.EXPECTED}")  # noqa: TRY004 - pydantic collects ValueError only
    if durations.parse(value) == timedelta():
        raise ValueError(f"expected {durations.EXPECTED}, above zero")
    return value


def day(value: object) -> object:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("expected a date without quotes, such as 2026-09-15")  # noqa: TRY004 - as above
    return value


def name(value: object) -> object:
    """Check a name: not empty, without space around it, printable."""
    if not isinstance(value, str) or not value or value != value.strip() or not value.isprintable():
        raise ValueError("expected a name: text, not empty, without space around it")
    if len(value) > LONGEST_NAME:
        raise ValueError(f"expected a name of at most {LONGEST_NAME} characters")
    return value


def model_name(value: object) -> object:
    """Check a model's name, in which no blank may stand.

    A daemon may not see the blank, and take the name for another.
    """
    if isinstance(value, str) and value.strip() and len(value.split()) > 1:
        raise ValueError("expected a model's name, without white space in it")
    return name(value)


def model_name_or_none(value: object) -> object:
    return value if value == "" else model_name(value)


def file(value: object) -> object:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError('expected the path of a file, such as "events.jsonl"')
    return value


def abilities(value: object) -> object:
    """Check the abilities of a model; one that makes embeddings can do nothing else."""
    if (
        not isinstance(value, list)
        or not value
        or set(map(str, value)) - set(ABILITIES)
        or len(set(value)) < len(value)
    ):
        raise ValueError(f"expected an array of {', '.join(ABILITIES)}, each once")
    return value


def openrouter_id(value: object) -> object:
    if not isinstance(value, str) or "/" not in str(name(value)):
        raise ValueError('expected an OpenRouter id such as "moonshotai/kimi-k2.5"')
    return value


def privacy(value: object) -> object:
    return one_of(value, tuple(Privacy)[::-1])


def balance(value: object) -> object:
    return one_of(value, tuple(Balance))


def key_provider(value: object) -> object:
    if value == "local":
        raise ValueError('expected "ollama" or "openrouter"; the local provider needs no key')
    return one_of(value, ("ollama", "openrouter"))


def one_of(value: object, known: Collection[str]) -> object:
    if not isinstance(value, str) or value not in known:
        expected = ", ".join(f'"{one}"' for one in known)
        hint = nearest(value, known) if isinstance(value, str) else ""
        raise ValueError(f"expected one of {expected}{hint}")
    return value


def timezone(value: object) -> object:
    if not isinstance(value, str) or not value:
        raise ValueError('expected the name of a time zone, such as "UTC" or "Europe/Berlin"')
    if value == "UTC":
        return value
    from zoneinfo import ZoneInfo, available_timezones  # most people never leave UTC

    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        known = available_timezones()
        missing = "" if known else " (this system has no time zone data: pip install tzdata)"
        raise ValueError(f"no such time zone{missing}{nearest(value, known)}") from None
    return value


def secret_reference(value: object) -> object:
    """Check a reference to a secret.

    The message never quotes a wrong one, for it may be the secret itself.
    """
    text = value if isinstance(value, str) and value.isprintable() and value == value.strip() else ""
    scheme, _, rest = text.partition(":")
    match scheme:
        case "env":
            good = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", rest) is not None
        case "dotenv":
            path, mark, variable = rest.rpartition("#")
            good = bool(path and mark) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable) is not None
        case "keyring":
            service, slash, entry = rest.rpartition("/")
            good = bool(service and slash and entry)
        case "command" | "file":
            good = bool(rest.strip())
        case _:
            good = False
    if not good:
        if isinstance(value, str) and re.match(r"(?:file|dotenv|command):.*[\b\t\n\f\r].*[^\n]", value):
            raise Unechoed("a backslash changed it: a path with backslashes stands between single quotes")
        raise Unechoed(f"expected where the secret is: {SECRET_FORMS}. The secret itself never stands in this file.")
    return value


_RESOURCES = re.compile(
    r"/(?:(?:chat/)?completions|responses|messages|embeddings|models|api/(?:chat|generate|embed|embeddings|tags|show))/*"
)


def endpoint(value: object) -> object:
    if not isinstance(value, str) or address(value) is None:
        raise Unechoed(
            'expected an http(s) URL such as "https://host/v1", without a name or password, a query or a fragment'
        )
    resource = _RESOURCES.search(value)
    if resource is not None and resource.end() == len(value):
        raise ValueError(f"expected the URL up to {resource[0]}, which lbk adds by itself")
    return value


def endpoints(value: object) -> object:
    return _distinct(value, endpoint, 'at least one URL, such as ["https://host/v1"]', least=1)


def hosts(value: object) -> object:
    return _distinct(value, _host, 'hosts, such as ["gateway.example", "10.0.0.5:8443"]')


def model_names(value: object) -> object:
    return _distinct(value, name, 'model names, such as ["vendor/model:free"]')


def urls(value: object) -> object:
    """Check Apprise URLs, which hold tokens and passwords."""
    return _distinct(value, _apprise, 'Apprise URLs, such as ["mailto://..."]')


def _host(value: object) -> object:
    if not isinstance(value, str) or authority(value) is None:
        raise Unechoed("expected a host or host:port, without a scheme or a path")
    return value


def _apprise(value: object) -> object:
    if not isinstance(value, str) or not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://\S", value) or not value.isprintable():
        raise Unechoed("expected an Apprise URL, which begins with a service and ://")
    return value


def _distinct(value: object, check: Callable[[object], object], expected: str, *, least: int = 0) -> object:
    if not isinstance(value, list) or len(value) < least:
        raise Unechoed(f"expected an array of {expected}")
    seen: list[object] = []
    for place, entry in enumerate(value, 1):
        try:
            check(entry)
        except ValueError as error:
            raise Unechoed(f"entry {place}: {error}") from None
        if entry in seen:
            raise Unechoed(f"entry {place} repeats entry {seen.index(entry) + 1}")
        seen.append(entry)
    return value


def _whole(value: object, least: int) -> object:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _LARGEST:
        raise ValueError(f"expected a whole number from {least} to {_LARGEST}")
    return value


def _is_number(value: object) -> TypeGuard[int | Decimal]:
    """Say whether this is a number to calculate with.

    True, false, inf, nan and numbers of an extreme precision are not.
    """
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return isinstance(exponent, int) and -_DECIMAL_PLACES <= exponent <= _DECIMAL_PLACES
    return isinstance(value, int) and not isinstance(value, bool)
