"""Counts since the state began: they only grow, whatever is corrected later, so that a monitoring system can rate them.

The ledger is the truth about money and follows every correction; these follow upwards only.
"""

from __future__ import annotations

from datetime import datetime

from lollmsbot_keys.core.ledger import added
from lollmsbot_keys.core.money import NOTHING
from lollmsbot_keys.core.state import Cell, Failed, Hold, Snapshot, Spender

MOST_SPENDERS = 64
"""More keys than this were never configured together: the ones first seen are forgotten first."""
MOST_FAILURES = 512
LAPSED = "lapsed"


def count(snapshot: Snapshot, hold: Hold, entry: Cell, outcome: str, now: datetime) -> Snapshot:
    """Count one finished call. One that lapsed is counted already: only what it cost beyond its hold is added."""
    spender = Spender(hold.provider, hold.key)
    if hold.lapsed:
        more = max(NOTHING, entry.cost_usd - hold.amount_usd)
        entry = entry._replace(calls=0, errors=0, cost_usd=more, estimated_usd=NOTHING, unconfirmed_usd=NOTHING)
    known = snapshot.totals.get(spender)
    totals = {**snapshot.totals, spender: added(known, entry)}
    if known is None and len(totals) > MOST_SPENDERS:
        del totals[next(iter(totals))]
    snapshot = snapshot._replace(totals=totals)
    if not entry.errors:
        return snapshot if outcome == LAPSED or hold.lapsed else _succeeded(snapshot, hold.key, now)
    failed = Failed(hold.provider, hold.key, outcome)
    failures = {**snapshot.failures, failed: snapshot.failures.get(failed, 0) + 1}
    if len(failures) > MOST_FAILURES:
        del failures[next(iter(failures))]
    return snapshot._replace(failures=failures)


def _succeeded(snapshot: Snapshot, key: str, now: datetime) -> Snapshot:
    successes = {**snapshot.successes, key: now}
    if len(successes) > MOST_SPENDERS:
        del successes[min(successes, key=lambda name: successes[name])]
    return snapshot._replace(successes=successes)
