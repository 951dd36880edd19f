"""How `lbk config` looks: aligned lines for pipes, tables with headings for a terminal, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from lollmsbot_keys.core.cleaning import clean_line
from lollmsbot_keys.core.settings import Origin, Problem, Setting, Value

if TYPE_CHECKING:
    from rich.text import Text


_STYLES = {Origin.DEFAULT: "dim", Origin.FILE: "green", Origin.ENVIRONMENT: "yellow"}


def lines(settings: Sequence[Setting]) -> str:
    """One setting a line: key path, value, origin, in columns."""
    shown = [(setting.key, toml(setting.value), clean_line(setting.source)) for setting in settings]
    key_width = max((len(key) for key, _, _ in shown), default=0)
    value_width = min(48, max((len(value) for _, value, _ in shown), default=0))
    return "".join(f"{key:<{key_width}}  {value:<{value_width}}  {source}\n" for key, value, source in shown)


def draw(settings: Sequence[Setting]) -> None:
    """Print settings to the terminal, table by table, the origin to the right, what is not default set off."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for number, (table, group) in enumerate(groupby(settings, key=lambda setting: setting.table)):
        if table or number:
            console.print(Text(f"\n[{table}]" if number else f"[{table}]", style="bold"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True, min_width=24)
        grid.add_column(overflow="fold", ratio=1)
        grid.add_column(overflow="fold", justify="left")
        for setting in group:
            grid.add_row(Text(f"  {setting.name}"), Text(toml(setting.value)), _source(setting))
        console.print(grid)


def _source(setting: Setting) -> Text:
    from rich.text import Text

    return Text(clean_line(setting.source), style=_STYLES[setting.origin])


def toml(value: Value) -> str:
    """A value in TOML's spelling, as far as a reader needs it."""
    match value:
        case None:
            return ""
        case list():
            return f"[{', '.join(toml(entry) for entry in value)}]"
        case _:
            return clean_line(json.dumps(value, ensure_ascii=False))


def settings_json(path: str, settings: Iterable[Setting], *, found: bool) -> str:
    """The document of `show`: path, found, and settings with key, value, origin and file, line or variable."""
    rows: list[Mapping[str, object]] = [
        {
            "key": setting.key,
            "value": setting.value,
            "origin": setting.origin.value,
            "file": setting.file,
            "line": setting.line,
            "variable": setting.variable,
        }
        for setting in settings
    ]
    return document({"path": path, "found": found, "settings": rows})


def check_lines(path: str, problems: Sequence[Problem], warnings: Sequence[str], *, found: bool) -> str:
    """What is wrong, one thing a line; or that all is well."""
    shown = [clean_line(str(problem)) for problem in problems] + [f"warning: {clean_line(one)}" for one in warnings]
    if not problems:
        shown.append(
            f"{clean_line(path)}: {'good' if found else 'not there; the defaults are in force, which are good'}"
        )
    return "".join(f"{line}\n" for line in shown)


def check_json(path: str, problems: Sequence[Problem], warnings: Sequence[str], *, found: bool) -> str:
    """The document of `check`: ok, path, found, problems, warnings; with problems also the `error` of every command."""
    rows = [
        {
            "key": problem.key,
            "message": problem.message,
            "file": problem.file,
            "line": problem.line,
            "variable": problem.variable,
        }
        for problem in problems
    ]
    whole: dict[str, object] = {
        "ok": not problems,
        "path": path,
        "found": found,
        "problems": rows,
        "warnings": list(warnings),
    }
    if problems:
        whole["error"] = {"code": "config", "message": "\n".join(map(str, problems))}
    return document(whole)


def document(value: Mapping[str, object]) -> str:
    """One JSON document, safe for every terminal and pipe."""
    return json.dumps(value, indent=2, ensure_ascii=True)
