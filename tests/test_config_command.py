"""`lbk config path|show|check|init`, as a person or a script meets it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lollmsbot_keys.commands import config as commands
from lollmsbot_keys.core.model.config_origin import Origin
from lollmsbot_keys.edges.config import DEFAULTS, schema
from lollmsbot_keys.edges.config import load as config_file
from lollmsbot_keys.edges.config.template import template
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.errors import ConfigError, UsageError
from tests.support import run_lbk

NOTHING = Environment({"HOME": "/nonexistent"})
RUN = [sys.executable, "-c", "from lollmsbot_keys.cli.commands.config import app; app()"]


def lbk_config(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables}
    return subprocess.run([*RUN, *arguments], env=environment, text=True, capture_output=True, check=False)


def in_terminal(*arguments: str, **variables: str) -> str:
    """What the command prints when stdout is a real terminal."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TERM": "xterm", "COLUMNS": "120", **variables}
    with subprocess.Popen([*RUN, *arguments], env=environment, stdout=theirs, stderr=subprocess.PIPE):
        os.close(theirs)
        parts = []
        try:
            while part := os.read(ours, 65_536):
                parts.append(part)
        except OSError:  # Linux's way to say that the other side is closed
            pass
    os.close(ours)
    return b"".join(parts).decode()


def test_path() -> None:
    result = lbk_config("path", LBK_CONFIG="/some/where.toml")
    assert (result.returncode, result.stdout) == (0, "/some/where.toml\n")
    result = lbk_config("path", "--json", "--config", "/else/where.toml", LBK_CONFIG="/some/where.toml")
    assert json.loads(result.stdout) == {"path": "/else/where.toml", "found": False}


@pytest.mark.parametrize("verb", ["path", "show", "check", "init"])
def test_the_file_may_be_named_before_the_command(verb: str, tmp_path: Path) -> None:
    path = tmp_path / "named.toml"
    path.write_text("[routing]\nprefer_ollama = 3\n")
    done = run_lbk(["--config", str(path), "config", verb], {"HOME": str(tmp_path)})
    assert str(path) in done.stdout + done.stderr
    assert done.returncode == {"path": 0, "init": 1}.get(verb, 3)


def test_show_tells_where_each_value_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        '[routing]\nprefer_ollama = false\n[keys.X]\nprovider = "ollama"\n[models."kimi-k2.5"]\nrc2 = true\n'
    )
    environment = Environment({"OLLAMA_DAILY_BUDGET": "0.1", "OLLAMA_HOST": "h"})
    shown = {setting.key: setting for setting in commands.show(path, None, environment).settings}
    mine = shown["routing.prefer_ollama"]
    assert (mine.value, mine.origin, mine.file, mine.line) == (False, Origin.FILE, str(path), 2)
    budget = shown["providers.ollama.daily_budget_usd"]
    assert (budget.value, budget.origin, budget.variable) == (0.1, Origin.ENVIRONMENT, "OLLAMA_DAILY_BUDGET")
    assert shown["providers.local.endpoints"].value == ["http://h:11434"]
    assert shown["keys.X.secret"].value == "env:X"
    assert shown["keys.X.secret"].origin is Origin.DEFAULT
    kimi = shown['models."kimi-k2.5".successor']
    assert (kimi.value, kimi.origin, kimi.name, kimi.table) == (
        "kimi-k2.6",
        Origin.DEFAULT,
        "successor",
        'models."kimi-k2.5"',
    )
    assert shown['models."kimi-k2.5".rc2'].line == 6
    assert shown['models."kimi-k2.5".priced_on'].value == "2026-09-15"
    assert shown["keys.OLLAMA_API_KEY.enabled"].value is True


def test_show_one_setting_or_table() -> None:
    one = commands.show(None, "routing.default_model", NOTHING).settings
    assert [setting.value for setting in one] == ["kimi-k2.5"]
    table = commands.show(None, "models.kimi-k2.5", NOTHING).settings
    assert {setting.table for setting in table} == {'models."kimi-k2.5"'}
    assert commands.show(None, 'models."kimi-k2.5"', NOTHING).settings == table
    with pytest.raises(UsageError, match=r"Did you mean routing\.default_model\?"):
        commands.show(None, "routing.default_modle", NOTHING)
    with pytest.raises(UsageError, match="lbk config show"):
        commands.show(None, "zzzzzzz", NOTHING)


