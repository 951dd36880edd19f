"""Random and ready-made worlds for the laws: configurations, snapshots, requests and facts.

The universe is small on purpose: two Ollama keys, three of OpenRouter and a dozen model names, so that what is drawn
meets what is drawn elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import product
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import (
    Alerts,
    Config,
    Cooldowns,
    Key,
    Model,
    Pillar,
    Price,
    Privacy,
    Provider,
    ProviderSettings,
    Role,
    Rotation,
    Routing,
)
from lollmsbot_keys.core.model.lease import Lease, Owner
from lollmsbot_keys.core.model.request import EMPTY, Facts, Plan, Priority, Reach, Reason, Request, SetAside, Tried
from lollmsbot_keys.core.model.rotation_journal import Replacement, Step, TargetRecord
from lollmsbot_keys.core.model.snapshot import (
    Account,
    Cell,
    CellKey,
    Cooldown,
    Day,
    Disabled,
    Failed,
    Hold,
    Raised,
    Scope,
    Sighting,
    Snapshot,
    Spender,
    Uncertain,
    Waiter,
)
from lollmsbot_keys.core.routing.route import route
from lollmsbot_keys.core.state.call_window import minute_of

NOW = datetime(2026, 11, 23, 6, 0, 30, tzinfo=UTC)
TODAY = NOW.date()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LONGEST = timedelta(days=8)

OLLAMA_KEYS = ("O1", "O2")
OPENROUTER_KEYS = ("R1", "R2", "R3")
KEY_NAMES = OLLAMA_KEYS + OPENROUTER_KEYS
ME = Owner(1, "boot", "1")
OTHER = Owner(2, "boot", "2")


def provider_of(key: str) -> Provider:
    return Provider.OLLAMA if key in OLLAMA_KEYS else Provider.OPENROUTER


def fingerprint(key: str) -> str:
    return f"f-{key}"


# --- one world by hand ---

MODELS = {
    model.name: model
    for model in (
        Model("kimi", openrouter="moon/kimi", successor="kimi-2", price=Price(Decimal("0.60"), Decimal("3.00"))),
        Model("kimi-2", openrouter="moon/kimi-2", successor="kimi-3", price=Price(Decimal("0.95"), Decimal("4.00"))),
        Model("kimi-3", successor="kimi-2"),
        Model("plain:8b"),
        Model("moon/kimi", price=Price(Decimal("0.50"), Decimal("3.30"))),
    )
}
FREE_MODELS = ("lama:free", "openrouter/free")
PILLARS = {
    "soul": Pillar({"primary": Role("kimi", "O1"), "backup": Role("plain:8b")}, Role("old/claude", "R2")),
    "guardian": Pillar({"governor": Role("kimi", "O2", Privacy.HIGH)}, Role("old/gemini", "R1")),
    "identity": Pillar({"interface": Role("plain:8b", None, Privacy.CRITICAL)}),
    "tools": Pillar({"burst": Role("kimi", "R2")}),
}
ROUTING = Routing(
    prefer_ollama=True,
    ollama_failover=True,
    openrouter_fallback=True,
    prefer_free_tier=False,
    ollama_usage_threshold_percent=Decimal(70),
    default_model="kimi",
    default_privacy=Privacy.MEDIUM,
    follow_successors=True,
    max_output_tokens=4096,
    unknown_price=Price(Decimal(15), Decimal(75)),
    template_tokens=256,
)
PROVIDERS = {
    Provider.OLLAMA: ProviderSettings(("https://ollama.com/v1", "https://ollama.com/api"), 100, Decimal(50)),
    Provider.OPENROUTER: ProviderSettings(("https://openrouter.ai/api/v1",), 200, Decimal(20), free_models=FREE_MODELS),
    Provider.LOCAL: ProviderSettings(("http://127.0.0.1:11434",)),
}
CONFIG = Config(
    timezone=UTC,
    routing=ROUTING,
    cooldowns=Cooldowns(HOUR, 5 * MINUTE, LONGEST),
    alerts=Alerts((Decimal(75), Decimal(100))),
    rotation=Rotation(DAY),
    providers=PROVIDERS,
    keys=tuple(Key(name, provider_of(name), f"env:{name}") for name in KEY_NAMES),
    models=MODELS,
    pillars=PILLARS,
)
FACTS = Facts({name: fingerprint(name) for name in KEY_NAMES})


def with_settings(config: Config, provider: Provider, change: Callable[[ProviderSettings], ProviderSettings]) -> Config:
    """`config` with the settings of one provider changed."""
    return config._replace(providers={**config.providers, provider: change(config.providers[provider])})


def with_key(config: Config, name: str, change: Callable[[Key], Key]) -> Config:
    """`config` with one key changed."""
    return config._replace(keys=tuple(change(key) if key.name == name else key for key in config.keys))


def cooling(scope: Scope, *, ends_in: timedelta = HOUR, reason: Reason = Reason.COOLING_DOWN) -> Cooldown:
    return Cooldown(scope, reason, NOW - MINUTE, NOW + ends_in, "Retry-After", "slow down")


def by_scope(*cooldowns: Cooldown) -> dict[Scope, Cooldown]:
    return {cooldown.scope: cooldown for cooldown in cooldowns}


def key_scope(key: str, secret: str | None = None) -> Scope:
    secret = fingerprint(key) if secret is None else secret
    return Scope(Reach.KEY, provider_of(key), key, secret)


def gone(provider: Provider, model: str) -> Cooldown:
    """The mark that a 404 leaves."""
    return cooling(Scope(Reach.MODEL, provider, model=model), reason=Reason.NO_SUCH_MODEL, ends_in=DAY)


def spent(amounts: Mapping[str, str], day: date = TODAY) -> dict[date, Day]:
    """An open day in which each key has spent so much."""
    cells = {
        CellKey(provider_of(key), key, "kimi", ""): Cell(calls=1, cost_usd=Decimal(amount))
        for key, amount in amounts.items()
    }
    return {day: Day.of("part", cells)}


def calls(count: int, at: datetime = NOW) -> dict[int, int]:
    """An hourly window with `count` calls in one minute."""
    return {minute_of(at): count}


class World(NamedTuple):
    """Everything that a routing decision depends on."""

    request: Request = Request()
    config: Config = CONFIG
    snapshot: Snapshot = Snapshot()
    facts: Facts = FACTS
    now: datetime = NOW

    def plan(self, tried: Sequence[Tried] = ()) -> Plan:
        return route(self.request, self.config, self.snapshot, self.facts, self.now, tried)


# --- random ones ---

MODEL_NAMES = ("kimi", "kimi-2", "kimi-3", "plain:8b", "moon/kimi", "moon/kimi-2", *FREE_MODELS)
ACCOUNTS = ("team", "learnt", *(f"{key}#{fingerprint(key)}" for key in KEY_NAMES))
ZONES: tuple[tzinfo, ...] = (
    UTC,
    ZoneInfo("Europe/Berlin"),
    ZoneInfo("America/Santiago"),
    ZoneInfo("Asia/Beirut"),
    ZoneInfo("Pacific/Kiritimati"),
)


def _all_scopes() -> Iterable[Scope]:
    yield from (Scope(Reach.PROVIDER, provider) for provider in Provider)
    yield from (Scope(Reach.MODEL, p, model=m) for p, m in product(Provider, MODEL_NAMES))
    for provider, account in product((Provider.OLLAMA, Provider.OPENROUTER), ACCOUNTS):
        yield Scope(Reach.ACCOUNT, provider, account=account)
        yield Scope(Reach.FREE_MODELS, provider, account=account)
    for key in KEY_NAMES:
        for secret in (fingerprint(key), "old", ""):
            yield Scope(Reach.KEY, provider_of(key), key, secret)
            yield from (Scope(Reach.KEY_AND_MODEL, provider_of(key), key, secret, model=m) for m in MODEL_NAMES)


_by_reach = [[scope for scope in _all_scopes() if scope.reach is reach] for reach in Reach]
scopes = st.one_of(*(st.sampled_from(group) for group in _by_reach if group))
key_names = st.sampled_from(KEY_NAMES)
secrets = st.sampled_from(["current", "old", ""])
texts = st.sampled_from(["", "a", "\u00e9", "\ud800", "(other)", '"'])
amounts = st.integers(0, 3_000_000).map(lambda micro: Decimal(micro).scaleb(-6))
owners = st.sampled_from([ME, OTHER, Owner(3, "", "")])
reaches = st.sampled_from(Reach)
minutes = st.integers(-80, 5)


def moments(earliest: timedelta, latest: timedelta) -> st.SearchStrategy[datetime]:
    """Times around `NOW`, to the microsecond."""
    micro = timedelta(microseconds=1)
    return st.integers(earliest // micro, latest // micro).map(lambda count: NOW + count * micro)


_begun = st.sampled_from([-DAY, -HOUR, -HOUR, -MINUTE, -MINUTE, timedelta(), 400 * DAY])
_lengths = st.sampled_from([HOUR, DAY, DAY + HOUR, 3 * DAY, LONGEST, 400 * DAY])
_cooling_reasons = st.sampled_from([Reason.COOLING_DOWN, Reason.NO_CREDIT, Reason.NO_SUCH_MODEL])


@st.composite
def cooldowns(draw: st.DrawFn) -> Cooldown:
    """Few different times, so that some end together; some began in the future, by a wrong clock."""
    since = NOW + draw(_begun)
    return Cooldown(draw(scopes), draw(_cooling_reasons), since, since + draw(_lengths), "", draw(texts))


@st.composite
def disabled_marks(draw: st.DrawFn) -> dict[str, Disabled]:
    names = draw(st.lists(key_names, unique=True, max_size=2))
    return {name: Disabled(_secret(name, draw(secrets)), NOW - HOUR, draw(texts), draw(texts)) for name in names}


def _secret(key: str, which: str) -> str:
    return fingerprint(key) if which == "current" else which


@st.composite
def holds(draw: st.DrawFn) -> Hold:
    key = draw(st.sampled_from([*KEY_NAMES, ""]))
    claimed = NOW + draw(st.sampled_from([-MINUTE, -HOUR, -2 * HOUR, -7 * HOUR, -DAY, timedelta(), HOUR, 365 * DAY]))
    lapsed = draw(st.booleans())
    return Hold(
        id=f"{draw(st.integers(0, 2**32)):08x}",
        owner=draw(owners),
        claimed=claimed,
        expires=claimed + HOUR if not lapsed else claimed + 6 * HOUR,
        day=claimed.date(),
        key=key,
        provider=provider_of(key) if key else Provider.LOCAL,
        model=draw(st.sampled_from(MODEL_NAMES)),
        pillar=draw(st.sampled_from(["", *PILLARS])),
        amount_usd=draw(amounts) if key else Decimal(0),
        lapsed=lapsed,
    )


spenders = key_names.map(lambda key: Spender(provider_of(key), key))
sums = st.dictionaries(spenders, amounts, max_size=3)
_uncertain = st.dictionaries(spenders, st.builds(Uncertain, amounts, amounts, amounts), max_size=2)
_cell_keys = st.builds(
    lambda spender, model, pillar: CellKey(spender.provider, spender.key, model, pillar),
    spenders,
    st.sampled_from(MODEL_NAMES) | texts,
    st.sampled_from(["", *PILLARS]),
)
_cells = st.builds(
    lambda counts, money, latencies: Cell._make([*counts[:5], *money, counts[5], tuple(latencies)]),
    st.lists(st.integers(0, 10**9), min_size=6, max_size=6),
    st.lists(amounts, min_size=4, max_size=4),
    st.lists(st.integers(0, 9), min_size=11, max_size=11),
)
open_days = st.builds(Day.of, texts, st.dictionaries(_cell_keys, _cells, max_size=3))
dates = st.integers(-3, 2).map(lambda days: TODAY + days * DAY)
waiters = st.builds(
    Waiter,
    owner=owners,
    since=moments(-HOUR, HOUR),
    until=moments(-HOUR, 2 * HOUR),
    priority=st.sampled_from(Priority),
    keys=st.dictionaries(key_names, moments(-HOUR, HOUR), max_size=3),
)
_windows = st.dictionaries(
    minutes.map(lambda minute: minute_of(NOW) + minute), st.integers(1, 3), min_size=1, max_size=3
)


_sightings = st.builds(
    Sighting,
    fingerprint=st.sampled_from(["current", "old"]),
    since=moments(-DAY, DAY),
    generation=st.integers(1, 3),
    others=st.sampled_from([(), ("older",)]),
)
_failed = st.builds(
    lambda spender, outcome: Failed(spender.provider, spender.key, outcome), spenders, st.sampled_from(["junk", "cut"])
)
_leases = st.builds(Lease, owners, moments(-HOUR, HOUR))
raised_alerts = st.builds(
    Raised,
    window=st.sampled_from(["2026-11-22", "2026-11-23", "2026-11"]),
    level=st.integers(0, 2),
    since=moments(-DAY, DAY),
    title=texts,
    lasting=st.booleans(),
    told=st.sampled_from([(), ("a",), ("a", "b")]),
    over=st.none() | moments(-DAY, DAY),
    due=st.sampled_from([(), ("",), ("", "b")]),
    calmed=st.sampled_from([(), ("b",)]),
    lease=st.none() | _leases,
)
_templates = st.dictionaries(st.sampled_from(MODEL_NAMES), st.integers(1, 32_768), min_size=1, max_size=2)
_trails = st.dictionaries(dates, st.integers(1, 10**6), min_size=1, max_size=3)

rotations = st.builds(
    Replacement,
    step=st.sampled_from(Step),
    done=st.booleans(),
    began=moments(-DAY, DAY),
    changed=moments(-DAY, DAY),
    generation=st.integers(1, 3),
    former=st.integers(0, 2),
    old=st.sampled_from(["", "old"]),
    new=st.sampled_from(["", "current"]),
    owner=st.none() | owners,
    grace=st.sampled_from([timedelta(), DAY]),
    since=st.none() | moments(-DAY, DAY),
    until=st.none() | moments(-DAY, DAY),
    places=st.sampled_from(
        [(), (TargetRecord("file:/s", ""), TargetRecord("github:o/r", None)), (TargetRecord("file:/s", "old"),)]
    ),
    name=texts,
    hash=texts,
    old_hash=texts,
    likely_hash=texts,
)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """States as a pool may leave them, and worse: clocks were wrong, secrets were replaced."""
    return Snapshot(
        written=draw(st.none() | moments(-DAY, DAY)),
        hours=draw(st.dictionaries(key_names, _windows, max_size=3)),
        cursors={provider_of(key): key for key in draw(st.lists(key_names, max_size=2))},
        cooldowns=by_scope(*draw(st.lists(cooldowns(), max_size=4))),
        disabled=draw(disabled_marks()),
        streaks=draw(st.dictionaries(scopes, st.integers(1, 2), max_size=2)),
        accounts={key: Account(_secret(key, draw(secrets)), "learnt") for key in draw(st.lists(key_names, max_size=2))},
        holds={hold.id: hold for hold in draw(st.lists(holds(), max_size=3))},
        waiters=draw(st.dictionaries(st.sampled_from("abc"), waiters, max_size=3)),
        days=draw(st.dictionaries(dates, open_days, max_size=3)),
        closed=draw(st.dictionaries(dates, sums, max_size=2)),
        months=draw(st.dictionaries(st.just("2026-11"), sums, max_size=1)),
        uncertain=draw(st.dictionaries(st.just("2026-11"), _uncertain, max_size=1)),
        notices=draw(st.frozensets(st.just("free_at_medium"))),
        sightings=draw(st.dictionaries(key_names, _sightings, max_size=2)),
        successes=draw(st.dictionaries(st.sampled_from(["", *KEY_NAMES]), moments(-DAY, DAY), max_size=2)),
        totals=draw(st.dictionaries(spenders, _cells, max_size=2)),
        failures=draw(st.dictionaries(_failed, st.integers(1, 9), max_size=2)),
        lost={f"gen-{lost.id}": lost._replace(lapsed=False) for lost in draw(st.lists(holds(), max_size=2))},
        alerts=draw(st.dictionaries(texts, raised_alerts, max_size=2)),
        trail=draw(st.dictionaries(key_names, _trails, max_size=2)),
        usable=draw(st.dictionaries(dates, st.frozensets(key_names), max_size=2)),
        rotations=draw(st.dictionaries(key_names, rotations, max_size=2)),
        template_tokens=draw(st.dictionaries(st.sampled_from(Provider), _templates, max_size=2)),
        adopted=draw(st.frozensets(st.just("0123456789abcdef"))),
    )


# Whole configurations are drawn by number: few draws are fast, and zero, where shrinking ends, is the healthy one.

_BUDGETS = [
    (None, None),
    (None, None),
    (Decimal(1), None),
    (Decimal("0.05"), Decimal(2)),
    (Decimal(0), None),
    (None, Decimal("0.05")),
]
"""For a day and for a month."""
_KEY_KINDS = [Key("", Provider.OLLAMA, "env:X")] * 6 + [
    Key("", Provider.OLLAMA, "env:X", account, daily, reserved, enabled, monthly)
    for account, (daily, monthly), reserved, enabled in product(
        (None, "team"), _BUDGETS, (False, False, True), (True, True, False)
    )
]


@st.composite
def _keys(draw: st.DrawFn) -> tuple[Key, ...]:
    order = draw(st.sampled_from([KEY_NAMES, KEY_NAMES[::-1], KEY_NAMES[1:], KEY_NAMES[:3], KEY_NAMES[2:], ()]))
    return tuple(
        draw(st.sampled_from(_KEY_KINDS))._replace(name=name, provider=provider_of(name), secret=f"env:{name}")
        for name in order
    )


_ENDPOINTS = {
    Provider.OLLAMA: ("https://ollama.com/v1", "http://127.0.0.1:9/api", "https://stranger.example/v1"),
    Provider.OPENROUTER: ("https://openrouter.ai/api/v1", "http://127.0.0.1:9/v1", "https://stranger.example/v1"),
    Provider.LOCAL: ("http://127.0.0.1:11434", "http://gpu-box:11434", "http://10.0.0.9:11434"),
}


def _settings(provider: Provider) -> st.SearchStrategy[ProviderSettings]:
    good, fine, strange = _ENDPOINTS[provider]
    kinds = [
        ProviderSettings(endpoints, limit, daily, free_models=free, trusted_hosts=hosts, monthly_budget_usd=monthly)
        for free, limit, (daily, monthly), endpoints, hosts in product(
            (FREE_MODELS, ()),
            (None, 100, 5, 1, 0),
            [*_BUDGETS, (Decimal(50), None)],
            ((good,), (good,), (good, fine), (good, strange)),
            ((), ("stranger.example",)),
        )
    ]
    return st.sampled_from(kinds)


_provider_settings = {provider: _settings(provider) for provider in Provider}
_FLAGS = list(product((True, False), repeat=5))
_routings = st.builds(
    lambda flags, threshold, model, privacy: ROUTING._replace(
        prefer_ollama=flags[0],
        ollama_failover=flags[1],
        openrouter_fallback=flags[2],
        prefer_free_tier=not flags[3],
        follow_successors=flags[4],
        ollama_usage_threshold_percent=threshold,
        default_model=model,
        default_privacy=privacy,
    ),
    st.sampled_from(_FLAGS),
    st.sampled_from([Decimal(70), Decimal(0), Decimal(50), Decimal(100)]),
    st.sampled_from(["kimi", "plain:8b", "moon/kimi", "nobody-knows"]),
    st.sampled_from([*[Privacy.MEDIUM, Privacy.LOW] * 3, Privacy.HIGH, Privacy.CRITICAL]),
)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    return CONFIG._replace(
        timezone=draw(st.sampled_from(ZONES)),
        routing=draw(_routings),
        providers={provider: draw(_provider_settings[provider]) for provider in Provider},
        keys=draw(_keys()),
    )


_ROLES = [(name, role) for name, pillar in PILLARS.items() for role in (None, *pillar.roles)]
_ASKED = [*[(None, None)] * 8, *_ROLES]
_LEVELS = [*[None] * 8, *Privacy]


@st.composite
def requests(draw: st.DrawFn, keys: Sequence[Key] = CONFIG.keys) -> Request:
    """Requests that the configuration can make sense of."""
    pillar, role = draw(st.sampled_from(_ASKED))
    return Request(
        model=draw(st.sampled_from([None, None, "kimi", "kimi-2:cloud", "plain", "moon/kimi", "lama:free", "x/y"])),
        pillar=pillar,
        role=role,
        privacy=draw(st.sampled_from(_LEVELS)),
        free=draw(st.integers(0, 4)) == 4,
        priority=draw(st.sampled_from(Priority)),
        key=draw(st.sampled_from([*[None] * 12, "local", *(key.name for key in keys)])),
        prompt_tokens=draw(st.sampled_from([0, 1_000, 200_000])),
        max_output_tokens=draw(st.sampled_from([1, None])),
    )


_LISTS: list[Mapping[Provider, frozenset[str]]] = [
    {
        provider: listed
        for provider, listed in zip(Provider, (ollama, openrouter, local), strict=True)
        if listed is not None
    }
    for ollama, openrouter, local in product(
        (None, frozenset({"kimi", "plain:8b"}), frozenset({"kimi-2"}), frozenset[str]()),
        (None, frozenset({"moon/kimi", "moon/kimi-2", "old/claude", "lama:free"}), frozenset[str]()),
        (None, frozenset({"plain:8b", "kimi:latest"}), frozenset({"kimi:cloud"})),
    )
]
_ASSUMED: list[Mapping[str, SetAside]] = [EMPTY] * 5 + [
    {key: SetAside(Reason.COOLING_DOWN, detail="assumed")} for key in KEY_NAMES
]
_secret_kinds = st.sampled_from(["current", "current", "current", "current", "", "none"])


@st.composite
def all_facts(draw: st.DrawFn) -> Facts:
    known = {key: draw(_secret_kinds) for key in KEY_NAMES}
    return Facts(
        {key: _secret(key, which) for key, which in known.items() if which != "none"},
        draw(st.sampled_from(_LISTS)),
        draw(st.sampled_from(_ASSUMED)),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Any request in any state of any pool."""
    config = draw(configs())
    return World(draw(requests(config.keys)), config, draw(snapshots()), draw(all_facts()))


