"""`lbk rotate` ended by SIGKILL at every request and after every line of its journal; and used by others meanwhile.

What stops it is a gate between it and the sandbox, and a look at the state file: nothing in the product knows of them.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest

from lollmsbot_keys.core.model.rotation_journal import Step
from tests.lab import OLLAMA, ROUTED, SERVED, Ended, python
from tests.rotation_lab import MINTED, RotationLab, rotation_lab
from tests.support import start_lbk

REQUESTS = 13
"""So many requests, or a few less, a minted rotation without a grace makes."""


class Gate:
    """Passes requests on to the sandbox. The one of a number is carried out, and its reply never leaves."""

    def __init__(self, behind: str, number: int) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        self.count = 0
        here, place, lock = self, urlsplit(behind), threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with lock:
                    here.count += 1
                    held = here.count == number
                status, headers, answer = _passed_on(place.netloc, self.command, self.path, dict(self.headers), body)
                if held:
                    here.reached.set()
                    here.opened.wait(100)
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", headers.get("Content-Type", "application/json"))
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:  # whoever asked is dead
                    self.close_connection = True

            do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that the library looks for

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _passed_on(
    place: str, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, Mapping[str, str], bytes]:
    connection = http.client.HTTPConnection(place, timeout=60)
    try:
        kept = {name: value for name, value in headers.items() if name.lower() not in {"host", "connection"}}
        connection.request(method, path, body or None, kept)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


@contextmanager
def killed_at(pool: RotationLab, number: int) -> Iterator[Gate]:
    """A minted rotation without a grace, killed when its request of that number was answered and it does not know."""
    config = pool.here.config.read_text("utf-8")
    inside = pool.sandbox.openrouter_endpoint
    with Gate(inside, number) as gate:
        pool.here.config.write_text(config.replace(inside, f"{gate.url}{urlsplit(inside).path}"), "utf-8")
        process = start_lbk(["rotate", MINTED, "--mint", "--grace", "0s"], pool.here.env)

        def open_at_its_end() -> None:
            process.wait()
            gate.reached.set()

        over = threading.Thread(target=open_at_its_end, daemon=True)
        over.start()
        assert gate.reached.wait(100)
        yield gate
        process.kill()
        process.communicate()
        over.join()
    pool.here.config.write_text(config, "utf-8")


def is_settled(pool: RotationLab) -> None:
    """Nothing under way, nothing left over, and the key works."""
    journal = pool.journal()
    assert journal is None or journal.over
    assert pool.works()
    assert pool.secret(f"{MINTED}_PREVIOUS") is None
    assert len(pool.made()) == (pool.secret() in {s for n, s in pool.sandbox.living_keys().items() if "(lbk " in n})
    assert pool.dotenv.read_text("utf-8").replace(str(pool.secret()), "") == pool.before.replace(pool.first, "")
    assert pool.here.ask("-m", ROUTED, "--key", MINTED)["key"] == MINTED


@pytest.mark.parametrize("number", range(1, REQUESTS + 1))
def test_killed_at_any_request_and_resumed(number: int, tmp_path: Path) -> None:
    with rotation_lab(tmp_path) as pool:
        with killed_at(pool, number):
            assert pool.works()
        assert pool.works()
        done = pool.rotate(MINTED, "--resume")
        assert done.code == 0, done
        is_settled(pool)
        again = pool.document(MINTED, "--resume")
        assert again["steps"] == []


@pytest.mark.parametrize("number", range(1, REQUESTS + 1))
def test_killed_at_any_request_and_rolled_back(number: int, tmp_path: Path) -> None:
    with rotation_lab(tmp_path) as pool:
        with killed_at(pool, number):
            assert pool.works()
        too_late = pool.first not in {key.secret for key in pool.sandbox.world.keys}
        done = pool.rotate(MINTED, "--rollback")
        if too_late and done.code != 0:
            assert "no way back" in done.err
            assert pool.rotate(MINTED, "--resume").code == 0
        else:
            assert done.code == 0, done
            assert too_late or pool.secret() == pool.first
        is_settled(pool)


@pytest.mark.parametrize(
    "step", [Step.OBTAIN, Step.PROVE, Step.STORE, Step.READ_BACK, Step.ADOPT, Step.REVOKE, Step.FORGET]
)
def test_killed_when_a_line_of_the_journal_appears(step: Step, tmp_path: Path) -> None:
    """At that moment or a little later: where exactly is for chance to say, and it may be anywhere."""
    with rotation_lab(tmp_path) as pool:
        process = start_lbk(["rotate", MINTED, "--mint", "--grace", "0s"], pool.here.env)
        mark = f'"step":"{step}"'.encode()
        while process.poll() is None:
            if pool.here.state_file.exists() and mark in pool.here.state_file.read_bytes():
                process.kill()
                break
        process.communicate()
        assert pool.works()
        done = pool.rotate(MINTED, "--resume")
        assert done.code == 0, done
        is_settled(pool)


def test_a_second_rotation_of_the_same_key_is_turned_away(tmp_path: Path) -> None:
    with rotation_lab(tmp_path) as pool, killed_at(pool, 4):
        for arguments in (["--mint"], ["--resume"], ["--rollback"]):
            second = pool.rotate(MINTED, *arguments)
            assert second.code == 2, second
            assert "another process is at it" in second.err
        (standing,) = pool.document("--status", MINTED)["keys"]
        assert standing["at_work"]


# --- secrets ---


def test_no_secret_is_where_others_can_see_it(tmp_path: Path) -> None:
    """In no output, no file but the target, and in no process's arguments while it works."""
    with rotation_lab(tmp_path) as pool:
        known = set(pool.sandbox.secrets.values())
        with killed_at(pool, 5):
            known |= set(pool.sandbox.living_keys().values())
            for arguments in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    text = arguments.read_bytes().decode("utf-8", "replace")
                except OSError:
                    continue
                assert not any(secret in text for secret in known), arguments
        done = [pool.rotate(MINTED, "--rollback"), pool.rotate(MINTED, "--mint"), pool.rotate(MINTED, "--resume")]
        known |= set(pool.sandbox.living_keys().values())
        _, typed = pool.sandbox.make_key(OLLAMA)
        known.add(typed)
        done += [pool.rotate(OLLAMA, "--json", stdin=typed), pool.rotate("--due"), pool.rotate("--status", "--json")]
        _nothing_leaked(pool, done, known)


