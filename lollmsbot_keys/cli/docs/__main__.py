"""The command `python -m lollmsbot_keys.cli.docs`, which writes the man pages and docs/reference.md anew."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def documents() -> dict[Path, str]:
    """Return the text that each file of docs/ must have now."""
    from lollmsbot_keys.cli.docs.all_commands import surface
    from lollmsbot_keys.cli.docs.markdown import reference
    from lollmsbot_keys.cli.docs.roff import pages

    lbk = surface()
    man = {DOCS / "man" / name: text for name, text in pages(lbk).items()}
    return {DOCS / "reference.md": reference(lbk), **man}


def write() -> None:
    """Write the documents, and remove pages of commands that are gone."""
    wanted = documents()
    (DOCS / "man").mkdir(parents=True, exist_ok=True)
    for path in set(DOCS.glob("man/*.1")) - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
