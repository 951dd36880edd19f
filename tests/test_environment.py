from __future__ import annotations

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.config_origin import ConfigProblems
from lollmsbot_keys.edges.config.overrides import overrides, without_overrides
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.errors import ConfigError


def test_repr_keeps_what_the_variables_hold() -> None:
    environment = Environment({"OLLAMA_API_KEY": "hunter2-secret"})
    assert "hunter2" not in repr(environment)
    assert "hunter2" not in str(environment)
    assert "OLLAMA_API_KEY" not in repr(environment)


def test_here_is_a_copy_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LBK_TEST_HERE", "then")
    environment = Environment.here()
    monkeypatch.setenv("LBK_TEST_HERE", "now")
    assert environment.get("LBK_TEST_HERE") == "then"


def test_helpers_get_what_they_need_and_no_key() -> None:
    needed = {"PATH": "/bin", "HOME": "/h", "LANG": "C", "LC_TIME": "C", "HTTPS_PROXY": "http://p", "no_proxy": "x"}
    needed |= {"SSL_CERT_FILE": "f", "REQUESTS_CA_BUNDLE": "f", "SystemRoot": "C:"}
    others = {"OLLAMA_API_KEY": "x", "MY_PATH": "x", "PATHS": "x", "LC_API_KEY_1": "x", "path": "x", "PYTHONPATH": "x"}
    assert Environment({**others, **needed}).for_helpers == needed


def test_an_empty_variable_is_unset() -> None:
    environment = Environment({"LBK_CONFIG": "", "HOME": "/h", "PREFER_OLLAMA": "", "NO_COLOR": "", "TERM": "xterm"})
    assert environment.get("LBK_CONFIG") is None
    assert environment.config_path() == (Path("/h/.config/lollmsbot-keys/config.toml"), False)
    assert overrides(environment) == ()
    assert environment.output_style == OutputStyle()


def test_flags() -> None:
    assert Environment({"GITHUB_ACTIONS": "true"}).github_actions
    assert not Environment({"GITHUB_ACTIONS": "false"}).github_actions


PLAIN, FORCED = OutputStyle(plain=True, still=True), OutputStyle(forced=True)


@pytest.mark.parametrize(
    ("variables", "output_style"),
    [
        ("TERM=xterm", OutputStyle()),
        ("TERM=xterm NO_COLOR=0", PLAIN),
        ("TERM=xterm NO_COLOR=1 FORCE_COLOR=1 CLICOLOR_FORCE=1", PLAIN),
        ("TERM=xterm FORCE_COLOR=1", FORCED),
        ("TERM=xterm FORCE_COLOR=3", FORCED),
        ("TERM=xterm CLICOLOR_FORCE=1 CLICOLOR=0", FORCED),
        ("TERM=xterm FORCE_COLOR=0 CLICOLOR_FORCE=false", OutputStyle()),
        ("TERM=xterm CLICOLOR=0", PLAIN),
        ("TERM=xterm CLICOLOR=1", OutputStyle()),
        ("TERM=dumb", PLAIN),
        ("TERM=unknown", PLAIN),
        ("TERM=", PLAIN),
        ("", PLAIN),
        ("FORCE_COLOR=1", OutputStyle(forced=True, still=True)),
        ("TERM=xterm LBK_PLAIN=1 FORCE_COLOR=1", OutputStyle(plain=True, still=True, spoken=True)),
        ("TERM=xterm LBK_PLAIN=0", OutputStyle()),
        ("TERM=xterm COLUMNS=40", OutputStyle(columns=40)),
        ("TERM=xterm COLUMNS=0040", OutputStyle(columns=40)),
        *(
            (f"TERM=xterm COLUMNS={odd}", OutputStyle())
            for odd in ("0", "-1", "abc", "+9", "1e2", "٤٠", "9" * 5000, "")
        ),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="there no terminal says what it is")
def test_looks(variables: str, output_style: OutputStyle) -> None:
    assert Environment(dict(word.split("=") for word in variables.split())).output_style == output_style


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the XDG rules are Linux's")
def test_paths_option_then_variable_then_usual_place() -> None:
    full = Environment({"LBK_CONFIG": "/v/c.toml", "LBK_STATE": "/v/s.json", "HOME": "/h"})
    assert full.config_path(Path("/o/c.toml")) == (Path("/o/c.toml"), True)
    assert full.config_path() == (Path("/v/c.toml"), True)
    assert full.state_path(Path("/o/s.json")) == Path("/o/s.json")
    assert full.state_path() == Path("/v/s.json")
    usual = Environment({"HOME": "/h", "XDG_CONFIG_HOME": "/x", "XDG_STATE_HOME": "relative"})
    assert usual.config_path() == (Path("/x/lollmsbot-keys/config.toml"), False)
    assert usual.state_path() == Path("/h/.local/state/lollmsbot-keys/state.json")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere platformdirs is asked itself")
@pytest.mark.parametrize("extra", [{}, {"XDG_CONFIG_HOME": "/x/c", "XDG_STATE_HOME": "/x/s"}])
def test_usual_places_are_those_of_platformdirs(extra: dict[str, str]) -> None:
    script = "import platformdirs as p; print(*(d('lollmsbot-keys') for d in (p.user_config_dir, p.user_state_dir)))"
    variables = {"HOME": "/somewhere", **extra}
    result = subprocess.run([sys.executable, "-c", script], env=variables, text=True, capture_output=True, check=True)
    config, state = map(Path, result.stdout.split())
    assert Environment(variables).config_path()[0] == config / "config.toml"
    assert Environment(variables).state_path() == state / "state.json"


def test_the_home_of_nobody() -> None:
    with pytest.raises(ConfigError, match="LBK_CONFIG: no such home folder: ~no-such-user-here"):
        Environment({"LBK_CONFIG": "~no-such-user-here/c.toml"}).config_path()


@pytest.mark.parametrize("path", ["", ".", "/", "..", "folder/.."])
def test_a_path_that_can_be_no_file_s_is_said(path: str) -> None:
    nowhere, words = Environment({}), f"{Path(path)} is a folder. Give the path of a file"
    for find, option in ((nowhere.config_path, "--config"), (nowhere.state_path, "--state")):
        with pytest.raises(ConfigError) as caught:
            find(Path(path))
        assert str(caught.value).startswith(f"{option}: {words}")
    with pytest.raises(ConfigError, match=f"--log-file: {re.escape(words)}"):
        nowhere.log_path(Path(path))
    if path:  # an empty variable is unset
        with pytest.raises(ConfigError, match=f"LBK_STATE: {re.escape(words)}"):
            Environment({"LBK_STATE": path}).state_path()


def test_only_environment_reads_the_process_environment() -> None:
    package = Path(__file__).parent.parent / "lollmsbot_keys"
    readers = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if "sandbox" not in path.parts
        and any(word in path.read_text() for word in ("os.environ", "os.getenv", "getenvb"))
    }
    assert "edges/environment/variables.py" in readers
    assert not readers & {str(path.relative_to(package)) for path in package.glob("edges/config_*.py")}
    assert not readers & {"commands/config.py", "cli/commands/config.py", "render/config.py"}