def _nothing_leaked(pool: RotationLab, done: list[Ended], known: set[str]) -> None:
    texts = {f"output {number}": ended.out + ended.err for number, ended in enumerate(done)}
    files = [path for path in pool.folder.rglob("*") if path.is_file() and path != pool.dotenv]
    assert any(path.name == "state.json" for path in files)
    texts |= {str(path): path.read_bytes().decode("utf-8", "replace") for path in files}
    for secret in known:
        for piece in (secret, secret[:20], secret[-16:]):
            for place, text in texts.items():
                assert piece not in text, place


# --- others meanwhile ---


@contextmanager
def asking(pool: RotationLab, *questions: list[str]) -> Iterator[list[Ended]]:
    """Programs that ask again and again, each one question, until the block ends."""
    over, ended = threading.Event(), list[Ended]()

    def asks(question: list[str]) -> None:
        while not over.is_set():
            ended.append(pool.here.run("ask", "hello", *question))

    with ThreadPoolExecutor(len(questions)) as threads:
        for question in questions:
            threads.submit(asks, question)
        try:
            yield ended
        finally:
            over.set()


def test_nobody_who_asks_meanwhile_notices(tmp_path: Path) -> None:
    """Within the grace either secret is good, and each program has one of them."""
    with rotation_lab(tmp_path) as pool:
        with asking(pool, ["-m", ROUTED, "--key", MINTED], ["-m", SERVED, "--key", OLLAMA]) as ended:
            assert pool.rotate(MINTED, "--mint").code == 0
            assert pool.rotate(OLLAMA, stdin=pool.sandbox.make_key(OLLAMA)[1]).code == 0
            before = len(ended)
            while len(ended) < before + 4:
                time.sleep(0.01)
        assert {one.code for one in ended} == {0}, ended
        assert not pool.here.state.disabled
        assert {"chat"} == {str(entry.where) for entry in pool.sandbox.chats()}
        assert all(entry.status == 200 for entry in pool.sandbox.chats())


def test_who_still_holds_the_old_secret_when_it_is_revoked_is_answered_all_the_same(tmp_path: Path) -> None:
    with rotation_lab(tmp_path) as pool:
        with asking(pool, ["-m", ROUTED], ["-m", ROUTED]) as ended:
            for _ in range(2):
                assert pool.rotate(MINTED, "--mint", "--grace", "0s").code == 0
        assert {one.code for one in ended} <= {0}, ended
        assert pool.here.candidate(MINTED, ROUTED, "-m", ROUTED)["eligible"]


AGENT = """
import asyncio, json, sys
from lollmsbot_keys import KeyPool

async def main():
    async with KeyPool.open() as pool:
        for line in sys.stdin:
            answer = await pool.ask("hello", model=line.strip())
            print(json.dumps([answer.key, len(answer.attempts)]), flush=True)

asyncio.run(main())
"""


def test_an_agent_that_runs_for_long_takes_up_the_new_secret(tmp_path: Path) -> None:
    """It holds the old one when that is revoked: one failover, and from then on the new secret is in use."""
    with rotation_lab(tmp_path) as pool:
        models = [ROUTED] * 12
        program = AGENT.replace("for line in sys.stdin:", f"for line in {models!r}:\n            import subprocess")
        rotation = ["rotate", MINTED, "--mint", "--grace", "0s"]
        hook = f"""
            if line is not None and not globals().get("rotated") and globals().setdefault("count", 0) == 3:
                globals()["rotated"] = True
                subprocess.run([sys.executable, "-m", "lollmsbot_keys", *{rotation!r}], check=True, capture_output=True)
            globals()["count"] = globals().get("count", 0) + 1"""
        program = program.replace("import subprocess", f"import subprocess{hook}")
        done = python(program, pool.here.env)
        assert done.code == 0, done.err
        answers = [json.loads(line) for line in done.out.splitlines()]
        assert len(answers) == 12
        assert sum(attempts > 1 for _, attempts in answers) == 1
        assert MINTED in {key for key, _ in answers[-3:]}
