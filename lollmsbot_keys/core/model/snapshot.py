"""The shared state as one immutable value: all knowledge about keys, limits and money.

`edges.state.store` stores it; `core.state.events` is the only thing that makes a new one from an old one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.lease import Lease, Owner
from lollmsbot_keys.core.model.request import EMPTY, Candidate, Priority, Reach, Reason
from lollmsbot_keys.core.model.rotation_journal import Replacement

VERSION = 2

LATENCY_BOUNDS_MS = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000)
"""Upper bounds of the latency histogram; one more bucket holds everything slower."""


class Scope(NamedTuple):
    """The exact extent of what is left out.

    Fields that `reach` does not need are empty. A key is its name and the fingerprint of its secret, so that nothing
    said of an old secret holds for a new one. For an account, the key is the one that met the limit: it stays out,
    whatever is learnt later about its account.
    """

    reach: Reach
    provider: Provider
    key: str = ""
    fingerprint: str = ""
    account: str = ""
    model: str = ""

    @staticmethod
    def of(reach: Reach, candidate: Candidate) -> Scope:
        """Make the scope of `reach` around `candidate`."""
        key, fingerprint = candidate.key or "", candidate.fingerprint
        match reach:
            case Reach.REQUEST | Reach.PROVIDER:
                return Scope(reach, candidate.provider)
            case Reach.MODEL:
                return Scope(reach, candidate.provider, model=candidate.model)
            case Reach.KEY:
                return Scope(reach, candidate.provider, key, fingerprint)
            case Reach.KEY_AND_MODEL:
                return Scope(reach, candidate.provider, key, fingerprint, model=candidate.model)
            case Reach.ACCOUNT | Reach.FREE_MODELS:
                return Scope(reach, candidate.provider, key, fingerprint, candidate.account)

    def covers(self, candidate: Candidate) -> bool:
        """Say whether `candidate` is within this scope."""
        if self.provider is not candidate.provider or self.reach is Reach.REQUEST:
            return False
        if self.model and self.model != candidate.model:
            return False
        if self.key or self.account:
            its_own = self.is_of(candidate.key or "", candidate.fingerprint)
            if not its_own and not self.is_billed_to(candidate.account):
                return False
        return self.reach is not Reach.FREE_MODELS or candidate.free

    def is_of(self, key: str, fingerprint: str) -> bool:
        """Say whether this is about `key` with the secret of that fingerprint, or was met through it."""
        return bool(self.key) and self.key == key and same_secret(self.fingerprint, fingerprint)

    def is_billed_to(self, account: str) -> bool:
        """Say whether this is about `account`."""
        return same_account(self.account, account)


def same_secret(one: str, other: str) -> bool:
    """Say whether two fingerprints may belong to one secret.

    An unknown one ("") may belong to any secret, so it never frees a key.
    """
    return one == other or not one or not other


def same_account(one: str, other: str) -> bool:
    """Say whether two accounts may be one.

    Where nobody told whose a key is, its account is `key#fingerprint`.
    """
    if one == other:
        return bool(one)
    key, sign, secret = one.rpartition("#")
    other_key, other_sign, other_secret = other.rpartition("#")
    return bool(sign and other_sign) and key == other_key and same_secret(secret, other_secret)


class Cooldown(NamedTuple):
    """The end of the time that a scope is left out, with its reason and its source.

    `reason` is `cooling_down`, `no_credit` or `no_such_model`. `source` names where `until` came from, `evidence` holds
    the provider's words, redacted.
    """

    scope: Scope
    reason: Reason
    since: datetime
    until: datetime
    source: str = ""
    evidence: str = ""


class Disabled(NamedTuple):
    """A key whose secret was refused.

    It stays out until the secret changes, proves good, or a person resets it. `others` are the fingerprints of former
    secrets that were refused too: shells that are still open may hold one.
    """

    fingerprint: str
    since: datetime
    source: str = ""
    evidence: str = ""
    others: tuple[str, ...] = ()

    def covers(self, fingerprint: str) -> bool:
        """Say whether this mark is about the secret of that fingerprint."""
        return same_secret(self.fingerprint, fingerprint) or fingerprint in self.others


KEPT_AFTER_LAPSE = timedelta(hours=6)
"""The time that a lapsed hold waits for a late settlement that corrects it."""


class Hold(NamedTuple):
    """The money set aside for one call that is on its way.

    It is booked on `day`, the budget day it was claimed in. A `lapsed` hold was charged in full because its owner is
    gone; it is kept for a while so that a late settlement can put the true figure in its place.
    """

    id: str
    owner: Owner
    claimed: datetime
    expires: datetime
    day: date
    key: str
    provider: Provider
    model: str
    pillar: str
    amount_usd: Decimal
    lapsed: bool = False


OTHER_SECRETS = 4
"""The most former secrets of a key that are remembered."""


class Account(NamedTuple):
    """The account billed for a key by its key check, with fingerprints and names of former secrets in `others`."""

    fingerprint: str
    name: str
    others: tuple[tuple[str, str], ...] = ()

    def of(self, fingerprint: str) -> str | None:
        """Return who is billed for the secret of that fingerprint, or `None` if nobody found out."""
        if same_secret(self.fingerprint, fingerprint):
            return self.name
        return dict(self.others).get(fingerprint)


class Sighting(NamedTuple):
    """The secret that a key has now, with the time since which it is known here.

    `generation` is its number among the secrets of this key. `others` are fingerprints of former secrets: a shell that
    is still open may hold one, and makes no new generation.
    """

    fingerprint: str
    since: datetime
    generation: int = 1
    others: tuple[str, ...] = ()


class CellKey(NamedTuple):
    """The place of a cell in the ledger, with "" for no key or no pillar."""

    provider: Provider
    key: str
    model: str
    pillar: str


class Cell(NamedTuple):
    """The sums of one day for one key, model and pillar.

    `cost_usd` is everything charged; the three after it say how much of that is estimated from a dated price, charged
    for a call whose outcome is not known, or charged at the bound because nobody knows the price.
    """

    calls: int = 0
    errors: int = 0
    failovers: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    estimated_usd: Decimal = Decimal(0)
    unconfirmed_usd: Decimal = Decimal(0)
    unknown_usd: Decimal = Decimal(0)
    latency_ms: int = 0
    latencies: tuple[int, ...] = (0,) * (len(LATENCY_BOUNDS_MS) + 1)

    @staticmethod
    def total(cells: Iterable[Cell]) -> Cell:
        """Add all cells column by column, because a report may add up a year of them."""
        columns = list(zip(*cells, strict=True))
        if not columns:
            return Cell()
        return Cell._make([*map(sum, columns[:-1]), tuple(map(sum, zip(*columns[-1], strict=True)))])


class Spender(NamedTuple):
    """The key or provider whose money a closed sum is about."""

    provider: Provider
    key: str


class Uncertain(NamedTuple):
    """The parts of a sum that are not the provider's own figure, by their reason."""

    estimated_usd: Decimal = Decimal(0)
    unconfirmed_usd: Decimal = Decimal(0)
    unknown_usd: Decimal = Decimal(0)


