"""A provider that costs next to nothing.

It is a process of its own, whose answers are ready before anyone asks. It speaks just enough HTTP/1.1 for a client that
frames its requests by Content-Length. `GET /seen` gives the last POST back, byte for byte, so that every client of a
comparison can be made to send the same one.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EVENTS = 200
"""Pieces of a streamed answer, about as many as a paragraph has tokens."""
_USAGE = {"prompt_tokens": 20, "completion_tokens": EVENTS, "total_tokens": 20 + EVENTS}
_WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "kimi-k2.6",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "One two three. " * 20}, "finish_reason": "stop"}
    ],
    "usage": _USAGE,
}


@contextmanager
def served() -> Iterator[str]:
    """Run the server as a process of its own, and yield its base URL."""
    server = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.communicate()


def _reply(kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _stream() -> list[bytes]:
    """Return a streamed answer in the pieces in which it is sent: one event each, one chunk of HTTP each."""
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "kimi-k2.6"}
    pieces = [{"index": 0, "delta": {"content": f" word{n}"}, "finish_reason": None} for n in range(EVENTS)]
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = [{**common, "choices": [choice]} for choice in (*pieces, last)]
    texts = [*(json.dumps(event) for event in events), json.dumps({**common, "choices": [], "usage": _USAGE}), "[DONE]"]
    chunks = [f"data: {text}\n\n".encode() for text in texts]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [head, *(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks), b"0\r\n\r\n"]


class _Connection(asyncio.Protocol):
    whole, stream, seen = _reply("application/json", json.dumps(_WHOLE).encode()), _stream(), b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.held = transport, b""

    def data_received(self, data: bytes) -> None:
        self.held += data
        while (end := self.held.find(b"\r\n\r\n") + 4) > 3:
            head = self.held[:end].lower()
            _, _, rest = head.partition(b"\r\ncontent-length:")
            size = end + int(rest.partition(b"\r\n")[0] or b"0")
            if len(self.held) < size:
                return
            request, self.held = self.held[:size], self.held[size:]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        if request.startswith(b"GET"):
            self.transport.write(_reply("application/octet-stream", _Connection.seen))
            return
        _Connection.seen = request
        if b'"stream":true' in request.replace(b": ", b":"):
            for piece in self.stream:
                self.transport.write(piece)
        else:
            self.transport.write(self.whole)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    asyncio.run(_serve())
