"""The man pages and docs/reference.md: as the command line is now, and as their readers want them."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lollmsbot_keys.cli.app import COMMANDS
from lollmsbot_keys.cli.docs import exits, roff
from lollmsbot_keys.cli.docs.__main__ import DOCS, documents
from lollmsbot_keys.cli.docs.all_commands import surface
from lollmsbot_keys.cli.docs.environment_and_files import files, variables
from lollmsbot_keys.cli.docs.markdown import reference
from lollmsbot_keys.cli.docs.pages import PAGES
from lollmsbot_keys.cli.introspect import Command, Option, OptionValue, ValueKind
from tests.support import ROOT

LBK = surface()
WANTED = documents()
PAGES_OF_MAN = sorted(path.name for path in WANTED if path.suffix == ".1")
SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"]


def read(source: str) -> str:
    """What a page says, without the markup of man(7): one space between words."""
    text = re.sub(r"(?m)^\.(?:\\\".*|TH.*|nh|ad l|PP|TP|RS 4|RE|EX|EE|br)$", "", source)
    text = re.sub(r'(?m)^\.S[HS] "?(.*?)"?$', r"\1", text)
    for written, meant in [
        (r"\fB", ""), (r"\fI", ""), (r"\fR", ""), (r"\&", ""), (r"\(aq", "'"),
        (r"\(ga", "`"), (r"\(ha", "^"), (r"\(ti", "~"), (r"\-", "-"), (r"\e", "\\"),
    ]:  # fmt: skip
        text = text.replace(written, meant)
    return " ".join(text.split())


def page_of(name: str) -> str:
    return (DOCS / "man" / name).read_text("utf-8")


# --- fresh ---


def test_the_documents_are_as_the_command_line_is_now() -> None:
    stale = [path.name for path, text in WANTED.items() if not path.exists() or path.read_text("utf-8") != text]
    assert stale == [], "something of the help has changed: run python -m lollmsbot_keys.cli.docs"
    assert set(DOCS.glob("man/*")) == {path for path in WANTED if path.suffix == ".1"}


def test_there_is_a_page_for_lbk_and_one_for_each_command() -> None:
    assert set(PAGES_OF_MAN) == {"lbk.1", *(f"lbk-{name}.1" for name in COMMANDS)}


# --- complete ---


@pytest.mark.parametrize("name", PAGES_OF_MAN)
def test_a_page_has_its_sections_in_order(name: str) -> None:
    found = re.findall(r'(?m)^\.SH "?([A-Z ]+)"?$', page_of(name))
    assert [heading for heading in found if heading != "COMMANDS"] == SECTIONS
    for section in page_of(name).split("\n.SH ")[1:]:
        assert "\n" in section, "an empty section"


@pytest.mark.parametrize("name", PAGES_OF_MAN)
def test_a_page_tells_of_everything(name: str) -> None:
    command = next(one for one in LBK.walk() if f"{'-'.join(one.path)}.1" == name)
    text = read(page_of(name))
    assert text.startswith(f"NAME {'-'.join(command.path)} - ")
    whole = [command] if command is LBK else list(command.walk())
    for one in whole:
        its = PAGES[" ".join(one.path[1:])]
        for words in (*its.paragraphs, *(example.line for example in its.examples)):
            assert words.replace("…", "...") in text
        for option in one.options:
            metavar = f" {option.value.metavar}" if option.value else ""
            assert f" {', '.join(sorted(option.flags, key=len))}{metavar} {option.help}" in text
    for code, meaning in exits(PAGES[" ".join(command.path[1:])]).items():
        assert f" {code} {meaning.lower()}" in text.lower()
    others = {f"lbk-{one}" for one in COMMANDS} | {"lbk"}
    assert set(re.findall(r"[\w-]+(?=\(1\))", text.rpartition("SEE ALSO")[2])) == others - {name.removesuffix(".1")}


def test_the_reference_tells_of_everything() -> None:
    text = (DOCS / "reference.md").read_text("utf-8")
    for command in LBK.walk():
        assert f"# {' '.join(command.path)}\n" in text
        its = PAGES[" ".join(command.path[1:])]
        assert all(example.line in text for example in its.examples)
        assert all(f"`{', '.join(sorted(option.flags, key=len))}" in text for option in command.options)
    anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"(?m)^#+ (.*)$", text)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= anchors
    rows = re.findall(r"(?m)^\| .*$", text)
    assert len(rows) > 100
    assert [row for row in rows if len(re.findall(r"(?<!\\)\|", row)) != 3] == []


# --- variables and files ---


def read_variables() -> Iterator[str]:
    """Every name that `edges/` takes for an environment variable: a text in capitals where the environment is read."""
    edges = ROOT / "lollmsbot_keys" / "edges"
    for path in [*edges.glob("environment/*.py"), edges / "config" / "overrides.py", edges / "http" / "proxy.py"]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and len(text) > 3 and re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)*", text):
                yield text
    yield from ("HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")  # put together, or httpx's


NO_VARIABLES = {"CONFIG", "REQUEST_METHOD"}
"""A part of one; and the one by which CGI is recognized, which nobody sets."""


def test_every_variable_that_is_read_is_told_of() -> None:
    told = {name for thing in variables() for name in thing.name.split(", ")}
    found = set(read_variables()) - NO_VARIABLES
    assert {"LBK_CONFIG", "NO_COLOR", "OLLAMA_HOST", "XDG_STATE_HOME"} <= found
    assert found - told == set()
    for name in told:
        assert f"`{name}`" in (DOCS / "reference.md").read_text("utf-8")
        assert name in read(page_of("lbk.1"))


def test_a_command_tells_of_its_own_variables_and_files() -> None:
    assert "LBK_LOG_FILE" in page_of("lbk-ask.1").partition("ENVIRONMENT")[2]
    assert "LBK_LOG_FILE" not in page_of("lbk-costs.1").partition("ENVIRONMENT")[2]
    assert "state.json" not in page_of("lbk-config.1").partition("FILES")[2]
    assert all(thing.meaning.endswith(".") for thing in (*variables(), *files()))


# --- as formatters want them ---

HOSTILE = """.so /etc/passwd

