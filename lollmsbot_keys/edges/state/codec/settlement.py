"""One settlement as JSON and back, for the time until the state can be written again."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any, get_args

from lollmsbot_keys.core.model.outcome import CostSource, Usage
from lollmsbot_keys.core.model.unsettled import Settlement, UnsettledCharge
from lollmsbot_keys.edges.state.codec.health import read_cooldown, read_scope, write_cooldown, write_scope
from lollmsbot_keys.edges.state.codec.money import read_hold, write_hold
from lollmsbot_keys.edges.state.codec.values import NotAState, Tree, read_amount, read_count, read_text

VERSION = 1


def encode(settlement: Settlement) -> bytes:
    """Return the file of one settlement, whose name is that of the hold."""
    tree = {
        "version": VERSION,
        "hold": write_hold(settlement.hold),
        "booked": None if settlement.booked is None else _write_booked(settlement.booked),
        "cooled": list(map(write_cooldown, settlement.cooled)),
        "strikes": list(map(write_cooldown, settlement.strikes)),
        "answered": list(map(write_scope, settlement.answered)),
        "template_tokens": settlement.template_tokens,
    }
    return json.dumps(tree, separators=(",", ":")).encode() + b"\n"


def decode(name: str, content: bytes) -> Settlement:
    """Read the settlement in the file of that name.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, ArithmeticError: it is none, or of another version.
    """
    tree = json.loads(content)
    if tree["version"] != VERSION:
        raise NotAState("another version")
    return Settlement(
        read_hold(name, tree["hold"]),
        None if tree["booked"] is None else _read_booked(tree["booked"]),
        tuple(map(read_cooldown, tree["cooled"])),
        tuple(map(read_cooldown, tree["strikes"])),
        tuple(map(read_scope, tree["answered"])),
        read_count(tree["template_tokens"]),
    )


def _write_booked(booked: UnsettledCharge) -> Tree:
    usage = {name: _written(value) for name, value in booked.usage._asdict().items()}
    plain = {name: _written(value) for name, value in booked._asdict().items()}
    return {**plain, "usage": usage, "latency": booked.latency // timedelta(microseconds=1)}


def _written(value: object) -> object:
    return str(value) if isinstance(value, Decimal) else value


def _read_booked(tree: Tree) -> UnsettledCharge:
    source: CostSource = tree["source"]
    if source not in get_args(CostSource):
        raise NotAState("a source of costs that nobody knows")
    return UnsettledCharge(
        read_amount(tree["amount_usd"]),
        _read_figure("cost_usd", tree["cost_usd"]),
        source,
        tree["unconfirmed"] is True,
        Usage(**{name: _read_figure(name, value) for name, value in tree["usage"].items()}),
        timedelta(microseconds=read_count(tree["latency"])),
        tree["failed"] is True,
        tree["failover"] is True,
        read_text(tree["outcome"]),
        read_text(tree["generation"]),
    )


def _read_figure(name: str, value: object) -> Any:  # noqa: ANN401 - money by its name, else a count; neither where it is not known
    if value is None:
        return None
    return read_amount(value) if name.endswith("_usd") else read_count(value)
