"""Help that a person can rely on: it fits, it is complete, its examples work, and its exit codes are the real ones."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from lollmsbot_keys.cli.app import COMMANDS, build
from lollmsbot_keys.cli.docs import exits, panels, told
from lollmsbot_keys.cli.docs.all_commands import surface
from lollmsbot_keys.cli.docs.environment_and_files import Thing, files, variables
from lollmsbot_keys.cli.docs.pages import PAGES
from lollmsbot_keys.cli.docs.types import MEANINGS, Example
from lollmsbot_keys.cli.help_command import WRONG_USAGE
from lollmsbot_keys.cli.options import GENERAL, OUTPUT
from lollmsbot_keys.errors import Exit
from tests.lab import OLLAMA, ROUTERS, Ended, lab, on_terminal
from tests.support import ROOT, command, run_lbk
from tests.test_readme import calls_in

LBK = surface()
SHOWN = {" ".join(command.path[1:]): command for command in LBK.walk() if not command.hidden}
"""Every command that help tells of, by what is typed after `lbk`."""


@cache
def help_of(name: str, columns: int) -> str:
    words = [*name.split(), "--help"]
    done = CliRunner().invoke(build(words), words, env={"COLUMNS": str(columns)}, prog_name="lbk")
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def examples_in(text: str) -> set[str]:
    """The lines of a help's section that stand as they are, however narrow the terminal."""
    return set(re.findall(r"(?m)^  [#$] .*$", text.partition("\nExamples:\n")[2].partition("\nExit codes:\n")[0]))


# --- complete ---


def test_every_command_has_a_page_and_every_page_a_command() -> None:
    assert set(PAGES) == set(SHOWN)
    assert {name for name in SHOWN if name and " " not in name} == set(COMMANDS)


@pytest.mark.parametrize("columns", [40, 80, 100])
@pytest.mark.parametrize("name", SHOWN)
def test_help_tells_of_everything(name: str, columns: int) -> None:
    command, text = SHOWN[name], " ".join(help_of(name, columns).split())
    its = PAGES[name]
    assert text.startswith(f"Usage: {' '.join(command.path)} {command.usage} {its.paragraphs[0]}")
    for paragraph in its.paragraphs:
        assert paragraph in text
    for option in command.options:
        if not option.hidden:
            metavar = f" {option.value.metavar}" if option.value else ""
            assert f" {', '.join(sorted(option.flags, key=len))}{metavar} {told(option)}" in text
    for argument in command.arguments:
        assert f" {argument.value.metavar} {argument.help}" in text
    for below in command.commands:
        assert below.hidden or f" {below.name} {below.summary}" in text
    for example in its.examples:
        assert f"# {example.purpose} $ {example.line}" in text
    for code, meaning in exits(its).items():
        assert f" {code} {meaning}" in text


@pytest.mark.parametrize("name", SHOWN)
def test_words_are_whole_sentences(name: str) -> None:
    command, its = SHOWN[name], PAGES[name]
    assert command.summary.endswith(".")
    assert "{" not in command.usage
    helps = [*(option.help for option in command.options), *(argument.help for argument in command.arguments)]
    for words in (*its.paragraphs, *helps):
        assert words.endswith("."), words
        assert "  " not in words
    assert len(its.examples) >= 1
    assert not any(example.purpose.endswith(".") for example in its.examples)
    assert not any(meaning.endswith(".") for meaning in exits(its).values())


def test_options_are_grouped_and_what_all_have_comes_last() -> None:
    for name, shown in SHOWN.items():
        headings = list(panels(shown))
        assert headings[-1] == GENERAL
        assert OUTPUT not in headings or headings[-2] == OUTPUT
        found = [line[:-1] for line in help_of(name, 80).splitlines() if re.fullmatch(r"[A-Z][\w ]+:", line)]
        assert [heading for heading in found if heading in headings] == headings
        assert found[-2:] == (["Exit codes", "More"] if shown.commands else ["Examples", "Exit codes"])
    assert list(panels(SHOWN["ask"])) == ["Selection", "The call", OUTPUT, GENERAL]
    assert {"--json"} <= {flag for option in panels(SHOWN["ask"])[OUTPUT] for flag in option.flags}