'br it's `code` and ~tilde^ \\fB \\n[x] -dash "quoted" … ×

- a list? .TH"""


def hostile() -> Command:
    """A command line whose every word tries to be markup."""
    option = Option("x", ("--x-y", "-x"), OptionValue(".X'\\", ValueKind.TEXT, str), HOSTILE)
    one = Command(("lbk", "odd-one"), "[OPTIONS] [.X]", ".odd 'and\\ends.", HOSTILE, "", (option,), ())
    return Command(("lbk",), "COMMAND", "All.", "Help.", "", (), (), (one,))


def test_no_hyphen_is_left_to_typography() -> None:
    for text in (*roff.pages(hostile()).values(), *(page_of(name) for name in PAGES_OF_MAN)):
        body = [line for line in text.splitlines() if not line.startswith(('.\\"', ".TH"))]
        assert [line for line in body if re.search(r"(?<!\\)-", line)] == []


def test_the_reference_says_what_was_meant() -> None:
    text = reference(hostile())
    for written in (r"\`code\`", r"\~tilde^", r"\\fB \\n\[x\]", "quoted"):
        assert text.count(written) == 2  # in a paragraph, and in a table
    assert "\n- a list" not in text.partition("| options |")[2]


@pytest.mark.parametrize(
    "program", [["groff", "-man", "-Tutf8", "-ww", "-z"], ["mandoc", "-Tlint", "-Wall"]], ids=["groff", "mandoc"]
)
def test_formatters_have_nothing_to_say(program: list[str], tmp_path: Path) -> None:
    if shutil.which(program[0]) is None:
        pytest.skip(f"there is no {program[0]} here")
    for name, text in roff.pages(hostile()).items():
        (tmp_path / name).write_text(text, "utf-8")
    paths = [*sorted(DOCS.glob("man/*.1")), tmp_path / "lbk-odd-one.1"]
    done = subprocess.run([*program, *paths], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize(
    "program", [["groff", "-man", "-Tutf8", "-P-cbou"], ["mandoc", "-Tutf8"]], ids=["groff", "mandoc"]
)
def test_what_is_shown_is_what_was_meant(program: list[str], tmp_path: Path) -> None:
    if shutil.which(program[0]) is None:
        pytest.skip(f"there is no {program[0]} here")
    path = tmp_path / "lbk-odd-one.1"
    path.write_text(roff.pages(hostile())["lbk-odd-one.1"], "utf-8")
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run([*program, path], env=env, capture_output=True, text=True, timeout=60, check=True)
    shown = " ".join(re.sub(r".\x08", "", done.stdout).split())
    for paragraph in HOSTILE.replace("…", "...").replace("×", "x").split("\n\n"):
        assert paragraph in shown
    assert "--x-y" in shown
