"""Real `lbk` processes without the time that importing takes: forked from one that has imported everything already.

Each has its own number, environment, streams, signals and end, and the process of the tests is its parent; only its
modules were loaded by another. Where the start itself matters (what is imported, options and variables of the
interpreter), or the system cannot do it, a process is started as always.
"""

from __future__ import annotations

import atexit
import gc
import inspect
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
LBK = (sys.executable, "-m", "lollmsbot_keys")

CLOCK = {name: value for name, value in os.environ.items() if name == "LD_PRELOAD" or "FAKE" in name}
"""What makes a process believe in another date (`faketime`), if the tests do."""
_OWN = {"LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), **CLOCK}
_READ_ONCE = ("PYTHON", "LC_", "LANG", "TZ", "LD_", "FAKE", "TYPER", "_TYPER", "COVERAGE", "OPENSSL")
"""Beginnings of variables that the interpreter, a library or the C library reads at its start."""
_LIBRARIES = """
    apprise asyncio brotli csv dotenv email h11 httpx json platformdirs prometheus_client pydantic rich.table typer
"""
_SET_CHILD_SUBREAPER = 36  # prctl(2)
_MOST = 1 << 20


def is_warm(argv: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether this is an `lbk` that may be forked."""
    if sys.platform != "linux" or tuple(argv[:3]) != LBK or any(name.startswith("COVERAGE") for name in os.environ):
        return False
    read = {name: value for name, value in env.items() if name.startswith(_READ_ONCE)}
    return {**_OWN, **read} == _OWN


def popen(argv: Sequence[str], env: Mapping[str, str], **how: Any) -> subprocess.Popen[Any]:  # noqa: ANN401 - as Popen's
    """Start a program: an `lbk` warm where that is the same."""
    kind = Forked if is_warm(argv, env) else subprocess.Popen
    return kind(list(argv), env=env, **how)


class Forked(subprocess.Popen[Any]):
    """A `Popen` whose process is forked by the server, and becomes a child of this one."""

    def _execute_child(self, *arguments: Any) -> None:  # noqa: ANN401 - as Popen hands them over
        given = inspect.signature(subprocess.Popen._execute_child).bind(self, *arguments).arguments  # type: ignore[attr-defined]  # noqa: SLF001
        ours, theirs = ("p2cwrite", "c2pread", "errread"), ("p2cread", "c2pwrite", "errwrite")
        streams = [standard if given[end] == -1 else given[end] for standard, end in enumerate(theirs)]
        mask = os.umask(0)
        os.umask(mask)
        task = {
            "argv": list(given["args"][3:]),
            "env": dict(given["env"]),
            "folder": str(given["cwd"] or Path.cwd()),
            "mask": mask,
            "session": given["start_new_session"],
        }
        self.pid = _server().fork(task, streams)
        self._child_created = True
        for own, other in zip(ours, theirs, strict=True):
            if given[own] != -1:
                os.close(given[other])
        devnull = getattr(self, "_devnull", None)
        if devnull is not None:
            os.close(devnull)
        self._closed_child_pipe_fds = True


class _Server:
    """The process that has imported everything, and our end of the line to it."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._turn = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", str(theirs.fileno())],
                env={"PATH": os.defpath, "HOME": os.devnull, **_OWN},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.close)

    def fork(self, task: Mapping[str, Any], streams: Sequence[int]) -> int:
        """The number of a new child of this process."""
        with self._turn:
            _adopt_orphans(adopt=True)
            try:
                socket.send_fds(self._line, [json.dumps(task).encode()], streams)
                return int(self._line.recv(64))
            finally:
                _adopt_orphans(adopt=False)

    def close(self) -> None:
        self._line.close()
        self._process.wait()


@cache
def _server() -> _Server:
    return _Server()


def _adopt_orphans(*, adopt: bool) -> None:
    """Whether a process whose parent ends becomes this one's child."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


# In the server


def _serve(line: socket.socket) -> None:
    """Fork a grandchild for each task, whose parent ends at once, until nobody is at the other end."""
    while True:
        content, streams, _, _ = socket.recv_fds(line, _MOST, 3)
        if not content:
            return
        told, telling = os.pipe()
        parent = os.fork()
        if parent == 0:
            if os.fork() == 0:
                atexit._clear()  # noqa: SLF001 - those of the server
                line.close()
                os.close(told)
                os.write(telling, str(os.getpid()).encode())
                os.close(telling)
                _be(json.loads(content), streams)
            os._exit(0)
        os.close(telling)
        for stream in streams:
            os.close(stream)
        os.waitpid(parent, 0)
        line.send(os.read(told, 64))
        os.close(told)


def _be(task: Mapping[str, Any], streams: Sequence[int]) -> NoReturn:
    """Become the program."""
    if task["session"]:
        os.setsid()
    os.umask(task["mask"])
    os.chdir(task["folder"])
    os.environ.clear()
    os.environ.update(task["env"])
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in streams:
        os.close(stream)
    sys.argv = [str(ROOT / "lollmsbot_keys" / "__main__.py"), *task["argv"]]
    sys.stdin = _text(0, "r", "surrogateescape")
    sys.stdout = _text(1, "w", "surrogateescape")
    sys.stderr = _text(2, "w", "backslashreplace")
    os._exit(_end())


def _end() -> int:
    """Run the program to its end, as the interpreter does it; only its modules are not taken apart."""
    from lollmsbot_keys.cli import main

    code: object = 0
    try:
        try:
            main()
        finally:
            threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - waits for threads
            atexit._run_exitfuncs()  # noqa: SLF001
            sys.stdout.flush()
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    except BaseException:  # noqa: BLE001 - it is shown, and is no end of ours
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


def _text(number: int, mode: str, errors: str) -> io.TextIOWrapper:
    """A standard stream as the interpreter opens it."""
    raw = open(number, f"{mode}b", closefd=False)  # noqa: SIM115 - to the end
    buffered = number == 2 or raw.isatty()
    return io.TextIOWrapper(raw, encoding="utf-8", errors=errors, line_buffering=buffered, write_through=False)


def _import_everything() -> None:
    for name in _LIBRARIES.split():
        import_module(name)
    package = ROOT / "lollmsbot_keys"
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        if parts[-1] != "__main__":
            import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))


if __name__ == "__main__":
    # Who interrupts the tests does not mean the server; it ends with them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _import_everything()
    gc.collect()
    gc.freeze()  # so that looking for garbage touches nothing of what is shared
    with socket.socket(fileno=int(sys.argv[1])) as theirs:
        _serve(theirs)
