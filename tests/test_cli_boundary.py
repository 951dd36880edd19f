"""How commands end: exit codes, messages for people and for machines, and what a hostile provider cannot do to them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lollmsbot_keys import __version__
from tests.lab import OLLAMA, ROUTERS, SERVED, Heard, Lab, Listener, endpoints, lab, on_terminal, sse
from tests.support import ROOT, command, run_lbk

COMMANDS = ("ask", "route", "costs", "reset-limits", "config", "sandbox")


# --- exit codes and messages ---


def test_version_and_help(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    version = run_lbk(["--version"], env)
    assert (version.returncode, version.stdout) == (0, f"lbk {__version__}\n")
    for option in ("-h", "--help"):
        shown = run_lbk([option], env)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert all(f"\n  {name} " in shown.stdout for name in COMMANDS)
        assert "..." not in shown.stdout.partition("Commands:")[2]
        assert all(f"{code} " in shown.stdout for code in (0, 1, 2, 3, 4, 5, 70, 130))
        assert max(map(len, shown.stdout.splitlines())) <= 80
    for name in COMMANDS:
        shown = run_lbk([name, "-h"], env)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert shown.stdout.startswith(f"Usage: lbk {name}")
        # Every option says what it does.
        assert not re.search(r"(?m)^  -\S.*(?:[A-Z]|-\w+)\n(?=  -|\n|\Z)", shown.stdout)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["bogus"], ["ask", "--bogus"], ["route", "stray"], ["--json"], ["config", "x"]])
def test_what_does_not_exist_is_wrong_usage(arguments: list[str], tmp_path: Path) -> None:
    done = run_lbk(arguments, {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: lbk" in done.stderr
    assert "Traceback" not in done.stderr


VERBS = (["ask", "hello"], ["route"], ["route", "-q"], ["costs"], ["reset-limits", "--all"])


def refused_alike(here: Lab, arguments: list[str], code: str, *words: str, **variables: str) -> None:
    """The same message, on stderr or as a document, with exit code 3, and nothing sent."""
    text = here.run(*arguments, **variables)
    assert (text.code, text.out) == (3, "")
    assert text.err.startswith("lbk: ")
    assert "Traceback" not in text.err
    machine = here.run(*arguments, "--json", **variables)
    assert (machine.code, machine.err) == (3, "")
    assert set(machine.document) == {"error"}
    error = machine.document["error"]
    assert error["code"] == code
    for word in words:
        assert word in text.err
        assert word in error["message"]
    assert here.sandbox.requests == ()


@pytest.mark.parametrize("arguments", VERBS, ids=" ".join)
def test_a_configuration_that_cannot_be_used(arguments: list[str], tmp_path: Path) -> None:
    with lab(tmp_path, settings="[routing]\nprefer_olama = true\n") as here:
        refused_alike(here, arguments, "config", "prefer_olama", "prefer_ollama", str(here.config))
        here.config.write_text("not TOML at all", "utf-8")
        refused_alike(here, arguments, "config", str(here.config))
        here.config.unlink()
        refused_alike(here, arguments, "config", str(here.config))


def test_a_variable_that_cannot_be_used(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        refused_alike(here, ["route"], "config", "OLLAMA_DAILY_BUDGET", OLLAMA_DAILY_BUDGET="-3")


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 99}', b"[]", b"\x00\xff", b'{"version":1}'])
@pytest.mark.parametrize("arguments", [["ask", "hello"], ["route"], ["costs"], ["reset-limits", "--all"]], ids=" ".join)
def test_a_state_that_cannot_be_used(arguments: list[str], content: bytes, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.state_file.write_bytes(content)
        here.state_file.chmod(0o600)
        refused_alike(here, arguments, "state", str(here.state_file))


def test_a_state_path_that_is_a_folder(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        refused_alike(here, ["ask", "hello"], "state", str(tmp_path), LBK_STATE=str(tmp_path))


def test_files_named_before_the_command_or_after_it(tmp_path: Path) -> None:
    with lab(tmp_path, settings='[routing]\ndefault_model = "gpt-oss:120b"\n') as here:
        bare = {name: value for name, value in here.env.items() if not name.startswith("LBK_")}
        config, state = ["--config", str(here.config)], ["--state", str(tmp_path / "elsewhere" / "s.json")]
        for arguments in (
            [*config, *state, "ask", "hello"],
            ["ask", "hello", *config, *state],
            [*config, "ask", *state, "hello"],
            ["--config", "/nowhere", "ask", "hello", *config, *state],
        ):
            done = run_lbk(arguments, bare)
            assert (done.returncode, done.stderr) == (0, "")
            assert "Sandbox gpt-oss:120b here" in done.stdout
        assert (tmp_path / "elsewhere" / "s.json").exists()


def test_a_bug_is_exit_70_and_tells_where_but_no_values(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(ROOT / "lollmsbot_keys", broken / "lollmsbot_keys", ignore=shutil.ignore_patterns("__pycache__"))
    resolve = broken / "lollmsbot_keys" / "core" / "routing" / "resolve.py"
    source = resolve.read_text("utf-8")
    bug = '    raise ValueError(f"{request}")\n'
    resolve.write_text(source.replace("    pillar = _pillar(request, config)\n", bug))
    assert resolve.read_text("utf-8") != source
    with lab(tmp_path) as here:

        def broken_lbk(arguments: list[str]) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                command(arguments),
                cwd=broken,
                env=here.env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )

        for arguments in (["ask", "my prompt", "-m", "my-model"], ["route", "-m", "my-model"]):
            text = broken_lbk(arguments)
            assert (text.returncode, text.stdout) == (70, "")
            assert text.stderr.startswith("lbk: This is a bug in lbk: ValueError at ")
            assert "resolve.py:" in text.stderr
            assert text.stderr.count("\n") == 1
            machine = broken_lbk([*arguments, "--json"])
            assert (machine.returncode, machine.stderr) == (70, "")
            assert json.loads(machine.stdout)["error"]["code"] == "bug"
            for said in (text.stderr, machine.stdout):
                assert "my-model" not in said
                assert "my prompt" not in said
                assert "Traceback" not in said


# --- streams that are not there ---


def shell(script: str, here: Lab) -> subprocess.CompletedProcess[str]:
    """`$LBK` is what starts this lbk."""
    lbk = " ".join(command([]))
    env = {**here.env, "PYTHONPATH": str(ROOT), "LBK": lbk}
    return subprocess.run(
        ["sh", "-c", script], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "streams"),
    [
        ("ask hi", ">&-"),
        ("ask hi --json", "<&- >&-"),
        ("ask hi", "1</dev/null"),
        ("ask hi", "<&- >&- 2>&-"),
        ("route --json", ">&-"),
        ("route -q", "<&- >&-"),
        ("costs", ">&- 2>&-"),
        ("test-keys", ">&-"),
        ("metrics", ">&-"),
    ],
)
def test_output_that_nobody_can_get_is_lost_and_no_success(arguments: str, streams: str, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = shell(f"$LBK {arguments} {streams}", here)
        assert (done.returncode, done.stdout) == (3, "")
        if "2>&-" not in streams:
            assert "standard output cannot be written: Bad file descriptor" in done.stderr
        assert not here.sandbox.chats(), "nothing was paid for"


def test_a_command_without_output_needs_no_stdout(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        for streams in (">&-", "<&- >&- 2>&-"):
            done = shell(f"$LBK metrics --output '{tmp_path}/lbk.prom' {streams}", here)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            assert (tmp_path / "lbk.prom").read_text().startswith("# HELP")
            assert shell(f"$LBK costs --alert {streams}", here).returncode == 0


def test_without_stderr_talk_does_not_come_out_with_the_data(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = shell(f"$LBK ask -v -m {SERVED} hi 2>&-", here)
        assert (done.returncode, done.stdout) == (0, f"Sandbox {SERVED} here, on ollama. You said: hi\n")
        assert shell("$LBK route --at soon 2>&-", here).stdout == ""


@pytest.mark.parametrize("arguments", ["route", "route --json", "costs", "costs --json", "reset-limits --all"])
def test_a_reader_that_left_is_no_complaint(arguments: str, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = shell(f"{{ $LBK {arguments}; echo $? >&2; }} | true", here)
        assert done.stderr == "130\n"


@pytest.mark.parametrize("arguments", ["route", "route --json", "costs", "costs --json", "reset-limits --all"])
def test_a_full_disk_behind_stdout_is_said(arguments: str, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with lab(tmp_path) as here:
        done = shell(f"$LBK {arguments} >/dev/full", here)
        assert done.returncode == 3
        assert done.stderr.startswith("lbk: standard output cannot be written: No space left on device")
        assert done.stderr.count("\n") == 1


def test_an_ascii_terminal_gets_what_it_can_show(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        for arguments in (["route", "-m", SERVED], ["costs"], ["ask", "-v", "-m", SERVED, "Grüße"]):
            done = here.run(*arguments, PYTHONIOENCODING="ascii")
            assert done.code == 0
            assert "bug" not in done.err


# --- a hostile provider ---

ESC, C1, BIDI, BELL = "\x1b]0;owned\x07\x1b[2J\x1b[31m", "\x9b31m\x85\x90q\x9c", "\u202e\u2066", "\a\b\x00\x7f"
MARKUP = "[red]boo[/red] [link=http://x]y[/link] :smile:"
ACTIONS = "\n::add-mask::all\n  ::error::x\n##[error]y\r::stop-commands::z\r\n"
HOSTILE = f"{ESC}{C1}{BIDI}{BELL}{MARKUP}{ACTIONS}end"
SGR = re.compile(r"\x1b\[[0-9;]*m|\r\x1b\[K")
BAD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
COMMAND = re.compile(r"(?m)^\s*::[A-Za-z]|##\[")


def hostile(heard: Heard) -> tuple[int, Mapping[str, str], list[bytes]]:
    """An answer that is hostile through and through; of everyone but Ollama's first endpoint an error of that sort."""
    if heard.path.startswith("/v1/"):
        chunks = sse(*re.findall("(?s).{1,3}", HOSTILE), model=HOSTILE)
        chunks[-3] = chunks[-3].replace(b'"stop"', json.dumps(HOSTILE).encode())
        return 200, {"Content-Type": "text/event-stream"}, chunks
    error = {"message": HOSTILE, "code": HOSTILE, "type": HOSTILE, "metadata": {"raw": HOSTILE, HOSTILE: HOSTILE}}
    return (
        429,
        {"Content-Type": "application/json", "Retry-After": "60 \x1b[31m::add-mask::x"},
        [json.dumps({"error": error}).encode()],
    )


