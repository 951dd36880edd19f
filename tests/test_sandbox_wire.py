"""The sandbox as a server: HTTP/1.1 as clients speak it, many at once, gone when it is closed."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lollmsbot_keys.sandbox import Sandbox
from tests.support import PATIENCE_S

ROOT = Path(__file__).parent.parent
CHAT = "/ollama/api/chat"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def address(sandbox: Sandbox) -> tuple[str, int]:
    parts = urlsplit(sandbox.openrouter_endpoint)
    return parts.hostname or "", parts.port or 0


def spoken(sandbox: Sandbox, *parts: bytes) -> bytes:
    """Everything that comes back on one connection, until the server closes it."""
    with socket.create_connection(address(sandbox), timeout=PATIENCE_S) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(0.01)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def request(sandbox: Sandbox, *headers: str, body: bytes = b"", line: str = f"POST {CHAT} HTTP/1.1") -> bytes:
    secret = sandbox.keys["OLLAMA_API_KEY"]
    head = [line, "Host: x", f"Authorization: Bearer {secret}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


BODY = json.dumps({"model": "kimi-k2.6", "stream": False, "messages": [{"role": "user", "content": "Hé"}]}).encode()


def test_one_connection_serves_many_requests(sandbox: Sandbox) -> None:
    connection = http.client.HTTPConnection(*address(sandbox), timeout=PATIENCE_S)
    connection.connect()
    sock = connection.sock
    for stream in (True, False, True):
        body = json.dumps({"model": "kimi-k2.6", "stream": stream, "messages": []})
        connection.request("POST", CHAT, body, {"Authorization": f"Bearer {sandbox.keys['OLLAMA_API_KEY']}"})
        answer = connection.getresponse()
        assert answer.status == 200
        assert b"Sandbox" in answer.read()
        assert connection.sock is sock
    connection.close()


def test_close_and_http_1_0_are_honoured(sandbox: Sandbox) -> None:
    for asked in (
        request(sandbox, "Connection: close", body=BODY),
        request(sandbox, body=BODY, line=f"POST {CHAT} HTTP/1.0"),
    ):
        assert spoken(sandbox, asked).startswith(b"HTTP/1.1 200 OK\r\n")


def test_bodies_in_chunks_in_pieces_and_after_100_continue(sandbox: Sandbox) -> None:
    chunked = request(sandbox, "Transfer-Encoding: chunked", "Connection: close")
    chunks = b"".join(b"%x;x=y\r\n%b\r\n" % (len(part), part) for part in (BODY[:20], BODY[20:])) + b"0\r\nT: v\r\n\r\n"
    assert "Hé" in spoken(sandbox, chunked, chunks[:33], chunks[33:]).decode()
    waiting = request(sandbox, "Expect: 100-continue", "Connection: close", body=BODY)
    split = len(waiting) - len(BODY)
    assert spoken(sandbox, waiting[:split], waiting[split:]).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "nonsense",
    [
        b"hello\r\n\r\n",
        b"GET / SPDY/3\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -3\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
    ids=lambda value: value[:24].decode(),
)
def test_nonsense_is_a_400_and_the_end_of_the_connection(sandbox: Sandbox, nonsense: bytes) -> None:
    assert spoken(sandbox, nonsense).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff", b'{"model": 3}', b'{"messages": "x"}'])
def test_a_body_that_is_no_chat_is_a_400(sandbox: Sandbox, body: bytes) -> None:
    assert spoken(sandbox, request(sandbox, "Connection: close", body=body)).startswith(b"HTTP/1.1 400 ")


def test_the_first_piece_comes_before_the_last_is_due() -> None:
    """The second is due in an hour."""
    with (
        Sandbox(pace_seconds=3600) as sandbox,
        socket.create_connection(address(sandbox), timeout=PATIENCE_S) as connection,
    ):
        connection.sendall(request(sandbox, "Connection: close", body=BODY.replace(b"false", b"true")))
        first = connection.recv(65_536)
        while b"Sandbox" not in first:
            first += connection.recv(65_536)
        assert b'"done":true' not in first


def test_two_hundred_streams_at_once_are_served_side_by_side() -> None:
    gate = threading.Barrier(200)
    with Sandbox(["OLLAMA_API_KEY=slow=2"]) as sandbox:

        def stream(_number: int) -> bytes:
            asked = request(sandbox, "Connection: close", body=BODY.replace(b"false", b"true"))
            with socket.create_connection(address(sandbox), timeout=PATIENCE_S) as connection:
                gate.wait(PATIENCE_S)
                connection.sendall(asked)
                return b"".join(iter(lambda: connection.recv(65_536), b""))

        started = time.monotonic()
        with ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(stream, range(200)))
        assert time.monotonic() - started < 350  # one after the other they would take 400 s
        assert all(b'"done":true' in answer for answer in answers)
        assert len(sandbox.chats("OLLAMA_API_KEY")) == 200


def test_it_listens_on_loopback_alone_and_not_at_all_when_closed() -> None:
    with Sandbox(["local=stall"]) as sandbox:
        assert {urlsplit(url).hostname for urls in sandbox.endpoints.values() for url in urls} == {"127.0.0.1"}
        where = address(sandbox)
        idle = socket.create_connection(where, timeout=PATIENCE_S)
        idle.sendall(request(sandbox, body=BODY))
        assert idle.recv(100).startswith(b"HTTP/1.1 200")
    sandbox.close()
    idle.settimeout(5)
    while idle.recv(65_536):
        pass
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(where, timeout=PATIENCE_S)


def test_a_client_that_leaves_in_the_middle_harms_nobody(sandbox: Sandbox) -> None:
    sandbox.add("OLLAMA_API_KEY=stall=0.05:1")
    with socket.create_connection(address(sandbox), timeout=PATIENCE_S) as connection:
        connection.sendall(request(sandbox, body=BODY))
        connection.recv(10)
    time.sleep(0.1)
    assert b"200 OK" in spoken(sandbox, request(sandbox, "Connection: close", body=BODY))


def test_an_answer_does_not_wait_for_the_client_s_acknowledgement(sandbox: Sandbox) -> None:
    connection = http.client.HTTPConnection(*address(sandbox), timeout=PATIENCE_S)
    body = json.dumps({"model": "kimi-k2.6", "messages": []})
    times_s = [PATIENCE_S]
    end = time.monotonic() + PATIENCE_S
    while min(times_s) >= 0.03 and time.monotonic() < end:  # on a busy machine most are slow, but not all
        started = time.perf_counter()
        connection.request("POST", CHAT, body, {"Authorization": f"Bearer {sandbox.keys['OLLAMA_API_KEY']}"})
        connection.getresponse().read()
        times_s.append(time.perf_counter() - started)
    connection.close()
    assert min(times_s) < 0.03  # without TCP_NODELAY every stream takes 40 ms more


def test_closing_is_silent_though_clients_are_still_there() -> None:
    script = """
import socket, urllib.parse
from lollmsbot_keys.sandbox import Sandbox
with Sandbox(["local=slow=60"]) as sandbox:
    parts = urllib.parse.urlsplit(sandbox.local_endpoint)
    idle, waiting = (socket.create_connection((parts.hostname, parts.port)) for _ in range(2))
    idle.sendall(b"GET /api/version HTTP/1.1\\r\\n\\r\\n")
    assert idle.recv(1000)
    waiting.sendall(b"POST /api/chat HTTP/1.1\\r\\nContent-Length: 0\\r\\n\\r\\n")
    while not sandbox.chats():
        pass
idle.close()
waiting.close()
"""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
