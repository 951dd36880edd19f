"""The output of `lbk ask`: the answer's text on stdout as it comes, everything else on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lollmsbot_keys.cli.exit import OutputLost, say
from lollmsbot_keys.cli.status_line import StatusLine
from lollmsbot_keys.commands.ask import Listener
from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.explain import shortfall
from lollmsbot_keys.core.model.outcome import Answer, Attempt, OutcomeKind, Report
from lollmsbot_keys.core.security.sanitize import WorkflowCommandGuard, clean_line
from lollmsbot_keys.errors import Exit
from lollmsbot_keys.render.console.ascii_fallback import has_likeness
from lollmsbot_keys.render.console.encoding import can_print

if TYPE_CHECKING:
    from asyncio import TimerHandle


class Speaker(Listener):
    """The printer of a question's progress and end.

    `workflow`: stdout is read for GitHub's workflow commands.
    """

    def __init__(self, output_style: OutputStyle, *, aloud: bool, stream: bool, verbose: bool, workflow: bool) -> None:
        self._aloud, self._stream, self._verbose = aloud, stream, verbose
        self.live = aloud and stream
        self._guard = WorkflowCommandGuard() if workflow else None
        self._last = "\n"
        self._status = StatusLine(output_style)
        self._later: TimerHandle | None = None
        self._told_waiting = self._lacking = False

    # --- while it goes on ---

    def text(self, piece: str) -> None:
        if self._aloud and self._stream:
            self._print(self._guard.feed(piece) if self._guard else piece)

    def asking(self, candidate: str) -> None:
        """Show which candidate is waited for, after a second without a word."""
        self._wipe()
        if self._status.is_seen:
            import asyncio

            later = asyncio.get_running_loop().call_later
            self._later = later(1, self._status.show, f"lbk: waiting for {clean_line(candidate)} …")

    def attempt(self, attempt: Attempt) -> None:
        if not self._verbose or attempt.outcome is OutcomeKind.ANSWERED:
            return
        status = f" ({attempt.status})" if attempt.status else ""
        cooled = f", left out until {attempt.cooldown_until:%Y-%m-%d %H:%M:%S} UTC" if attempt.cooldown_until else ""
        detail = f": {attempt.detail}" if attempt.detail else ""
        self._say(
            f"{attempt.key or 'local'} × {attempt.model}: {attempt.outcome.words}{status} after {attempt.latency_ms} ms"
            f"{cooled}{detail}"
        )

    def notice(self, message: str) -> None:
        self._say(message)

    def waiting(self, until: datetime) -> None:
        if self._status.is_seen:
            from lollmsbot_keys.render.console.times import until as relative

            self._status.show(f"lbk: all keys are out, the first comes free {relative(until, datetime.now(UTC))}")
        elif not self._told_waiting:
            self._told_waiting = True
            if self._verbose or sys.stderr.isatty():
                self._say(f"waiting until {until:%Y-%m-%d %H:%M:%S} UTC for a key to come free")

    def done_waiting(self) -> None:
        self._wipe()
        self._told_waiting = False

    def _wipe(self) -> None:
        """Remove the line that says what is waited for, or cancel it before it is written."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._status.wipe()

    # --- at the end ---

    def finish(self) -> None:
        """Leave the terminal at the beginning of a line, whatever happened."""
        self.done_waiting()
        if self._aloud and self._stream:
            if self._guard:
                self._print(self._guard.flush())
            if self._last != "\n":
                self._print("\n")
            if self._lacking:
                self._lacking = False
                self._say(
                    f"{sys.stdout.encoding} does not have every character of the answer: some stand there by number "
                    "(\\u6f22). Use a UTF-8 locale, or --json."
                )

    def conclude(self, report: Report) -> Exit:
        """Print what is still to be said, and return the exit code."""
        if not self._aloud:
            from lollmsbot_keys.render.json_documents import document, report_tree

            print(document(report_tree(report)))
        elif isinstance(report, Answer):
            self._stream, streamed = True, self._stream
            if not streamed:
                self.text(report.text)
                self.finish()
            self._say_cost(report)
        else:
            self._say(report.message)
        if isinstance(report, Answer) and (missing := shortfall(report)):
            self._say(missing)
        if self._aloud and self._verbose and report.request_id is not None:
            self._say(
                f"in the log as {report.request_id}; to have it explained: lbk route --replay {report.request_id}"
            )
        if isinstance(report, Answer):
            return Exit.DONE
        return Exit.REFUSED if report.code == "refused" else Exit.FAILED

    def alert(self, lines: Iterable[str]) -> None:
        """Print what people must be told.

        A Ctrl-C here changes no exit code: the person has the answer already.
        """
        with suppress(OSError):  # lost output is the business of who printed the answer
            sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            for line in lines:
                self._say(line)

    def _say_cost(self, answer: Answer) -> None:
        if self._verbose:
            cost = f"{answer.cost_usd:f} USD" if answer.cost_usd is not None else f"at most {answer.charged_usd:f} USD"
            usage = answer.usage
            instead = f" (instead of {answer.instead_of})" if answer.instead_of else ""
            self._say(
                f"{answer.model}{instead} through {answer.key or 'local'}: {usage.prompt_tokens} tokens in, "
                f"{usage.completion_tokens} out, {cost} ({answer.cost_source}), {answer.latency_ms} ms"
            )

    def _print(self, text: str) -> None:
        if not text:
            return
        self._wipe()  # its line must not be wiped later, with the answer on it
        self._lacking = self._lacking or (not can_print(text) and any(map(_is_lost, text)))
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            raise OutputLost(error) from None
        self._last = text[-1]

    def _say(self, message: str) -> None:
        self._wipe()
        if self._last != "\n" and _one_place():
            print(file=sys.stderr)
            self._last = "\n"
        say(clean_line(message))


def _is_lost(char: str) -> bool:
    """Say whether nothing like `char` can be printed."""
    return not (can_print(char) or has_likeness(char))


def _one_place() -> bool:
    """Say whether stdout and stderr go to the same terminal, pipe or file.

    A message on stderr must then begin a line of its own.
    """
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError):
        return False
