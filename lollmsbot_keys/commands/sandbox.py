"""`lbk sandbox`: a rehearsal, with providers on loopback and made-up keys."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lollmsbot_keys.edges.environment.variables import Environment

if TYPE_CHECKING:
    from lollmsbot_keys.sandbox import Sandbox
    from lollmsbot_keys.sandbox.setup import Rehearsal


@dataclass(frozen=True, slots=True)
class Serving:
    """A sandbox that runs.

    `exports` must be set, `unset` removed, `launchers` put in front of PATH.
    """

    exports: Mapping[str, str]
    unset: tuple[str, ...]
    launchers: Path
    endpoints: Mapping[str, tuple[str, ...]]
    faults: tuple[str, ...]
    control: str


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The end of the command (or why it could not begin), and each key's chats by status."""

    exit_code: int
    chats: Mapping[str, Mapping[str, int]]
    problem: str | None = None


def rehearse(
    command: Sequence[str],
    faults: Sequence[str],
    started: Callable[[Serving], None],
    *,
    serve_retired: bool = False,
    variables: Mapping[str, str] | None = None,
) -> Rehearsed:
    """Run `command` in a sandbox of its own, and clean up after it.

    `started` is told before it starts. `variables` are the caller's environment, this process's by default. A command
    that does not exist is 127, one that cannot be started 126, as in a shell. Raises UsageError for an unknown fault.
    """
    from lollmsbot_keys.sandbox.subprocess import Child

    with Child() as child, _running(faults, serve_retired=serve_retired, variables=variables) as (sandbox, rehearsal):
        started(_serving(sandbox, rehearsal))
        try:
            return Rehearsed(child.run(command, rehearsal.environment), _chats(sandbox))
        except FileNotFoundError:
            return Rehearsed(127, {}, f"there is no command {command[0]!r}. Check its name and PATH.")
        except OSError:
            return Rehearsed(126, {}, f"{command[0]!r} cannot be started. Is it an executable file?")


def serve(
    faults: Sequence[str],
    started: Callable[[Serving], None],
    *,
    serve_retired: bool = False,
    variables: Mapping[str, str] | None = None,
) -> int:
    """Serve until a signal, and return the exit code.

    0 after Ctrl-C, which is how one ends a server; 128 + n after another.
    """
    from lollmsbot_keys.sandbox.subprocess import Patience

    with Patience() as patience:
        with _running(faults, serve_retired=serve_retired, variables=variables) as (sandbox, rehearsal):
            started(_serving(sandbox, rehearsal))
            number = patience.wait()
        return 0 if number == signal.SIGINT else 128 + number


def fault_kinds() -> dict[str, str]:
    """Return every kind of fault with its meaning."""
    from lollmsbot_keys.sandbox.fault_kinds import KINDS

    return {kind.name: kind.meaning for kind in KINDS.values()}


@contextmanager
def _running(
    faults: Sequence[str], *, serve_retired: bool, variables: Mapping[str, str] | None
) -> Iterator[tuple[Sandbox, Rehearsal]]:
    from lollmsbot_keys.sandbox import Sandbox

    base = Environment.here().variables if variables is None else variables
    with (
        Sandbox(faults, serve_retired=serve_retired) as sandbox,
        TemporaryDirectory(prefix="lbk-sandbox-", ignore_cleanup_errors=True) as directory,
    ):
        yield sandbox, sandbox.rehearsal(Path(directory), base)


def _serving(sandbox: Sandbox, rehearsal: Rehearsal) -> Serving:
    return Serving(
        exports=rehearsal.exports,
        unset=rehearsal.unset,
        launchers=rehearsal.launchers,
        endpoints=sandbox.endpoints,
        faults=tuple(str(fault) for fault in sandbox.world.faults),
        control=sandbox.control,
    )


def _chats(sandbox: Sandbox) -> dict[str, Counter[str]]:
    counted: dict[str, Counter[str]] = {}
    for entry in sandbox.chats():
        status = "no answer" if entry.status is None else str(entry.status)
        counted.setdefault(entry.caller or "an unknown key", Counter())[status] += 1
    return counted
