"""`Http` against servers that send what no library's server would: every byte of a reply is the test's own."""

from __future__ import annotations

import asyncio
import errno
import gzip
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import brotli  # type: ignore[import-untyped]  # a C library without stubs
import certifi
import pytest
import trustme

from lollmsbot_keys.edges.http.connection import LONGEST_HEAD_BYTES, HttpTarget
from lollmsbot_keys.edges.http.exchange import Broken, Exchange, Response, Silent, Stalled, Unsent, WireError, words_of
from lollmsbot_keys.edges.http.pool import Http
from lollmsbot_keys.edges.http.tls import certificates
from lollmsbot_keys.errors import ConfigError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

T = TypeVar("T")
OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
PATIENCE_S = 60.0

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A loopback server that answers each request with the next of its replies, the last one again and again."""

    def __init__(self, *replies: bytes, close: bool = False) -> None:
        self.replies, self.close = list(replies), close
        self.connections = 0
        self.heard: list[bytes] = []
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                _, _, size = head.lower().partition(b"content-length: ")
                body = await reader.readexactly(int(size.partition(b"\r\n")[0] or b"0"))
                self.heard.append(head + body)
                self.asked.set()
                writer.write(self.replies[0] if len(self.replies) == 1 else self.replies.pop(0))
                await writer.drain()
                if self.close:
                    break
        await hang_up(writer)
        self.left.set()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server's port. At the end every one of its conversations is over."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        if talks:
            await asyncio.wait(talks, timeout=PATIENCE_S)


def no_proxy(_url: str) -> None:
    return None


@asynccontextmanager
async def http_to(serve: Serve) -> AsyncIterator[tuple[Http, str]]:
    async with listening(serve) as port:
        http = Http(no_proxy)
        try:
            yield http, f"http://127.0.0.1:{port}/v1/chat"
        finally:
            await http.aclose()


def post(url: str, body: bytes = b"{}", silence_s: float = PATIENCE_S, host: str = "") -> Exchange:
    headers = {"Content-Type": "application/json"}
    return Exchange("POST", url, headers, body, timedelta(seconds=silence_s), host=host)


class InHaste(Exchange):
    """One whose times are a second each, but for that of a silence."""

    @property
    def connect_s(self) -> float:
        return 1.0

    @property
    def wordless_s(self) -> float:
        return 1.0


async def whole(response: Response) -> bytes:
    return b"".join([chunk async for chunk in response])


async def said(http: Http, exchange: Exchange) -> bytes:
    async with http.exchange(exchange) as response:
        return await whole(response)


def body_of(*replies: bytes, close: bool = False) -> bytes:
    """What is read of the first reply."""

    async def main() -> bytes:
        async with http_to(Server(*replies, close=close)) as (http, url):
            return await said(http, post(url))

    return asyncio.run(main())


def response_to(reply: bytes, look: Callable[[Response], T]) -> T:
    async def main() -> T:
        async with http_to(Server(reply)) as (http, url), http.exchange(post(url)) as response:
            return look(response)

    return asyncio.run(main())


# What a request looks like


def test_a_request_is_what_was_asked_for_and_no_more() -> None:
    async def main() -> tuple[int, bytes]:
        server = Server(HELLO)
        async with listening(server) as port:
            http = Http(no_proxy)
            await said(http, post(f"http://LocalHost.:{port}/v1/chat?limit=5", b'{"a":1}'))
            await http.aclose()
            return port, server.heard[0]

    port, heard = asyncio.run(main())
    assert heard == (
        b"POST /v1/chat?limit=5 HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/json\r\n"
        b'Content-Length: 7\r\n\r\n{"a":1}' % port
    )


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://OpenRouter.ai/api/v1/key", HttpTarget(True, "openrouter.ai", 443, "openrouter.ai", "/api/v1/key")),  # noqa: FBT003
        ("http://[::1]:11434/api/chat", HttpTarget(False, "::1", 11434, "[::1]:11434", "/api/chat")),  # noqa: FBT003
        ("http://127.0.0.1", HttpTarget(False, "127.0.0.1", 80, "127.0.0.1", "/")),  # noqa: FBT003
        ("https://openrouter.ai:443/x?a=b/c", HttpTarget(True, "openrouter.ai", 443, "openrouter.ai", "/x?a=b/c")),  # noqa: FBT003
        ("https://ollama.com@evil.example/v1", None),
        ("https://ollama.com/v1?a=b c", None),
        ("https://ollama.com/v1?a=b\r\nX: y", None),
        ("ftp://ollama.com/v1", None),
    ],
)
def test_where_a_url_leads(url: str, place: HttpTarget | None) -> None:
    assert HttpTarget.of(url) == place


def test_the_host_of_a_pinned_address_is_the_one_that_is_named() -> None:
    async def main() -> bytes:
        server = Server(HELLO)
        async with http_to(server) as (http, url):
            await said(http, post(url, host="localhost:11434"))
        return server.heard[0]

    assert b"\r\nHost: localhost:11434\r\n" in asyncio.run(main())


def test_what_is_no_address_is_the_users_to_mend() -> None:
    with pytest.raises(ConfigError, match="is no address"):
        asyncio.run(said(Http(no_proxy), post("http://127.0.0.1:80:80/")))


# What a reply may look like


@pytest.mark.parametrize(
    ("reply", "close"),
    [
        (HELLO, False),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HELLO, False),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: t\r\n\r\n", False),
        (OK + b"\r\nhello", True),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", True),
        (OK + b"Content-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", False),
        (OK + b"Content-Encoding: utf-8\r\nContent-Length: 5\r\n\r\nhello", False),
    ],
)
def test_a_body_comes_whole_however_it_is_framed(reply: bytes, close: bool) -> None:  # noqa: FBT001
    assert body_of(reply, close=close) == b"hello"


@pytest.mark.parametrize(
    "reply",
    [
        OK + b"Content-Length: 50\r\n\r\nhello",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello!!0\r\n\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        OK + b"Content-Length",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"",
        OK + b"X: " + b"x" * 2 * LONGEST_HEAD_BYTES + b"\r\n\r\n",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
def test_a_reply_that_breaks_off_or_makes_no_sense_is_broken(reply: bytes) -> None:
    with pytest.raises(Broken):
        body_of(reply, close=True)


def test_what_came_before_a_break_is_passed_on() -> None:
    async def main() -> list[bytes]:
        came: list[bytes] = []

        async def read(response: Response) -> None:
            async for chunk in response:
                came.append(chunk)  # noqa: PERF401 - what came before the exception is the point

        reply = OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\nnonsense\r\n"
        async with http_to(Server(reply)) as (http, url), http.exchange(post(url)) as response:
            for _ in range(2):
                with pytest.raises(Broken, match="chunk"):
                    await read(response)
        return came

    assert b"".join(asyncio.run(main())) == b"hello"


def test_headers_are_found_by_their_names_in_lower_case() -> None:
    reply = OK + b"Retry-After: 7\r\nX-One: a\r\nx-one: b\r\nX-Odd: \xe4\r\nContent-Length: 0\r\n\r\n"
    found = response_to(reply, lambda response: (response.status, dict(response.headers)))
    assert found == (200, {"retry-after": "7", "x-one": "a, b", "x-odd": "ä", "content-length": "0"})


def members(plain: bytes) -> bytes:
    """Several in a row, one of them empty."""
    return gzip.compress(plain[:7], mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(plain[7:])


def frames(plain: bytes) -> bytes:
    """Several in a row; the last without its size, as it comes of a stream."""
    packer = zstd.ZstdCompressor()
    return zstd.compress(plain[:7]) + zstd.compress(b"") + packer.compress(plain[7:]) + packer.flush()


def bare(plain: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(plain) + packer.flush()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("gzip", gzip.compress),
        ("X-GZip", gzip.compress),
        ("gzip", members),
        ("gzip", lambda plain: gzip.compress(plain, mtime=0) + bytes(512)),
        ("deflate", zlib.compress),
        ("deflate", bare),
        ("br", brotli.compress),
        ("zstd", zstd.compress),
        ("ZSTD", frames),
        ("identity, gzip, , BR", lambda plain: brotli.compress(gzip.compress(plain, mtime=0))),
        ("utf-8", bytes),
    ],
)
@pytest.mark.parametrize("size", [1, 1_000_000])
def test_a_packed_body_is_unpacked_although_nobody_asked_for_it(
    name: str, pack: Callable[[bytes], bytes], size: int
) -> None:
    packed = pack(b"hello" * 1000)
    parts = [packed[place : place + size] for place in range(0, len(packed), size)]
    head = b"Content-Encoding: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % name.encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])
    assert body_of(OK + head + chunks) == b"hello" * 1000


WIDE = {int(zstd.CompressionParameter.window_log): 24}


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("gzip", gzip.compress(b"hello", mtime=0) + gzip.compress(b"world" * 100, mtime=0)[:-9] + b"xxxxxxxxx"),
        ("br", brotli.compress(b"hello" * 100)[:-3] + b"xxx"),
        ("zstd", zstd.compress(b"hello") + b"xxxxxxxxx"),
        # More memory than a sender may ask for.
        ("zstd", zstd.compress(os.urandom(1 << 24), options=WIDE)),
    ],
    ids=["gzip", "br", "zstd", "zstd-window"],
)
def test_a_body_that_is_damaged_is_no_end(name: str, packed: bytes) -> None:
    head = f"Content-Encoding: {name}\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    with pytest.raises(Broken, match="unpacked"):
        body_of(OK + head + packed)


@pytest.mark.parametrize(
    ("name", "pack"), [("gzip", gzip.compress), ("br", partial(brotli.compress, quality=4)), ("zstd", zstd.compress)]
)
def test_a_bomb_is_unpacked_bit_by_bit(name: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(20_000_000))
    reply = OK + f"Content-Encoding: {name}\r\nContent-Length: {len(bomb)}\r\n\r\n".encode() + bomb

    async def main() -> tuple[int, int]:
        async with http_to(Server(reply)) as (http, url):
            async with http.exchange(post(url)) as response:
                first = len(await anext(response))
            async with http.exchange(post(url)) as response:
                return first, len(await response.read(1_000_000))

    first, read = asyncio.run(main())
    assert first <= 128 * 1024
    assert read == 1_000_000


# Time


def test_silence_before_and_within_an_answer_is_waited_for_only_so_long() -> None:
    async def main(reply: bytes) -> None:
        async with http_to(Server(reply)) as (http, url):
            await said(http, post(url, silence_s=0.2))

    for reply in (b"", OK + b"Content-Length: 50\r\n\r\nhello"):
        with pytest.raises(Silent):
            asyncio.run(main(reply))


@pytest.mark.parametrize("through_proxy", [False, True])
def test_a_head_that_is_always_about_to_come_is_not_waited_for_for_ever(*, through_proxy: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with suppress(ConnectionError):
            for _ in range(2000):
                writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        await hang_up(writer)

    async def main() -> None:
        async with listening(serve) as port:
            here = f"http://127.0.0.1:{port}/"
            http = Http(lambda _: here)
            url = "http://provider.example/v1" if through_proxy else here
            try:
                await said(http, InHaste(*post(url)))
            finally:
                await http.aclose()

    with pytest.raises(Stalled):
        asyncio.run(main())


def test_a_small_reply_that_trickles_is_taken_as_far_as_it_came() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 100000\r\n\r\n")
        with suppress(ConnectionError):
            for _ in range(2000):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
        await hang_up(writer)

    async def main() -> bytes:
        async with http_to(serve) as (http, url), http.exchange(InHaste(*post(url))) as response:
            return await response.read(1_000_000)

    assert 0 < len(asyncio.run(main())) < 2000


def test_an_answer_may_take_longer_than_one_silence() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 8\r\n\r\n")
        for _ in range(8):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.3)

    async def main() -> bytes:
        async with http_to(serve) as (http, url):
            return await said(http, post(url, silence_s=2))

    assert asyncio.run(main()) == b"x" * 8


def test_a_server_that_does_not_take_the_request_is_silent_too() -> None:
    async def main() -> None:
        over = asyncio.Event()

        async def serve(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await over.wait()

        async with http_to(serve) as (http, url):
            try:
                await said(http, post(url, bytes(50_000_000), silence_s=0.3))
            finally:
                over.set()

    with pytest.raises(Silent):
        asyncio.run(main())


def test_who_answers_before_the_request_is_all_there_is_heard() -> None:
    """As servers do that find it too long, or the caller too busy."""

    async def main() -> tuple[int, bytes]:
        over = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlong")
            await over.wait()  # the rest of the request is never taken

        async with http_to(serve) as (http, url):
            try:
                async with http.exchange(post(url, bytes(50_000_000), silence_s=5)) as response:
                    return response.status, await whole(response)
            finally:
                over.set()

    assert asyncio.run(main()) == (413, b"long")


def test_who_is_not_read_cannot_fill_the_memory() -> None:
    async def main() -> tuple[bool, int]:
        sent = asyncio.Event()
        size = 64 * 1024 * 1024

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK + b"Content-Length: %d\r\n\r\n" % size)
            for _ in range(64):
                writer.write(bytes(size // 64))
                await writer.drain()
            sent.set()

        async with http_to(serve) as (http, url), http.exchange(post(url)) as response:
            with suppress(TimeoutError):
                await asyncio.wait_for(sent.wait(), 0.5)
            return sent.is_set(), len(await whole(response)) - size

    assert asyncio.run(main()) == (False, 0)


# Connections


def connections(*replies: bytes, exchanges: int = 3, close: bool = False) -> int:
    """How many are made for some exchanges, one after the other, each of them whole."""

    async def main() -> int:
        server = Server(*replies, close=close)
        async with http_to(server) as (http, url):
            for _ in range(exchanges):
                assert await said(http, post(url)) == b"hello"
                if close:
                    await server.left.wait()
        return server.connections

    return asyncio.run(main())


def test_a_connection_is_used_again() -> None:
    assert connections(HELLO) == 1


@pytest.mark.parametrize(
    ("reply", "close"),
    [
        (OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", False),
        (HELLO, True),  # closed without a word
        (
            HELLO + b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
            False,
        ),  # an answer that nobody asked for
    ],
)
def test_a_connection_that_may_mislead_is_not_used_again(reply: bytes, close: bool) -> None:  # noqa: FBT001
    assert connections(reply, close=close) == 3


def test_what_a_server_says_between_two_requests_answers_neither() -> None:
    """A 408 while the connection rests must not become the answer to the next request."""

    async def main() -> tuple[int, bytes]:
        waited, said_so = asyncio.Event(), asyncio.Event()
        count = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            count += 1
            await reader.readuntil(b"{}")
            writer.write(HELLO)
            await waited.wait()
            writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            said_so.set()
            await reader.read()

        async with http_to(serve) as (http, url):
            await said(http, post(url))
            waited.set()
            await said_so.wait()
            await asyncio.sleep(0.05)  # on loopback it is here by now; nothing tells when
            return count, await said(http, post(url)) + str(count).encode()

    assert asyncio.run(main()) == (1, b"hello2")


def test_an_answer_that_is_left_takes_its_connection_along() -> None:
    async def main() -> tuple[int, bytes]:
        server = Server(OK + b"Content-Length: 50\r\n\r\nhello", HELLO)
        async with http_to(server) as (http, url):
            async with http.exchange(post(url)) as response:
                await anext(response)
            await asyncio.wait_for(server.left.wait(), PATIENCE_S)
            return server.connections, await said(http, post(url))

    assert asyncio.run(main()) == (1, b"hello")


def test_each_that_is_on_its_way_has_a_connection_of_its_own_and_leaves_it_to_the_next() -> None:
    async def main() -> int:
        server = Server(HELLO)
        async with http_to(server) as (http, url):
            for _ in range(3):
                assert set(await asyncio.gather(*(said(http, post(url)) for _ in range(40)))) == {b"hello"}
        return server.connections

    assert asyncio.run(main()) == 40


def test_closing_ends_what_is_on_its_way() -> None:
    async def main() -> None:
        server = Server(b"")
        async with http_to(server) as (http, url):
            waiting = asyncio.create_task(said(http, post(url)))
            await server.asked.wait()
            await http.aclose()
            with pytest.raises(WireError):
                await waiting
            await asyncio.wait_for(server.left.wait(), PATIENCE_S)

    asyncio.run(main())


# TLS, and proxies


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that this process trusts, and no other."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


def identity(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def told_over_tls(tls: ssl.SSLContext, name: str, *, host: str = "") -> tuple[bytes, int]:
    """What a server with this certificate says to who calls it by `name`, and over how many connections for two."""

    async def main() -> tuple[bytes, int]:
        server = Server(HELLO)
        async with listening(server, tls) as port:
            http = Http(no_proxy)
            try:
                exchange = post(f"https://{name}:{port}/", host=host and f"{host}:{port}")
                told = [await said(http, exchange) for _ in range(2)]
            finally:
                await http.aclose()
        return told[-1], server.connections

    return asyncio.run(main())


def test_tls_with_the_right_name(authority: trustme.CA) -> None:
    assert told_over_tls(identity(authority, "localhost"), "localhost") == (b"hello", 1)


def test_a_pinned_address_is_known_by_its_hosts_name(authority: trustme.CA) -> None:
    assert told_over_tls(identity(authority, "my-own.example"), "127.0.0.1", host="my-own.example") == (b"hello", 1)


def test_tls_with_another_name_or_authority_sends_nothing(authority: trustme.CA) -> None:
    with pytest.raises(Unsent, match="certificate"):
        told_over_tls(identity(authority, "other.example"), "localhost")
    with pytest.raises(Unsent, match="certificate"):
        told_over_tls(identity(trustme.CA(), "localhost"), "localhost")


@pytest.mark.usefixtures("authority")
def test_the_authorities_are_the_users_own_or_else_certifis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def trusted() -> int:
        """How many authorities are known from the start; those of a folder are looked for when they are needed."""
        return certificates().cert_store_stats()["x509_ca"]

    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert trusted() == 1, "the file wins"
    monkeypatch.setenv("SSL_CERT_FILE", "")
    assert trusted() == 0
    monkeypatch.setenv("SSL_CERT_DIR", "")
    assert trusted() == Path(certifi.where()).read_text("utf-8").count("BEGIN CERTIFICATE")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="a folder of authorities is made with openssl")
def test_the_authorities_may_be_a_folder(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = tmp_path / "ca.pem"
    hashed = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", str(made)], capture_output=True, text=True, check=True
    )
    made.rename(tmp_path / f"{hashed.stdout.strip()}.0")
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    server = identity(authority, "localhost")
    assert told_over_tls(server, "localhost") == (b"hello", 1)
    trustme.CA().cert_pem.write_to_path(tmp_path / "another.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "another.pem"))
    with pytest.raises(Unsent, match="certificate"):
        told_over_tls(server, "localhost")


def test_tls_without_a_proxy_needs_no_library_of_others(authority: trustme.CA) -> None:
    """Importing httpx took longer than all else on the way to a first byte."""
    code = f"""if True:
        import asyncio, sys
        from datetime import timedelta
        from lollmsbot_keys.edges.http.exchange import Exchange
        from lollmsbot_keys.edges.http.pool import Http

        async def main(port):
            http, url = Http(lambda _: None), f"https://localhost:{{port}}/"
            async with http.exchange(Exchange("POST", url, {{}}, b"{{}}", timedelta(seconds={PATIENCE_S}))) as response:
                print(await response.read(100))
            await http.aclose()

        asyncio.run(main(int(sys.argv[1])))
        print({{"httpx", "httpcore", "h11"}} & set(sys.modules))
    """

    async def main() -> bytes:
        async with listening(Server(HELLO), identity(authority, "localhost")) as port:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, str(port), stdout=asyncio.subprocess.PIPE
            )
            return (await child.communicate())[0]

    assert asyncio.run(main()).decode().split("\n")[:2] == ["b'hello'", "{'h11'}"]


@pytest.mark.usefixtures("authority")
def test_who_is_no_tls_server_gets_nothing() -> None:
    async def main() -> list[bytes]:
        server = Server(HELLO)
        async with listening(server) as port:
            with pytest.raises(Unsent):
                await said(Http(no_proxy), post(f"https://127.0.0.1:{port}/", silence_s=0.5))
        return server.heard

    assert asyncio.run(main()) == []


def test_through_a_proxy_only_the_provider_can_read(authority: trustme.CA) -> None:
    """The proxy sees a name and, in its own header, its own password; what is asked goes through it unread."""

    async def main() -> tuple[list[bytes], bytes, int]:
        asked: list[bytes] = []
        provider = Server(HELLO)

        async with listening(provider, identity(authority, "provider.example")) as port:

            async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                onward_reader, onward = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"HTTP/1.1 200 Go on\r\n\r\n")
                await asyncio.gather(passed_on(reader, onward), passed_on(onward_reader, writer))

            async with listening(tunnel) as proxy_port:
                http = Http(lambda _: f"http://me:hunter2@127.0.0.1:{proxy_port}")
                try:
                    told = [await said(http, post("https://provider.example/v1")) for _ in range(2)]
                finally:
                    await http.aclose()
        return asked, told[-1], provider.connections

    asked, told, count = asyncio.run(main())
    assert (told, len(asked), count) == (b"hello", 1, 1)
    assert asked[0].startswith(b"CONNECT provider.example:443 HTTP/1.1\r\n")
    assert b"proxy-authorization: basic " in asked[0].lower()


def through(proxy: Serve, url: str, silence_s: float = PATIENCE_S) -> bytes:
    """What comes through a proxy of the test's own."""

    async def main() -> bytes:
        async with listening(proxy) as port:
            http = Http(lambda _: f"http://127.0.0.1:{port}")
            try:
                return await said(http, InHaste(*post(url, silence_s=silence_s)))
            finally:
                await http.aclose()

    return asyncio.run(main())


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"junk\r\n\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 Go on\r\n\r\n",
        b"HTTP/1.1 200 Go on\r\n\r\nno TLS",
    ],
)
@pytest.mark.parametrize("hangs", [False, True])
def test_what_a_proxy_does_not_pass_on_was_not_sent(reply: bytes, *, hangs: bool) -> None:
    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        if hangs:
            await reader.read()
        await hang_up(writer)

    began = time.monotonic()
    with pytest.raises(Unsent):
        through(proxy, "https://provider.example/v1")
    assert time.monotonic() - began < PATIENCE_S / 2, "that is no silence of the provider"


