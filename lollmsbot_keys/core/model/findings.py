"""The findings of `test-keys` about each key, each model and the configuration's errors."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from lollmsbot_keys.core.base.namedtuple import Code, NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.request import Reach, Reason, SetAside


class Verdict(Code):
    """The state of a key, as far as it is known.

    `limited` and `no_credit` are good keys that cannot be used now.
    """

    VALID = "valid"
    INVALID = "invalid"
    LIMITED = "limited"
    NO_CREDIT = "no_credit"
    UNREACHABLE = "unreachable"
    MISSING = "missing"
    UNKNOWN = "unknown"

    @property
    def is_good_key(self) -> bool:
        """Whether the provider recognised the secret as one of its own."""
        return self in {Verdict.VALID, Verdict.LIMITED, Verdict.NO_CREDIT}


class Unit(StrEnum):
    USD = "usd"
    PERCENT = "percent"
    REQUESTS = "requests"


class Allowance(NamedTuple):
    """One thing of which a key may use so much more.

    `left` of `None` means: without limit.
    """

    name: str
    unit: Unit
    left: Decimal | None
    of: Decimal | None = None
    resets_at: datetime | None = None


class UsedUpLimit(NamedTuple):
    """A used-up limit that routing must know, with its reach and its end."""

    reach: Reach
    reason: Reason
    until: datetime
    evidence: str


class KeyProof(NamedTuple):
    """One key's verdict with its reason, what to do about it, and what else the provider told.

    `account` is the provider's own name for who is billed. `until` is when to try again, where that is known.
    `used_usd` is what the key has cost this month by the provider's count.
    """

    verdict: Verdict
    reason: str
    next_step: str = ""
    until: datetime | None = None
    allowances: tuple[Allowance, ...] = ()
    limits: tuple[UsedUpLimit, ...] = ()
    account: str | None = None
    expires_at: datetime | None = None
    free_tier: bool | None = None
    management: bool = False
    used_usd: Decimal | None = None


class KeyFinding(NamedTuple):
    """One tested key.

    `models` is `None` where it is not known what the key may ask for. `set_aside` is the reason why routing leaves the
    key out now, from any source. `deep` tells of the real call.
    """

    key: str
    provider: Provider
    proof: KeyProof
    endpoint: str = ""
    status: int | None = None
    latency_ms: int | None = None
    models: frozenset[str] | None = None
    set_aside: SetAside | None = None
    deep: str = ""

    @property
    def verdict(self) -> Verdict:
        return self.proof.verdict


class ModelStatus(StrEnum):
    """The offer of a model under its own name.

    It is `unknown` where a list that had to be asked did not come.
    """

    AVAILABLE = "available"
    RETIRED = "retired"
    UNLISTED = "unlisted"
    UNKNOWN = "unknown"


class ModelFinding(NamedTuple):
    """One model and the places that have it: `True`, `False`, or `None` where nobody could say.

    `openrouter` is about its equivalent there, or about itself where it is an OpenRouter id. `successor` is the last of
    those that the provider named in its place, `stand_in` the catalogue's, where it named none; `nearest` the listed
    name most like it. `available_on` names keys, and `local`.
    """

    name: str
    rc2: bool
    status: ModelStatus
    ollama: bool | None
    openrouter: bool | None
    local: bool | None
    successor: str | None
    stand_in: str | None
    retired_on: date | None
    equivalent: str | None
    nearest: str | None
    used_by: tuple[str, ...]
    available_on: tuple[str, ...]


class Findings(NamedTuple):
    """All findings of one test.

    `lists` counts the models of each list that came, `silent` says why another did not. `shared` are the keys that are
    one account. `warnings` are about keys and prices, `pillars` about models that roles and settings name in vain,
    `notes` about this test. The daemon on this machine is among `keys`, without a secret, where it was asked for.
    `read_on` is the day of the shipped catalogue.
    """

    keys: tuple[KeyFinding, ...]
    models: tuple[ModelFinding, ...]
    lists: tuple[tuple[Provider, int], ...]
    silent: tuple[tuple[Provider, str], ...]
    shared: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    allow_unreachable: bool
    pillars: tuple[str, ...] = ()
    read_on: date | None = None

    @property
    def present(self) -> tuple[KeyFinding, ...]:
        return tuple(found for found in self.keys if found.verdict is not Verdict.MISSING)

    @property
    def failing(self) -> tuple[KeyFinding, ...]:
        """The keys that make the test fail."""
        excused = {Verdict.VALID, Verdict.UNREACHABLE} if self.allow_unreachable else {Verdict.VALID}
        return tuple(found for found in self.present if found.verdict not in excused)

    @property
    def ok(self) -> bool:
        """Whether there is a key, and every present key is valid."""
        return bool(self.present) and not self.failing
