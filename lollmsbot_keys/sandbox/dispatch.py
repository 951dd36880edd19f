"""The loopback internet: the owner of each path, the faults that are due, and the log of requests."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.errors import UsageError
from lollmsbot_keys.sandbox.accounts import KeyRing, SandboxKey
from lollmsbot_keys.sandbox.chat import ChatRequest, output_limit, table_of, text_of
from lollmsbot_keys.sandbox.dialects import Json
from lollmsbot_keys.sandbox.fault_kinds import FaultScope
from lollmsbot_keys.sandbox.fault_replies import bend, replacement
from lollmsbot_keys.sandbox.fault_schedule import Fault, FaultBoard, parse_fault
from lollmsbot_keys.sandbox.http import Cut, HttpReply, HttpRequest, bytes_reply, json_reply
from lollmsbot_keys.sandbox.management import FakeKeysApi
from lollmsbot_keys.sandbox.ollama import LocalOllama, OllamaCloud
from lollmsbot_keys.sandbox.openrouter import OpenRouter

CONTROL = "/_sandbox"
_HEADERS_OF_INTEREST = ("accept", "content-type", "http-referer", "user-agent", "x-openrouter-title", "x-title")


class SandboxPort(StrEnum):
    """The port of the sandbox that was called."""

    INTERNET = "internet"
    LOCAL = "local"
    ELSEWHERE = "elsewhere"  # where redirects point: nobody should ever come here


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as the sandbox saw it, without a secret.

    `key` is a name; `None` for no secret or an unknown one.
    """

    at: datetime
    place: SandboxPort
    where: FaultScope | None
    method: str
    path: str
    key: str | None
    with_authorization: bool
    model: str | None
    stream: bool
    max_output_tokens: int | None
    preferences: Json
    headers: Mapping[str, str]
    status: int | None
    fault: str | None

    @property
    def caller(self) -> str | None:
        """The sender of the request: a key's name, or `local`, which has no key."""
        return "local" if self.place is SandboxPort.LOCAL else self.key


@dataclass(frozen=True, slots=True)
class Route:
    provider: Provider
    where: FaultScope
    handler: Callable[[ChatRequest], HttpReply]


