"""The one error boundary: every way a command can end becomes a message and an exit code."""

from __future__ import annotations

import os
import sys
from itertools import takewhile
from traceback import extract_tb

import typer
from typer.core import TyperGroup

from lollmsbot_keys.errors import Exit, LbkError

_WRONG_USAGE: type[Exception] = typer.BadParameter.__mro__[2]
"""What Typer raises while parsing. It prints itself and exits with 2; Typer exports only this subclass of it."""


class Boundary(TyperGroup):
    """The root command group; what its commands raise ends here."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # Typer keeps the wider type to itself
        """Run the command. Usage errors found while parsing are Typer's own business (exit 2)."""
        try:
            return super().invoke(ctx)
        except LbkError as error:
            say_error(error.code, str(error))
            raise typer.Exit(error.exit) from None
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(Exit.INTERRUPTED) from None
        except BrokenPipeError:
            forget_stdout()
            raise typer.Exit(Exit.INTERRUPTED) from None
        except (typer.Exit, typer.Abort, _WRONG_USAGE):
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence
            say_error("bug", _bug(error))
            raise typer.Exit(Exit.BUG) from None


def wants_json() -> bool:
    """Whether `--json` was given, before any `--` that ends lbk's own options."""
    return "--json" in takewhile(lambda word: word != "--", sys.argv[1:])


def say(message: str) -> None:
    """Talk to the person, on stderr."""
    from lollmsbot_keys.core.cleaning import clean

    print(f"lbk: {clean(message)}", file=sys.stderr)


def say_error(code: str, message: str) -> None:
    """A failure: one JSON document on stdout where JSON was asked for, else a message on stderr."""
    if not wants_json():
        say(message)
        return
    from lollmsbot_keys.render.machine import document

    print(document({"error": {"code": code, "message": message}}))


def forget_stdout() -> None:
    """The reader has gone: keep the interpreter from complaining about it when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _bug(error: Exception) -> str:
    """Where it happened, without the words of the exception: they may hold anything, a secret too."""
    where = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in extract_tb(error.__traceback__)[-4:]]
    return f"This is a bug in lbk: {type(error).__name__} at {' < '.join(reversed(where))}. Please report this line."
