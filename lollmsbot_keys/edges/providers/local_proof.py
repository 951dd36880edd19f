"""The proof that a prompt stays on this machine; anything unexpected is a no.

A daemon that is signed in sends some models' prompts on to its maker, and the names of these models need not say so.
"""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import timedelta
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address

from lollmsbot_keys.core.model.config import Provider, is_cloud_name
from lollmsbot_keys.core.security.locality import doubt_of_show, doubt_of_tags, elsewhere, names_of
from lollmsbot_keys.core.security.trusted_hosts import address
from lollmsbot_keys.edges.http import Broken, Silent, Unsent
from lollmsbot_keys.edges.providers.call import Locality, LocalityProof
from lollmsbot_keys.edges.providers.dialects import root_of
from lollmsbot_keys.edges.providers.json_api import LIST_BYTES, Asker, Got, JsonRequest, entries_of

_SHOW_BYTES = 16 * 1024 * 1024
_NAMED = 12
"""The most of the daemon's models that a message names."""


async def prove_local(asker: Asker, endpoint: str, model: str, silence: timedelta) -> LocalityProof:
    """Prove that the daemon at `endpoint` runs `model` itself, on this machine.

    Every address of the host must be a loopback one. The one that answered is pinned: the chat goes there, so that a
    second look-up cannot lead elsewhere.
    """
    found = address(endpoint)
    if found is None:
        return LocalityProof(Locality.REFUSED, f"{endpoint!r} is no address")
    if is_cloud_name(model):
        return LocalityProof(Locality.REFUSED, f"{model} is a cloud model")
    scheme, host, port = found
    try:
        addresses = await _resolve(host, port)
    except OSError:
        return LocalityProof(Locality.UNREACHABLE, f"{host} does not resolve")
    foreign = [text for text in addresses if not _is_loopback(text)]
    if foreign or not addresses:
        return LocalityProof(
            Locality.REFUSED, f"{host} is not only this machine ({', '.join(foreign) or 'no address'})"
        )
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
            return LocalityProof(Locality.REFUSED, detail)
        return LocalityProof(Locality.PROVEN, f"{model} is run by {literal}:{port}", pinned, f"{name}:{port}")
    return LocalityProof(Locality.UNREACHABLE, problem)


def endpoint_at(endpoint: str, base: str) -> str:
    """Return `endpoint` with another scheme and authority."""
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
    """Return why it is not proven that the daemon runs `model`; "" where it is.

    The daemon is asked about the model, and for its list.
    """
    root, headers = root_of(pinned), asker.headers(Provider.LOCAL, pinned, None)
    body = json.dumps({"model": model}, ensure_ascii=False).encode("utf-8", "replace")
    show = JsonRequest("POST", f"{root}/api/show", silence, body, direct=True, host=host, strict=True)
    tags = JsonRequest("GET", f"{root}/api/tags", silence, direct=True, host=host, strict=True)
    try:
        shown = await asker.ask(show, headers, _SHOW_BYTES)
        doubt = _doubt_of_show(shown, model)
        if doubt and shown.status != HTTPStatus.NOT_FOUND:
            return doubt
        listed = await asker.ask(tags, headers, LIST_BYTES)
    except (Silent, Broken) as error:
        return f"the daemon was asked about {model} and gave no answer: {error}"
    entries = entries_of(listed)
    if doubt:
        return f"{doubt}; it has: {_own(entries)}" if entries is not None else doubt
    if entries is None:
        return f"the daemon gives no list of its models ({listed.status})"
    doubt = doubt_of_tags(entries, model)
    return f"{model} is not clearly run here: {doubt}" if doubt else ""


def _doubt_of_show(got: Got, model: str) -> str:
    if got.status == HTTPStatus.NOT_FOUND:
        return f"the daemon does not know {model}"
    if got.status != HTTPStatus.OK or not isinstance(got.body, dict):
        return f"the daemon cannot say where {model} runs ({got.status})"
    doubt = doubt_of_show(got.body)
    return f"{model} may be run elsewhere: {doubt}" if doubt else ""


def _own(entries: list[dict[str, object]]) -> str:
    names = [name for entry in entries if not elsewhere(entry) for name in names_of(entry)[:1]]
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "") or "none"
