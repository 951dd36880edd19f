"""Hot commands start without Typer, and nobody can tell: the same arguments mean the same to both."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from itertools import chain
from pathlib import Path
from threading import Timer

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from lollmsbot_keys.cli import fast_path
from lollmsbot_keys.cli.app import COMMANDS, HOT, declared
from lollmsbot_keys.cli.fast_path.__main__ import TABLE, source
from lollmsbot_keys.cli.fast_path.table import COMMANDS as TABLED
from tests.lab import OLLAMA, SERVED, Lab, lab
from tests.support import ROOT, command, start_lbk

WRONG_USAGE: type[Exception] = typer.BadParameter.__mro__[2]  # Typer exports only this subclass of it
VALUES = ["", "-", "--", "-x", "--json", "=", "a=b", "x y", "+2h", "0", "low", "high", "HIGH", "critical", "key", "day"]
VALUES += ["OLLAMA_API_KEY", "OLLAMA_API_KEY=disabled", "2026-11-01", "/nowhere/c.toml", ".", "ü", "\udcff", "normal "]


def test_the_table_is_as_typer_has_it_now() -> None:
    assert TABLE.read_text("utf-8") == source(), "an option has changed: run python -m lollmsbot_keys.cli.fast_path"


def test_the_table_has_every_hot_command_and_its_options() -> None:
    assert set(TABLED) == set(HOT)
    assert all("--json" in options for _, options in TABLED.values())
    assert {"--config", "--state"} < set(TABLED["route"][1]) & set(TABLED["costs"][1])
    assert {"-q", "--quiet", "-m", "--assume", "--privacy"} < set(TABLED["route"][1])


# --- every reading is Typer's ---


@cache
def typers(name: str) -> Callable[[Sequence[str]], Mapping[str, object] | None]:
    """What Typer calls the command `name` with, for given arguments; `None` where it does not."""
    function = COMMANDS[name].load()
    assert not isinstance(function, typer.Typer)
    function = declared(function)
    seen: list[dict[str, object]] = []

    def spy(**values: object) -> None:
        seen.append(values)

    spy.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    spy.__annotations__ = function.__annotations__
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, context_settings={"help_option_names": ["-h", "--help"]})(spy)
    reader = get_command(app)

    def read(arguments: Sequence[str]) -> Mapping[str, object] | None:
        seen.clear()
        try:
            with reader.make_context(name, list(arguments)) as context:
                reader.invoke(context)
        except (typer.Exit, WRONG_USAGE):
            return None
        return seen[0]

    return read


def meaning(name: str, values: Mapping[str, object]) -> dict[str, object]:
    """All values that the command gets: those of the function's own defaults as well."""
    function = COMMANDS[name].load()
    assert not isinstance(function, typer.Typer)
    defaults = {word: parameter.default for word, parameter in inspect.signature(function).parameters.items()}
    return {**defaults, **values}


def typed(values: Mapping[str, object]) -> dict[str, object]:
    return {word: (type(value), value) for word, value in values.items()}


def right(name: str) -> st.SearchStrategy[list[str]]:
    """An option as people give it."""
    return st.sampled_from(sorted(TABLED[name][1].items())).flatmap(lambda item: spelt(item[0], item[1][1]))


def spelt(option: str, kind: str) -> st.SearchStrategy[list[str]]:
    if kind == fast_path.FLAG:
        return st.just([option])
    values = st.sampled_from(VALUES)
    if ":" in kind:
        module, _, enumeration = kind.partition(":")
        values = st.sampled_from([member.value for member in getattr(import_module(module), enumeration)])
    if option == fast_path.ARGUMENT:
        return values.map(lambda value: [value])
    return values.flatmap(lambda value: st.sampled_from([[option, value], [f"{option}={value}"]]))


def wrong(name: str) -> st.SearchStrategy[list[str]]:
    """What is wrong, half right, or nonsense."""
    options = st.sampled_from([*TABLED[name][1], "-h", "--bogus", "--qui", "--no-json"])
    values = st.one_of(st.sampled_from(VALUES), st.text(max_size=3))
    pairs = st.tuples(options, values)
    return st.one_of(
        st.one_of(options, values).map(lambda word: [word]),
        pairs.map(list),
        pairs.map(lambda pair: ["=".join(pair)]),
        pairs.map("".join).map(lambda word: [word]),
    )


@pytest.mark.parametrize("name", HOT)
def test_what_is_read_fast_typer_reads_the_same(name: str) -> None:
    taken = [0]
    one = st.lists(right(name), min_size=1, max_size=1)
    several = st.lists(right(name), max_size=5)
    pieces = st.one_of(one, several, st.lists(st.one_of(right(name), wrong(name)), max_size=3))

    @given(pieces.map(lambda pieces: list(chain.from_iterable(pieces))))
    def check(arguments: list[str]) -> None:
        quick = fast_path.read([name, *arguments])
        if quick is not None:
            function, values = quick
            taken[0] += 1
            assert function == COMMANDS[name].home
            slow = typers(name)(arguments)
            assert slow is not None, "Typer refuses what was read"
            assert typed(meaning(name, values)) == typed(slow)

    check()
    assert taken[0] > 0