@pytest.mark.parametrize(
    ("name", "text", "path", "value"),
    [
        ("PREFER_OLLAMA", "No", ("routing", "prefer_ollama"), False),
        ("OLLAMA_FAILOVER", "0", ("routing", "ollama_failover"), False),
        ("OPENROUTER_FALLBACK", "off", ("routing", "openrouter_fallback"), False),
        ("PREFER_FREE_TIER", " TRUE ", ("routing", "prefer_free_tier"), True),
        ("ALERT_AT_PERCENT", "62.5%", ("alerts", "at_percent"), Decimal("62.5")),
        ("OLLAMA_MAX_CALLS_PER_HOUR", "7", ("providers", "ollama", "max_calls_per_hour"), 7),
        ("OLLAMA_DAILY_BUDGET", "1.10", ("providers", "ollama", "daily_budget_usd"), Decimal("1.10")),
        ("OPENROUTER_MAX_CALLS_PER_HOUR", "9", ("providers", "openrouter", "max_calls_per_hour"), 9),
        ("OPENROUTER_DAILY_BUDGET", "0", ("providers", "openrouter", "daily_budget_usd"), Decimal(0)),
        ("OLLAMA_HOST", "example.org", ("providers", "local", "endpoints"), ["http://example.org:11434"]),
    ],
)
def test_each_variable_sets_its_value(name: str, text: str, path: tuple[str, ...], value: object) -> None:
    assert overrides(Environment({name: text})) == ((name, path, value),)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("PREFER_OLLAMA", "maybe", 'expected true or false, got "maybe"'),
        ("ALERT_AT_PERCENT", "101", "from 0 to 100"),
        ("ALERT_AT_PERCENT", "nan", "from 0 to 100"),
        ("OLLAMA_DAILY_BUDGET", "-3", "expected an amount of US dollars"),
        ("OLLAMA_DAILY_BUDGET", "inf", "expected an amount of US dollars"),
        ("OLLAMA_DAILY_BUDGET", "1_0", "expected an amount of US dollars"),
        ("OPENROUTER_DAILY_BUDGET", "1e400", "expected an amount of US dollars"),
        ("OLLAMA_MAX_CALLS_PER_HOUR", "0", "expected a whole number from 1"),
        ("OLLAMA_MAX_CALLS_PER_HOUR", "1.5", "expected a whole number from 1"),
        ("OPENROUTER_MAX_CALLS_PER_HOUR", "9" * 5000, "expected a whole number from 1"),
        ("OLLAMA_HOST", "http://h:99999", "expected an address"),
        ("OLLAMA_HOST", "ftp://h", "expected an address"),
    ],
)
def test_a_bad_variable_is_named_with_what_was_expected(name: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        overrides(Environment({name: text}))
    assert name in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("OLLAMA_HOST", "http://u:pw123@h"),
        ("PREFER_OLLAMA", "sk-pw123"),
        ("OLLAMA_DAILY_BUDGET", "pw1234567890abcdef01234567"),
    ],
)
def test_what_may_be_a_secret_is_not_repeated_however_short(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=name) as caught:
        overrides(Environment({name: text}))
    assert "pw123" not in str(caught.value)


