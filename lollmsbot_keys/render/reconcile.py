"""The page of `lbk costs --reconcile`: both ledgers side by side, and the conclusion in words."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, assert_never

from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.period import Window
from lollmsbot_keys.core.model.reconciliation import Cause, Comparison, ReconcileVerdict, Reconciliation
from lollmsbot_keys.core.security.sanitize import clean_line
from lollmsbot_keys.render.console.encoding import usd
from lollmsbot_keys.render.console.terminal import grid, page

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {
    ReconcileVerdict.AGREES: "green",
    ReconcileVerdict.EXPLAINED: "green",
    ReconcileVerdict.UNEXPLAINED: "red",
    ReconcileVerdict.NOT_COMPARED: "yellow",
}


def draw_reconciliation(found: Reconciliation, output_style: OutputStyle) -> None:
    """Print the whole reconciliation."""
    with page(output_style) as out:
        _draw(out, found)


def _draw(out: Console, found: Reconciliation) -> None:
    from rich.text import Text

    out.print(Text(_heading(found), style="bold"))
    out.print()
    numbers = ["OURS", "THEIRS", "DIFFERENCE", "UNEXPLAINED"]
    table = grid(["KEY", *numbers[:3], "EXPLAINED BY", numbers[3]], right=numbers, wraps=["EXPLAINED BY"])
    for one in found.comparisons:
        by = ", ".join(_CAUSES[part.cause] for part in one.parts) if one.theirs is not None else "not compared"
        table.add_row(
            "\n+ ".join(one.keys),
            _amount(one.ours.usd),
            "–" if one.theirs is None else _amount(one.theirs.usd),
            "–" if one.difference_usd is None else _signed(one.difference_usd),
            by or "–",
            Text("–" if one.theirs is None else _signed(one.unexplained_usd), style=_STYLES[one.verdict]),
        )
    out.print(table)
    out.print()
    for one in found.comparisons:
        for sentence in sentences(one):
            out.print(
                Text(sentence, style=_STYLES[one.verdict] if one.verdict is not ReconcileVerdict.AGREES else "dim")
            )
    for line in remarks(found):
        out.print(Text(line, style="dim"))


def _heading(found: Reconciliation) -> str:
    span = "today" if found.window is Window.DAY else "this month"
    return f"Our ledger beside the providers', {span} (ours: {found.zone}; OpenRouter's: UTC)"


_CAUSES = {
    Cause.ON_THEIR_WAY: "calls on their way",
    Cause.MEANWHILE: "ended meanwhile",
    Cause.UNCONFIRMED: "unconfirmed",
    Cause.UNKNOWN_PRICE: "unknown price",
    Cause.FORMER_SECRET: "former secret",
    Cause.FORMER_KEYS: "former keys",
    Cause.DAY_BOUNDARY: "day boundary",
    Cause.ESTIMATES: "estimates",
    Cause.LATE: "late figures",
}


def _why(cause: Cause) -> str:
    """Describe a cause in a sentence that follows "0.3 USD: "."""
    match cause:
        case Cause.ON_THEIR_WAY:
            return "calls on their way, which are booked here when they end"
        case Cause.MEANWHILE:
            return "calls that ended while we asked"
        case Cause.UNCONFIRMED:
            return "unconfirmed calls, which are booked at the most they can have cost"
        case Cause.UNKNOWN_PRICE:
            return "calls at an unknown price, which are booked at the most they can have cost"
        case Cause.FORMER_SECRET:
            return "spent with the key's former secret, which is counted apart there"
        case Cause.FORMER_KEYS:
            return "spent by keys that are not configured any more, and may be of this account"
        case Cause.DAY_BOUNDARY:
            return "of a day that is only in part within the provider's time"
        case Cause.ESTIMATES:
            return "estimates: the price that tokens were counted at is not what was charged"
        case Cause.LATE:
            return "calls of the last minutes, which the provider may not have counted yet"
        case _:
            assert_never(cause)


def sentences(one: Comparison) -> Iterator[str]:
    """Yield sentences on the result of a comparison, and on what to do about it."""
    name = clean_line(" + ".join(one.keys))
    if one.theirs is None:
        yield f"{name}: not compared: {clean_line(one.problem).rstrip('.')}."
        return
    for part in one.parts if one.verdict is not ReconcileVerdict.AGREES else ():
        yield f"{name}: {usd(part.usd)}: {_why(part.cause)}."
    if one.verdict is ReconcileVerdict.UNEXPLAINED:
        yield from _unexplained(one, name)


def _unexplained(one: Comparison, name: str) -> Iterator[str]:
    rest = one.unexplained_usd
    if rest < 0:
        yield (
            f"{name}: {usd(-rest)} less than lbk booked, unexplained. The provider may be late: try again in an hour. "
            "If it stays, another key's secret may be stored under this name, or our prices are too high."
        )
        return
    more = "somebody else is using " + ("the account of " if one.per_account else "") + name
    if one.first_seen is not None:
        more += f", or it was used before lbk knew it ({one.first_seen:%Y-%m-%d %H:%M} UTC)"
    yield f"{name}: {usd(rest)} more than lbk knows of: {more}, or another machine has its own ledger.{_counts(one)}"
    page = "openrouter.ai/activity" if one.provider is Provider.OPENROUTER else "ollama.com/settings"
    yield f"See {page} for who it was. If nobody should have: lbk rotate {one.keys[0]}"


def _counts(one: Comparison) -> str:
    theirs = one.theirs.calls if one.theirs is not None else None
    return "" if theirs is None else f" There: {theirs} calls, here: {one.ours.calls}."


def remarks(found: Reconciliation) -> Iterator[str]:
    """Yield the remarks that belong to no single comparison."""
    lost = found.lost
    if lost.found:
        yield (
            f"{_figures(lost.found)} found: booked at {usd(lost.held_usd)} until now, in truth {usd(lost.cost_usd)}."
        )
    if lost.left:
        yield f"{_figures(lost.left)} not told yet; the next run asks again."
    yield from map(clean_line, found.notes)
    if found.unexplained:
        yield f"Differences up to {usd(found.tolerance_usd)} are left alone (--tolerance)."


def _figures(count: int) -> str:
    return "One lost figure" if count == 1 else f"{count} lost figures"


def _amount(amount: Decimal) -> str:
    return f"{amount:.6f}"


def _signed(amount: Decimal) -> str:
    return f"{amount:+.6f}" if amount else f"{abs(amount):.6f}"


# --- JSON ---


def reconciliation_tree(found: Reconciliation) -> dict[str, object]:
    """Return the document of `lbk costs --reconcile`."""
    lost = found.lost
    return {
        **_error(found),
        "window": found.window,
        "timezone": found.zone,
        "tolerance_usd": found.tolerance_usd,
        "ok": bool(found.compared) and not found.unexplained,
        "comparisons": [_tree(one) for one in found.comparisons],
        "lost": {"found": lost.found, "left": lost.left, "held_usd": lost.held_usd, "cost_usd": lost.cost_usd},
        "notes": list(found.notes),
    }


def _error(found: Reconciliation) -> dict[str, object]:
    return {} if found.compared else {"error": {"code": "failed", "message": nobody(found)}}


def nobody(found: Reconciliation) -> str:
    """Return the reason why nothing could be compared."""
    why = "; ".join(f"{' + '.join(one.keys)}: {one.problem}" for one in found.comparisons)
    return clean_line(f"No provider could be asked. {why or 'No key has a secret. See: lbk test-keys'}")


def _tree(one: Comparison) -> dict[str, object]:
    theirs = one.theirs
    return {
        "keys": list(one.keys),
        "provider": one.provider,
        "per": "account" if one.per_account else "key",
        "verdict": one.verdict,
        "since": one.since,
        "at": one.at,
        "ours_usd": one.ours.usd,
        "theirs_usd": None if theirs is None else theirs.usd,
        "difference_usd": one.difference_usd,
        "explained": [{"by": part.cause, "usd": part.usd, "at_most_usd": part.at_most_usd} for part in one.parts],
        "unexplained_usd": None if theirs is None else one.unexplained_usd,
        "our_calls": one.ours.calls,
        "their_calls": None if theirs is None else theirs.calls,
        "detail": " ".join(sentences(one)),
    }
