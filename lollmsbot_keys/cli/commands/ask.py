"""`lbk ask`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from lollmsbot_keys.cli.commands.selection_options import (
    FreeOption,
    KeyOption,
    ModelOption,
    PillarOption,
    PriorityOption,
    PrivacyOption,
    RoleOption,
)
from lollmsbot_keys.cli.options import OUTPUT, ConfigOption, JsonOption, LogFileOption, StateOption, duration
from lollmsbot_keys.cli.paths import FilePaths
from lollmsbot_keys.core.model.request import Priority
from lollmsbot_keys.errors import UsageError

CALL = "The call"
"""The heading in the help for options that say what is sent, and how."""


def ask(
    prompt: Annotated[
        str | None, typer.Argument(metavar="[PROMPT]", help="What to ask. Standard input is added to it.")
    ] = None,
    pillar: PillarOption = None,
    role: RoleOption = None,
    model: ModelOption = None,
    privacy: PrivacyOption = None,
    free: FreeOption = False,
    priority: PriorityOption = Priority.NORMAL,
    key: KeyOption = None,
    system: Annotated[
        str | None, typer.Option("--system", "-s", metavar="TEXT", help="The system message.", rich_help_panel=CALL)
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens",
            min=1,
            metavar="N",
            help="At most so many tokens out; else routing.max_output_tokens.",
            rich_help_panel=CALL,
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            min=0.0,
            max=2.0,
            metavar="T",
            help="How freely to choose words, from 0 to 2.",
            rich_help_panel=CALL,
        ),
    ] = None,
    timeout: Annotated[
        str,
        typer.Option(
            "--timeout",
            metavar="DURATION",
            help="The longest silence of one attempt, such as 30s or 5m.",
            rich_help_panel=CALL,
        ),
    ] = "120s",
    wait: Annotated[
        str | None,
        typer.Option(
            "--wait",
            metavar="DURATION",
            help="If all keys are out: wait so long for one to come free. 0s: not even for money that is held.",
            rich_help_panel=CALL,
        ),
    ] = None,
    no_failover: Annotated[
        bool, typer.Option("--no-failover", help="Try the first candidate only.", rich_help_panel=CALL)
    ] = False,
    no_stream: Annotated[
        bool, typer.Option("--no-stream", help="Print the answer when it is complete.", rich_help_panel=OUTPUT)
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Tell on standard error what is tried, and the cost.", rich_help_panel=OUTPUT
        ),
    ] = False,
    log_file: LogFileOption = None,
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Send a prompt to the best key there is now, and print the answer as it comes."""
    from lollmsbot_keys.cli.commands.ask_output import Speaker
    from lollmsbot_keys.cli.exit import need_output, say
    from lollmsbot_keys.commands.ask import Asking, Options, question

    need_output()
    options = Options(
        pillar=pillar,
        role=role,
        model=model,
        privacy=privacy,
        free=free,
        priority=priority,
        key=key,
        system=_read_as_text("--system", system) if system is not None else None,
        max_output_tokens=max_tokens,
        temperature=temperature,
        timeout=duration("--timeout", timeout),
        wait=duration("--wait", wait, zero=True) if wait is not None else None,
        failover=not no_failover,
        stream=not no_stream,
    )
    asked = question(_whole_prompt(prompt), options)
    where = FilePaths(config, state)
    asking = Asking(where.config, where.state, log_file)
    speaker = Speaker(
        asking.output_style, aloud=not json, stream=not no_stream, verbose=verbose, workflow=asking.workflow
    )
    try:
        report = asking.ask(asked, speaker)
    finally:
        speaker.finish()
        for warning in asking.warnings:
            say(warning)
    code = speaker.conclude(report)
    speaker.alert(asking.alert())
    raise typer.Exit(code)


def _whole_prompt(argument: str | None) -> str:
    """Return the argument, followed by standard input to its end, unless that is a terminal."""
    parts = [_read_as_text("The prompt", argument)] if argument is not None else []
    if sys.stdin is not None and not sys.stdin.isatty():
        try:
            with _said_after_a_second("reading standard input…"):
                content = sys.stdin.buffer.read()
            piped = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(
                f"Standard input is not UTF-8 text (byte {error.start}). Convert it first, for instance with iconv."
            ) from None
        except OSError as error:
            raise UsageError(f"Standard input cannot be read ({error.strerror}). Use < /dev/null for none.") from None
        if piped.strip():
            parts.append(piped)
    if not parts:
        raise UsageError('There is no prompt. Give one: lbk ask "…", or pipe it in.')
    return "\n\n".join(parts)


@contextmanager
def _said_after_a_second(message: str) -> Iterator[None]:
    """Tell a person at a terminal after a second what takes so long.

    A pipe that somebody forgot looks like a slow model.
    """
    from threading import Timer

    from lollmsbot_keys.cli.exit import say

    timer = Timer(1, say, [message])
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read_as_text(what: str, argument: str) -> str:
    """Decode an argument as UTF-8, also where the locale is not UTF-8.

    Such a locale leaves what it cannot read as single bytes.
    """
    try:
        return (
            os.fsencode(argument).decode("utf-8")
            if any("\udc80" <= char <= "\udcff" for char in argument)
            else argument
        )
    except UnicodeDecodeError:
        raise UsageError(f"{what} is not UTF-8 text. Convert it first, for instance with iconv.") from None
