"""The meaning of a key check: from the provider's reply to verdict, limits and account.

A key is invalid only by a clear no. Whatever else came, or did not come, says nothing against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, assert_never

from lollmsbot_keys.core.base import json_values
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.base.numbers import number
from lollmsbot_keys.core.failures.error_body import evidence
from lollmsbot_keys.core.failures.retry_after import retry_hint
from lollmsbot_keys.core.failures.table import classify
from lollmsbot_keys.core.keys import allowances
from lollmsbot_keys.core.model.config import Cooldowns, Provider
from lollmsbot_keys.core.model.findings import Allowance, KeyProof, Unit, UsedUpLimit, Verdict
from lollmsbot_keys.core.model.outcome import OutcomeKind
from lollmsbot_keys.core.model.reply import Reply
from lollmsbot_keys.core.model.request import Reach, Reason

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
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
    """One key check as it came back.

    `said` is the provider's yes, no, or neither; `status` `None`: no reply came. `hints` are the headers that may say
    when to come back. `looks_like` names whose key the secret looks like, where that is somebody else's ("").
    """

    said: Literal["valid", "invalid", "unknown"]
    detail: str
    status: int | None = None
    facts: Mapping[str, object] = _NOTHING
    hints: Mapping[str, str] = {}
    looks_like: str = ""


def missing(problem: str) -> KeyProof:
    """Return the proof for a key without a secret."""
    return KeyProof(Verdict.MISSING, problem or "no secret", "Store one where this key's `secret` points.")


def unusable(problem: str) -> KeyProof:
    """Return the proof for a key whose secret is there, but fits into no header."""
    return KeyProof(Verdict.INVALID, problem, "Store it again, as one line without blanks.")


def foreign(provider: Provider, looks_like: str) -> KeyProof:
    """Return the proof for a secret that is plainly another company's.

    It is not shown to this provider.
    """
    return KeyProof(
        Verdict.INVALID,
        f"it looks like a key of {looks_like}, so it was not sent to {provider}",
        f"Store a key from {_KEYS_PAGE[provider]} in its place, and keep that one elsewhere.",
    )


def prove(provider: Provider, heard: Heard, cooldowns: Cooldowns, now: datetime) -> KeyProof:
    """Return the verdict on one key, with everything that came with it."""
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


def _read(provider: Provider, facts: Mapping[str, object], cooldowns: Cooldowns, now: datetime) -> KeyProof:
    if provider is Provider.OPENROUTER:
        return _openrouter(json_values.table(facts.get("data")), cooldowns, now)
    return _ollama(facts, cooldowns, now)


# --- what is no yes ---


def _refused(provider: Provider, heard: Heard) -> KeyProof:
    new = f"Make a new one at {_KEYS_PAGE[provider]} and store it in this one's place."
    if heard.looks_like:
        return KeyProof(Verdict.INVALID, f"{evidence(heard.detail)}; it looks like a key of {heard.looks_like}", new)
    return KeyProof(Verdict.INVALID, evidence(heard.detail), new)


def _suspended(heard: Heard, cooldowns: Cooldowns, now: datetime) -> KeyProof:
    """Return the proof for a 403 of Ollama's: the key is good, its account is barred.

    Nobody knows for how long.
    """
    reason = f"the key is good, but its account is barred: {evidence(heard.detail)}"
    limit = UsedUpLimit(Reach.ACCOUNT, Reason.COOLING_DOWN, now + cooldowns.rate_limited, evidence(heard.detail))
    return KeyProof(
        Verdict.LIMITED, reason, "See ollama.com/settings for what is wrong with the account.", limits=(limit,)
    )


def _undecided(provider: Provider, heard: Heard, cooldowns: Cooldowns, now: datetime) -> KeyProof:
    detail = evidence(heard.detail)
    if heard.status is None:
        return KeyProof(
            Verdict.UNREACHABLE,
            detail,
            "Check the network, a proxy, and the provider's endpoints; in a closed network: --allow-unreachable.",
        )
    if heard.status == 429:
        hint = retry_hint(heard.hints, heard.facts, now, cooldowns.longest)
        until = hint.until if hint is not None else now + MINUTE
        return KeyProof(Verdict.UNKNOWN, f"{detail}; that says nothing against the key", "Test it again then.", until)
    if heard.status in {402, 403} and heard.facts:
        failure = classify(
            Reply(heard.status, heard.hints, heard.facts), provider, free=False, cooldowns=cooldowns, now=now
        )
        if failure.kind is OutcomeKind.NO_CREDIT:
            until = failure.until or now + HOUR
            limits = (UsedUpLimit(failure.reach, Reason.NO_CREDIT, until, detail),)
            told = limits if failure.reach in {Reach.KEY, Reach.ACCOUNT} else ()
            return KeyProof(Verdict.NO_CREDIT, detail, _top_up(provider), until, limits=told)
    if heard.status >= 500:
        return KeyProof(Verdict.UNKNOWN, detail, f"{provider} is in trouble: test again in a few minutes.")
    return KeyProof(
        Verdict.UNKNOWN,
        detail,
        "Something between here and the provider may have answered: sign in to the network, or check the proxy.",
    )


def _top_up(provider: Provider) -> str:
    return f"Add credit at {_MONEY_PAGE[provider]}."


# --- Ollama: GET /api/balance ---


def _ollama(facts: Mapping[str, object], cooldowns: Cooldowns, now: datetime) -> KeyProof:
    included, purchased = json_values.table(facts.get("included")), json_values.table(facts.get("purchased"))
    windows = tuple(allowances.windows(included))
    credit = tuple(allowances.credit(included, purchased))
    proof = KeyProof(Verdict.VALID, "accepted", allowances=(*windows, *credit))
    bought = next((entry for entry in credit if entry.name == "purchased"), None)
    if bought is not None and not allowances.used_up(bought):
        return proof
    shut = [window for window in windows if allowances.used_up(window)]
    if shut:
        names = " and ".join(window.name for window in shut)
        until = max((_believed(window.resets_at, cooldowns, now) for window in shut), default=now)
        reason = f"nothing left of its {names} allowance"
        limit = UsedUpLimit(Reach.ACCOUNT, Reason.COOLING_DOWN, until, reason)
        return proof._replace(
            verdict=Verdict.LIMITED,
            reason=reason,
            next_step="Wait, or add extra usage at ollama.com/settings.",
            until=max((window.resets_at for window in shut if window.resets_at), default=until),
            limits=(limit,),
        )
    plan_says = "balance_usd" in included or not included
    if not windows and plan_says and credit and all(map(allowances.used_up, credit)):
        resets_at = next((entry.resets_at for entry in credit if entry.resets_at), None)
        until = _believed(resets_at, cooldowns, now)
        limit = UsedUpLimit(Reach.ACCOUNT, Reason.NO_CREDIT, until, "its balance is used up")
        return proof._replace(
            verdict=Verdict.NO_CREDIT,
            reason="its balance is used up",
            next_step=_top_up(Provider.OLLAMA),
            until=resets_at if resets_at is not None and resets_at > now else until,
            limits=(limit,),
        )
    return proof


# --- OpenRouter: GET /key ---


def _openrouter(data: Mapping[str, object], cooldowns: Cooldowns, now: datetime) -> KeyProof:
    free = json_values.table(data.get("free_model_daily_requests"))
    expires_at = json_values.moment(data.get("expires_at"))
    free_tier = data.get("is_free_tier")
    proof = KeyProof(
        Verdict.VALID,
        "accepted",
        allowances=(*allowances.key_limit(data, now), *allowances.budgets(data), *allowances.free_requests(free, now)),
        account=json_values.text(data.get("organization_id")) or json_values.text(data.get("creator_user_id")),
        expires_at=expires_at,
        free_tier=free_tier if isinstance(free_tier, bool) else None,
        management=data.get("is_management_key") is True or data.get("is_provisioning_key") is True,
        used_usd=number(data.get("usage_monthly")),
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


def _spent(proof: KeyProof, cooldowns: Cooldowns, now: datetime) -> KeyProof:
    """Add to `proof` which of the key's allowances are used up, and what that keeps it from."""
    gone = [entry for entry in proof.allowances if allowances.used_up(entry)]
    free = next((entry for entry in gone if entry.unit is Unit.REQUESTS), None)
    money = [entry for entry in gone if entry.unit is Unit.USD]
    limits = [
        UsedUpLimit(Reach.KEY, _reason(entry), _believed(entry.resets_at, cooldowns, now), f"{entry.name} is used up")
        for entry in money
    ]
    if free is not None:
        until = _believed(free.resets_at, cooldowns, now)
        limits.append(UsedUpLimit(Reach.FREE_MODELS, Reason.COOLING_DOWN, until, "free requests of today are used up"))
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


# --- the real call of --deep ---


def deepened(
    proof: KeyProof, kind: OutcomeKind, words: str, key_is_out: Reason | None, until: datetime | None
) -> KeyProof:
    """Return the verdict after a real call.

    `key_is_out`: what the failure table left the whole key out for, if it did.
    """
    if kind is OutcomeKind.ANSWERED:
        return proof._replace(verdict=Verdict.VALID, reason="accepted, and a real call was answered")
    reason = f"the key check says {proof.verdict.words}, but a real call failed: {words}"
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


def _believed(resets_at: datetime | None, cooldowns: Cooldowns, now: datetime) -> datetime:
    """Return until when to leave something out: as told, within a credible range; an hour without a time.

    A time that is over is a figure that is late, or a clock that is wrong: a short while is enough then.
    """
    if resets_at is None:
        return now + HOUR
    return min(max(resets_at, now + cooldowns.unavailable), now + cooldowns.longest)
