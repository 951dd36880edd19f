"""The routing decision: which key, provider and model may take a request now, and in which order.

Each one that may not has its reason. `route` is pure: the same request, configuration, snapshot, facts and time always
give the same plan. `lbk route` prints that plan and `KeyPool` follows it, so the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from math import inf

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Config, Key, Privacy, Provider, Role, is_cloud_name, match_name
from lollmsbot_keys.core.model.request import Candidate, Facts, Plan, Priority, Reason, Request, Rule, SetAside, Tried
from lollmsbot_keys.core.model.snapshot import Scope, Snapshot
from lollmsbot_keys.core.routing import eligibility
from lollmsbot_keys.core.routing.resolve import LOCAL_NAME, ResolvedRequest, understand
from lollmsbot_keys.core.routing.succession import Heir, heir


class RouteOption(NamedTuple):
    """One place of the order, before it is judged.

    `off` names the switch that takes it out, if one does.
    """

    key: Key | None
    provider: Provider
    model: str
    rule: Rule
    takes_turn: bool = False
    off: str = ""


def route(
    request: Request,
    config: Config,
    snapshot: Snapshot,
    facts: Facts,
    now: datetime,
    tried: Sequence[Tried] = (),
) -> Plan:
    """Order all candidates for `request` at `now`, each with the reason why it may not be used.

    `tried` are the candidates that failed for this very request: they are left out, with all that shares their fault.

    Raises:
        UsageError: the request names a pillar, role or key that does not exist.
    """
    resolved = understand(request, config)
    check = eligibility.EligibilityCheck(resolved, config, snapshot, facts, now)
    seen: set[tuple[str | None, Provider, str]] = set()
    candidates = []
    for option in _Order(check).options():
        identity = (option.key.name if option.key else None, option.provider, option.model)
        if identity not in seen and (resolved.key is None or resolved.admits(option.key)):
            seen.add(identity)
            candidates.append(_candidate(option, check))
    if not config.routing.ollama_failover and resolved.key is None:
        candidates = _one_ollama_key(candidates, resolved, tried)
    remaining = _keep_reserved_back(_not_tried(candidates, tried), config, resolved)
    plan = Plan(
        candidates=tuple(remaining),
        model=None if resolved.general else resolved.model,
        privacy=resolved.privacy,
        pillar=resolved.pillar,
        role=resolved.role,
        max_output_tokens=resolved.max_output_tokens,
        retry_at=_retry_at(remaining),
        prefers_free=resolved.free_first and resolved.or_paid,
    )
    if resolved.not_free:
        return plan._replace(notices=(f"free models are preferred, but not used for this: {resolved.not_free}",))
    notices = notices_about(plan.choice, plan)
    return plan._replace(notices=notices) if notices else plan


class _Order:
    """The routing rules: in which order providers, keys and models are asked."""

    def __init__(self, check: eligibility.EligibilityCheck) -> None:
        self.check, self.resolved, self.config = check, check.resolved, check.config

    def options(self) -> Iterator[RouteOption]:
        if self.resolved.free_first:
            yield from self._free()
            if not self.resolved.or_paid:
                yield from self._local()
                return
        sides: tuple[Callable[[], Iterator[RouteOption]], ...] = (self._ollama_side, self._openrouter_side)
        yield from self._pinned_elsewhere()
        for side in sides if self._ollama_first() else reversed(sides):
            yield from side()
        for provider in (Provider.OLLAMA, Provider.OPENROUTER):  # another model comes after the same model elsewhere
            yield from self._instead(provider, Rule.STAND_IN)
        if self.resolved.fallback is not None:
            yield from self._fallback(self.resolved.fallback)

    def _ollama_first(self) -> bool:
        if not self.config.routing.prefer_ollama or self.resolved.is_openrouter_id:
            return False
        return (
            not self.resolved.general or self._ollama_use_percent() < self.config.routing.ollama_usage_threshold_percent
        )

    def _ollama_use_percent(self) -> Decimal:
        """Compute the calls of the last hour over all usable Ollama keys, in percent of their limits."""
        limit = self.config.providers[Provider.OLLAMA].max_calls_per_hour
        keys = [k for k in self.config.keys_of(Provider.OLLAMA) if k.enabled and k.name in self.check.facts.secrets]
        if limit is None or not keys:
            return Decimal(0)
        calls = sum([self.check.holder(key).calls for key in keys])
        return Decimal(100 * calls) / (len(keys) * limit) if limit else Decimal(100)

    def _in_turn(self, provider: Provider) -> tuple[Key, ...]:
        """Return the provider's keys, beginning after the one that took the last turn."""
        keys = self.config.keys_of(provider)
        last = self.check.snapshot.cursors.get(provider)
        names = [key.name for key in keys]
        start = names.index(last) + 1 if last in names else 0
        return keys[start:] + keys[:start]

    def _pin(self) -> Key | None:
        return self.config.key(self.resolved.pin) if self.resolved.pin else None

    def _pinned_elsewhere(self) -> Iterator[RouteOption]:
        """Yield the OpenRouter key to which a role of an Ollama model is pinned, with the equivalent model.

        The order begins there.
        """
        pin, equivalent = self._pin(), self._equivalent()
        if pin and equivalent and pin.provider is Provider.OPENROUTER:
            yield RouteOption(pin, Provider.OPENROUTER, equivalent, Rule.PINNED_KEY)

    def _equivalent(self) -> str | None:
        return (
            self.resolved.model if self.resolved.is_openrouter_id else self.config.model(self.resolved.model).openrouter
        )

    def _ollama_side(self) -> Iterator[RouteOption]:
        if not self.resolved.is_openrouter_id:
            yield from self._ollama_keys()
        yield from self._local()

    def _ollama_keys(self) -> Iterator[RouteOption]:
        general, pin, model = self.resolved.general, self._pin(), self.config.model(self.resolved.model).name
        for key in self._ollama_order():
            rule = Rule.GENERAL if general else Rule.PINNED_KEY if key is pin else Rule.NAMED_MODEL
            yield RouteOption(key, Provider.OLLAMA, model, rule, takes_turn=general)
        yield from self._instead(Provider.OLLAMA, Rule.SUCCESSOR)

    def _ollama_order(self) -> tuple[Key, ...]:
        """Return Ollama's keys: in turns for a general request, else by priority, the role's own first."""
        keys = self._in_turn(Provider.OLLAMA) if self.resolved.general else self.config.keys_of(Provider.OLLAMA)
        pin = self._pin()
        return (pin, *(key for key in keys if key is not pin)) if pin in keys else keys

    def _instead(self, provider: Provider, rule: Rule) -> Iterator[RouteOption]:
        """Yield what `provider` is asked for where it no longer has the model.

        That is a successor, or the catalogue's stand-in.
        """
        found = self._heir_of_wish(provider)
        if found is None or found.ours is not (rule is Rule.STAND_IN):
            return
        if provider is Provider.OPENROUTER:
            yield from self._on_openrouter(found.name, rule)
            return
        for key in self._ollama_order():
            yield RouteOption(key, provider, found.name, rule, takes_turn=self.resolved.general)

    def _heir_of_wish(self, provider: Provider) -> Heir | None:
        if provider is Provider.OLLAMA:
            return None if self.resolved.is_openrouter_id else self._heir(provider, self.resolved.model)
        if equivalent := self._equivalent():
            return self._heir(provider, equivalent)
        here = self._heir_of_wish(Provider.OLLAMA)  # no equivalent: that of the heir at Ollama
        alike = self.config.model(here.name).openrouter if here is not None else None
        return here._replace(name=alike) if here is not None and alike is not None else None

    def _heir(self, provider: Provider, model: str) -> Heir | None:
        missing = partial(self.check.missing, provider)
        return heir(self.config, model, missing) if missing(model) else None

    def _local(self) -> Iterator[RouteOption]:
        """Yield local, which is always last.

        It is there for models that it is known to have. At `critical`, or asked for by name, it is there known or not.
        """
        if self.resolved.general and self.resolved.privacy is Privacy.CRITICAL:
            chosen = self.resolved.local_model or self.check.facts.local_chat or self.resolved.local_name
            yield RouteOption(None, Provider.LOCAL, chosen, Rule.LOCAL)
            return
        listed = None
        if known := self.check.facts.lists.get(Provider.LOCAL):
            own = {name for name in known if not is_cloud_name(name)}
            listed = match_name(self.resolved.model, own) or match_name(self.resolved.model, known)
        if listed or self.resolved.privacy is Privacy.CRITICAL or self.resolved.key == LOCAL_NAME:
            yield RouteOption(None, Provider.LOCAL, listed or self.resolved.local_name, Rule.LOCAL)

    def _openrouter_off(self) -> str:
        switched_on = self.config.routing.openrouter_fallback or self.resolved.is_openrouter_id or self.resolved.key
        return "" if switched_on else "routing.openrouter_fallback is off"

    def _openrouter_side(self) -> Iterator[RouteOption]:
        model = self._equivalent()
        if model is not None:
            rule = (
                Rule.OPENROUTER_MODEL
                if self.resolved.is_openrouter_id
                else Rule.GENERAL
                if self.resolved.general
                else Rule.EQUIVALENT
            )
            yield from self._on_openrouter(model, rule)
        yield from self._instead(Provider.OPENROUTER, Rule.SUCCESSOR)

    def _on_openrouter(self, model: str, rule: Rule) -> Iterator[RouteOption]:
        off = self._openrouter_off()
        for key in self._in_turn(Provider.OPENROUTER):
            yield RouteOption(key, Provider.OPENROUTER, model, rule, takes_turn=True, off=off)

    def _fallback(self, fallback: Role) -> Iterator[RouteOption]:
        pin = self.config.key(fallback.key) if fallback.key else None
        provider = Provider.OPENROUTER if "/" in fallback.model else Provider.OLLAMA
        off = self._openrouter_off() if provider is Provider.OPENROUTER else ""
        keys = self.config.keys_of(provider)
        start = keys.index(pin) if pin in keys else 0
        models = [(fallback.model, Rule.FALLBACK)]
        if instead := self._heir(provider, fallback.model):
            models.append((instead.name, Rule.STAND_IN if instead.ours else Rule.SUCCESSOR))
        for model, rule in models:
            for key in keys[start:] + keys[:start]:
                yield RouteOption(key, provider, model, rule, off=off)

    def _free(self) -> Iterator[RouteOption]:
        models = self.config.providers[Provider.OPENROUTER].free_models
        if self.config.is_free(self.resolved.model) and not self.resolved.general:
            models = (self.resolved.model, *models)
        off = self._openrouter_off() if self.resolved.or_paid else ""  # --free asks for OpenRouter by name
        for model in models:
            for key in self._in_turn(Provider.OPENROUTER):
                yield RouteOption(key, Provider.OPENROUTER, model, Rule.FREE, takes_turn=True, off=off)