def test_every_command_takes_json() -> None:
    doing = [command for command in SHOWN.values() if not command.commands]
    assert len(doing) > 10
    assert [
        one.path for one in doing if "--json" not in {flag for option in one.options for flag in option.flags}
    ] == []


def test_commands_stand_in_one_order_everywhere() -> None:
    listed = [name for name in SHOWN if name and " " not in name]
    assert listed == list(COMMANDS)
    shown = help_of("", 80).partition("Commands:\n")[2].partition("\n\n")[0]
    assert re.findall(r"(?m)^  (\S+)", shown) == listed


# --- it fits ---


@pytest.mark.parametrize("columns", [40, 60, 79, 80, 100, 200])
@pytest.mark.parametrize("name", SHOWN)
def test_no_line_is_wider_than_the_terminal(name: str, columns: int) -> None:
    text = help_of(name, columns)
    examples = examples_in(text)
    assert len(examples) == 2 * len(PAGES[name].examples)
    lines = [line for line in text.splitlines() if line not in examples]
    # A word that is wider than what is left to it stays whole: names are there to be copied.
    assert [line for line in lines if len(line) > min(columns, 100) and " " in line.strip()] == []
    if columns >= 80:
        assert max(map(len, text.splitlines())) <= columns
    assert not any(line != line.rstrip() for line in text.splitlines()[1:])


@pytest.mark.parametrize("columns", ["0", "-1", "1", "abc", "", "99999"])
def test_absurd_widths(columns: str) -> None:
    words = ["ask", "--help"]
    done = CliRunner().invoke(build(words), words, env={"COLUMNS": columns}, prog_name="lbk")
    assert done.exit_code == 0
    assert "--temperature" in done.stdout