def test_all_bad_variables_are_told_at_once_and_no_secret_with_them() -> None:
    secret = "sk-or-v1-0123456789abcdef0123456789abcdef"
    with pytest.raises(ConfigProblems) as caught:
        overrides(Environment({"PREFER_OLLAMA": secret, "OLLAMA_HOST": f"http://me:{secret}@h"}))
    assert [problem.variable for problem in caught.value.problems] == ["PREFER_OLLAMA", "OLLAMA_HOST"]
    assert "sk-or" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("h:1234", "http://h:1234"),
        (":1234", "http://127.0.0.1:1234"),
        ("http://h", "http://h:80"),
        ("https://h", "https://h:443"),
        ("https://h:8443/path/", "https://h:8443/path"),
        ("ollama.com", "https://ollama.com:443"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104 - that is the point
        ("http://0.0.0.0:99", "http://127.0.0.1:99"),
        ("::", "http://[::1]:11434"),
        ("[::]:99", "http://[::1]:99"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("'h'", "http://h:11434"),
        ("http://", "http://127.0.0.1:80"),
    ],
)
def test_ollama_host_is_read_as_ollama_reads_it(text: str, url: str) -> None:
    ((_, _, value),) = overrides(Environment({"OLLAMA_HOST": text}))
    assert value == [url]


PROXIES = {"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://s:2"}


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "https://ollama.com/v1", None),
        (PROXIES, "https://ollama.com/v1", "http://s:2"),
        (PROXIES, "http://ollama.com/v1", "http://p:1"),
        ({**PROXIES, "https_proxy": "lower:3"}, "https://ollama.com", "http://lower:3"),
        ({"ALL_PROXY": "https://a:4"}, "https://ollama.com", "https://a:4"),
        ({**PROXIES, "REQUEST_METHOD": "GET"}, "http://ollama.com", None),
        (PROXIES, "http://localhost:11434", None),
        (PROXIES, "http://127.9.9.9", None),
        (PROXIES, "http://[::1]:11434", None),
        ({**PROXIES, "NO_PROXY": "*"}, "https://ollama.com", None),
        ({**PROXIES, "NO_PROXY": "example.org, .ollama.com"}, "https://ollama.com", None),
        ({**PROXIES, "NO_PROXY": "ollama.com"}, "https://a.OLLAMA.com", None),
        ({**PROXIES, "NO_PROXY": "ollama.com"}, "https://notollama.com", "http://s:2"),
        ({**PROXIES, "NO_PROXY": "ollama.com:8443"}, "https://ollama.com", "http://s:2"),
        ({**PROXIES, "NO_PROXY": "ollama.com:443"}, "https://ollama.com", None),
        ({**PROXIES, "NO_PROXY": "10.0.0.0/8"}, "http://10.1.2.3", None),
        ({**PROXIES, "NO_PROXY": "10.0.0.0/8"}, "http://11.1.2.3", "http://p:1"),
        ({**PROXIES, "NO_PROXY": "fd00::1"}, "http://[fd00::1]:80", None),
        ({**PROXIES, "NO_PROXY": "[fd00::1]:81"}, "http://[fd00::1]:80", "http://p:1"),
        ({**PROXIES, "no_proxy": "x", "NO_PROXY": "*"}, "https://ollama.com", "http://s:2"),
    ],
)
def test_proxy(variables: dict[str, str], url: str, proxy: str | None) -> None:
    assert Environment(variables).proxy_for(url) == proxy


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"ALL_PROXY": "socks5h://me:hunter2@a:4"}, "ALL_PROXY"),
        ({"all_proxy": "socks4://me:hunter2@a", "ALL_PROXY": "http://b"}, "all_proxy"),
        ({"https_proxy": "ftp://me:hunter2@a", "ALL_PROXY": "http://b"}, "https_proxy"),
        ({"HTTPS_PROXY": "SOCKS5://me:hunter2@a", "ALL_PROXY": "socks5://b"}, "HTTPS_PROXY"),
    ],
)
def test_a_proxy_of_another_kind_is_blamed_on_the_variable_that_names_it(variables: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Environment(variables).proxy_for("https://ollama.com/v1")
    said = str(caught.value)
    assert said.startswith(f"{name} names a proxy")
    assert f"Correct {name}," in said
    assert "hunter2" not in said
    assert Environment({**variables, "NO_PROXY": "ollama.com"}).proxy_for("https://ollama.com/v1") is None


def test_without_overrides_keeps_the_rest() -> None:
    left = without_overrides(Environment({"OLLAMA_HOST": "x", "HOME": "/h"}))
    assert left == Environment({"HOME": "/h"})
    assert os.environ is not left.variables
