"""`lbk rotate`."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from lollmsbot_keys.cli.exit import say
from lollmsbot_keys.cli.options import ConfigOption, JsonOption, StateOption
from lollmsbot_keys.cli.paths import FilePaths
from lollmsbot_keys.cli.status_line import StatusLine
from lollmsbot_keys.core.model.rotation_journal import Age, Step, StepReport
from lollmsbot_keys.errors import Exit, LbkError, UsageError

if TYPE_CHECKING:
    from lollmsbot_keys.commands.rotate import Rotate, RotationListener, RotationRequest

UNDER_WAY, LISTS = "Of a rotation under way", "Lists"
_LONGEST_INPUT = 1 << 16


def rotate(
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="Whose secret.", show_default=False)] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="TARGET",
            help="Write the new one here too, for instance dotenv:.env#NAME.",
            show_default=False,
        ),
    ] = None,
    mint: Annotated[bool, typer.Option("--mint", help="Have OpenRouter make it, like the old one.")] = False,
    other_account: Annotated[
        bool, typer.Option("--other-account", help="The new one may be another account's.")
    ] = False,
    grace: Annotated[
        str | None,
        typer.Option(
            "--grace",
            metavar="DURATION",
            help="How long the old one stays good, instead of [rotation] grace; 0s ends it now.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on where it stopped; with --due: every rotation that needs nobody.",
            rich_help_panel=UNDER_WAY,
        ),
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Go back to the old one.", rich_help_panel=UNDER_WAY)
    ] = False,
    due: Annotated[
        bool, typer.Option("--due", help="List when each is due; 1 if one is overdue.", rich_help_panel=LISTS)
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="List where each rotation stands.", rich_help_panel=LISTS)
    ] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Replace a key's secret. The new one is proved before it is stored; the old one is kept until it has settled."""
    from lollmsbot_keys.commands.rotate import Aim, Rotate, RotationOptions, RotationRequest

    _demand_sense(
        key,
        due=due,
        status=status,
        resume=resume,
        rollback=rollback,
        replaces=bool(to or mint or other_account or grace),
    )
    resolved = RotationOptions(mint, other_account, _length(grace))
    where = FilePaths(config, state)
    command = Rotate(where.config, where.state)
    try:
        if due or status:
            code = _go_on(command) if resume else Exit.DONE
            code = max(_list(command, key, due=due, json=json), code)
        else:
            aim = Aim.ROLL_BACK if rollback else Aim.RESUME if resume else Aim.BEGIN
            code = _replace(command, RotationRequest(key or "", aim, tuple(to or ()), resolved), json=json)
    finally:
        for warning in command.warnings:
            say(warning)
    if code is not Exit.DONE:
        raise typer.Exit(code)


def _demand_sense(key: str | None, *, due: bool, status: bool, resume: bool, rollback: bool, replaces: bool) -> None:
    if due and status:
        raise UsageError(
            "--due and --status are the same list; --due also says by its exit code whether one is overdue."
        )
    if (due or status) and (rollback or replaces or (status and resume)):
        raise UsageError("--due and --status only look; --due --resume also goes on with what waits for nobody.")
    if due and resume and key is not None:
        raise UsageError(f"--due --resume goes on with every key. For this one: lbk rotate {key} --resume")
    if not due and not status and key is None:
        raise UsageError(
            "Name the key whose secret is to be replaced. How it stands with all of them: lbk rotate --due"
        )
    if resume and rollback:
        raise UsageError("--resume goes on and --rollback goes back: one of them.")


def _length(grace: str | None) -> timedelta | None:
    if grace is None:
        return None
    from lollmsbot_keys.core.base import durations

    try:
        return durations.parse(grace)
    except ValueError as error:
        raise UsageError(f"--grace {grace!r}: {error}.") from None


# --- how it stands ---


def _list(command: Rotate, key: str | None, *, due: bool, json: bool) -> Exit:
    standings = command.standings([key] if key is not None else [])
    if json:
        from lollmsbot_keys.render.json_documents import document
        from lollmsbot_keys.render.rotate.json import standings_tree

        print(document(standings_tree(standings, command.now)))
    else:
        from lollmsbot_keys.render.rotate.page import draw_standings

        draw_standings(standings, command.now, command.output_style)
    late = due and any(standing.status is Age.OVERDUE for standing in standings)
    return Exit.NO if late else Exit.DONE


def _go_on(command: Rotate) -> Exit:
    """Continue every rotation that waits for nobody.

    What stops one does not stop the others.
    """
    from lollmsbot_keys.commands.rotate import Aim, RotationRequest

    code = Exit.DONE
    for name in command.unfinished():
        try:
            command.run(RotationRequest(name, Aim.RESUME), _listener(command, json=True, several=True))
        except LbkError as error:
            say(str(error))
            code = max(code, error.exit)
    return code


# --- one key ---


def _replace(command: Rotate, wanted: RotationRequest, *, json: bool) -> Exit:
    report = command.run(wanted, _listener(command, json=json))
    if json:
        from lollmsbot_keys.render.json_documents import document
        from lollmsbot_keys.render.rotate.json import report_tree

        print(document(report_tree(wanted.key, report)))
    else:
        from lollmsbot_keys.render.rotate.page import report_lines

        print("\n".join(report_lines(wanted.key, report, command.now)))
    return Exit.DONE


def _listener(command: Rotate, *, json: bool, several: bool = False) -> RotationListener:
    """Return the listener of a rotation.

    GitHub's runner is told the secrets to hide; a person sees each step as it happens.
    """
    from lollmsbot_keys.commands.rotate import RotationListener
    from lollmsbot_keys.render.github_actions import mask
    from lollmsbot_keys.render.rotate.page import step_line, step_word

    status = StatusLine(command.output_style)
    masked = set[str]()

    class RotationPrinter(RotationListener):
        def secret(self, characters: str) -> None:
            if command.workflow and characters not in masked:
                masked.add(characters)
                print(mask(characters), file=sys.stderr if json else sys.stdout, flush=True)

        def doing(self, step: Step) -> None:
            status.show(f"lbk: {step_word(step)} …")

        def done(self, key: str, report: StepReport) -> None:
            status.wipe()
            say(f"{key}: {step_line(report)}" if several else step_line(report))

        def stopped(self) -> None:
            status.wipe()

        def stands(self, message: str) -> None:
            status.wipe()
            say(message)

        def ask(self, key: str) -> str:
            return _asked(key)

    return RotationPrinter()


def _asked(key: str) -> str:
    """Ask for the new secret: with a prompt that does not show it, or from all of standard input."""
    if sys.stdin is None:
        return ""
    if not sys.stdin.isatty():
        return sys.stdin.buffer.read(_LONGEST_INPUT).decode("utf-8", "replace")
    from lollmsbot_keys.cli.hidden_input import hidden

    return hidden(f"New secret for {key} (it is not shown): ")
