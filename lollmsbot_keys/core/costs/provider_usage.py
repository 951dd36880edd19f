"""The reader of a provider's own ledger: what it says that it booked.

The replies are not trusted. OpenRouter counts per key: the UTC day and the UTC month, in one sum each (`GET /key`).
What went through a provider's key of one's own (BYOK) is told apart from its own credits; both are in our ledger, so
both are taken. Ollama counts per account, all keys and devices together, in hours or days
(docs.ollama.com/api/cloud-usage). A plan that is not billed by the token tells no money: there is nothing to compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from lollmsbot_keys.core.base.json_values import moment, table
from lollmsbot_keys.core.base.numbers import number
from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.model.period import Window
from lollmsbot_keys.core.model.reconciliation import Bin, Figures, ReportedUsage

MOST_BINS = 1_000
_SPANS = {Window.DAY: "daily", Window.MONTH: "monthly"}
_RANGES = {Window.DAY: "24h", Window.MONTH: "30d"}


def range_of(window: Window) -> str:
    """Return the range that Ollama must be asked for to learn of `window`."""
    return _RANGES[window]


def openrouter_booked(facts: Mapping[str, object], window: Window, at: datetime) -> ReportedUsage | None:
    """Read the sum of one key; `None` where the reply has none."""
    data = table(facts.get("data"))
    own = _usd(data.get(f"usage_{_SPANS[window]}"))
    if own is None:
        return None
    through = _usd(data.get(f"byok_usage_{_SPANS[window]}")) or Decimal(0)
    since = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if window is Window.MONTH:
        since = since.replace(day=1)
    return ReportedUsage(since, at, (Bin(since, at, Figures(own + through, None, None, None)),))


def ollama_booked(facts: Mapping[str, object], at: datetime) -> ReportedUsage | None:
    """Read the sums of one account, in the smallest parts that are told; `None` where the reply tells no money."""
    since, until = moment(facts.get("from")), moment(facts.get("until")) or at
    if since is None:
        return None
    listed = facts.get("buckets")
    bins = _bins(listed[:MOST_BINS]) if isinstance(listed, list) else None
    if not bins:
        whole = _figures(table(facts.get("totals")))
        bins = [Bin(since, until, whole)] if whole is not None else None
    return None if bins is None else ReportedUsage(min(since, bins[0].since), at, tuple(bins))


def _bins(listed: Iterable[object]) -> list[Bin] | None:
    """Read the buckets in order; `None` where one of them cannot be read.

    Half of them would be a wrong sum.
    """
    bins = []
    for entry in map(table, listed):
        since, until, figures = moment(entry.get("from")), moment(entry.get("until")), _figures(entry)
        if since is None or until is None or until < since or figures is None:
            return None
        bins.append(Bin(since, until, figures))
    return sorted(bins, key=lambda one: one.since)


def _figures(entry: Mapping[str, object]) -> Figures | None:
    usd = _usd(entry.get("usage_usd"))
    if usd is None:
        return None
    cached = _count(entry.get("cached_input_tokens")) or 0
    calls, prompt, completion = (_count(entry.get(f)) for f in ("request_count", "input_tokens", "output_tokens"))
    return Figures(usd, calls, prompt, completion, cached)


def generation(facts: Mapping[str, object], id_: str) -> Usage | None:
    """Read what the call `id_` used and cost by OpenRouter (`GET /generation`); `None` where it does not say.

    The reply names the call that it is about: what is said of another one, or of none, is not believed.
    """
    data = table(facts.get("data"))
    cost = _usd(data.get("total_cost"))
    if cost is None or data.get("id") != id_:
        return None
    if data.get("is_byok") is True:
        upstream = _usd(data.get("upstream_inference_cost"))
        if upstream is None:
            return None
        cost += upstream
    counts = (
        _count(data.get(f"native_tokens_{kind}", data.get(f"tokens_{kind}"))) for kind in ("prompt", "completion")
    )
    prompt, completion = (count or 0 for count in counts)
    return Usage(prompt, completion, cost)


def _usd(value: object) -> Decimal | None:
    found = number(value)
    return found if found is not None and found >= 0 else None


def _count(value: object) -> int | None:
    found = _usd(value)
    return None if found is None else int(found)
