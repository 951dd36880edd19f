"""The routing rules and every reason, one readable case each. `O` keys are Ollama's, `R` keys OpenRouter's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest

from lollmsbot_keys.core.model.config import (
    Config,
    Model,
    Pillar,
    Privacy,
    Provider,
    ProviderSettings,
    Role,
    Routing,
    is_cloud_name,
    match_name,
    strip_cloud,
)
from lollmsbot_keys.core.model.request import Facts, Plan, Priority, Reach, Reason, Request, SetAside, Tried
from lollmsbot_keys.core.model.snapshot import Account, Cooldown, Disabled, Hold, Scope, Snapshot
from lollmsbot_keys.core.routing.claim import Claim, Claimant, Locked, Nothing, claim
from lollmsbot_keys.core.routing.route import route
from lollmsbot_keys.errors import UsageError
from tests.strategies import (
    CONFIG,
    DAY,
    FACTS,
    HOUR,
    KEY_NAMES,
    ME,
    MINUTE,
    NOW,
    TODAY,
    World,
    by_scope,
    calls,
    cooling,
    fingerprint,
    gone,
    key_scope,
    spent,
    with_key,
    with_settings,
)

OLLAMA, OPENROUTER, LOCAL = Provider.OLLAMA, Provider.OPENROUTER, Provider.LOCAL
Change = Callable[[World], World]


def shown(plan: Plan) -> list[str]:
    """The plan as text: who, which model, by which rule, and why not."""
    return [
        f"{c.label} {c.model} {c.rule}" + ("" if c.set_aside is None else f" - {c.set_aside.reason}")
        for c in plan.candidates
    ]


# --- ways in which a world can differ from the ordinary one ---


def config(change: Callable[[Config], Config]) -> Change:
    return lambda world: world._replace(config=change(world.config))


def freed(pillar: str, role: str) -> Change:
    """Free models may do what this role is for."""

    def change(world: World) -> World:
        mine = world.config.pillars[pillar]
        roles = {**mine.roles, role: mine.roles[role]._replace(free=True)}
        pillars = {**world.config.pillars, pillar: mine._replace(roles=roles)}
        return world._replace(config=world.config._replace(pillars=pillars))

    return change


def switched(change: Callable[[Routing], Routing]) -> Change:
    return config(lambda it: it._replace(routing=change(it.routing)))


def provider(name: Provider, change: Callable[[ProviderSettings], ProviderSettings]) -> Change:
    return config(lambda it: with_settings(it, name, change))


def reserved(*names: str) -> Change:
    def change(it: Config) -> Config:
        for name in names:
            it = with_key(it, name, lambda key: key._replace(reserved=True))
        return it

    return config(change)


def disabled_by_config(name: str) -> Change:
    return config(lambda it: with_key(it, name, lambda key: key._replace(enabled=False)))


def state(snapshot: Snapshot) -> Change:
    return lambda world: world._replace(snapshot=snapshot)


def cooled(*cooldowns: Cooldown) -> Change:
    return state(Snapshot(cooldowns=by_scope(*cooldowns)))


def facts(change: Callable[[Facts], Facts]) -> Change:
    return lambda world: world._replace(facts=change(world.facts))


def without_secrets(*names: str) -> Change:
    return facts(lambda it: it._replace(secrets={key: of for key, of in it.secrets.items() if key not in names}))


def listed(name: Provider, *models: str) -> Change:
    return facts(lambda it: it._replace(lists={**it.lists, name: frozenset(models)}))


def chats(model: str) -> Change:
    """What is known of this machine's first chat model."""
    return facts(lambda it: it._replace(local_chat=model))


def catalogued(*models: Model) -> Change:
    return config(lambda it: it._replace(models={**it.models, **{model.name: model for model in models}}))


def assumed(name: str, reason: Reason) -> Change:
    return facts(lambda it: it._replace(assumed={name: SetAside(reason, detail="assumed")}))


ONE_LINE = "O1 kimi general|O2 kimi general"
OPENROUTER_GENERAL = "R1 moon/kimi general|R2 moon/kimi general|R3 moon/kimi general"
EQUIVALENTS = "R1 moon/kimi equivalent|R2 moon/kimi equivalent|R3 moon/kimi equivalent"
OWN_IDS = "R1 hf.co/a/b openrouter_model|R2 hf.co/a/b openrouter_model|R3 hf.co/a/b openrouter_model"
FALLBACKS = "R2 old/claude fallback|R3 old/claude fallback|R1 old/claude fallback"
HELD = Hold("h", ME, NOW, NOW + HOUR, NOW.date(), "O2", OLLAMA, "kimi", "", Decimal(50))
LAMAS = "R1 lama:free free|R2 lama:free free|R3 lama:free free"
ROUTERS = "R1 openrouter/free free|R2 openrouter/free free|R3 openrouter/free free"


class Case(NamedTuple):
    """`wants` is the whole plan, candidates between bars."""

    name: str
    request: Request
    wants: str
    changes: Sequence[Change] = ()

    @property
    def world(self) -> World:
        world = World(self.request)
        for change in self.changes:
            world = change(world)
        return world


def aside(line: str, reason: str) -> str:
    return "|".join(f"{candidate} - {reason}" for candidate in line.split("|"))


FULL_SIDE = Snapshot(hours={"O1": calls(90), "O2": calls(50)})
JUST_BELOW = Snapshot(hours={"O1": calls(89), "O2": calls(50)})
KIMI_GONE = gone(OLLAMA, "kimi")
SUCCESSORS = "O1 kimi-2 successor|O2 kimi-2 successor"

