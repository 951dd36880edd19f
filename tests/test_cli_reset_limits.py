"""`lbk reset-limits`: what is cleared, what is said of it, and what stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import OLLAMA, OLLAMA_2, ROUTED, ROUTERS, SERVED, Lab, lab

NOTHING = "nothing to clear: no cooldown, no disabled key\n"
TROUBLE = (f"{OLLAMA}=401", f"{OLLAMA_2}=429retry=900:1", f"{ROUTERS[0]}=402limit:1", f"{ROUTERS[1]}=503:1")


def troubled(here: Lab) -> None:
    """A disabled key, a cooling account, a key without credit, a model that is down."""
    asked = here.ask("-m", SERVED)
    assert [a["outcome"] for a in asked["attempts"]] == ["unauthorized", "rate_limited", "no_credit", "unavailable"]
    here.sandbox.world.clear_faults()


def test_all_is_cleared_and_said_and_a_second_time_there_is_nothing(tmp_path: Path) -> None:
    with lab(tmp_path, *TROUBLE) as here:
        troubled(here)
        before = here.state
        done = here.run("reset-limits", "--all")
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert len(lines) == 4
        assert lines[0].startswith(f"cleared {OLLAMA}: disabled since ")
        rest = "\n".join(sorted(lines[1:]))
        assert f"cleared account of {OLLAMA_2}: cooling down until " in rest
        assert f"cleared {ROUTERS[0]}: no credit until " in rest
        assert f"cleared openrouter × moonshotai/{SERVED}: cooling down until " in rest
        after = here.state
        assert not after.cooldowns
        assert not after.disabled
        assert (after.days, after.hours, after.cursors) == (before.days, before.hours, before.cursors)
        assert here.run("reset-limits", "--all") == (0, NOTHING, "")
        assert here.ask("-m", SERVED)["key"] == OLLAMA


def test_a_dry_run_says_the_same_and_changes_nothing(tmp_path: Path) -> None:
    with lab(tmp_path, *TROUBLE) as here:
        troubled(here)
        before = here.state_file.read_bytes()
        dry = here.run("reset-limits", "--all", "--dry-run")
        assert (dry.code, here.state_file.read_bytes()) == (0, before)
        wet = here.run("reset-limits", "--all")
        assert dry.out.replace("would clear ", "cleared ") == wet.out
        assert here.state_file.read_bytes() != before


def test_only_what_was_named(tmp_path: Path) -> None:
    with lab(tmp_path, *TROUBLE) as here:
        troubled(here)
        assert here.run("reset-limits", ROUTERS[2]) == (0, NOTHING, "")
        done = here.run("reset-limits", OLLAMA, ROUTERS[0])
        assert [line.split(":")[0] for line in done.out.splitlines()] == [f"cleared {OLLAMA}", f"cleared {ROUTERS[0]}"]
        assert not here.state.disabled
        assert len(here.state.cooldowns) == 2
        provider = here.run("reset-limits", "--provider", "openrouter")
        assert provider.out.startswith(f"cleared openrouter × moonshotai/{SERVED}: ")
        assert [scope.provider for scope in here.state.cooldowns] == ["ollama"]


def test_the_document(tmp_path: Path) -> None:
    with lab(tmp_path, *TROUBLE) as here:
        troubled(here)
        dry = here.run("reset-limits", "--all", "--dry-run", "--json")
        wet = here.run("reset-limits", "--all", "--json")
        assert (dry.code, wet.code, wet.err) == (0, 0, "")
        assert (dry.document.pop("dry_run"), wet.document["dry_run"]) == (True, False)
        (disabled,) = wet.document["disabled"]
        assert (disabled["key"], set(disabled)) == (OLLAMA, {"key", "since", "source"})
        found = {c["scope"]: (c["provider"], c["key"], c["model"], c["reason"]) for c in wet.document["cooldowns"]}
        assert found["key"] == ("openrouter", ROUTERS[0], None, "no_credit")
        assert found["model"] == ("openrouter", None, f"moonshotai/{SERVED}", "cooling_down")
        assert found["account"][0] == "ollama"
        assert all(c["until"].endswith("Z") for c in wet.document["cooldowns"])
        assert here.run("reset-limits", "--all", "--json").document == {
            "dry_run": False,
            "cooldowns": [],
            "disabled": [],
        }


def test_a_row_of_strikes_begins_anew(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=500:4") as here:
        options = ("-m", SERVED, "--key", OLLAMA)
        assert [here.ask(*options)["attempts"][0]["cooldown_until"] for _ in range(2)] == [None, None]
        assert here.run("reset-limits", OLLAMA).code == 0
        assert [here.ask(*options)["attempts"][0]["cooldown_until"] for _ in range(2)] == [None, None]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Name the keys to reset, or one of --provider and --all."),
        ([OLLAMA, "--all"], "Name the keys to reset, or one of --provider and --all."),
        (["--all", "--provider", "ollama"], "Name the keys to reset, or one of --provider and --all."),
        (["OLAMA_API_KEY"], "There is no key 'OLAMA_API_KEY'. Did you mean 'OLLAMA_API_KEY'?"),
        ([OLLAMA, "OPENROUTER_API_KEY_4"], "Did you mean 'OPENROUTER_API_KEY_"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str, tmp_path: Path) -> None:
    with lab(tmp_path, *TROUBLE) as here:
        troubled(here)
        before = here.state_file.read_bytes()
        done = here.run("reset-limits", *arguments)
        assert (done.code, done.out) == (2, "")
        assert words in done.err
        machine = here.run("reset-limits", *arguments, "--json")
        assert (machine.code, machine.document["error"]["code"]) == (2, "usage")
        assert here.state_file.read_bytes() == before


def test_an_unknown_provider_is_typer_s_to_refuse(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("reset-limits", "--provider", "anthropic")
        assert (done.code, done.out) == (2, "")
        assert "openrouter" in done.err


def test_it_sends_nothing_and_needs_no_state(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        assert here.run("reset-limits", "--all") == (0, NOTHING, "")
        assert here.run("reset-limits", OLLAMA, "--dry-run") == (0, NOTHING, "")
        assert here.sandbox.requests == ()
        here.ask("-m", ROUTED)
        assert here.run("reset-limits", "--provider", "openrouter") == (0, NOTHING, "")
