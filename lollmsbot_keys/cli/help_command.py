"""Typer's commands, with our own help, and a hint to it wherever the arguments are wrong."""

from __future__ import annotations

from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

WRONG_USAGE: type[Exception] = typer.BadParameter.__mro__[2]
"""What Typer raises when it cannot read the arguments. It prints itself; Typer exports only this subclass of it."""


class _Helped:
    """What commands and groups of commands have in common. Typer keeps the types of these arguments to itself."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write the help: drawn by ourselves, since Typer groups options by rich only."""
        from lollmsbot_keys.cli.docs.help_text import write

        write(ctx, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401
        """What follows the command's name. An argument that must be given has no braces: those mean a choice."""
        pieces: list[str] = super().collect_usage_pieces(ctx)  # type: ignore[misc]  # of Typer's class beside us
        return [piece.removeprefix("{").removesuffix("}") for piece in pieces]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Read the arguments. A value that is missing at the end does not know its command, and showed no usage."""
        try:
            return cast("list[str]", super().parse_args(ctx, args))  # type: ignore[misc]  # of Typer's class beside us
        except WRONG_USAGE as error:
            cast("Any", error).ctx = getattr(error, "ctx", None) or ctx
            raise


class HelpedCommand(_Helped, TyperCommand):
    """One command."""


class HelpedGroup(_Helped, TyperGroup):
    """Several commands under one name."""