RULE_1_PRIVACY = [
    Case(
        "high never goes to OpenRouter",
        Request(privacy=Privacy.HIGH),
        f"{ONE_LINE}|{aside(OPENROUTER_GENERAL, 'privacy')}",
    ),
    Case(
        "critical goes to local only, whether its list is known or not",
        Request(privacy=Privacy.CRITICAL),
        f"{aside(ONE_LINE, 'privacy')}|local kimi local|{aside(OPENROUTER_GENERAL, 'privacy')}",
    ),
    Case(
        "critical without a model takes the first chat model of this machine",
        Request(privacy=Privacy.CRITICAL),
        f"{aside(ONE_LINE, 'privacy')}|local gemma3:27b local|{aside(OPENROUTER_GENERAL, 'privacy')}",
        [chats("gemma3:27b")],
    ),
    Case(
        "critical without a model takes the configured one first",
        Request(privacy=Privacy.CRITICAL),
        f"{aside(ONE_LINE, 'privacy')}|local own:7b local|{aside(OPENROUTER_GENERAL, 'privacy')}",
        [chats("gemma3:27b"), switched(lambda it: it._replace(local_model="own:7b"))],
    ),
    Case(
        "critical without a model, and this machine has none that chats",
        Request(key="local", privacy=Privacy.CRITICAL),
        "local kimi local - no_such_model",
        [listed(LOCAL, "nomic-embed-text"), chats("")],
    ),
    Case(
        "critical without a model, and nobody knows what this machine has",
        Request(key="local", privacy=Privacy.CRITICAL),
        "local kimi local - unproven",
        [chats("")],
    ),
    Case(
        "less than critical is no matter of the first chat model",
        Request(key="local"),
        "local kimi local",
        [chats("gemma3:27b")],
    ),
    *(
        Case(
            f"the daemon takes {name!r} for a cloud model",
            Request(key="local", model=name, privacy=Privacy.CRITICAL),
            f"local {name.strip().replace(': ', ':')} local - unproven",
        )
        for name in ("glm-5.2:cloud ", " glm-5.2: cloud", "gpt-oss:120b-CLOUD\t", "x:cloud:local")
    ),
    Case(
        "a role's level holds where the request says less",
        Request(pillar="identity", privacy=Privacy.LOW),
        "O1 plain:8b named_model - privacy|O2 plain:8b named_model - privacy|local plain:8b local",
    ),
    Case(
        "the request's level holds where the role says less",
        Request(pillar="guardian", privacy=Privacy.CRITICAL),
        "O2 kimi pinned_key - privacy|O1 kimi named_model - privacy|local kimi local|"
        + aside(EQUIVALENTS, "privacy")
        + "|"
        + aside("R1 old/gemini fallback|R2 old/gemini fallback|R3 old/gemini fallback", "privacy"),
    ),
    Case(
        "free at high leaves the local model alone",
        Request(free=True, privacy=Privacy.HIGH),
        f"{aside(LAMAS, 'privacy')}|{aside(ROUTERS, 'privacy')}|local kimi:latest local",
        [listed(LOCAL, "kimi:latest")],
    ),
]

RULE_2_NAMED = [
    Case(
        "the pinned key first, then the others, the equivalent, the fallback from its pinned key on",
        Request(pillar="soul"),
        f"O1 kimi pinned_key|O2 kimi named_model|{EQUIVALENTS}|{FALLBACKS}",
    ),
    Case(
        "a pinned key that is not the first one",
        Request(pillar="guardian", privacy=Privacy.HIGH),
        "O2 kimi pinned_key|O1 kimi named_model|"
        + aside(EQUIVALENTS, "privacy")
        + "|"
        + aside("R1 old/gemini fallback|R2 old/gemini fallback|R3 old/gemini fallback", "privacy"),
    ),
    Case(
        "a role that is pinned to OpenRouter begins there, with the equivalent",
        Request(pillar="tools"),
        "R2 moon/kimi pinned_key|O1 kimi named_model|O2 kimi named_model|R1 moon/kimi equivalent|"
        "R3 moon/kimi equivalent",
    ),
    Case(
        "a model without an equivalent stays on Ollama",
        Request(model="plain:8b"),
        "O1 plain:8b named_model|O2 plain:8b named_model",
    ),
    Case(
        "a name without its tag finds the model",
        Request(model="plain"),
        "O1 plain:8b named_model|O2 plain:8b named_model",
    ),
    Case(
        "a model that nobody knows is tried on Ollama",
        Request(model="mystery"),
        "O1 mystery named_model|O2 mystery named_model",
    ),
    Case(
        "equivalents take turns",
        Request(model="kimi"),
        "O1 kimi named_model|O2 kimi named_model|R3 moon/kimi equivalent|R1 moon/kimi equivalent|"
        "R2 moon/kimi equivalent",
        [state(Snapshot(cursors={OPENROUTER: "R2"}))],
    ),
    Case(
        "Ollama's keys do not, for a named model: their priority counts",
        Request(model="plain:8b"),
        "O1 plain:8b named_model|O2 plain:8b named_model",
        [state(Snapshot(cursors={OLLAMA: "O1"}))],
    ),
    Case(
        "an id with a slash is OpenRouter's and goes there directly",
        Request(model="x/y"),
        "R1 x/y openrouter_model|R2 x/y openrouter_model|R3 x/y openrouter_model",
    ),
    Case(
        "also with the fallback switched off: it was named",
        Request(model="x/y"),
        "R1 x/y openrouter_model|R2 x/y openrouter_model|R3 x/y openrouter_model",
        [switched(lambda it: it._replace(openrouter_fallback=False))],
    ),
    Case(
        "the successor while a 404 within a day says that the model is gone",
        Request(model="kimi"),
        aside("O1 kimi named_model|O2 kimi named_model", "no_such_model") + f"|{SUCCESSORS}|{EQUIVALENTS}",
        [cooled(KIMI_GONE)],
    ),
    Case(
        "the successor while a fetched list lacks the model",
        Request(model="kimi"),
        aside("O1 kimi named_model|O2 kimi named_model", "no_such_model") + f"|{SUCCESSORS}|{EQUIVALENTS}",
        [listed(OLLAMA, "kimi-2", "plain:8b")],
    ),
    Case(
        "the successor's successor, and no circle",
        Request(model="kimi"),
        aside("O1 kimi named_model|O2 kimi named_model|O1 kimi-3 successor|O2 kimi-3 successor", "no_such_model")
        + f"|{EQUIVALENTS}",
        [listed(OLLAMA, "plain:8b")],
    ),
    Case(
        "no successor for a model that is served",
        Request(model="kimi"),
        f"O1 kimi named_model|O2 kimi named_model|{EQUIVALENTS}",
        [listed(OLLAMA, "kimi")],
    ),
    Case(
        "no successor for a model that merely cools",
        Request(model="kimi"),
        aside("O1 kimi named_model|O2 kimi named_model", "cooling_down") + f"|{EQUIVALENTS}",
        [cooled(cooling(Scope(Reach.MODEL, OLLAMA, model="kimi")))],
    ),
    Case(
        "no successor once the mark is a day old",
        Request(model="kimi"),
        f"O1 kimi named_model|O2 kimi named_model|{EQUIVALENTS}",
        [cooled(KIMI_GONE._replace(since=NOW - DAY, until=NOW))],
    ),
    Case(
        "no successor where they are not to be followed",
        Request(model="kimi"),
        aside("O1 kimi named_model|O2 kimi named_model", "no_such_model") + f"|{EQUIVALENTS}",
        [cooled(KIMI_GONE), switched(lambda it: it._replace(follow_successors=False))],
    ),
    Case(
        "local is the last of Ollama's side, for models in its list",
        Request(model="kimi"),
        f"O1 kimi named_model|O2 kimi named_model|local kimi:latest local|{EQUIVALENTS}",
        [listed(LOCAL, "kimi:latest", "other")],
    ),
    Case(
        "a cloud name in the local list is never used",
        Request(model="kimi"),
        f"O1 kimi named_model|O2 kimi named_model|local kimi:cloud local - unproven|{EQUIVALENTS}",
        [listed(LOCAL, "kimi:cloud")],
    ),
    Case(
        "an id with a slash goes to OpenRouter, also where local lists it",
        Request(model="hf.co/a/b"),
        f"{OWN_IDS}|local hf.co/a/b local",
        [listed(LOCAL, "hf.co/a/b")],
    ),
    Case(
        "local is what is left for it at high",
        Request(model="hf.co/a/b", privacy=Privacy.HIGH),
        f"{aside(OWN_IDS, 'privacy')}|local hf.co/a/b local",
        [listed(LOCAL, "hf.co/a/b")],
    ),
    Case(
        "a general request for one too",
        Request(),
        f"{OWN_IDS}|local hf.co/a/b local",
        [listed(LOCAL, "hf.co/a/b"), switched(lambda it: it._replace(default_model="hf.co/a/b"))],
    ),
    Case(
        "a model that local does not list is not looked for there",
        Request(model="kimi"),
        f"O1 kimi named_model|O2 kimi named_model|{EQUIVALENTS}",
        [listed(LOCAL, "other")],
    ),
]

