"""`lbk costs`: what the day cost, for people and for machines."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.lab import OLLAMA, OLLAMA_2, ROUTED, ROUTERS, SERVED, lab, on_terminal

KEY = {"key", "provider", "status", "until", "calls", "prompt_tokens", "completion_tokens", "cost_usd", "errors"}
PROVIDER = {"provider", "today_usd", "month_usd", "reserved_usd", "daily_budget_usd", "used_percent", "alert"}


def test_the_document(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=90:1") as here:
        answers = [here.ask("-m", SERVED), here.ask("-m", ROUTED), here.ask("-m", "gpt-oss:20b", "--key", "local")]
        requests = here.sandbox.requests
        done = here.run("costs", "--json")
        found = done.document
        assert (done.code, done.err) == (0, "")
        assert {"day", "timezone", "keys", "providers", "total", "alerts"} <= set(found)
        assert (found["day"], found["timezone"], found["alerts"]) == (f"{datetime.now(UTC):%Y-%m-%d}", "UTC", [])
        assert all(set(key) >= KEY for key in found["keys"])
        assert all(set(provider) >= PROVIDER for provider in found["providers"])
        keys = {key["key"]: key for key in found["keys"]}
        assert [keys[OLLAMA][name] for name in ("status", "calls", "errors", "cost_usd")] == ["cooling_down", 1, 1, 0]
        assert keys[OLLAMA]["until"].endswith("Z")
        second = keys[OLLAMA_2]
        assert (second["status"], second["until"], second["calls"]) == ("ready", None, 1)
        assert second["cost_usd"] == pytest.approx(answers[0]["cost_usd"])
        assert second["completion_tokens"] == answers[0]["usage"]["completion_tokens"]
        assert keys[ROUTERS[0]]["cost_usd"] == pytest.approx(answers[1]["cost_usd"])
        assert (keys[None]["provider"], keys[None]["calls"], keys[None]["cost_usd"]) == ("local", 1, 0)
        assert found["total"]["calls"] == 4
        assert found["total"]["cost_usd"] == pytest.approx(sum(a["cost_usd"] for a in answers))
        providers = {p["provider"]: p for p in found["providers"]}
        assert providers["ollama"]["today_usd"] == pytest.approx(answers[0]["cost_usd"])
        assert providers["ollama"]["daily_budget_usd"] == 50
        assert (providers["local"]["daily_budget_usd"], providers["local"]["used_percent"]) == (None, None)
        assert not any(p["reserved_usd"] for p in found["providers"])
        assert here.sandbox.requests == requests


def test_the_table(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=cut:1") as here:
        here.ask("-m", SERVED)
        here.ask("-m", "nemotron-3-super", "--max-tokens", "10")
        done = here.run("costs")
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert lines[0] == f"{datetime.now(UTC):%A %d %B %Y}, UTC"
        assert lines[2].split() == ["KEY", "CALLS", "ERRORS", "IN", "OUT", "USD", "STATE"]
        (row,) = [line for line in lines if line.startswith(f"{OLLAMA} ")]
        assert row.split()[1:3] == ["2", "1"]
        assert row.split()[5].startswith("~?0.")
        (total,) = [line for line in lines if line.startswith("total ")]
        assert total.split()[1:3] == ["2", "1"]
        assert any(line.startswith("? ") and "is unconfirmed" in line for line in lines)
        assert any(line.startswith("~ ") and "nobody knows the price" in line for line in lines)
        assert "\x1b" not in done.out
        assert not any(line != line.rstrip() for line in lines)


def test_the_table_on_a_terminal(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=3000:1") as here:
        here.ask("-m", SERVED)
        drawn = on_terminal(["costs"], here.env)
        assert (drawn.code, "\x1b[" in drawn.out) == (0, True)
        plain = on_terminal(["costs"], {**here.env, "NO_COLOR": "1"})
        assert "\x1b" not in plain.out
        assert max(map(len, plain.out.splitlines())) <= 80
        assert "cooling_down, back in 50 min" in " ".join(plain.out.split())
        wide = on_terminal(["costs"], {**here.env, "NO_COLOR": "1"}, columns=120)
        (row,) = [line for line in wide.out.splitlines() if line.startswith(f"{OLLAMA} ")]
        assert row.endswith("cooling_down, back in 50 min")


def test_an_empty_day_in_another_zone(tmp_path: Path) -> None:
    with lab(tmp_path, settings='timezone = "Pacific/Kiritimati"') as here:
        found = here.run("costs", "--json").document
        assert found["timezone"] == "Pacific/Kiritimati"
        assert found["total"]["calls"] == 0
        assert {key["status"] for key in found["keys"]} == {"ready"}
        here.env = {name: value for name, value in here.env.items() if name != OLLAMA}
        keys = {key["key"]: key["status"] for key in here.run("costs", "--json").document["keys"]}
        assert (keys[OLLAMA], keys[OLLAMA_2]) == ("no_secret", "ready")
        assert not here.state_file.exists()