def test_what_is_usual_is_read_fast() -> None:
    route = "route:route"
    assert fast_path.read(["route", "-q"]) == (route, {"quiet": True})
    assert fast_path.read(["route", "--model=a=b", "-p", "soul", "--config", "c.toml"]) == (
        route,
        {"model": "a=b", "pillar": "soul", "config": Path("c.toml")},
    )
    assert fast_path.read(["route", "--assume", "A=disabled", "--assume=B=disabled"]) == (
        route,
        {"assume": ["A=disabled", "B=disabled"]},
    )
    assert fast_path.read(["costs", "--alert"]) == ("costs:costs", {"alert": True})
    assert fast_path.read(["--version"]) == ("version:version", {})
    assert fast_path.read(["completion", "zsh"]) == ("completion:completion", {"shell": "zsh"})


@pytest.mark.parametrize(
    "arguments",
    [
        "route stray",
        "route --privacy HIGH",
        "route --qui",
        "--config c.toml route -q",
        "config path",
        "--version -h",
        "",
        "-h",
        "route -h",
        "route --",
        "route -qm x",
        "route -mx",
        "route -m",
        "route -m --json",
        "route --quiet=1",
        "completion",
        "completion --json",
        "completion tcsh",
        "completion bash zsh",
        "completion -- bash",
    ],
)
def test_what_is_unusual_is_left_to_typer(arguments: str) -> None:
    assert fast_path.read(arguments.split()) is None


# --- and whole calls end alike: an added `--` is for Typer, and says nothing else ---


def shell(here: Lab, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`$LBK` starts this lbk, `$END` is the end of the options if Typer is to read them."""
    env = {**here.env, "PYTHONPATH": str(ROOT), "LBK": " ".join(command([])), **variables}
    return subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, check=False, timeout=60)


def alike(here: Lab, script: str, **variables: str) -> tuple[int, str, str]:
    """How a script ends with the fast reader and with Typer, which must be the same."""
    quick, slow = (shell(here, script, **variables, END=end) for end in ("", "--"))
    assert (quick.returncode, quick.stdout, quick.stderr) == (slow.returncode, slow.stdout, slow.stderr)
    return quick.returncode, quick.stdout, quick.stderr


def test_answers_alike(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        assert alike(here, f"$LBK route -q -m {SERVED} $END") == (0, f"{OLLAMA}\n", "")
        assert alike(here, f"$LBK route --json -m {SERVED} $END")[0] == 0
        assert alike(here, "$LBK costs --alert $END") == (0, "", "")
        assert alike(here, "$LBK --version $END")[:1] == (0,)


def test_refusals_and_failures_alike(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        assert alike(here, "$LBK route -q --key OLLAMA_API_KEY --privacy critical $END") == (4, "", "")
        code, out, err = alike(here, "$LBK route -q --at soon $END")
        assert (code, out) == (2, "")
        assert err.startswith("lbk: --at 'soon'")
        assert alike(here, "$LBK costs --alert --month $END")[0] == 2
        for words in ("route -q", "route --json", "costs --alert", "costs --json --alert"):
            code, out, err = alike(here, f"$LBK {words} $END", LBK_CONFIG="/nowhere/config.toml")
            assert code == 3
            assert "/nowhere/config.toml" in (out if "--json" in words else err)
            assert alike(here, f"$LBK {words} --state {tmp_path} $END")[0] == 3


@pytest.mark.parametrize("words", ["route -q", "route --json", "--version", "costs --json --alert"])
@pytest.mark.parametrize(
    ("script", "code"), [(">/dev/full", 3), ("| true", 0), (">&-", 3), ("2>&-", 0)], ids=["full", "left", "out", "err"]
)
def test_streams_that_are_not_there_alike(words: str, script: str, code: int, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        end, _, said = alike(here, f"{{ $LBK {words} $END; echo $? >&3; }} 3>&2 {script}")
        if script == "| true":
            assert said == "130\n"
        else:
            assert said.splitlines()[-1] == str(code)
        assert end == 0
        if code == 3:
            why = "Bad file descriptor" if script == ">&-" else "No space left on device"
            assert said.startswith(f"lbk: standard output cannot be written: {why}")


@pytest.mark.parametrize("words", ["--help", "route -h"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_help_that_cannot_be_written_is_no_bug(words: str, unbuffered: str, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        full = shell(here, f"$LBK {words} >/dev/full", PYTHONUNBUFFERED=unbuffered)
        assert (full.returncode, full.stderr.count("\n")) == (3, 1)
        left = shell(here, f"{{ $LBK {words}; echo $? >&2; }} | true", PYTHONUNBUFFERED=unbuffered)
        assert left.stderr == "130\n"


@pytest.mark.parametrize("end", [[], ["--"]], ids=["fast", "typer"])
def test_ctrl_c(end: list[str], tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        pipe = tmp_path / "config.fifo"  # which lbk waits for
        os.mkfifo(pipe)
        process = start_lbk(["route", "-q", "--config", str(pipe), *end], here.env)
        writer = os.open(pipe, os.O_WRONLY)  # opens when lbk has opened it to read
        # Python may look for signals just before it begins to read, and would then wait for the next one.
        again = Timer(0.5, lambda: process.send_signal(signal.SIGINT))
        process.send_signal(signal.SIGINT)
        again.start()
        out, err = process.communicate(timeout=60)
        again.cancel()
        os.close(writer)
        assert (process.returncode, out, err) == (130, "", "lbk: interrupted\n")
