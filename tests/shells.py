"""Real shells at a pty, in which somebody types a line and presses TAB."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.support import PATIENCE_S, ROOT
from tests.terminal_lab import TAKE_IT

COMPLETIONS = ROOT / "completions"
NAMES = ("bash", "zsh", "fish")


def program(name: str) -> str:
    """The shell, or the test is skipped: it needs the real one."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} on this machine")
    return found


def world(folder: Path) -> dict[str, str]:
    """The environment of somebody at home in `folder`, who has this very `lbk` and nothing of their own."""
    home, programs = folder / "home", folder / "bin"
    home.mkdir(exist_ok=True)
    programs.mkdir(exist_ok=True)
    launcher = programs / "lbk"
    launcher.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -P -m lollmsbot_keys "$@"\n')
    launcher.chmod(0o755)
    path = os.pathsep.join((str(programs), os.environ.get("PATH", os.defpath)))
    return {"HOME": str(home), "PATH": path, "TERM": "xterm", "LC_ALL": "C.UTF-8"}


class Shell(ABC):
    """One interactive shell. `settings` are its own words, run before anything is typed."""

    name: str

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.program = program(self.name)
        self.env = world(folder)
        self._offers = folder / f"{self.name}-offers"
        self._fifo = folder / f"{self.name}-answers"
        os.mkfifo(self._fifo)
        self._answers = os.open(self._fifo, os.O_RDWR)
        self.screen = b""
        self._terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 1000, 100, 0, 0))
        start = folder / f"{self.name}-start"
        start.write_text(self._start(settings), encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-c", TAKE_IT, *self._argv(start)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=self.env,
            cwd=self.env["HOME"],
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read_screen, daemon=True)
        self._reader.start()
        self.say("")  # it answers as soon as it reads keys

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(PATIENCE_S)
        os.close(self._terminal)
        os.close(self._answers)
        self._fifo.unlink()

    @abstractmethod
    def _argv(self, start: Path) -> list[str]: ...
    @abstractmethod
    def _start(self, settings: str) -> str:
        """What the shell reads first: its settings, lbk's script, and what tells this test of offers and lines."""

    @abstractmethod
    def words_of(self, line: str) -> list[str]:
        """What the shell itself makes of a line, were it to be run."""

    def say(self, keys: str) -> str:
        """Type, and wait for the line as it is after that, which the shell then clears."""
        os.write(self._terminal, keys.encode())
        os.write(self._terminal, b"\x18d")
        answer = b""
        while not answer.endswith(b"\0"):
            if not select.select([self._answers], [], [], PATIENCE_S)[0]:
                raise AssertionError(f"{self.name} does not answer: {self.screen!r}")
            answer += os.read(self._answers, 65536)
        return answer[:-1].decode()

    def press_tab(self, line: str) -> str:
        """The line as it is after it was typed and TAB pressed."""
        self._offers.write_text("")
        return self.say(f"{line}\t").removesuffix("\n")

    def offers(self, line: str) -> list[str]:
        """What the shell was given to choose from."""
        self.press_tab(line)
        return list(dict.fromkeys(filter(None, self._offers.read_text("utf-8").splitlines())))

    def _read_screen(self) -> None:
        while True:
            try:
                drawn = os.read(self._terminal, 65536)
            except OSError:
                return
            if not drawn:
                return
            self.screen += drawn

    def _words(self, code: str, line: str) -> list[str]:
        done = subprocess.run(
            [self.program, *self._quick, code.replace("LINE", line)],
            env=self.env,
            cwd=self.env["HOME"],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
        return done.stdout.split("\0")[:-1]

    _quick: tuple[str, ...] = ()


class Bash(Shell):
    name = "bash"
    _quick = ("--norc", "--noprofile", "-c")

    def _argv(self, start: Path) -> list[str]:
        return [self.program, "--noprofile", "--rcfile", str(start), "-i"]

    def _start(self, settings: str) -> str:
        return rf"""
PS1='$ '
bind 'set bell-style none' 'set show-all-if-ambiguous on' 'set page-completions off' 'set completion-query-items 0'
bind -x '"\C-xd": _test_answer'
_test_answer() {{ printf '%s\0' "$READLINE_LINE" >'{self._fifo}'; READLINE_LINE=; }}
_test_lbk() {{
    _lbk "$@"
    local one
    for one in ${{COMPREPLY[@]+"${{COMPREPLY[@]}}"}}; do printf '%s\n' "$one"; done >>'{self._offers}'
}}
. '{COMPLETIONS / "lbk.bash"}'
complete -o nospace -F _test_lbk lbk
{settings}
"""

    def words_of(self, line: str) -> list[str]:
        return self._words("printf '%s\\0' LINE", line)

    def offers(self, line: str) -> list[str]:
        return [one.removesuffix(" ") for one in super().offers(line)]


class Zsh(Shell):
    name = "zsh"
    _quick = ("-f", "-c")

    def _argv(self, start: Path) -> list[str]:
        folder = start.with_suffix(".d")
        folder.mkdir()
        (folder / ".zshrc").write_text(start.read_text("utf-8"), "utf-8")
        self.env["ZDOTDIR"] = str(folder)
        return [self.program, "-d", "-i"]

    def _start(self, settings: str) -> str:
        return rf"""
PS1='$ '
unsetopt beep prompt_cr prompt_sp
LISTMAX=0
autoload -Uz compinit
compinit -D -i
zstyle ':completion:*' menu no
_test_answer() {{ print -rn -- "$BUFFER"$'\0' >'{self._fifo}'; BUFFER= }}
zle -N _test_answer
bindkey '^Xd' _test_answer
compadd() {{
    if [[ ${{@[1,(i)(-|--)]}} != *-(O|A|D)\ * ]]; then
        local -a found
        builtin compadd -O found "$@"
        print -rl -- "${{(@)found}}" >>'{self._offers}'
    fi
    builtin compadd "$@"
}}
. '{COMPLETIONS / "_lbk"}'
{settings}
"""

    def words_of(self, line: str) -> list[str]:
        return self._words("print -rN -- LINE", line)


class Fish(Shell):
    name = "fish"
    _quick = ("--no-config", "-c")

    def _argv(self, start: Path) -> list[str]:
        return [self.program, "--no-config", "--init-command", f"source {start}", "-i"]

    def _start(self, settings: str) -> str:
        return rf"""
function fish_prompt; echo -n '$ '; end
function fish_greeting; end
function _test_answer
    printf '%s\0' (commandline | string collect) >'{self._fifo}'
    commandline ''
end
bind \cxd _test_answer
function _test_offers
    complete -C (commandline -c) | string replace -r '\t.*' '' >'{self._offers}'
end
bind \cxo _test_offers
source '{COMPLETIONS / "lbk.fish"}'
{settings}
"""

    def words_of(self, line: str) -> list[str]:
        return self._words("printf '%s\\0' LINE", line)

    def offers(self, line: str) -> list[str]:
        self._offers.write_text("")
        self.say(f"{line}\x18o")
        return list(dict.fromkeys(filter(None, self._offers.read_text("utf-8").splitlines())))


KINDS: dict[str, type[Shell]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}
