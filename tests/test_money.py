"""Prices, bounds and charges: exact, never another seller's, never too low."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Price, Provider
from lollmsbot_keys.core.model.outcome import Billing, Failure, Outcome, OutcomeKind, Usage
from lollmsbot_keys.core.model.request import Candidate, Reach, Reason, Rule
from lollmsbot_keys.core.model.snapshot import Hold, Scope, Snapshot, Spender
from lollmsbot_keys.core.money import amounts
from lollmsbot_keys.core.money.charges import Charge, charge, estimate, unconfirmed
from lollmsbot_keys.core.money.template_tokens import TemplateSeen
from lollmsbot_keys.core.state.events import Answered, Cooled, Settled, Strike
from lollmsbot_keys.core.state.settlement import Finished, charge_for, events_of
from tests.examples import examples
from tests.strategies import CONFIG, DAY, FREE_MODELS, HOUR, ME, MINUTE, NOW, TODAY, spent

KIMI = Price(Decimal("0.60"), Decimal("3.00"))
UNKNOWN = Price(Decimal(15), Decimal(75))
HELD = Decimal("0.05")
OLLAMA, OPENROUTER, LOCAL = Provider.OLLAMA, Provider.OPENROUTER, Provider.LOCAL


@pytest.mark.parametrize(
    ("provider", "model", "price"),
    [
        (OLLAMA, "kimi", KIMI),
        (OLLAMA, "kimi:cloud", KIMI),
        (OPENROUTER, "moon/kimi", Price(Decimal("0.50"), Decimal("3.30"))),
        (OPENROUTER, "moon/kimi-2", None),  # Ollama's price for the same model is not OpenRouter's
        (OLLAMA, "plain:8b", None),
        (OPENROUTER, "lama:free", amounts.GIVEN_AWAY),
        (OPENROUTER, "anything:free", amounts.GIVEN_AWAY),
        (OPENROUTER, FREE_MODELS[1], amounts.GIVEN_AWAY),
        (OLLAMA, "anything:free", None),
        (LOCAL, "kimi", amounts.GIVEN_AWAY),
    ],
)
def test_what_a_seller_asks(provider: Provider, model: str, price: Price | None) -> None:
    found = amounts.price_of(CONFIG, provider, model)
    assert found == price


def test_costs_are_exact() -> None:
    assert amounts.cost(Price(Decimal("0.1"), Decimal("0.2")), 3, 3) == Decimal("0.0000009")
    assert amounts.cost(KIMI, 1_000_000, 1_000_000) == Decimal("3.60")


_rates = st.none() | st.integers(0, 900).map(lambda cents: Decimal(cents) / 100)


@settings(max_examples=examples(300))
@given(st.data(), _rates, _rates)
def test_no_answer_within_its_tokens_costs_more_than_the_bound(
    data: st.DataObject, cached: Decimal | None, written: Decimal | None
) -> None:
    """Whatever part of the prompt came out of a cache, or went into one, and whatever that costs."""
    price = KIMI._replace(cached_input_usd_per_mtok=cached, cache_write_usd_per_mtok=written)
    most = data.draw(st.integers(0, 5_000))
    prompt, completion = data.draw(st.integers(0, most)), data.draw(st.integers(0, 900))
    read = data.draw(st.integers(0, prompt))
    used = Usage(prompt, completion, None, read, data.draw(st.integers(0, prompt - read)))
    template = data.draw(st.integers(0, most))
    bound = amounts.bound(price, prompt_tokens=most - template, template_tokens=template, max_output_tokens=900)
    assert estimate(price, used) <= bound
    assert charge(OLLAMA, used, None, price, bound) == Charge(bound, None, "unknown")


def usage(prompt: int, completion: int, cost: str | None = None, cached: int = 0, written: int = 0) -> Usage:
    return Usage(prompt, completion, None if cost is None else Decimal(cost), cached, written)


CACHING = Price(Decimal("0.95"), Decimal("4.00"), None, Decimal("0.16"), Decimal("1.20"))
UNCACHED = CACHING._replace(cached_input_usd_per_mtok=None, cache_write_usd_per_mtok=None)


@pytest.mark.parametrize(
    ("name", "price", "used", "amount"),
    [
        ("tokens out of a cache", CACHING, usage(10_000, 100, cached=9_000), "0.00279"),
        ("whose price nobody knows", UNCACHED, usage(10_000, 100, cached=9_000), "0.0099"),
        ("tokens into a cache", CACHING, usage(10_000, 100, written=9_000), "0.01215"),
        ("whose price nobody knows either", UNCACHED, usage(10_000, 100, written=9_000), "0.0099"),
        ("some of each", CACHING, usage(10_000, 0, cached=4_000, written=5_000), "0.00759"),
        ("all of them", CACHING, usage(10_000, 0, cached=10_000), "0.0016"),
        ("more than there are: told beside them", CACHING, usage(1_000, 0, cached=9_000), "0.00239"),
        ("a cache that is free", CACHING._replace(cached_input_usd_per_mtok=Decimal(0)), usage(9, 0, cached=9), "0"),
    ],
)
def test_what_tokens_of_a_cache_cost(name: str, price: Price, used: Usage, amount: str) -> None:
    assert charge(OLLAMA, used, price, price.most, HELD)[:3] == (Decimal(amount), Decimal(amount), "estimate"), name


def test_the_dearest_that_a_token_may_cost() -> None:
    assert CACHING.most == Price(Decimal("1.20"), Decimal("4.00"))
    assert CACHING._replace(cache_write_usd_per_mtok=None).most.input_usd_per_mtok == Decimal("0.95")
    assert UNCACHED.most is UNCACHED
    free = amounts.GIVEN_AWAY._replace(cache_write_usd_per_mtok=Decimal("0.1"))
    assert not free.is_zero, "who pays for writing to a cache is given nothing away"
    bound = amounts.bound(free, prompt_tokens=7, template_tokens=3, max_output_tokens=9)
    assert bound == Decimal("0.000001")


@pytest.mark.parametrize(
    ("name", "used", "price", "amount", "told", "source"),
    [
        ("the provider's own figure wins", usage(1000, 1000, "0.009"), KIMI, "0.009", "0.009", "provider"),
        ("also where it is above the bound", usage(1000, 1000, "0.09"), KIMI, "0.09", "0.09", "provider"),
        ("else tokens at the dated price", usage(1000, 1000), KIMI, "0.0036", "0.0036", "estimate"),
        ("zero is not believed of a model with a price", usage(1000, 1000, "0"), KIMI, "0.0036", "0.0036", "estimate"),
        ("nor of one whose price nobody knows", usage(1000, 1000, "0"), None, "0.09", None, "unknown"),
        ("it is where nothing was used", usage(0, 0, "0"), KIMI, "0", "0", "provider"),
        ("and where the model is given away", usage(9, 9, "0"), amounts.GIVEN_AWAY, "0", "0", "provider"),
        ("given away without a figure", usage(9, 9), amounts.GIVEN_AWAY, "0", "0", "estimate"),
        ("an unknown price is the bound, never zero", usage(9, 9), None, "0.05", None, "unknown"),
        ("or what was used of it, if that is more", usage(10_000, 9), None, "0.150675", None, "unknown"),
        ("a price without tokens is no estimate", usage(0, 0), KIMI, "0.05", None, "unknown"),
        ("nor is no usage at all", None, KIMI, "0.05", None, "unknown"),
        ("an unknown price with a figure", usage(9, 9, "0.01"), None, "0.01", "0.01", "provider"),
    ],
)
def test_what_an_answer_is_booked_at(
    name: str, used: Usage | None, price: Price | None, amount: str, told: str | None, source: str
) -> None:
    booked = charge(OPENROUTER, used, price, price or UNKNOWN, HELD)
    assert booked[:3] == (Decimal(amount), None if told is None else Decimal(told), source), name
    assert not booked.unconfirmed


def test_an_unknown_price_is_at_least_what_was_used_of_it() -> None:
    held = Decimal("0.003945")
    assert charge(OLLAMA, usage(537, 1), None, UNKNOWN, held) == Charge(Decimal("0.00813"), None, "unknown")


def test_local_calls_cost_nothing_whatever_they_say() -> None:
    assert charge(LOCAL, usage(9, 9, "3"), KIMI, KIMI, HELD) == Charge(Decimal(0), Decimal(0), "local")
    assert unconfirmed(HELD, LOCAL) == Charge(Decimal(0), Decimal(0), "local")


# --- what a finished attempt means ---

CANDIDATE = Candidate(
    "R1", OPENROUTER, "moon/kimi", ("https://openrouter.ai/api/v1",), Rule.EQUIVALENT, KIMI, HELD, KIMI, 1_000, 600
)
DECEMBER = date(2026, 12, 1)
HOLD = Hold("h", ME, NOW, NOW + HOUR, TODAY, "R1", OPENROUTER, "moon/kimi", "", HELD)
PAIR = Scope(Reach.KEY_AND_MODEL, OPENROUTER, "R1", model="moon/kimi")


def finished(failure: Failure | None, used: Usage | None = None, *, interim: bool = False) -> Finished:
    kind = failure.kind if failure else OutcomeKind.ANSWERED
    outcome = Outcome(kind, failure=failure, usage=used, interim=interim)
    return Finished(CANDIDATE, HOLD, outcome, timedelta(seconds=1), failover=True)


REFUSED = Failure(OutcomeKind.RATE_LIMITED, Reach.ACCOUNT, NOW + HOUR, "Retry-After", "slow down")
EMPTY = Failure(OutcomeKind.EMPTY, Reach.KEY_AND_MODEL, strike=True, billing=Billing.POSSIBLY)
DROPPED = Failure(OutcomeKind.DROPPED, Reach.KEY_AND_MODEL, strike=True, billing=Billing.POSSIBLY)


@pytest.mark.parametrize(
    ("name", "ended", "amount", "unsure"),
    [
        ("a refusal costs nothing", finished(REFUSED), "0", False),
        ("what may have been billed is charged in full", finished(DROPPED), "0.05", True),
        ("unless the provider told what it cost", finished(DROPPED, usage(9, 9, "0.002")), "0.002", False),
        ("a zero from the provider does not make it sure", finished(DROPPED, usage(9, 9, "0")), "0.05", True),
        ("a refusal that tells a cost has one", finished(REFUSED, usage(9, 9, "0.002")), "0.002", False),
        ("one that used tokens may have one", finished(REFUSED, usage(9, 0)), "0.05", True),
        ("whatever zero is said beside them", finished(REFUSED, usage(9, 0, "0")), "0.05", True),
        ("a refusal that says that nothing was used", finished(REFUSED, usage(0, 0, "0")), "0", False),
        ("an end of nothing cost what it says it used", finished(EMPTY, usage(1000, 0)), "0.0006", False),
        ("an end of nothing that says nothing may have cost", finished(EMPTY), "0.05", True),
        ("a cost so far is not all of it", finished(DROPPED, usage(9, 9, "0.002"), interim=True), "0.05", True),
        ("but the least", finished(DROPPED, usage(9, 9, "0.09"), interim=True), "0.09", True),
        ("as are the tokens so far", finished(DROPPED, usage(100_000, 9), interim=True), "0.060027", True),
        ("and those of what broke off", finished(DROPPED, usage(100_000, 9)), "0.060027", True),
        ("also of an answer whose end was not heard", finished(None, usage(9, 9), interim=True), "0.05", True),
        ("an answer", finished(None, usage(9, 9, "0.001")), "0.001", False),
    ],
)
def test_what_an_attempt_is_booked_at(name: str, ended: Finished, amount: str, unsure: bool) -> None:  # noqa: FBT001
    booked = charge_for(ended)
    assert (booked.amount_usd, booked.unconfirmed) == (Decimal(amount), unsure), name


def test_what_is_recorded_of_an_attempt() -> None:
    def events(ended: Finished) -> list[object]:
        settled, *health = events_of(ended, charge_for(ended), CONFIG.cooldowns, NOW)
        assert isinstance(settled, Settled)
        assert (settled.hold_id, settled.failover) == ("h", True)
        assert settled.failed is (ended.outcome.failure is not None)
        return list(health)

    assert events(finished(None)) == [Answered(PAIR)]
    (cooled,) = events(finished(REFUSED))
    assert isinstance(cooled, Cooled)
    assert (cooled.cooldown.scope.reach, cooled.cooldown.reason) == (Reach.ACCOUNT, Reason.COOLING_DOWN)
    assert (cooled.cooldown.until, cooled.cooldown.source) == (NOW + HOUR, "Retry-After")
    (strikes,) = events(finished(DROPPED))
    assert isinstance(strikes, Strike)
    assert (strikes.cooldown.scope, strikes.cooldown.until) == (PAIR, NOW + 5 * MINUTE)
    assert events(finished(REFUSED._replace(until=NOW))) == [], "a moment that is over cools nothing"
    assert events(finished(REFUSED._replace(until=None))) == []
    (no_credit,) = events(finished(REFUSED._replace(kind=OutcomeKind.NO_CREDIT)))
    assert isinstance(no_credit, Cooled)
    assert no_credit.cooldown.reason is Reason.NO_CREDIT


@pytest.mark.parametrize("failure", [None, REFUSED, DROPPED])
def test_a_prompt_longer_than_its_bound_teaches_what_the_template_adds(failure: Failure | None) -> None:
    """Of the 1,000 tokens that were expected at most, 600 were the template's."""

    def seen(ended: Finished) -> list[object]:
        return [event for event in events_of(ended, charge_for(ended), CONFIG.cooldowns, NOW) if is_seen(event)]

    def is_seen(event: object) -> bool:
        return isinstance(event, TemplateSeen)

    assert seen(finished(failure, usage(1_000, 9))) == seen(finished(failure)) == []
    assert seen(finished(failure, usage(1_250, 9))) == [TemplateSeen(OPENROUTER, "moon/kimi", 850)]
    local = finished(failure, usage(1_250, 9))
    assert seen(local._replace(candidate=CANDIDATE._replace(provider=LOCAL))) == []


