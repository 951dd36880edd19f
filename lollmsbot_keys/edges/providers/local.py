"""Proof that a prompt stays on this machine; anything unexpected is a no.

A daemon that is signed in passes some models on to its maker, under names that need not tell.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import IPv6Address, ip_address

from lollmsbot_keys.core.catalogue import Provider, is_cloud_name
from lollmsbot_keys.core.trust import address
from lollmsbot_keys.edges.providers.asking import Asker, Got, Question
from lollmsbot_keys.edges.providers.call import Locality, Proof
from lollmsbot_keys.edges.providers.dialects import root_of
from lollmsbot_keys.edges.providers.exchange import Broken, Silent, Unsent

_SHOW_BYTES = 16 * 1024 * 1024
_ELSEWHERE = {"remotehost", "remotemodel"}
_FROM = re.compile(r"^[\s#]*FROM\s+[\"']*([^\s\"']+)", re.IGNORECASE | re.MULTILINE)
"""What a Modelfile says a model is made from; in a comment, too, where Ollama puts the model's own name."""
_OWN_PARTS = {"details", "model_info", "modelfile", "template", "capabilities"}


async def prove_local(asker: Asker, endpoint: str, model: str, silence: timedelta) -> Proof:
    """Whether the daemon at `endpoint` runs `model` itself, on this machine.

    Every address of the host must be a loopback one. The one that answered is pinned: the chat goes there, so that a
    second look-up cannot lead elsewhere.
    """
    found = address(endpoint)
    if found is None:
        return Proof(Locality.REFUSED, f"{endpoint!r} is no address")
    if is_cloud_name(model):
        return Proof(Locality.REFUSED, f"{model} is a cloud model")
    scheme, host, port = found
    try:
        addresses = await _resolve(host, port)
    except OSError:
        return Proof(Locality.UNREACHABLE, f"{host} does not resolve")
    foreign = [text for text in addresses if not _is_loopback(text)]
    if foreign or not addresses:
        return Proof(Locality.REFUSED, f"{host} is not only this machine ({', '.join(foreign) or 'no address'})")
    name = f"[{host}]" if ":" in host else host
    problem = ""
    for text in addresses:
        literal = f"[{text}]" if ":" in text else text
        pinned = endpoint_at(endpoint, f"{scheme}://{literal}:{port}")
        try:
            detail = await _objection(asker, pinned, f"{name}:{port}", model, silence)
        except Unsent as error:
            problem = asker.scrubber.line(f"{literal}:{port}: {error}", 200)
            continue
        if detail:
            return Proof(Locality.REFUSED, detail)
        return Proof(Locality.PROVEN, f"{model} is run by {literal}:{port}", pinned, f"{name}:{port}")
    return Proof(Locality.UNREACHABLE, problem)


def endpoint_at(endpoint: str, base: str) -> str:
    """`endpoint` with another scheme and authority."""
    _, slash, path = endpoint.partition("://")[2].partition("/")
    return f"{base}{slash}{path}"


async def _resolve(host: str, port: int) -> list[str]:
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


def _is_loopback(text: str) -> bool:
    try:
        found = ip_address(text)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped.is_loopback
    return found.is_loopback


async def _objection(asker: Asker, pinned: str, host: str, model: str, silence: timedelta) -> str:
    """Why `model` is not shown to be run there; "" where it is."""
    body = json.dumps({"model": model}, ensure_ascii=False).encode("utf-8", "replace")
    question = Question("POST", f"{root_of(pinned)}/api/show", silence, body, direct=True, host=host, strict=True)
    try:
        got = await asker.ask(question, asker.headers(Provider.LOCAL, pinned, None), _SHOW_BYTES)
    except (Silent, Broken) as error:
        return f"the daemon was asked about {model} and gave no answer: {error}"
    return _read(got, model)


def _read(got: Got, model: str) -> str:
    if got.status == 404:
        return f"the daemon does not know {model}"
    if got.status != 200 or not isinstance(got.body, dict):
        return f"the daemon cannot say where {model} runs ({got.status})"
    if got.body.get("error") or _OWN_PARTS.isdisjoint(got.body):
        return f"the daemon does not say where {model} runs"
    for name, value in _fields(got.body):
        plain = name.casefold().replace("_", "").replace("-", "")
        if plain in _ELSEWHERE and value:
            return f"{model} is run elsewhere ({name} is set)"
        if plain == "parentmodel" and isinstance(value, str) and is_cloud_name(value):
            return f"{model} is made from a cloud model"
        if plain == "modelfile" and (not isinstance(value, str) or any(map(is_cloud_name, _FROM.findall(value)))):
            return f"{model} may be made from a cloud model"
    return ""


def _fields(value: object) -> Iterator[tuple[str, object]]:
    """Every name and value at any depth."""
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            yield from here.items()
            waiting += here.values()
        elif isinstance(here, list):
            waiting += here
