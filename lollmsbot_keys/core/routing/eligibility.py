"""The check whether one candidate may be used now, and if not: why, and until when.

Reasons that do not end with time come first, in a fixed order. Among those that pass by themselves the longest one is
named, because only after it the candidate comes free.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import cache

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.accounts import account_of, known_as
from lollmsbot_keys.core.model.config import Config, Key, Price, Privacy, Provider, is_cloud_name, match_name
from lollmsbot_keys.core.model.request import Candidate, Facts, Reach, Reason, SetAside
from lollmsbot_keys.core.model.snapshot import Cooldown, Scope, Snapshot
from lollmsbot_keys.core.money import amounts
from lollmsbot_keys.core.money.budgets import Budgets
from lollmsbot_keys.core.money.pricing import pricing
from lollmsbot_keys.core.money.template_tokens import template_tokens
from lollmsbot_keys.core.routing.resolve import ResolvedRequest
from lollmsbot_keys.core.security.trusted_hosts import address, is_loopback, trusted
from lollmsbot_keys.core.state.call_window import calls_within_an_hour, free_again


class Gone:
    """The check whether a provider no longer serves a model.

    It is gone if the provider said so within a day, or if the provider's list lacks it. Where no list was fetched the
    catalogue is believed.
    """

    def __init__(self, config: Config, snapshot: Snapshot, facts: Facts, now: datetime) -> None:
        self._config, self._cooldowns, self._lists, self._now = config, snapshot.cooldowns, facts.lists, now

    def __call__(self, provider: Provider, model: str) -> bool:
        told = self._cooldowns.get(Scope(Reach.MODEL, provider, model=model))
        if told is not None and told.reason is Reason.NO_SUCH_MODEL and told.until > self._now:
            return True
        return self.for_good(provider, model) != ""

    def for_good(self, provider: Provider, model: str) -> str:
        """Return why the provider does not have the model; "" where nothing says so.

        The provider's list decides; without a list, the catalogue.
        """
        listed = self._lists.get(provider)
        if listed is None:
            return self._config.model(model).not_served(self._now.date())
        if model.startswith("openrouter/") or match_name(model, listed) is not None:  # its own routers are never listed
            return ""
        return f"not in the list of {provider}"


def out_for_good(key: Key, snapshot: Snapshot, facts: Facts) -> SetAside | None:
    """Return why the whole key is out until somebody does something; `None` if it is not."""
    if not key.enabled:
        return SetAside(Reason.DISABLED, detail="enabled = false in the configuration")
    if key.name not in facts.secrets:
        return SetAside(Reason.NO_SECRET, detail=facts.problems.get(key.name, ""))
    fingerprint = facts.secrets[key.name]
    disabled = snapshot.disabled.get(key.name)
    if disabled is not None and disabled.covers(fingerprint):
        return SetAside(Reason.DISABLED, detail=_source(disabled.source, disabled.evidence))
    return None


def standing(key: Key, config: Config, snapshot: Snapshot, facts: Facts, now: datetime) -> SetAside | None:
    """Return why the whole key is out, whatever the model; `None` if it is ready.

    Limits and budgets are not checked here.
    """
    lasting = out_for_good(key, snapshot, facts)
    if lasting is not None:
        return lasting
    covering = cooldowns_of(key, facts.secrets[key.name], config, snapshot, facts, now)
    longest = max(covering, key=lambda cooldown: (cooldown.until, cooldown.reason, _words(cooldown)), default=None)
    return None if longest is None else SetAside(longest.reason, longest.until, _words(longest))


def cooldowns_of(
    key: Key, fingerprint: str, config: Config, snapshot: Snapshot, facts: Facts, now: datetime
) -> list[Cooldown]:
    """Return the cooldowns that leave out the whole `key`, not only some model of it."""
    account = account_of(key, fingerprint, snapshot)
    return [
        cooldown
        for cooldown in snapshot.cooldowns.values()
        if cooldown.until > now
        and any(
            _covers_key(scope, key, fingerprint, account) for scope in known_as(cooldown.scope, config, snapshot, facts)
        )
    ]


def _covers_key(scope: Scope, key: Key, fingerprint: str, account: str) -> bool:
    if scope.provider is not key.provider:
        return False
    match scope.reach:
        case Reach.PROVIDER:
            return True
        case Reach.ACCOUNT:
            return scope.is_billed_to(account) or scope.is_of(key.name, fingerprint)
        case Reach.KEY:
            return scope.is_of(key.name, fingerprint)
        case _:
            return False


def hourly_limit(key: Key, config: Config, snapshot: Snapshot, now: datetime) -> SetAside | None:
    """Return until when `key` is at its limit of calls within an hour; `None` while it may make more."""
    return _limited(key, config, snapshot, now, calls_within_an_hour(snapshot.hours.get(key.name, {}), now))


def _limited(key: Key, config: Config, snapshot: Snapshot, now: datetime, calls: int) -> SetAside | None:
    limit = config.providers[key.provider].max_calls_per_hour
    if limit is None or calls < limit:
        return None
    until = free_again(snapshot.hours.get(key.name, {}), limit, now)
    return SetAside(Reason.HOURLY_LIMIT, until, f"{calls} of {limit} calls within an hour")


class Terms(NamedTuple):
    """The price of a model, and what one request can cost at most.

    `price` `None`: nobody knows it. `bound_usd` is the most that this request can cost, and `most` the price for that.
    `template_tokens` is what the model's template may add. `not_free` says why a model that is meant to be free is not.
    """

    price: Price | None
    bound_usd: Decimal
    most: Price
    template_tokens: int
    free: bool
    not_free: str


class Holder(NamedTuple):
    """A key's name (`None`: local), its secret's fingerprint, its account, and its calls of the last hour.

    `out` and `limit` say what keeps all of the key out: until somebody does something, or until calls are an hour old.
    """

    key: str | None
    fingerprint: str
    account: str
    calls: int = 0
    out: SetAside | None = None
    limit: SetAside | None = None


_NOBODY = Holder(None, "", "")


class EligibilityCheck:
    """The shared facts for judging the candidates of one request, computed once."""

    def __init__(
        self, resolved: ResolvedRequest, config: Config, snapshot: Snapshot, facts: Facts, now: datetime
    ) -> None:
        self.resolved, self.config, self.snapshot, self.facts, self.now = resolved, config, snapshot, facts, now
        self.cooldowns = [
            cooldown._replace(scope=scope)
            for cooldown in snapshot.cooldowns.values()
            if cooldown.until > now
            for scope in known_as(cooldown.scope, config, snapshot, facts)
        ]
        self._budgets = Budgets(config, snapshot, now)
        self.gone = Gone(config, snapshot, facts, now)
        self._terms: dict[tuple[Provider, str], Terms] = {}
        self._holders: dict[str, Holder] = {}
        self._judged: dict[tuple[Provider, str], SetAside | None] = {}
        self._permitted = {provider for provider in config.providers if resolved.privacy.permits(provider)}

    def missing(self, provider: Provider, model: str) -> bool:
        """Say whether another model must answer in place of `model`: it is gone, or cannot answer such a request."""
        return self._unfit(provider, model) is not None or self.gone(provider, model)

    def _unfit(self, provider: Provider, model: str) -> SetAside | None:
        """Return why `model` itself can never answer this at `provider`, whatever the key."""
        if (provider, model) not in self._judged:
            self._judged[provider, model] = self._judge(provider, model)
        return self._judged[provider, model]

    def _judge(self, provider: Provider, model: str) -> SetAside | None:
        if self.config.model(model).lacks_chat:
            return SetAside(Reason.LACKS, detail=f"{model} makes embeddings and answers no chat")
        gone = "" if provider is Provider.LOCAL else self.gone.for_good(provider, model)
        return SetAside(Reason.NO_SUCH_MODEL, detail=gone) if gone else None

    def terms(self, provider: Provider, model: str) -> Terms:
        """Return what `model` can cost at `provider` for this request."""
        known = self._terms.get((provider, model))
        if known is None:
            price, most, free, not_free = pricing(self.config, self.facts.prices, provider, model, self.now)
            template = template_tokens(self.config, self.snapshot, provider, model)
            bound = amounts.bound(
                most,
                prompt_tokens=self.resolved.prompt_tokens,
                template_tokens=template,
                max_output_tokens=self.resolved.max_output_tokens,
            )
            known = self._terms[provider, model] = Terms(price, bound, most, template, free, not_free)
        return known

    def holder(self, key: Key | None) -> Holder:
        """Return the secret and the account that `key` stands for; nobody's for local."""
        if key is None:
            return _NOBODY
        known = self._holders.get(key.name)
        if known is None:
            fingerprint = self.facts.secrets.get(key.name, "")
            calls = calls_within_an_hour(self.snapshot.hours.get(key.name, {}), self.now)
            known = self._holders[key.name] = Holder(
                key.name,
                fingerprint,
                account_of(key, fingerprint, self.snapshot),
                calls,
                out_for_good(key, self.snapshot, self.facts),
                _limited(key, self.config, self.snapshot, self.now, calls),
            )
        return known

    def verdict(self, candidate: Candidate, key: Key | None, holder: Holder, off: str) -> SetAside | None:
        """Return why `candidate` is set aside; `None` if it may be used.

        `off` names a switch that takes it out.
        """
        lasting = self._lasting(candidate, key, holder, off)
        if lasting is not None:
            return lasting
        passing = self._passing(candidate, key, holder)
        if passing:
            return max(passing, key=_lasting_longest)
        if key is not None and not self._may_hold_secrets(candidate.provider):
            host = f"{candidate.endpoints[0]} is not a host of {candidate.provider}: name it in trusted_hosts"
            return SetAside(Reason.UNTRUSTED_HOST, detail=host)
        return None

    def _may_hold_secrets(self, provider: Provider) -> bool:
        """Say whether all endpoints of `provider` are trusted.

        Any of them may be the one that answers.
        """
        settings = self.config.providers[provider]
        return _all_trusted(provider, settings.endpoints, settings.trusted_hosts)

    def _lasting(self, candidate: Candidate, key: Key | None, holder: Holder, off: str) -> SetAside | None:
        if candidate.provider not in self._permitted:
            return SetAside(Reason.PRIVACY, detail=f"{self.resolved.privacy} prompts never go to {candidate.provider}")
        if off:
            return SetAside(Reason.PROVIDER_OFF, detail=off)
        if key is None:
            return self._unfit(candidate.provider, candidate.model) or self._local(candidate)
        if holder.out is not None:
            return holder.out
        if key.name in self.facts.assumed:
            return self.facts.assumed[key.name]
        if unfit := self._unfit(candidate.provider, candidate.model):
            return unfit
        if candidate.free and (not_free := self.terms(candidate.provider, candidate.model).not_free):
            return SetAside(Reason.NO_SUCH_MODEL, detail=not_free)
        return None

    def _local(self, candidate: Candidate) -> SetAside | None:
        if is_cloud_name(candidate.model):
            return SetAside(Reason.UNPROVEN, detail=f"{candidate.model} would leave this machine: it is a cloud model")
        if self.resolved.privacy is Privacy.CRITICAL:
            if self.resolved.wants_own_model and self.facts.local_chat == "":
                return self._no_own_model()
            remote = next((e for e in candidate.endpoints if _certainly_remote(e)), None)
            if remote is not None:
                return SetAside(Reason.UNPROVEN, detail=f"{remote} is not on this machine")
        return None

    def _no_own_model(self) -> SetAside:
        listed = self.facts.lists.get(Provider.LOCAL)
        if listed is None:
            words = "the first chat model of this machine's daemon would take it, and its list is not known"
            return SetAside(Reason.UNPROVEN, detail=words)
        has = ", ".join(sorted(listed)) or "no model at all"
        return SetAside(
            Reason.NO_SUCH_MODEL, detail=f"this machine's daemon has no chat model of its own: it has {has}"
        )

    def _passing(self, candidate: Candidate, key: Key | None, holder: Holder) -> list[SetAside]:
        found = [
            SetAside(cooldown.reason, cooldown.until, _words(cooldown))
            for cooldown in self.cooldowns
            if cooldown.scope.covers(candidate)
        ]
        if holder.limit is not None:
            found.append(holder.limit)
        if key is not None and candidate.bound_usd:
            found.extend(self._budgets.passed_by(key, candidate.bound_usd))
        return found


@cache
def _all_trusted(provider: Provider, endpoints: tuple[str, ...], hosts: tuple[str, ...]) -> bool:
    return all(trusted(provider, endpoint, hosts) for endpoint in endpoints)


def _certainly_remote(endpoint: str) -> bool:
    """Say whether `endpoint` is the address of another machine, or no address at all.

    A host name is not judged here: the code that connects judges it.
    """
    found = address(endpoint)
    if found is None:
        return True
    host = found[1]
    literal = ":" in host or host.rpartition(".")[2].isdecimal()
    return literal and not is_loopback(host)


def _lasting_longest(aside: SetAside) -> tuple[bool, float, str, str]:
    """Return the sort key of a reason: the later its end, the greater.

    Of reasons that end together the same one always wins, in whatever order they are stored.
    """
    return aside.until is None, aside.until.timestamp() if aside.until else 0, aside.reason, aside.detail


def _words(cooldown: Cooldown) -> str:
    return _source(cooldown.source, cooldown.evidence)


def _source(source: str, evidence: str) -> str:
    """Say in words for people where a reason comes from, with its evidence."""
    return f"{source}: {evidence}" if evidence else source
