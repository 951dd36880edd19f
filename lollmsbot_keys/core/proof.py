"""What a key check means: the provider's reply in, verdict, limits and account out.

Providers add fields and change shapes by the month. So every field may be missing, of the wrong type or new; what is
not understood is not there, and `null` means that there is no limit. Shapes: docs.ollama.com/api/balance of autumn
2026 (per-token and older plans), OpenRouter's API description of `GET /key`, old and new fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Literal, NamedTuple, assert_never

from lollmsbot_keys.core.catalogue import Cooldowns, Provider
from lollmsbot_keys.core.classify import classify
from lollmsbot_keys.core.finding import Allowance, Limit, Proof, Unit, Verdict
from lollmsbot_keys.core.hints import retry_hint
from lollmsbot_keys.core.reply import Reply
from lollmsbot_keys.core.report import OutcomeKind
from lollmsbot_keys.core.request import Reach, Reason
from lollmsbot_keys.core.symptoms import evidence

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LONGEST_NAME = 200
_NOTHING: Mapping[str, object] = {}
_KEYS_PAGE = {
    Provider.OLLAMA: "ollama.com/settings/keys",
    Provider.OPENROUTER: "openrouter.ai/settings/keys",
    Provider.LOCAL: "nowhere",
}
_MONEY_PAGE = {
    Provider.OLLAMA: "ollama.com/settings",
    Provider.OPENROUTER: "openrouter.ai/settings/credits",
    Provider.LOCAL: "nowhere",
}


class Heard(NamedTuple):
    """One key check as it came back. `said` is the provider's yes, no, or neither; `status` `None`: no reply came.

    `hints` are the headers that may say when to come back. `looks_like` names whose key the secret looks like, where
    that is somebody else's ("").
    """

    said: Literal["valid", "invalid", "unknown"]
    detail: str
    status: int | None = None
    facts: Mapping[str, object] = _NOTHING
    hints: Mapping[str, str] = {}
    looks_like: str = ""


def missing(problem: str) -> Proof:
    """A key without a secret."""
    return Proof(Verdict.MISSING, problem or "no secret", "Store one where this key's `secret` points.")


def unusable(problem: str) -> Proof:
    """A key whose secret is there, but no header can carry it."""
    return Proof(Verdict.INVALID, problem, "Store it again, as one line without blanks.")


def foreign(provider: Provider, looks_like: str) -> Proof:
    """A secret that is plainly another company's: it is not shown to this one."""
    return Proof(
        Verdict.INVALID,
        f"it looks like a key of {looks_like}, so it was not sent to {provider}",
        f"Store a key from {_KEYS_PAGE[provider]} in its place, and keep that one elsewhere.",
    )


def prove(provider: Provider, heard: Heard, cooldowns: Cooldowns, now: datetime) -> Proof:
    """The verdict on one key, and everything that came with it."""
    match heard.said:
        case "valid" if heard.status == 200:
            return _read(provider, heard.facts, cooldowns, now)
        case "valid":
            return _suspended(heard, cooldowns, now)
        case "invalid":
            return _refused(provider, heard)
        case "unknown":
            return _undecided(provider, heard, cooldowns, now)
        case _:
            assert_never(heard.said)


def _read(provider: Provider, facts: Mapping[str, object], cooldowns: Cooldowns, now: datetime) -> Proof:
    if provider is Provider.OPENROUTER:
        return _openrouter(_table(facts.get("data")), cooldowns, now)
    return _ollama(facts, cooldowns, now)


# --- what is no yes ---


def _refused(provider: Provider, heard: Heard) -> Proof:
    new = f"Make a new one at {_KEYS_PAGE[provider]} and store it in this one's place."
    if heard.looks_like:
        return Proof(Verdict.INVALID, f"{evidence(heard.detail)}; it looks like a key of {heard.looks_like}", new)
    return Proof(Verdict.INVALID, evidence(heard.detail), new)


