"""The numbers in answers.

Providers send whole numbers, fractions and texts; impossible ones are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from lollmsbot_keys.core.base.numbers import number
from lollmsbot_keys.core.model.outcome import Usage

MOST_TOKENS = Decimal(1_000_000_000)
MOST_USD = Decimal(1_000_000)


def usage_in(event: Mapping[str, object]) -> Usage | None:
    """Return the usage in an event or a document of OpenAI's dialect, in an answer or in an error."""
    usage = event.get("usage")
    return openai_usage(usage) if isinstance(usage, dict) else None


def openai_usage(usage: Mapping[str, object]) -> Usage | None:
    """Read the `usage` of OpenAI's dialect; `None` if it has neither a cost nor both counts."""
    found = _usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), cost_usd(usage))
    details = usage.get("prompt_tokens_details")
    if found is None or not isinstance(details, dict):
        return found
    cached, written = (_count(details.get(name)) or 0 for name in ("cached_tokens", "cache_write_tokens"))
    return found._replace(cached_tokens=cached, cache_write_tokens=written)


def native_usage(event: Mapping[str, object], *, local: bool) -> Usage | None:
    """Read the counts in Ollama's last line.

    It leaves zeros out; from a paid service a missing count is an unknown one.
    """
    prompt, completion = event.get("prompt_eval_count"), event.get("eval_count")
    if local and (prompt is not None or completion is not None):
        prompt, completion = prompt or 0, completion or 0
    found = _usage(_count(prompt), _count(completion), None)
    cached = _count(event.get("prompt_eval_cached_count")) or 0
    return None if found is None else found._replace(cached_tokens=cached)


def cost_usd(usage: Mapping[str, object]) -> Decimal | None:
    """Return the cost that OpenRouter charged.

    With the user's own key at the upstream (BYOK), it is OpenRouter's fee and the upstream's bill.
    """
    fee = figure(usage.get("cost"), MOST_USD)
    if fee is None or usage.get("is_byok") is not True:
        return fee
    details = usage.get("cost_details")
    upstream = figure(details.get("upstream_inference_cost"), MOST_USD) if isinstance(details, dict) else None
    return None if upstream is None else fee + upstream


def figure(value: object, most: Decimal) -> Decimal | None:
    """Return `value` as a number from 0 to `most`; `None` if it is not one."""
    found = number(value)
    return found if found is not None and 0 <= found <= most else None


def _usage(prompt: int | None, completion: int | None, cost: Decimal | None) -> Usage | None:
    if cost is None and (prompt is None or completion is None):
        return None
    return Usage(prompt or 0, completion or 0, cost)


def _count(value: object) -> int | None:
    found = figure(value, MOST_TOKENS)
    return None if found is None else int(found)
