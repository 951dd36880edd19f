"""The reader of allowances: how much a key may still use, by the replies of key checks.

Providers add fields and change shapes by the month. So every field may be missing, of the wrong type or new; what is
not understood is not there, and `null` means that there is no limit. Shapes: docs.ollama.com/api/balance of autumn
2026 (per-token and older plans), OpenRouter's API description of `GET /key`, old and new fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from lollmsbot_keys.core.base.json_values import moment, table, text
from lollmsbot_keys.core.base.numbers import number
from lollmsbot_keys.core.model.findings import Allowance, Unit

# --- Ollama: GET /api/balance ---


def windows(included: Mapping[str, object]) -> Iterator[Allowance]:
    """Yield the windows of older plans (session, weekly), and all else that is counted in percent."""
    for name, value in included.items():
        window = table(value)
        if "remaining_percent" in window:
            left = number(window["remaining_percent"])
            if left is not None or window["remaining_percent"] is None:
                resets_at = moment(window.get("resets_at"))
                yield Allowance(_name(name), Unit.PERCENT, left, Decimal(100), resets_at)


def credit(included: Mapping[str, object], purchased: Mapping[str, object]) -> Iterator[Allowance]:
    """Yield the dollars of the plan until its period ends, and those that were bought."""
    until = moment(table(included.get("period")).get("until"))
    for name, source, resets_at in (("plan", included, until), ("purchased", purchased, None)):
        left = number(source.get("balance_usd"))
        if left is not None or ("balance_usd" in source and source["balance_usd"] is None):
            yield Allowance(name, Unit.USD, left, number(source.get("allowance_usd")), resets_at)


# --- OpenRouter: GET /key ---


def key_limit(data: Mapping[str, object], now: datetime) -> Iterator[Allowance]:
    """Yield the key's own cap.

    All use since the beginning counts against it only where it is never reset.
    """
    if "limit" not in data and "limit_remaining" not in data:
        return
    limit, left = number(data.get("limit")), number(data.get("limit_remaining"))
    if left is None and limit is not None:
        used = number(data.get("usage"))
        left = None if used is None or data.get("limit_reset") else limit - used
        if left is None:
            return
    if left is not None or (data.get("limit") is None and data.get("limit_remaining") is None):
        yield Allowance("key limit", Unit.USD, left, limit, _next_reset(data.get("limit_reset"), now))


def budgets(data: Mapping[str, object]) -> Iterator[Allowance]:
    """Yield the budget that binds; all of them where the reply does not say which."""
    effective, several = table(data.get("effective_budget")), data.get("budgets")
    listed = several[:20] if isinstance(several, list) else []
    for budget in [effective] if effective else map(table, listed):
        limit, left = number(budget.get("limit_usd")), number(budget.get("remaining_usd"))
        spent = number(budget.get("spend_usd"))
        if left is None and limit is not None and spent is not None:
            left = limit - spent
        if left is not None:
            scope = _name(text(budget.get("scope")) or "")
            name = f"{scope} budget".strip()
            yield Allowance(name, Unit.USD, left, limit, moment(budget.get("resets_at")))


def free_requests(free: Mapping[str, object], now: datetime) -> Iterator[Allowance]:
    """Yield the requests to free models on this UTC day, by all keys of the account."""
    limit, left, used = (number(free.get(name)) for name in ("limit", "remaining", "used"))
    if left is None and limit is not None and used is not None:
        left = limit - used
    if left is not None:
        yield Allowance("free requests", Unit.REQUESTS, left, limit, _next_reset("daily", now))


def _next_reset(word: object, now: datetime) -> datetime | None:
    """Return when a limit is reset: OpenRouter counts UTC days, weeks from Monday, and months."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match word:
        case "daily":
            return midnight + timedelta(days=1)
        case "weekly":
            return midnight + timedelta(days=7 - midnight.weekday())
        case "monthly":
            return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
        case _:
            return None


# --- reading with suspicion ---


def _name(text: str) -> str:
    return " ".join(text.replace("_", " ").split())[:40]


def used_up(entry: Allowance) -> bool:
    return entry.left is not None and entry.left <= 0