@pytest.mark.parametrize(("reply", "error"), [(b"HTTP/1.1 200 OK\r\n", Broken), (b"", Broken), (None, Silent)])
def test_what_a_proxy_has_taken_was_sent(reply: bytes | None, error: type[WireError]) -> None:
    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if reply is None:
            await reader.read()
        else:
            writer.write(reply)
        await hang_up(writer)

    with pytest.raises(WireError) as raised:
        through(proxy, "http://provider.example/v1", 0.5 if reply is None else PATIENCE_S)
    assert type(raised.value) is error


async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    await hang_up(writer)


def test_a_name_with_several_addresses_is_reached_at_the_one_that_answers() -> None:
    """`localhost` may be ::1 first; the server listens on 127.0.0.1 only."""
    assert socket.getaddrinfo("localhost", 80)

    async def main() -> bytes:
        async with listening(Server(HELLO)) as port:
            http = Http(no_proxy)
            told = await said(http, post(f"http://localhost:{port}/"))
            await http.aclose()
            return told

    assert asyncio.run(main()) == b"hello"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 9)"), os.strerror(errno.ECONNREFUSED)),
        (OSError(errno.ECONNREFUSED, "Connect call failed ('::1', 9, 0, 0)"), os.strerror(errno.ECONNREFUSED)),
        (OSError(errno.ECONNRESET, "Connection reset by peer"), "Connection reset by peer"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (ValueError("sent [Errno 5] by somebody"), "sent [Errno 5] by somebody"),
        (ConnectionError(), "ConnectionError"),
    ],
    ids=repr,
)
def test_what_went_wrong_is_said_in_words(error: Exception, said: str) -> None:
    assert words_of(error) == said
