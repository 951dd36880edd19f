"""The compiled configuration: the same as a fresh one, never a stale one, no secret in it, no trouble from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lollmsbot_keys.edges.config import DEFAULTS
from lollmsbot_keys.edges.config import cache as config_cache
from lollmsbot_keys.edges.config import load as config_file
from lollmsbot_keys.edges.config.build import build, compile_tree
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.errors import ConfigError
from tests.examples import examples

NOTHING = Environment({"HOME": "/nonexistent"})
HEAVY = """
import sys
from pathlib import Path
from lollmsbot_keys.edges.config import load as config_file
from lollmsbot_keys.edges.environment.variables import Environment
config_file.load({option}, Environment({{"HOME": "/nonexistent"}}), Path({cache!r}))
print(*(name for name in ("pydantic", "tomllib", "rich", "difflib") if name in sys.modules))
"""


def loaded_modules(option: Path | None, cache: Path) -> set[str]:
    script = HEAVY.format(option=f"Path({str(option)!r})" if option else None, cache=str(cache))
    result = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, check=True)
    return set(result.stdout.split())


def written(folder: Path, text: str, name: str = "config.toml") -> Path:
    """A config file that was not written just now: such a fresh one is never cached."""
    path = folder / name
    path.write_text(text)
    time.sleep(0.06)
    return path


def test_the_second_time_nothing_is_parsed_or_checked(tmp_path: Path) -> None:
    path, cache = written(tmp_path, "[routing]\nprefer_ollama = false\n"), tmp_path / "deep" / "cache.json"
    assert loaded_modules(path, cache) >= {"pydantic", "tomllib"}
    assert loaded_modules(path, cache) == set()
    assert loaded_modules(None, cache) == {"tomllib"}
    assert loaded_modules(None, cache) == set()
    assert cache.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in cache.parent.iterdir()] == ["cache.json"]


def test_kept_is_what_was_fresh(tmp_path: Path) -> None:
    path, cache = written(tmp_path, RICH), tmp_path / "cache.json"
    fresh = config_file.load(path, NOTHING)
    assert config_file.load(path, NOTHING, cache) == fresh
    assert cache.exists()
    assert config_file.load(path, NOTHING, cache) == fresh


RICH = """
timezone = "Asia/Tokyo"
[keys.X]
provider = "openrouter"
secret = "env:OLLAMA_API_KEY"
daily_budget_usd = 0.10
priority = 1
[alerts]
urls = ["json://user:apprise-password@h/"]
[models."a/b"]
input_usd_per_mtok = 0.000001
output_usd_per_mtok = 1
"""


def test_nothing_secret_is_kept(tmp_path: Path) -> None:
    path, cache = written(tmp_path, RICH), tmp_path / "cache.json"
    config_file.load(path, NOTHING, cache)
    assert "apprise-password" not in cache.read_text()
    assert config_file.load(path, NOTHING, cache).config.alerts.urls == ("json://user:apprise-password@h/",)


def test_a_changed_file_or_variable_is_seen(tmp_path: Path) -> None:
    path, cache = written(tmp_path, "[alerts]\nat_percent = 10\n"), tmp_path / "cache.json"
    assert config_file.load(path, NOTHING, cache).config.alerts.at_percent[0] == 10
    assert config_file.load(path, Environment({"ALERT_AT_PERCENT": "30"}), cache).config.alerts.at_percent[0] == 30
    assert config_file.load(path, NOTHING, cache).config.alerts.at_percent[0] == 10
    before = path.stat()
    path.write_text("[alerts]\nat_percent = 20\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert config_file.load(path, NOTHING, cache).config.alerts.at_percent[0] == 20
    path.unlink()
    with pytest.raises(ConfigError, match="no such file"):
        config_file.load(path, NOTHING, cache)


def test_a_usual_place_without_a_file_does_not_excuse_a_named_one(tmp_path: Path) -> None:
    home, cache = Environment({"HOME": str(tmp_path)}), tmp_path / "cache.json"
    path = config_file.load(None, home, cache).path
    assert cache.exists()
    with pytest.raises(ConfigError, match="no such file"):
        config_file.load(path, home, cache)


def test_a_file_written_this_moment_is_not_kept_for_it_may_change_again(tmp_path: Path) -> None:
    path, cache = tmp_path / "config.toml", tmp_path / "cache.json"
    config_file.load(None, NOTHING)  # what is slow the first time only
    path.write_text("[alerts]\nat_percent = 10\n")
    identity = config_cache.identity((DEFAULTS, path), ())
    assert identity is not None
    config_cache.write(cache, identity, {}, ())
    assert not cache.exists()
    time.sleep(0.06)
    config_cache.write(cache, identity, {}, ())
    assert cache.exists()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "[" * 100_000, '{"identity": null}', "\udcff\udcfe", '{"identity": 1, "config": 2}'],
)
def test_a_broken_cache_is_as_none(tmp_path: Path, text: str) -> None:
    path, cache = written(tmp_path, "[alerts]\nat_percent = 10\n"), tmp_path / "cache.json"
    cache.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert config_file.load(path, NOTHING, cache).config.alerts.at_percent[0] == 10


def test_a_cache_with_the_right_identity_and_wrong_contents_is_as_none(tmp_path: Path) -> None:
    path, cache = written(tmp_path, "[alerts]\nat_percent = 10\n"), tmp_path / "cache.json"
    fresh = config_file.load(path, NOTHING, cache)
    document = json.loads(cache.read_text())
    damages: list[dict[str, object]] = [{"config": {}}, {"config": []}, {"config": None}, {"warnings": 1}]
    for damage in damages:
        cache.write_text(json.dumps({**document, **damage}))
        cache.chmod(0o600)
        assert config_file.load(path, NOTHING, cache) == fresh
    for field in document["config"]:
        broken = {**document["config"], field: None}
        cache.write_text(json.dumps({**document, "config": broken}))
        assert config_file.load(path, NOTHING, cache) == fresh


def test_a_cache_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    path, cache = written(tmp_path, "[alerts]\nat_percent = 10\n"), tmp_path / "cache.json"
    config_file.load(path, NOTHING, cache)
    document = json.loads(cache.read_text())
    document["config"]["alerts"]["at_percent"] = 99
    cache.write_text(json.dumps(document))
    assert config_file.load(path, NOTHING, cache).config.alerts.at_percent[0] == 99, "this is what would be believed"
    cache.chmod(0o666)
    assert config_file.load(path, NOTHING, cache).config.alerts.at_percent[0] == 10


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    path, cache = written(tmp_path, "[alerts]\nat_percent = 10\n"), tmp_path / "cache.json"
    os.mkfifo(cache)
    assert config_cache.read(cache, []) is None
    assert config_file.load(path, NOTHING, cache).config.alerts.at_percent[0] == 10


def test_where_nothing_can_be_written_all_works_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, "[alerts]\nat_percent = 10\n")
    for cache in (tmp_path, path / "below-a-file", Path("/proc/nowhere/cache")):
        assert config_file.load(path, NOTHING, cache).config.alerts.at_percent[0] == 10
    assert list(tmp_path.iterdir()) == [path]


AMOUNTS = st.decimals(min_value=0, max_value=1000, places=6).map(str)
SPANS = st.sampled_from(["1s", "59m", "1h30m", "8d"])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=examples(40))
@given(
    AMOUNTS,
    SPANS,
    st.permutations(["A", "B", "C"]),
    st.sampled_from(["true", "false"]),
    st.sampled_from(["UTC", "Asia/Tokyo"]),
)
def test_the_compiled_tree_survives_json(
    tmp_path_factory: pytest.TempPathFactory,
    amount: str,
    span: str,
    names: list[str],
    flag: str,
    zone: str,
) -> None:
    path = tmp_path_factory.mktemp("c") / "config.toml"
    keys = "\n".join(f"[keys.{name}]\nprovider='ollama'\ndaily_budget_usd={amount}" for name in names)
    path.write_text(f"timezone='{zone}'\n[routing]\nprefer_ollama={flag}\n[cooldowns]\nunavailable='{span}'\n{keys}\n")
    sources = config_file.read(path, NOTHING)
    compiled = compile_tree(sources.tree)
    assert build(json.loads(json.dumps(compiled))) == build(compiled) == config_file.config_of(sources).config
    assert [key.name for key in build(compiled).keys[-3:]] == names
