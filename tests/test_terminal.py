"""Manners at a terminal: hidden questions, lines that rewrite themselves, and signals at any moment."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.lab import OLLAMA, ROUTERS, SERVED, Lab, lab
from tests.support import PATIENCE_S, ROOT, command, finished, start_lbk
from tests.terminal_lab import CTRL_C, CTRL_D, CTRL_Z, Terminal

KEY = ROUTERS[0]
QUESTION = f"New secret for {KEY} (it is not shown): "
WIPED = "\r\x1b[K"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def lbk(here: Lab, *arguments: str, columns: int = 80, **variables: str) -> Terminal:
    return Terminal(command(arguments), {**here.env, **variables}, columns=columns)


# --- a hidden question ---


def test_ctrl_c_at_a_hidden_question_ends_its_line_and_shows_typing_again(tmp_path: Path) -> None:
    with lab(tmp_path) as here, lbk(here, "rotate", KEY, "--to", "file:new") as terminal:
        terminal.until(QUESTION)
        assert not terminal.shows_typing()
        terminal.type(f"sk-or-half{CTRL_C}")
        assert terminal.ended() == 130
        assert terminal.shows_typing()
        assert terminal.drawn.endswith(f"{QUESTION}\nlbk: interrupted\n")
        assert "sk-or-half" not in terminal.drawn


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_a_hidden_question_leaves_the_terminal_as_it_was(number: int, tmp_path: Path) -> None:
    with lab(tmp_path) as here, lbk(here, "rotate", KEY, "--to", "file:new") as terminal:
        terminal.until(QUESTION)
        terminal.process.send_signal(number)
        assert terminal.ended() == 128 + number
        assert terminal.shows_typing()
        assert terminal.drawn.endswith(f"{QUESTION}\n")


def test_the_end_of_input_is_no_secret(tmp_path: Path) -> None:
    with lab(tmp_path) as here, lbk(here, "rotate", KEY, "--to", "file:new") as terminal:
        terminal.until(QUESTION)
        terminal.type(CTRL_D)
        assert terminal.ended() == 2
        assert terminal.shows_typing()
        assert f"No new secret for {KEY} was given." in terminal.drawn


@pytest.mark.skipif(shutil.which("bash") is None, reason="only bash has job control in scripts everywhere")
def test_a_question_that_was_put_aside_still_hides_the_answer(tmp_path: Path) -> None:
    # As interactive shells do, the script gives the terminal its own settings back while the job is stopped.
    script = f"set -m; {' '.join(command(['rotate', KEY, '--to', 'file:new']))}; stty echo; echo stopped; read go; fg"
    with lab(tmp_path) as here, Terminal(["bash", "-c", script], here.env) as terminal:
        terminal.until(QUESTION)
        terminal.type(CTRL_Z)
        terminal.until("stopped\n")
        assert terminal.shows_typing()
        terminal.type("\n")
        terminal.until(QUESTION, times=2)
        terminal.type("sk-or-not-a-key\n")
        assert terminal.ended() == 1
        assert "does not take the new secret" in terminal.drawn
        assert "sk-or-not-a-key" not in terminal.drawn


# --- a line that rewrites itself ---


def test_the_line_that_waits_fits_the_window_and_goes(tmp_path: Path) -> None:
    with (
        lab(tmp_path, f"{OLLAMA}@check=slow=30") as here,
        lbk(here, "test-keys", "--timeout", "30s", columns=25) as terminal,
    ):
        terminal.until("waiting for OLLAMA")
        shown = terminal.drawn.rpartition(WIPED)[2]
        assert len(shown) < 25
        terminal.type(CTRL_C)
        assert terminal.ended() == 130
        assert terminal.drawn.endswith(f"{WIPED}lbk: interrupted\n") or terminal.drawn.endswith(
            "^Clbk: interrupted\n"
        ), terminal.drawn[-900:]


@pytest.mark.parametrize("plain", ["NO_COLOR=1", "TERM=dumb", "TERM=", "LBK_PLAIN=1", "CLICOLOR=0"])
def test_no_line_rewrites_itself_where_plain_is_asked_for(plain: str, tmp_path: Path) -> None:
    name, _, value = plain.partition("=")
    with lab(tmp_path, f"{OLLAMA}@check=slow=0.2") as here:
        with Terminal(command(["test-keys"]), {**here.env, name: value}) as terminal:
            assert terminal.ended() == 0, terminal.drawn
        assert "\x1b" not in terminal.drawn
        assert "\r" not in terminal.drawn
        assert terminal.drawn.startswith("KEY ") == (name != "LBK_PLAIN")


def test_a_plain_wait_is_told_once(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=2:1") as here:
        assert here.run("ask", "hi", "-m", SERVED, "--key", OLLAMA).code == 5
        with lbk(here, "ask", "hi", "-m", SERVED, "--key", OLLAMA, "--wait", "30s", NO_COLOR="1") as terminal:
            assert terminal.ended() == 0, terminal.drawn
        assert re.fullmatch(
            rf"lbk: waiting until [-0-9]+ [:0-9]+ UTC for a key to come free\nSandbox {SERVED} here.*hi\n",
            terminal.drawn,
        )


# --- signals amid an answer ---


def test_an_answer_that_was_put_aside_goes_on(tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("only bash has job control in scripts everywhere")
    script = f"set -m; {' '.join(command(['ask', '-m', SERVED, 'hello']))}; echo stopped; read go; fg; echo $?"
    with lab(tmp_path, f"{OLLAMA}=slow=2:1") as here, Terminal(["bash", "-c", script], here.env) as terminal:
        while not here.sandbox.chats():
            assert terminal.process.poll() is None
        terminal.type(CTRL_Z)
        terminal.until("stopped\n")
        terminal.type("\n")
        assert terminal.ended() == 0, terminal.drawn
        assert terminal.drawn.endswith("You said: hello\n0\n")
        assert not here.state.holds


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_is_killed_amid_an_answer_stays_charged(number: int, tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=stall=60") as here:
        process = start_lbk(["ask", "-m", SERVED, "hello"], here.env)
        assert process.stdout is not None
        assert process.stdout.read(4) == "Sand"
        process.send_signal(number)
        done = finished(process)
        assert (done.returncode, done.stderr) == (-number, "")
        (held,) = here.state.holds.values()  # until whoever comes later sees that its owner is gone
        assert held.amount_usd > 0


# --- readers who leave ---


def shell(here: Lab, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {**here.env, "PYTHONPATH": str(ROOT), "LBK": " ".join(command([])), **variables}
    return subprocess.run(
        ["sh", "-c", script],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


COMMANDS = (
    "route",
    "test-keys",
    "costs --by model",
    "rotate --due",
    "config show",
    "metrics",
    "metrics --rules",
    "costs --reconcile",
    "sandbox --list-faults",
    "--help",
)


def test_a_reader_who_leaves_ends_any_command_in_silence(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        script = "; ".join(f"{{ $LBK {one}; echo $? >&2; }} | true" for one in COMMANDS)
        done = shell(here, script)
        assert done.stderr.split() == ["130"] * len(COMMANDS)


def test_nobody_listening_to_talk_changes_nothing(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=401") as here:
        for gone in ("2>/dev/full", "2>&-"):
            done = shell(
                here, f"$LBK ask -v -m {SERVED} hi {gone}; $LBK route -m nothing {gone}; $LBK bogus {gone}; echo $?"
            )
            assert done.stdout.endswith("2\n")
            assert f"Sandbox {SERVED} here" in done.stdout
            assert done.stderr == ""


# --- what takes long says so ---


def test_a_pipe_that_says_nothing_is_named(tmp_path: Path) -> None:
    """A second after the start; the pipe is written to only when that was read."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    asking = " ".join(command(["ask", "-m", SERVED]))
    with lab(tmp_path) as here, Terminal(["sh", "-c", f"cat '{pipe}' | {asking}"], here.env) as terminal:
        terminal.until("lbk: reading standard input…")
        pipe.write_text("hello")
        assert terminal.ended() == 0
        assert "You said: hello" in terminal.drawn


@pytest.mark.parametrize("options", [[], ["--no-stream"], ["--json"]])
def test_a_model_that_says_nothing_is_named_until_it_does(tmp_path: Path, options: list[str]) -> None:
    with lab(tmp_path, f"{OLLAMA}=slow=1.5:1") as here:
        with Terminal(command(["ask", "hello", "-m", SERVED, "--key", OLLAMA, *options]), here.env) as terminal:
            assert terminal.ended() == 0
            drawn = terminal.drawn
        line = f"lbk: waiting for {OLLAMA} × {SERVED} …"
        assert drawn.count(line) == 1
        assert drawn.index(line) < drawn.index("\r\x1b[K", drawn.index(line)) < drawn.index("You said: hello")
        piped = here.run("ask", "hello", "-m", SERVED, "--key", OLLAMA)
        assert piped.err == ""