RETIRED = Model("old:9b", openrouter="moon/old", successor="kimi-2", retired_on=TODAY)
ORPHAN = Model("orphan:9b", stand_in="plain:8b", retired_on=TODAY)
AT_HOME = Model("home:4b", stand_in="kimi", local_only=True)
VECTORS = Model("vectors", stand_in="kimi", local_only=True, can=("embed",))
OLD = aside("O1 old:9b named_model|O2 old:9b named_model", "no_such_model")
OLD_ELSEWHERE = "R1 moon/old equivalent|R2 moon/old equivalent|R3 moon/old equivalent"
GONE_ELSEWHERE = Model("moon/old", retired_on=TODAY, stand_in="moon/kimi")
KIMI_STANDS_IN = "O1 kimi stand_in|O2 kimi stand_in|R1 moon/kimi stand_in|R2 moon/kimi stand_in|R3 moon/kimi stand_in"

RETIREMENT = [
    Case(
        "the successor at once of a model that was retired when the catalogue was made",
        Request(model="old:9b"),
        f"{OLD}|{SUCCESSORS}|{OLD_ELSEWHERE}",
        [catalogued(RETIRED)],
    ),
    Case(
        "by any of its names",
        Request(model="old-cloud"),
        f"{OLD}|{SUCCESSORS}|{OLD_ELSEWHERE}",
        [catalogued(RETIRED)],
    ),
    Case(
        "a list that has it serves it again",
        Request(model="old:9b"),
        f"O1 old:9b named_model|O2 old:9b named_model|{OLD_ELSEWHERE}",
        [catalogued(RETIRED), listed(OLLAMA, "old:9b")],
    ),
    Case(
        "a list without it says so too",
        Request(model="old:9b"),
        f"{OLD}|{SUCCESSORS}|{OLD_ELSEWHERE}",
        [catalogued(RETIRED), listed(OLLAMA, "kimi-2")],
    ),
    Case(
        "a day that has not come retires nothing",
        Request(model="old:9b"),
        f"O1 old:9b named_model|O2 old:9b named_model|{OLD_ELSEWHERE}",
        [catalogued(RETIRED._replace(retired_on=TODAY + DAY))],
    ),
    Case(
        "a successor that is retired itself is passed over for the one that is served",
        Request(model="older:9b"),
        aside("O1 older:9b named_model|O2 older:9b named_model", "no_such_model")
        + f"|{SUCCESSORS}|R1 moon/kimi-2 successor|R2 moon/kimi-2 successor|R3 moon/kimi-2 successor",
        [catalogued(RETIRED, Model("older:9b", successor="old:9b", retired_on=TODAY))],
    ),
    Case(
        "no successor and no stand-in where they are not to be followed",
        Request(model="old:9b"),
        f"{OLD}|{OLD_ELSEWHERE}",
        [catalogued(RETIRED), switched(lambda it: it._replace(follow_successors=False))],
    ),
    Case(
        "the catalogue's stand-in where no successor was named",
        Request(model="orphan:9b"),
        aside("O1 orphan:9b named_model|O2 orphan:9b named_model", "no_such_model")
        + "|O1 plain:8b stand_in|O2 plain:8b stand_in",
        [catalogued(ORPHAN)],
    ),
    Case(
        "a stand-in after the same model elsewhere, and before the pillar's fallback",
        Request(pillar="soul", model="old:9b"),
        f"O1 old:9b pinned_key - no_such_model|O2 old:9b named_model - no_such_model|{OLD_ELSEWHERE}"
        f"|O1 plain:8b stand_in|O2 plain:8b stand_in|{FALLBACKS}",
        [catalogued(RETIRED._replace(successor=None, stand_in="plain:8b"))],
    ),
    Case(
        "a stand-in at the end of a chain of successors",
        Request(model="older:9b"),
        aside("O1 older:9b named_model|O2 older:9b named_model", "no_such_model")
        + "|O1 plain:8b stand_in|O2 plain:8b stand_in",
        [catalogued(ORPHAN, Model("older:9b", successor="orphan:9b", retired_on=TODAY))],
    ),
    Case(
        "an equivalent that is retired has a stand-in too",
        Request(model="old:9b"),
        f"{OLD}|{SUCCESSORS}|{aside(OLD_ELSEWHERE, 'no_such_model')}"
        "|R1 moon/kimi stand_in|R2 moon/kimi stand_in|R3 moon/kimi stand_in",
        [catalogued(RETIRED, GONE_ELSEWHERE)],
    ),
    Case(
        "so has a fallback",
        Request(pillar="soul"),
        f"O1 kimi pinned_key|O2 kimi named_model|{EQUIVALENTS}|{aside(FALLBACKS, 'no_such_model')}"
        "|R2 new/claude stand_in|R3 new/claude stand_in|R1 new/claude stand_in",
        [catalogued(Model("old/claude", retired_on=TODAY, stand_in="new/claude"))],
    ),
    Case(
        "a model that the cloud never had is not asked for there",
        Request(model="home:4b"),
        aside("O1 home:4b named_model|O2 home:4b named_model", "no_such_model") + f"|{KIMI_STANDS_IN}",
        [catalogued(AT_HOME)],
    ),
    Case(
        "this machine's own comes before a stand-in",
        Request(model="home:4b"),
        aside("O1 home:4b named_model|O2 home:4b named_model", "no_such_model")
        + f"|local home:4b local|{KIMI_STANDS_IN}",
        [catalogued(AT_HOME), listed(LOCAL, "home:4b")],
    ),
    Case(
        "a chat is never put to a model that makes embeddings, not on this machine either",
        Request(model="vectors"),
        aside("O1 vectors named_model|O2 vectors named_model|local vectors:latest local", "lacks")
        + f"|{KIMI_STANDS_IN}",
        [catalogued(VECTORS), listed(LOCAL, "vectors:latest")],
    ),
    Case(
        "critical has no stand-in elsewhere",
        Request(model="home:4b", privacy=Privacy.CRITICAL),
        aside("O1 home:4b named_model|O2 home:4b named_model", "privacy")
        + f"|local home:4b local|{aside(KIMI_STANDS_IN, 'privacy')}",
        [catalogued(AT_HOME)],
    ),
]