_asked = [Request(), Request(model="kimi"), Request(model="moon/kimi"), Request(pillar="soul"), Request(free=True)]
_whole_key = {
    key: st.sampled_from([key_scope(key), Scope(Reach.ACCOUNT, provider_of(key), account=f"{key}#{fingerprint(key)}")])
    for key in KEY_NAMES
}
_marks = st.lists(st.builds(lambda mark, ends_in: mark._replace(since=NOW, until=NOW + ends_in), cooldowns(), _lengths))


@st.composite
def exhausted_worlds(draw: st.DrawFn) -> World:
    """A sound configuration of which many keys are out, each for another time and reason."""
    spared, refused = draw(st.sets(key_names, max_size=3)), draw(st.sets(key_names, max_size=2))
    marks = [cooling(draw(_whole_key[key]), ends_in=draw(_lengths)) for key in KEY_NAMES if key not in spared]
    snapshot = Snapshot(
        cooldowns=by_scope(*draw(_marks), *marks),
        hours={key: {minute_of(NOW) - draw(st.integers(0, 60)): 200} for key in draw(st.sets(key_names, max_size=3))},
        disabled={key: Disabled(fingerprint(key), NOW) for key in refused},
        days=draw(st.sampled_from([EMPTY, spent({"O1": "50"}), spent({"R1": "20"}), spent({"O1": "50", "R1": "20"})])),
    )
    config = CONFIG._replace(timezone=draw(st.sampled_from(ZONES)))
    return World(draw(st.sampled_from(_asked)), config, snapshot)
