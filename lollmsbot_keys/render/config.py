"""The output of `lbk config`: aligned lines for pipes, tables with headings for a terminal, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.config_origin import Origin, Problem, Setting, Value
from lollmsbot_keys.core.security.sanitize import clean_line
from lollmsbot_keys.render.console.terminal import grid, is_drawn, page

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_LONGEST = 48
"""The length of the longest value that stays in its column: longer ones push aside what comes after them."""
_INDENTED = 22
"""The length of the longest name with which the values of all tables stay in one column."""
_NARROWEST = 60
"""The line width in characters below which there are no columns."""
_STYLES = {Origin.DEFAULT: "dim", Origin.FILE: "green", Origin.ENVIRONMENT: "yellow"}


def draw(settings: Sequence[Setting], output_style: OutputStyle) -> None:
    """Print settings: in tables where drawing is welcome, else one a line."""
    if is_drawn(output_style):
        _draw_tables(settings, output_style)
    else:
        sys.stdout.write(lines(settings))


def lines(settings: Sequence[Setting]) -> str:
    """Return one setting a line: key path, value, origin, in columns."""
    shown = [(setting.key, toml(setting.value), clean_line(setting.source)) for setting in settings]
    key_width = max((_cells(key) for key, _, _ in shown), default=0)
    value_width = min(_LONGEST, max((_cells(value) for _, value, _ in shown), default=0))
    return "".join(
        f"{_filled(key, key_width)}  {_filled(value, value_width)}  {source}\n" for key, value, source in shown
    )


def _filled(text: str, width: int) -> str:
    return text + " " * (width - _cells(text))


def _cells(text: str) -> int:
    """Return the width of `text` on a terminal, in columns."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # not for what hardly anybody has

    return cell_len(text)


def _draw_tables(settings: Sequence[Setting], output_style: OutputStyle) -> None:
    """Print the settings in tables, with the origin at the right and values that are not default set off."""
    from rich.text import Text

    with page(output_style) as out:
        for number, (table, group) in enumerate(groupby(settings, key=lambda setting: setting.table)):
            if number:
                out.print()
            if table or number:
                out.print(Text(f"[{table}]", style="bold"))
            if out.width < _NARROWEST:
                _draw_lines(out, group)
            else:
                rows = grid(["", " ", "  "], wraps=[" "])
                for setting in group:
                    rows.add_row(f"  {setting.name:<{_INDENTED}}", toml(setting.value), _source(setting))
                out.print(rows)


def _draw_lines(out: Console, settings: Iterable[Setting]) -> None:
    from rich.text import Text

    for setting in settings:
        out.print(Text(f"{setting.name} = {toml(setting.value)}  ").append_text(_source(setting)))


def _source(setting: Setting) -> Text:
    from rich.text import Text

    return Text(clean_line(setting.source), style=_STYLES[setting.origin])


def toml(value: Value) -> str:
    """Spell a value as in TOML, as far as a reader needs it."""
    match value:
        case None:
            return ""
        case list():
            return f"[{', '.join(toml(entry) for entry in value)}]"
        case _:
            return clean_line(json.dumps(value, ensure_ascii=False))


def settings_json(path: str, settings: Iterable[Setting], *, found: bool) -> str:
    """Return the document of `show`: path, found, and settings with key, value, origin and file, line or variable."""
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
    """Return the problems and warnings, one a line; without problems a line says so."""
    shown = [clean_line(str(problem)) for problem in problems] + [f"warning: {clean_line(one)}" for one in warnings]
    if not problems:
        shown.append(
            f"{clean_line(path)}: {'good' if found else 'not there; the defaults are in force, which are good'}"
        )
    return "".join(f"{line}\n" for line in shown)


def check_json(path: str, problems: Sequence[Problem], warnings: Sequence[str], *, found: bool) -> str:
    """Return the document of `check`: ok, path, found, problems, warnings.

    With problems it has also the `error` that every command prints.
    """
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
    """Return one JSON document, safe for every terminal and pipe."""
    return json.dumps(value, indent=2, ensure_ascii=True)