def _suspended(heard: Heard, cooldowns: Cooldowns, now: datetime) -> Proof:
    """Ollama takes the key and not its account (403): nobody knows for how long."""
    reason = f"the key is good, but its account is barred: {evidence(heard.detail)}"
    limit = Limit(Reach.ACCOUNT, Reason.COOLING_DOWN, now + cooldowns.rate_limited, evidence(heard.detail))
    return Proof(
        Verdict.LIMITED, reason, "See ollama.com/settings for what is wrong with the account.", limits=(limit,)
    )


def _undecided(provider: Provider, heard: Heard, cooldowns: Cooldowns, now: datetime) -> Proof:
    detail = evidence(heard.detail)
    if heard.status is None:
        return Proof(
            Verdict.UNREACHABLE,
            detail,
            "Check the network, a proxy, and the provider's endpoints; in a closed network: --allow-unreachable.",
        )
    if heard.status == 429:
        hint = retry_hint(heard.hints, heard.facts, now, cooldowns.longest)
        until = hint.until if hint is not None else now + MINUTE
        return Proof(Verdict.UNKNOWN, f"{detail}; that says nothing against the key", "Test it again then.", until)
    if heard.status in {402, 403} and heard.facts:
        failure = classify(
            Reply(heard.status, heard.hints, heard.facts), provider, free=False, cooldowns=cooldowns, now=now
        )
        if failure.kind is OutcomeKind.NO_CREDIT:
            until = failure.until or now + HOUR
            limit = Limit(failure.reach, Reason.NO_CREDIT, until, detail)
            return Proof(Verdict.NO_CREDIT, detail, _top_up(provider), until, limits=(limit,))
    if heard.status >= 500:
        return Proof(Verdict.UNKNOWN, detail, f"{provider} is in trouble: test again in a few minutes.")
    return Proof(
        Verdict.UNKNOWN,
        detail,
        "Something between here and the provider may have answered: sign in to the network, or check the proxy.",
    )


def _top_up(provider: Provider) -> str:
    return f"Add credit at {_MONEY_PAGE[provider]}."


# --- Ollama: GET /api/balance ---


def _ollama(facts: Mapping[str, object], cooldowns: Cooldowns, now: datetime) -> Proof:
    included, purchased = _table(facts.get("included")), _table(facts.get("purchased"))
    windows = tuple(_windows(included))
    credit = tuple(_credit(included, purchased))
    proof = Proof(Verdict.VALID, "accepted", allowances=(*windows, *credit))
    bought = next((entry for entry in credit if entry.name == "purchased"), None)
    if bought is not None and not _used_up(bought):
        return proof
    shut = [window for window in windows if _used_up(window)]
    if shut:
        names = " and ".join(window.name for window in shut)
        until = max((_believed(window.resets_at, cooldowns, now) for window in shut), default=now)
        reason = f"nothing left of its {names} allowance"
        limit = Limit(Reach.ACCOUNT, Reason.COOLING_DOWN, until, reason)
        return proof._replace(
            verdict=Verdict.LIMITED,
            reason=reason,
            next_step="Wait, or add extra usage at ollama.com/settings.",
            until=max((window.resets_at for window in shut if window.resets_at), default=until),
            limits=(limit,),
        )
    plan_says = "balance_usd" in included or not included
    if not windows and plan_says and credit and all(map(_used_up, credit)):
        resets_at = next((entry.resets_at for entry in credit if entry.resets_at), None)
        until = _believed(resets_at, cooldowns, now)
        limit = Limit(Reach.ACCOUNT, Reason.NO_CREDIT, until, "its balance is used up")
        return proof._replace(
            verdict=Verdict.NO_CREDIT,
            reason="its balance is used up",
            next_step=_top_up(Provider.OLLAMA),
            until=resets_at if resets_at is not None and resets_at > now else until,
            limits=(limit,),
        )
    return proof


def _windows(included: Mapping[str, object]) -> Iterator[Allowance]:
    """The windows of older plans (session, weekly), and whatever else is counted in percent."""
    for name, value in included.items():
        window = _table(value)
        if "remaining_percent" in window:
            left = _amount(window["remaining_percent"])
            if left is not None or window["remaining_percent"] is None:
                resets_at = _moment(window.get("resets_at"))
                yield Allowance(_name(name), Unit.PERCENT, left, Decimal(100), resets_at)