class World:
    """All providers behind one function from a request to a reply.

    It may be called from several threads.
    """

    def __init__(self, keys: KeyRing, *, serve_retired: bool = False, now: Callable[[], float] = time.time) -> None:
        self.elsewhere = ""
        self._keys = keys
        self._now = now
        self._lock = threading.Lock()
        self._board = FaultBoard()
        self._log: list[RecordedRequest] = []
        self._calls = 0
        self._management = FakeKeysApi(keys)
        self._routes = _routes(OllamaCloud(serve_retired=serve_retired), OpenRouter(), self._management)

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        with self._lock:
            return tuple(self._log)

    @property
    def keys(self) -> tuple[SandboxKey, ...]:
        """The keys that exist now."""
        with self._lock:
            return tuple(self._keys)

    @property
    def faults(self) -> tuple[Fault, ...]:
        with self._lock:
            return self._board.due

    def targets(self) -> dict[str, Provider]:
        """Return the targets of faults: the keys, then whole providers."""
        return {key.name: key.provider for key in self._keys} | {str(provider): provider for provider in Provider}

    def add_faults(self, faults: Iterable[str | Fault]) -> None:
        """Queue all of `faults`; none where one cannot be read (UsageError)."""
        with self._lock:
            self._add_faults(faults)

    def clear_faults(self) -> None:
        with self._lock:
            self._board.clear()

    def forget_requests(self) -> None:
        with self._lock:
            self._log.clear()

    def make_key(self, like: str) -> tuple[str, str]:
        """Make a key by hand in the account of the key called `like`, and return its name and its secret."""
        with self._lock:
            made = self._keys.another(like, self._now())
        if made is None:
            raise UsageError(f"There is no key {like} in the sandbox.")
        return made.name, made.secret

    def remove_key(self, name: str) -> bool:
        """Delete the key called `name` by hand, and say whether there was one."""
        with self._lock:
            return self._remove(name)

    def answer(self, place: SandboxPort, request: HttpRequest) -> HttpReply:
        with self._lock:
            if place is SandboxPort.INTERNET and request.path.startswith(CONTROL):
                return self._control(request)
            return self._answer(place, request)

    def _add_faults(self, faults: Iterable[str | Fault]) -> None:
        targets = self.targets()
        for fault in [parse_fault(fault, targets) if isinstance(fault, str) else fault for fault in faults]:
            self._board.add(fault)

    def _answer(self, place: SandboxPort, request: HttpRequest) -> HttpReply:
        self._calls += 1
        route = self._routes.get((place, request.method, _pattern(request.path)))
        if route is None:
            reply = self._nowhere(place, request)
            self._record(place, request, None, None, None, reply)
            return reply
        call = self._call(route, request)
        reply = _reply(route, call)
        self._record(place, request, route, call.key, call.fault, reply)
        return reply

    def _call(self, route: Route, request: HttpRequest) -> ChatRequest:
        key = self._keys.find(request.bearer, route.provider)
        targets = (str(route.provider),) if key is None else (key.name, str(route.provider))
        fault = self._board.take(targets, route.where) or self._lasting_refusal(targets, route.where)
        body = request.json() if request.method in ("POST", "PATCH") else None
        number, now_s = self._calls, self._now()
        return ChatRequest(request, route.provider, route.where, key, fault, body, number, now_s, self.elsewhere)

    def _lasting_refusal(self, targets: Iterable[str], where: FaultScope) -> Fault | None:
        """Return the 401 that the chat will give a key, also for a key check.

        A key that the chat refuses with 401 is refused by the key checks as well, which do not use the fault up.
        """
        if where not in (FaultScope.CHECK, FaultScope.ACCOUNT, FaultScope.MANAGE):
            return None
        fault = self._board.peek(targets, FaultScope.CHAT)
        return fault if fault is not None and fault.kind.name == "401" else None

    def _nowhere(self, place: SandboxPort, request: HttpRequest) -> HttpReply:
        if place is SandboxPort.ELSEWHERE:
            return json_reply(200, {"message": "a redirect was followed to here"})
        methods = [method for at, method, path in self._routes if (at, path) == (place, _pattern(request.path))]
        if methods:
            return bytes_reply(405, b"405 method not allowed", "text/plain", ("Allow", ", ".join(methods)))
        return bytes_reply(404, b"404 page not found", "text/plain")

    def _record(
        self,
        place: SandboxPort,
        request: HttpRequest,
        route: Route | None,
        key: SandboxKey | None,
        fault: Fault | None,
        reply: HttpReply,
    ) -> None:
        body = request.json() if request.body else None
        seen = {name: request.headers[name] for name in _HEADERS_OF_INTEREST if name in request.headers}
        path = f"{request.path}?{request.query}" if request.query else request.path
        self._log.append(
            RecordedRequest(
                at=datetime.fromtimestamp(self._now(), UTC),
                place=place,
                where=None if route is None else route.where,
                method=request.method,
                path=self._keys.masked(path),
                key=None if key is None else key.name,
                with_authorization="authorization" in request.headers,
                model=text_of(body, "model") or None,
                stream=bool((body or {}).get("stream", request.path.endswith("/api/chat"))),
                max_output_tokens=output_limit(body),
                preferences=table_of(body, "provider"),
                headers={name: self._keys.masked(value) for name, value in seen.items()},
                status=None if reply.frames[:1] == (Cut(),) else reply.status,
                fault=None if fault is None else str(fault),
            )
        )

    def _control(self, request: HttpRequest) -> HttpReply:
        """Answer a request of the sandbox's own control interface.

        It reads the log, reads and changes the faults, and makes and removes keys as a person does.
        """
        match request.method, request.path.removeprefix(CONTROL):
            case "GET", "/requests":
                return json_reply(200, [_as_json(entry) for entry in self._log])
            case "DELETE", "/requests":
                self._log.clear()
                return json_reply(200, [])
            case "POST", "/faults":
                return self._post_faults(request)
            case "POST" | "DELETE", "/keys":
                return self._by_hand(request)
            case "DELETE", "/faults":
                self._board.clear()
            case "GET", "/faults":
                pass
            case _:
                return json_reply(404, {"error": f"under {CONTROL} there are requests, faults and keys"})
        return self._fault_list()

    def _by_hand(self, request: HttpRequest) -> HttpReply:
        """Make or delete a key, as a person does on the provider's page for keys.

        The body names a key; one like it is made, or it is deleted.
        """
        name = request.body.decode("utf-8", "replace").strip()
        if request.method == "DELETE":
            return json_reply(200, {"deleted": self._remove(name)})
        made = self._keys.another(name, self._now())
        if made is None:
            return json_reply(400, {"error": f"no such key: {name!r}. There are {', '.join(self.targets())}"})
        return json_reply(201, {"name": made.name, "secret": made.secret})

    def _remove(self, name: str) -> bool:
        key = self._keys.named(name)
        if key is not None:
            self._keys.remove(key)
        return key is not None

    def _post_faults(self, request: HttpRequest) -> HttpReply:
        """Queue the faults in the body: lines of text, a JSON list, or `{"faults": […]}`."""
        try:
            self._add_faults(_posted_faults(request.body.decode("utf-8", "replace")))
        except UsageError as problem:
            return json_reply(400, {"error": str(problem)})
        return self._fault_list()

    def _fault_list(self) -> HttpReply:
        return json_reply(200, {"faults": [str(fault) for fault in self._board.due]})


