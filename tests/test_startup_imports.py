"""`lbk route -q` is run before every call of a shell script: what it need not load, it must not load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"asyncio", "httpx", "prometheus_client", "pydantic", "rich", "ssl"}
KEYS = {"OLLAMA_API_KEY", "OLLAMA_API_KEY_2", "OPENROUTER_API_KEY_1", "OPENROUTER_API_KEY_2", "OPENROUTER_API_KEY_3"}
RUN = """
import json, pathlib, sys
from lollmsbot_keys.cli import main
listing = pathlib.Path(sys.argv.pop(1))
sys.argv[0] = "lbk"
try:
    sys.exit(main())
finally:
    listing.write_text(json.dumps(sorted(sys.modules)))
"""


def loaded_by(home: Path, *arguments: str) -> tuple[str, set[str]]:
    """What `lbk` printed, and the modules it had loaded by then, as a person with five keys and a home of their own."""
    listing = home / "modules.json"
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(listing), *arguments],
        env={"PATH": os.defpath, "HOME": str(home), **dict.fromkeys(KEYS, "made-up")},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, set(json.loads(listing.read_text()))


@pytest.mark.parametrize("settings", [None, "[routing]\nprefer_ollama = false\n"], ids=["defaults", "own file"])
def test_route_loads_nothing_heavy(tmp_path: Path, settings: str | None) -> None:
    arguments = ["route", "-q"]
    if settings is not None:
        config = tmp_path / "config.toml"
        config.write_text(settings)
        arguments += ["--config", str(config)]
        loaded_by(tmp_path, *arguments)  # a file that is new to lbk is checked once, which may take its time
    printed, modules = loaded_by(tmp_path, *arguments)
    assert printed.strip() in KEYS
    assert modules & HEAVY == set()
