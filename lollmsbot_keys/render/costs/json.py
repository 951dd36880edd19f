"""The JSON document of `lbk costs`."""

from __future__ import annotations

from lollmsbot_keys.core.model.snapshot import Cell
from lollmsbot_keys.core.model.statement import By, Row, Statement
from lollmsbot_keys.core.model.summary import Forecast, KeyDay, ProviderDay, Use


def statement_tree(statement: Statement) -> dict[str, object]:
    """Return the whole statement as a document.

    `keys`, `rows` and `total` are about the span, `providers` and all budgets about today.
    """
    summary, prices = statement.summary, statement.summary.prices
    return {
        "day": summary.day,
        "timezone": summary.zone,
        "day_ends": summary.ends,
        "since": statement.span.since,
        "until": statement.span.until,
        "by": statement.by,
        "rows": [_row(row, statement.by) for row in statement.rows],
        "keys": [_key(key) for key in statement.keys],
        "providers": [_provider(provider) for provider in summary.providers],
        "total": {**_sums(statement.total), "reserved_usd": summary.reserved_usd, "month_usd": summary.month_usd},
        "alerts": [],
        "prices": None if prices is None else {"oldest": prices.oldest, "newest": prices.newest},
        "openrouter_list": summary.listed,
        "complete": not statement.gaps,
        "gaps": [{**gap._asdict(), "damaged": gap.damaged or None} for gap in statement.gaps],
    }


def _row(row: Row, by: By) -> dict[str, object]:
    name: dict[str, object] = {by.value: row.name or None}
    if row.provider is not None:
        name["provider"] = row.provider
    return {**name, **_sums(row.sums)}


def _key(key: KeyDay) -> dict[str, object]:
    return {
        "key": key.key,
        "provider": key.provider,
        "status": key.set_aside.reason if key.set_aside is not None else "ready",
        "until": key.set_aside.until if key.set_aside is not None else None,
        **_sums(key.sums),
        **_budgets(key.day, key.month),
    }


def _sums(cell: Cell) -> dict[str, object]:
    return {
        "calls": cell.calls,
        "prompt_tokens": cell.prompt_tokens,
        "completion_tokens": cell.completion_tokens,
        "cost_usd": cell.cost_usd,
        "errors": cell.errors,
        "failovers": cell.failovers,
        "estimated_usd": cell.estimated_usd,
        "unconfirmed_usd": cell.unconfirmed_usd,
        "unknown_usd": cell.unknown_usd,
    }


def _provider(provider: ProviderDay) -> dict[str, object]:
    return {
        "provider": provider.provider,
        **_budgets(provider.day, provider.month),
        "alert": provider.alert,
        "forecast": _forecast(provider.forecast),
    }


def _budgets(day: Use, month: Use) -> dict[str, object]:
    return {
        "today_usd": day.sums.cost_usd,
        "month_usd": month.sums.cost_usd,
        "reserved_usd": day.held_usd,
        "daily_budget_usd": day.budget_usd,
        "used_percent": day.used_percent,
        "monthly_budget_usd": month.budget_usd,
        "month_used_percent": month.used_percent,
    }


def _forecast(found: Forecast) -> dict[str, object]:
    return found._asdict()
