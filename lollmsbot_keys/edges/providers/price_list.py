"""The prices in OpenRouter's list of models.

A price there is a text, in dollars a token; `-1` stands for a router, whose price is that of the model it will choose.
`overrides` are higher prices for long prompts; writing to a cache may cost more than reading the prompt, and thinking
more than the answer (openrouter.ai/docs, API reference of `GET /models`). Some models without a price for reading from
a cache say 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from lollmsbot_keys.core.model.config import LONGEST_NAME
from lollmsbot_keys.edges.providers.usage import figure

_TOKENS = 1_000_000
_MOST_USD_A_TOKEN = Decimal(1)
_MOST_TIERS = 20
_CACHED = "input_cache_read"
_INPUT = ("prompt", _CACHED, "input_cache_write", "input_cache_write_1h")
_OUTPUT = ("completion", "internal_reasoning")


def quotes(entries: Iterable[Mapping[str, object]]) -> dict[str, tuple[str, ...] | None]:
    """Return the price of every entry that has one, in the form of `PriceList`."""
    found = {}
    for entry in entries:
        name, asked = entry.get("id"), entry.get("pricing")
        if isinstance(name, str) and len(name) <= LONGEST_NAME and isinstance(asked, dict):
            found[name] = _quote(asked)
    return found


def _quote(asked: Mapping[str, object]) -> tuple[str, ...] | None:
    """Return the price and the highest price of a model.

    `None`: it is not by the token alone, or a part of it cannot be read.
    """
    tiers = asked.get("overrides") or []
    if not isinstance(tiers, list) or len(tiers) > _MOST_TIERS:
        return None
    tables = [asked, *(tier for tier in tiers if isinstance(tier, dict))]
    prompt, completion = _usd(asked.get("prompt")), _usd(asked.get("completion"))
    inputs, outputs = list(_figures(tables, _INPUT)), list(_figures(tables, _OUTPUT))
    fees = list(_figures(tables, ("request",)))
    if prompt is None or completion is None or None in (*inputs, *outputs) or any(fee != 0 for fee in fees):
        return None
    price = (_text(prompt), _text(completion))
    most = (_text(max(filter(None, inputs), default=prompt)), _text(max(filter(None, outputs), default=completion)))
    cached = _usd(asked.get(_CACHED))
    return (*price, *(most if most != price else ()), *((_text(cached),) if cached else ()))


def _figures(tables: Iterable[Mapping[str, object]], parts: tuple[str, ...]) -> Iterator[Decimal | None]:
    for table in tables:
        for part in parts:
            if table.get(part) is not None:
                yield _usd(table[part])


def _usd(value: object) -> Decimal | None:
    return figure(value, _MOST_USD_A_TOKEN)


def _text(usd_a_token: Decimal) -> str:
    return f"{(usd_a_token * _TOKENS).normalize():f}"
