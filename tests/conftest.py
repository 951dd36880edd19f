"""What every test gets without asking: a world with no keys, no settings and no home of the person who runs it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.examples import PROFILES

# Examples share the machine with tests that start processes: a slow one says nothing about the code.
for name, percent in PROFILES.items():
    settings.register_profile(name, max_examples=percent, deadline=None, print_blob=True)
settings.load_profile("everyday")

# Started with `&` or `nohup`, a process and all its children are deaf to these; the children of tests must not be.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if os.name == "posix" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)

_SETTINGS = ("LBK_", "OLLAMA_", "OPENROUTER_", "PREFER_", "ALERT_", "XDG_")
_SURROUNDINGS = {"NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "GITHUB_ACTIONS"}
_SURROUNDINGS |= {"SSL_CERT_DIR", "SSL_CERT_FILE"}


# Tests that start processes by the dozen, or shells, or wait for seconds to pass. The rest is the inner loop, a minute.
_SLOW = """
    alerts_command alerts_week availability cli_ask cli_boundary cli_costs completions dotenv_readers
    failure_table_end_to_end fast help history key_pool lock metrics_watch no_secret_leaks packaging processes readme
    reconcile_command replay rotate_command rotate_crashes rotate_github sandbox_command terminal terminal_looks
    test_keys_screens
"""
_LONG_S = 60.0
"""Who takes longer than this is named at the end: on a busy machine that is no failure."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """For `-n auto`: two workers a core, because many tests wait for processes and clocks more than they compute."""
    return 2 * (os.cpu_count() or 1) if config.option.numprocesses == "auto" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow as a whole."""
    slow = {f"test_{name}" for name in _SLOW.split()}
    for item in items:
        if item.path.stem in slow:
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what took long."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    took = {report.nodeid: report.duration for report in reports if report.duration > _LONG_S}
    for name, seconds in sorted(took.items(), key=lambda one: -one[1]):
        terminalreporter.write_line(f"SLOW {name}: {seconds:.0f} s")


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