RULE_3_FREE = [
    Case("free models first, and nothing that costs", Request(free=True), f"{LAMAS}|{ROUTERS}"),
    Case(
        "a free model that was named goes first",
        Request(free=True, model="x/own:free"),
        "R1 x/own:free free|R2 x/own:free free|R3 x/own:free free|" + f"{LAMAS}|{ROUTERS}",
    ),
    Case(
        "free keys take turns",
        Request(free=True),
        "R2 lama:free free|R3 lama:free free|R1 lama:free free|"
        "R2 openrouter/free free|R3 openrouter/free free|R1 openrouter/free free",
        [state(Snapshot(cursors={OPENROUTER: "R1"}))],
    ),
    Case(
        "a free model that is not listed any more is passed over; the provider's own router is never listed",
        Request(free=True),
        f"{aside(LAMAS, 'no_such_model')}|{ROUTERS}",
        [listed(OPENROUTER, "moon/kimi")],
    ),
    Case(
        "the account's free models cool together, its paid ones do not",
        Request(),
        aside("R1 lama:free free|R2 lama:free free", "cooling_down")
        + "|R3 lama:free free|"
        + aside("R1 openrouter/free free|R2 openrouter/free free", "cooling_down")
        + f"|R3 openrouter/free free|{ONE_LINE}|{OPENROUTER_GENERAL}",
        [
            config(lambda it: with_key(it, "R1", lambda key: key._replace(account="team"))),
            config(lambda it: with_key(it, "R2", lambda key: key._replace(account="team"))),
            cooled(cooling(Scope(Reach.FREE_MODELS, OPENROUTER, account="team"))),
            switched(lambda it: it._replace(prefer_free_tier=True)),
        ],
    ),
    Case(
        "prefer_free_tier goes on to paid ones",
        Request(),
        f"{LAMAS}|{ROUTERS}|{ONE_LINE}|{OPENROUTER_GENERAL}",
        [switched(lambda it: it._replace(prefer_free_tier=True))],
    ),
    Case(
        "prefer_free_tier leaves named models alone",
        Request(model="plain:8b"),
        "O1 plain:8b named_model|O2 plain:8b named_model",
        [switched(lambda it: it._replace(prefer_free_tier=True))],
    ),
    Case(
        "prefer_free_tier takes a role that says free",
        Request(pillar="soul"),
        f"{LAMAS}|{ROUTERS}|O1 kimi pinned_key|O2 kimi named_model"
        "|R1 moon/kimi equivalent|R2 moon/kimi equivalent|R3 moon/kimi equivalent"
        "|R2 old/claude fallback|R3 old/claude fallback|R1 old/claude fallback",
        [switched(lambda it: it._replace(prefer_free_tier=True)), freed("soul", "primary")],
    ),
    Case(
        "a role that says free is paid where free is not preferred",
        Request(pillar="tools"),
        "R2 moon/kimi pinned_key|O1 kimi named_model|O2 kimi named_model"
        "|R1 moon/kimi equivalent|R3 moon/kimi equivalent",
        [freed("tools", "burst")],
    ),
    Case(
        "prefer_free_tier leaves private requests alone",
        Request(privacy=Privacy.HIGH),
        f"{ONE_LINE}|{aside(OPENROUTER_GENERAL, 'privacy')}",
        [switched(lambda it: it._replace(prefer_free_tier=True))],
    ),
]

