"""What README and docs/ show, spelt as the program spells it. `.ci/run` runs README's first two commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from lollmsbot_keys.cli.app import COMMANDS
from lollmsbot_keys.cli.docs.all_commands import surface
from lollmsbot_keys.cli.docs.environment_and_files import variables
from lollmsbot_keys.cli.docs.types import MEANINGS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
EVERYWHERE = "\n".join(PAGES.values())
BY_HAND = "\n".join(text for path, text in PAGES.items() if path.name != "reference.md")
LBK = surface()
SEPARATORS = frozenset("();<>|&\n")


def shell_blocks(text: str = EVERYWHERE) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def calls_in(script: str) -> Iterator[list[str]]:
    """The arguments of every `lbk` call in `script`, and in the scripts quoted inside it (`sh -c '…'`)."""
    script = re.sub(r"(?<!\S)#.*", "", script.replace("\\\n", " "))
    lexer = shlex.shlex(script, posix=True, punctuation_chars="".join(SEPARATORS))
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    words: list[str] = []
    for token in [*lexer, "\n"]:
        if SEPARATORS.issuperset(token):
            yield from _calls_of(words)
            words = []
        else:
            words.append(token)


def _calls_of(words: Sequence[str]) -> Iterator[list[str]]:
    at = next((place for place, word in enumerate(words) if word == "lbk" or word.endswith("/lbk")), len(words))
    for word in words[:at]:
        if re.search(r"\blbk\s", word):
            yield from calls_in(word)
    if at < len(words):
        arguments = list(words[at + 1 :])
        end = arguments.index("--") if "--" in arguments else len(arguments)
        yield arguments[:end]
        yield from _calls_of(arguments[end + 1 :])


@cache
def help_of(*command: str) -> str | None:
    """What `lbk COMMAND --help` prints; `None` if there is no such command."""
    done = subprocess.run(
        [sys.executable, "-m", "lollmsbot_keys", *command, "--help"],
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in {0, 2}, done.stderr
    return done.stdout if done.returncode == 0 else None


def unknown_in(arguments: Sequence[str]) -> list[str]:
    """The words of one call that its help does not know as a command or an option."""
    command: list[str] = []
    text = help_of()
    while text and re.search(r"Usage: .*\bCOMMAND\b", text) and len(command) < len(arguments):
        word = arguments[len(command)]
        if word.startswith("-"):
            break
        command.append(word)
        text = help_of(*command)
    if text is None:
        return command
    options = [word.partition("=")[0] for word in arguments if word.startswith("-") and word != "-"]
    return [option for option in options if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text)]


def test_the_first_two_blocks_begin_with_a_whole_command() -> None:
    first_lines = [block.splitlines()[0] for block in shell_blocks(README)[:2]]
    assert len(first_lines) == 2
    for line in first_lines:
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert not line.endswith(("\\", "&&", "|"))
        assert shlex.split(line)


def test_commands_are_made_of_what_exists() -> None:
    calls = [call for block in shell_blocks() for call in calls_in(block)]
    assert len(calls) >= 3
    assert {shlex.join(call): found for call in calls if (found := unknown_in(call))} == {}


def rows(heading: str) -> dict[str, str]:
    """The first table under a heading: what stands in its second column, by the first."""
    part = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = re.findall(r"(?m)^\| (.*?) \| (.*?) \|$", part.partition("\n\n```")[0])
    return dict(row for row in table[1:] if not row[0].startswith("---"))


def test_every_command_is_named_and_no_other() -> None:
    named = [re.sub(r"`lbk ([\w-]+).*`", r"\1", first) for first in rows("Commands")]
    assert sorted(named) == sorted(COMMANDS)


def test_the_subcommands_are_those_that_exist() -> None:
    below = {command.name for one in LBK.commands for command in one.commands if not command.hidden}
    assert below == {word for word in re.findall(r"`(\w+)`", rows("Commands")["`lbk config`"]) if word in below}


def test_the_exit_codes_are_the_real_ones() -> None:
    assert rows("Exit codes") == {str(int(code)): meaning for code, meaning in MEANINGS.items()}


def test_every_environment_variable_is_named() -> None:
    names = [name for thing in variables() for name in thing.name.split(", ")]
    assert [name for name in names if not re.search(rf"\b{name}\b", BY_HAND)] == []


def test_an_option_that_is_spoken_of_exists() -> None:
    prose = re.sub(r"(?ms)^```.*?^```$", "", EVERYWHERE)
    spans = [span for span in re.findall(r"`([^`]+)`", prose) if re.match(r"(\S*/)?lbk |-", span)]
    claimed = {flag for span in spans for flag in re.findall(r"(?<![\w-])--?[a-z][\w-]*", span.partition(" -- ")[0])}
    known = {flag for command in LBK.walk() for option in command.options for flag in option.flags}
    assert "--json" in claimed
    assert claimed - known == set()


def headings(text: str) -> set[str]:
    """The headings of a page as links spell them."""
    return {re.sub(r"[^\w -]", "", name).lower().replace(" ", "-") for name in re.findall(r"(?m)^#+ (.*)$", text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]+))?\)", PAGES[page])
    targets = {(page.parent / to).resolve() if to else page: heading for to, heading in links}
    assert [target for target in targets if not target.exists()] == []
    assert [to for to, heading in targets.items() if heading and heading not in headings(to.read_text("utf-8"))] == []


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(ROOT / link).resolve() for link in re.findall(r"\]\((docs/[^)#]+)", README)}
    assert linked >= PAGES.keys() - {ROOT / "README.md"}


@pytest.mark.parametrize("call", ["rout", "route --quite", "config shwo", "config show --jsn"])
def test_a_slip_is_seen(call: str) -> None:
    assert unknown_in(call.split()) != []


@pytest.mark.parametrize(
    ("script", "calls"),
    [
        ("lbk route -q # why", [["route", "-q"]]),
        ("a && .venv/bin/lbk costs --json | jq .", [["costs", "--json"]]),
        ("lbk ask \\\n  hi\nlbk costs", [["ask", "hi"], ["costs"]]),
        (
            "lbk sandbox --fault A=429:1 -- sh -c 'lbk ask \"hi\"; lbk costs'",
            [["sandbox", "--fault", "A=429:1"], ["ask", "hi"], ["costs"]],
        ),
        ("lbk rotate A --to dotenv:.env#A", [["rotate", "A", "--to", "dotenv:.env#A"]]),
        ("lbk sandbox -- lbk ask hi", [["sandbox"], ["ask", "hi"]]),
        ("pip install lollmsbot-keys", []),
    ],
)
def test_calls_are_found(script: str, calls: list[list[str]]) -> None:
    assert list(calls_in(script)) == calls