# --- what a budget has to cover ---


def test_committed_is_what_was_closed_what_is_open_and_what_is_held() -> None:
    spender = Spender(OPENROUTER, "R1")
    snapshot = Snapshot(
        days=spent({"R1": "1.00", "O1": "7"}),
        closed={TODAY: {spender: Decimal("0.25")}, TODAY - DAY: {spender: Decimal(90)}},
        holds={
            "a": HOLD,
            "lapsed": HOLD._replace(id="lapsed", lapsed=True),  # already among what is open
            "yesterday": HOLD._replace(id="yesterday", day=TODAY - DAY),
        },
    )
    totals = amounts.committed(snapshot, TODAY)
    assert totals == {spender: Decimal("1.30"), Spender(OLLAMA, "O1"): Decimal(7)}
    assert amounts.of_provider(totals, OPENROUTER) == Decimal("1.30")
    assert amounts.of_provider(totals, LOCAL) == 0


def test_committed_in_a_month_is_the_same_for_all_its_days() -> None:
    spender = Spender(OPENROUTER, "R1")
    snapshot = Snapshot(
        days={
            **spent({"R1": "1.00", "O1": "7"}),
            **spent({"R1": "0.50"}, TODAY - DAY),
            **spent({"R1": "90"}, DECEMBER),
        },
        closed={TODAY - 5 * DAY: {spender: Decimal(90)}},  # already among what the month has
        months={"2026-11": {spender: Decimal("0.25")}, "2026-10": {spender: Decimal(90)}},
        holds={
            "a": HOLD,
            "lapsed": HOLD._replace(id="lapsed", lapsed=True),
            "yesterday": HOLD._replace(id="yesterday", day=TODAY - DAY),
            "december": HOLD._replace(id="december", day=DECEMBER),
        },
    )
    assert amounts.recorded_in_month(snapshot, "2026-11") == {
        spender: Decimal("1.75"),
        Spender(OLLAMA, "O1"): Decimal(7),
    }
    assert amounts.held_in_month(snapshot, "2026-11") == {spender: Decimal("0.10")}
    assert amounts.committed_in_month(snapshot, "2026-11")[spender] == Decimal("1.85")