def harmless(text: str) -> None:
    assert not BAD.search(SGR.sub("", text)), ascii(text)


@pytest.mark.parametrize("workflow", [False, True])
def test_hostile_text_reaches_nobody_raw(workflow: bool, tmp_path: Path) -> None:  # noqa: FBT001
    with Listener(hostile) as server, lab(tmp_path) as here:
        endpoints(here.config, ollama=f"{server.url}/v1", openrouter=f"{server.url}/api/v1")
        here.env |= {"GITHUB_ACTIONS": "true"} if workflow else {}
        said = []
        for options in ([], ["-v"], ["--no-stream"], ["--json"]):
            done = here.run("ask", "hello", "-m", SERVED, *options)
            assert done.code == 0
            said += [done.out, done.err]
        assert MARKUP in said[0]  # what only looks like markup is text
        assert said[0].endswith("end\n")
        failed = [here.run("ask", "hello", "-m", "x/y", *options) for options in (["-v"], ["--json"])]
        assert [done.code for done in failed] == [5, 4]
        said += [part for done in failed for part in (done.out, done.err)]
        for arguments in (["route", "-m", "x/y"], ["route", "-m", "x/y", "--json"], ["costs"], ["costs", "--json"]):
            done = here.run(*arguments)
            said += [done.out, done.err]
        drawn = [on_terminal(arguments, here.env, columns=200).out for arguments in (["route", "-m", "x/y"], ["costs"])]
        assert "[red]boo[/red]" in drawn[0]
        said += drawn
        said += [here.run("reset-limits", "--all", "--dry-run", *options).out for options in ([], ["--json"])]
        for text in said:
            harmless(text)
        if workflow:
            assert not [text for text in said if COMMAND.search(text)]
            assert "\\::add-mask::all" in said[0]
        else:
            assert "\n::add-mask::all" in said[0]  # no business of ours anywhere else