def _reply(route: Route, call: ChatRequest) -> HttpReply:
    if call.fault is None:
        return route.handler(call)
    instead = replacement(call.fault, call.situation)
    if instead is not None:
        return instead
    if call.fault.kind.name == "drop":  # unlike `lost`, nothing is done for it
        return HttpReply(200, (Cut(),))
    return bend(call.fault, route.handler(call))


def _pattern(path: str) -> str:
    """Return the path of a route; all `/keys/{hash}` have the same one."""
    head, _, _ = path.rpartition("/")
    return "/openrouter/api/v1/keys/*" if head == "/openrouter/api/v1/keys" else path


def _routes(
    cloud: OllamaCloud, openrouter: OpenRouter, management: FakeKeysApi
) -> dict[tuple[SandboxPort, str, str], Route]:
    local = LocalOllama()
    rows: tuple[tuple[SandboxPort, Provider, FaultScope, str, str, Callable[[ChatRequest], HttpReply]], ...] = (
        *_ollama_rows(SandboxPort.INTERNET, Provider.OLLAMA, "/ollama", cloud),
        *_ollama_rows(SandboxPort.LOCAL, Provider.LOCAL, "", local),
        (SandboxPort.INTERNET, Provider.OLLAMA, FaultScope.CHECK, "GET", "/ollama/api/balance", cloud.balance),
        (SandboxPort.INTERNET, Provider.OLLAMA, FaultScope.CHECK, "GET", "/ollama/api/usage", cloud.usage),
        (SandboxPort.INTERNET, Provider.OLLAMA, FaultScope.ACCOUNT, "POST", "/ollama/api/me", cloud.me),
        (SandboxPort.LOCAL, Provider.LOCAL, FaultScope.LIST, "GET", "/api/version", local.version),
        *(
            (SandboxPort.INTERNET, Provider.OPENROUTER, where, method, f"/openrouter/api/v1{path}", handler)
            for where, method, path, handler in (
                (FaultScope.CHAT, "POST", "/chat/completions", openrouter.chat),
                (FaultScope.LIST, "GET", "/models", openrouter.list_models),
                (FaultScope.CHECK, "GET", "/key", openrouter.key),
                (FaultScope.CHECK, "GET", "/credits", openrouter.credits),
                (FaultScope.CHECK, "GET", "/generation", openrouter.generation),
                (FaultScope.MANAGE, "POST", "/keys", management.create),
                (FaultScope.MANAGE, "GET", "/keys", management.list_keys),
                (FaultScope.MANAGE, "GET", "/keys/*", management.read),
                (FaultScope.MANAGE, "PATCH", "/keys/*", management.change),
                (FaultScope.MANAGE, "DELETE", "/keys/*", management.remove),
            )
        ),
    )
    return {
        (place, method, path): Route(provider, where, handler) for place, provider, where, method, path, handler in rows
    }


def _ollama_rows(
    place: SandboxPort, provider: Provider, prefix: str, server: OllamaCloud | LocalOllama
) -> tuple[tuple[SandboxPort, Provider, FaultScope, str, str, Callable[[ChatRequest], HttpReply]], ...]:
    return (
        (place, provider, FaultScope.CHAT, "POST", f"{prefix}/api/chat", server.chat),
        (place, provider, FaultScope.CHAT, "POST", f"{prefix}/v1/chat/completions", server.chat),
        (place, provider, FaultScope.LIST, "GET", f"{prefix}/api/tags", server.tags),
        (place, provider, FaultScope.LIST, "GET", f"{prefix}/v1/models", server.list_models),
        (place, provider, FaultScope.SHOW, "POST", f"{prefix}/api/show", server.show),
    )


def _posted_faults(text: str) -> list[str]:
    try:
        value = json.loads(text)
    except ValueError:
        return [line.strip() for line in text.splitlines() if line.strip()]
    listed = value.get("faults") if isinstance(value, dict) else value
    if not isinstance(listed, list) or not all(isinstance(fault, str) for fault in listed):
        raise UsageError('expected lines such as OLLAMA_API_KEY=429:3, or {"faults": ["OLLAMA_API_KEY=429:3"]}')
    return listed


def _as_json(entry: RecordedRequest) -> Json:
    return {**asdict(entry), "at": entry.at.isoformat().replace("+00:00", "Z")}
