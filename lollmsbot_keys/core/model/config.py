"""The inventory and the rules of the pool: providers, keys, models, pillars.

It is read once and never changed. Everything here is the merged configuration in typed form. The TOML shape is
described in the README; ``edges.config.load`` turns one into the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from lollmsbot_keys.core.base.namedtuple import NamedTuple

LONGEST_NAME = 200
"""The most characters of a name. Names of models, keys and pillars go into the shared state, which must stay small."""
MOST_OUTPUT_TOKENS = 1_000_000_000
"""The most output tokens, more than any model writes. It is part of its bound, which must stay a sane amount."""


class Provider(StrEnum):
    """A company or server with a dialect of its own."""

    OLLAMA = "ollama"
    OPENROUTER = "openrouter"
    LOCAL = "local"


class Privacy(StrEnum):
    """The distance that a prompt may travel.

    `critical` is the strictest.
    """

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    def permits(self, provider: Provider) -> bool:
        """Say whether a prompt of this level may be sent to `provider` at all."""
        match self:
            case Privacy.CRITICAL:
                return provider is Provider.LOCAL
            case Privacy.HIGH:
                return provider is not Provider.OPENROUTER
            case Privacy.MEDIUM | Privacy.LOW:
                return True


_STRICTNESS = tuple(Privacy)


def strictest(levels: Iterable[Privacy]) -> Privacy:
    """Return the strictest of one or more levels."""
    return max(levels, key=_STRICTNESS.index)


class Balance(StrEnum):
    """The way in which general requests are spread over one provider's keys.

    Both take strict turns; the word is for people.
    """

    ALTERNATE = "alternate"
    ROUND_ROBIN = "round_robin"


class Price(NamedTuple):
    """US dollars for a million tokens, as one seller asked them on `priced_on`.

    Prompt tokens may have other prices where they are read from a cache or written to one. `None`: no other price than
    the ordinary one is known. The dearest prices are for bounds, where the sources disagree, or the price depends on
    the hour or the size.
    """

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    priced_on: date | None = None
    cached_input_usd_per_mtok: Decimal | None = None
    cache_write_usd_per_mtok: Decimal | None = None
    dearest_input_usd_per_mtok: Decimal | None = None
    dearest_output_usd_per_mtok: Decimal | None = None

    @property
    def is_zero(self) -> bool:
        """Whether the price is nothing, from any source."""
        return not self.most.input_usd_per_mtok and not self.most.output_usd_per_mtok

    @property
    def most(self) -> Price:
        """The dearest that any token may cost."""
        parts = (self.cached_input_usd_per_mtok, self.cache_write_usd_per_mtok, self.dearest_input_usd_per_mtok)
        dearest_in = max((self.input_usd_per_mtok, *(part for part in parts if part is not None)))
        dearest_out = max(self.output_usd_per_mtok, self.dearest_output_usd_per_mtok or self.output_usd_per_mtok)
        if (dearest_in, dearest_out) == (self.input_usd_per_mtok, self.output_usd_per_mtok):
            return self
        return Price(dearest_in, dearest_out, self.priced_on)


class Model(NamedTuple):
    """One seller's model: an Ollama name, or an OpenRouter id (which has a slash).

    `own_price`: the price is from the user's own file, not the shipped one. `template_tokens` is the most that its chat
    template adds to a prompt; `None` where nobody knows. `successor` is the model that the seller named in its place,
    `stand_in` the one that the catalogue names where the seller named none. `local_only`: Ollama's cloud never had it.
    `can` is empty where nobody knows what it can do.
    """

    name: str
    rc2: bool = False
    openrouter: str | None = None
    successor: str | None = None
    price: Price | None = None
    own_price: bool = False
    template_tokens: int | None = None
    retired_on: date | None = None
    stand_in: str | None = None
    local_only: bool = False
    can: tuple[str, ...] = ()
    context_tokens: int | None = None

    def not_served(self, today: date) -> str:
        """Return the reason why its seller no longer has it, or "" if it has.

        The reason is as old as the catalogue.
        """
        if self.local_only:
            return "Ollama's cloud never had it: it is for a machine of one's own"
        if self.retired_on is None or self.retired_on > today:
            return ""
        return f"retired by {'openrouter' if '/' in self.name else 'ollama'} on {self.retired_on}"

    @property
    def lacks_chat(self) -> bool:
        """Whether it is known to answer no chat, as a model for embeddings does."""
        return bool(self.can) and "chat" not in self.can


class Key(NamedTuple):
    """One named credential.

    `secret` says where its characters are; it never holds them. `rotate_week` is the week of every month (1 to 4) in
    which its secret is due to be replaced.
    """

    name: str
    provider: Provider
    secret: str
    account: str | None = None
    daily_budget_usd: Decimal | None = None
    reserved: bool = False
    enabled: bool = True
    monthly_budget_usd: Decimal | None = None
    rotate_week: int | None = None


class ProviderSettings(NamedTuple):
    """The addresses and limits of a provider.

    A limit of `None` means: no limit of ours. `management_secret` says where the secret is that makes and deletes this
    provider's keys.
    """

    endpoints: tuple[str, ...]
    max_calls_per_hour: int | None = None
    daily_budget_usd: Decimal | None = None
    balance: Balance = Balance.ROUND_ROBIN
    free_models: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    monthly_budget_usd: Decimal | None = None
    management_secret: str | None = None


class Role(NamedTuple):
    """The needs of a pillar: a model, the key to begin with, and the privacy of its prompts.

    `free`: where free models are preferred, they may do its tasks.
    """

    model: str
    key: str | None = None
    privacy: Privacy | None = None
    free: bool = False


class Pillar(NamedTuple):
    """One of the eight parts of the agent system RC2 that ask.

    The first role is the default one.
    """

    roles: Mapping[str, Role]
    fallback: Role | None = None


class Routing(NamedTuple):
    prefer_ollama: bool
    ollama_failover: bool
    openrouter_fallback: bool
    prefer_free_tier: bool
    ollama_usage_threshold_percent: Decimal
    default_model: str
    default_privacy: Privacy
    follow_successors: bool
    max_output_tokens: int
    unknown_price: Price
    template_tokens: int
    local_model: str = ""


class Cooldowns(NamedTuple):
    """The lengths of cooldowns, for times that the provider does not name.

    `longest` bounds every hint.
    """

    rate_limited: timedelta
    unavailable: timedelta
    longest: timedelta


class Alerts(NamedTuple):
    """The shares of a budget at which people are told, lowest first, and the addresses to tell."""

    at_percent: tuple[Decimal, ...]
    urls: tuple[str, ...] = ()


class Rotation(NamedTuple):
    """The settings of rotations.

    `grace` is how long a replaced secret stays good beside the new one.
    """

    grace: timedelta


class Config(NamedTuple):
    """The whole merged configuration.

    `keys` is in order of priority, `log_file` as it was written. `catalogue_read_on` is the day on which the shipped
    models and prices were looked up.
    """

    timezone: tzinfo
    routing: Routing
    cooldowns: Cooldowns
    alerts: Alerts
    rotation: Rotation
    providers: Mapping[Provider, ProviderSettings]
    keys: tuple[Key, ...]
    models: Mapping[str, Model]
    pillars: Mapping[str, Pillar]
    log_file: str | None = None
    catalogue_read_on: date | None = None

    def key(self, name: str) -> Key | None:
        return next((key for key in self.keys if key.name == name), None)

    def keys_of(self, provider: Provider) -> tuple[Key, ...]:
        return tuple([key for key in self.keys if key.provider is provider])  # of a list: half the time of a generator

    def model(self, name: str) -> Model:
        """Return the catalogue's entry for `name`, or a bare one if it has none.

        A bare one has no price and no equivalent.
        """
        if name in self.models:
            return self.models[name]
        found = match_name(name, self.models)
        return self.models[found] if found is not None else Model(strip_cloud(name))

    def is_free(self, model: str) -> bool:
        """Say whether its provider gives `model` away, by its name or by the configuration."""
        return model.endswith(":free") or model in self.providers[Provider.OPENROUTER].free_models


def as_compared(name: str) -> str:
    """Return `name` in the form in which the Ollama daemon compares names.

    Case, white space and invisible characters do not count. The daemon trims a name as a whole, and its tag once more.
    """
    plain = name.casefold()
    if plain.isprintable() and " " not in plain:
        return plain
    return "".join(filter(str.isprintable, plain)).replace(" ", "")


def trimmed(name: str) -> str:
    """Return `name` without white space around it and around its tag, as the daemon does."""
    head, colon, tag = name.strip().rpartition(":")
    return f"{head.rstrip()}{colon}{tag.lstrip()}"


def strip_cloud(name: str) -> str:
    """Remove the local daemon's suffix from a name such as `gpt-oss:120b-cloud` or `glm-5.2:cloud`.

    The result is the provider's own name.
    """
    plain = trimmed(name)
    ends = plain.casefold().endswith(_CLOUD)
    return plain[: -len(_CLOUD[0])] if ends else plain


_CLOUD = ("-cloud", ":cloud")


def is_cloud_name(name: str) -> bool:
    """Say whether a local daemon could pass this model on to ollama.com instead of running it."""
    head, *tags = as_compared(name).replace("@", ":").split(":")
    return head.endswith(_CLOUD[0]) or any(tag == "cloud" or tag.endswith(_CLOUD[0]) for tag in tags)


def match_name(name: str, known: Iterable[str]) -> str | None:
    """Find `name` among `known`, or return `None` if it is ambiguous.

    The tag and the cloud suffix may be missing. An exact match wins, then one that differs in case or white space only;
    `mistral-large-3` finds `mistral-large-3:675b` if no other tag of it is known.
    """
    names = known if isinstance(known, Mapping | set | frozenset) else frozenset(known)
    wanted = strip_cloud(name).removesuffix(":latest")
    for exact in (name, wanted, f"{wanted}:latest"):
        if exact in names:
            return exact
    plain = as_compared(wanted)
    index = _index(frozenset(names))
    found = index.get(plain) or index.get(f"{plain}:latest")
    if found is None and ":" not in plain and "/" not in plain:
        found = index.get(f"{plain}:")
    return found[0] if found is not None and len(found) == 1 else None


@lru_cache(maxsize=16)
def _index(names: frozenset[str]) -> Mapping[str, list[str]]:
    """Index the names by their compared form, and those of one family by `family:`."""
    found: dict[str, list[str]] = {}
    for name in names:
        plain = as_compared(name)
        found.setdefault(plain, []).append(name)
        found.setdefault(f"{plain.partition(':')[0]}:", []).append(name)
    return found
