"""HTTP/1.1 by hand: requests are read, replies are played.

It knows nothing of providers. A reply is a value, faults included: what is sent, where it pauses, where the connection
breaks off.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

MAX_BODY_BYTES = 64 << 20
_MAX_HEAD_BYTES = 64 << 10
_UNREGISTERED_PHRASES = {524: "A Timeout Occurred", 529: "Overloaded"}


@dataclass(frozen=True, slots=True)
class Pause:
    """A silence before the next frame."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The end of the connection, whatever the head promised."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request.

    Header names are in lower case; a header given twice keeps its last value.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    keep_alive: bool = True

    @property
    def bearer(self) -> str | None:
        """The secret of `Authorization: Bearer …`; `None` without one."""
        scheme, _, secret = self.headers.get("authorization", "").partition(" ")
        return secret.strip() if scheme.lower() == "bearer" and secret.strip() else None

    def json(self) -> dict[str, object] | None:
        """Read the body as a JSON object; `None` where it is anything else.

        Fractions are kept as their text.
        """
        try:
            value = json.loads(self.body, parse_float=str)
        except ValueError:  # also UnicodeDecodeError
            return None
        return value if isinstance(value, dict) else None


@dataclass(frozen=True, slots=True)
class HttpReply:
    """One reply.

    The head leaves together with the first bytes: pauses and cuts before them come before it. `length` is the
    Content-Length that the head promises in bytes; `None` sends chunks.
    """

    status: int
    frames: tuple[bytes | Pause | Cut, ...]
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None

    def with_headers(self, *headers: tuple[str, str]) -> HttpReply:
        return replace(self, headers=(*self.headers, *headers))


def bytes_reply(status: int, body: bytes, content_type: str, *headers: tuple[str, str]) -> HttpReply:
    return HttpReply(status, (body,), (("Content-Type", content_type), *headers), len(body))


def json_reply(status: int, value: object, *headers: tuple[str, str]) -> HttpReply:
    return bytes_reply(status, json_bytes(value), "application/json; charset=utf-8", *headers)


def json_bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


class MalformedRequest(Exception):
    """A request that is not HTTP, or too large."""


async def converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    answer: Callable[[HttpRequest], HttpReply],
    pace_seconds: float,
) -> None:
    """Answer the requests of one connection until either side ends it."""
    try:
        while (request := await _read_request(reader, writer)) is not None:
            whole = await _play(writer, answer(request), pace_seconds)
            if not whole or not request.keep_alive:
                break
    except MalformedRequest as problem:
        await _play(writer, bytes_reply(400, f"{problem}\n".encode(), "text/plain", ("Connection", "close")), 0)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # the client has left: its right, at any moment
    finally:
        writer.close()


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> HttpRequest | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial.strip():
            raise
        return None
    except asyncio.LimitOverrunError:
        raise MalformedRequest(f"the head is longer than {_MAX_HEAD_BYTES} bytes") from None
    method, target, version, headers = _parse_head(head)
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    path, _, query = target.partition("?")
    connection = headers.get("connection", "").lower()
    keep_alive = "close" not in connection and (version != "HTTP/1.0" or "keep-alive" in connection)
    return HttpRequest(method, path, query, headers, await _read_body(reader, headers), keep_alive)


def _parse_head(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").strip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise MalformedRequest("not an HTTP/1.1 request")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise MalformedRequest("a header line without a name")
        headers[name.lower()] = value.strip()
    return words[0], words[1], words[2], headers


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _read_chunks(reader)
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise MalformedRequest("Content-Length is not a number")
    if int(length) > MAX_BODY_BYTES:
        raise MalformedRequest(f"the body is longer than {MAX_BODY_BYTES} bytes")
    return await reader.readexactly(int(length))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        size_line = (await reader.readuntil(b"\r\n")).split(b";")[0].strip()
        try:
            size = int(size_line, 16)
        except ValueError:
            raise MalformedRequest("a chunk without a size") from None
        if size < 0 or len(body) + size > MAX_BODY_BYTES:
            raise MalformedRequest(f"the body is longer than {MAX_BODY_BYTES} bytes")
        if size == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass  # trailers
            return bytes(body)
        body += await reader.readexactly(size)
        await reader.readexactly(2)


async def _play(writer: asyncio.StreamWriter, reply: HttpReply, pace_seconds: float) -> bool:
    """Send the reply, and say whether the connection is fit for another request."""
    head = _head(reply)
    for frame in reply.frames:
        if isinstance(frame, Cut):
            return False
        if isinstance(frame, Pause):
            await asyncio.sleep(frame.seconds)
            continue
        writer.write(head + (frame if reply.length is not None else _chunk(frame)))
        head = b""
        await writer.drain()
        if reply.length is None:
            await asyncio.sleep(pace_seconds)
    if reply.length is None:
        writer.write(head + b"0\r\n\r\n")
    elif head:
        writer.write(head)
    await writer.drain()
    return True


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(reply: HttpReply) -> bytes:
    framing = ("Transfer-Encoding", "chunked") if reply.length is None else ("Content-Length", str(reply.length))
    lines = [f"HTTP/1.1 {reply.status} {_phrase(reply.status)}"]
    lines += [f"{name}: {value}" for name, value in (("Server", "lbk-sandbox"), *reply.headers, framing)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return _UNREGISTERED_PHRASES.get(status, "Unregistered")
