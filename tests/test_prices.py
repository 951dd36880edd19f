"""Which price counts: yours, the list's, the shipped one; bounds that are never too low, and free that stays free."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Config, Model, Price, Provider
from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.model.request import Candidate, PriceList, Reach, Reason, Request, Rule
from lollmsbot_keys.core.model.snapshot import Scope
from lollmsbot_keys.core.money import amounts
from lollmsbot_keys.core.money.pricing import Pricing, not_free, pricing
from lollmsbot_keys.core.state.events import Cooled
from lollmsbot_keys.core.state.settlement import Finished, charge_for, events_of
from lollmsbot_keys.edges.caches.model_lists import FILE, keep_list, read_lists
from lollmsbot_keys.edges.config.load import load
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.edges.providers.price_list import quotes
from tests.examples import examples
from tests.strategies import CONFIG, DAY, FREE_MODELS, HOUR, MODEL_NAMES, NOW, World, worlds
from tests.test_money import HELD, finished

OLLAMA, OPENROUTER, LOCAL = Provider.OLLAMA, Provider.OPENROUTER, Provider.LOCAL
TABLE = Price(Decimal("0.50"), Decimal("3.30"))
UNKNOWN = CONFIG.routing.unknown_price
PRICED = date(2026, 9, 15)


def price(prompt: str, completion: str) -> Price:
    return Price(Decimal(prompt), Decimal(completion))


def bound(asked: Price, prompt_tokens: int, cap: int) -> Decimal:
    return amounts.bound(asked, prompt_tokens=prompt_tokens, template_tokens=0, max_output_tokens=cap)


def with_model(name: str, asked: Price | None, *, own: bool = False) -> Config:
    return CONFIG._replace(models={**CONFIG.models, name: Model(name, price=asked, own_price=own)})


def listed(age: timedelta = HOUR, **asked: tuple[str, ...] | None) -> PriceList:
    """A list of that age; `moon_kimi` stands for `moon/kimi`."""
    return PriceList(NOW - age, {name.replace("_", "/"): figures for name, figures in asked.items()})


def both(found: Pricing) -> tuple[tuple[Decimal, Decimal] | None, tuple[Decimal, Decimal]]:
    """The estimate's price and the bound's, without their dates."""
    return found.price and found.price[:2], found.most[:2]


CHEAPER, DEARER = ("0.4", "3"), ("0.9", "4")
TABLE_PAIR, UNKNOWN_PAIR = TABLE[:2], UNKNOWN[:2]
CHEAPER_PAIR, DEARER_PAIR = price(*CHEAPER)[:2], price(*DEARER)[:2]


@pytest.mark.parametrize(
    ("case", "shipped", "own", "asked", "age", "estimate", "bound"),
    [
        ("no list: the shipped price", TABLE, False, None, HOUR, TABLE_PAIR, TABLE_PAIR),
        ("nobody knows", None, False, None, HOUR, None, UNKNOWN_PAIR),
        ("a fresh list is believed: cheaper", TABLE, False, CHEAPER, HOUR, CHEAPER_PAIR, CHEAPER_PAIR),
        ("a fresh list is believed: dearer", TABLE, False, DEARER, HOUR, DEARER_PAIR, DEARER_PAIR),
        ("a fresh list where nobody else knows", None, False, CHEAPER, HOUR, CHEAPER_PAIR, CHEAPER_PAIR),
        ("an old one lowers no bound", TABLE, False, CHEAPER, 2 * DAY, CHEAPER_PAIR, TABLE_PAIR),
        ("an old one that is dearer raises it", TABLE, False, DEARER, 90 * DAY, TABLE_PAIR, DEARER_PAIR),
        ("an old one where nobody else knows", None, False, CHEAPER, 2 * DAY, CHEAPER_PAIR, UNKNOWN_PAIR),
        ("your own price, cheaper than the list", TABLE, True, DEARER, HOUR, TABLE_PAIR, DEARER_PAIR),
        ("your own price, dearer than the list", TABLE, True, CHEAPER, HOUR, TABLE_PAIR, TABLE_PAIR),
        ("your own price and an old list", TABLE, True, DEARER, 2 * DAY, TABLE_PAIR, DEARER_PAIR),
        ("half by half", TABLE, True, ("0.4", "4"), HOUR, TABLE_PAIR, (Decimal("0.50"), Decimal(4))),
        ("dear tiers bound, and estimate nothing", TABLE, False, (*CHEAPER, *DEARER), HOUR, CHEAPER_PAIR, DEARER_PAIR),
        ("a cache whose dearest is none", None, False, ("2", "3", "1", "1"), HOUR, (2, 3), (2, 3)),
        ("zero, today", TABLE, False, ("0", "0"), HOUR, (0, 0), (0, 0)),
        ("zero, some time ago", TABLE, False, ("0", "0"), 2 * DAY, TABLE_PAIR, TABLE_PAIR),
        ("a list of tomorrow is not fresh", TABLE, False, CHEAPER, -HOUR, CHEAPER_PAIR, TABLE_PAIR),
        ("listed without a price", TABLE, False, None, HOUR, TABLE_PAIR, TABLE_PAIR),
        ("junk in the cache", TABLE, False, ("x", "1"), HOUR, TABLE_PAIR, TABLE_PAIR),
        ("more junk", TABLE, False, ("-1", "-1"), HOUR, TABLE_PAIR, TABLE_PAIR),
        ("half a pair", TABLE, False, ("1",), HOUR, TABLE_PAIR, TABLE_PAIR),
        ("too many", TABLE, False, ("1", "2", "3", "4", "5", "6"), HOUR, TABLE_PAIR, TABLE_PAIR),
        ("a cache is read for less", TABLE, False, (*CHEAPER, "0.1"), HOUR, CHEAPER_PAIR, CHEAPER_PAIR),
        ("a cache is read for more", TABLE, False, (*CHEAPER, "0.8"), HOUR, CHEAPER_PAIR, (Decimal("0.8"), 3)),
        ("not a number", TABLE, False, ("NaN", "1"), HOUR, TABLE_PAIR, TABLE_PAIR),
    ],
)
def test_which_price_counts(
    case: str,
    shipped: Price | None,
    own: bool,  # noqa: FBT001 - a column of the table
    asked: tuple[str, ...] | None,
    age: timedelta,
    estimate: tuple[Decimal, Decimal] | None,
    bound: tuple[Decimal, Decimal],
) -> None:
    dated = shipped and shipped._replace(priced_on=PRICED)
    config = with_model("moon/kimi", dated, own=own)
    found = pricing(config, listed(age, moon_kimi=asked), OPENROUTER, "moon/kimi", NOW)
    assert both(found) == (estimate, bound), case
    assert not found.free


def test_a_shipped_price_that_is_newer_than_an_old_list_estimates() -> None:
    config = with_model("moon/kimi", TABLE._replace(priced_on=NOW.date()))
    assert both(pricing(config, listed(2 * DAY, moon_kimi=CHEAPER), OPENROUTER, "moon/kimi", NOW))[0] == TABLE_PAIR


def test_a_list_is_one_sellers_and_about_exactly_that_model() -> None:
    known = listed(moon_kimi=CHEAPER, kimi=DEARER, openrouter_auto=CHEAPER)
    assert pricing(CONFIG, known, OLLAMA, "kimi", NOW).most[:2] == price("0.60", "3.00")[:2]
    assert pricing(CONFIG, known, OPENROUTER, "moon/kimi:online", NOW) == Pricing(None, UNKNOWN)
    assert pricing(CONFIG, known, OPENROUTER, "openrouter/auto", NOW) == Pricing(None, UNKNOWN)
    assert pricing(CONFIG, known, LOCAL, "moon/kimi", NOW) == Pricing(amounts.GIVEN_AWAY, amounts.GIVEN_AWAY)


def test_a_cache_has_the_price_of_who_is_believed() -> None:
    """And the dearest that a token of the prompt may cost is in the bound, whoever says so."""
    shipped = TABLE._replace(cached_input_usd_per_mtok=Decimal("0.2"), cache_write_usd_per_mtok=Decimal("0.6"))

    def found(*asked: str, own: bool = False) -> tuple[Decimal | None, Decimal]:
        prices = listed(moon_kimi=asked) if asked else PriceList()
        priced = pricing(with_model("moon/kimi", shipped, own=own), prices, OPENROUTER, "moon/kimi", NOW)
        return priced.price and priced.price.cached_input_usd_per_mtok, priced.most.input_usd_per_mtok

    assert found() == (Decimal("0.2"), Decimal("0.6"))
    assert found("0.4", "3", "0.1") == (Decimal("0.1"), Decimal("0.4"))
    assert found("0.4", "3") == (None, Decimal("0.4")), "a list without a price of its own for it asks the whole one"
    assert found("0.4", "3", "0.1", own=True) == (Decimal("0.2"), Decimal("0.6"))


# --- laws ---

_figures = st.sampled_from(["0", "0.0001", "0.6", "7", "75", "80", "-1", "x"])
_asked = (
    st.none()
    | st.tuples(_figures, _figures)
    | st.tuples(_figures, _figures, _figures)
    | st.tuples(_figures, _figures, _figures, _figures)
)
_ages = st.sampled_from([timedelta(), HOUR, DAY - HOUR, DAY, 40 * DAY, 400 * DAY, -DAY])
price_lists = st.just(PriceList()) | st.builds(
    lambda age, prices: PriceList(NOW - age, prices), _ages, st.dictionaries(st.sampled_from(MODEL_NAMES), _asked)
)
_prices = st.none() | st.builds(price, st.sampled_from(["0.2", "0.6", "9"]), st.sampled_from(["0.2", "3", "90"]))


def at_least(one: Price, other: Price) -> bool:
    return one.input_usd_per_mtok >= other.input_usd_per_mtok and one.output_usd_per_mtok >= other.output_usd_per_mtok


@given(
    price_lists, _prices, st.sampled_from(["own", "shipped"]), st.sampled_from(Provider), st.sampled_from(MODEL_NAMES)
)
def test_no_bound_is_below_what_a_call_may_be_estimated_at(
    known: PriceList,
    shipped: Price | None,
    whose: str,
    provider: Provider,
    model: str,
) -> None:
    config = with_model(model, shipped, own=whose == "own")
    found, without = (pricing(config, prices, provider, model, NOW) for prices in (known, PriceList()))
    if found.price is not None:
        assert at_least(found.most, found.price)
    fresh = known.fetched is not None and timedelta() <= NOW - known.fetched < DAY
    if not fresh or (whose == "own" and shipped is not None):
        assert at_least(found.most, without.most), "only a fresh list lowers a bound, and never below your own price"
    assert found.free == without.free == (provider is OPENROUTER and model in FREE_MODELS)


@settings(max_examples=examples(200))
@given(worlds(), price_lists)
def test_a_plan_bounds_every_call_and_never_pays_for_free(world: World, known: PriceList) -> None:
    world = world._replace(facts=world.facts._replace(prices=known))
    for candidate in world.plan().candidates:
        assert candidate.template_tokens >= 256, "never below the configured figure"
        assert candidate.prompt_tokens == world.request.prompt_tokens + candidate.template_tokens
        assert candidate.bound_usd >= bound(candidate.most, candidate.prompt_tokens, 1)
        if candidate.price is not None:
            assert at_least(candidate.most, candidate.price)
        if candidate.free:
            assert candidate.most == amounts.GIVEN_AWAY
            assert candidate.bound_usd == 0
            figures = known.prices.get(candidate.model, ("0", "0"))
            paid = figures is None or any(figure not in {"0", "0.0"} for figure in figures)
            router = candidate.model.startswith("openrouter/")
            assert not (candidate.eligible and paid and not router)


# --- free that is not ---


@pytest.mark.parametrize(
    ("asked", "age", "words"),
    [
        (("0", "0"), HOUR, ""),
        (("0.1", "0.5"), HOUR, "asks 0.1 and 0.5 USD for a million tokens"),
        (("0", "0", "0", "0.5"), HOUR, "asks 0 and 0.5 USD"),
        (("0.1", "0.5"), 3 * DAY, "(fetch a newer one: lbk test-keys)"),
        (None, HOUR, "has no price for it by the token"),
    ],
)
def test_a_free_model_with_a_price_is_left_out(asked: tuple[str, ...] | None, age: timedelta, words: str) -> None:
    known = PriceList(NOW - age, {"lama:free": asked, "openrouter/free": ("1", "1")})
    world = World(Request(free=True))
    plan = world._replace(facts=world.facts._replace(prices=known)).plan()
    lama = [candidate for candidate in plan.candidates if candidate.model == "lama:free"]
    reasons = {(candidate.set_aside and candidate.set_aside.reason) for candidate in lama}
    assert reasons == ({Reason.NO_SUCH_MODEL} if words else {None})
    assert all(words in candidate.set_aside.detail for candidate in lama if candidate.set_aside)
    assert plan.choice is not None
    assert plan.choice.free, "the next free one stands in"
    told = not_free(CONFIG, known, NOW)
    assert [words in line and line.startswith("lama:free is not free any more") for line in told] == [True] * bool(
        words
    )


def test_a_free_model_that_cost_money_is_booked_in_full_and_left_alone() -> None:
    free = Candidate("R1", OPENROUTER, "lama:free", (), Rule.FREE, amounts.GIVEN_AWAY, Decimal(0), free=True)
    done = finished(None, Usage(9, 9, Decimal("0.25")))._replace(candidate=free)
    assert _cooled(done) == [
        (Scope(Reach.MODEL, OPENROUTER, model="lama:free"), Reason.NO_SUCH_MODEL, NOW + CONFIG.cooldowns.longest)
    ]
    kind = done._replace(outcome=done.outcome._replace(usage=Usage(9, 9, Decimal(0))))
    assert _cooled(kind) == []
    paid = done._replace(candidate=free._replace(free=False))
    assert _cooled(paid) == []


def _cooled(done: Finished) -> list[tuple[Scope, Reason, object]]:
    events = events_of(done, charge_for(done), CONFIG.cooldowns, NOW)
    return [(e.cooldown.scope, e.cooldown.reason, e.cooldown.until) for e in events if isinstance(e, Cooled)]


# --- what the list says ---


@pytest.mark.parametrize(
    ("pricing_table", "kept"),
    [
        ({"prompt": "0.00000003", "completion": "0.00000014"}, ("0.03", "0.14")),
        ({"prompt": "0", "completion": "0", "request": "0", "image": "0"}, ("0", "0")),
        ({"prompt": "0.000001", "completion": "0.000002", "input_cache_read": "0.0000001"}, ("1", "2", "0.1")),
        ({"prompt": "0.000001", "completion": "0.000002", "input_cache_read": "0"}, ("1", "2")),
        (
            {"prompt": "0.000001", "completion": "0.000002", "input_cache_read": "0.000003"},
            ("1", "2", "3", "2", "3"),
        ),
        ({"prompt": "0.000001", "completion": "0.000002", "input_cache_read": "some"}, None),
        (
            {"prompt": "0.000001", "completion": "0.000002", "input_cache_write_1h": "0.000004"},
            ("1", "2", "4", "2"),
        ),
        (
            {"prompt": "0.000003", "completion": "0.000015", "input_cache_write": "0.00000375"},
            ("3", "15", "3.75", "15"),
        ),
        ({"prompt": "0.000001", "completion": "0.000002", "internal_reasoning": "0.000009"}, ("1", "2", "1", "9")),
        (
            {
                "prompt": "0.000001",
                "completion": "0.000002",
                "overrides": [{"min_prompt_tokens": 200_000, "prompt": "0.000004", "completion": "0.000003"}],
            },
            ("1", "2", "4", "3"),
        ),
        ({"prompt": 0.000001, "completion": Decimal("0.000002"), "overrides": None}, ("1", "2")),
        ({"prompt": "-1", "completion": "-1"}, None),
        ({"prompt": "0.000001"}, None),
        ({"prompt": "0.000001", "completion": None}, None),
        ({"prompt": "0.000001", "completion": "0.000002", "request": "0.01"}, None),
        ({"prompt": "0.000001", "completion": "0.000002", "request": "-1"}, None),
        ({"prompt": "0.000001", "completion": "0.000002", "overrides": [{"prompt": "dear"}]}, None),
        ({"prompt": "0.000001", "completion": "0.000002", "overrides": [{"request": "0.5"}]}, None),
        ({"prompt": "0.000001", "completion": "0.000002", "overrides": {}}, ("1", "2")),
        ({"prompt": "0.000001", "completion": "0.000002", "overrides": {"a": 1}}, None),
        ({"prompt": "NaN", "completion": "Infinity"}, None),
        ({"prompt": "9", "completion": "9"}, None),
        ({"prompt": True, "completion": "0"}, None),
        ({"prompt": "1e-999000", "completion": "1e-999000"}, None),
        ({"prompt": "0e-999000", "completion": Decimal("0e-999000")}, ("0", "0")),
        ({"prompt": "0.000001", "completion": "0.000002", "internal_reasoning": "1e-999000"}, None),
    ],
)
def test_what_is_kept_of_a_price(pricing_table: dict[str, object], kept: tuple[str, ...] | None) -> None:
    assert quotes([{"id": "a/b", "pricing": pricing_table}]) == {"a/b": kept}


def test_nothing_is_kept_under_an_endless_name() -> None:
    asked = {"prompt": "0.000001", "completion": "0.000002"}
    names = ["a/" + "b" * length for length in (198, 199, 1_000_000)]
    assert set(quotes([{"id": name, "pricing": asked} for name in names])) == {names[0]}


def test_entries_without_prices_say_nothing() -> None:
    assert (
        quotes([{"id": "a/b"}, {"id": 7, "pricing": {}}, {"name": "x", "pricing": {}}, {"id": "c", "pricing": "1"}])
        == {}
    )


# --- the cache ---


def test_prices_stay_when_names_are_forgotten(tmp_path: Path) -> None:
    asked = {"a/b": ("0.03", "0.14"), "openrouter/auto": None}
    keep_list(tmp_path, OPENROUTER, asked, NOW, asked)
    keep_list(tmp_path, OLLAMA, ["kimi"], NOW + HOUR)
    kept = read_lists(tmp_path, NOW + HOUR)
    assert kept.lists == {OPENROUTER: frozenset(asked), OLLAMA: frozenset({"kimi"})}
    assert kept.prices.fetched == NOW
    assert pricing(CONFIG, kept.prices, OPENROUTER, "a/b", NOW).most == price("0.03", "0.14")._replace(
        priced_on=NOW.date()
    )
    later = read_lists(tmp_path, NOW + DAY)
    assert (set(later.lists), later.prices) == ({OLLAMA}, kept.prices)


@pytest.mark.parametrize(
    ("kept_at", "own_at", "expected"), [(0, 1, "own"), (1, 0, "kept"), (3, 1, "own"), (1, 3, "kept")]
)
def test_of_the_kept_list_and_the_own_the_newer_counts(
    kept_at: int, own_at: int, expected: str, tmp_path: Path
) -> None:
    """But for one of a time that is still to come."""
    (tmp_path / "elsewhere").write_text("")
    own = keep_list(tmp_path / "elsewhere", OLLAMA, ["own"], NOW + own_at * HOUR)
    keep_list(tmp_path, OLLAMA, ["kept"], NOW + kept_at * HOUR)
    assert read_lists(tmp_path, NOW + 2 * HOUR, [own]).lists == {OLLAMA: frozenset({expected})}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        '{"version":1,"lists":{}}',
        '{"version":2,"lists":{"openrouter":{}}}',
        '{"version":2,"lists":{"openrouter":{"fetched":"2026-11-23T06:00:00","models":["a/b"],"prices":{}}}}',
        "[]",
    ],
)
def test_a_cache_that_is_none_of_ours_is_no_cache(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    kept = read_lists(tmp_path, NOW)
    assert (kept.lists, kept.prices) == ({}, PriceList())
    keep_list(tmp_path, OLLAMA, ["kimi"], NOW)
    assert json.loads((tmp_path / FILE).read_bytes())["version"] == 2
    assert set(read_lists(tmp_path, NOW).lists) == {OLLAMA}


def test_lists_that_come_at_once_are_all_kept(tmp_path: Path) -> None:
    """Each is kept many times, and is there whenever its own keeper looks."""

    def keep(provider: Provider) -> list[int]:
        missing = []
        for number in range(60):
            keep_list(tmp_path, provider, [f"m{number}"], NOW)
            if read_lists(tmp_path, NOW).lists.get(provider) != frozenset({f"m{number}"}):
                missing.append(number)
        return missing

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(keep, Provider)) == [[], [], []]


# --- whose price it is ---


def test_a_price_of_the_file_is_the_users_own(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[models."z-ai/glm-4.7"]\ninput_usd_per_mtok = 0.1\n[models."kimi-k2.5"]\nsuccessor = "kimi-k2.6"\n'
    )
    environment = Environment({"HOME": str(tmp_path)})
    for _ in ("compiled anew", "from the cache"):
        models = load(config, environment, tmp_path / "cache.json").config.models
        assert (models["z-ai/glm-4.7"].own_price, models["kimi-k2.5"].own_price) == (True, False)
        assert models["z-ai/glm-4.7"].price is not None
        assert models["z-ai/glm-4.7"].price.input_usd_per_mtok == Decimal("0.1")


def test_what_was_held_is_what_openrouter_may_charge() -> None:
    """The bound's price goes along as `max_price`: what is dearer by then is refused, not billed."""
    world = World(Request(model="moon/kimi", prompt_tokens=100))
    plan = world._replace(facts=world.facts._replace(prices=listed(moon_kimi=(*CHEAPER, *DEARER)))).plan()
    assert plan.choice is not None
    assert plan.choice.most[:2] == DEARER_PAIR
    assert plan.choice.bound_usd == bound(price(*DEARER), 100 + 256, 4096) > HELD / 10


