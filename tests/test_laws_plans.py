"""Laws of one decision: what a plan may offer, how far a prompt may travel, and that nothing but the inputs decides."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Key, Privacy, Provider, strictest
from lollmsbot_keys.core.model.request import Candidate, Facts, Plan, Reach, Reason, Request, Rule, Tried
from lollmsbot_keys.core.model.snapshot import Cooldown, Day, Scope, Snapshot
from tests.examples import examples
from tests.strategies import HOUR, NOW, World, by_scope, exhausted_worlds, key_scope, reaches, worlds

PASSING = {Reason.COOLING_DOWN, Reason.NO_CREDIT, Reason.NO_SUCH_MODEL, Reason.HOURLY_LIMIT}
PASSING |= {Reason.OVER_BUDGET, Reason.HELD}


# --- an oracle of its own: slow, plain, and written from the contract, not from the code ---


def _same(one: str, other: str) -> bool:
    return "" in {one, other} or one == other


def faults(candidate: Candidate, world: World) -> Iterator[Reason]:
    """Everything that speaks against using `candidate` now."""
    privacy = _level(world)
    if privacy is Privacy.CRITICAL and candidate.provider is not Provider.LOCAL:
        yield Reason.PRIVACY
    if privacy is Privacy.HIGH and candidate.provider is Provider.OPENROUTER:
        yield Reason.PRIVACY
    for cooldown in world.snapshot.cooldowns.values():
        if cooldown.until > world.now and _lies_in(candidate, cooldown.scope):
            yield cooldown.reason
    if candidate.key is None:
        if candidate.model.endswith("cloud"):
            yield Reason.UNPROVEN
        if privacy is Privacy.CRITICAL and any("//10." in endpoint for endpoint in candidate.endpoints):
            yield Reason.UNPROVEN
    else:
        yield from _faults_of_key(candidate, candidate.key, world)


def _faults_of_key(candidate: Candidate, name: str, world: World) -> Iterator[Reason]:
    key = next(key for key in world.config.keys if key.name == name)
    rules = world.config.providers[key.provider]
    if name not in world.facts.secrets:
        yield Reason.NO_SECRET
    mark = world.snapshot.disabled.get(name)
    if not key.enabled or (mark and _same(mark.fingerprint, world.facts.secrets.get(name, ""))):
        yield Reason.DISABLED
    if name in world.facts.assumed:
        yield world.facts.assumed[name].reason
    listed = world.facts.lists.get(key.provider)
    if listed is not None and candidate.model not in listed and not candidate.model.startswith("openrouter/"):
        yield Reason.NO_SUCH_MODEL
    hour_ago = (world.now - timedelta(hours=1)).timestamp()
    window = world.snapshot.hours.get(name, {})
    calls = sum(count for minute, count in window.items() if minute * 60 + 60 > hour_ago)
    if rules.max_calls_per_hour is not None and calls >= rules.max_calls_per_hour:
        yield Reason.HOURLY_LIMIT
    yield from _faults_of_budgets(candidate, key, world)
    if any("stranger" in endpoint for endpoint in candidate.endpoints) and not rules.trusted_hosts:
        yield Reason.UNTRUSTED_HOST


def _faults_of_budgets(candidate: Candidate, key: Key, world: World) -> Iterator[Reason]:
    committed = list(_committed(candidate, key, world))
    spent = list(_committed(candidate, key, world._replace(snapshot=world.snapshot._replace(holds={}))))
    for (budget, with_holds), (_, without) in zip(committed, spent, strict=True):
        if budget is not None and candidate.bound_usd > 0 and with_holds + candidate.bound_usd > budget:
            yield Reason.OVER_BUDGET if without + candidate.bound_usd > budget else Reason.HELD


def _committed(candidate: Candidate, key: Key, world: World) -> Iterator[tuple[Decimal | None, Decimal]]:
    rules, spent = world.config.providers[key.provider], _spent_today(world)
    of_provider = sum((a for (provider, _), a in spent.items() if provider is key.provider), Decimal(0))
    in_month = _spent_this_month(world)
    of_provider_in_month = sum((a for (provider, _), a in in_month.items() if provider is key.provider), Decimal(0))
    yield rules.daily_budget_usd, of_provider
    yield key.daily_budget_usd, _of_key(spent, candidate)
    yield rules.monthly_budget_usd, of_provider_in_month
    yield key.monthly_budget_usd, _of_key(in_month, candidate)


def _of_key(spent: Mapping[tuple[Provider, str], Decimal], candidate: Candidate) -> Decimal:
    return spent.get((candidate.provider, candidate.key or ""), Decimal(0))


def _spent_today(world: World) -> dict[tuple[Provider, str], Decimal]:
    today = world.now.astimezone(world.config.timezone).date()
    spent: dict[tuple[Provider, str], Decimal] = {}
    for place, cell in world.snapshot.days.get(today, Day("")).cells.items():
        spent[place.provider, place.key] = spent.get((place.provider, place.key), Decimal(0)) + cell.cost_usd
    for spender, amount in world.snapshot.closed.get(today, {}).items():
        spent[spender] = spent.get(spender, Decimal(0)) + amount
    for hold in world.snapshot.holds.values():
        if hold.day == today and not hold.lapsed:
            spent[hold.provider, hold.key] = spent.get((hold.provider, hold.key), Decimal(0)) + hold.amount_usd
    return spent


def _spent_this_month(world: World) -> dict[tuple[Provider, str], Decimal]:
    month = f"{world.now.astimezone(world.config.timezone):%Y-%m}"
    closed = world.snapshot.months.get(month, {})
    spent: dict[tuple[Provider, str], Decimal] = {(who.provider, who.key): amount for who, amount in closed.items()}
    for day, content in world.snapshot.days.items():
        for place, cell in content.cells.items() if f"{day:%Y-%m}" == month else ():
            spent[place.provider, place.key] = spent.get((place.provider, place.key), Decimal(0)) + cell.cost_usd
    for hold in world.snapshot.holds.values():
        if f"{hold.day:%Y-%m}" == month and not hold.lapsed:
            spent[hold.provider, hold.key] = spent.get((hold.provider, hold.key), Decimal(0)) + hold.amount_usd
    return spent


def _lies_in(candidate: Candidate, scope: Scope) -> bool:
    if scope.provider is not candidate.provider:
        return False
    my_key = scope.key == candidate.key and _same(scope.fingerprint, candidate.fingerprint)
    match scope.reach:
        case Reach.PROVIDER:
            return True
        case Reach.MODEL:
            return scope.model == candidate.model
        case Reach.KEY:
            return my_key
        case Reach.KEY_AND_MODEL:
            return my_key and scope.model == candidate.model
        case Reach.ACCOUNT:
            return scope.account == candidate.account
        case Reach.FREE_MODELS:
            return candidate.free and scope.account == candidate.account
        case Reach.REQUEST:
            return False


def _level(world: World) -> Privacy:
    """The stricter of what the request and its role say; the default only where neither says anything."""
    request = world.request
    said = [request.privacy] if request.privacy else []
    if request.pillar:
        roles = world.config.pillars[request.pillar].roles
        role = roles[request.role or next(iter(roles))]
        said += [role.privacy] if role.privacy else []
    return strictest(said) if said else world.config.routing.default_privacy


# --- law 1 ---


@settings(max_examples=examples(200))
@given(worlds() | exhausted_worlds())
def test_what_a_plan_offers_has_nothing_against_it(world: World) -> None:
    for candidate in world.plan().candidates:
        if candidate.eligible:
            assert list(faults(candidate, world)) == []


@settings(max_examples=examples(100))
@given(worlds() | exhausted_worlds())
def test_every_other_candidate_has_a_reason_that_is_true_and_a_time_to_come(world: World) -> None:
    plan = world.plan()
    for candidate in plan.candidates:
        if candidate.set_aside is None:
            continue
        reason, until = candidate.set_aside.reason, candidate.set_aside.until
        assert until is None or (reason in PASSING and until > world.now)
        if reason is Reason.RESERVED:
            assert list(faults(candidate, world)) == []
            assert any(other.eligible for other in plan.candidates)
        elif reason is not Reason.PROVIDER_OFF:
            assert reason in set(faults(candidate, world))


@settings(max_examples=examples(200))
@given(exhausted_worlds(), st.floats(0, 0.999))
def test_nothing_comes_free_before_retry_at_and_something_does_then(world: World, part: float) -> None:
    plan = world.plan()
    ends = [c.set_aside.until for c in plan.candidates if c.set_aside is not None and c.set_aside.until is not None]
    if any(candidate.eligible for candidate in plan.candidates) or not ends:
        assert plan.retry_at is None
        return
    assert plan.retry_at == min(ends)
    before = world._replace(now=world.now + part * (plan.retry_at - world.now)).plan()
    assert not any(candidate.eligible for candidate in before.candidates)
    assert any(candidate.eligible for candidate in world._replace(now=plan.retry_at).plan().candidates)


@settings(max_examples=examples(100))
@given(worlds())
def test_retry_at_is_the_first_time_that_a_plan_names(world: World) -> None:
    plan = world.plan()
    ends = {c.set_aside.until for c in plan.candidates if c.set_aside is not None and c.set_aside.until is not None}
    eligible = any(candidate.eligible for candidate in plan.candidates)
    assert plan.retry_at == (None if eligible else min(ends, default=None))


# --- law 3 ---


def _failing(world: World, reaches: list[Reach]) -> Iterator[tuple[Plan, Candidate]]:
    """Follow the plan as `ask` does, with every attempt failing."""
    tried: list[Tried] = []
    for reach in reaches:
        plan = world.plan(tried)
        if plan.choice is None:
            return
        yield plan, plan.choice
        tried.append(Tried(plan.choice, reach))


@settings(max_examples=examples(200))
@given(worlds(), st.lists(reaches, min_size=4, max_size=8))
def test_privacy_never_widens_however_often_it_fails_over(world: World, fails: list[Reach]) -> None:
    level = _level(world)
    for plan, choice in _failing(world, fails):
        assert plan.privacy is level
        assert len({(c.key, c.provider, c.model) for c in plan.candidates}) == len(plan.candidates)
        for candidate in (choice, *(candidate for candidate in plan.candidates if candidate.eligible)):
            if level is Privacy.CRITICAL:
                assert candidate.provider is Provider.LOCAL
                assert candidate.unproven
            if level is Privacy.HIGH:
                assert candidate.provider is not Provider.OPENROUTER


@settings(max_examples=examples(100))
@given(worlds(), st.lists(reaches, min_size=1, max_size=8))
def test_a_failover_offers_nothing_again_and_ends(world: World, fails: list[Reach]) -> None:
    places = [(choice.key, choice.provider, choice.model) for _, choice in _failing(world, fails)]
    assert len(places) == len(set(places))


@settings(max_examples=examples(100))
@given(worlds())
def test_free_is_never_silently_replaced_by_paid(world: World) -> None:
    plan = world.plan()
    if world.request.free:
        assert all(candidate.free or candidate.provider is Provider.LOCAL for candidate in plan.candidates)
        return
    free_first = any(candidate.rule is Rule.FREE for candidate in plan.candidates)
    first = next((candidate for candidate in plan.candidates if candidate.eligible), None)
    if free_first and first and not first.free and first.provider is not Provider.LOCAL:
        assert plan.notices


# --- law 5 ---

Name = TypeVar("Name")
Value = TypeVar("Value")


def _shuffled(mapping: Mapping[str, Value], chance: random.Random) -> dict[str, Value]:
    names = list(mapping)
    chance.shuffle(names)
    return {name: mapping[name] for name in names}


def _backwards(mapping: Mapping[Name, Value]) -> dict[Name, Value]:
    return dict(reversed(list(mapping.items())))


def _reordered(snapshot: Snapshot, facts: Facts, chance: random.Random) -> tuple[Snapshot, Facts]:
    cooldowns = list(snapshot.cooldowns.items())
    chance.shuffle(cooldowns)
    return snapshot._replace(
        cooldowns=dict(cooldowns),
        hours={key: _backwards(window) for key, window in _shuffled(snapshot.hours, chance).items()},
        disabled=_shuffled(snapshot.disabled, chance),
        accounts=_shuffled(snapshot.accounts, chance),
        holds=_shuffled(snapshot.holds, chance),
        waiters=_shuffled(snapshot.waiters, chance),
        days=_backwards(snapshot.days),
        closed=_backwards(snapshot.closed),
    ), facts._replace(secrets=_shuffled(facts.secrets, chance))


@settings(max_examples=examples(100))
@given(worlds(), st.randoms(use_true_random=False))
def test_same_inputs_same_plan_in_whatever_order_the_maps_are(world: World, chance: random.Random) -> None:
    assume(world.snapshot.cooldowns or world.snapshot.hours)
    plan = world.plan()
    snapshot, facts = _reordered(world.snapshot, world.facts, chance)
    assert world.plan() == plan
    assert world._replace(snapshot=snapshot, facts=facts).plan() == plan


def test_of_two_cooldowns_that_end_together_the_same_one_is_named() -> None:
    one = Cooldown(Scope(Reach.PROVIDER, Provider.OLLAMA), Reason.COOLING_DOWN, NOW, NOW + HOUR, "default")
    other = Cooldown(key_scope("O1"), Reason.NO_CREDIT, NOW, NOW + HOUR, "402")
    orders = (by_scope(one, other), by_scope(other, one))
    plans = [World(Request(key="O1"), snapshot=Snapshot(cooldowns=marks)).plan() for marks in orders]
    assert plans[0] == plans[1]
