"""A question on the terminal, whose answer is not shown."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from getpass import GetPassWarning, getpass

from lollmsbot_keys.errors import UsageError


def hidden(question: str) -> str:
    """Ask, and read one line that does not appear on the screen; an empty text where input ends.

    Raises:
        UsageError: the terminal would show it.
    """
    with warnings.catch_warnings(), _interruptible(question):
        warnings.simplefilter("error", GetPassWarning)
        try:
            return getpass(question, stream=sys.stderr)
        except EOFError:
            return ""
        except GetPassWarning:
            raise UsageError("This terminal would show what is typed. Pipe the new secret in instead.") from None


if sys.platform == "win32":

    @contextmanager
    def _interruptible(_question: str) -> Iterator[None]:
        yield  # the console's echo is not switched off there: characters are read one by one

else:
    import signal
    import termios

    @contextmanager
    def _interruptible(question: str) -> Iterator[None]:
        """Show typed characters again when a signal ends or stops the process, and hide them when it goes on.

        Shells give a job that goes on their own terminal settings: what is typed would be seen.
        """

        def end(number: int, _frame: object) -> None:
            raise SystemExit(128 + number)

        def pause(number: int, _frame: object) -> None:
            _echo(on=True)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)  # here it stops until somebody lets it go on
            signal.signal(number, pause)
            _echo(on=False)
            _write(question)

        meant = {signal.SIGTERM: end, signal.SIGHUP: end, signal.SIGTSTP: pause}
        taken = {number: what for number, what in meant.items() if signal.getsignal(number) is signal.SIG_DFL}
        for number, what in taken.items():
            signal.signal(number, what)
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            _write("\n")  # what is said next must not follow the question
            raise
        finally:
            for number in taken:
                signal.signal(number, signal.SIG_DFL)

    def _echo(*, on: bool) -> None:
        with suppress(OSError, termios.error), _terminal() as descriptor:
            settings = termios.tcgetattr(descriptor)
            settings[3] = settings[3] | termios.ECHO if on else settings[3] & ~termios.ECHO
            termios.tcsetattr(descriptor, termios.TCSANOW, settings)

    def _write(text: str) -> None:
        with suppress(OSError), _terminal() as descriptor:
            os.write(descriptor, text.encode("ascii", "replace"))

    @contextmanager
    def _terminal() -> Iterator[int]:
        """Open the terminal that `getpass` uses too."""
        try:
            descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        except OSError:
            yield sys.stdin.fileno()
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)
