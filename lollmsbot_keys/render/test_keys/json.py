"""The JSON document of `lbk test-keys`."""

from __future__ import annotations

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.findings import Allowance, Findings, KeyFinding, ModelFinding, Verdict


def findings_tree(found: Findings) -> dict[str, object]:
    """Return all findings as a document; `ok` is what the exit code says."""
    valid = sum(key.verdict is Verdict.VALID for key in found.present)
    return {
        "ok": found.ok,
        "valid": valid,
        "present": len(found.present),
        "keys": [_key(key) for key in found.keys],
        "models": [_model(model) for model in found.models],
        "catalogue": {"read_on": found.read_on},
        "lists": {
            **{provider.value: {"models": count, "problem": None} for provider, count in found.lists},
            **{provider.value: {"models": None, "problem": problem} for provider, problem in found.silent},
        },
        "shared_accounts": [list(group) for group in found.shared],
        "warnings": [*found.warnings, *found.pillars],
        "notes": list(found.notes),
    }


def _key(key: KeyFinding) -> dict[str, object]:
    proof = key.proof
    return {
        "key": None if key.provider is Provider.LOCAL else key.key,
        "provider": key.provider,
        "verdict": key.verdict,
        "detail": proof.reason,
        "next": proof.next_step or None,
        "try_again_at": proof.until,
        "endpoint": key.endpoint or None,
        "status": key.status,
        "latency_ms": key.latency_ms,
        "models": None if key.models is None else sorted(key.models),
        "account": proof.account,
        "limits": [_allowance(entry) for entry in proof.allowances],
        "used_this_month_usd": proof.used_usd,
        "expires_at": proof.expires_at,
        "free_tier": proof.free_tier,
        "management_key": proof.management,
        "routing": {
            "reason": None if key.set_aside is None else key.set_aside.reason,
            "until": None if key.set_aside is None else key.set_aside.until,
        },
        "deep": key.deep or None,
    }


def _allowance(entry: Allowance) -> dict[str, object]:
    return {
        "name": entry.name,
        "unit": entry.unit,
        "left": entry.left,
        "of": entry.of,
        "unlimited": entry.left is None,
        "resets_at": entry.resets_at,
    }


def _model(model: ModelFinding) -> dict[str, object]:
    return {
        "model": model.name,
        "rc2": model.rc2,
        "status": model.status,
        "available_on": list(model.available_on),
        "ollama": model.ollama,
        "openrouter": model.openrouter,
        "local": model.local,
        "successor": model.successor,
        "stand_in": model.stand_in,
        "retired_on": model.retired_on,
        "equivalent": model.equivalent,
        "nearest": model.nearest,
        "used_by": list(model.used_by),
    }
