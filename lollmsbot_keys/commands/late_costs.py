"""The late costs of calls that broke off.

OpenRouter tells them afterwards, by its own name of the call. Such a call is booked at the most it can have cost until
its figure is known. The figure is written some time after the call; what is not there yet is asked for a few times, and
then by the next run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from lollmsbot_keys.core.costs.provider_usage import generation
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.reconciliation import Lost
from lollmsbot_keys.core.model.snapshot import Hold, Snapshot
from lollmsbot_keys.core.money.charges import charge
from lollmsbot_keys.core.money.pricing import pricing
from lollmsbot_keys.core.state.events import Found, record
from lollmsbot_keys.edges.providers import Wire
from lollmsbot_keys.edges.secrets.secret import Secret
from lollmsbot_keys.edges.state.store import Change
from lollmsbot_keys.runtime import Engine

PAUSES_S = (0.5, 1.0, 2.0)
"""The pauses in seconds between the questions for a figure that is not written yet."""
_YOUNG = timedelta(minutes=10)
"""The age up to which a call's figure is waited for: an older one is there by now, or never will be."""


async def fetch_lost(
    engine: Engine, wire: Wire, secrets: Mapping[str, Secret], limit: timedelta, pauses_s: Sequence[float] = PAUSES_S
) -> Lost:
    """Ask for every lost figure, and put what came in the place of the holds.

    Raises:
        ConfigError, SecretError, StateError: see `errors`.
    """
    now = engine.clock()
    lost = {id_: hold for id_, hold in engine.state.read(now).lost.items() if hold.provider is Provider.OPENROUTER}
    asker = _Asker(engine, wire, limit, pauses_s)
    asked = {id_: hold for id_, hold in lost.items() if hold.key in secrets}
    answers = await asyncio.gather(*(asker.ask(id_, hold, secrets[hold.key], now) for id_, hold in asked.items()))
    found = {event.generation: event for event in answers if event is not None}
    recorded = await asyncio.to_thread(engine.state.update, _recording(found)) if found else ()
    return Lost(
        found=len(recorded),
        left=len(lost) - len(found),
        held_usd=sum((lost[id_].amount_usd for id_ in recorded), Decimal(0)),
        cost_usd=sum((found[id_].charge.amount_usd for id_ in recorded), Decimal(0)),
    )


class _Asker:
    def __init__(self, engine: Engine, wire: Wire, limit: timedelta, pauses_s: Sequence[float]) -> None:
        self._engine, self._wire, self._limit, self._pauses_s = engine, wire, limit, pauses_s
        self._prices = engine.facts().prices

    async def ask(self, id_: str, hold: Hold, secret: Secret, now: datetime) -> Found | None:
        """Ask what the call cost; `None` while nobody tells, or where the reply cannot be believed."""
        endpoints = self._engine.config.providers[hold.provider].endpoints
        ledger = self._wire.ledger(hold.provider, endpoints, secret, self._limit)
        for pause_s in (*self._pauses_s, None) if now - hold.claimed < _YOUNG else (None,):
            try:
                async with asyncio.timeout(self._limit.total_seconds()):
                    reply = await ledger.generation(id_)
            except TimeoutError:
                return None
            if reply.status == 200:
                return self._found(id_, hold, reply.facts, now)
            if reply.status != 404 or pause_s is None:
                return None
            await asyncio.sleep(pause_s)
        return None

    def _found(self, id_: str, hold: Hold, facts: Mapping[str, object], now: datetime) -> Found | None:
        usage = generation(facts, id_)
        if usage is None:
            return None
        priced = pricing(self._engine.config, self._prices, hold.provider, hold.model, now)
        booked = charge(hold.provider, usage, priced.price, priced.most, hold.amount_usd)
        return Found(id_, booked, usage) if booked.source == "provider" else None


def _recording(found: Mapping[str, Found]) -> Change[tuple[str, ...]]:
    """Return the change that books the figures.

    The change returns which were still lost: another run may have been faster.
    """

    def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, tuple[str, ...]]:
        mine = tuple(id_ for id_ in found if id_ in snapshot.lost)
        for id_ in mine:
            snapshot = record(snapshot, found[id_], now)
        return snapshot, mine

    return change