def _credit(included: Mapping[str, object], purchased: Mapping[str, object]) -> Iterator[Allowance]:
    until = _moment(_table(included.get("period")).get("until"))
    for name, source, resets_at in (("plan", included, until), ("purchased", purchased, None)):
        left = _amount(source.get("balance_usd"))
        if left is not None or ("balance_usd" in source and source["balance_usd"] is None):
            yield Allowance(name, Unit.USD, left, _amount(source.get("allowance_usd")), resets_at)


# --- OpenRouter: GET /key ---


def _openrouter(data: Mapping[str, object], cooldowns: Cooldowns, now: datetime) -> Proof:
    free = _table(data.get("free_model_daily_requests"))
    expires_at = _moment(data.get("expires_at"))
    free_tier = data.get("is_free_tier")
    proof = Proof(
        Verdict.VALID,
        "accepted",
        allowances=(*_key_limit(data, now), *_budgets(data), *_free_requests(free, now)),
        account=_text(data.get("organization_id")) or _text(data.get("creator_user_id")),
        expires_at=expires_at,
        free_tier=free_tier if isinstance(free_tier, bool) else None,
        management=data.get("is_management_key") is True or data.get("is_provisioning_key") is True,
        used_usd=_amount(data.get("usage_monthly")),
    )
    if proof.management:
        return proof._replace(
            verdict=Verdict.INVALID,
            reason="a management key: it makes and removes keys, and may not ask models",
            next_step=f"Store an ordinary key from {_KEYS_PAGE[Provider.OPENROUTER]} in its place.",
        )
    if expires_at is not None and expires_at <= now:
        return proof._replace(
            verdict=Verdict.INVALID,
            reason=f"it expired on {expires_at:%Y-%m-%d %H:%M} UTC",
            next_step=f"Make a new one at {_KEYS_PAGE[Provider.OPENROUTER]} and store it in this one's place.",
        )
    return _spent(proof, cooldowns, now)


def _spent(proof: Proof, cooldowns: Cooldowns, now: datetime) -> Proof:
    """What of the key's allowances is used up, and what that keeps it from."""
    gone = [entry for entry in proof.allowances if _used_up(entry)]
    free = next((entry for entry in gone if entry.unit is Unit.REQUESTS), None)
    money = [entry for entry in gone if entry.unit is Unit.USD]
    limits = [
        Limit(Reach.KEY, _reason(entry), _believed(entry.resets_at, cooldowns, now), f"{entry.name} is used up")
        for entry in money
    ]
    if free is not None:
        until = _believed(free.resets_at, cooldowns, now)
        limits.append(Limit(Reach.FREE_MODELS, Reason.COOLING_DOWN, until, "free requests of today are used up"))
    proof = proof._replace(limits=tuple(limits))
    if money:
        worst = max(money, key=lambda entry: (entry.resets_at is None, entry.resets_at or now))
        return proof._replace(
            verdict=Verdict.LIMITED if worst.resets_at else Verdict.NO_CREDIT,
            reason=f"its {worst.name} is used up",
            next_step=f"Raise it at {_KEYS_PAGE[Provider.OPENROUTER]}" + (", or wait." if worst.resets_at else "."),
            until=worst.resets_at,
        )
    if free is not None and proof.free_tier:
        return proof._replace(
            verdict=Verdict.LIMITED,
            reason="no credit was ever bought, and the free requests of today are used up",
            next_step=f"Wait, or add credit at {_MONEY_PAGE[Provider.OPENROUTER]}.",
            until=free.resets_at,
        )
    return proof


def _reason(entry: Allowance) -> Reason:
    return Reason.COOLING_DOWN if entry.resets_at else Reason.NO_CREDIT


def _key_limit(data: Mapping[str, object], now: datetime) -> Iterator[Allowance]:
    if "limit" not in data and "limit_remaining" not in data:
        return
    limit, left = _amount(data.get("limit")), _amount(data.get("limit_remaining"))
    if left is None and limit is not None:
        used = _amount(data.get("usage"))
        left = None if used is None or data.get("limit_reset") else limit - used
        if left is None:
            return
    if left is not None or (data.get("limit") is None and data.get("limit_remaining") is None):
        yield Allowance("key limit", Unit.USD, left, limit, _next_reset(data.get("limit_reset"), now))


