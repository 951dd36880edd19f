"""The README's commands: whole on one line, and spelt as the program spells them. `.ci/run` runs the first two."""

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

ROOT = Path(__file__).parent.parent
SEPARATORS = frozenset("();<>|&\n")


def shell_blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


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
    first_lines = [block.splitlines()[0] for block in shell_blocks()[:2]]
    assert len(first_lines) == 2
    for line in first_lines:
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert not line.endswith(("\\", "&&", "|"))
        assert shlex.split(line)


def test_the_readme_names_only_what_exists() -> None:
    calls = [call for block in shell_blocks() for call in calls_in(block)]
    assert len(calls) >= 3
    assert {shlex.join(call): found for call in calls if (found := unknown_in(call))} == {}


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