RULE_4_GENERAL = [
    Case("Ollama first, OpenRouter behind it", Request(), f"{ONE_LINE}|{OPENROUTER_GENERAL}"),
    Case(
        "Ollama's keys alternate",
        Request(),
        f"O2 kimi general|O1 kimi general|{OPENROUTER_GENERAL}",
        [state(Snapshot(cursors={OLLAMA: "O1"}))],
    ),
    Case(
        "just below the threshold Ollama is first", Request(), f"{ONE_LINE}|{OPENROUTER_GENERAL}", [state(JUST_BELOW)]
    ),
    Case("at the threshold OpenRouter is", Request(), f"{OPENROUTER_GENERAL}|{ONE_LINE}", [state(FULL_SIDE)]),
    Case(
        "at a threshold that no binary fraction can be",
        Request(),
        f"{OPENROUTER_GENERAL}|{ONE_LINE}",
        [
            state(Snapshot(hours={"O1": calls(333)})),
            provider(OLLAMA, lambda it: it._replace(max_calls_per_hour=500)),
            switched(lambda it: it._replace(ollama_usage_threshold_percent=Decimal("33.3"))),
        ],
    ),
    Case(
        "keys without a secret do not count as capacity",
        Request(),
        f"{OPENROUTER_GENERAL}|O1 kimi general|O2 kimi general - no_secret",
        [state(Snapshot(hours={"O1": calls(70)})), without_secrets("O2")],
    ),
    Case(
        "nor do disabled ones",
        Request(),
        f"{OPENROUTER_GENERAL}|O1 kimi general|O2 kimi general - disabled",
        [state(Snapshot(hours={"O1": calls(70)})), disabled_by_config("O2")],
    ),
    Case(
        "the threshold does not touch named models",
        Request(model="kimi"),
        f"O1 kimi named_model|O2 kimi named_model|{EQUIVALENTS}",
        [state(FULL_SIDE)],
    ),
    Case(
        "without a limit Ollama is never used up",
        Request(),
        f"{ONE_LINE}|{OPENROUTER_GENERAL}",
        [state(FULL_SIDE), provider(OLLAMA, lambda it: it._replace(max_calls_per_hour=None))],
    ),
    Case(
        "ollama_failover off: one key stands for Ollama",
        Request(),
        f"O1 kimi general|O2 kimi general - provider_off|{OPENROUTER_GENERAL}",
        [switched(lambda it: it._replace(ollama_failover=False))],
    ),
    Case(
        "ollama_failover off: the keys still alternate",
        Request(),
        f"O2 kimi general|O1 kimi general - provider_off|{OPENROUTER_GENERAL}",
        [switched(lambda it: it._replace(ollama_failover=False)), state(Snapshot(cursors={OLLAMA: "O1"}))],
    ),
    Case(
        "ollama_failover off: a general request begins with a key that is ready",
        Request(),
        f"O1 kimi general - provider_off|O2 kimi general|{OPENROUTER_GENERAL}",
        [switched(lambda it: it._replace(ollama_failover=False)), cooled(cooling(key_scope("O1")))],
    ),
    Case(
        "ollama_failover off: a named model waits for its key",
        Request(model="kimi"),
        f"O1 kimi named_model - cooling_down|O2 kimi named_model - provider_off|{EQUIVALENTS}",
        [switched(lambda it: it._replace(ollama_failover=False)), cooled(cooling(key_scope("O1")))],
    ),
    Case(
        "ollama_failover off: a key without a secret does not stand for Ollama",
        Request(model="kimi"),
        f"O1 kimi named_model - no_secret|O2 kimi named_model|{EQUIVALENTS}",
        [switched(lambda it: it._replace(ollama_failover=False)), without_secrets("O1")],
    ),
    Case(
        "ollama_failover off: a general request goes to the Ollama key that comes back first",
        Request(),
        "O1 kimi general - provider_off|O2 kimi general - cooling_down|"
        "R1 moon/kimi general|R2 moon/kimi general|R3 moon/kimi general",
        [
            switched(lambda it: it._replace(ollama_failover=False)),
            cooled(cooling(key_scope("O1"), ends_in=HOUR * 10), cooling(key_scope("O2"), ends_in=MINUTE)),
        ],
    ),
    Case(
        "the pillar's fallback stays last when OpenRouter is preferred",
        Request(pillar="soul"),
        f"{EQUIVALENTS}|O1 kimi pinned_key|O2 kimi named_model|{FALLBACKS}",
        [switched(lambda it: it._replace(prefer_ollama=False))],
    ),
    Case(
        "openrouter_fallback off",
        Request(pillar="soul"),
        f"O1 kimi pinned_key|O2 kimi named_model|{aside(f'{EQUIVALENTS}|{FALLBACKS}', 'provider_off')}",
        [switched(lambda it: it._replace(openrouter_fallback=False))],
    ),
]

RULE_5_PREFERENCE = [
    Case(
        "prefer_ollama off turns general requests round",
        Request(),
        f"{OPENROUTER_GENERAL}|{ONE_LINE}",
        [switched(lambda it: it._replace(prefer_ollama=False))],
    ),
    Case(
        "and named ones",
        Request(model="kimi"),
        f"{EQUIVALENTS}|O1 kimi named_model|O2 kimi named_model|local kimi local",
        [switched(lambda it: it._replace(prefer_ollama=False)), listed(LOCAL, "kimi")],
    ),
]

SELECTION = [
    Case(
        "reserved keys go last, and stay aside while anything else is left",
        Request(model="kimi"),
        "O2 kimi named_model|R2 moon/kimi equivalent|R3 moon/kimi equivalent|O1 kimi named_model - reserved|"
        "R1 moon/kimi equivalent - reserved",
        [reserved("O1", "R1")],
    ),
    Case(
        "reserved keys are used when nothing else is left",
        Request(model="plain:8b"),
        "O2 plain:8b named_model - cooling_down|O1 plain:8b named_model",
        [reserved("O1"), cooled(cooling(key_scope("O2")))],
    ),
    Case(
        "a critical request uses reserved keys in their place",
        Request(model="plain:8b", priority=Priority.CRITICAL),
        "O1 plain:8b named_model|O2 plain:8b named_model",
        [reserved("O1")],
    ),
    Case("only one key", Request(model="kimi", key="O2"), "O2 kimi named_model"),
    Case("only one key of OpenRouter", Request(model="kimi", key="R3"), "R3 moon/kimi equivalent"),
    Case(
        "a key that was asked for is used whatever the switches say",
        Request(model="kimi", key="R3"),
        "R3 moon/kimi equivalent",
        [switched(lambda it: it._replace(openrouter_fallback=False, ollama_failover=False))],
    ),
    Case(
        "a reserved key that was asked for is used",
        Request(model="kimi", key="O1"),
        "O1 kimi named_model",
        [reserved("O1")],
    ),
    Case("only local", Request(key="local"), "local kimi local", [listed(LOCAL, "kimi")]),
]

OVER = provider(OLLAMA, lambda it: it._replace(daily_budget_usd=Decimal("0.02")))

