"""What every test gets without asking: a world with no keys, no settings and no home of the person who runs it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Examples share the machine with tests that start processes: a slow one says nothing about the code.
settings.register_profile("lbk", deadline=None, print_blob=True)
settings.load_profile("lbk")

# Started with `&` or `nohup`, a process and all its children are deaf to these; the children of tests must not be.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if os.name == "posix" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)

_SETTINGS = ("LBK_", "OLLAMA_", "OPENROUTER_", "PREFER_", "ALERT_", "XDG_")
_SURROUNDINGS = {"NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "GITHUB_ACTIONS"}
_SURROUNDINGS |= {"SSL_CERT_DIR", "SSL_CERT_FILE"}


def is_personal(variable: str) -> bool:
    """Whether a variable of the caller could change what a test sees, or hold one of the caller's real keys."""
    name = variable.upper()
    return name.startswith(_SETTINGS) or name.endswith("_PROXY") or name in _SURROUNDINGS


@pytest.fixture(scope="session", autouse=True)
def nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run as a person without keys or configuration, for child processes too; the value is that person's home."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in filter(is_personal, list(os.environ)):
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        yield home
