"""`lbk sandbox [-- CMD…]`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from lollmsbot_keys.cli.exit import tell
from lollmsbot_keys.cli.options import OUTPUT
from lollmsbot_keys.cli.typed_words import without_secrets
from lollmsbot_keys.core.security.sanitize import clean_line
from lollmsbot_keys.errors import UsageError

if TYPE_CHECKING:
    from lollmsbot_keys.commands import sandbox as commands

# The first word that is no option begins CMD, and everything after it is CMD's own, as with env and sudo.
CONTEXT_SETTINGS = {"allow_interspersed_args": False}


class ExportShell(StrEnum):
    """The shell whose syntax the exports are printed in."""

    SH = "sh"
    FISH = "fish"


def sandbox(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- CMD…]", help="What to run inside; nothing: serve until Ctrl-C.", show_default=False
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            "-f",
            metavar="KEY=KIND[:N]",
            help="Trouble for a key's next N chats, or for all of them; several of one key queue up.",
            show_default=False,
        ),
    ] = None,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="Print every KIND and what it does.")] = False,
    serve_retired: Annotated[
        bool, typer.Option("--serve-retired", help="Ollama Cloud still serves the models that it has retired.")
    ] = False,
    shell: Annotated[
        ExportShell,
        typer.Option("--shell", metavar="SHELL", help="Syntax of the printed exports.", rich_help_panel=OUTPUT),
    ] = ExportShell.SH,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Without CMD: one JSON document instead of exports, or of the list.", rich_help_panel=OUTPUT
        ),
    ] = False,
) -> None:
    """Rehearse offline: Ollama Cloud, OpenRouter and a local Ollama on loopback, with made-up keys."""
    from lollmsbot_keys.commands import sandbox as commands

    if list_faults:
        _print_faults(commands.fault_kinds(), json=json)
        return
    if not command:
        announce = _print_json if json else _print_exports
        code = commands.serve(fault or (), lambda serving: announce(serving, shell), serve_retired=serve_retired)
        raise typer.Exit(code)
    if json:
        raise UsageError("--json describes a sandbox without CMD; with one, stdout is CMD's. Leave out --json or CMD.")
    done = commands.rehearse(command, fault or (), _say_started, serve_retired=serve_retired)
    _say_ended(done)
    raise typer.Exit(done.exit_code)


def _print_faults(kinds: Mapping[str, str], *, json: bool) -> None:
    """Print the kinds of faults, one a line for people."""
    if json:
        from lollmsbot_keys.render.json_documents import document

        print(document({"faults": [{"kind": kind, "meaning": meaning} for kind, meaning in kinds.items()]}))
        return
    width = max(map(len, kinds))
    for kind, meaning in kinds.items():
        print(f"{kind:<{width}}  {meaning}")


def _say(text: str) -> None:
    said = without_secrets(clean_line(text), sys.argv[1:])
    tell(lambda: print(f"sandbox: {said}", file=sys.stderr))


def _say_started(serving: commands.Serving) -> None:
    _say(f"all providers are on loopback; {_faults(serving)}")


def _say_ended(done: commands.Rehearsed) -> None:
    if done.problem is not None:
        _say(done.problem)
    for key, statuses in done.chats.items():
        calls = ", ".join(f"{status} × {count}" if count > 1 else status for status, count in statuses.items())
        _say(f"{key} answered {calls}")


def _faults(serving: commands.Serving) -> str:
    return f"faults: {', '.join(serving.faults)}" if serving.faults else "no faults"


def _print_json(serving: commands.Serving, _shell: ExportShell) -> None:
    from lollmsbot_keys.render.json_documents import document

    tree = {
        "environment": dict(serving.exports),
        "unset": list(serving.unset),
        "path_prefix": str(serving.launchers),
        "endpoints": {name: list(urls) for name, urls in serving.endpoints.items()},
        "control": serving.control,
        "faults": list(serving.faults),
    }
    print(document(tree), flush=True)


def _print_exports(serving: commands.Serving, shell: ExportShell) -> None:
    lines = _fish_lines(serving) if shell is ExportShell.FISH else _sh_lines(serving)
    print("\n".join(lines), flush=True)
    _say(f"serving, {_faults(serving)}. Paste the lines above into another shell; Ctrl-C here ends it.")


def _sh_lines(serving: commands.Serving) -> list[str]:
    exports = [f"export {name}={shlex.quote(value)}" for name, value in serving.exports.items()]
    path = f'export PATH={shlex.quote(str(serving.launchers))}:"$PATH"'
    return [*(f"unset {name}" for name in serving.unset if name.isidentifier()), *exports, path]


def _fish_lines(serving: commands.Serving) -> list[str]:
    exports = [f"set -gx {name} {_fish_quoted(value)}" for name, value in serving.exports.items()]
    path = f"set -gx PATH {_fish_quoted(str(serving.launchers))} $PATH"
    return [*(f"set -e {name}" for name in serving.unset if name.isidentifier()), *exports, path]


def _fish_quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