def _candidate(option: RouteOption, check: eligibility.EligibilityCheck) -> Candidate:
    key = option.key
    terms, holder = check.terms(option.provider, option.model), check.holder(key)
    candidate = Candidate(
        key=holder.key,
        provider=option.provider,
        model=option.model,
        endpoints=check.config.providers[option.provider].endpoints,
        rule=option.rule,
        price=terms.price,
        bound_usd=terms.bound_usd,
        most=terms.most,
        prompt_tokens=check.resolved.prompt_tokens + terms.template_tokens,
        template_tokens=terms.template_tokens,
        free=terms.free,
        account=holder.account,
        fingerprint=holder.fingerprint,
        takes_turn=option.takes_turn,
        unproven=key is None and check.resolved.privacy is Privacy.CRITICAL,
    )
    verdict = check.verdict(candidate, key, holder, option.off)
    return candidate if verdict is None else candidate._replace(set_aside=verdict)


def _one_ollama_key(candidates: list[Candidate], resolved: ResolvedRequest, tried: Sequence[Tried]) -> list[Candidate]:
    """Keep one key for Ollama where its failover is off: after a failure the one that failed.

    A named model goes to the first key that is not out for good; a general request to the first that is ready, or
    else to the one that comes back first.
    """
    here = [candidate for candidate in candidates if candidate.provider is Provider.OLLAMA]
    standing = [c for c in here if c.set_aside is None or c.set_aside.reason not in _OUT_FOR_GOOD]
    if resolved.general:
        standing.sort(key=_back_at)
    used = [past.key for past, _ in tried if past.provider is Provider.OLLAMA]
    only = used[0] if used else standing[0].key if standing else None
    off = SetAside(Reason.PROVIDER_OFF, detail="routing.ollama_failover is off")
    return [c._replace(set_aside=off) if c in standing and c.key != only else c for c in candidates]