def _budgets(data: Mapping[str, object]) -> Iterator[Allowance]:
    """The budget that binds; where the reply does not say which, all of them."""
    effective, budgets = _table(data.get("effective_budget")), data.get("budgets")
    listed = budgets[:20] if isinstance(budgets, list) else []
    for budget in [effective] if effective else map(_table, listed):
        limit, left = _amount(budget.get("limit_usd")), _amount(budget.get("remaining_usd"))
        spent = _amount(budget.get("spend_usd"))
        if left is None and limit is not None and spent is not None:
            left = limit - spent
        if left is not None:
            scope = _name(str(budget.get("scope") or ""))
            name = f"{scope} budget".strip()
            yield Allowance(name, Unit.USD, left, limit, _moment(budget.get("resets_at")))


def _free_requests(free: Mapping[str, object], now: datetime) -> Iterator[Allowance]:
    limit, left, used = (_amount(free.get(name)) for name in ("limit", "remaining", "used"))
    if left is None and limit is not None and used is not None:
        left = limit - used
    if left is not None:
        yield Allowance("free requests", Unit.REQUESTS, left, limit, _next_reset("daily", now))


def _next_reset(word: object, now: datetime) -> datetime | None:
    """When a limit begins anew: OpenRouter counts UTC days, weeks from Monday, and months."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match word:
        case "daily":
            return midnight + timedelta(days=1)
        case "weekly":
            return midnight + timedelta(days=7 - midnight.weekday())
        case "monthly":
            return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
        case _:
            return None


# --- the real call of --deep ---


def deepened(proof: Proof, kind: OutcomeKind, words: str, key_is_out: Reason | None, until: datetime | None) -> Proof:
    """The verdict after a real call. `key_is_out`: what the failure table left the whole key out for, if it did."""
    if kind is OutcomeKind.ANSWERED:
        return proof._replace(verdict=Verdict.VALID, reason="accepted, and a real call was answered")
    reason = f"the key check says {proof.verdict}, but a real call failed: {words}"
    verdict = _DEEP.get(kind, Verdict.UNKNOWN)
    if kind is OutcomeKind.RATE_LIMITED and key_is_out is None:
        verdict = Verdict.UNKNOWN  # the model's limit, not the key's
    if kind is OutcomeKind.UNAUTHORIZED and key_is_out is not Reason.DISABLED:
        verdict = Verdict.UNKNOWN
    return proof._replace(verdict=verdict, reason=reason, next_step="See lbk route for what is left out.", until=until)


_DEEP = {
    OutcomeKind.RATE_LIMITED: Verdict.LIMITED,
    OutcomeKind.FORBIDDEN: Verdict.LIMITED,
    OutcomeKind.NO_CREDIT: Verdict.NO_CREDIT,
    OutcomeKind.UNAUTHORIZED: Verdict.INVALID,
    OutcomeKind.UNREACHABLE: Verdict.UNREACHABLE,
}


# --- reading with suspicion ---


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME else None


def _name(text: str) -> str:
    return " ".join(text.replace("_", " ").split())[:40]


def _amount(value: object) -> Decimal | None:
    """A finite number, written as one or as text; anything else is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal) or len(str(value)) > 40:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < 10**15 else None


def _moment(value: object) -> datetime | None:
    """An ISO 8601 time (without a zone: UTC)."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _used_up(entry: Allowance) -> bool:
    return entry.left is not None and entry.left <= 0


def _believed(resets_at: datetime | None, cooldowns: Cooldowns, now: datetime) -> datetime:
    """Until when to leave something out: as told, but not beyond belief; an hour where nothing is told.

    A time that is over is a figure that is late, or a clock that is wrong: a short while will do.
    """
    if resets_at is None:
        return now + HOUR
    return min(max(resets_at, now + cooldowns.unavailable), now + cooldowns.longest)
