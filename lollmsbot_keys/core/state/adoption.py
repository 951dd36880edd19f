"""Settlements that could not be written in time: made of events, and recorded later, each exactly once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from lollmsbot_keys.core.model.snapshot import Hold, Snapshot
from lollmsbot_keys.core.model.unsettled import Settlement, UnsettledCharge
from lollmsbot_keys.core.money.charges import Charge
from lollmsbot_keys.core.money.template_tokens import TemplateSeen
from lollmsbot_keys.core.state.events import Answered, Cooled, Event, Released, Remembered, Settled, Strike, record


def settlement_of(hold: Hold, events: Iterable[Event]) -> Settlement:
    """Collect from `events` the settlement of `hold`."""
    kept = Settlement(hold)
    for event in events:
        match event:
            case Settled(_, charge, usage, latency, failed, failover, outcome, generation):
                kept = kept._replace(
                    booked=UnsettledCharge(*charge, usage, latency, failed, failover, outcome, generation)
                )
            case Cooled(cooldown):
                kept = kept._replace(cooled=(*kept.cooled, cooldown))
            case Strike(cooldown):
                kept = kept._replace(strikes=(*kept.strikes, cooldown))
            case Answered(scope):
                kept = kept._replace(answered=(*kept.answered, scope))
            case TemplateSeen(_, _, tokens):
                kept = kept._replace(template_tokens=tokens)
            case _:
                pass  # of no money, and learnt again by the next call
    return kept


def adopt(snapshot: Snapshot, kept: Mapping[str, Settlement], now: datetime) -> Snapshot:
    """Return the snapshot with all settlements of `kept`.

    Their names are remembered while their files exist, so one whose file remains after a crash, though it is in the
    state, is not counted again.
    """
    for name, settlement in kept.items():
        if name not in snapshot.adopted:
            for event in _events(settlement):
                snapshot = record(snapshot, event, now)
    return snapshot._replace(adopted=frozenset(kept)) if snapshot.adopted != kept.keys() else snapshot


def _events(settlement: Settlement) -> Iterable[Event]:
    """Yield the events of a settlement as if they came now.

    A hold that lapsed and was forgotten is remembered where the call cost more than it.
    """
    hold, booked = settlement.hold, settlement.booked
    if booked is None:
        yield Released(hold.id)
    else:
        charge = Charge(booked.amount_usd, booked.cost_usd, booked.source, booked.unconfirmed)
        if charge.amount_usd > hold.amount_usd:
            yield Remembered(hold)
        yield Settled(
            hold.id,
            charge,
            booked.usage,
            booked.latency,
            failed=booked.failed,
            failover=booked.failover,
            outcome=booked.outcome,
            generation=booked.generation,
        )
    if settlement.template_tokens:
        yield TemplateSeen(hold.provider, hold.model, settlement.template_tokens)
    yield from map(Answered, settlement.answered)
    yield from map(Strike, settlement.strikes)
    yield from map(Cooled, settlement.cooled)