def _back_at(candidate: Candidate) -> float:
    """Return when the candidate may be used: at once, at a time, or never."""
    if candidate.set_aside is None:
        return 0
    return candidate.set_aside.until.timestamp() if candidate.set_aside.until is not None else inf


_OUT_FOR_GOOD = frozenset({Reason.NO_SECRET, Reason.DISABLED})


def _not_tried(candidates: list[Candidate], tried: Sequence[Tried]) -> list[Candidate]:
    def spent(candidate: Candidate) -> bool:
        for past, reach in tried:
            same = (past.key, past.provider, past.model) == (candidate.key, candidate.provider, candidate.model)
            if same or Scope.of(reach, past).covers(candidate):
                return True
        return False

    return [candidate for candidate in candidates if not spent(candidate)] if tried else candidates


def _keep_reserved_back(candidates: list[Candidate], config: Config, resolved: ResolvedRequest) -> list[Candidate]:
    """Move reserved keys to the end, and set them aside while anything else is left.

    A critical request uses them in their place.
    """
    if resolved.priority is Priority.CRITICAL:
        return candidates
    reserved = [key.name for key in config.keys if key.reserved]
    if not reserved:
        return candidates
    others = [candidate for candidate in candidates if candidate.key not in reserved]
    kept = [candidate for candidate in candidates if candidate.key in reserved]
    if any(candidate.eligible for candidate in others):
        aside = SetAside(Reason.RESERVED, detail="kept for when nothing else is left, or for --priority critical")
        kept = [candidate._replace(set_aside=aside) if candidate.eligible else candidate for candidate in kept]
    return others + kept


def _retry_at(candidates: Sequence[Candidate]) -> datetime | None:
    times = []
    for candidate in candidates:
        if candidate.set_aside is None:
            return None
        if candidate.set_aside.until is not None:
            times.append(candidate.set_aside.until)
    return min(times, default=None)


def notices_about(choice: Candidate | None, plan: Plan) -> tuple[str, ...]:
    """Return what a person should be told of `choice`, because it differs from what they may expect."""
    if choice is None or choice.provider is Provider.LOCAL:
        return ()
    if plan.prefers_free and not choice.free:
        return (f"no free model may take this now: using {choice.model} through {choice.label}, which is paid",)
    if choice.rule is Rule.FREE and not plan.prefers_free and plan.model not in (None, choice.model):
        return (f"{plan.model} is not free: the free model {choice.model} stands in for it",)
    if choice.rule is Rule.STAND_IN and plan.pillar is None:  # of a role's model, `lbk route` tells
        return (f"{plan.model} cannot answer, and nobody named a successor: {choice.model} stands in, by lbk's choice",)
    return ()
