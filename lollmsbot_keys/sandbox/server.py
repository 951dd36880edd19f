"""The running sandbox: three loopback ports, one thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from lollmsbot_keys.sandbox.accounts import KeyRing
from lollmsbot_keys.sandbox.dispatch import CONTROL, RecordedRequest, SandboxPort, World
from lollmsbot_keys.sandbox.fault_schedule import Fault
from lollmsbot_keys.sandbox.http import HttpReply, HttpRequest, converse
from lollmsbot_keys.sandbox.setup import Rehearsal, prepare

_LOOPBACK = "127.0.0.1"
_BACKLOG = 1024
_MAX_HEAD_BYTES = 64 << 10


class Sandbox:
    """Ollama Cloud, OpenRouter and a local Ollama on loopback, with made-up keys.

    `faults` are written as on the command line: ``OLLAMA_API_KEY=429:3``; one that cannot be read is a UsageError.
    `serve_retired` brings back the models that Ollama Cloud has retired. `pace_seconds` is the time between two
    chunks of a stream. Use it as a context manager, or `start` and `close` it.
    """

    def __init__(
        self,
        faults: Iterable[str | Fault] = (),
        *,
        serve_retired: bool = False,
        one_ollama_account: bool = False,
        free_per_day: int = 50,
        pace_seconds: float = 0.0,
    ) -> None:
        self._ring = KeyRing(time.time(), one_ollama_account=one_ollama_account, free_per_day=free_per_day)
        self._made = tuple((key.name, key.secret, key.management) for key in self._ring)
        self.world = World(self._ring, serve_retired=serve_retired)
        self.world.add_faults(faults)
        self._pace_seconds = pace_seconds
        self._ports: dict[SandboxPort, int] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Listen, and return when every port answers."""
        sockets = {place: socket.create_server((_LOOPBACK, 0), backlog=_BACKLOG) for place in SandboxPort}
        self._ports = {place: listener.getsockname()[1] for place, listener in sockets.items()}
        self.world.elsewhere = self._base(SandboxPort.ELSEWHERE)
        ready = threading.Event()
        run = partial(self._run, sockets, ready)
        self._thread = threading.Thread(target=run, name="lbk-sandbox", daemon=True)
        self._thread.start()
        ready.wait()

    def close(self) -> None:
        """Close the ports and every connection; harmless when done twice."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join()
        self._thread = self._loop = self._stop = None

    @property
    def ollama_endpoints(self) -> tuple[str, str]:
        """The endpoints of Ollama Cloud: the OpenAI dialect first, then the native one."""
        base = self._base(SandboxPort.INTERNET)
        return f"{base}/ollama/v1", f"{base}/ollama/api"

    @property
    def openrouter_endpoint(self) -> str:
        return f"{self._base(SandboxPort.INTERNET)}/openrouter/api/v1"

    @property
    def local_endpoint(self) -> str:
        return self._base(SandboxPort.LOCAL)

    @property
    def endpoints(self) -> dict[str, tuple[str, ...]]:
        """The values for `providers.NAME.endpoints` of a configuration."""
        return {
            "ollama": self.ollama_endpoints,
            "openrouter": (self.openrouter_endpoint,),
            "local": (self.local_endpoint,),
        }

    @property
    def elsewhere(self) -> str:
        """The address to which the `redirect` fault points.

        A request recorded there followed a redirect.
        """
        return self._base(SandboxPort.ELSEWHERE)

    @property
    def control(self) -> str:
        """The base of `/requests` and `/faults`."""
        return self._base(SandboxPort.INTERNET) + CONTROL

    @property
    def keys(self) -> dict[str, str]:
        """The five keys: name to made-up secret."""
        return {name: secret for name, secret, management in self._made if not management}

    @property
    def management_key(self) -> str:
        """The secret of OpenRouter's management key."""
        return next(secret for _, secret, management in self._made if management)

    @property
    def secrets(self) -> dict[str, str]:
        """Every credential, the management key too, by the name of its environment variable."""
        return {name: secret for name, secret, _ in self._made}

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """Everything that was asked, in order, without control requests."""
        return self.world.requests

    def chats(self, key: str | None = None) -> tuple[RecordedRequest, ...]:
        """Return the chat requests of one key (`local` is one too), or of all."""
        chats = (entry for entry in self.requests if entry.where == "chat")
        return tuple(entry for entry in chats if key is None or entry.caller == key)

    def add(self, *faults: str | Fault) -> None:
        """Queue further faults."""
        self.world.add_faults(faults)

    def make_key(self, like: str) -> tuple[str, str]:
        """Make a further key of the same account, and return its name and its secret.

        A person makes such a key on the provider's page.
        """
        return self.world.make_key(like)

    def remove_key(self, name: str) -> bool:
        """Delete a key as a person does, and say whether there was one."""
        return self.world.remove_key(name)

    def living_keys(self) -> dict[str, str]:
        """Return every key that its provider takes now: name to secret."""
        return {key.name: key.secret for key in self.world.keys if not key.disabled}

    def rehearsal(self, directory: Path, base: Mapping[str, str]) -> Rehearsal:
        """Write configuration and launcher into `directory`, and describe the environment over `base`."""
        return prepare(directory, self.endpoints, {**self.secrets, "LBK_SANDBOX_URL": self.control}, base)

    def environment(self, directory: Path, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment for a child that shall see this sandbox and nothing else.

        Without `base` it is a bare one, whose home is `directory`.
        """
        bare = {"PATH": os.defpath, "HOME": str(directory), "LANG": "C.UTF-8"}
        return self.rehearsal(directory, bare if base is None else base).environment

    def _base(self, place: SandboxPort) -> str:
        return f"http://{_LOOPBACK}:{self._ports[place]}"

    def _run(self, sockets: Mapping[SandboxPort, socket.socket], ready: threading.Event) -> None:
        asyncio.run(self._serve(sockets, ready))

    async def _serve(self, sockets: Mapping[SandboxPort, socket.socket], ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        servers = [
            await asyncio.start_server(partial(self._connected, place), sock=listener, limit=_MAX_HEAD_BYTES)
            for place, listener in sockets.items()
        ]
        ready.set()
        await self._stop.wait()
        for server in servers:
            server.close()

    async def _connected(self, place: SandboxPort, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def answer(request: HttpRequest) -> HttpReply:
            return self.world.answer(place, request)

        # asyncio does this only for sockets that say IPPROTO_TCP; one that was made and then accepted says 0.
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Cancelled only when everything closes; Python 3.11 would print that as an error.
        with contextlib.suppress(asyncio.CancelledError):
            await converse(reader, writer, answer, self._pace_seconds)
