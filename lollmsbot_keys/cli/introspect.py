"""The whole command line as values, from which help, man pages, completions and the table of hot options are made.

This is the one walk over the Typer app. `surface` loads all of it: nothing that a person waits for calls that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from inspect import unwrap
from types import NoneType
from typing import Any, cast, get_args, get_type_hints

import typer
from typer.core import TyperGroup, TyperOption

from lollmsbot_keys.core.base.namedtuple import NamedTuple


class ValueKind(StrEnum):
    """The kind of value that an option or an argument takes."""

    CHOICE = "choice"
    KEY = "key"
    KEY_OR_LOCAL = "key-or-local"
    PILLAR = "pillar"
    ROLE = "role"
    MODEL = "model"
    ASSUMPTION = "assumption"
    FAULT = "fault"
    TARGET = "target"
    SETTING = "setting"
    REQUEST = "request"
    FILE = "file"
    COMMAND_LINE = "command-line"
    DURATION = "duration"
    TIME = "time"
    DATE = "date"
    AMOUNT = "amount"
    NUMBER = "number"
    ADDRESS = "address"
    TEXT = "text"


METAVARS = {
    "KEY": ValueKind.KEY,
    "KEY…": ValueKind.KEY,
    "NAME": ValueKind.KEY_OR_LOCAL,
    "PILLAR": ValueKind.PILLAR,
    "ROLE": ValueKind.ROLE,
    "MODEL": ValueKind.MODEL,
    "KEY=STATE": ValueKind.ASSUMPTION,
    "KEY=KIND[:N]": ValueKind.FAULT,
    "TARGET": ValueKind.TARGET,
    "KEY.PATH": ValueKind.SETTING,
    "ID": ValueKind.REQUEST,
    "PATH": ValueKind.FILE,
    "FILE": ValueKind.FILE,
    "-- CMD…": ValueKind.COMMAND_LINE,
    "DURATION": ValueKind.DURATION,
    "TIME": ValueKind.TIME,
    "DATE": ValueKind.DATE,
    "USD": ValueKind.AMOUNT,
    "N": ValueKind.NUMBER,
    "T": ValueKind.NUMBER,
    "ADDR:PORT": ValueKind.ADDRESS,
    "TEXT": ValueKind.TEXT,
    "PROMPT": ValueKind.TEXT,
}
"""The kind of value that each metavar stands for.

