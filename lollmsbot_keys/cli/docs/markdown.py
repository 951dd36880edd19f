"""The page docs/reference.md, with every command and option, for people who read in a browser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lollmsbot_keys.cli.docs import exits, page, panels, told
from lollmsbot_keys.cli.docs.environment_and_files import Thing, files, variables
from lollmsbot_keys.cli.docs.types import MEANINGS
from lollmsbot_keys.cli.introspect import Command, Option

_HEAD = """\
# Reference

Made by `python -m lollmsbot_keys.cli.docs` from the same words as `lbk COMMAND --help` and the man pages, not by
hand. [The first page](index.md) says where to begin.
"""


def reference(lbk: Command) -> str:
    """Return the whole page."""
    lines = [_HEAD, *_contents(lbk)]
    for command in lbk.walk():
        if not command.hidden:
            lines += _command(command)
    lines += [
        "## Exit codes",
        "",
        *_table(("code", "means"), ((str(int(code)), text) for code, text in MEANINGS.items())),
    ]
    lines += ["## Environment variables", "", "An empty one counts as unset.", "", *_things(variables())]
    lines += ["## Files", "", "Where Linux has them; on macOS and Windows they are where such files belong there.", ""]
    return "\n".join([*lines, *_things(files())]).rstrip() + "\n"


def _contents(lbk: Command) -> Iterator[str]:
    rows = ((f"[`{' '.join(one.path)}`](#{'-'.join(one.path)})", one.summary) for one in lbk.commands if not one.hidden)
    yield from _table(("command", "does"), rows)


def _command(command: Command) -> Iterator[str]:
    name = " ".join(command.path)
    its = page(command)
    yield from [
        f"{'###' if len(command.path) > 2 else '##'} {name}",
        "",
        "```text",
        f"{name} {command.usage}",
        "```",
        "",
    ]
    for paragraph in its.paragraphs:
        yield from [_escaped(paragraph), ""]
    rows = [(f"`{one.value.metavar}`", _cell(one.help)) for one in command.arguments if not one.hidden]
    if rows:
        yield from _table(("argument", "is"), rows)
    for heading, options in panels(command).items():
        yield from _table((heading.lower(), "does"), ((_spelt(one), _cell(told(one))) for one in options))
    if its.examples:
        width = max(len(example.line) for example in its.examples)
        yield from ["```sh", *(f"{one.line.ljust(width)}  # {one.purpose}" for one in its.examples), "```", ""]
    yield from _table(("exit code", "means"), ((str(int(code)), _cell(text)) for code, text in exits(its).items()))


def _things(things: Iterable[Thing]) -> Iterator[str]:
    rows = ((", ".join(f"`{name}`" for name in thing.name.split(", ")), _cell(thing.meaning)) for thing in things)
    yield from _table(("name", "is"), rows)


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from [f"| {' | '.join(head)} |", "| --- | --- |", *(f"| {first} | {second} |" for first, second in rows), ""]


def _spelt(option: Option) -> str:
    metavar = f" {option.value.metavar}" if option.value else ""
    return f"`{', '.join(sorted(option.flags, key=len))}{metavar}`"


def _cell(text: str) -> str:
    return _escaped(" ".join(text.split())).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Escape the characters of `text` that would be markup."""
    return "".join(f"\\{character}" if character in "*<[]~`\\" else character for character in text)