def test_hostile_arguments_are_not_drawn_raw(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        model = f"{ESC}{C1}{BIDI}x"
        for arguments in (["route", "-m", model], ["ask", "hello", "-m", model, "-v"], ["route", "--at", model]):
            done = here.run(*arguments)
            harmless(done.out)
            harmless(done.err)
        drawn = on_terminal(["route", "-m", model], here.env)
        harmless(drawn.out)


def test_a_cancelled_key_name_is_not_a_command(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=60", f"{ROUTERS[0]}=500") as here:
        done = here.run("ask", "::add-mask::hello\n::error::x", "-m", SERVED, GITHUB_ACTIONS="true")
        assert done.code == 0
        assert not COMMAND.search(done.out + done.err)


@pytest.mark.parametrize("name", ["::error::pwn", "##[error]pwn", "a\n::error::pwn"])
def test_a_name_that_somebody_typed_is_no_command_anywhere(name: str, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.env |= {"GITHUB_ACTIONS": "true", "LBK_LOG_FILE": str(tmp_path / "log")}
        said = [here.run("ask", "hello", "-m", name, "-v")]
        costs = ["costs", "--by", "model"]
        for arguments in (["route", "-m", name], ["ask", "hello", "--key", name], costs, [*costs, "--csv"]):
            said += [here.run(*arguments)]
        said += [here.run("route", "--replay", "last")]
    shown = "".join(done.out for done in said)
    assert "error" in shown
    for done in said:
        assert not COMMAND.search(done.out + done.err), done


INTERRUPTED_IN_A_CALLBACK = """
import signal, sys, threading, weakref
from lollmsbot_keys.cli.exit import ending, keep_interrupts

keep_interrupts()

class Thing: pass

def work():
    thing = Thing()
    watcher = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing  # Python calls the callback, and nobody can catch what that raises
    threading.Event().wait(60)

sys.exit(ending(work))
"""


INTERRUPTED_IN_A_CLASS = """
import signal, sys
from lollmsbot_keys.cli.exit import ending

class Field:
    def __set_name__(self, owner, name):
        signal.raise_signal(signal.SIGINT)

sys.exit(ending(lambda: type("Model", (), {"field": Field()})))
"""


@pytest.mark.parametrize("program", [INTERRUPTED_IN_A_CALLBACK, INTERRUPTED_IN_A_CLASS])
def test_ctrl_c_where_the_interpreter_is_busy_is_not_lost(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "lbk: interrupted\n")


INTERRUPTED_WHILE_THE_LOOP_IS_MADE = """
import asyncio, signal, sys
from lollmsbot_keys.cli.exit import ending
from lollmsbot_keys.edges.environment.event_loop import run

def interrupt(frame, event, _):
    if event == "call" and frame.f_code.co_name == "_make_self_pipe":
        sys.setprofile(None)
        signal.raise_signal(signal.SIGINT)

async def work():
    print("begun")
    try:
        await asyncio.sleep(60)
    finally:
        print("tidied up", flush=True)

sys.setprofile(interrupt)
sys.exit(ending(lambda: run(work)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="elsewhere signals cannot be held")
def test_ctrl_c_while_the_loop_is_made_ends_the_work_and_no_half_loop() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_THE_LOOP_IS_MADE],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "begun\ntidied up\n", "lbk: interrupted\n")