@pytest.mark.parametrize("variables", [{}, {"FORCE_COLOR": "1"}, {"TERM": "dumb"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_nothing_is_drawn_on_a_terminal_or_off_it(variables: dict[str, str], tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "COLUMNS": "80", **variables}
    drawn = on_terminal(["route", "--help"], env, columns=80)
    piped = run_lbk(["route", "--help"], env)
    assert (drawn.code, piped.returncode, piped.stderr) == (0, 0, "")
    assert drawn.out == piped.stdout
    assert not re.search(r"[^\x20-\x7e\n…?]", piped.stdout)


def test_help_needs_no_docstrings(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-OO", "-m", "lollmsbot_keys", "ask", "-h"],
        env={"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == help_of("ask", 80)


# --- how it is found ---


def quick(*words: str) -> Ended:
    """What `lbk WORDS` prints, as a person without keys or configuration sees it."""
    done = run_lbk(words, {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "COLUMNS": "80"})
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("words", ["", "ask", "config", "config show", "sandbox"])
def test_lbk_help_command_is_lbk_command_help(words: str) -> None:
    assert quick("help", *words.split()) == Ended(0, help_of(words, 80), "")


@pytest.mark.parametrize(("topic", "things"), [("environment", variables()), ("files", files())])
def test_what_all_commands_have_in_common_is_a_topic(topic: str, things: tuple[Thing, ...]) -> None:
    told = quick("help", topic)
    assert (told.code, told.err) == (0, "")
    assert max(map(len, told.out.splitlines())) <= 80
    for thing in things:
        assert f" {thing.name} {thing.meaning}" in " ".join(told.out.split())
    assert f"lbk help {topic} " in help_of("", 80)


@pytest.mark.parametrize("words", ["sandbox touch {}", "sandbox -- touch {}", "config init {}", "ask {}", "-- {}"])
def test_asking_for_help_does_nothing_else(words: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    done = run_lbk(["help", *words.format(made).split()], {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert "Usage: lbk" in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_lbk_alone_shows_its_help_as_wrong_usage() -> None:
    assert quick() == Ended(2, "", help_of("", 80).rstrip("\n") + "\n")
    assert quick("config").code == 2


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("tset-keys", "Did you mean 'test-keys'?"),
        ("help tset-keys", "Did you mean 'test-keys'?"),
        ("config shwo", "Did you mean 'show'?"),
        ("route --piller soul", "--pillar"),
        ("ask --privcy", "--privacy"),
        ("costs --recncile", "--reconcile"),
        ("--confg x route", "--config"),
        ("route --privacy hihg", "'low', 'medium', 'high', 'critical'"),
        ("costs --by pilar", "'key', 'provider', 'model', 'pillar', 'day'"),
        ("test-keys --provider olama", "'ollama', 'openrouter'"),
        ("sandbox --shell zsh", "'sh', 'fish'"),
        ("ask --max-tokens 0 x", "x>=1"),
        ("ask --temperature 3 x", "0.0<=x<=2.0"),
        ("route --privacy", "requires an argument"),
        ("--state", "requires an argument"),
        ("config show --config", "requires an argument"),
        ("route stray", "unexpected extra argument"),
    ],
)
def test_wrong_usage_names_what_is_right_and_where_help_is(words: str, hint: str) -> None:
    done = quick(*words.split())
    assert (done.code, done.out) == (2, "")
    assert hint in done.err
    named = [name for name in SHOWN if f" {words} ".startswith(f" {name} ")]
    expected = " ".join(["lbk", *max(named, key=len, default="").split()])
    assert f"Try '{expected} -h' for help." in done.err


@pytest.mark.parametrize(
    ("words", "right"),
    [
        ("route --pillar sole", "'soul'"),
        ("route --key OLLAMA_API_KY", "'OLLAMA_API_KEY'"),
        ("route --assume OLLAMA_API_KEY=cold", "cooling_down, disabled, over_budget"),
        ("route --at soon", "+2h"),
        ("costs --since yesterday", "2026-11-01"),
        ("ask --timeout soon x", "5m"),
        ("config show routng", "routing"),
        ("metrics --listen x", "127.0.0.1:9847"),
        ("reset-limits", "--all"),
        ("rotate", "--due"),
        ("sandbox --fault OLLAMA_API_KEY=42", "429"),
    ],
)
def test_wrong_values_name_right_ones(words: str, right: str, tmp_path: Path) -> None:
    done = run_lbk(words.split(), {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert (done.returncode, done.stdout) == (2, "")
    assert right in done.stderr
    assert "Traceback" not in done.stderr


# --- examples ---

EXAMPLES = [(name, example) for name, its in PAGES.items() for example in its.examples]
NOT_RUN = {
    "lbk rotate OPENROUTER_API_KEY_1 --mint --to github:OWNER/REPO": "it needs an account at GitHub",
    "lbk metrics --serve --listen 127.0.0.1:9847": "it serves until Ctrl-C; tests/test_metrics_command.py does it",
    "lbk sandbox --shell fish": "it serves until Ctrl-C",
}
BEFORE = {"--replay": ["ask", "hello"], "--resume": ["rotate", ROUTERS[0], "--mint", "--to", "file:key"]}
"""What must have happened for an example with such an option to make sense."""
ENDS = {"lbk sandbox -f OLLAMA_API_KEY=401 -- lbk test-keys": Exit.NO}


def reading(words: list[str]) -> None:
    """Have Typer read `lbk WORDS`, and nothing done; raises where it would refuse."""
    command = get_command(build(words))
    context = command.make_context("lbk", list(words))
    while isinstance(command, TyperGroup):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])  # noqa: SLF001
        assert found is not None
        command, context = found, found.make_context(name, rest, parent=context)


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[f"{name}: {one.line}" for name, one in EXAMPLES])
def test_an_example_is_read(name: str, example: Example) -> None:
    calls = list(calls_in(example.line))
    for call in calls:
        reading(call)
    depth = len(name.split())
    assert not name or name in [" ".join(call[:depth]) for call in calls]


@pytest.mark.parametrize("words", ["route --qiuet", "ask --wait", "costs --by pilar", "config shwo"])
def test_an_example_that_is_wrong_is_seen(words: str) -> None:
    with pytest.raises(WRONG_USAGE):
        reading(words.split())


def tools(folder: Path, secret: str) -> Path:
    """Stand-ins for the programs that examples use beside lbk."""
    folder.mkdir()
    for name, does in {"jq": "cat", "git": "echo a change", "pass": f"echo {secret}", "vi": "exit 0"}.items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize("line", dict.fromkeys(one.line for _, one in EXAMPLES if one.line not in NOT_RUN))
def test_an_example_works(line: str, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        (tmp_path / "diary.txt").write_text("Dear diary")
        shutil.copy(here.config, tmp_path / "new.toml")
        (Path(here.env["HOME"]) / ".config" / "fish" / "completions").mkdir(parents=True, exist_ok=True)
        _, secret = here.sandbox.make_key(OLLAMA)
        here.env |= {
            "PATH": f"{tools(tmp_path / 'tools', secret)}:{here.env['PATH']}",
            "LBK_LOG_FILE": str(tmp_path / "log.jsonl"),
        }
        for option, words in BEFORE.items():
            assert option not in line or here.run(*words).code == 0
        if line == "lbk config init":
            here.env["LBK_CONFIG"] = str(tmp_path / "begun.toml")
        done = subprocess.run(
            ["sh", "-c", line.replace("/var/lib/prometheus/node-exporter", ".")],
            cwd=tmp_path,
            env=here.env,
            input=f"{secret}\n" if "rotate" in line else "",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert "Traceback" not in done.stderr
    assert done.returncode == ENDS.get(line, Exit.DONE), done.stderr


# --- exit codes ---


class Case(NamedTuple):
    """A call that ends with a certain code. `before` is called first; `alone`: it needs a process of its own."""

    words: str
    faults: tuple[str, ...] = ()
    before: str = ""
    stdin: str = ""
    alone: bool = False


CASES: dict[str, dict[int, Case]] = {
    "": {
        0: Case("--version"),
        1: Case("config init"),
        4: Case(f"route --privacy critical --key {OLLAMA}"),
        5: Case("ask x", ("ollama=500", "openrouter=500")),
    },
    "test-keys": {0: Case("test-keys"), 1: Case("test-keys", (f"{OLLAMA}=401",))},
    "ask": {
        0: Case("ask hello"),
        4: Case(f"ask --privacy critical --key {OLLAMA} hello"),
        5: Case("ask --no-failover hello", ("ollama=500", "openrouter=500")),
    },
    "route": {0: Case("route"), 4: Case(f"route --privacy critical --key {OLLAMA}")},
    "costs": {
        0: Case("costs"),
        1: Case("costs --alert", (f"{OLLAMA}=401",), before="test-keys"),
        5: Case("costs --reconcile", ("ollama@check=500", "openrouter@check=500"), before="ask hello"),
    },
    "metrics": {0: Case("metrics")},
    "reset-limits": {0: Case("reset-limits --all")},
    "rotate": {
        0: Case("rotate --status"),
        1: Case(f"rotate {OLLAMA} --to file:key", stdin="a-wrong-one", alone=True),
        5: Case(f"rotate {OLLAMA} --to file:key", ("ollama@check=500",), stdin="a-new-one", alone=True),
    },
    "config": {0: Case("config path"), 1: Case("config init")},
    "config path": {0: Case("config path")},
    "config show": {0: Case("config show")},
    "config check": {0: Case("config check")},
    "config init": {0: Case("config init --config begun.toml", alone=True), 1: Case("config init")},
    "sandbox": {
        0: Case("sandbox --list-faults"),
        126: Case("sandbox -- /", alone=True),
        127: Case("sandbox -- no-such-program", alone=True),
    },
    "completion": {0: Case("completion bash")},
}
"""A case for each exit code that a page tells of, apart from those that all commands have."""
ALL_HAVE = {Exit.USAGE, Exit.UNUSABLE, Exit.BUG, Exit.INTERRUPTED}


def test_each_exit_code_has_its_case() -> None:
    assert {name: set(cases) for name, cases in CASES.items()} == {
        name: set(exits(its)) - ALL_HAVE for name, its in PAGES.items()
    }


@pytest.mark.parametrize(("name", "code"), [(name, code) for name, cases in CASES.items() for code in cases])
def test_an_exit_code_is_real(name: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name][code]
    monkeypatch.chdir(tmp_path)
    with lab(tmp_path, *case.faults) as here:
        if case.before:
            here.quick(*case.before.split())
        words = case.words.split()
        assert (here.run(*words, stdin=case.stdin) if case.alone else here.quick(*words)).code == code


@pytest.mark.parametrize("name", SHOWN)
def test_wrong_usage_and_what_is_unusable(name: str, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    assert run_lbk([*name.split(), "--bogus"], env).returncode == Exit.USAGE
    words = [*CASES[name][Exit.DONE].words.split(), *(["--json"] if name == "ask" else [])]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command(words),
            cwd=tmp_path,
            env={**env, "PYTHONPATH": str(ROOT)},
            stdout=full,
            check=False,
            timeout=60,
        )
    assert done.returncode == Exit.UNUSABLE


@pytest.mark.parametrize("option", ["--config", "--state"])
def test_the_files_may_be_named_before_the_command_and_after_it(option: str, tmp_path: Path) -> None:
    having = [
        name for name, its in SHOWN.items() if name and option in {flag for one in its.options for flag in one.flags}
    ]
    assert len(having) > 6
    with lab(tmp_path) as here:
        for name in having:
            words = CASES[name][Exit.DONE].words.removesuffix(" --config begun.toml").split()
            impossible = [option, "/dev/null/file"]
            before, after = here.quick(*impossible, *words), here.quick(*words, *impossible)
            assert before == after
            assert "/dev/null/" in before.out + before.err
            assert before.code == (Exit.DONE if name == "config path" else Exit.UNUSABLE)


MODULES = {name: "commands." + its.home.partition(":")[0] for name, its in COMMANDS.items()}
SHARED = {"app", "exit", "paths", "help_command", "options", "commands.selection_options"}


def ended_with(module: str, seen: set[str]) -> set[int]:
    """Each exit code that a module of `cli`, or one that it uses, names."""
    if module in seen | SHARED:
        return set()
    seen.add(module)
    text = (ROOT / "lollmsbot_keys" / "cli" / f"{module.replace('.', '/')}.py").read_text("utf-8")
    found = {int(Exit[name]) for name in re.findall(r"\bExit\.([A-Z]+)", text)}
    imports = re.findall(r"from lollmsbot_keys\.cli(?:\.([\w.]+))? import (\w+)", text)
    others = {
        name if not package else f"commands.{name}" if package == "commands" else package for package, name in imports
    }
    return found.union(*(ended_with(other, seen) for other in others if not other.startswith("docs")))


@pytest.mark.parametrize("name", COMMANDS)
def test_no_exit_code_is_kept_from_people(name: str) -> None:
    told_of = {code for page, its in PAGES.items() if f"{page} ".startswith(f"{name} ") for code in exits(its)}
    assert ended_with(MODULES[name], set()) <= told_of


def test_lbk_tells_what_every_code_means() -> None:
    assert exits(PAGES[""]) == MEANINGS
    assert set(MEANINGS) == set(Exit)
