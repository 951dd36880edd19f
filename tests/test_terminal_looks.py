"""How output looks: at every width, in every encoding, coloured or plain, in pipes and read aloud."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.render.console.ascii_fallback import has_likeness, stand_in
from lollmsbot_keys.render.console.encoding import shortened
from lollmsbot_keys.render.console.terminal import grid, page
from tests.examples import examples
from tests.lab import OLLAMA, SERVED, Lab, Listener, endpoints, lab, sse
from tests.support import ROOT, command
from tests.terminal_lab import Terminal

SGR = re.compile(r"\x1b\[[0-9;]*m")
FIGURES = ("KEY", "CALLS", "USD", "STATE")


@contextmanager
def stdout(encoding: str = "utf-8") -> Iterator[io.BytesIO]:
    """Standard output with that encoding, as `lbk` has it; no terminal."""
    kept, written = sys.stdout, io.BytesIO()
    sys.stdout = io.TextIOWrapper(written, encoding, errors="strict", newline="\n")
    try:
        yield written
        sys.stdout.flush()
    finally:
        sys.stdout = kept


def drawn(output_style: OutputStyle, rows: list[list[str]], encoding: str = "utf-8") -> str:
    """A table of four columns, of which the last gives way."""
    with stdout(encoding) as written:
        with page(output_style) as out:
            table = grid(FIGURES, right=FIGURES[1:3], wraps=FIGURES[3:])
            for row in rows:
                table.add_row(*row)
            out.print(table)
        sys.stdout.flush()
        return written.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("words", "places"),
    [
        (r"\(Console\)|\bConsole\(", {"render/console/table.py"}),
        (r"\\x1b\[", {"cli/status_line.py", "core/security/sanitize.py"}),
        (r"\bos\.get_terminal_size", {"render/console/terminal.py", "cli/status_line.py"}),
        (r"stdout\.isatty", {"render/console/terminal.py", "cli/commands/config.py"}),
        (
            r"stdout\.write\(",
            {"render/console/terminal.py", "render/config.py", "cli/commands/ask_output.py"},
        ),  # where commands are guarded
    ],
)
def test_one_place_decides(words: str, places: set[str]) -> None:
    package = ROOT / "lollmsbot_keys"
    found = {path for path in package.rglob("*.py") if re.search(words, path.read_text("utf-8"))}
    assert {path.relative_to(package).as_posix() for path in found} == places


# --- widths ---

SAID = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x85\u2028\u2029"), max_size=30)
NAMES = st.sampled_from(["OLLAMA_API_KEY", "模型漢字", "e\u0301tude", "🎉", "x" * 90, "a\u202eb\u200bc", "שלום"])
ROWS = st.lists(st.tuples(NAMES, st.just("1234567"), st.just("~0.001234"), SAID).map(list), min_size=1, max_size=4)


@settings(max_examples=examples(150))
@given(st.integers(2, 200), ROWS, st.booleans())
@example(2, [["模型", "1234567", "~0.001234", "ready"]], False)  # noqa: FBT003
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(
    columns: int,
    rows: list[list[str]],
    forced: bool,  # noqa: FBT001
) -> None:
    text = SGR.sub("", drawn(OutputStyle(columns=columns, forced=forced), rows))
    assert max(map(cell_len, text.splitlines())) <= columns
    whole = re.sub(r"\s", "", text)
    assert whole.count("1234567") == whole.count("~0.001234") == len(rows)


@given(st.integers(1, 200), ROWS)
def test_no_width_is_too_narrow_to_draw(columns: int, rows: list[list[str]]) -> None:
    assert drawn(OutputStyle(columns=columns), rows)


@settings(max_examples=examples(60))
@given(ROWS)
def test_columns_line_up_whatever_the_characters(rows: list[list[str]]) -> None:
    heading, *lines = drawn(OutputStyle(), [[*row[:3], "ready"] for row in rows]).splitlines()
    at = cell_len(heading[: heading.index("STATE")])
    assert {cell_len(line[: line.rindex("ready")]) for line in lines} == {at}


def test_what_nobody_can_see_is_gone() -> None:
    text = drawn(OutputStyle(), [["a\u202eb\u200bc\u2066\ufeff\U000e0041d", "1", "2", "\x1b[31mred\x07"]])
    assert text.splitlines()[1].split() == ["abcd", "1", "2", "[31mred"]


EVERYTHING = (
    ["route", "-m", SERVED],
    ["costs"],
    ["costs", "--by", "model"],
    ["costs", "--by", "day"],
    ["rotate", "--due"],
    ["config", "show", "pillars"],
    ["config", "show", "providers.openrouter.endpoints"],
)


def test_every_command_draws_at_every_width(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429:1") as here:
        here.ask("-m", SERVED)
        here.env |= {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
        for columns in (1, 2, 7, 16, 33, 59, 60, 75, 79, 99, 120, 300):
            here.env["COLUMNS"] = str(columns)
            for arguments in EVERYTHING:
                done = here.quick(*arguments)
                assert done.code == 0
                assert max(map(cell_len, SGR.sub("", done.out).splitlines())) <= columns, (columns, arguments)


WIDE_NAMES = '[pillars.wide.primary]\nmodel = "模型-🎉"\n[pillars.wide.second]\nmodel = "plain"\nprivacy = "high"\n'


def test_settings_line_up_in_a_pipe_and_on_a_terminal(tmp_path: Path) -> None:
    with lab(tmp_path, settings=WIDE_NAMES) as here:
        piped = here.run("config", "show", "pillars.wide").out.splitlines()
        with Terminal(command(["config", "show", "pillars.soul"]), here.env) as terminal:
            assert terminal.ended() == 0, terminal.drawn
    assert {line.partition(" ")[0]: cell_len(line[: line.index(str(tmp_path))]) for line in piped} == dict.fromkeys(
        ("pillars.wide.primary.model", "pillars.wide.second.model", "pillars.wide.second.privacy"), 40
    )
    drawn = SGR.sub("", terminal.drawn).splitlines()
    assert drawn[:2] == ["[pillars.soul.primary]", '  key                     "OLLAMA_API_KEY"  default']


def test_settings_on_a_narrow_terminal_are_lines(tmp_path: Path) -> None:
    with lab(tmp_path) as here, Terminal(command(["config", "show", "pillars.soul"]), here.env, columns=44) as terminal:
        assert terminal.ended() == 0, terminal.drawn
    text = SGR.sub("", terminal.drawn)
    assert text.startswith('[pillars.soul.primary]\nkey = "OLLAMA_API_KEY"  default\nmodel = "kimi-k2.5"  default\n')


def test_a_narrow_terminal_gets_whole_figures_and_names(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        with Terminal(command(["costs"]), here.env, columns=40) as terminal:
            assert terminal.ended() == 0, terminal.drawn
    text = SGR.sub("", terminal.drawn)
    assert "OPENROUTER_API_KEY_1\n  CALLS: 0\n" in text
    assert re.search(r"^  USD: ~0\.\d{4}$", text, re.MULTILINE)
    assert re.search(r"^  STATE: ready$", text, re.MULTILINE)
    assert max(map(cell_len, text.splitlines())) <= 40


# --- colour, drawing, pipes ---


def coloured(here: Lab, **variables: str) -> bool:
    return "\x1b[" in here.run("costs", **{"TERM": "xterm", **variables}).out


def test_a_pipe_is_plain_unless_colour_is_forced_and_no_color_wins(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        assert not coloured(here)
        assert coloured(here, FORCE_COLOR="1")
        assert coloured(here, CLICOLOR_FORCE="1", TERM="dumb")
        assert not coloured(here, FORCE_COLOR="1", NO_COLOR="1")
        assert coloured(here, FORCE_COLOR="1", NO_COLOR="")
        assert not coloured(here, FORCE_COLOR="0")
        assert "█" in here.run("costs", "--by", "model", FORCE_COLOR="1", TERM="xterm").out
        assert "█" not in here.run("costs", "--by", "model").out


@pytest.mark.parametrize("arguments", [["costs"], ["costs", "--by", "model"], ["route"], ["config", "show", "pillars"]])
def test_a_terminal_where_plain_is_asked_for_gets_neither_colour_nor_bars(arguments: list[str], tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"LBK_PLAIN": "1"}):
            with Terminal(command(arguments), {**here.env, **plain}) as terminal:
                assert terminal.ended() == 0, terminal.drawn
            assert not re.search("[\x1b█▏]", terminal.drawn)
        with Terminal(command(arguments), here.env) as terminal:
            assert terminal.ended() == 0, terminal.drawn
        assert "\x1b[" in terminal.drawn


def test_the_width_of_a_pipe(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=401") as here:
        here.run("ask", "hi", "-m", SERVED)

        def widest(**variables: str) -> int:
            text = SGR.sub("", here.run("route", "-m", SERVED, **variables).out)
            return max(map(len, text.splitlines()))

        whole = widest()
        assert whole > 90
        assert widest(TERM="dumb") == widest(TERM="dumb", FORCE_COLOR="1", COLUMNS="200") == whole
        assert widest(COLUMNS="70") <= 70
        for absurd in ("0", "-1", "abc", "1e3", "99999999999"):
            assert widest(COLUMNS=absurd) == whole


def test_read_aloud_every_line_says_what_it_is_about(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        costs = here.run("costs", LBK_PLAIN="1").out
        figures = r"  CALLS: 1\n  ERRORS: 0\n  FAILOVERS: 0\n  IN: \d+\n  OUT: \d+\n  USD: ~0\.\d+\n  STATE: ready"
        assert re.search(f"^{OLLAMA}\n{figures}$", costs, re.MULTILINE)
        assert "\nollama today\n  SPENT: " in costs
        route = here.run("route", "-m", SERVED, LBK_PLAIN="1").out
        assert re.search(rf"^→ {OLLAMA}\n  MODEL: {SERVED}\n  STATE: ready", route, re.MULTILINE)


# --- encodings ---

TEXT = "Grüße “quoted” — 🎉👨\u200d👩\u200d👧 漢字 e\u0301 עברית ✓ → … ﷽"


@pytest.mark.parametrize(
    ("variables", "encoding"),
    [
        ({}, "utf-8"),
        ({"LC_ALL": "C"}, "utf-8"),
        ({"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "ascii"),
        ({"PYTHONIOENCODING": "ascii"}, "ascii"),
        ({"PYTHONIOENCODING": "latin-1:strict"}, "latin-1"),
        ({"PYTHONIOENCODING": "shift_jis"}, "shift_jis"),
    ],
)
def test_an_answer_survives_every_encoding(variables: dict[str, str], encoding: str, tmp_path: Path) -> None:
    with (
        Listener(lambda _heard: (200, {"Content-Type": "text/event-stream"}, sse(*TEXT))) as server,
        lab(tmp_path) as here,
    ):
        endpoints(here.config, ollama=f"{server.url}/v1")
        here.env |= variables
        done = here.run_bytes("ask", "Grüße", "-m", SERVED)
        assert done.returncode == 0
        text = done.stdout.decode(encoding)
        prompt = json.loads(server.heard[0].body)["messages"][-1]["content"]
        document = here.run_bytes("ask", "hi", "-m", SERVED, "--json")
        assert document.stdout.isascii()
        assert json.loads(document.stdout)["text"] == TEXT
    assert prompt == "Grüße"
    if encoding == "utf-8":
        assert (text, done.stderr) == (f"{TEXT}\n", b"")
    else:
        assert text.startswith("Gr")
        assert '"quoted"' in text or "“quoted”" in text
        assert "\\U0001f389" in text
        assert "does not have every character of the answer" in done.stderr.decode(encoding)
        assert done.stderr.count(b"\n") == 1


def test_an_answer_that_only_needs_likenesses_is_not_remarked_on(tmp_path: Path) -> None:
    said = sse("Grüße … “so”")  # in one piece
    with Listener(lambda _heard: (200, {"Content-Type": "text/event-stream"}, said)) as server, lab(tmp_path) as here:
        endpoints(here.config, ollama=f"{server.url}/v1")
        done = here.run_bytes("ask", "hi", "-m", SERVED, PYTHONIOENCODING="latin-1")
    assert (done.stdout, done.stderr) == ('Grüße ... "so"\n'.encode("latin-1"), b"")


def test_an_argument_that_is_no_text_is_wrong_usage(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        for arguments in (["Gr\udcfc"], ["hi", "--system", "Gr\udcfc"]):
            done = here.run("ask", *arguments)
            assert done.code == 2
            assert "is not UTF-8 text" in done.err
        assert here.sandbox.requests == ()


@pytest.mark.parametrize("variables", [{}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_a_path_for_a_script_is_the_very_bytes(variables: dict[str, str], tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.env |= variables
        for name in ("Grün 漢字", "Gr\udcfcn"):
            done = here.run_bytes("config", "path", "--config", f"/x/{name}")
            assert done.stdout == os.fsencode(f"/x/{name}\n")


def test_tables_line_up_where_characters_are_spelt_out() -> None:
    lines = drawn(OutputStyle(), [["模型", "1", "2", "→ ready · ×"], ["plain", "1", "2", "x"]], "ascii").splitlines()
    assert lines[1].split("  ")[0] == "\\u6a21\\u578b"
    assert lines[1].endswith("  -> ready - x")
    assert lines[0].index("STATE") == lines[1].index("->") == lines[2].rindex("x")


@given(st.text(max_size=20))
def test_a_stand_in_is_ascii_and_nothing_in_ascii_needs_one(text: str) -> None:
    assert stand_in(text).isascii()
    assert stand_in(text) == text or not text.isascii()
    assert not has_likeness(text) or "\\" not in stand_in(text) or "\\" in text


def test_a_cut_text_says_so_in_every_encoding() -> None:
    with stdout():
        assert shortened("0123456789", 8) == "0123456…"
        assert shortened("01234567", 8) == "01234567"
    with stdout("ascii"):
        assert shortened("0123456789", 8) == "01234..."


def test_a_pager_gets_the_width_of_the_terminal_at_hand(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=401") as here:
        here.run("ask", "hi", "-m", SERVED)
        script = f"{' '.join(command(['route', '-m', SERVED]))} | cat"
        with Terminal(["sh", "-c", script], {**here.env, "FORCE_COLOR": "1"}, columns=70) as terminal:
            assert terminal.ended() == 0, terminal.drawn
    assert "\x1b[" in terminal.drawn
    assert 40 < max(map(cell_len, SGR.sub("", terminal.drawn).splitlines())) <= 70
