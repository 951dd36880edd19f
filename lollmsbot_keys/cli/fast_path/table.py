"""The options of hot commands. Made by `python -m lollmsbot_keys.cli.fast_path`, not by hand."""

from __future__ import annotations

VERSION = frozenset(("--version",))

COMMANDS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "route": (
        "route:route",
        {
            "--pillar": ("pillar", "text"),
            "-p": ("pillar", "text"),
            "--role": ("role", "text"),
            "--model": ("model", "text"),
            "-m": ("model", "text"),
            "--privacy": ("privacy", "lollmsbot_keys.core.model.config:Privacy"),
            "--free": ("free", "flag"),
            "--priority": ("priority", "lollmsbot_keys.core.model.request:Priority"),
            "--key": ("key", "text"),
            "--quiet": ("quiet", "flag"),
            "-q": ("quiet", "flag"),
            "--at": ("at", "text"),
            "--assume": ("assume", "texts"),
            "--replay": ("replay", "text"),
            "--log-file": ("log_file", "path"),
            "--config": ("config", "path"),
            "--state": ("state", "path"),
            "--json": ("json", "flag"),
        },
    ),
    "costs": (
        "costs:costs",
        {
            "--by": ("by", "lollmsbot_keys.core.model.statement:By"),
            "--today": ("today", "flag"),
            "--month": ("month", "flag"),
            "--since": ("since", "text"),
            "--csv": ("csv", "flag"),
            "--alert": ("alert", "flag"),
            "--reconcile": ("reconcile", "flag"),
            "--tolerance": ("tolerance", "text"),
            "--config": ("config", "path"),
            "--state": ("state", "path"),
            "--json": ("json", "flag"),
        },
    ),
    "completion": (
        "completion:completion",
        {
            "": ("shell", "lollmsbot_keys.cli.commands.completion:CompletionShell"),
            "--json": ("json", "flag"),
        },
    ),
}
