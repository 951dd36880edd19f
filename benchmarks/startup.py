"""Start-up of whole processes: beside the bare interpreter, and beside an empty Typer app."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pairs import line, paired

ROUNDS = 21
EMPTY_APP = """
import typer
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
@app.callback()
def main() -> None: ...
@app.command()
def route() -> None: print("x")
app()
"""


def main() -> None:
    root = Path(__file__).parent.parent
    compileall.compile_dir(root / "lollmsbot_keys", quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        app, config = Path(folder, "app.py"), Path(folder, "config.toml")
        app.write_text(EMPTY_APP)
        config.write_text("[routing]\nollama_usage_threshold_percent = 60\n")
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env |= {"HOME": folder, "LBK_CONFIG": str(config), "LBK_STATE": f"{folder}/state.json", "PYTHONPATH": str(root)}
        env |= dict.fromkeys(("OLLAMA_API_KEY", "OPENROUTER_API_KEY_1"), "made-up-for-the-benchmark")

        def run(*arguments: str) -> None:
            subprocess.run([sys.executable, *arguments], env=env, check=True, stdout=subprocess.DEVNULL)

        def compare(name: str, ours: Sequence[str], yardstick: str, theirs: Sequence[str]) -> None:
            line(name, *paired(lambda: run(*ours), lambda: run(*theirs), ROUNDS), yardstick)

        lbk = ("-m", "lollmsbot_keys")
        compare("lbk route -q", (*lbk, "route", "-q"), "python -c pass", ("-c", "pass"))
        compare("lbk route -q", (*lbk, "route", "-q"), "empty Typer app", (str(app), "route"))
        compare("lbk costs --json", (*lbk, "costs", "--json"), "empty Typer app", (str(app), "route"))
        compare("lbk --help", (*lbk, "--help"), "python -c pass", ("-c", "pass"))
        compare("lbk --help", (*lbk, "--help"), "empty Typer app --help", (str(app), "--help"))


if __name__ == "__main__":
    main()
