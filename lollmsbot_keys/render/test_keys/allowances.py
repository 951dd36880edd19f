"""The things that a key may still do, in few words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import assert_never

from lollmsbot_keys.core.model.findings import Allowance, KeyProof, Unit
from lollmsbot_keys.render.console.times import until

_FAR = timedelta(days=60)


def still(proof: KeyProof, now: datetime) -> str:
    """Format what a key may still do: `session 75 % until in 3 h · weekly 40 %`.

    Where there is nothing to tell, it is the reason.
    """
    return " · ".join(_parts(proof, now)) or proof.reason


def _parts(proof: KeyProof, now: datetime) -> Iterator[str]:
    for entry in proof.allowances:
        yield _words(entry, now)
    if proof.used_usd:
        yield f"{_usd(proof.used_usd)} this month"
    if proof.free_tier:
        yield "free tier"
    if proof.expires_at is not None and proof.expires_at <= now + _FAR:
        yield f"expires {proof.expires_at:%Y-%m-%d}"


def _words(entry: Allowance, now: datetime) -> str:
    if entry.left is None:
        return f"no {entry.name}" if "limit" in entry.name else f"{entry.name} without limit"
    match entry.unit:
        case Unit.USD:
            amount = _usd(entry.left) + (f" of {_usd(entry.of)}" if entry.of is not None else "")
            text = f"{entry.name} {amount}"
        case Unit.PERCENT:
            text = f"{entry.name} {_figure(entry.left)} %"
        case Unit.REQUESTS:
            limit = f" of {_figure(entry.of)}" if entry.of is not None else ""
            text = f"{_figure(entry.left)}{limit} {entry.name}"
        case _:
            assert_never(entry.unit)
    used = entry.of is None or entry.left < entry.of
    return f"{text}, anew {until(entry.resets_at, now)}" if entry.resets_at is not None and used else text


def _usd(amount: Decimal) -> str:
    return f"${amount:.2f}" if amount >= 0 else f"-${-amount:.2f}"


def _figure(number: Decimal) -> str:
    return f"{number:.1f}".removesuffix(".0")