REASONS = [
    Case("no_secret", Request(key="O1"), "O1 kimi general - no_secret", [without_secrets("O1")]),
    Case("disabled in the configuration", Request(key="O1"), "O1 kimi general - disabled", [disabled_by_config("O1")]),
    Case(
        "disabled by a refusal",
        Request(key="O1"),
        "O1 kimi general - disabled",
        [state(Snapshot(disabled={"O1": Disabled(fingerprint("O1"), NOW)}))],
    ),
    Case(
        "not disabled by the refusal of another secret",
        Request(key="O1"),
        "O1 kimi general",
        [state(Snapshot(disabled={"O1": Disabled("old", NOW)}))],
    ),
    Case("cooling_down", Request(key="O1"), "O1 kimi general - cooling_down", [cooled(cooling(key_scope("O1")))]),
    Case(
        "cooling_down, for all keys of an account",
        Request(),
        f"{aside(ONE_LINE, 'cooling_down')}|{OPENROUTER_GENERAL}",
        [
            state(
                Snapshot(
                    cooldowns=by_scope(cooling(Scope(Reach.ACCOUNT, OLLAMA, account="learnt"))),
                    accounts={key: Account(fingerprint(key), "learnt") for key in ("O1", "O2")},
                )
            )
        ],
    ),
    Case(
        "hourly_limit",
        Request(key="O1"),
        "O1 kimi general - hourly_limit",
        [state(Snapshot(hours={"O1": calls(100, NOW - 59 * MINUTE)}))],
    ),
    Case(
        "over_budget of the provider",
        Request(key="O1"),
        "O1 kimi general - over_budget",
        [OVER, state(Snapshot(days=spent({"O2": "0.015"})))],
    ),
    Case(
        "over_budget of the key",
        Request(),
        f"O1 kimi general - over_budget|O2 kimi general|{OPENROUTER_GENERAL}",
        [config(lambda it: with_key(it, "O1", lambda key: key._replace(daily_budget_usd=Decimal("0.01"))))],
    ),
    Case(
        "held by a call on its way",
        Request(key="O1"),
        "O1 kimi general - held",
        [state(Snapshot(holds={"h": HELD}))],
    ),
    Case(
        "no_credit",
        Request(key="O1"),
        "O1 kimi general - no_credit",
        [cooled(cooling(key_scope("O1"), reason=Reason.NO_CREDIT))],
    ),
    Case("privacy", Request(key="R1", privacy=Privacy.HIGH), "R1 moon/kimi general - privacy"),
    Case(
        "unproven: local is another machine",
        Request(key="local", privacy=Privacy.CRITICAL),
        "local kimi local - unproven",
        [provider(LOCAL, lambda it: it._replace(endpoints=("http://10.0.0.9:11434",)))],
    ),
    Case(
        "unproven: a cloud name",
        Request(key="local", privacy=Privacy.CRITICAL, model="gpt:120b-cloud"),
        "local gpt:120b-cloud local - unproven",
    ),
    Case(
        "no_such_model",
        Request(key="O1", model="plain:8b"),
        "O1 plain:8b named_model - no_such_model",
        [listed(OLLAMA, "other")],
    ),
    Case(
        "untrusted_host",
        Request(key="O1"),
        "O1 kimi general - untrusted_host",
        [provider(OLLAMA, lambda it: it._replace(endpoints=("https://stranger.example/v1",)))],
    ),
    Case(
        "a host that a person trusts",
        Request(key="O1"),
        "O1 kimi general",
        [
            provider(
                OLLAMA,
                lambda it: it._replace(endpoints=("https://stranger.example/v1",), trusted_hosts=("stranger.example",)),
            )
        ],
    ),
    Case("what is assumed", Request(key="O1"), "O1 kimi general - over_budget", [assumed("O1", Reason.OVER_BUDGET)]),
    Case(
        "a cooldown does not hide what no time mends",
        Request(key="O1"),
        "O1 kimi general - disabled",
        [
            state(
                Snapshot(
                    cooldowns=by_scope(cooling(key_scope("O1"))), disabled={"O1": Disabled(fingerprint("O1"), NOW)}
                )
            )
        ],
    ),
]

