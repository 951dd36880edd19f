"""A sandbox and an `lbk` that sees nothing else: what the tests of the command line have in common."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self

from typer.testing import CliRunner

from lollmsbot_keys.cli.app import build
from lollmsbot_keys.core.model.snapshot import Cell, CellKey, Snapshot
from lollmsbot_keys.edges.state.codec import decode
from lollmsbot_keys.sandbox import Fault, Sandbox
from tests.support import PATIENCE_S, ROOT, command, run_lbk
from tests.warm import CLOCK, popen

OLLAMA, OLLAMA_2 = "OLLAMA_API_KEY", "OLLAMA_API_KEY_2"
ROUTERS = ("OPENROUTER_API_KEY_1", "OPENROUTER_API_KEY_2", "OPENROUTER_API_KEY_3")
SERVED = "kimi-k2.6"
"""A model that the sandbox's Ollama has, and OpenRouter under `moonshotai/kimi-k2.6`."""
ROUTED = "deepseek/deepseek-v3.2"

Json = Any  # documents are looked into, not modelled


class Ended(NamedTuple):
    """How an `lbk` ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Json:
        return json.loads(self.out)


class Lab:
    """One sandbox, one state, one configuration, in one folder."""

    def __init__(self, sandbox: Sandbox, folder: Path, settings: str = "") -> None:
        self.sandbox, self.folder = sandbox, folder
        self.env = sandbox.environment(folder)
        self.config = folder / "config.toml"
        self.state_file = folder / "state" / "state.json"
        if settings:
            self.configure(settings)

    def configure(self, settings: str) -> None:
        """Put settings in front of the sandbox's own."""
        self.config.write_text(f"{settings}\n{self.config.read_text('utf-8')}", "utf-8")

    def run(self, *args: str, stdin: str | None = None, **variables: str) -> Ended:
        """A real process."""
        done = run_lbk(args, {**self.env, **variables}, stdin)
        return Ended(done.returncode, done.stdout, done.stderr)

    def run_bytes(self, *args: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
        """A real process whose streams are not decoded."""
        env, pipe = {"PYTHONPATH": str(ROOT), **CLOCK, **self.env, **variables}, subprocess.PIPE
        with popen(command(args), env, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            out, err = process.communicate(stdin, timeout=PATIENCE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def quick(self, *args: str) -> Ended:
        """In this process, where one of its own would add nothing but time."""
        done = CliRunner().invoke(build(args), list(args), env=self.env, prog_name="lbk")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ended(done.exit_code, done.stdout, done.stderr)

    def ask(self, *args: str) -> Json:
        """The document of one more question, quickly."""
        return self.quick("ask", "--json", "hello", *args).document

    def route(self, *args: str) -> Json:
        """The document of `lbk route`."""
        return self.quick("route", "--json", *args).document

    def candidate(self, key: str | None, model: str, *args: str) -> Json:
        """What `lbk route` says of one candidate."""
        candidates = self.route(*args)["candidates"]
        return next(entry for entry in candidates if (entry["key"], entry["model"]) == (key, model))

    @property
    def state(self) -> Snapshot:
        """What the state file holds; an empty one where there is none."""
        return decode(self.state_file.read_bytes()) if self.state_file.exists() else Snapshot()

    def cell(self) -> tuple[CellKey, Cell]:
        """The ledger's first entry of today."""
        (day,) = self.state.days.values()
        return next(iter(day.cells.items()))

    def chats(self) -> list[str]:
        """Who asked, in order."""
        return [entry.caller or "?" for entry in self.sandbox.chats()]


@contextmanager
def lab(folder: Path, *faults: str | Fault, settings: str = "", **options: Any) -> Iterator[Lab]:  # noqa: ANN401
    """A running one; `options` are the sandbox's."""
    with Sandbox(faults, **options) as sandbox:
        yield Lab(sandbox, folder, settings)


def on_terminal(
    args: list[str],
    env: Mapping[str, str],
    *,
    columns: int = 80,
    patience_s: float = PATIENCE_S,
    typed: tuple[str, str] = ("", ""),
) -> Ended:
    """Run `lbk` with stdin, stdout and stderr on a terminal; `out` is everything that was drawn, `err` empty.

    `typed`: once the first text was drawn, the second is typed.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = popen(
        command(args),
        {"PYTHONPATH": str(ROOT), **CLOCK, "TERM": "xterm-256color", **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    drawn = bytearray()
    deadline = time.monotonic() + patience_s
    try:
        while time.monotonic() < deadline:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # how Linux says that the other side is closed
                break
            if not piece:
                break
            drawn += piece
            if typed[0] and typed[0].encode() in drawn:
                os.write(ours, typed[1].encode())
                typed = ("", "")
        return Ended(process.wait(timeout=PATIENCE_S), drawn.decode().replace("\r\n", "\n"), "")
    finally:
        os.close(ours)
        if process.poll() is None:
            process.kill()
            process.wait()


def python(program: str, env: Mapping[str, str], *args: str) -> Ended:
    """Run a Python program that may import the package."""
    done = subprocess.run(
        [sys.executable, *args, "-c", program],
        env={"PYTHONPATH": str(ROOT), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class Heard(NamedTuple):
    """One request as it came, byte for byte."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Json:
        return json.loads(self.body)


Answerer = Callable[[Heard], tuple[int, Mapping[str, str], list[bytes]]]
"""Status, headers, and the body in chunks."""


class Listener:
    """A loopback server that keeps what it is sent, answered by a function. Also speaks as an HTTP proxy would."""

    def __init__(self, answer: Answerer, address: str = "127.0.0.1") -> None:
        self.heard: list[Heard] = []
        self.answer = answer
        here = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                request = Heard(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                here.heard.append(request)
                status, headers, chunks = here.answer(request)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for chunk in [*chunks, b""]:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                    self.wfile.flush()

            do_GET = do_POST = do_PATCH = do_DELETE = do_CONNECT = _serve  # noqa: N815 - the names that the library looks for

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def bytes(self) -> bytes:
        """Everything that came."""
        return b"".join(repr(request).encode() for request in self.heard)


def sse(*texts: str, model: str = "m") -> list[bytes]:
    """A whole answer as OpenAI's dialect streams it, a chunk of HTTP for each text."""
    pieces = [{"model": model, "choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}
    events = [f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode() for event in (*pieces, last, usage)]
    return [*events, b"data: [DONE]\n\n"]


def endpoints(config: Path, **urls: str) -> None:
    """Rewrite a sandbox's configuration so that some providers are elsewhere."""
    tree = tomllib.loads(config.read_text("utf-8"))
    places = {name: table["endpoints"] for name, table in tree["providers"].items()}
    places |= {name: [url] for name, url in urls.items()}
    lines = [f"[providers.{name}]\nendpoints = {json.dumps(urls)}\n" for name, urls in places.items()]
    config.write_text("\n".join(lines), "utf-8")
