"""A new value is put only where it changes nothing else, for any of the programs that read dotenv files."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from lollmsbot_keys.edges.files.dotenv_reading import values
from lollmsbot_keys.edges.targets.dotenv_edit import obstacle, with_value
from tests.targets_lab import NEW, refusal, target

DIFFER = {
    # more than one assignment or command in the line
    "export A=old OTHER=abc\n": "line 1 has more than the value of A",
    "A=old OTHER=abc\n": "line 1 has more",
    "A=old; B=2\n": "line 1 has more",
    "A=old && export A\n": "line 1 has more",
    "A=old&B=2\n": "line 1 has more",
    "A=old|cat\n": "line 1 has more",
    "A=old ;# c\n": "line 1 has more",
    "B=1\nA=two words # c\n": "line 2 has more",
    "export A='old' OTHER=abc\n": "line 1 names A",
    'export A="old" OTHER=abc\n': "line 1 names A",
    'A="old"; B=2\n': "line 1 names A",
    "A='old'x\n": "line 1 names A",
    "A='o''ld'\n": "line 1 names A",
    "A=o'ld'\n": "line 1 has more",
    "A=$(pass show a)\n": "line 1 has more",
    "A=`pass`\n": "line 1 has more",
    "export OTHER=abc A=old\n": "line 1 names A",
    "B=2; A=old\n": "line 1 names A",
    "B=2 A=old\n": "line 1 names A",
    "if true; then A=old; fi\n": "line 1 names A",
    "declare -x A=old\n": "line 1 names A",
    "A=same\nreadonly A=same\n": "line 2 names A",
    # lines that go on
    "A=ol\\\nd\n": "line 1 has more",
    "B=1\\\nA=old\n": "line 2 has A inside a quote, or behind a backslash",
    "B=1\\\r\n  export A=old\r\n": "line 2 has A inside",
    "# c \\\nA=old\n": "line 2 has A inside",
    "B='x\ny'\nC=it's\nA=old\nD=that's\n": "line 4 has A inside",
    # quotes over several lines, for programs that do not know them
    'A=new\nC="one\nA=old\n"\n': "line 3 names A",
    "C='one\n export A=old\n'\nA=new\n": "line 2 names A",
    # other ways to write it
    "A: old\n": "line 1 names A",
    "A=old\nA: old\n": "line 2 names A",
    "export 'A' : old\n": "line 1 names A",
    # white space that python-dotenv alone takes for the end
    "A=old\x0b\n": "line 1 has more",
    "A=old\u00a0\n": "line 1 has more",
    "A=old\u00a0# c\n": "line 1 has more",
    "export\u2003A=old\n": "line 1 has more",
    "A=old\rB=2\n": "line 1 has a carriage return without",
    "B=1\rA=old\r": "line 1 has a carriage return without",
    "B=1\r": "line 1 has a carriage return without",
    # twice
    "A=one\nA=two\n": "gives A different values (lines 1, 2)",
    "B=1\nA=one\nexport A=\n": "gives A different values (lines 2, 3)",
    # where a new line would be read as part of something else
    'C="no end\nB=1': "line 1 begins a quote without an end",
    'B=1\nC="x\nA=old\n': "line 2 begins a quote",
    "B=1\\\n": "its last line ends in a backslash",
    "# c \\": "its last line ends in a backslash",
}
ALIKE = (
    "A=old\n", "A=old", "export A=old\n", "  export A=old\n", "A='old'\n", 'A="old" # why; B=1\n', "A=\n",
    "A=old # A=other; A=third\n", "A=old#glued\n", "A=a$X\n", "A=a\\b\n", "A=ab==\n", "A=old  \n", "A='two words'\n",
    "A=one\nA=one\n", "A=old\nexport A\n", "export A\nA=old\n", "A='old'\nexport A='old'\n", "export A\n", "",
    "A='two\nlines'\n",
)  # fmt: skip
NEIGHBOURS = (
    "", "\n", "# it's A=no\n", "# c\n", "B=1\n", "export B='it is' # c\n", 'B="x # y"\n', "B='A=no'\n", "AA=1\nA_=2\n",
    "_A=1\n", "B='one\ntwo'\n", 'B="one\n two\n"\n', "B=x\\y\n", "export B\n", "B=$HOME/x\n", "B=1 # see A=x\n",
    "B='a' # it's\n", "set -a\n",
)  # fmt: skip

Reading = dict[str, str | None]


@pytest.mark.parametrize(("text", "says"), DIFFER.items())
def test_where_programs_differ_nothing_is_changed(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(text.encode())
    place = target("dotenv:.env#A", tmp_path)
    for action in (place.check, lambda: place.write(NEW)):
        said = refusal(action)
        assert says in said
        assert str(path) in said
        assert "old" not in said
    assert path.read_bytes() == text.encode()


def texts() -> Iterator[str]:
    """What can be changed: every kind of line, between every kind of neighbours."""
    for one in ALIKE:
        for before in NEIGHBOURS:
            ending = "" if one.endswith("\n") else "\n"
            yield before + one + ending * (one != "") + NEIGHBOURS[(NEIGHBOURS.index(before) + 4) % len(NEIGHBOURS)]


def by_shell(shell: str, folder: Path) -> Callable[[Mapping[str, str]], dict[str, Reading]]:
    """One process reads them all, each in a subshell of its own."""

    def read(named: Mapping[str, str]) -> dict[str, Reading]:
        for name, text in named.items():
            (folder / name).write_text(text)
        script = "for f in *; do (set -a; . ./$f; printf 'FILE=%s\\0' $f; env -0); done"
        environ = {"PATH": os.defpath, "HOME": "/home/me"}
        done = subprocess.run(
            [shell, "-c", script], cwd=folder, env=environ, capture_output=True, check=True, timeout=120
        )
        found: dict[str, Reading] = {}
        for entry in done.stdout.decode().split("\0")[:-1]:
            name, _, value = entry.partition("=")
            if name == "FILE":
                found[value] = {}
            elif name not in {"_", "PWD", "OLDPWD", "SHLVL"}:
                found[list(found)[-1]][name] = value
        return found

    return read


def by_node(named: Mapping[str, str]) -> dict[str, Reading]:
    """What `node --env-file` reads."""
    script = (
        "const {parseEnv} = require('node:util');"
        "const all = JSON.parse(require('fs').readFileSync(0));"
        "console.log(JSON.stringify(Object.fromEntries(Object.entries(all).map(([k, v]) => [k, parseEnv(v)]))))"
    )
    done = subprocess.run(["node", "-e", script], input=json.dumps(named).encode(), capture_output=True, check=True)
    found: dict[str, Reading] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("program", ["sh", "bash", "zsh", "node"])
def test_every_program_reads_the_new_value_and_all_else_as_before(program: str, tmp_path: Path) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}")
    if program == "node" and b"function" not in subprocess.run(
        ["node", "-p", "typeof require('node:util').parseEnv"], capture_output=True, check=False
    ).stdout:  # fmt: skip
        pytest.skip("this node is older than 20.12")
    kinds = dict.fromkeys(texts())
    if program == "node":  # version 20 joins a line without a = to the next one
        kinds = {text: None for text in kinds if re.search("(?m)^(export [AB]|set -a)$", text) is None}
    before = {f"{number:04}": text for number, text in enumerate(kinds)}
    after = dict[str, str]()
    for number, text in before.items():
        assert obstacle(text, "A") is None, text
        changed = with_value(text, "A", "new-value")
        assert changed is not None, text
        assert values(changed) == {**values(text), "A": "new-value"}
        after[number] = changed
    read = by_node if program == "node" else by_shell(program, tmp_path)
    was, now = read(before), read(after)
    assert len(was) == len(now) == len(before)
    for number, text in before.items():
        assert now[number] == {**was[number], "A": "new-value"}, (text, was[number], now[number])