CASES = [
    *RULE_1_PRIVACY,
    *RULE_2_NAMED,
    *RETIREMENT,
    *RULE_3_FREE,
    *RULE_4_GENERAL,
    *RULE_5_PREFERENCE,
    *SELECTION,
    *REASONS,
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_plan(case: Case) -> None:
    assert shown(case.world.plan()) == case.wants.split("|")


def test_every_reason_has_its_case() -> None:
    named = {reason for reason in Reason for case in CASES if f"- {reason}" in case.wants}
    assert named == set(Reason)


# --- until when, and in whose words ---


def only(world: World) -> SetAside:
    (candidate,) = world.plan().candidates
    assert candidate.set_aside is not None
    return candidate.set_aside


def test_a_cooldown_says_until_when_and_by_whose_word() -> None:
    reason = only(cooled(cooling(key_scope("O1")))(World(Request(key="O1"))))
    assert reason == SetAside(Reason.COOLING_DOWN, NOW + HOUR, "Retry-After: slow down")


def test_of_several_reasons_that_pass_the_longest_is_named() -> None:
    marks = (cooling(key_scope("O1")), cooling(Scope(Reach.PROVIDER, OLLAMA), ends_in=3 * HOUR))
    snapshot = Snapshot(cooldowns=by_scope(*marks), hours={"O1": calls(100)})
    assert only(World(Request(key="O1"), snapshot=snapshot)).until == NOW + 3 * HOUR


def test_an_hourly_limit_says_when_the_first_call_is_an_hour_old() -> None:
    snapshot = Snapshot(hours={"O1": {**calls(1, NOW - 30 * MINUTE), **calls(99)}})
    reason = only(World(Request(key="O1"), snapshot=snapshot))
    assert (reason.detail, reason.until) == ("100 of 100 calls within an hour", NOW.replace(second=0) + 31 * MINUTE)


def test_a_call_that_is_dearer_than_the_whole_budget_never_comes_back() -> None:
    small = OVER(World(Request(key="O1", prompt_tokens=1_000_000)))
    assert only(small).until is None
    assert small.plan().retry_at is None


def test_a_budget_may_be_used_up_to_the_last_cent() -> None:
    bound = World(Request(key="O1")).plan().candidates[0].bound_usd
    exact = provider(OLLAMA, lambda it: it._replace(daily_budget_usd=bound + Decimal("0.01")))
    assert state(Snapshot(days=spent({"O2": "0.01"})))(exact(World(Request(key="O1")))).plan().choice
    assert not state(Snapshot(days=spent({"O2": "0.010001"})))(exact(World(Request(key="O1")))).plan().choice


def test_what_costs_nothing_needs_no_budget() -> None:
    broke = provider(OPENROUTER, lambda it: it._replace(daily_budget_usd=Decimal(0)))
    assert broke(World(Request(free=True))).plan().choice is not None


def test_retry_at_is_when_the_first_candidate_comes_free() -> None:
    marks = (cooling(key_scope("O1"), ends_in=2 * HOUR), cooling(key_scope("O2"), ends_in=HOUR))
    world = without_secrets("R1", "R2", "R3")(World())
    assert cooled(*marks)(world).plan().retry_at == NOW + HOUR
    assert cooled(marks[0])(world).plan().retry_at is None, "one is eligible"
    assert without_secrets(*KEY_NAMES)(World()).plan().retry_at is None, "none ever comes back by itself"


# --- failover ---


def after(world: World, *labels: str, reach: Reach = Reach.KEY_AND_MODEL) -> Plan:
    """The plan after these candidates failed for this request."""
    plan = world.plan()
    tried = [Tried(next(c for c in plan.candidates if c.label == label), reach) for label in labels]
    return world.plan(tried)


@pytest.mark.parametrize(
    ("reach", "wants"),
    [
        (Reach.REQUEST, f"O2 kimi named_model|{EQUIVALENTS}"),
        (Reach.KEY_AND_MODEL, f"O2 kimi named_model|{EQUIVALENTS}"),
        (Reach.KEY, f"O2 kimi named_model|{EQUIVALENTS}"),
        (Reach.MODEL, EQUIVALENTS),
        (Reach.PROVIDER, EQUIVALENTS),
    ],
)
def test_what_a_failure_leaves_over(reach: Reach, wants: str) -> None:
    assert shown(after(World(Request(model="kimi")), "O1", reach=reach)) == wants.split("|")


def test_a_failure_of_an_account_leaves_out_its_other_keys() -> None:
    world = World(Request(model="kimi"))
    for key in ("O1", "O2"):
        world = world._replace(config=with_key(world.config, key, lambda it: it._replace(account="team")))
    assert shown(after(world, "O1", reach=Reach.ACCOUNT)) == EQUIVALENTS.split("|")


@pytest.mark.parametrize("request_", [Request(), Request(model="kimi")])
def test_without_ollama_failover_no_second_key_of_it_is_tried_after_a_failure(request_: Request) -> None:
    world = switched(lambda it: it._replace(ollama_failover=False))(World(request_))
    after_failure = after(world, "O1")
    assert [c.label for c in after_failure.candidates if c.eligible] == ["R1", "R2", "R3"]
    assert after_failure.candidates[0].set_aside == SetAside(
        Reason.PROVIDER_OFF, detail="routing.ollama_failover is off"
    )


# --- untrusted hosts ---

STRANGE_OLLAMA = provider(OLLAMA, lambda it: it._replace(endpoints=("https://stranger.example/v1",)))
STRANGE_OPENROUTER = provider(OPENROUTER, lambda it: it._replace(endpoints=("https://stranger.example/v1",)))


def test_an_untrusted_host_blocks_instead_of_being_passed_over() -> None:
    plan = STRANGE_OLLAMA(World()).plan()
    assert any(candidate.eligible for candidate in plan.candidates)
    assert plan.choice is None
    assert plan.untrusted is plan.candidates[0]


def test_an_untrusted_host_blocks_only_when_it_is_about_to_be_used() -> None:
    world = STRANGE_OPENROUTER(World())
    assert world.plan().choice is not None
    assert world.plan().untrusted is None
    assert after(world, "O1", "O2").untrusted is not None


def test_it_also_blocks_a_claim_that_comes_there_by_failover() -> None:
    world = STRANGE_OPENROUTER(World())
    tried = [Tried(candidate, Reach.KEY_AND_MODEL) for candidate in world.plan().candidates[:2]]
    _, answer = claim(world.request, world.config, world.snapshot, world.facts, NOW, tried, CLAIMANT)
    assert isinstance(answer, Nothing)
    assert answer.plan.untrusted is not None


# --- notices, and claims ---

CLAIMANT = Claimant(ME, "hold", set(KEY_NAMES))


def claimed(world: World) -> tuple[Snapshot, Claim]:
    snapshot, answer = claim(world.request, world.config, world.snapshot, world.facts, NOW, (), CLAIMANT)
    assert isinstance(answer, Claim)
    return snapshot, answer


def test_paid_instead_of_free_is_said_each_time() -> None:
    world = switched(lambda it: it._replace(prefer_free_tier=True))(World())
    assert world.plan().notices == ()
    broken = listed(OPENROUTER, "moon/kimi")(without_secrets("R1", "R2", "R3")(world))
    (notice,) = broken.plan().notices
    assert notice == "no free model may take this now: using kimi through O1, which is paid"
    assert claimed(broken)[1].notices == broken.plan().notices


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (Request(), ""),
        (Request(free=True), ""),
        (Request(pillar="tools"), ""),
        (Request(model="kimi"), "a model was named"),
        (Request(model="kimi", pillar="tools"), "a model was named"),
        (Request(pillar="soul"), "pillars.soul.primary does not say free = true"),
        (Request(privacy=Privacy.HIGH), "high prompts are kept from them"),
        (Request(pillar="tools", privacy=Privacy.HIGH), "high prompts are kept from them"),
    ],
)
def test_why_free_is_not_used_is_said(request_: Request, why: str) -> None:
    world = freed("tools", "burst")(World(request_))
    notices = switched(lambda it: it._replace(prefer_free_tier=True))(world).plan().notices
    assert notices == ((f"free models are preferred, but not used for this: {why}",) if why else ())
    assert world.plan().notices == ()


def test_a_role_that_says_free_is_told_nothing_of_a_stand_in() -> None:
    world = switched(lambda it: it._replace(prefer_free_tier=True))(
        freed("soul", "primary")(World(Request(pillar="soul")))
    )
    assert claimed(world)[1].notices[0].startswith("lama:free is free")


def test_local_instead_of_free_costs_nothing_and_is_not_mentioned() -> None:
    world = switched(lambda it: it._replace(prefer_free_tier=True))(World())
    world = listed(LOCAL, "kimi")(without_secrets(*KEY_NAMES)(world))
    assert world.plan().choice is not None
    assert world.plan().notices == ()


def test_the_first_free_model_at_medium_is_announced_and_only_the_first() -> None:
    snapshot, first = claimed(World(Request(free=True)))
    assert "lama:free is free" in first.notices[0]
    assert claimed(World(Request(free=True), snapshot=snapshot))[1].notices == ()


@pytest.mark.parametrize("request_", [Request(free=True, privacy=Privacy.LOW), Request(privacy=Privacy.MEDIUM)])
def test_no_such_notice_at_low_or_for_paid_models(request_: Request) -> None:
    snapshot, answer = claimed(World(request_))
    assert (answer.notices, snapshot.notices) == ((), frozenset())


def test_a_claim_holds_the_bound_and_counts_the_call() -> None:
    snapshot, answer = claimed(World(Request(pillar="soul", prompt_tokens=1_000, max_output_tokens=100)))
    assert answer.hold == snapshot.holds["hold"]
    assert answer.hold.amount_usd == (Decimal("0.60") * (1_000 + 256) + Decimal("3.00") * 100) / 1_000_000
    assert (answer.hold.key, answer.hold.model, answer.hold.pillar) == ("O1", "kimi", "soul")
    assert (answer.hold.claimed, answer.hold.day) == (NOW, NOW.date())
    assert snapshot.hours == {"O1": calls(1)}
    assert snapshot.cursors == {}, "a pinned key takes no turn"


def test_a_secret_that_is_not_open_yet_is_asked_for_before_anything_is_held() -> None:
    world = World()
    snapshot, answer = claim(world.request, CONFIG, world.snapshot, FACTS, NOW, (), CLAIMANT._replace(opened={"O2"}))
    assert (snapshot, answer) == (world.snapshot, Locked("O1"))


