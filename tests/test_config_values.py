"""Durations and trusted endpoints: the two small languages of the configuration."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lollmsbot_keys.core.base import durations
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.security.trusted_hosts import address, trusted


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("1h", 3600), ("8d", 691_200), ("1h30m", 5400), ("0s", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    assert durations.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "soon", "5", "-5m", "5 m", "1.5h", "5M", "m", "30m1h", "٣s", "3651d", "9999999999d", "5m\n", "1h "]
)
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        durations.parse(text)


@given(st.integers(0, 3650 * 86_400))
def test_a_duration_reads_back(seconds: int) -> None:
    assert durations.parse(durations.format(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


def test_durations_are_rounded_up_and_never_negative() -> None:
    assert durations.format(timedelta(milliseconds=1)) == "1s"
    assert durations.format(timedelta(seconds=-5)) == "0s"


OLLAMA, OPENROUTER = Provider.OLLAMA, Provider.OPENROUTER


@pytest.mark.parametrize(
    ("provider", "endpoint", "hosts", "good"),
    [
        (OLLAMA, "https://ollama.com/v1", (), True),
        (OLLAMA, "https://OLLAMA.com./v1", (), True),
        (OLLAMA, "https://ollama.com:443/api", (), True),
        (OLLAMA, "HTTPS://ollama.com", (), True),
        (OLLAMA, "https://ollama.com:8443/api", (), False),
        (OLLAMA, "http://ollama.com/v1", (), False),
        (OLLAMA, "http://ollama.com:443/v1", (), False),
        (OLLAMA, "https://api.ollama.com/v1", (), False),
        (OLLAMA, "https://api.ollama.cloud/v1", (), False),
        (OLLAMA, "https://ollama.com.evil.example/v1", (), False),
        (OLLAMA, "https://evil-ollama.com/v1", (), False),
        (OLLAMA, "https://ollama.com@evil.example/v1", (), False),
        (OLLAMA, "https://evil.example#ollama.com", (), False),
        (OLLAMA, "https://evil.example?@ollama.com", (), False),
        (OLLAMA, "https://evil.example\\@ollama.com", (), False),
        (OLLAMA, "https://ollama.com:443:80", (), False),
        (OLLAMA, "https://оllama.com/v1", (), False),  # noqa: RUF001 - that is a Cyrillic letter
        (OLLAMA, "https://ollama.com\n.evil.example/", (), False),
        (OLLAMA, "https:ollama.com", (), False),
        (OLLAMA, "ollama.com", (), False),
        (OLLAMA, "https://openrouter.ai/api/v1", (), False),
        (OPENROUTER, "https://openrouter.ai/api/v1", (), True),
        (OPENROUTER, "https://eu.openrouter.ai/api/v1", (), True),
        (OPENROUTER, "https://us.openrouter.ai/api/v1", (), True),
        (OPENROUTER, "https://cn.openrouter.ai/api/v1", (), False),
        (OPENROUTER, "https://ollama.com/v1", (), False),
        (OLLAMA, "http://localhost:1/v1", (), True),
        (OLLAMA, "http://LOCALHOST./v1", (), True),
        (OLLAMA, "http://127.0.0.1:8080", (), True),
        (OLLAMA, "http://127.255.0.9", (), True),
        (OLLAMA, "http://[::1]:8080/v1", (), True),
        (OLLAMA, "http://[0:0:0:0:0:0:0:1]/v1", (), True),
        (OLLAMA, "http://[::1%25lo]/v1", (), False),
        (OLLAMA, "http://[::2]/v1", (), False),
        (OLLAMA, "http://127.0.0.1.evil.example/", (), False),
        (OLLAMA, "http://127.evil.example/", (), False),
        (OLLAMA, "http://localhost.evil.example/", (), False),
        (OLLAMA, "http://127.1/", (), False),
        (OLLAMA, "http://0x7f.0.0.1/", (), False),
        (OLLAMA, "http://2130706433/", (), False),
        (OLLAMA, "http://0.0.0.0/", (), False),
        (OLLAMA, "http://127.0.0.01/", (), False),
        (OLLAMA, "https://gw.example:8443/v1", ("gw.example",), True),
        (OLLAMA, "https://gw.example:8443/v1", ("GW.example.:8443",), True),
        (OLLAMA, "https://gw.example:8444/v1", ("gw.example:8443",), False),
        (OLLAMA, "http://gw.example/v1", ("gw.example",), False),
        (OLLAMA, "https://sub.gw.example/v1", ("gw.example",), False),
        (OLLAMA, "https://[fd00::1]/v1", ("[fd00:0::1]",), True),
        (Provider.LOCAL, "http://anything.example", (), True),
    ],
)
def test_trust(provider: Provider, endpoint: str, hosts: tuple[str, ...], good: bool) -> None:  # noqa: FBT001 - a table
    assert trusted(provider, endpoint, hosts) is good


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f.1", "2130706433", "1.2.3.256", "1.2.3.04", "a..b", "-a", "[::1", "[::1]x"]
)
def test_addresses_in_disguise_are_none(host: str) -> None:
    assert address(f"https://{host}/") is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_address_parser(text: str) -> None:
    for endpoint in (text, f"https://{text}", f"https://{text}/v1", f"http://[{text}]:80"):
        found = address(endpoint)
        if found is not None:
            from urllib.parse import urlsplit

            split = urlsplit(endpoint)
            assert split.hostname is not None
            assert split.username is None
            assert split.scheme == found[0]
            assert (split.port or {"http": 80, "https": 443}[split.scheme]) == found[2]
