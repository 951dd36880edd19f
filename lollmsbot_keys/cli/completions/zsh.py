"""The script for zsh, which gives the options and arguments to `_arguments`.

That function knows best how a zsh user completes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lollmsbot_keys.cli.completions.words import NAMES, below, brief, choices, framed, offered, title, whole
from lollmsbot_keys.cli.introspect import Argument, Command, Option, OptionValue, ValueKind

MESSAGES = {
    ValueKind.DURATION: "duration, such as 30s, 5m or 1h",
    ValueKind.TIME: "time, such as +2h or 2026-11-23T18\\:30",
    ValueKind.DATE: "date, such as 2026-11-01",
    ValueKind.AMOUNT: "US dollars",
    ValueKind.ADDRESS: "address and port, such as 127.0.0.1\\:9847",
}


def source(lbk: Command) -> str:
    """Return the whole script."""
    targets = "\n".join(
        f"            {_described(one.text, one.about)}" for one in choices(OptionValue("", ValueKind.TARGET, str))
    )
    return framed("zsh", commands="\n".join(_body(whole(lbk), 1)), targets=targets)


def _body(command: Command, depth: int) -> Iterator[str]:
    """Yield the lines that complete one command, with those of all its subcommands."""
    indent = "    " * depth
    subcommands = below(command)
    yield f"{indent}_arguments -C -s -S \\"
    yield from (f"{indent}    {_quoted(spec)} \\" for one in offered(command) for spec in _option(one))
    if not subcommands:
        yield from (f"{indent}    {_quoted(_argument(one, command))} \\" for one in command.arguments if not one.hidden)
        yield f"{indent}    && ret=0"
        return
    yield f"{indent}    '(-)1: :->command' '(-)*:: :->rest' && ret=0"
    yield f"{indent}case ${{state[1]-}} in"
    yield f"{indent}    command)"
    yield f"{indent}        local -a commands=("
    yield from (f"{indent}            {_described(one.name, title(one))}" for one in subcommands)
    yield f"{indent}        )"
    yield f"{indent}        _describe -t commands '{' '.join(command.path)} command' commands && ret=0"
    yield f"{indent}        ;;"
    yield f"{indent}    rest)"
    yield f"{indent}        curcontext=${{curcontext%:*}}-${{words[1]}}:"
    yield f"{indent}        case ${{words[1]}} in"
    for one in command.commands:
        yield f"{indent}            {one.name})"
        yield from _body(one, depth + 4)
        yield f"{indent}                ;;"
    yield f"{indent}        esac"
    yield f"{indent}        ;;"
    yield f"{indent}esac"


def _option(option: Option) -> Iterator[str]:
    """Yield one entry for each spelling; the spellings exclude each other, unless the option may be repeated."""
    spellings = (*option.flags, *option.negated)
    others = "- *" if option.parameter in {"help", "version"} else " ".join(spellings)
    before = "*" if option.repeatable else f"({others})"
    about = re.sub(r"([][\\])", r"\\\1", brief(option.help))
    for spelling in spellings:
        if option.value is None:
            yield f"{before}{spelling}[{about}]"
        else:
            joint = "=" if spelling.startswith("--") else "+"
            yield f"{before}{spelling}{joint}[{about}]:{_message(option)}:{_action(option.value)}"


def _argument(argument: Argument, command: Command) -> str:
    if argument.value.kind is ValueKind.COMMAND_LINE:
        return "(-)*::command: _lbk_inside"
    place = "*" if argument.repeatable else ":" if not argument.required else ""
    if not command.interspersed:
        raise ValueError(f"{' '.join(command.path)}: only a command line ends the options")
    return f"{place}:{_message(argument)}:{_action(argument.value)}"


def _message(parameter: Option | Argument) -> str:
    """Return the message in which zsh says what is wanted.

    Where there is nothing to choose from, zsh can say no more than this.
    """
    if parameter.value is None or parameter.value.kind is ValueKind.CHOICE:
        return parameter.parameter.replace("_", " ")
    return MESSAGES.get(parameter.value.kind, parameter.value.kind.replace("-", " "))


def _action(value: OptionValue) -> str:
    if value.kind in NAMES:
        return f"_lbk_names {value.kind}"
    if value.kind is ValueKind.TARGET:
        return "_lbk_targets"
    if value.kind is ValueKind.FILE:
        return "_files"
    return f"({' '.join(name.text for name in choices(value))})" if choices(value) else " "


def _described(name: str, about: str) -> str:
    escaped = name.replace(":", r"\:")
    return _quoted(f"{escaped}:{about}")


def _quoted(text: str) -> str:
    escaped = text.replace("'", r"'\''")
    return f"'{escaped}'"