# --- sources that disagree ---


@pytest.mark.parametrize(
    ("known", "most"),
    [
        (Price(Decimal("0.4"), Decimal(2)), ("0.4", "2")),
        (Price(Decimal("0.4"), Decimal(2), dearest_input_usd_per_mtok=Decimal("0.6")), ("0.6", "2")),
        (Price(Decimal("0.4"), Decimal(2), dearest_output_usd_per_mtok=Decimal(3)), ("0.4", "3")),
        (Price(Decimal("0.4"), Decimal(2), None, Decimal("0.1"), Decimal("0.5"), Decimal("0.45")), ("0.5", "2")),
        (Price(Decimal("0.4"), Decimal(2), dearest_input_usd_per_mtok=Decimal("0.1")), ("0.4", "2")),
    ],
)
def test_bounds_take_the_dearest_and_estimates_the_likeliest(known: Price, most: tuple[str, str]) -> None:
    found = pricing(with_model("x:9b", known), PriceList(), OLLAMA, "x:9b", NOW)
    assert found.price == known
    assert found.most[:2] == tuple(map(Decimal, most))


def test_a_price_of_ones_own_puts_the_rest_of_the_shipped_one_aside(tmp_path: Path) -> None:
    def of(settings: str) -> Price:
        path = tmp_path / "config.toml"
        path.write_text(f'[models."deepseek-v4-pro:0813"]\n{settings}')
        found = load(path, Environment({"HOME": str(tmp_path)})).config.model("deepseek-v4-pro:0813").price
        assert found is not None
        return found

    mine = "input_usd_per_mtok = 0.1\noutput_usd_per_mtok = 0.2\n"
    assert of(mine) == Price(Decimal("0.1"), Decimal("0.2"))
    assert of(f"{mine}priced_on = 2026-11-30\n") == Price(Decimal("0.1"), Decimal("0.2"), date(2026, 11, 30))
    assert of(f"{mine}dearest_output_usd_per_mtok = 9\n").most.output_usd_per_mtok == 9
    shipped = of("template_tokens = 9\n")
    assert of("cached_input_usd_per_mtok = 0.01\n") == shipped._replace(cached_input_usd_per_mtok=Decimal("0.01"))
    assert shipped.priced_on == date(2026, 9, 15)