Each metavar has one meaning. Choices need none.
"""


class OptionValue(NamedTuple):
    """The value that an option or an argument takes.

    `type` is the Python type of the value; of each value, where there may be several.
    """

    metavar: str
    kind: ValueKind
    type: type
    choices: tuple[str, ...] = ()


class Option(NamedTuple):
    """One option.

    `value` is `None` for a flag. `default` is what help shows. `negated` are the spellings that switch a flag off.
    `acts`: the option means something where it is not given (a variable, a prompt), or has work of its own to do.
    """

    parameter: str
    flags: tuple[str, ...]
    value: OptionValue | None
    help: str
    default: str | None = None
    panel: str | None = None
    repeatable: bool = False
    hidden: bool = False
    negated: tuple[str, ...] = ()
    acts: bool = False


class Argument(NamedTuple):
    """One argument; `repeatable`: one or more."""

    parameter: str
    value: OptionValue
    help: str
    default: str | None = None
    panel: str | None = None
    required: bool = False
    repeatable: bool = False
    hidden: bool = False


class Command(NamedTuple):
    """One command, `lbk` itself included.

    `path` is how it is called, `usage` what follows that. `interspersed`: options may follow arguments; else everything
    after the first argument belongs to that argument.
    """

    path: tuple[str, ...]
    usage: str
    summary: str
    help: str
    epilog: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    commands: tuple[Command, ...] = ()
    interspersed: bool = True
    hidden: bool = False

    @property
    def name(self) -> str:
        """The last word of its path."""
        return self.path[-1]

    def walk(self) -> Iterator[Command]:
        """Yield this command and all below it, each before its own subcommands."""
        yield self
        for command in self.commands:
            yield from command.walk()


def described(context: typer.Context) -> Command:
    """Describe the command that `context` is about, and those below it as far as they are loaded."""
    return command_of(context.command, context.info_name or "lbk", cast("typer.Context | None", context.parent))


def command_of(command: Any, name: str, parent: typer.Context | None) -> Command:  # noqa: ANN401 - Typer hides its types
    context = typer.Context(command, parent=cast("Any", parent), info_name=name, **command.context_settings)
    parameters = command.get_params(context)
    hints = _types(command.callback)
    below = command.list_commands(cast("Any", context)) if isinstance(command, TyperGroup) else ()
    return Command(
        path=tuple(context.command_path.split()),
        usage=" ".join(command.collect_usage_pieces(context)),
        summary=command.get_short_help_str(limit=200),
        help=command.help or "",
        epilog=command.epilog or "",
        options=tuple(_option(one, hints, context) for one in parameters if isinstance(one, TyperOption)),
        arguments=tuple(_argument(one, hints, context) for one in parameters if not isinstance(one, TyperOption)),
        commands=tuple(command_of(command.commands[one], one, context) for one in below),
        interspersed=context.allow_interspersed_args,
        hidden=command.hidden,
    )


def _option(option: TyperOption, hints: dict[str, type], context: typer.Context) -> Option:
    return Option(
        parameter=option.name or "",
        flags=tuple(sorted(option.opts, key=_place(context))),
        value=None if option.is_flag or option.count else _value(option, hints, context),
        help=option.help or "",
        default=_default(option, context),
        panel=option.rich_help_panel,
        repeatable=option.multiple or option.count,
        hidden=option.hidden,
        negated=tuple(option.secondary_opts),
        acts=bool(option.required or option.envvar or option.callback or option.prompt),
    )


def _place(context: typer.Context) -> Callable[[str], int]:
    """Return a sort key that puts the spellings of an option in the order of their declaration.

    The spellings of help come out of a set, in another order each time.
    """
    helps = list(context.help_option_names)
    return lambda flag: helps.index(flag) if flag in helps else -1


def _argument(argument: Any, hints: dict[str, type], context: typer.Context) -> Argument:  # noqa: ANN401 - as above
    return Argument(
        parameter=argument.name,
        value=_value(argument, hints, context),
        help=argument.help or "",
        default=_default(argument, context),
        panel=argument.rich_help_panel,
        required=argument.required,
        repeatable=argument.nargs != 1,
        hidden=argument.hidden,
    )


def _value(parameter: Any, hints: dict[str, type], context: typer.Context) -> OptionValue:  # noqa: ANN401 - as above
    choices: Sequence[str] = getattr(parameter.type, "choices", ())
    metavar = parameter.metavar or parameter.make_metavar(ctx=context)
    kind = ValueKind.CHOICE if choices else METAVARS.get(metavar[1:-1] if metavar.startswith("[") else metavar)
    if kind is None:
        raise ValueError(f"{context.command_path}: what is {metavar} ({parameter.name})? METAVARS does not know it.")
    return OptionValue(metavar, kind, hints.get(parameter.name, str), tuple(choices))


def _default(parameter: Any, context: typer.Context) -> str | None:  # noqa: ANN401 - as above
    value = parameter.get_default(context, call=False)
    shown = parameter.show_default and value is not None and not isinstance(value, bool)
    return str(getattr(value, "value", value)) if shown else None


def _types(function: Callable[..., object] | None) -> dict[str, type]:
    """Return the type of each parameter of a command: `str` for `Annotated[str | None, …]` and for `list[str]`."""
    # Typer wraps it, and from Python 3.14 on a wrapper has no annotations of its own that are values.
    hints = get_type_hints(unwrap(function)) if function is not None else {}
    return {name: _plain(hint) for name, hint in hints.items()}


def _plain(hint: object) -> type:
    """Return the one type within `list[…]` and `… | None`."""
    inner = [one for one in get_args(hint) if one is not NoneType]
    return _plain(inner[0]) if inner else cast("type", hint)
