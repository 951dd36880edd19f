"""What the package ships: the catalogue of models, pillars, prices."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, timedelta
from decimal import Decimal

import pytest

from lollmsbot_keys.core.model.config import Balance, Config, Price, Privacy, Provider, Role, match_name
from lollmsbot_keys.edges.config import DEFAULTS
from lollmsbot_keys.edges.config import load as config_file
from lollmsbot_keys.edges.config import rules as config_rules
from lollmsbot_keys.edges.config import schema as config_schema
from lollmsbot_keys.edges.config import toml as config_text
from lollmsbot_keys.edges.environment.variables import Environment

NOWHERE = Environment({"HOME": "/nonexistent"})
RC2 = (  # noqa: SIM905 - reads better than a column
    "kimi-k2.5 deepseek-v3.1:671b cogito-2.1:671b mistral-large-3:675b gemini-3-flash-preview qwen3-next:80b "
    "ministral-3:8b qwen3-coder-next devstral-small-2:24b minimax-m2.1 devstral-2:123b nomic-embed-text-v2-moe "
    "kimi-k2-thinking nemotron-3-nano:30b qwen3-vl:4b glm-4.7 rnj-1:8b"
).split()
ROLES = {
    "soul": ["primary", "backup"],
    "guardian": ["governor", "auditor", "screener", "monitor"],
    "heartbeat": ["primary", "healer", "validator", "edge_cases", "approver"],
    "memory": ["dreaming", "consolidation", "visual", "embedding"],
    "skills": ["developer", "implementer", "validator", "embedding"],
    "tools": ["architect", "builder", "stem", "burst"],
    "identity": ["interface", "preference", "forgetting"],
    "reflective": ["orchestrator", "introspection", "meta_learning", "visual"],
}


def defaults() -> Config:
    return config_file.load(None, NOWHERE).config


def test_the_defaults_fit_the_schema_that_a_users_file_is_held_against() -> None:
    tree = config_text.parse(DEFAULTS.read_text(), "defaults.toml")
    assert config_schema.faults(tree) == []
    assert config_rules.faults(tree, tree) == []
    assert config_rules.warnings(tree) == ()


def test_the_contracts_values() -> None:
    config = defaults()
    assert config.timezone is UTC
    assert config.routing.ollama_usage_threshold_percent == 70
    assert config.routing.default_privacy is Privacy.MEDIUM
    assert config.routing.unknown_price == Price(Decimal(15), Decimal(75))
    assert config.routing.template_tokens == 1024
    assert config.cooldowns.longest == timedelta(days=8)
    assert config.alerts.at_percent == (Decimal(75), Decimal(100))
    ollama, openrouter, local = (config.providers[provider] for provider in Provider)
    assert ollama.endpoints == ("https://ollama.com/v1", "https://ollama.com/api")
    assert (ollama.max_calls_per_hour, ollama.daily_budget_usd, ollama.balance) == (
        1000,
        Decimal(50),
        Balance.ALTERNATE,
    )
    assert (openrouter.max_calls_per_hour, openrouter.daily_budget_usd) == (2000, Decimal(20))
    assert openrouter.free_models[-1] == "openrouter/free"
    assert (local.endpoints, local.daily_budget_usd) == (("http://127.0.0.1:11434",), None)
    assert [(key.name, key.secret) for key in config.keys] == [
        (name, f"env:{name}")
        for name in (
            "OLLAMA_API_KEY",
            "OLLAMA_API_KEY_2",
            "OPENROUTER_API_KEY_1",
            "OPENROUTER_API_KEY_2",
            "OPENROUTER_API_KEY_3",
        )
    ]


def test_a_key_is_in_use_and_not_reserved_unless_said() -> None:
    assert all(key.enabled and not key.reserved for key in defaults().keys)


def test_the_rc2_models_and_the_pillars() -> None:
    config = defaults()
    assert [name for name, model in config.models.items() if model.rc2] == RC2
    assert {name: list(pillar.roles) for name, pillar in config.pillars.items()} == ROLES
    assert config.pillars["soul"].fallback == Role("anthropic/claude-sonnet-5.5", "OPENROUTER_API_KEY_1")
    assert config.pillars["guardian"].roles["auditor"] == Role("cogito-2.1:671b", "OLLAMA_API_KEY_2", Privacy.HIGH)
    assert config.pillars["identity"].roles["interface"].privacy is Privacy.CRITICAL
    assert config.pillars["memory"].fallback is None


def test_every_reference_of_the_catalogue_leads_to_an_entry() -> None:
    config = defaults()
    for pillar in config.pillars.values():
        for role in pillar.roles.values():
            assert match_name(role.model, config.models) == role.model
    assert config.model("mistral-large-3").name == "mistral-large-3:675b"


def test_each_seller_has_its_own_dated_prices() -> None:
    models = defaults().models
    cached = Decimal("0.16")
    assert models["kimi-k2.6"].price == Price(Decimal("0.95"), Decimal("4.00"), date(2026, 9, 15), cached)
    kimi = models["moonshotai/kimi-k2.6"].price
    assert kimi is not None
    assert kimi[:4] == (Decimal("0.65"), Decimal("3.41"), date(2026, 11, 20), Decimal("0.15"))
    assert kimi.most == Price(Decimal("0.95"), Decimal("4.00"), date(2026, 11, 20))  # as another source has it
    peak = models["deepseek-v4-pro:0813"].price
    assert peak is not None
    assert peak.most.output_usd_per_mtok == 2 * peak.output_usd_per_mtok
    assert models["deepseek-v3.1:671b"].price is None


@pytest.mark.parametrize("heavy", ["pydantic", "rich", "httpx", "asyncio", "zoneinfo", "platformdirs"])
def test_the_defaults_need_nothing_heavy(heavy: str) -> None:
    script = (
        "import sys; from lollmsbot_keys.edges.config import load as config_file\n"
        "from lollmsbot_keys.edges.environment.variables import Environment\n"
        "config_file.load(None, Environment({'HOME': '/nonexistent', 'OLLAMA_DAILY_BUDGET': '3'}))\n"
        f"sys.exit({heavy!r} in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
