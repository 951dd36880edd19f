"""What a key check means: bodies of both providers, old and new, with fields missing, unknown and of wrong types."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lollmsbot_keys.core.keys.apply import sharing, taught
from lollmsbot_keys.core.keys.verdict import Heard, deepened, foreign, prove
from lollmsbot_keys.core.model.config import Cooldowns, Key, Provider
from lollmsbot_keys.core.model.findings import KeyFinding, KeyProof, Unit, Verdict
from lollmsbot_keys.core.model.outcome import OutcomeKind
from lollmsbot_keys.core.model.request import Reach, Reason
from lollmsbot_keys.core.model.snapshot import Account, Cooldown, Disabled, Scope, Snapshot
from lollmsbot_keys.core.state.events import Cooled, KeyRefused, record

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)  # a Monday
COOLDOWNS = Cooldowns(timedelta(hours=1), timedelta(minutes=5), timedelta(days=8))
OLLAMA, OPENROUTER = Provider.OLLAMA, Provider.OPENROUTER
MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)

PER_TOKEN = {
    "included": {
        "balance_usd": 72.5,
        "allowance_usd": 100,
        "period": {"from": "2026-11-15T09:30:00Z", "until": "2026-12-15T09:30:00Z"},
    },
    "purchased": {"balance_usd": 25},
}
LEGACY = {
    "included": {
        "session": {"remaining_percent": 75, "resets_at": "2026-11-23T13:00:00Z"},
        "weekly": {"remaining_percent": 40, "resets_at": "2026-11-26T00:00:00Z"},
    },
    "purchased": {"balance_usd": 0},
}
OLD_KEY: dict[str, Any] = {
    "label": "sk-or-v1-au7...890",
    "limit": 100,
    "limit_reset": "monthly",
    "limit_remaining": 74.5,
    "include_byok_in_limit": False,
    "usage": 25.5,
    "usage_daily": 25.5,
    "usage_weekly": 25.5,
    "usage_monthly": 25.5,
    "byok_usage": 0,
    "is_free_tier": False,
    "is_management_key": False,
    "is_provisioning_key": False,
    "expires_at": "2027-12-31T23:59:59Z",
    "creator_user_id": "user_x",
    "rate_limit": {"requests": 1000, "interval": "1h", "note": "This field is deprecated and safe to ignore."},
}
BUDGET = {
    "scope": "workspace",
    "limit_usd": 10,
    "spend_usd": 4,
    "remaining_usd": 6,
    "reset_interval": "daily",
    "resets_at": "2026-11-24T00:00:00Z",
}
NEW_KEY: dict[str, Any] = {
    **OLD_KEY,
    "free_model_daily_requests": {"used": 12, "limit": 50, "remaining": 38},
    "budgets": [BUDGET],
    "effective_budget": BUDGET,
    "allowed_data_regions": ["eu"],
    "organization_id": None,
    "workspace_id": "ws_1",
    "something_new": {"deep": [1, None]},
}


def heard(facts: Mapping[str, object], status: int = 200, said: Any = "valid", **hints: str) -> Heard:  # noqa: ANN401
    return Heard(
        said, f"told ({status})", status, facts, {name.replace("_", "-"): text for name, text in hints.items()}
    )


def ollama(**facts: object) -> KeyProof:
    return prove(OLLAMA, heard(facts), COOLDOWNS, NOW)


def router(data: object) -> KeyProof:
    return prove(OPENROUTER, heard({"data": data}), COOLDOWNS, NOW)


def left(proof: KeyProof) -> dict[str, Decimal | None]:
    return {entry.name: entry.left for entry in proof.allowances}


# --- Ollama ---


def test_a_per_token_plan_tells_its_money() -> None:
    proof = ollama(**PER_TOKEN)
    assert (proof.verdict, proof.limits) == (Verdict.VALID, ())
    plan, purchased = proof.allowances
    assert (plan.name, plan.unit, plan.left, plan.of) == ("plan", Unit.USD, Decimal("72.5"), Decimal(100))
    assert plan.resets_at == datetime(2026, 12, 15, 9, 30, tzinfo=UTC)
    assert (purchased.name, purchased.left, purchased.of, purchased.resets_at) == ("purchased", Decimal(25), None, None)


def test_an_older_plan_tells_its_windows_and_its_empty_purse_is_no_lack() -> None:
    proof = ollama(**LEGACY)
    assert (proof.verdict, proof.limits) == (Verdict.VALID, ())
    assert left(proof) == {"session": 75, "weekly": 40, "purchased": 0}
    session, weekly, _ = proof.allowances
    assert session.unit is Unit.PERCENT
    assert (session.resets_at, weekly.resets_at) == (
        datetime(2026, 11, 23, 13, tzinfo=UTC),
        datetime(2026, 11, 26, tzinfo=UTC),
    )


def window(percent: object, resets_at: object = "2026-11-26T00:00:00Z") -> dict[str, object]:
    return {"remaining_percent": percent, "resets_at": resets_at}


@pytest.mark.parametrize(
    ("included", "purchased", "verdict", "until"),
    [
        ({"weekly": window(0)}, {"balance_usd": 0}, "limited", datetime(2026, 11, 26, tzinfo=UTC)),
        (
            {"weekly": window(0), "session": window(0, "2026-11-23T13:00:00Z")},
            {},
            "limited",
            datetime(2026, 11, 26, tzinfo=UTC),
        ),
        ({"monthly": window(0)}, None, "limited", datetime(2026, 11, 26, tzinfo=UTC)),
        ({"weekly": window(0)}, {"balance_usd": 3}, "valid", None),  # extra usage was bought
        ({"weekly": window(0.4)}, {"balance_usd": 0}, "valid", None),
        ({"weekly": window(None)}, {"balance_usd": 0}, "valid", None),  # null: no limit
        ({"weekly": window("none"), "session": window([True])}, {}, "valid", None),
        ({"weekly": window(0, "soon")}, {}, "limited", NOW + timedelta(hours=1)),
        ({"weekly": window(0, "2026-11-01T00:00:00Z")}, {}, "limited", None),  # its time is over: a late figure
        ({"balance_usd": 0}, {"balance_usd": 0}, "no_credit", NOW + timedelta(hours=1)),
        (
            {"balance_usd": -0.5, "period": {"until": "2026-11-25T00:00:00Z"}},
            {},
            "no_credit",
            datetime(2026, 11, 25, tzinfo=UTC),
        ),
        ({"balance_usd": "0.00"}, {}, "no_credit", NOW + timedelta(hours=1)),
        ({"balance_usd": 0}, {"balance_usd": 0.01}, "valid", None),
        ({"balance_usd": 0}, {"balance_usd": None}, "valid", None),
        ({"balance_usd": None}, {"balance_usd": 0}, "valid", None),
        (None, {"balance_usd": 0}, "no_credit", NOW + timedelta(hours=1)),  # pays as it goes, and has nothing
        ({}, {}, "valid", None),
        ({"credits": {"left": 0}}, {"balance_usd": 0}, "valid", None),  # a shape that nobody knows yet
        ({"balance_usd": float("nan")}, {}, "valid", None),
        ([1], "x", "valid", None),
    ],
)
def test_what_is_left_at_ollama_decides(
    included: object, purchased: object, verdict: str, until: datetime | None
) -> None:
    proof = ollama(included=included, purchased=purchased)
    assert proof.verdict == verdict
    assert bool(proof.limits) == (verdict != "valid")
    if until is not None:
        assert (proof.until, proof.limits[0].until) == (until, until)
    if proof.limits:
        assert proof.limits[0].reach is Reach.ACCOUNT
        assert proof.next_step


def test_no_cooldown_is_longer_than_the_longest_and_none_ends_in_the_past() -> None:
    far = ollama(included={"weekly": window(0, "2039-01-01T00:00:00Z")})
    assert far.limits[0].until == NOW + COOLDOWNS.longest
    past = ollama(included={"weekly": window(0, "2020-01-01T00:00:00Z")})
    assert past.limits[0].until == NOW + COOLDOWNS.unavailable


def test_a_barred_account_has_a_good_key_that_cannot_be_used() -> None:
    proof = prove(OLLAMA, heard({"error": "account suspended"}, 403), COOLDOWNS, NOW)
    assert (proof.verdict, proof.verdict.is_good_key) == (Verdict.LIMITED, True)
    assert "the key is good" in proof.reason
    (limit,) = proof.limits
    assert (limit.reach, limit.until) == (Reach.ACCOUNT, NOW + COOLDOWNS.rate_limited)


# --- OpenRouter ---


def test_an_older_description_of_a_key_is_read() -> None:
    proof = router(OLD_KEY)
    assert (proof.verdict, proof.limits, proof.account, proof.management) == (Verdict.VALID, (), "user_x", False)
    (limit,) = proof.allowances
    assert (limit.left, limit.of) == (Decimal("74.5"), Decimal(100))
    assert limit.resets_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert (proof.free_tier, proof.used_usd) == (False, Decimal("25.5"))
    assert proof.expires_at == datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_a_newer_description_of_a_key_is_read() -> None:
    proof = router(NEW_KEY)
    assert (proof.verdict, proof.limits, proof.account) == (Verdict.VALID, (), "user_x")
    assert left(proof) == {"key limit": Decimal("74.5"), "workspace budget": 6, "free requests": 38}
    assert proof.allowances[2].resets_at == MIDNIGHT


def test_an_organisation_is_who_pays() -> None:
    assert router({**NEW_KEY, "organization_id": "org_1"}).account == "org_1"


SPENT = {**BUDGET, "spend_usd": 10, "remaining_usd": 0}


@pytest.mark.parametrize(
    ("change", "verdict", "until"),
    [
        ({"limit_remaining": 0}, "limited", datetime(2026, 12, 1, tzinfo=UTC)),
        ({"limit_remaining": -2, "limit_reset": "weekly"}, "limited", datetime(2026, 11, 30, tzinfo=UTC)),
        ({"limit_remaining": 0, "limit_reset": "daily"}, "limited", MIDNIGHT),
        ({"limit_remaining": 0, "limit_reset": None}, "no_credit", None),
        ({"limit_remaining": 0, "limit_reset": 7}, "no_credit", None),
        ({"limit_remaining": None, "limit": None}, "valid", None),
        ({"limit_remaining": "much", "limit": {}}, "valid", None),
        ({"limit_remaining": True}, "valid", None),
        ({"limit_remaining": None, "limit": 20, "limit_reset": None}, "no_credit", None),  # 25.50 of 20 used
        ({"effective_budget": SPENT}, "limited", MIDNIGHT),
        ({"effective_budget": {**SPENT, "remaining_usd": None}}, "limited", MIDNIGHT),  # limit less spend
        ({"effective_budget": None, "budgets": [BUDGET, SPENT, 3]}, "limited", MIDNIGHT),
        ({"effective_budget": {**SPENT, "resets_at": None}}, "no_credit", None),
        ({"effective_budget": [], "budgets": "x"}, "valid", None),
        (
            {"free_model_daily_requests": {"used": 50, "limit": 50, "remaining": 0}, "is_free_tier": True},
            "limited",
            MIDNIGHT,
        ),
        ({"free_model_daily_requests": {"used": 50, "limit": 50}, "is_free_tier": True}, "limited", MIDNIGHT),
        ({"free_model_daily_requests": {"used": "?", "limit": 50}, "is_free_tier": True}, "valid", None),
        ({"free_model_daily_requests": None, "is_free_tier": "yes"}, "valid", None),
        ({"expires_at": None}, "valid", None),
        ({"expires_at": "2026-11-23T09:59:59Z"}, "invalid", None),
        ({"expires_at": "2026-11-23T11:59:59+02:00"}, "invalid", None),
        ({"expires_at": "2026-11-23T10:00:01"}, "valid", None),
        ({"expires_at": 12}, "valid", None),
        ({"is_management_key": True}, "invalid", None),
        ({"is_provisioning_key": True}, "invalid", None),
        ({"is_management_key": "no"}, "valid", None),
        ({"creator_user_id": 4, "organization_id": ""}, "valid", None),
    ],
)
def test_what_a_key_tells_of_itself_decides(change: dict[str, object], verdict: str, until: datetime | None) -> None:
    proof = router({**NEW_KEY, **change})
    assert proof.verdict == verdict
    assert proof.until == until
    if verdict in {"limited", "no_credit"}:
        assert proof.limits
        assert all(limit.until > NOW for limit in proof.limits)
    if verdict != "valid":
        assert proof.next_step


def test_used_up_free_requests_cool_the_free_models_and_not_the_key() -> None:
    proof = router({**NEW_KEY, "free_model_daily_requests": {"used": 50, "limit": 50, "remaining": 0}})
    assert proof.verdict is Verdict.VALID
    (limit,) = proof.limits
    assert (limit.reach, limit.until) == (Reach.FREE_MODELS, MIDNIGHT)


def test_a_management_key_is_named() -> None:
    assert "management key" in router({**OLD_KEY, "is_management_key": True}).reason


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["daily", "0", "2026-11-23"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = sorted(
    {*NEW_KEY, *BUDGET, "included", "purchased", "balance_usd", "weekly", "remaining_percent", "period", "used"}
)


@given(
    facts=st.dictionaries(
        st.sampled_from(FIELDS), JSON | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5), max_size=8
    ),
    provider=st.sampled_from([OLLAMA, OPENROUTER]),
)
def test_no_body_is_too_strange(facts: dict[str, object], provider: Provider) -> None:
    proof = prove(provider, heard(facts if provider is OLLAMA else {"data": facts}), COOLDOWNS, NOW)
    assert all(NOW < limit.until <= NOW + COOLDOWNS.longest for limit in proof.limits)
    assert all(entry.left is None or entry.left.is_finite() for entry in proof.allowances)
    assert proof.verdict in {Verdict.VALID, Verdict.LIMITED, Verdict.NO_CREDIT, Verdict.INVALID}


# --- no yes ---


@pytest.mark.parametrize(
    ("provider", "status", "facts", "verdict"),
    [
        (OLLAMA, None, {}, "unreachable"),
        (OLLAMA, 200, {}, "unknown"),
        (OLLAMA, 302, {}, "unknown"),
        (OLLAMA, 404, {"error": "not found"}, "unknown"),
        (OLLAMA, 403, {}, "unknown"),
        (OPENROUTER, 403, {"error": {"code": 403, "message": "no"}}, "unknown"),
        (
            OPENROUTER,
            403,
            {"error": {"message": "Key limit exceeded", "metadata": {"limit_source": "openrouter_key_limit"}}},
            "no_credit",
        ),
        (OPENROUTER, 402, {"error": {"message": "Insufficient credits", "code": 402}}, "no_credit"),
        (OPENROUTER, 500, {"error": {"message": "oops"}}, "unknown"),
        (OPENROUTER, 503, {}, "unknown"),
    ],
)
def test_what_is_no_answer_says_nothing_against_a_key(
    provider: Provider, status: int | None, facts: dict[str, object], verdict: str
) -> None:
    proof = prove(provider, Heard("unknown", "told", status, facts), COOLDOWNS, NOW)
    assert proof.verdict == verdict
    assert proof.next_step


def test_a_check_that_is_limited_itself_says_when_to_try_again() -> None:
    proof = prove(OLLAMA, heard({"error": "too many"}, 429, "unknown", Retry_After="42"), COOLDOWNS, NOW)
    assert (proof.verdict, proof.until, proof.limits) == (Verdict.UNKNOWN, NOW + timedelta(seconds=42), ())
    assert "nothing against the key" in proof.reason
    assert prove(OLLAMA, heard({}, 429, "unknown"), COOLDOWNS, NOW).until == NOW + timedelta(minutes=1)


def test_a_refused_key_is_invalid_and_told_whose_it_seems() -> None:
    assert prove(OPENROUTER, heard({}, 401, "invalid"), COOLDOWNS, NOW).verdict is Verdict.INVALID
    other = prove(OLLAMA, heard({}, 401, "invalid")._replace(looks_like="OpenRouter"), COOLDOWNS, NOW)
    assert "a key of OpenRouter" in other.reason
    assert "not sent to ollama" in foreign(OLLAMA, "OpenRouter").reason


def test_a_persons_name_is_not_repeated() -> None:
    proof = prove(OLLAMA, Heard("unknown", "you (jane.doe) have reached it", 429), COOLDOWNS, NOW)
    assert "jane" not in proof.reason


# --- a real call ---


GOOD = KeyProof(Verdict.VALID, "accepted")


@pytest.mark.parametrize(
    ("kind", "out", "verdict"),
    [
        (OutcomeKind.ANSWERED, None, "valid"),
        (OutcomeKind.RATE_LIMITED, Reason.COOLING_DOWN, "limited"),
        (OutcomeKind.RATE_LIMITED, None, "unknown"),
        (OutcomeKind.NO_CREDIT, Reason.NO_CREDIT, "no_credit"),
        (OutcomeKind.FORBIDDEN, None, "limited"),
        (OutcomeKind.UNAUTHORIZED, Reason.DISABLED, "invalid"),
        (OutcomeKind.UNAUTHORIZED, None, "unknown"),
        (OutcomeKind.UNREACHABLE, None, "unreachable"),
        (OutcomeKind.SERVER_ERROR, None, "unknown"),
        (OutcomeKind.TIMEOUT, None, "unknown"),
    ],
)
def test_a_real_call_has_the_last_word(kind: OutcomeKind, out: Reason | None, verdict: str) -> None:
    assert deepened(GOOD, kind, "m: why", out, None).verdict == verdict


# --- what routing learns ---

KEY = Key("K", OPENROUTER, "env:K")
OTHER = Key("OTHER", OPENROUTER, "env:OTHER")


def test_invalid_disables_and_valid_enables() -> None:
    refused = taught(Snapshot(), KEY, "f1", KeyProof(Verdict.INVALID, "refused (401)"), NOW)
    assert refused.disabled == {"K": Disabled("f1", NOW, "test-keys", "refused (401)")}
    assert taught(refused, KEY, "f1", GOOD, NOW).disabled == {}
    assert taught(refused, KEY, "f2", GOOD, NOW).disabled == refused.disabled, "that is another secret's mark"


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.UNREACHABLE, Verdict.MISSING])
def test_a_check_that_could_not_be_made_changes_nothing(verdict: Verdict) -> None:
    before = record(Snapshot(), KeyRefused("K", Disabled("f1", NOW)), NOW)
    assert taught(before, KEY, "f1", KeyProof(verdict, "?"), NOW) == before


def test_a_used_up_key_cools_down_and_an_earlier_later_end_stays() -> None:
    spent = router({**OLD_KEY, "limit_remaining": 0, "limit_reset": "daily"})
    scope = Scope(Reach.KEY, OPENROUTER, "K", "f1")
    state = taught(Snapshot(), KEY, "f1", spent, NOW)
    assert state.cooldowns[scope].until == MIDNIGHT
    assert state.cooldowns[scope].source == "test-keys"
    assert state.accounts["K"] == Account("f1", "user_x")
    later = record(state, Cooled(Cooldown(scope, Reason.COOLING_DOWN, NOW, NOW + timedelta(days=3))), NOW)
    assert taught(later, KEY, "f1", spent, NOW).cooldowns[scope].until == NOW + timedelta(days=3)
    assert taught(later, KEY, "f1", GOOD, NOW).cooldowns == later.cooldowns, "a good check ends no cooldown"


def test_keys_of_one_account_cool_together() -> None:
    free = router({**NEW_KEY, "free_model_daily_requests": {"remaining": 0}})
    state = taught(taught(Snapshot(), OTHER, "f2", router(NEW_KEY), NOW), KEY, "f1", free, NOW)
    (scope,) = state.cooldowns
    assert (scope.reach, scope.account) == (Reach.FREE_MODELS, "user_x")


def test_sharing_groups_by_provider_and_account() -> None:
    found = [
        (KeyFinding("A", OLLAMA, GOOD), "me"),
        (KeyFinding("B", OPENROUTER, GOOD), "me"),
        (KeyFinding("C", OLLAMA, GOOD), "me"),
        (KeyFinding("D", OLLAMA, GOOD), ""),
        (KeyFinding("E", OLLAMA, GOOD), ""),
    ]
    assert sharing(found) == (("A", "C"),)