def test_show_piped_is_plain_and_aligned(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("\n[alerts]\nat_percent = 10\nurls = ['json://u:geheim@h']\n")
    result = lbk_config("show", "alerts", "--config", str(path))
    assert result.stdout.splitlines() == [
        f"alerts.at_percent  10              {path}:3",
        f'alerts.urls        ["json://..."]  {path}:4',
    ]
    document = json.loads(lbk_config("show", "alerts.at_percent", "--json", ALERT_AT_PERCENT="5").stdout)
    assert document["settings"] == [
        {
            "key": "alerts.at_percent",
            "value": 5,
            "origin": "environment",
            "file": None,
            "line": None,
            "variable": "ALERT_AT_PERCENT",
        }
    ]


def test_show_on_a_terminal_is_drawn_unless_that_is_unwelcome() -> None:
    drawn = in_terminal("show", "keys", ALERT_AT_PERCENT="5")
    assert "\x1b[1m" in drawn
    assert "[keys.OLLAMA_API_KEY_2]" in drawn
    plain = in_terminal("show", "keys", NO_COLOR="1")
    assert "\x1b" not in plain
    assert plain.startswith("keys.OLLAMA_API_KEY.provider ")


def test_a_pipe_never_loads_rich() -> None:
    script = (
        "import sys; from lollmsbot_keys.cli.commands.config import app\n"
        "app(standalone_mode=False); print('rich' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, "show"], text=True, capture_output=True, check=True, env={"HOME": "/nonexistent"}
    )
    assert result.stdout.endswith("False\n")


def test_check_tells_everything_and_ends_with_3(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[routing]\nprefer_olama = true\n[cooldowns]\nlongest = 1\n")
    result = lbk_config("check", "--config", str(path), PREFER_OLLAMA="maybe")
    assert result.returncode == 3
    assert [line.split(": ")[0] for line in result.stdout.splitlines()] == [f"{path}:2", f"{path}:4", "PREFER_OLLAMA"]
    result = lbk_config("check", "--config", str(path), "--json")
    document = json.loads(result.stdout)
    assert result.returncode == 3
    assert not document["ok"]
    assert [problem["line"] for problem in document["problems"]] == [2, 4]
    assert document["error"]["code"] == "config"


def test_check_of_what_is_good(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[keys.X]\nprovider = 'ollama'\nsecret = 'env:OLLAMA_API_KEY'\n")
    result = lbk_config("check", "--config", str(path))
    assert result.returncode == 0
    assert "warning: keys.X" in result.stdout
    assert f"{path}: good" in result.stdout
    assert "the defaults are in force" in lbk_config("check").stdout
    missing = lbk_config("check", "--config", str(tmp_path / "missing"), "--json")
    assert missing.returncode == 3
    assert "no such file" in json.loads(missing.stdout)["error"]["message"]


def test_check_finds_endpoints_that_no_secret_may_go_to(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        "[providers.ollama]\nendpoints = ['https://ollama.com/v1', 'https://api.ollama.cloud/v1']\n"
        "[providers.openrouter]\ntrusted_hosts = ['gw.example']\nendpoints = ['https://gw.example/v1', 'http://gw.example']\n"
    )
    checked = commands.check(path, Environment({"PREFER_OLLAMA": "maybe"}))
    assert [(problem.variable, problem.line) for problem in checked.problems] == [
        ("PREFER_OLLAMA", None),
        (None, 2),
        (None, 5),
    ]
    assert "https://api.ollama.cloud/v1" in checked.problems[1].message
    assert "providers.openrouter.trusted_hosts" in checked.problems[2].message
    assert not checked.ok


def test_check_opens_what_secrets_are_said_to_be_in(tmp_path: Path) -> None:
    """Nobody knows here which variables are set where lbk runs; a file or a command is there or it is not."""
    path, dotenv = tmp_path / "c.toml", tmp_path / ".env"
    dotenv.write_text("A=sk-good\n")
    dotenv.chmod(0o644)
    path.write_text(
        "[providers.openrouter]\nmanagement_secret = 'file:gone'\n"
        "[keys.OLLAMA_API_KEY]\nsecret = 'file:/nonexistent'\n"
        "[keys.OLLAMA_API_KEY_2]\nsecret = 'dotenv:.env#A'\n"
        "[keys.OPENROUTER_API_KEY_1]\nsecret = 'command:false'\n"
        "[keys.OPENROUTER_API_KEY_2]\nsecret = 'file:gone'\nenabled = false\n"
        "[keys.OPENROUTER_API_KEY_3]\nsecret = 'env:NOT_HERE'\n"
        "[keys.'odd.name']\nprovider = 'ollama'\nsecret = 'dotenv:.env#B'\n"
    )
    checked = commands.check(path, Environment({"PATH": os.defpath}))
    assert [(problem.key, problem.line) for problem in checked.problems] == [
        ("keys.OLLAMA_API_KEY.secret", 4),
        ("keys.OPENROUTER_API_KEY_1.secret", 8),
        ('keys."odd.name".secret', 16),
        ("providers.openrouter.management_secret", 2),
    ]
    assert "No such file" in checked.problems[0].message
    assert "exit code 1" in checked.problems[1].message
    assert [warning for warning in checked.warnings if "chmod 600" in warning]


def test_init_writes_once_and_for_its_owner_only(tmp_path: Path) -> None:
    result = lbk_config("init", XDG_CONFIG_HOME=str(tmp_path / "new"))
    path = tmp_path / "new" / "lollmsbot-keys" / "config.toml"
    assert (result.returncode, result.stdout) == (0, f"{path}\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700
    path.write_text("# mine\n")
    again = lbk_config("init", XDG_CONFIG_HOME=str(tmp_path / "new"))
    assert (again.returncode, again.stdout) == (1, "")
    assert "is there already" in again.stderr
    assert path.read_text() == "# mine\n"
    document = json.loads(lbk_config("init", "--json", "--config", str(path)).stdout)
    assert document["created"] is False
    assert document["error"]["code"] == "config"
    other = tmp_path / "other.toml"
    assert json.loads(lbk_config("init", "--json", "--config", str(other)).stdout) == {
        "path": str(other),
        "created": True,
    }


def test_init_does_not_follow_a_link_and_reports_what_it_cannot_write(tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(tmp_path / "target.toml")
    assert commands.init(link, NOTHING).found
    assert not (tmp_path / "target.toml").exists()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Choose another path"):
        commands.init(tmp_path / "file" / "config.toml", NOTHING)


def test_the_written_file_changes_nothing_and_says_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    defaults = config_file.load(None, NOTHING).config
    assert commands.init(path, NOTHING) == commands.ConfigPlace(path, found=False)
    assert tomllib.loads(path.read_text()) == {}
    assert config_file.load(path, NOTHING).config == defaults
    values = "\n".join(line.removeprefix("#") for line in template().splitlines() if not line.startswith("# "))
    examples = [line for line in DEFAULTS.read_text().splitlines() if re.match("#[a-z]", line)]
    for example in examples:
        if not example.startswith("#secret"):  # those say what holds anyway
            values = values.replace(f"\n{example[1:]}", "")
    path.write_text(values)
    assert config_file.load(path, NOTHING).config == defaults
    assert set(tomllib.loads(values)) == set(schema.Root.model_fields)


def test_check_warns_of_a_budget_that_can_never_pay_an_ordinary_call(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[providers.ollama]\ndaily_budget_usd = 0.001\nmonthly_budget_usd = 0\n", "utf-8")
    checked = commands.check(config, Environment({"HOME": str(tmp_path)}))
    assert checked.ok
    (warning,) = checked.warnings
    assert warning.startswith(
        "providers.ollama.daily_budget_usd cannot pay one call of the default cap: it is 0.001 USD"
    )
