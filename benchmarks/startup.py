"""The start-up of whole processes, of a pool that was used, beside the bare interpreter and an empty Typer app.

`lbk` is started as pip's script starts it; packages are compiled.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from pairs import line, paired

from lollmsbot_keys.sandbox import Sandbox

ROUNDS = 21
ROOT = Path(__file__).parent.parent
BARE = ("-c", "pass")
SCRIPT = """
import re
import sys
from lollmsbot_keys.cli import main
if __name__ == "__main__":
    sys.argv[0] = re.sub(r"(-script[.]pyw|[.]exe)?$", "", sys.argv[0])
    sys.exit(main())
"""
EMPTY_APP = """
import typer
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
@app.callback()
def main() -> None: ...
@app.command()
def route() -> None: print("x")
app()
"""
COMMANDS = (
    ("--version",),
    ("route", "-q"),
    ("costs", "--alert"),
    ("route", "--json"),
    ("costs", "--json"),
    ("config", "path"),
    ("--help",),
    ("ask", "--help"),
    ("completion", "bash"),
    ("__complete", "bash", "model", "lbk", "ask", "-m", ""),
    ("__complete", "bash", "fault", "lbk", "sandbox", "-f", "ollama="),
)


def main() -> None:
    compileall.compile_dir(ROOT / "lollmsbot_keys", quiet=1)
    with tempfile.TemporaryDirectory() as name, Sandbox() as sandbox:
        folder = Path(name)
        lbk, app = folder / "lbk.py", folder / "app.py"
        lbk.write_text(SCRIPT)
        app.write_text(EMPTY_APP)
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env = {**inherited, **sandbox.environment(folder), "PYTHONPATH": str(ROOT)}

        def run(*arguments: str) -> None:
            subprocess.run([sys.executable, *arguments], env=env, check=True, stdout=subprocess.DEVNULL)

        def compare(arguments: Sequence[str], yardstick: str, theirs: Sequence[str]) -> None:
            ours = (str(lbk), *arguments)
            line(f"lbk {' '.join(arguments)}", *paired(lambda: run(*ours), lambda: run(*theirs), ROUNDS), yardstick)

        use(run, str(lbk))
        for arguments in COMMANDS:
            compare(arguments, "python -c pass", BARE)
        compare(("route", "-q"), "empty Typer app", (str(app), "route"))
        compare(("--help",), "empty Typer app --help", (str(app), "--help"))


def use(run: Callable[..., None], lbk: str) -> None:
    """Fetch the lists, and make some calls, so that there is something to count."""
    run(lbk, "test-keys")
    for number in range(10):
        run(lbk, "ask", f"Question {number}")
    run(lbk, "route", "-q")


if __name__ == "__main__":
    main()