def test_a_refused_claim_changes_nothing_and_shows_the_whole_plan() -> None:
    world = without_secrets("R1", "R2", "R3")(World(Request(model="kimi")))
    tried = [Tried(candidate, Reach.KEY) for candidate in world.plan().candidates[:2]]
    snapshot, answer = claim(world.request, CONFIG, world.snapshot, world.facts, NOW, tried, CLAIMANT)
    assert snapshot is world.snapshot
    assert answer == Nothing(world.plan(), queued=False)


# --- what does not exist ---


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            Request(pillar="sole"),
            "There is no pillar 'sole'. Did you mean 'soul'? Known: soul, guardian, identity, tools.",
        ),
        (
            Request(pillar="guardian", role="govenor"),
            "There is no guardian role 'govenor'. Did you mean 'governor'? Known: governor.",
        ),
        (Request(key="O22"), "There is no key 'O22'. Did you mean 'O2'? Known: O1, O2, R1, R2, R3, local."),
        (Request(key="zzz"), "There is no key 'zzz'. Known: O1, O2, R1, R2, R3, local."),
        (
            Request(role="governor"),
            "The role 'governor' needs its pillar: add --pillar (soul, guardian, identity, tools).",
        ),
    ],
)
def test_a_name_that_does_not_exist_is_an_error_that_helps(request_: Request, message: str) -> None:
    with pytest.raises(UsageError) as error:
        route(request_, CONFIG, Snapshot(), FACTS, NOW)
    assert str(error.value) == message


def test_an_endless_model_name_is_refused_before_it_gets_into_the_state() -> None:
    assert route(Request(model="v/" + "a" * 198), CONFIG, Snapshot(), FACTS, NOW).model == "v/" + "a" * 198
    with pytest.raises(UsageError, match="No model has a name of 201 characters; at most 200 are taken"):
        route(Request(model="v/" + "a" * 199), CONFIG, Snapshot(), FACTS, NOW)


def test_a_pillar_s_first_role_is_its_default_and_another_can_be_named() -> None:
    assert World(Request(pillar="soul")).plan().role == "primary"
    backup = World(Request(pillar="soul", role="backup")).plan()
    assert (backup.model, backup.role) == ("plain:8b", "backup")


def test_a_pillar_with_another_model_keeps_its_key_and_its_privacy() -> None:
    plan = World(Request(pillar="guardian", model="plain:8b")).plan()
    assert (plan.model, plan.privacy, plan.candidates[0].label) == ("plain:8b", Privacy.HIGH, "O2")


def test_a_fallback_on_ollama_is_no_matter_of_openrouter() -> None:
    pillar = Pillar({"primary": Role("kimi", "O1")}, Role("plain:8b", "O2"))
    world = config(lambda it: it._replace(pillars={"own": pillar}))(World(Request(pillar="own")))
    world = switched(lambda it: it._replace(openrouter_fallback=False))(world)
    assert shown(world.plan())[-2:] == ["O2 plain:8b fallback", "O1 plain:8b fallback"]


def test_general_inference_names_no_model_in_its_plan() -> None:
    assert World().plan().model is None
    assert World(Request(model="kimi:cloud")).plan().model == "kimi"
    assert World(Request(max_output_tokens=7)).plan().max_output_tokens == 7
    assert World().plan().max_output_tokens == CONFIG.routing.max_output_tokens


def test_a_hold_lives_long_enough() -> None:
    assert claimed(World())[1].hold.expires - NOW >= timedelta(hours=1)


def test_a_free_model_that_stands_in_for_a_paid_one_is_announced() -> None:
    plan = World(Request(model="kimi", free=True)).plan()
    assert plan.choice is not None
    assert plan.choice.free
    assert [notice for notice in plan.notices if notice.startswith("kimi is not free")]
    assert World(Request(model="lama:free", free=True)).plan().notices == ()


def test_who_switched_openrouter_off_does_not_get_it_for_its_free_models() -> None:
    routing = CONFIG.routing._replace(prefer_free_tier=True, openrouter_fallback=False)
    plan = World(Request(), config=CONFIG._replace(routing=routing)).plan()
    assert plan.choice is not None
    assert plan.choice.provider is OLLAMA
    assert World(Request(free=True), config=CONFIG._replace(routing=routing)).plan().choice is not None


# --- names, as the daemon compares them ---


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("glm-5.2:cloud", "glm-5.2"),
        ("gpt-oss:120b-cloud", "gpt-oss:120b"),
        ("gpt-oss-cloud", "gpt-oss"),
        (" glm-5.2:cloud\n", "glm-5.2"),
        ("glm-5.2 :\u2003CLOUD\xa0", "glm-5.2"),
        ("gpt-oss: 120b-Cloud", "gpt-oss:120b"),
        ("me/glm:cloud", "me/glm"),
    ],
)
def test_a_cloud_name_is_one_however_it_is_written(name: str, base: str) -> None:
    assert (is_cloud_name(name), strip_cloud(name)) == (True, base)


@pytest.mark.parametrize(
    "name", ["x:cloud:local", "x:local:cloud", "x:7b-cloud@sha256:12", "x:cl\u200boud", "x:clo ud"]
)
def test_what_could_be_a_cloud_name_is_one(name: str) -> None:
    assert is_cloud_name(name)


@pytest.mark.parametrize(
    "name", ["gemma3", "cloud:7b", "cloudy:7b", "x:cloud-7b", "x:local", "cloud/x:7b", "", ":", "x:"]
)
def test_another_name_is_none(name: str) -> None:
    assert not is_cloud_name(name)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Kimi-K2.6", "kimi-k2.6"),
        (" kimi-k2.6 ", "kimi-k2.6"),
        ("GPT-OSS: 20b", "gpt-oss:20b"),
        ("gpt-oss:20B-cloud ", "gpt-oss:20b"),
        ("GPT-OSS", None),
        ("mistral-large-3", "Mistral-Large-3:675b"),
        ("gemma3", "gemma3:latest"),
        ("Gemma3:LATEST", "gemma3:latest"),
        ("twin", None),
        ("TWIN:7b", "TWIN:7b"),
        ("Twin:7b", None),
    ],
)
def test_names_that_the_daemon_takes_for_the_same_are_found(name: str, found: str | None) -> None:
    known = ["kimi-k2.6", "gpt-oss:20b", "gpt-oss:120b", "Mistral-Large-3:675b", "gemma3:latest", "twin:7b", "TWIN:7b"]
    assert match_name(name, known) == found


def test_a_name_of_white_space_only_is_refused() -> None:
    with pytest.raises(UsageError, match="more than white space"):
        route(Request(model=" \u2003"), CONFIG, Snapshot(), FACTS, NOW)
