"""Money and calls: holds, sums, counters, and the cells of a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.snapshot import LATENCY_BOUNDS_MS, Cell, CellKey, Day, Failed, Hold, Spender, Uncertain
from lollmsbot_keys.edges.state.codec.health import read_owner
from lollmsbot_keys.edges.state.codec.values import (
    NotAState,
    Tree,
    read_amount,
    read_count,
    read_each,
    read_text,
    read_time,
    write_time,
)

_NO_HISTOGRAM = (0,) * (len(LATENCY_BOUNDS_MS) + 1)


def write_hold(hold: Hold) -> Tree:
    return {
        "owner": list(hold.owner),
        "claimed": write_time(hold.claimed),
        "expires": write_time(hold.expires),
        "day": str(hold.day),
        "key": hold.key,
        "provider": hold.provider,
        "model": hold.model,
        "pillar": hold.pillar,
        "amount_usd": str(hold.amount_usd),
        "lapsed": hold.lapsed,
    }


def read_hold(id_: str, tree: Tree) -> Hold:
    return Hold(
        id=id_,
        owner=read_owner(tree["owner"]),
        claimed=read_time(tree["claimed"]),
        expires=read_time(tree["expires"]),
        day=date.fromisoformat(tree["day"]),
        key=read_text(tree["key"]),
        provider=Provider(tree["provider"]),
        model=read_text(tree["model"]),
        pillar=read_text(tree["pillar"]),
        amount_usd=read_amount(tree["amount_usd"]),
        lapsed=tree["lapsed"] is True,
    )


def write_sums(sums: Mapping[Spender, Decimal]) -> list[list[str]]:
    return [[spender.provider, spender.key, str(amount)] for spender, amount in sums.items()]


def read_sums(tree: list[Any]) -> dict[Spender, Decimal]:
    return {Spender(Provider(provider), read_text(key)): read_amount(amount) for provider, key, amount in tree}


def write_uncertain(sums: Mapping[Spender, Uncertain]) -> list[list[str]]:
    return [[*spender, *map(str, parts)] for spender, parts in sums.items()]


def read_uncertain(tree: list[Any]) -> dict[Spender, Uncertain]:
    return {
        Spender(Provider(provider), read_text(key)): Uncertain(*map(read_amount, parts))
        for provider, key, *parts in tree
    }


def cells_tree(day: Day) -> list[list[Any]]:
    """Return one day's cells, a row each.

    In columns, because the cells are most of the file, and its size costs every command time. The columns are:
    provider, key, model, pillar; calls, errors, failovers, tokens in, tokens out, milliseconds; US dollars in all,
    estimated, unconfirmed, of unknown price; and the latency histogram where there is one.
    """
    return [[*place, *_columns(cell)] for place, cell in day.cells.items()]


def _columns(cell: Cell) -> list[Any]:
    return [
        cell.calls,
        cell.errors,
        cell.failovers,
        cell.prompt_tokens,
        cell.completion_tokens,
        cell.latency_ms,
        str(cell.cost_usd),
        str(cell.estimated_usd),
        str(cell.unconfirmed_usd),
        str(cell.unknown_usd),
        *cell.latencies,
    ]


def write_sum(cell: Cell) -> list[Any]:
    """Return the columns of a sum, which has no histogram."""
    return _columns(cell)[: -len(cell.latencies)]


def read_sum(columns: list[Any]) -> Cell:
    """Read the columns that `write_sum` wrote."""
    return _read_columns([*columns, *_NO_HISTOGRAM])


def read_day(tree: Tree) -> Day:
    """Read the rows that `cells_tree` wrote, and compute the sums by spender again.

    Raises:
        ValueError, KeyError, TypeError: the tree is not a day.
    """
    return Day.of(read_text(tree["part"]), dict(map(_read_cell, tree["cells"])))


def _read_cell(row: list[Any]) -> tuple[CellKey, Cell]:
    provider, key, model, pillar, *columns = row
    return CellKey(Provider(provider), read_text(key), read_text(model), read_text(pillar)), _read_columns(columns)


def _read_columns(columns: list[Any]) -> Cell:
    calls, errors, failovers, tokens_in, tokens_out, latency, *rest = columns
    total, estimated, unconfirmed, unknown, *latencies = rest
    counts = (calls, errors, failovers, tokens_in, tokens_out, latency, *latencies)
    if len(latencies) != len(LATENCY_BOUNDS_MS) + 1 or set(map(type, counts)) != {int}:
        raise NotAState("expected whole numbers, and so many")
    return Cell(
        calls,
        errors,
        failovers,
        tokens_in,
        tokens_out,
        read_amount(total),
        read_amount(estimated),
        read_amount(unconfirmed),
        read_amount(unknown),
        latency,
        tuple(latencies),
    )


def write_totals(totals: Mapping[Spender, Cell]) -> list[list[Any]]:
    return [[*spender, *_columns(cell)] for spender, cell in totals.items()]


def read_totals(tree: list[Any]) -> dict[Spender, Cell]:
    return {Spender(Provider(provider), read_text(key)): _read_columns(columns) for provider, key, *columns in tree}


def read_counts(tree: Tree) -> dict[str, int]:
    return read_each(tree, str, read_count)


def write_failures(failures: Mapping[Failed, int]) -> list[list[Any]]:
    return [[*failed, count] for failed, count in failures.items()]


def read_failures(tree: list[Any]) -> dict[Failed, int]:
    return {
        Failed(Provider(provider), read_text(key), read_text(outcome)): read_count(count)
        for provider, key, outcome, count in tree
    }
