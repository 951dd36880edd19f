"""GitHub's side of Actions secrets, for a real `gh`: over a Unix socket, with a real key to encrypt with."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

TOKEN = "gho_stand-in-0123456789abcdef"
_SECRET = re.compile(r"/(?P<place>.+?)/(?:actions/)?secrets/(?P<name>[^/?]+)(?P<repositories>/repositories)?(?:\?.*)?")


class GitHub:
    """What was sent, decrypted; and what is answered."""

    def __init__(self, folder: Path) -> None:
        from nacl.public import PrivateKey

        self.folder = folder
        self.key = PrivateKey.generate()
        self.values: dict[str, str] = {}
        """By `repos/acme/app/NAME`, `repositories/77/environments/live/NAME` or `orgs/acme/NAME`."""
        self.shared: dict[str, tuple[str, list[str]]] = {}
        """Visibility of an organisation's secret, and the repositories it is selected for."""
        self.calls: list[str] = []
        self.answers: dict[str, int] = {}
        """Statuses to answer with instead, by the beginning of method and path."""
        self.go_on = threading.Event()
        """While it is not set, calls wait."""
        self.go_on.set()
        self.called = threading.Event()

    @property
    def env(self) -> dict[str, str]:
        """The variables of a person whose `gh` sees this GitHub only, and is logged in."""
        home = str(self.folder)
        return {"PATH": os.environ["PATH"], "HOME": home, "GH_CONFIG_DIR": home, "GH_TOKEN": TOKEN}

    def decrypted(self, value: str) -> str:
        from nacl.public import SealedBox

        return SealedBox(self.key).decrypt(base64.b64decode(value)).decode()

    def public_key(self) -> str:
        return base64.b64encode(bytes(self.key.public_key)).decode()


@contextmanager
def github() -> Iterator[GitHub]:
    """A GitHub that is up for the length of the block."""
    folder = Path(tempfile.mkdtemp(prefix="gh-"))  # the path of a socket must be short
    try:
        hub = GitHub(folder)
        (folder / "config.yml").write_text(f"http_unix_socket: {folder}/s\n")
        handler = type("Handler", (_Handler,), {"hub": hub})
        with socketserver.ThreadingUnixStreamServer(f"{folder}/s", handler) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            yield hub
            hub.go_on.set()
            server.shutdown()
    finally:
        shutil.rmtree(folder)


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[GitHub]

    def do_GET(self) -> None:
        found = self._begin()
        if found is None:
            return
        hub, place = self.hub, f"{found['place']}/{found['name']}"
        if found["name"] == "public-key":
            self._answer(200, {"key_id": "1", "key": hub.public_key()})
        elif place not in hub.values:
            self._answer(404, {"message": "Not Found"})
        elif found["repositories"]:
            names = [{"id": number, "full_name": name} for number, name in enumerate(hub.shared[place][1])]
            self._answer(200, {"total_count": len(names), "repositories": names})
        else:
            self._answer(200, {"name": found["name"], "visibility": hub.shared[place][0]})

    def do_PUT(self) -> None:
        found = self._begin()
        if found is None:
            return
        hub, place, sent = self.hub, f"{found['place']}/{found['name']}", json.loads(self.body)
        if "visibility" in sent:
            repositories = [f"acme/repo-{number}" for number in sent.get("selected_repository_ids", [])]
            hub.shared[place] = sent["visibility"], repositories
        known = place in hub.values
        hub.values[place] = hub.decrypted(sent["encrypted_value"])
        self._answer(204 if known else 201, None if known else {})

    def do_POST(self) -> None:
        """GraphQL: the ids of repositories, which end in a number here; or one repository's id."""
        if self._begin() is None and self.path != "/graphql":
            return
        query = json.loads(self.body)["query"]
        names = re.findall(r'(repo_\d+): repository\(owner: *"[^"]*", *name: *"[^"]*?(\d+)"\)', query)
        data: dict[str, Any] = {alias: {"databaseId": int(number)} for alias, number in names}
        self._answer(200, {"data": data or {"repository": {"databaseId": 77, "id": "77"}}})

    def _begin(self) -> re.Match[str] | None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = f"{self.command} {self.path}"
        self.hub.calls.append(call)
        self.hub.called.set()
        self.hub.go_on.wait(60)
        for start, status in self.hub.answers.items():
            if call.startswith(start):
                self._answer(status, {"message": f"{status} as told, you sent {self.headers['Authorization']}"})
                return None
        found = _SECRET.fullmatch(self.path)
        if found is None and self.command != "POST":
            self._answer(404, {"message": "no such thing here"})
        return found

    def _answer(self, status: int, document: object) -> None:
        content = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(ConnectionError):  # a gh that was killed
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing: the calls are kept."""
