"""The state as JSON and back. What is read equals what was written; anything else is refused, never guessed.

Amounts are decimal strings, times ISO 8601 in UTC. A file of an older version is upgraded on reading, one of a newer
version is refused. Kept free of validation libraries: every command reads the state and starts up with that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import Any, TypeVar

from lollmsbot_keys.core.catalogue import Provider
from lollmsbot_keys.core.request import Priority, Reach, Reason
from lollmsbot_keys.core.state import (
    LATENCY_BOUNDS_MS,
    VERSION,
    Account,
    Cell,
    CellKey,
    Cooldown,
    Day,
    Disabled,
    Hold,
    Owner,
    Scope,
    Snapshot,
    Spender,
    Waiter,
)

Tree = dict[str, Any]
"""A JSON object. Its values are checked one by one as they are read."""

K = TypeVar("K")
V = TypeVar("V")


_NOTHING = Decimal(0)


class NotAState(ValueError):
    """The bytes are not a state of ours: truncated, foreign, or damaged."""


class NewerState(ValueError):
    """The state was written by a newer lbk. `args[0]` is its version."""


def encode(snapshot: Snapshot) -> bytes:
    """The whole state file, with a final line break."""
    tree = {
        "version": VERSION,
        "written": _time(snapshot.written) if snapshot.written else None,
        "hours": {key: list(chain.from_iterable(window.items())) for key, window in snapshot.hours.items()},
        "cursors": dict(snapshot.cursors),
        "cooldowns": [_cooldown(cooldown) for cooldown in snapshot.cooldowns.values()],
        "disabled": {key: _disabled(disabled) for key, disabled in snapshot.disabled.items()},
        "streaks": [{**_scope(scope), "count": count} for scope, count in snapshot.streaks.items()],
        "accounts": {key: list(account) for key, account in snapshot.accounts.items()},
        "holds": {id_: _hold(hold) for id_, hold in snapshot.holds.items()},
        "waiters": {id_: _waiter(waiter) for id_, waiter in snapshot.waiters.items()},
        "days": {
            str(day): {"part": content.part, "cells": cells_tree(content)} for day, content in snapshot.days.items()
        },
        "closed": {str(day): _sums(sums) for day, sums in snapshot.closed.items()},
        "months": {month: _sums(sums) for month, sums in snapshot.months.items()},
        "notices": sorted(snapshot.notices),
    }
    return json.dumps(tree, separators=(",", ":")).encode() + b"\n"


def decode(content: bytes) -> Snapshot:
    """The state in `content`.

    Raises:
        NotAState: it is none, or not a whole one.
        NewerState: it has a version that this lbk does not know.
    """
    try:
        tree = json.loads(content)
        version = tree["version"]
        if type(version) is int and version > VERSION:
            raise NewerState(version)  # noqa: TRY301 - the reading and its judgement belong together
        if version != VERSION:
            raise NotAState(f"version {version!r}")
        return _snapshot(tree)
    except NewerState:
        raise
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        InvalidOperation,
        OverflowError,
        RecursionError,
    ) as error:
        raise NotAState(type(error).__name__) from None


def _snapshot(tree: Tree) -> Snapshot:
    return Snapshot(
        written=_moment(tree["written"]) if tree["written"] is not None else None,
        hours=_each(tree["hours"], str, _read_window),
        cursors=_each(tree["cursors"], Provider, _text),
        cooldowns={cooldown.scope: cooldown for cooldown in map(_read_cooldown, tree["cooldowns"])},
        disabled=_each(tree["disabled"], str, _read_disabled),
        streaks={_read_scope(streak): _count(streak["count"]) for streak in tree["streaks"]},
        accounts=_each(tree["accounts"], str, _read_account),
        holds={id_: _read_hold(id_, hold) for id_, hold in tree["holds"].items()},
        waiters=_each(tree["waiters"], str, _read_waiter),
        days=_each(tree["days"], date.fromisoformat, read_day),
        closed=_each(tree["closed"], date.fromisoformat, _read_sums),
        months=_each(tree["months"], str, _read_sums),
        notices=frozenset(map(_text, tree["notices"])),
    )


def _each(tree: Tree, key: Callable[[str], K], value: Callable[[Any], V]) -> dict[K, V]:
    return {key(name): value(content) for name, content in tree.items()}


# --- single values ---


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise NotAState("a time without a zone")
    return moment


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NotAState("expected text")
    return value


def _count(value: object) -> int:
    if type(value) is not int:
        raise NotAState("expected a whole number")
    return value


def _amount(value: object) -> Decimal:
    if value == "0":
        return _NOTHING
    amount = Decimal(_text(value))
    if not amount.is_finite():
        raise NotAState("expected an amount")
    return amount


# --- nouns, each beside its reader ---


def _read_window(flat: list[Any]) -> dict[int, int]:
    """Minutes and their counts in turn."""
    return dict(zip(map(_count, flat[::2]), map(_count, flat[1::2]), strict=True))


def _scope(scope: Scope) -> Tree:
    return {name: value for name, value in scope._asdict().items() if value}


def _read_scope(tree: Tree) -> Scope:
    return Scope(
        Reach(tree["reach"]),
        Provider(tree["provider"]),
        _text(tree.get("key", "")),
        _text(tree.get("fingerprint", "")),
        _text(tree.get("account", "")),
        _text(tree.get("model", "")),
    )


def _cooldown(cooldown: Cooldown) -> Tree:
    return {
        **_scope(cooldown.scope),
        "reason": cooldown.reason,
        "since": _time(cooldown.since),
        "until": _time(cooldown.until),
        "source": cooldown.source,
        "evidence": cooldown.evidence,
    }


def _read_cooldown(tree: Tree) -> Cooldown:
    return Cooldown(
        _read_scope(tree),
        Reason(tree["reason"]),
        _moment(tree["since"]),
        _moment(tree["until"]),
        _text(tree["source"]),
        _text(tree["evidence"]),
    )


def _disabled(disabled: Disabled) -> Tree:
    return {
        "fingerprint": disabled.fingerprint,
        "since": _time(disabled.since),
        "source": disabled.source,
        "evidence": disabled.evidence,
        "others": list(disabled.others),
    }


def _read_disabled(tree: Tree) -> Disabled:
    return Disabled(
        _text(tree["fingerprint"]),
        _moment(tree["since"]),
        _text(tree["source"]),
        _text(tree["evidence"]),
        tuple(map(_text, tree["others"])),
    )


def _read_account(tree: list[Any]) -> Account:
    fingerprint, name, others = tree
    return Account(_text(fingerprint), _text(name), tuple((_text(other), _text(whose)) for other, whose in others))


def _read_owner(tree: list[Any]) -> Owner:
    pid, boot, started = tree
    return Owner(_count(pid), _text(boot), _text(started))


def _hold(hold: Hold) -> Tree:
    return {
        "owner": list(hold.owner),
        "claimed": _time(hold.claimed),
        "expires": _time(hold.expires),
        "day": str(hold.day),
        "key": hold.key,
        "provider": hold.provider,
        "model": hold.model,
        "pillar": hold.pillar,
        "amount_usd": str(hold.amount_usd),
        "lapsed": hold.lapsed,
    }


def _read_hold(id_: str, tree: Tree) -> Hold:
    return Hold(
        id=id_,
        owner=_read_owner(tree["owner"]),
        claimed=_moment(tree["claimed"]),
        expires=_moment(tree["expires"]),
        day=date.fromisoformat(tree["day"]),
        key=_text(tree["key"]),
        provider=Provider(tree["provider"]),
        model=_text(tree["model"]),
        pillar=_text(tree["pillar"]),
        amount_usd=_amount(tree["amount_usd"]),
        lapsed=tree["lapsed"] is True,
    )


def _waiter(waiter: Waiter) -> Tree:
    return {
        "owner": list(waiter.owner),
        "since": _time(waiter.since),
        "until": _time(waiter.until),
        "priority": waiter.priority,
        "keys": {key: _time(since) for key, since in waiter.keys.items()},
    }


def _read_waiter(tree: Tree) -> Waiter:
    return Waiter(
        _read_owner(tree["owner"]),
        _moment(tree["since"]),
        _moment(tree["until"]),
        Priority(tree["priority"]),
        _each(tree["keys"], str, _moment),
    )


def _sums(sums: Mapping[Spender, Decimal]) -> list[list[str]]:
    return [[spender.provider, spender.key, str(amount)] for spender, amount in sums.items()]


def _read_sums(tree: list[Any]) -> dict[Spender, Decimal]:
    return {Spender(Provider(provider), _text(key)): _amount(amount) for provider, key, amount in tree}


def cells_tree(day: Day) -> list[list[Any]]:
    """One day's cells, a row each: in columns, because this is most of the file, and its size is every command's time.

    Provider, key, model, pillar; calls, errors, failovers, tokens in, tokens out, milliseconds; US dollars in all,
    estimated, unconfirmed, of unknown price; and the latency histogram where there is one.
    """
    return [
        [
            *place,
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
        for place, cell in day.cells.items()
    ]


def read_day(tree: Tree) -> Day:
    """The reverse of `cells_tree`, with the sums by spender worked out again.

    Raises:
        ValueError, KeyError, TypeError: the tree is not a day.
    """
    return Day.of(_text(tree["part"]), dict(map(_read_cell, tree["cells"])))


def _read_cell(row: list[Any]) -> tuple[CellKey, Cell]:
    provider, key, model, pillar, calls, errors, failovers, tokens_in, tokens_out, latency, *rest = row
    total, estimated, unconfirmed, unknown, *latencies = rest
    counts = (calls, errors, failovers, tokens_in, tokens_out, latency, *latencies)
    if len(latencies) != len(LATENCY_BOUNDS_MS) + 1 or set(map(type, counts)) != {int}:
        raise NotAState("expected whole numbers, and so many")
    return CellKey(Provider(provider), _text(key), _text(model), _text(pillar)), Cell(
        calls,
        errors,
        failovers,
        tokens_in,
        tokens_out,
        _amount(total),
        _amount(estimated),
        _amount(unconfirmed),
        _amount(unknown),
        latency,
        tuple(latencies),
    )
