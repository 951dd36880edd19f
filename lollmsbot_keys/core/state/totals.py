"""Counts since the state began.

They only grow, whatever is corrected later, so that a monitoring system can compute rates. The ledger is the truth
about money and follows every correction; these follow upwards only. Keys that come when the table is full share one row
for each provider. A key that is in the table is never put there: the shared row would grow by a whole past at once,
which a monitoring system takes for fresh calls.
"""

from __future__ import annotations

from datetime import datetime

from lollmsbot_keys.core.model.snapshot import Cell, Failed, Hold, Snapshot, Spender
from lollmsbot_keys.core.money.amounts import NOTHING
from lollmsbot_keys.core.money.ledger import OTHER, added

MOST_SPENDERS = 64
"""The most keys with rows of their own: more were never configured together."""
MOST_FAILURES = 512
LAPSED = "lapsed"


def count(snapshot: Snapshot, hold: Hold, entry: Cell, outcome: str, now: datetime) -> Snapshot:
    """Count one finished call.

    One that lapsed is counted already: only its cost beyond its hold is added.
    """
    spender = Spender(hold.provider, hold.key)
    if spender not in snapshot.totals and len(snapshot.totals) >= MOST_SPENDERS:
        spender = spender._replace(key=OTHER)
    if hold.lapsed:
        more = max(NOTHING, entry.cost_usd - hold.amount_usd)
        entry = entry._replace(calls=0, errors=0, cost_usd=more, estimated_usd=NOTHING, unconfirmed_usd=NOTHING)
    snapshot = snapshot._replace(totals={**snapshot.totals, spender: added(snapshot.totals.get(spender), entry)})
    if not entry.errors:
        return snapshot if outcome == LAPSED or hold.lapsed else _succeeded(snapshot, hold.key, now)
    failed = Failed(spender.provider, spender.key, outcome)
    if failed not in snapshot.failures and len(snapshot.failures) >= MOST_FAILURES:
        failed = failed._replace(key=OTHER)
    return snapshot._replace(failures={**snapshot.failures, failed: snapshot.failures.get(failed, 0) + 1})


def _succeeded(snapshot: Snapshot, key: str, now: datetime) -> Snapshot:
    successes = {**snapshot.successes, key: now}
    if len(successes) > MOST_SPENDERS:
        del successes[min(successes, key=lambda name: successes[name])]
    return snapshot._replace(successes=successes)
