"""The endpoints that may see a secret: the provider's own hosts over TLS, loopback, and those named by the user.

Addresses are read by a deliberately narrow parser: what it does not fully understand is not an address, and what is
not an address is not trusted. So no client can read the same text as a different host.
"""

from __future__ import annotations

from collections.abc import Iterable

from lollmsbot_keys.core.model.config import Provider

OWN_HOSTS: dict[Provider, frozenset[str]] = {
    Provider.OLLAMA: frozenset({"ollama.com"}),
    Provider.OPENROUTER: frozenset({"openrouter.ai", "eu.openrouter.ai", "us.openrouter.ai"}),
    Provider.LOCAL: frozenset(),
}
"""The hosts that the providers document as their own. `ollama.cloud` and `api.ollama.com` are not among them."""

_PORTS = {"http": 80, "https": 443}
_HOST_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._")


def trusted(provider: Provider, endpoint: str, trusted_hosts: Iterable[str]) -> bool:
    """Say whether a secret of `provider` may be sent to `endpoint`.

    A local provider has no secret, so every endpoint will do. `trusted_hosts` holds `host` (any port) or
    `host:port`; they count over https only, like the provider's own hosts, which count at port 443 only.
    """
    if provider is Provider.LOCAL:
        return True
    found = address(endpoint)
    if found is None:
        return False
    scheme, host, port = found
    if is_loopback(host):
        return True
    if scheme != "https":
        return False
    if host in OWN_HOSTS[provider] and port == _PORTS["https"]:
        return True
    return any(_names(entry, host, port) for entry in trusted_hosts)


def is_own_host(provider: Provider, endpoint: str) -> bool:
    """Say whether `endpoint` is at one of the provider's own hosts."""
    found = address(endpoint)
    return found is not None and found[1] in OWN_HOSTS[provider]


def address(endpoint: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an http(s) URL, or `None` if it is none.

    A URL with userinfo, a query or a fragment is none either. The host comes in lower case, without a trailing dot, an
    IPv6 address without its brackets.
    """
    if not endpoint.isascii() or not endpoint.isprintable() or any(sign in endpoint for sign in " \\?#@"):
        return None
    scheme, separator, rest = endpoint.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _PORTS:
        return None
    found = authority(rest.partition("/")[0])
    return None if found is None else (scheme, found[0], found[1] or _PORTS[scheme])


def authority(text: str) -> tuple[str, int | None] | None:
    """Return host and port of `host`, `host:port`, `[ipv6]` or `[ipv6]:port`, or `None` if it is none."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        known = _ipv6(host) if bracket else None
        if known is None or (rest and not rest.startswith(":")):
            return None
        return _with_port(known, rest[1:], given=bool(rest))
    host, colon, port = text.partition(":")
    host = host.lower().removesuffix(".")
    labels = host.split(".")
    if not _HOST_LETTERS.issuperset(host) or not all(labels) or any(label.startswith("-") for label in labels):
        return None
    if _looks_numeric(labels[-1]) and not _is_ipv4(host):
        return None
    return _with_port(host, port, given=bool(colon))


def is_loopback(host: str) -> bool:
    """Say whether `host`, in the form of `address`, is `localhost`, 127.0.0.0/8 or ::1.

    Nothing is looked up.
    """
    if host == "localhost":
        return True
    if ":" in host:
        return host == "::1"
    return host.startswith("127.") and _is_ipv4(host)


def _names(entry: str, host: str, port: int) -> bool:
    found = authority(entry)
    return found is not None and found[0] == host and found[1] in (None, port)


def _with_port(host: str, port: str, *, given: bool) -> tuple[str, int | None] | None:
    if not given:
        return host, None
    if not port.isdecimal() or len(port) > 5 or not 0 < int(port) < 65_536:
        return None
    return host, int(port)


def _looks_numeric(label: str) -> bool:
    # Resolvers read 127.1, 0x7f.1 and 2130706433 as IPv4 addresses in disguise.
    return label.isdecimal() or label.startswith("0x")


def _is_ipv4(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and all(
        part.isdecimal() and len(part) <= 3 and int(part) < 256 and str(int(part)) == part for part in parts
    )


def _ipv6(text: str) -> str | None:
    from ipaddress import AddressValueError, IPv6Address  # rare, and not free to import

    try:
        return None if "%" in text else str(IPv6Address(text))
    except AddressValueError:
        return None


def is_on_loopback(endpoint: str) -> bool:
    """Say whether the text of `endpoint` is an address on this machine.

    Nothing is looked up.
    """
    found = address(endpoint)
    return found is not None and is_loopback(found[1])