class Day(NamedTuple):
    """One budget day that is still in the state.

    `part` names this opening of the day in the history file. `spent` is the cost of `cells` by spender: kept beside
    them so that a budget is checked without adding up.
    """

    part: str
    cells: Mapping[CellKey, Cell] = EMPTY
    spent: Mapping[Spender, Decimal] = EMPTY

    @staticmethod
    def of(part: str, cells: Mapping[CellKey, Cell]) -> Day:
        """Make the day of these cells."""
        spent: dict[Spender, Decimal] = {}
        for place, cell in cells.items():
            spender = Spender(place.provider, place.key)
            spent[spender] = spent.get(spender, Decimal(0)) + cell.cost_usd
        return Day(part, cells, spent)


class ClosedDay(NamedTuple):
    """A day on its way into the history file, where it replaces the same `date` and part."""

    date: date
    day: Day


class Failed(NamedTuple):
    """The kind of failed attempts that are counted, with an `OutcomeKind`, or `lapsed` where nobody saw the end."""

    provider: Provider
    key: str
    outcome: str


class Raised(NamedTuple):
    """An alert that was raised, and the channels that have heard of it.

    `window` is the day ("2026-11-23") or month that it is told once in, `lasting` that it goes on through midnight.
    `told` marks the channels that have it at this `level`. From the moment at which it was `over`, `due` marks those
    that have yet to hear of the end ("" is standard output). `calmed` marks those that heard in this window that it is
    over, and nothing since.
    """

    window: str
    level: int
    since: datetime
    title: str
    lasting: bool = False
    told: tuple[str, ...] = ()
    over: datetime | None = None
    due: tuple[str, ...] = ()
    calmed: tuple[str, ...] = ()
    lease: Lease | None = None


