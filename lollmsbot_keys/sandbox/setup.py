"""The things that a command needs in order to live in the sandbox: configuration, state, keys, and its own `lbk`."""

from __future__ import annotations

import json
import os
import shlex
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Variables that would let the caller's world into the rehearsal: settings, real secrets, proxies.
_FOREIGN_PREFIXES = ("LBK_", "OLLAMA_", "OPENROUTER_")
_FOREIGN = frozenset(
    (
        *("PREFER_OLLAMA", "PREFER_FREE_TIER", "ALERT_AT_PERCENT"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "NO_PROXY"),
    )
)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The environment of a rehearsal, and its differences from the caller's."""

    environment: dict[str, str]
    exports: dict[str, str]
    unset: tuple[str, ...]
    launchers: Path


def prepare(
    directory: Path, endpoints: Mapping[str, Sequence[str]], variables: Mapping[str, str], base: Mapping[str, str]
) -> Rehearsal:
    """Write `config.toml`, a folder for the state and an `lbk` into `directory`; `variables` are set over `base`."""
    config, state, launchers = directory / "config.toml", directory / "state", directory / "bin"
    config.write_text(_config(endpoints), encoding="utf-8")
    state.mkdir(mode=0o700, exist_ok=True)
    launchers.mkdir(exist_ok=True)
    _write_launcher(launchers)
    exports = {"LBK_CONFIG": str(config), "LBK_STATE": str(state / "state.json"), **variables}
    kept = {name: value for name, value in base.items() if not is_foreign(name)}
    path = os.pathsep.join((str(launchers), kept.get("PATH") or os.defpath))
    unset = tuple(sorted(name for name in base if is_foreign(name) and name not in exports))
    return Rehearsal({**kept, **exports, "PATH": path}, exports, unset, launchers)


def is_foreign(name: str) -> bool:
    """Say whether a variable of the caller's environment could change what `lbk` does."""
    upper = name.upper()
    return upper in _FOREIGN or upper.startswith(_FOREIGN_PREFIXES)


def _config(endpoints: Mapping[str, Sequence[str]]) -> str:
    tables = ["# The sandbox: every provider is on loopback, all the rest is as `lbk` ships it.\n"]
    for name, urls in endpoints.items():
        tables.append(f"[providers.{name}]\nendpoints = {json.dumps(list(urls))}\n")
        if name == "openrouter":
            tables[-1] += 'management_secret = "env:OPENROUTER_MANAGEMENT_KEY"\n'
    return "\n".join(tables)


def _write_launcher(launchers: Path) -> None:
    """Write an `lbk` that runs this very installation, whatever folder it is started in.

    `-P` keeps that folder out.
    """
    home = Path(__file__).resolve().parents[2]
    installed = str(home) in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    if os.name == "nt":  # pragma: no cover
        setting = "" if installed else f'@set "PYTHONPATH={home};%PYTHONPATH%"\r\n'
        command = f'{setting}@"{sys.executable}" -P -m lollmsbot_keys %*\r\n'
        (launchers / "lbk.cmd").write_text(command, encoding="utf-8")
        return
    setting = "" if installed else f'PYTHONPATH={shlex.quote(str(home))}"${{PYTHONPATH:+:$PYTHONPATH}}" '
    launcher = launchers / "lbk"
    launcher.write_text(
        f'#!/bin/sh\n{setting}exec {shlex.quote(sys.executable)} -P -m lollmsbot_keys "$@"\n', encoding="utf-8"
    )
    launcher.chmod(0o755)
