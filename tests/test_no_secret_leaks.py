"""No secret in any output or file, whatever a provider sends back: raw, encoded, in headers, in pieces, misplaced."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.lab import (
    OLLAMA,
    OLLAMA_2,
    ROUTED,
    ROUTERS,
    SERVED,
    Ended,
    Heard,
    Lab,
    Listener,
    endpoints,
    lab,
    on_terminal,
    python,
    sse,
)

ODD = "sk-or/v1+5a4db0&<tag>\"q'\\z~=Zm9v"
"""A secret in which every encoding changes something."""
EVENTS = {"Content-Type": "text/event-stream"}
Reply = tuple[int, Mapping[str, str], list[bytes]]


def traces(secret: str) -> set[str]:
    """What must not be found: the secret, its usual encodings, and pieces long enough to be of use."""
    forms = {secret, json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[3:-3], html.escape(secret)}
    forms |= {quote(secret, safe=""), quote_plus(secret), quote(secret), quote(secret, safe="").lower()}
    forms |= {secret[:16], secret[-12:], secret.encode().hex()[-24:]}
    for before in ("", "Bearer ", "x", "user:"):
        data = base64.b64encode(f"{before}{secret}".encode()).decode().rstrip("=")
        start = -(-len(before) * 8 // 6)
        forms |= {data[start : len(data) - 2], base64.urlsafe_b64encode(secret.encode()).decode()[:-4]}
    return forms


def readable(text: str) -> str:
    """`text` without what only looks as if a secret were not there: blanks, line breaks, what no terminal shows."""
    return "".join(re.findall("[!-~]+", re.sub(r"\\u[0-9a-f]{4}|\\[nrt]", "", text)))


def kept(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file under the state's folder, the fingerprint key apart, which is not text."""
    for path in sorted((folder / "state").rglob("*")):
        if path.is_file():
            yield str(path), path.read_bytes().decode("utf-8", "replace")


def nothing_leaked(here: Lab, *ended: Ended) -> None:
    """Search what was printed, what every reading command prints now, and what lies on the disk."""
    texts = [(f"output {number}", done.out + done.err) for number, done in enumerate(ended)]
    for arguments in (
        ["route", "-m", SERVED],
        ["route", "--json", "-m", ROUTED],
        ["costs", "--json"],
        ["config", "show", "--json"],
        ["reset-limits", "--all", "--dry-run", "--json"],
        ["route", "--replay", "last"],
    ):
        done = here.quick(*arguments)
        texts.append((" ".join(arguments), done.out + done.err))
    texts += kept(here.folder)
    texts += [(f"{place}, read without gaps,", readable(text)) for place, text in texts]
    for secret in {here.env[name] for name in here.sandbox.secrets}:
        for form in traces(secret):
            for place, text in texts:
                assert form not in text, f"{place} holds {form!r}"


@pytest.mark.parametrize("fault", ["echo", "echo200"])
@pytest.mark.parametrize(("target", "model"), [(OLLAMA, SERVED), (ROUTERS[0], ROUTED)])
def test_an_echo_is_masked(fault: str, target: str, model: str, tmp_path: Path) -> None:
    with lab(tmp_path, f"{target}={fault}") as here:
        ended = [
            here.run("ask", "hello", "-m", model, *options)
            for options in (["-v"], ["--json"], ["--no-stream", "-v"], ["-v", "--no-failover"])
        ]
        assert "[secret]" in ended[0].out + ended[0].err
        nothing_leaked(here, *ended)


