"""`lbk ask`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lollmsbot_keys.cli.files import Files
from lollmsbot_keys.cli.options import ConfigOption, JsonOption, LogFileOption, StateOption, duration
from lollmsbot_keys.cli.selection import (
    FreeOption,
    KeyOption,
    ModelOption,
    PillarOption,
    PriorityOption,
    PrivacyOption,
    RoleOption,
)
from lollmsbot_keys.core.request import Priority
from lollmsbot_keys.errors import UsageError


def ask(
    prompt: Annotated[
        str | None, typer.Argument(metavar="[PROMPT]", help="What to ask; standard input is added to it.")
    ] = None,
    pillar: PillarOption = None,
    role: RoleOption = None,
    model: ModelOption = None,
    privacy: PrivacyOption = None,
    free: FreeOption = False,
    priority: PriorityOption = Priority.NORMAL,
    key: KeyOption = None,
    system: Annotated[str | None, typer.Option("--system", "-s", metavar="TEXT", help="The system message.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, metavar="N", help="At most so many tokens out.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", min=0.0, max=2.0, metavar="T", help="How freely to choose words; 0: hardly."),
    ] = None,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="DURATION", help="The longest silence of one attempt.")
    ] = "120s",
    wait: Annotated[
        str | None,
        typer.Option("--wait", metavar="DURATION", help="If all keys are out: wait so long for one to come free."),
    ] = None,
    no_failover: Annotated[bool, typer.Option("--no-failover", help="Try the first candidate only.")] = False,
    no_stream: Annotated[bool, typer.Option("--no-stream", help="Print the answer when it is complete.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell on stderr what is tried.")] = False,
    log_file: LogFileOption = None,
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Send a prompt to the best key there is now, and print the answer as it comes.

    When a key fails before the first word, the next one is tried; after it, nothing is ever sent twice. The plan is
    the one that `lbk route` prints.

    \b
    Examples:
      $ lbk ask "Why is the sky blue?"
      $ git diff | lbk ask --pillar heartbeat --role healer "Find the bug in this change."
      $ lbk ask --privacy critical < diary.txt
      $ lbk ask --wait 5m --json "Hello" | jq -r .text
    """  # noqa: D301 - \\b keeps the examples from being re-flowed
    from lollmsbot_keys.cli.boundary import say
    from lollmsbot_keys.cli.speaking import Speaker
    from lollmsbot_keys.commands.ask import Asking, Options, question

    options = Options(
        pillar=pillar,
        role=role,
        model=model,
        privacy=privacy,
        free=free,
        priority=priority,
        key=key,
        system=system,
        max_output_tokens=max_tokens,
        temperature=temperature,
        timeout=duration("--timeout", timeout),
        wait=duration("--wait", wait) if wait is not None else None,
        failover=not no_failover,
        stream=not no_stream,
    )
    asked = question(_whole_prompt(prompt), options)
    where = Files(config, state)
    asking = Asking(where.config, where.state, log_file)
    speaker = Speaker(aloud=not json, stream=not no_stream, verbose=verbose, workflow=asking.workflow)
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
    """The argument, then standard input to its end, unless that is a terminal."""
    parts = [argument] if argument is not None else []
    if sys.stdin is not None and not sys.stdin.isatty():
        try:
            piped = sys.stdin.buffer.read().decode("utf-8")
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
