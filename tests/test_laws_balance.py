"""Laws of balance and of the hourly window: even turns, and never a call too many."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Config, Privacy, Provider
from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.model.request import Candidate, Facts, Reach, Request, Tried
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.money.charges import Charge
from lollmsbot_keys.core.routing.claim import Claim, Claimant, claim
from lollmsbot_keys.core.state.events import Released, Settled, record
from lollmsbot_keys.core.state.expiry import upkeep
from tests.examples import examples
from tests.strategies import CONFIG, FACTS, KEY_NAMES, LONGEST, ME, MINUTE, NOW, with_settings

FREE = Request(free=True, privacy=Privacy.LOW)
KINDS = {
    Provider.OLLAMA: (Request(), Request(privacy=Privacy.HIGH)),
    Provider.OPENROUTER: (FREE, Request(model="moon/kimi"), Request(model="x/unknown-price", max_output_tokens=1)),
}


class Caller:
    """Claims one call after the other on one state."""

    def __init__(self, config: Config, snapshot: Snapshot | None = None) -> None:
        self.config, self.snapshot, self.now = config, snapshot or Snapshot(), NOW
        self._ids = map(str, count())
        self.facts = Facts({key.name: FACTS.secrets[key.name] for key in config.keys})

    def claim(self, request: Request, tried: list[Tried] | None = None) -> Claim | None:
        claimant = Claimant(ME, next(self._ids), set(KEY_NAMES))
        self.snapshot = upkeep(self.snapshot, self.now, LONGEST, alive={ME})
        self.snapshot, answer = claim(request, self.config, self.snapshot, self.facts, self.now, tried or (), claimant)
        return answer if isinstance(answer, Claim) else None

    def settle(self, claimed: Claim, *, failed: bool = False) -> None:
        charge = Charge(claimed.hold.amount_usd / 1_000, None, "estimate")
        event = Settled(claimed.hold.id, charge, Usage(), timedelta(), failed=failed, failover=failed)
        self.snapshot = record(self.snapshot, event, self.now)

    def ask(self, request: Request, failures: int) -> list[Candidate]:
        """One question of which the first attempts fail; every candidate that was tried, in order."""
        tried: list[Tried] = []
        for _ in range(failures + 1):
            claimed = self.claim(request, tried)
            if claimed is None:
                break
            self.settle(claimed, failed=len(tried) < failures)
            tried.append(Tried(claimed.candidate, Reach.KEY_AND_MODEL))
        return [past.candidate for past in tried]


def _spread(counts: Counter[str], names: list[str]) -> int:
    return max(counts[name] for name in names) - min(counts[name] for name in names)


def _pool(provider: Provider, size: int) -> tuple[Config, list[str]]:
    """A configuration with so many keys of one provider, none of the other, and no limits."""
    config = with_settings(CONFIG, provider, lambda it: it._replace(max_calls_per_hour=None, daily_budget_usd=None))
    keys = tuple(key for key in CONFIG.keys if key.provider is provider)[:size]
    return config._replace(keys=keys), [key.name for key in keys]


@settings(max_examples=examples(60))
@given(st.sampled_from(sorted(KINDS)), st.integers(1, 3), st.data())
def test_no_key_gets_more_than_one_call_above_another(provider: Provider, size: int, data: st.DataObject) -> None:
    """Requests of all kinds that take turns share them: the same cursor serves equivalents, free and general ones."""
    config, names = _pool(provider, size)
    caller, counts = Caller(config), Counter[str]()
    for request in data.draw(st.lists(st.sampled_from(KINDS[provider]), max_size=12)):
        claimed = caller.claim(request)
        assert claimed is not None
        counts[claimed.candidate.label] += 1
        assert _spread(counts, names) <= 1


@settings(max_examples=examples(60))
@given(st.sampled_from(sorted(KINDS)), st.lists(st.integers(0, 3), max_size=12))
def test_attempts_stay_even_when_some_fail_as_long_as_nothing_cools(provider: Provider, fails: list[int]) -> None:
    """For questions one after the other, whose failures cool nothing. Of questions that overlap, each failover may
    pass over one turn: the key that just failed stands aside for this question only.
    """
    config, names = _pool(provider, 3)
    caller, counts = Caller(config), Counter[str]()
    for failures in fails:
        asked = caller.ask(KINDS[provider][0], min(failures, len(names) - 1))
        counts.update(candidate.label for candidate in asked)
        assert _spread(counts, names) <= 1


def test_thirty_requests_over_three_keys_are_ten_each() -> None:
    config, names = _pool(Provider.OPENROUTER, 3)
    caller = Caller(config)
    labels = [claimed.candidate.label for _ in range(30) if (claimed := caller.claim(Request(model="moon/kimi")))]
    assert labels == names * 10


def test_a_key_that_comes_back_takes_ordinary_turns_again() -> None:
    """It is not asked alone until it has caught up."""
    config, names = _pool(Provider.OPENROUTER, 3)
    caller = Caller(config)
    caller.facts = Facts({name: FACTS.secrets[name] for name in names[1:]})
    assert [caller.ask(FREE, 0)[0].label for _ in range(4)] == ["R2", "R3", "R2", "R3"]
    caller.facts = FACTS
    assert [caller.ask(FREE, 0)[0].label for _ in range(6)] == ["R1", "R2", "R3"] * 2


def test_the_turn_goes_on_after_a_key_that_left_the_configuration() -> None:
    caller = Caller(CONFIG, Snapshot(cursors={Provider.OLLAMA: "FORMER"}))
    assert caller.ask(Request(), 0)[0].label == "O1"


# --- the hourly window ---


@settings(max_examples=examples(80))
@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from([0, 1, 29, 59, 61, 900, 1_799, 3_540]), st.booleans()), max_size=40),
)
def test_never_more_calls_than_allowed_in_any_sixty_minutes(limit: int, steps: list[tuple[int, bool]]) -> None:
    """Whatever became of them: settled, failed or still on their way. Given back ones count as well."""
    config, names = _pool(Provider.OPENROUTER, 2)
    caller = Caller(with_settings(config, Provider.OPENROUTER, lambda it: it._replace(max_calls_per_hour=limit)))
    made: dict[str, list[datetime]] = {name: [] for name in names}
    for seconds, settles in steps:
        caller.now += timedelta(seconds=seconds)
        claimed = caller.claim(Request(model="moon/kimi"))
        if claimed is None:
            continue
        made[claimed.candidate.label].append(caller.now)
        if settles:
            caller.settle(claimed)
        else:
            caller.snapshot = record(caller.snapshot, Released(claimed.hold.id), caller.now)
    for times in made.values():
        for first, one_too_many in zip(times, times[limit:], strict=False):
            assert one_too_many - first > timedelta(hours=1)


def test_a_full_window_is_free_again_within_an_hour_and_a_minute() -> None:
    config, _ = _pool(Provider.OPENROUTER, 1)
    caller = Caller(with_settings(config, Provider.OPENROUTER, lambda it: it._replace(max_calls_per_hour=1)))
    assert caller.claim(FREE) is not None
    caller.now += 60 * MINUTE
    assert caller.claim(FREE) is None
    caller.now += MINUTE
    assert caller.claim(FREE) is not None
