"""Typer's commands with our own help, and a hint to that help wherever the arguments are wrong."""

from __future__ import annotations

from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

WRONG_USAGE: type[Exception] = typer.BadParameter.__mro__[2]
"""The error of Typer where it cannot read the arguments.

It prints itself; Typer exports only this subclass of it.
"""


class _Helped:
    """The common part of commands and groups of commands.

    Typer keeps the types of these arguments to itself.
    """

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write the help in our own form, since Typer groups options only where rich draws them."""
        from lollmsbot_keys.cli.docs.help_text import write

        write(ctx, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401
        """Return the parts of the usage line that follow the command's name.

        An argument that must be given has no braces: braces mean a choice.
        """
        pieces: list[str] = super().collect_usage_pieces(ctx)  # type: ignore[misc]  # of Typer's class beside us
        return [piece.removeprefix("{").removesuffix("}") for piece in pieces]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Read the arguments, and add the command to an error that does not know its command.

        A value that is missing at the end is such an error: it showed no usage.
        """
        try:
            return cast("list[str]", super().parse_args(ctx, args))  # type: ignore[misc]  # of Typer's class beside us
        except WRONG_USAGE as error:
            cast("Any", error).ctx = getattr(error, "ctx", None) or ctx
            raise


class HelpedCommand(_Helped, TyperCommand):
    """One command."""


class HelpedGroup(_Helped, TyperGroup):
    """Several commands under one name."""
