"""The proxy for a URL, by the variables that curl and most other clients read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lollmsbot_keys.core.security.trusted_hosts import address, is_loopback
from lollmsbot_keys.errors import ConfigError


def proxy_for(variables: Mapping[str, str], url: str) -> str | None:
    """Return the proxy's URL for `url`.

    `None`: none is set, `NO_PROXY` excepts the host, or the host is loopback. Lower-case names win over upper-case
    ones. Under CGI (`REQUEST_METHOD` is set) `HTTP_PROXY` is ignored: the sender of a request can set it there. A URL
    that is not understood gets no proxy.

    Raises:
        ConfigError: the variable that counts names no proxy that can be used. Its value may hold a password.
    """
    found = address(url)
    if found is None or is_loopback(found[1]):
        return None
    scheme, host, port = found
    if _excepted(_either(variables, "no_proxy") or "", host, port):
        return None
    upper = [] if scheme == "http" and "REQUEST_METHOD" in variables else [f"{scheme.upper()}_PROXY"]
    for name in (f"{scheme}_proxy", *upper, "all_proxy", "ALL_PROXY"):
        if proxy := variables.get(name, ""):
            return _usable(proxy.strip(), name)
    return None


def _usable(proxy: str, name: str) -> str | None:
    if not proxy:
        return None
    url = proxy if "://" in proxy else f"http://{proxy}"
    if url.partition("://")[0].lower() not in {"http", "https"}:
        raise ConfigError(
            f"{name} names a proxy that cannot be used: http:// and https:// proxies are understood. Correct {name}, "
            "or except the host in NO_PROXY."
        )
    return url


def proxy_credentials(proxy: str) -> tuple[str, ...]:
    """Return the parts of a proxy's URL that must not be shown.

    They are the password, as it is written and as it is meant, and its user.
    """
    from base64 import b64encode
    from urllib.parse import unquote

    authority = re.split("[/?#]", proxy.partition("://")[2] or proxy, maxsplit=1)[0]
    written, found = authority.rpartition("@")[0], set[str]()
    for login in (written, unquote(written)) if written else ():
        header = b64encode(login.encode("utf-8", "replace")).decode()
        found |= {login, login.partition(":")[2], f"Basic {header}"}
    return tuple(found - {""})


def _either(variables: Mapping[str, str], name: str) -> str | None:
    return variables.get(name) or variables.get(name.upper())


def _excepted(exceptions: str, host: str, port: int) -> bool:
    return any(_covers(entry, host, port) for entry in exceptions.replace(",", " ").lower().split())


def _covers(entry: str, host: str, port: int) -> bool:
    """Say whether one entry of `NO_PROXY` covers this host.

    An entry is `*`, a domain, `domain:port`, an address or a network.
    """
    if entry == "*":
        return True
    if "/" in entry:
        return _in_network(entry, host)
    name, colon, entry_port = entry.rpartition(":")
    bare_ipv6 = ":" in name and not (name.startswith("[") and name.endswith("]"))
    if colon and entry_port.isdecimal() and not bare_ipv6:
        if int(entry_port) != port:
            return False
        entry = name
    entry = entry.strip("[]").removeprefix("*").strip(".")
    return bool(entry) and (host == entry or host.endswith(f".{entry}"))


def _in_network(entry: str, host: str) -> bool:
    from ipaddress import ip_address, ip_network  # rare

    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        return False