def test_an_echo_to_the_key_check_is_masked(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=401chat", f"{OLLAMA}@check=echo") as here:
        done = here.run("ask", "hello", "-m", SERVED, "-v")
        assert done.code == 0
        assert "[secret]" in here.candidate(OLLAMA, SERVED, "-m", SERVED)["detail"]
        nothing_leaked(here, done)


# --- a provider that does nothing else ---


def authorization(heard: Heard) -> str:
    return heard.headers.get("authorization", "none")


def secret_of(heard: Heard) -> str:
    return authorization(heard).removeprefix("Bearer ")


def error(status: int, message: object, headers: Mapping[str, str] | None = None, **more: object) -> Reply:
    body = json.dumps({"error": {"message": message, **more}}).encode()
    return status, {"Content-Type": "application/json", **(headers or {})}, [body]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def streamed(*texts: str, **fields: object) -> Reply:
    chunks = sse(*texts)
    if fields:
        chunks = [chunk.replace(b'"model": "m"', json.dumps(fields).encode()[1:-1]) for chunk in chunks]
    return 200, EVENTS, chunks


def pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def finish_reason(heard: Heard) -> Reply:
    status, headers, chunks = streamed("fine")
    return status, headers, [chunk.replace(b'"stop"', json.dumps(secret_of(heard)).encode()) for chunk in chunks]


HOSTILE: Mapping[str, Callable[[Heard], Reply]] = {
    "raw": lambda h: error(500, authorization(h)),
    "parts": lambda h: error(503, f"bad {secret_of(h).removeprefix('sk-or-v1-')} {' '.join(secret_of(h).split('.'))}"),
    "hexadecimal": lambda h: error(503, f"{secret_of(h).encode().hex()} {authorization(h).encode().hex().upper()}"),
    "wrapped": lambda h: error(503, "\n".join(pieces(b64(authorization(h)), 20))),
    "spaced": lambda h: error(503, " ".join(authorization(h))),
    "unseen": lambda h: error(503, "\u200b".join(pieces(secret_of(h), 3))),
    "unseen in an answer": lambda h: streamed(*pieces("\u00ad".join(pieces(authorization(h), 4)), 3)),
    "text": lambda h: (500, {"Content-Type": "text/plain"}, [f"you sent {authorization(h)}".encode()]),
    "page": lambda h: (502, {"Content-Type": "text/html"}, [f"<html>{html.escape(authorization(h))}".encode()]),
    "base64": lambda h: error(500, f"{b64(authorization(h))} {b64(secret_of(h))} {b64('user:' + secret_of(h))}"),
    "percent": lambda h: error(500, f"/?key={quote(secret_of(h), safe='')}&k={quote_plus(authorization(h))}"),
    "json": lambda h: error(500, json.dumps({"headers": {"authorization": authorization(h)}})),
    "escapes": lambda h: error(500, f"\x1b[1m{secret_of(h)[:9]}\x1b[0m{secret_of(h)[9:]}\u202e{secret_of(h)}"),
    "lines": lambda h: error(500, f"{secret_of(h)[:9]}\r{secret_of(h)[9:]} and \x00{secret_of(h)}"),
    "long": lambda h: error(500, "x" * 190 + secret_of(h) + "y" * 5_000 + secret_of(h)),
    "codes": lambda h: error(429, "no", code=secret_of(h), type=secret_of(h), metadata={"error_type": secret_of(h)}),
    "names": lambda h: error(429, "no", **{secret_of(h): {secret_of(h): secret_of(h)}}),
    "raw upstream": lambda h: error(429, "no", metadata={"raw": authorization(h), "provider_name": secret_of(h)}),
    "headers": lambda h: error(429, "no", {"Retry-After": secret_of(h), "X-RateLimit-Reset": authorization(h)}),
    "clamped": lambda h: error(429, "no", {"Retry-After": "99999999999"}, metadata={"headers": {"x": secret_of(h)}}),
    "location": lambda h: (302, {"Location": f"http://127.0.0.1:9/{quote(secret_of(h))}?{b64(secret_of(h))}"}, [b""]),
    "unauthorized": lambda h: error(401, f"{authorization(h)} is no key"),
    "forbidden": lambda h: error(403, f"{authorization(h)} may not"),
    "bad request": lambda h: error(400, f"{authorization(h)} is odd"),
    "no credit": lambda h: error(402, f"{authorization(h)} is poor"),
    "gone": lambda h: error(404, f"model not found for {authorization(h)}"),
    "answer": lambda h: streamed("It was: ", authorization(h), "."),
    "letters": lambda h: streamed(*pieces(f"It was {authorization(h)}, {b64(secret_of(h))}.", 1)),
    "sevens": lambda h: streamed(*pieces(f"It was {quote(secret_of(h), safe='')} {secret_of(h)}.", 7)),
    "coloured": lambda h: streamed(*pieces("\x1b[31m" + "\x1b[0m".join(pieces(secret_of(h), 5)), 3)),
    "unended": lambda h: (200, EVENTS, streamed(secret_of(h)[:20])[2][:1]),
    "models": lambda h: streamed("fine", model=secret_of(h), id=secret_of(h), provider=secret_of(h)),
    "finish": finish_reason,
    "inside": lambda h: (200, EVENTS, [f'data: {{"error":{json.dumps(authorization(h))}}}\n\n'.encode()]),
    "junk": lambda h: (200, {"Content-Type": "application/json"}, [f"{{{secret_of(h)}".encode()]),
    "bytes": lambda h: (500, {}, [b"\xff\xfe" + authorization(h).encode("utf-16-le")]),
    "generation": lambda h: (200, {**EVENTS, "X-Generation-Id": secret_of(h)}, sse("fine")),
}  # fmt: skip


WAYS = list(HOSTILE)


@pytest.mark.parametrize("ways", [WAYS[start::8] for start in range(8)], ids=",".join)
@pytest.mark.parametrize("odd", [False, True], ids=["plain", "odd"])
def test_whatever_a_provider_does_with_a_secret(ways: list[str], odd: bool, tmp_path: Path) -> None:  # noqa: FBT001
    with Listener(HOSTILE[ways[0]]) as server, lab(tmp_path) as here:
        endpoints(here.config, ollama=f"{server.url}/v1", openrouter=f"{server.url}/api/v1")
        here.env["LBK_LOG_FILE"] = str(here.state_file.with_name("events.jsonl"))
        if odd:
            here.env |= {OLLAMA: ODD, OLLAMA_2: f"2{ODD}", ROUTERS[0]: f"{ODD}3"}
        ended = [here.run("ask", "hello", "-m", SERVED, "-v")]
        for way in ways:
            server.answer = HOSTILE[way]
            before = len(server.heard)
            ended += [here.quick("ask", "hello", "-m", SERVED, "-v")]
            ended += [here.quick("ask", "hello", "-m", ROUTED, "--json", "--no-stream")]
            assert len(server.heard) > before
            nothing_leaked(here, *ended)
            here.quick("reset-limits", "--all")
        assert here.env[OLLAMA] in {secret_of(heard) for heard in server.heard}
        assert any(place == here.env["LBK_LOG_FILE"] for place, _ in kept(here.folder))


def test_a_secret_that_passes_for_a_time_is_not_repeated_as_one(tmp_path: Path) -> None:
    """What is not believed in full is shown as it stood, by whose word: but not if it is a secret."""

    def answer(heard: Heard) -> Reply:
        return error(429, "no", {"Retry-After": secret_of(heard)})

    with Listener(answer) as server, lab(tmp_path) as here:
        endpoints(here.config, ollama=f"{server.url}/v1")
        here.env |= {OLLAMA: "4929837401923847", OLLAMA_2: "4929837401923848"}
        done = here.run("ask", "hello", "-m", SERVED, "-v")
        assert here.candidate(OLLAMA, SERVED, "-m", SERVED)["reason"] == "cooling_down"
        nothing_leaked(here, done)


def test_on_a_terminal_and_in_a_workflow_too(tmp_path: Path) -> None:
    with Listener(HOSTILE["coloured"]) as server, lab(tmp_path) as here:
        endpoints(here.config, ollama=f"{server.url}/v1")
        drawn = on_terminal(["ask", "hello", "-m", SERVED, "-v"], here.env)
        workflow = here.run("ask", "hello", "-m", SERVED, "-v", GITHUB_ACTIONS="true")
        nothing_leaked(here, drawn, workflow)


def test_a_key_that_cannot_go_into_a_header_is_not_quoted(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.env[OLLAMA] = "sk-two words-and-more-of-it"
        done = [here.run("ask", "hello", "-m", SERVED, *options) for options in (["-v"], ["--json"])]
        assert done[1].document["key"] == OLLAMA_2
        found = here.candidate(OLLAMA, SERVED, "-m", SERVED)
        assert found["reason"] == "no_secret"
        nothing_leaked(here, *done)


def test_developer_mode_has_nothing_to_add(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=echo:1") as here:
        program = f"import sys; sys.argv[1:] = ['ask', '-v', 'hello', '-m', {SERVED!r}]\n"
        program += "from lollmsbot_keys.cli import main; main()"
        done = python(program, here.env, "-X", "dev", "-W", "error")
        assert done.code == 0
        # asyncio's own remark on a slow machine; it names a task and no more.
        talk = [line for line in done.err.splitlines() if not line.startswith("Executing <Task")]
        assert [line.partition(" ")[0] for line in talk] == ["lbk:", "lbk:"]
        nothing_leaked(here, done)


def test_a_bug_on_the_way_shows_no_secret(tmp_path: Path) -> None:
    """Local variables, the exception's words and its arguments may all hold one."""
    with lab(tmp_path) as here:
        program = (
            "import sys\n"
            "from lollmsbot_keys.edges.providers.json_api import Asker\n"
            "def broken(self, provider, endpoint, secret):\n"
            "    characters = secret.header()\n"
            "    raise RuntimeError(characters, self, secret)\n"
            "Asker.headers = broken\n"
            f"sys.argv[1:] = ['ask', '-v', 'hello', '-m', {SERVED!r}]\n"
            "from lollmsbot_keys.cli import main; main()"
        )
        done = python(program, here.env)
        assert (done.code, done.out) == (70, "")
        assert "RuntimeError" in done.err
        nothing_leaked(here, done)
        assert not here.state.holds
        assert here.cell()[1].unconfirmed_usd > 0
