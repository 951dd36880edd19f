"""The one error boundary: every way a command can end becomes a message and an exit code."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from itertools import takewhile
from traceback import extract_tb

import typer
from typer.core import TyperGroup

from lollmsbot_keys.errors import Exit, LbkError

_WRONG_USAGE: type[Exception] = typer.BadParameter.__mro__[2]
"""What Typer raises while parsing. It prints itself and exits with 2; Typer exports only this subclass of it."""

_STDOUT, _STDERR = 1, 2


class OutputLost(Exception):
    """Stdout cannot be written. Not an OSError, so that no network code takes it for its own."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or type(error).__name__)
        self.reader_gone = isinstance(error, BrokenPipeError)


class Boundary(TyperGroup):
    """The root command group; what its commands raise ends here."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # Typer keeps the wider type to itself
        """Run the command. Usage errors found while parsing are Typer's own business (exit 2)."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # here, where a failure still gets its message and exit code
        except (typer.Exit, typer.Abort, _WRONG_USAGE):
            raise
        except LbkError as error:
            say_error(error.code, str(error))
            raise typer.Exit(error.exit) from None
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(Exit.INTERRUPTED) from None
        except Exception as error:  # noqa: BLE001 - the last line of defence
            lost = _lost(error)
            if lost is not None:
                raise typer.Exit(_without_output(lost)) from None
            say_error("bug", _bug(error))
            raise typer.Exit(Exit.BUG) from None


def _lost(error: Exception) -> OutputLost | None:
    """Whether `error` came from stdout: what could not be written is still there, and fails again."""
    if isinstance(error, OutputLost):
        return error
    if isinstance(error, OSError):
        try:
            sys.stdout.flush()
        except OSError as again:
            return OutputLost(again)
    return None


def _without_output(lost: OutputLost) -> Exit:
    """Say so. Who stopped reading needs no message."""
    _abandon(_STDOUT)
    if lost.reader_gone:
        return Exit.INTERRUPTED
    say(f"standard output cannot be written: {lost}. Nothing is printed any more.")
    return Exit.UNUSABLE


def _abandon(descriptor: int) -> None:
    """Nobody takes what goes there: keep the interpreter from complaining when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def mend_streams() -> None:
    """Give a process that was started without stdout or stderr somewhere to write to, and every text an encoding.

    `print(file=None)` would put talk on stdout; a `→` would end a command where the terminal knows only ASCII.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - to the end
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def wants_json() -> bool:
    """Whether `--json` was given, before any `--` that ends lbk's own options."""
    return "--json" in takewhile(lambda word: word != "--", sys.argv[1:])


def say(message: str) -> None:
    """Talk to the person, on stderr."""
    from lollmsbot_keys.core.cleaning import clean

    try:
        print(f"lbk: {clean(message)}", file=sys.stderr, flush=True)
    except OSError:  # who does not listen misses the talk, not the answer
        _abandon(_STDERR)


def say_error(code: str, message: str) -> None:
    """A failure: one JSON document on stdout where JSON was asked for, else a message on stderr."""
    if not wants_json():
        say(message)
        return
    from lollmsbot_keys.render.machine import document

    try:
        print(document({"error": {"code": code, "message": message}}), flush=True)
    except OSError:  # the exit code says it too
        _abandon(_STDOUT)


def _bug(error: Exception) -> str:
    """Where it happened, without the words of the exception: they may hold anything, a secret too."""
    where = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in extract_tb(error.__traceback__)[-4:]]
    return f"This is a bug in lbk: {type(error).__name__} at {' < '.join(reversed(where))}. Please report this line."