class Waiter(NamedTuple):
    """A process that waits until `until` for one of `keys` ("" is local), from each key's own time on."""

    owner: Owner
    since: datetime
    until: datetime
    priority: Priority
    keys: Mapping[str, datetime]


class Snapshot(NamedTuple):
    """One reading of the state.

    `days` holds the open day and any that still has a hold; the rest is history.

    `hours` counts calls by key and by minute since the epoch. `cursors` names the key that took the last turn of each
    provider. `streaks` counts junk answers in a row.

    `closed` keeps the sums of the last closed days, so that a clock that steps back never finds an empty budget;
    `months` the sums of closed days by month ("2026-11"), and `uncertain` how much of those is not the provider's own
    figure.

    `totals` and `failures` count since the state began and never go back. `lost` are holds that were charged in full
    because the answer broke off, by the provider's id of the generation, under which it may tell the true cost.

    `trail` counts the calls of each key on the last closed days; `usable` names the keys that had worked and could be
    used on a day: today, and the last day before it. `template_tokens` is what a model's template added to a prompt,
    where that was more than its bound had: the most that was seen. `adopted` names settlements that are booked here,
    though their files may still lie in `unsettled/`.
    """

    written: datetime | None = None
    hours: Mapping[str, Mapping[int, int]] = EMPTY
    cursors: Mapping[Provider, str] = EMPTY
    cooldowns: Mapping[Scope, Cooldown] = EMPTY
    disabled: Mapping[str, Disabled] = EMPTY
    streaks: Mapping[Scope, int] = EMPTY
    accounts: Mapping[str, Account] = EMPTY
    holds: Mapping[str, Hold] = EMPTY
    waiters: Mapping[str, Waiter] = EMPTY
    days: Mapping[date, Day] = EMPTY
    closed: Mapping[date, Mapping[Spender, Decimal]] = EMPTY
    months: Mapping[str, Mapping[Spender, Decimal]] = EMPTY
    uncertain: Mapping[str, Mapping[Spender, Uncertain]] = EMPTY
    notices: frozenset[str] = frozenset()
    sightings: Mapping[str, Sighting] = EMPTY
    successes: Mapping[str, datetime] = EMPTY
    totals: Mapping[Spender, Cell] = EMPTY
    failures: Mapping[Failed, int] = EMPTY
    lost: Mapping[str, Hold] = EMPTY
    alerts: Mapping[str, Raised] = EMPTY
    trail: Mapping[str, Mapping[date, int]] = EMPTY
    usable: Mapping[date, frozenset[str]] = EMPTY
    rotations: Mapping[str, Replacement] = EMPTY
    template_tokens: Mapping[Provider, Mapping[str, int]] = EMPTY
    adopted: frozenset[str] = frozenset()
