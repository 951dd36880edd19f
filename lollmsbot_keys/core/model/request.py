"""The input and the output of a routing decision: a request, and the candidates that may take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from lollmsbot_keys.core.base.namedtuple import Code, NamedTuple
from lollmsbot_keys.core.model.config import Price, Privacy, Provider

EMPTY: Mapping[Any, Any] = MappingProxyType({})
"""No entries; a default that nobody can change."""

LIST_FRESH_FOR = timedelta(days=1)
"""The time that a provider's list is believed in all it says: models come, go and change their price by the week."""


class Priority(StrEnum):
    """The urgency of a request.

    `critical` may use reserved keys in their ordinary place, and goes first among those who wait.
    """

    NORMAL = "normal"
    CRITICAL = "critical"


class Reason(Code):
    """The reason why a candidate may not be used now.

    `unproven` may also mark one that only the provider can judge.
    """

    NO_SECRET = "no_secret"
    DISABLED = "disabled"
    COOLING_DOWN = "cooling_down"
    HOURLY_LIMIT = "hourly_limit"
    OVER_BUDGET = "over_budget"
    HELD = "held"
    NO_CREDIT = "no_credit"
    PRIVACY = "privacy"
    UNPROVEN = "unproven"
    NO_SUCH_MODEL = "no_such_model"
    PROVIDER_OFF = "provider_off"
    RESERVED = "reserved"
    UNTRUSTED_HOST = "untrusted_host"
    LACKS = "lacks"


ASSUMABLE = (Reason.COOLING_DOWN, Reason.DISABLED, Reason.OVER_BUDGET)
"""The reasons that a user may assume of a key, to see what would follow."""


class Reach(StrEnum):
    """The extent of a failure."""

    REQUEST = "request"
    KEY_AND_MODEL = "key_and_model"
    MODEL = "model"
    KEY = "key"
    FREE_MODELS = "free_models"
    ACCOUNT = "account"
    PROVIDER = "provider"


class Rule(StrEnum):
    """The sentence of the routing rules that put a candidate into the plan."""

    PINNED_KEY = "pinned_key"
    NAMED_MODEL = "named_model"
    SUCCESSOR = "successor"
    STAND_IN = "stand_in"
    EQUIVALENT = "equivalent"
    FALLBACK = "fallback"
    OPENROUTER_MODEL = "openrouter_model"
    FREE = "free"
    GENERAL = "general"
    LOCAL = "local"


class Request(NamedTuple):
    """One request without its words, as routing needs it.

    `prompt_tokens` is the most tokens that its messages come to (`core.base.prompt_tokens.most_tokens`).
    `max_output_tokens` of `None` means the configured cap.
    """

    model: str | None = None
    pillar: str | None = None
    role: str | None = None
    privacy: Privacy | None = None
    free: bool = False
    priority: Priority = Priority.NORMAL
    key: str | None = None
    prompt_tokens: int = 0
    max_output_tokens: int | None = None


class SetAside(NamedTuple):
    """The reason why a candidate is set aside, its end (`None`: nobody knows), and the words for it."""

    reason: Reason
    until: datetime | None = None
    detail: str = ""


class Candidate(NamedTuple):
    """One key × provider × model that was considered for one request.

    `key` is `None` for the local provider. `price` is for estimates, `None` where nobody knows it; `bound_usd` is
    computed from `most`, the price that it may be charged at, for so many `prompt_tokens`; of these the template may
    add `template_tokens`. `fingerprint` is the secret's ("" where it is not known yet). `takes_turn` says that the keys
    stand here in turns, so that using this one passes the turn on.
    """

    key: str | None
    provider: Provider
    model: str
    endpoints: tuple[str, ...]
    rule: Rule
    price: Price | None
    bound_usd: Decimal
    most: Price = Price(Decimal(0), Decimal(0))
    prompt_tokens: int = 0
    template_tokens: int = 0
    free: bool = False
    account: str = ""
    fingerprint: str = ""
    takes_turn: bool = False
    unproven: bool = False
    set_aside: SetAside | None = None

    @property
    def eligible(self) -> bool:
        return self.set_aside is None

    @property
    def label(self) -> str:
        """The name for people: the key's name, or `local`."""
        return self.key or "local"


class Plan(NamedTuple):
    """The ordered candidates for one request, and the meaning of the request.

    `model` is the one that was named, by the request or by its role; `None` for general inference.

    `retry_at` is when the first candidate may come free by itself: `None` while one is eligible, or if none ever will.
    `prefers_free`: a free model was wanted first, and a paid one would do.
    """

    candidates: tuple[Candidate, ...]
    model: str | None
    privacy: Privacy
    pillar: str | None
    role: str | None
    max_output_tokens: int
    retry_at: datetime | None = None
    prefers_free: bool = False
    notices: tuple[str, ...] = ()

    @property
    def choice(self) -> Candidate | None:
        """The candidate to use now.

        `None` where there is none, or where an untrusted host would come first.
        """
        for candidate in self.candidates:
            if candidate.eligible:
                return candidate
            if candidate.set_aside is not None and candidate.set_aside.reason is Reason.UNTRUSTED_HOST:
                return None
        return None

    @property
    def untrusted(self) -> Candidate | None:
        """The candidate that would be used now if its host could be trusted with a secret."""
        if self.choice is not None:
            return None
        return next(
            (c for c in self.candidates if c.set_aside is not None and c.set_aside.reason is Reason.UNTRUSTED_HOST),
            None,
        )


class Tried(NamedTuple):
    """A candidate that failed for this very request, and the reach of that failure.

    Within that reach another try is useless.
    """

    candidate: Candidate
    reach: Reach


class PriceList(NamedTuple):
    """The prices of OpenRouter's list by model, as of `fetched` (`None`: never).

    Dollars for a million tokens in and out, both again at the dearest where that differs, and out of a cache where that
    has a price; `None` for a model without a price by the token. They are text, because every start reads all of them
    and uses hardly any.
    """

    fetched: datetime | None = None
    prices: Mapping[str, Sequence[str] | None] = EMPTY


class Known(NamedTuple):
    """The age of all knowledge of models.

    It is the day of the shipped catalogue, and the time at which each list in force was fetched.
    """

    read_on: date | None
    lists: Mapping[Provider, datetime] = EMPTY


class Facts(NamedTuple):
    """The facts that routing needs beyond configuration and state.

    `secrets` maps each key that has a secret to its fingerprint ("" if the secret was not opened yet); `problems` says
    of others why they have none. `lists` holds the model names of each provider whose list is known and fresh; `prices`
    is OpenRouter's, however old. `assumed` answers `what if`. `local_chat` is the first model of this machine that can
    chat ("": none is known; `None`: it was not looked for).
    """

    secrets: Mapping[str, str]
    lists: Mapping[Provider, frozenset[str]] = EMPTY
    assumed: Mapping[str, SetAside] = EMPTY
    problems: Mapping[str, str] = EMPTY
    prices: PriceList = PriceList()
    local_chat: str | None = None
