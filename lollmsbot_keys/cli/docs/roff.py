"""The man pages, in the man(7) macros that groff and mandoc both know.

There is one for lbk and one for each command, as with git.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from lollmsbot_keys._version import __version__
from lollmsbot_keys.cli.docs import OWN, exits, page, panels, told
from lollmsbot_keys.cli.docs.environment_and_files import Thing, files, of, variables
from lollmsbot_keys.cli.docs.types import ManualPage
from lollmsbot_keys.cli.introspect import Argument, Command, Option

REVISED = "2026-11-23"
"""The day of the last revision of the texts.

It is not the day of the build: the same sources make the same pages.
"""

_WIDTH = 76
_SPECIAL = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", "…": "...", "×": "x"}


def pages(lbk: Command) -> dict[str, str]:
    """Return the text of each page by the name of its file."""
    return {f"{'-'.join(one.path)}.1": "\n".join(_page(one, lbk)) + "\n" for one in [lbk, *_shown(lbk)]}


def _page(command: Command, lbk: Command) -> Iterator[str]:
    name, its = "-".join(command.path), page(command)
    whole = command.path == lbk.path
    yield '.\\" Made by python -m lollmsbot_keys.cli.docs, not by hand.'
    yield f'.TH {name.upper()} 1 {REVISED} "lbk {__version__}" lbk\n.nh\n.ad l'
    yield from _section("NAME", _lines(f"{name} - {_clause(its.paragraphs[0] if whole else command.summary)}"))
    yield from _section("SYNOPSIS", _synopsis(command, whole=whole))
    yield from _section("DESCRIPTION", _paragraphs(its.paragraphs))
    if whole:
        yield from _section("COMMANDS", _list((f"lbk-{one.name}(1)", one.summary) for one in _shown(command)))
    elif command.commands:
        yield from _section("COMMANDS", (line for one in _shown(command) for line in _subcommand(one)))
    yield from _section("OPTIONS", _options(command))
    yield from _section("EXIT STATUS", _list((str(code), f"{_sentence(text)}") for code, text in exits(its).items()))
    yield from _section("ENVIRONMENT", _things(variables(), command, whole=whole))
    yield from _section("FILES", _things(files(), command, whole=whole))
    yield from _section("EXAMPLES", _examples([its, *map(page, _shown(command) if not whole else ())]))
    others = [f"{'-'.join(one.path)}(1)" for one in [lbk, *_shown(lbk)] if one.path != command.path]
    yield from _section("SEE ALSO", [",\n".join(f"\\fB{_plain(other[:-3])}\\fR(1)" for other in others)])


# --- sections ---


def _section(name: str, lines: Iterable[str], macro: str = "SH") -> Iterator[str]:
    yield f'.{macro} "{name}"' if " " in name else f".{macro} {name}"
    yield from lines


def _synopsis(command: Command, *, whole: bool) -> Iterator[str]:
    for at, one in enumerate([command] if whole else (_shown(command) or [command])):
        if at:
            yield ".br"
        usage = re.sub(r"[A-Z][\w.…]*", lambda word: f"\\fI{word[0]}\\fR", _plain(one.usage))
        yield f"\\fB{_plain(' '.join(one.path))}\\fR {usage}"


def _subcommand(command: Command) -> Iterator[str]:
    yield from _section(_plain(" ".join(command.path[1:])), _paragraphs(page(command).paragraphs), "SS")
    yield from _options(command, grouped=False)


def _options(command: Command, *, grouped: bool = True) -> Iterator[str]:
    yield from _list((_spelt(one), _told(one)) for one in command.arguments if not one.hidden)
    for heading, options in panels(command).items():
        if grouped and heading != OWN:
            yield from _section(_plain(heading), (), "SS")
        yield from _list((_spelt(one), _told(one)) for one in options)


def _things(things: tuple[Thing, ...], command: Command, *, whole: bool) -> Iterator[str]:
    if whole:
        yield from _list((thing.name, thing.meaning) for thing in things)
        return
    its = of(command, things)
    yield from _list((thing.name, thing.meaning) for thing in its)
    yield from [*([".PP"] if its else []), "\\fBlbk\\fR(1) has what all commands have in common."]


def _examples(pages: Sequence[ManualPage]) -> Iterator[str]:
    examples = {example.line: example for its in pages for example in its.examples}
    for at, example in enumerate(examples.values()):
        yield from [*([".PP"] if at else []), *_lines(_sentence(example.purpose))]
        yield from [".PP", ".RS 4", ".EX", f"$ {_plain(example.line)}", ".EE", ".RE"]


# --- pieces ---


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for at, text in enumerate(texts):
        if at:
            yield ".PP"
        yield from _lines(text)


def _list(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a list of definitions; a term that is marked up already stays as it is."""
    for term, text in rows:
        yield from [".TP", term if "\\f" in term else f"\\fB{_plain(term)}\\fR", *_lines(text)]


def _spelt(parameter: Option | Argument) -> str:
    metavar = f"\\fI{_plain(parameter.value.metavar)}\\fR" if parameter.value else ""
    if isinstance(parameter, Argument):
        return metavar
    flags = ", ".join(f"\\fB{_plain(flag)}\\fR" for flag in sorted(parameter.flags, key=len))
    return f"{flags} {metavar}".strip()


def _told(parameter: Option | Argument) -> str:
    return told(parameter) if isinstance(parameter, Option) else parameter.help


def _shown(command: Command) -> list[Command]:
    return [one for one in command.commands if not one.hidden]


def _clause(sentence: str) -> str:
    return f"{sentence[0].lower()}{sentence[1:].removesuffix('.')}"


def _sentence(clause: str) -> str:
    ended = clause if clause.endswith((".", "?", "!")) else f"{clause}."
    return ended if ended.startswith("-") else f"{ended[0].upper()}{ended[1:]}"


def _lines(text: str) -> list[str]:
    """Break running text into short lines, none of which a formatter takes for a request."""
    lines = wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"\\&{line}" if line.startswith(".") else line for line in map(_plain, lines)]


def _plain(text: str) -> str:
    """Escape the characters that a formatter would change into typographic ones."""
    return "".join(_SPECIAL.get(character, character) for character in text)
