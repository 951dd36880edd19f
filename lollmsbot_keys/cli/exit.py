"""The one error boundary, where each way a command can end becomes a message and an exit code."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from itertools import takewhile

from lollmsbot_keys.errors import Exit, LbkError

_STDIN, _STDOUT, _STDERR = 0, 1, 2


class OutputLost(Exception):
    """A failure to write to stdout.

    It is no OSError, so that no network code takes it for one of its own.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or type(error).__name__)
        self.reader_gone = isinstance(error, BrokenPipeError)


def ending(work: Callable[[], object], passing: tuple[type[Exception], ...] = ()) -> int:
    """Do `work`, and return its exit code: the `Exit` that it returns, or that of the exception that it raises.

    Exceptions of `passing` are left to the caller.
    """
    try:
        try:
            code = work()
        finally:
            sys.stdout.flush()  # here, where a failure still gets its message and exit code
    except passing:
        raise
    except LbkError as error:
        say_error(error.code, str(error))
        return error.exit
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:  # noqa: BLE001 - the last line of defence
        if isinstance(error.__cause__, KeyboardInterrupt):  # while a class was made: so Python 3.11 passes it on
            return _interrupted()
        lost = _lost(error)
        if lost is not None:
            return _without_output(lost)
        say_error("bug", _bug(error))
        return Exit.BUG
    return code if isinstance(code, int) else Exit.DONE


def _interrupted() -> Exit:
    say("interrupted")
    return Exit.INTERRUPTED


def keep_interrupts() -> None:
    """Send a Ctrl-C again that would be lost.

    One that comes while Python runs a callback of its own (a module's lock is dropped) can be caught by nobody: Python
    prints it with its traceback, and goes on. So it is sent again a moment later.
    """
    sys.unraisablehook = _again_if_interrupted


def _again_if_interrupted(raised: sys.UnraisableHookArgs) -> None:
    import signal

    if raised.exc_type is not KeyboardInterrupt or not hasattr(signal, "setitimer"):
        sys.__unraisablehook__(raised)
        return
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 0.01)


def _lost(error: Exception) -> OutputLost | None:
    """Return the lost output that `error` is about; `None` where the error did not come from stdout.

    What could not be written is still there, and fails again, unless it was more than the stream keeps. But then it
    was raised where things are printed.
    """
    if isinstance(error, OutputLost):
        return error
    if isinstance(error, OSError):
        if _by_printing(error):
            return OutputLost(error)
        try:
            sys.stdout.flush()
        except OSError as again:
            return OutputLost(again)
    return None


def _by_printing(error: OSError) -> bool:
    """Say whether `error` was raised in `cli`, in `render` or in Typer, which do nothing else with files."""
    from pathlib import Path
    from traceback import extract_tb

    place = Path(extract_tb(error.__traceback__)[-1].filename)
    package = Path(__file__).parents[1]
    return "typer" in place.parts or any(place.is_relative_to(package / layer) for layer in ("cli", "render"))


def _without_output(lost: OutputLost) -> Exit:
    """Report the lost output, but not where the reader stopped to read: that needs no message."""
    _abandon(_STDOUT)
    if lost.reader_gone:
        return Exit.INTERRUPTED
    say(f"standard output cannot be written: {lost}. Nothing is printed any more.")
    return Exit.UNUSABLE


def _abandon(descriptor: int) -> None:
    """Point `descriptor` to nothing, so that the interpreter does not complain when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def mend_streams() -> None:
    """Give a process without stdout or stderr a place to write to, and every text an encoding.

    `print(file=None)` would put talk on stdout; a `→` would end a command where the terminal knows only ASCII. What
    would go to a closed stdout is lost output: there is a place for it, which nothing can be written to, and so the
    next file that is opened does not become it.
    """
    codecs.register_error("stand_in", _stood_in)
    if sys.stdin is None:
        _occupy(_STDIN, os.O_RDONLY)
    if sys.stdout is None:
        _occupy(_STDOUT, os.O_RDONLY)
        sys.stdout = open(_STDOUT, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end
    if sys.stderr is None:
        _occupy(_STDERR, os.O_WRONLY)
        sys.stderr = open(_STDERR, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="stand_in")


def _occupy(descriptor: int, flags: int) -> None:
    """Occupy the descriptor of a standard stream that is closed."""
    opened = os.open(os.devnull, flags)
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)


def need_output() -> None:
    """End a command before it costs anything, where nobody can get its result.

    Raises:
        OutputLost: stdout is closed, or only for reading.
    """
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # a stream of our caller, without a descriptor
        return
    try:
        os.write(descriptor, b"")
    except OSError as error:
        raise OutputLost(error) from None


def _stood_in(error: UnicodeError) -> tuple[str, int]:
    """Return the text to write for characters that the encoding of a stream does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    from lollmsbot_keys.render.console.ascii_fallback import stand_in

    return stand_in(error.object[error.start : error.end]), error.end


def wants_json() -> bool:
    """Say whether `--json` was given, before any `--` that ends lbk's own options."""
    return "--json" in takewhile(lambda word: word != "--", sys.argv[1:])


def say(message: str) -> None:
    """Print a message to the person, on stderr."""
    from lollmsbot_keys.cli.typed_words import without_secrets
    from lollmsbot_keys.core.security.sanitize import clean, guard_workflow_commands

    message = without_secrets(clean(message), sys.argv[1:])
    tell(lambda: print(guard_workflow_commands(f"lbk: {message}"), file=sys.stderr))


def tell(talk: Callable[[], object]) -> None:
    """Do `talk`, which prints on stderr; where stderr fails, only the talk is lost, not the answer."""
    try:
        talk()
        sys.stderr.flush()
    except OSError:
        _abandon(_STDERR)


def say_error(code: str, message: str) -> None:
    """Report a failure: as one JSON document on stdout where JSON was asked for, else as a message on stderr."""
    if not wants_json():
        say(message)
        return
    from lollmsbot_keys.cli.typed_words import without_secrets
    from lollmsbot_keys.render.json_documents import document

    message = without_secrets(message, sys.argv[1:])
    try:
        print(document({"error": {"code": code, "message": message}}), flush=True)
    except OSError:  # the exit code says it too
        _abandon(_STDOUT)


def _bug(error: Exception) -> str:
    """Describe the place of a bug, without the words of the exception.

    The words may hold anything, a secret too.
    """
    from traceback import extract_tb

    where = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in extract_tb(error.__traceback__)[-4:]]
    return f"This is a bug in lbk: {type(error).__name__} at {' < '.join(reversed(where))}. Please report this line."
