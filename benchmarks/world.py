"""The pool after a busy day, for the benchmarks: configuration, facts, and a state of some kilobytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from lollmsbot_keys.core.model.config import Config, Provider
from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.outcome import Outcome, OutcomeKind, Usage
from lollmsbot_keys.core.model.request import Facts, Request
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.routing.claim import Claim, Claimant, claim
from lollmsbot_keys.core.state.events import record
from lollmsbot_keys.core.state.settlement import Finished, charge_for, events_of
from lollmsbot_keys.edges.config.load import load
from lollmsbot_keys.edges.environment.processes import this_process
from lollmsbot_keys.edges.environment.variables import Environment

_LIMITS = ("MAX_CALLS_PER_HOUR", "DAILY_BUDGET")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
REQUESTS = tuple(
    Request(pillar=pillar, prompt_tokens=2_000)
    for pillar in ("soul", "guardian", "heartbeat", "skills", "tools", "reflective", None)
)


def config() -> Config:
    """Return the built-in configuration, with limits so high that no call of a benchmark is refused."""
    limits = {f"{provider}_{limit}": "1000000" for provider in ("OLLAMA", "OPENROUTER") for limit in _LIMITS}
    return load(None, Environment({"HOME": "/nonexistent", **limits})).config


def facts(configured: Config) -> Facts:
    """Return facts in which every key has a secret."""
    return Facts({key.name: f"{number:016x}" for number, key in enumerate(configured.keys)})


def lived_in(configured: Config, calls: int, *, now: datetime = NOON) -> Snapshot:
    """Return the state after so many calls, spread over the last hours."""
    snapshot, known, owner = Snapshot(), facts(configured), this_process()
    for number in range(calls):
        moment = now - timedelta(seconds=7 * (calls - number) / max(1, calls / 500))
        snapshot = one_call(snapshot, configured, known, owner, number, moment)
    return snapshot


def one_call(
    snapshot: Snapshot, configured: Config, known: Facts, owner: Owner, number: int, now: datetime
) -> Snapshot:
    """Claim and settle one call."""
    snapshot, claimed = claimed_call(snapshot, configured, known, owner, number, now)
    return settled_call(snapshot, configured, claimed, now) if claimed is not None else snapshot


def claimed_call(
    snapshot: Snapshot, configured: Config, known: Facts, owner: Owner, number: int, now: datetime
) -> tuple[Snapshot, Claim | None]:
    """Claim one call."""
    claimant = Claimant(owner, f"{number:016x}", known.secrets.keys())
    request = REQUESTS[number % len(REQUESTS)]
    snapshot, claimed = claim(request, configured, snapshot, known, now, (), claimant)
    return snapshot, claimed if isinstance(claimed, Claim) else None


def settled_call(snapshot: Snapshot, configured: Config, claimed: Claim, now: datetime) -> Snapshot:
    """Settle one call as answered."""
    usage = Usage(500, 300, Decimal("0.0012") if claimed.candidate.provider is Provider.OPENROUTER else None)
    outcome = Outcome(OutcomeKind.ANSWERED, 200, usage=usage, started=True)
    finished = Finished(claimed.candidate, claimed.hold, outcome, timedelta(milliseconds=900), failover=False)
    for event in events_of(finished, charge_for(finished), configured.cooldowns, now):
        snapshot = record(snapshot, event, now)
    return snapshot
