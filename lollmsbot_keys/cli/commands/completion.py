"""`lbk completion`."""

from __future__ import annotations

from enum import StrEnum

from lollmsbot_keys.errors import Exit

TYPE_CHECKING = False  # type checkers know the name, and `typing` takes a third of the time that all the rest takes
if TYPE_CHECKING:  # the signature is text until `app.declared` reads it: every new shell waits for this command
    from typing import Annotated

    import typer

    from lollmsbot_keys.cli.options import JsonOption


class CompletionShell(StrEnum):
    """The shell that the completions are for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_FILES = {CompletionShell.BASH: "lbk.bash", CompletionShell.ZSH: "_lbk", CompletionShell.FISH: "lbk.fish"}


def completion(
    shell: Annotated[CompletionShell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
    json: JsonOption = False,
) -> Exit:
    """Print what teaches a shell to complete lbk's commands, options, and the names of your configuration."""
    from lollmsbot_keys.commands.completion import script

    text = script(_FILES[shell])
    if json:
        from lollmsbot_keys.render.json_documents import document

        print(document({"shell": shell, "script": text}))
    else:
        print(text, end="")
    return Exit.DONE
