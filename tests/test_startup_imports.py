"""`lbk` is called in prompts, loops and cron: what a call need not load, it must not load. No times; this is exact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

KEYS = {"OLLAMA_API_KEY", "OLLAMA_API_KEY_2", "OPENROUTER_API_KEY_1", "OPENROUTER_API_KEY_2", "OPENROUTER_API_KEY_3"}
OURS = "lollmsbot_keys"

# Prints nothing and imports nothing of its own before the command is done.
RUN = """
import sys
from lollmsbot_keys.cli import main
listing = sys.argv.pop(1)
sys.argv[0] = "lbk"
try:
    main()
finally:
    loaded = sorted(sys.modules)
    import json
    with open(listing, "w") as file:
        json.dump(loaded, file)
"""

# What a command may load of the standard library: these modules, and what they load themselves. Nothing of others.
LEAST = "__future__ collections.abc gc enum functools importlib io operator types"
TO_DECIDE = f"{LEAST} _blake2 contextlib datetime decimal errno json math pathlib re typing"
TO_OFFER = f"{LEAST} contextlib pathlib re tomllib typing"
FAST = {
    "--version": LEAST,
    "route -q": TO_DECIDE,
    "route --quiet --model=kimi-k2.6 --assume OLLAMA_API_KEY=disabled": f"{TO_DECIDE} difflib",
    "route --json": TO_DECIDE,
    "costs --alert": f"{TO_DECIDE} bisect",
    "costs --csv": f"{TO_DECIDE} bisect csv",
    "costs --json": f"{TO_DECIDE} bisect",
    "completion bash": f"{LEAST} pathlib",
    "__complete bash role lbk ask -p soul --role x": TO_OFFER,
    "__complete zsh model lbk ask -m x": TO_OFFER,
    "__complete fish assumption lbk route --assume x": f"{TO_OFFER} decimal",
    "__complete bash fault lbk sandbox -f ollama=5": f"{TO_OFFER} decimal",
}

# What a command that Typer reads must not load besides: everything under these names.
NETWORK = {"asyncio", "httpx", "ssl"}
LIBRARIES = {"apprise", "dotenv", "keyring", "platformdirs", "prometheus_client", "pydantic"}
DRAWING = {"rich"}
SLOW = {
    "--help": {*NETWORK, *LIBRARIES, *DRAWING, "decimal", f"{OURS}.cli.route", f"{OURS}.core.request", f"{OURS}.edges"},
    "route --help": {*NETWORK, *LIBRARIES, *DRAWING, f"{OURS}.cli.costs", f"{OURS}.edges"},
    "ask --help": {*NETWORK, *LIBRARIES, *DRAWING, f"{OURS}.edges"},
    "config path": {*NETWORK, *LIBRARIES, *DRAWING, "tomllib", f"{OURS}.engine"},
    "route": NETWORK | LIBRARIES,
    "costs": NETWORK | LIBRARIES,
    "reset-limits --all --dry-run": NETWORK | LIBRARIES | DRAWING,
    "metrics": {"asyncio", "httpx", *DRAWING, *LIBRARIES} - {"prometheus_client"},
}


def run(code: str, home: Path, *arguments: str) -> str:
    """What a process prints, of a person with five keys and a home of their own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={"PATH": os.defpath, "HOME": str(home), **dict.fromkeys(KEYS, "made-up-secret")},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(home: Path, *arguments: str) -> tuple[str, set[str]]:
    """What `lbk` printed, and the modules it had loaded by then."""
    listing = home / "modules.json"
    printed = run(RUN, home, str(listing), *arguments)
    return printed, set(json.loads(listing.read_text()))


@cache
def loaded_with(modules: str) -> frozenset[str]:
    """What Python itself loads for these modules."""
    code = f"import {', '.join(modules.split())}, sys; print(*sys.modules)"
    return frozenset(run(code, Path(__file__).parent).split())


@pytest.mark.parametrize("arguments", FAST)
def test_a_fast_command_loads_what_it_needs_and_nothing_else(arguments: str, tmp_path: Path) -> None:
    loaded_by(tmp_path, *arguments.split())  # the first time the configuration is read and checked
    printed, modules = loaded_by(tmp_path, *arguments.split())
    if "-q" in arguments:
        assert printed.strip() in KEYS
    foreign = {name for name in modules - loaded_with(FAST[arguments]) if name.partition(".")[0] != OURS}
    assert foreign == set()
    too_much = {f"{OURS}.{part}" for part in ("cli.app", "cli.options", "edges.providers", "pool", "sandbox.server")}
    assert modules & too_much == set()
    if arguments == "--version":
        assert {name for name in modules if name.startswith(f"{OURS}.")} == {
            *(
                f"{OURS}.{part}"
                for part in (
                    "_version",
                    "cli",
                    "cli.commands",
                    "cli.exit",
                    "cli.fast_path",
                    "cli.fast_path.table",
                    "cli.commands.version",
                    "errors",
                )
            )
        }


def test_a_file_of_ones_own_costs_no_more(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[routing]\nprefer_ollama = false\n")
    arguments = ["route", "-q", "--config", str(config)]
    loaded_by(tmp_path, *arguments)
    printed, modules = loaded_by(tmp_path, *arguments)
    assert printed.strip() in KEYS
    assert {name for name in modules - loaded_with(TO_DECIDE) if name.partition(".")[0] != OURS} == set()


@pytest.mark.parametrize("arguments", SLOW)
def test_another_command_loads_nothing_that_it_must_not(arguments: str, tmp_path: Path) -> None:
    loaded_by(tmp_path, *arguments.split())
    _, modules = loaded_by(tmp_path, *arguments.split())
    assert "typer" in modules or arguments in {"route", "costs"}
    forbidden = SLOW[arguments]
    assert {name for name in modules if any(f"{name}.".startswith(f"{bad}.") for bad in forbidden)} == set()
