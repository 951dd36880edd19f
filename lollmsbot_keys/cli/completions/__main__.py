"""The command `python -m lollmsbot_keys.cli.completions`, which writes completions/ anew.

Its source is what Typer knows of every command.
"""

from __future__ import annotations

from pathlib import Path

from lollmsbot_keys.cli.completions import bash, fish, zsh
from lollmsbot_keys.cli.docs.all_commands import surface

FOLDER = Path(__file__).parents[3] / "completions"


def sources() -> dict[str, str]:
    """Return the text that each completion file must have now, by file name."""
    lbk = surface()
    return {"lbk.bash": bash.source(lbk), "_lbk": zsh.source(lbk), "lbk.fish": fish.source(lbk)}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in sources().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
