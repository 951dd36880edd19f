"""A user's file over the defaults, the environment over both; and everything that can be wrong with them."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Config, Privacy, Provider
from lollmsbot_keys.core.model.config_origin import ConfigProblems
from lollmsbot_keys.edges.config import load as config_file
from lollmsbot_keys.edges.config.line_numbers import key_path, line_numbers, line_of
from lollmsbot_keys.edges.config.merge import by_priority, merge
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.errors import ConfigError, Exit

NOTHING = Environment({"HOME": "/nonexistent"})


def load(path: Path, text: str, environment: Environment = NOTHING) -> Config:
    path = path / "config.toml"
    path.write_text(text)
    return config_file.load(path, environment).config


def test_tables_are_merged_and_arrays_replaced(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
        timezone = "Europe/Berlin"
        [providers.openrouter]
        daily_budget_usd = 0.1
        free_models = ["a/b:free"]
        [cooldowns]
        unavailable = "1m"
        [pillars.guardian.auditor]
        privacy = "critical"
        [pillars.mine.only]
        model = "gpt-oss:120b"
        free = true
        [models."glm-5.2"]
        cached_input_usd_per_mtok = 0.26
        cache_write_usd_per_mtok = 2
        template_tokens = 7
        """,
    )
    assert config.timezone == ZoneInfo("Europe/Berlin")
    openrouter = config.providers[Provider.OPENROUTER]
    assert openrouter.daily_budget_usd == Decimal("0.1")
    assert (openrouter.free_models, openrouter.max_calls_per_hour) == (("a/b:free",), 2000)
    assert config.cooldowns.unavailable == timedelta(minutes=1)
    auditor = config.pillars["guardian"].roles["auditor"]
    assert (auditor.model, auditor.privacy) == ("cogito-2.1:671b", Privacy.CRITICAL)
    assert list(config.pillars)[-1] == "mine"
    assert (auditor.free, config.pillars["mine"].roles["only"].free) == (False, True)
    glm, price = config.models["glm-5.2"], config.models["glm-5.2"].price
    assert price is not None
    assert (price.input_usd_per_mtok, price.cached_input_usd_per_mtok) == (Decimal("1.40"), Decimal("0.26"))
    assert (price.cache_write_usd_per_mtok, glm.template_tokens, glm.own_price) == (Decimal(2), 7, True)


def test_new_keys_follow_in_file_order_unless_they_name_their_place(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
        [keys.Z]
        provider = "ollama"
        [keys.A]
        provider = "ollama"
        secret = "file:/run/secrets/a"
        [keys.OLLAMA_API_KEY]
        priority = 2
        enabled = false
        [keys.TOP]
        provider = "openrouter"
        priority = 1
        """,
    )
    names = [key.name for key in config.keys]
    assert names[:3] == ["TOP", "OLLAMA_API_KEY", "OLLAMA_API_KEY_2"]
    assert names[-2:] == ["Z", "A"]
    assert not config.keys[1].enabled


def test_a_priority_moves_a_key_back_as_well() -> None:
    assert by_priority({"a": {"priority": 2}, "b": {}, "c": {}}) == ["b", "a", "c"]
    assert by_priority({"a": {"priority": 99}, "b": {}}) == ["b", "a"]


def test_variables_win_over_the_file(tmp_path: Path) -> None:
    text = "[providers.ollama]\ndaily_budget_usd = 1\n[alerts]\nat_percent = 10\n"
    config = load(tmp_path, text, Environment({"OLLAMA_DAILY_BUDGET": "2.5", "OLLAMA_HOST": "h:1"}))
    assert config.providers[Provider.OLLAMA].daily_budget_usd == Decimal("2.5")
    assert config.providers[Provider.LOCAL].endpoints == ("http://h:1",)
    assert config.alerts.at_percent[0] == 10


def test_a_wrong_value_is_not_excused_by_a_variable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="got -1"):
        load(tmp_path, "[providers.ollama]\ndaily_budget_usd = -1", Environment({"OLLAMA_DAILY_BUDGET": "2"}))


ERRORS = [
    # text, line, words
    ("[routing]\nprefer_olama = true", 2, ["routing.prefer_olama", 'unknown name; did you mean "prefer_ollama"?']),
    ("[route]\nx = 1", 1, ['route: unknown name; did you mean "routing"?']),
    ("prefer_ollama = true", 1, ["it belongs in [routing]"]),
    ("[alerts]\ntimezone = 'UTC'", 2, ["at the top of the file"]),
    ("[routing]\nprefer_ollama = 'yes'", 2, ["expected true or false", 'got "yes"']),
    ("[routing]\nprefer_ollama = 1", 2, ["expected true or false", "got 1"]),
    ("[routing]\nmax_output_tokens = 0", 2, ["whole number from 1", "got 0"]),
    ("[routing]\nmax_output_tokens = true", 2, ["whole number from 1", "got true"]),
    ("[routing]\nmax_output_tokens = 4096.0", 2, ["whole number from 1", "got 4096.0"]),
    ("[routing]\ndefault_model = ''", 2, ["expected a name"]),
    ("[routing]\ndefault_model = 'glm: cloud'", 2, ["without white space in it"]),
    ("[routing]\nlocal_model = 'glm :7b'", 2, ["without white space in it"]),
    ("[routing]\nlocal_model = 'glm:\u2003cloud'", 2, ["without white space in it"]),
    ("[routing]\nlocal_model = 'GLM:Cloud'", 2, ["a model of this machine's own"]),
    ("[pillars.diary.keeper]\nmodel = 'glm: cloud'", 2, ["without white space in it"]),
    ("[pillars.diary.keeper]\nmodel = 'glm:cloud '", 2, ["without space around it"]),
    (
        "[pillars.diary.keeper]\nprivacy = 'critical'\nmodel = 'glm:120b-Cloud'",
        3,
        ["critical prompts never"],
    ),
    ("[routing]\ndefault_privacy = 'critical'\n[pillars.diary.keeper]\nmodel = 'glm:cloud'", 4, ["never reach"]),
    ("[models.'glm: cloud']", 1, ["without white space"]),
    ("[models.'Kimi-K2.6']\nrc2 = true", 1, ["kimi-k2.6 in other words", 'models."kimi-k2.6"']),
    ("[models.'kimi-k2.6:cloud']\nrc2 = true", 1, ["kimi-k2.6 in other words"]),
    ("[models.'kimi-k2.6:latest']\nrc2 = true", 1, ["kimi-k2.6 in other words"]),
    ("[models.'Moonshotai/Kimi-K2.6']\nrc2 = true", 1, ["moonshotai/kimi-k2.6 in other words"]),
    ("[models.'mine:7b']\n[models.'MINE:7b']", 2, ["mine:7b in other words"]),
    ("[models.'mine:7b-Cloud']", 1, ["expected its name at the provider, mine:7b"]),
    ("[models.'glm:7b']\nsuccessor = 'glm: cloud'", 2, ["without white space in it"]),
    (f"[routing]\ndefault_model = '{'m' * 201}'", 2, ["a name of at most 200 characters"]),
    (f"[models.{'n' * 201}]", 1, ["a name of at most 200 characters"]),
    (f"[keys.{'n' * 201}]\nprovider = 'ollama'", 1, ["a name of at most 200 characters"]),
    (f"[pillars.{'n' * 201}.role]\nmodel = 'm'", 1, ["a name of at most 200 characters"]),
    ("[routing]\ndefault_privacy = 'hihg'", 2, ['did you mean "high"?', '"critical"']),
    ("[routing]\nollama_usage_threshold_percent = 101", 2, ["from 0 to 100", "got 101"]),
    ("[routing]\nollama_usage_threshold_percent = nan", 2, ["from 0 to 100"]),
    ("[routing]\nunknown_price_usd_per_mtok = [0, 1]", 2, ["two amounts above 0"]),
    ("[routing]\nunknown_price_usd_per_mtok = [1]", 2, ["two amounts above 0"]),
    ("[providers.ollama]\n\ndaily_budget_usd = -3", 3, ["providers.ollama.daily_budget_usd", "US dollars", "got -3"]),
    ("[providers.ollama]\ndaily_budget_usd = inf", 2, ["US dollars", "got Infinity"]),
    ("[providers.ollama]\ndaily_budget_usd = true", 2, ["US dollars", "got true"]),
    ("[providers.ollama]\ndaily_budget_usd = '5'", 2, ["US dollars", 'got "5"']),
    ("[providers.ollama]\ndaily_budget_usd = 1e99999", 2, ["US dollars"]),
    ("[providers.ollama]\ndaily_budget_usd = 1e-99999", 2, ["US dollars"]),
    ("[providers.ollama]\nmax_calls_per_hour = 0", 2, ["whole number from 1"]),
    ("[providers.ollama]\nbalance = 'random'", 2, ['"alternate", "round_robin"']),
    ("[providers.olama]\nbalance = 'alternate'", 1, ['did you mean "ollama"?']),
    ("[providers.ollama]\nendpoints = []", 2, ["at least one URL"]),
    ("[providers.ollama]\nendpoints = ['ollama.com']", 2, ["entry 1", "http(s) URL"]),
    ("[providers.ollama]\nendpoints = ['ftp://ollama.com']", 2, ["http(s) URL"]),
    ("[providers.ollama]\nendpoints = ['https://h/v1?k=1']", 2, ["http(s) URL"]),
    ("[providers.ollama]\nendpoints = ['https://h/v1#k']", 2, ["http(s) URL"]),
    ("[providers.ollama]\nendpoints = ['https://h/v1/chat/completions']", 2, ["entry 1", "up to /chat/completions"]),
    ("[providers.ollama]\nendpoints = ['https://h/v1', 'https://h/api/chat/']", 2, ["entry 2", "up to /api/chat/"]),
    ("[providers.local]\nendpoints = ['http://127.0.0.1:11434/api/tags']", 2, ["up to /api/tags"]),
    ("[providers.openrouter]\nendpoints = ['https://openrouter.ai/api/v1/models']", 2, ["up to /models"]),
    ("[providers.ollama]\nendpoints = ['https://h', 'https://h']", 2, ["entry 2 repeats entry 1"]),
    ("[providers.openrouter]\ntrusted_hosts = ['https://h']", 2, ["host or host:port"]),
    ("[cooldowns]\nrate_limited = 'soon'", 2, ["cooldowns.rate_limited", '"1h"', 'got "soon"']),
    ("[cooldowns]\nrate_limited = '0s'", 2, ["above zero"]),
    ("[cooldowns]\nrate_limited = 60", 2, ["a duration such as", "got 60"]),
    ("[cooldowns]\nlongest = '30m'", 2, ["at least rate_limited (1h)"]),
    ("timezone = 'Europe/Berlim'", 1, ["no such time zone", 'did you mean "Europe/Berlin"?']),
    ("timezone = '../../etc/passwd'", 1, ["no such time zone"]),
    ("timezone = 'Europe'", 1, ["no such time zone"]),
    ("[keys.OLLAMA_API_KEY2]\nenabled = true", 1, ["provider: is missing", 'did you mean "OLLAMA_API_KEY_2"?']),
    ("[keys.X]\nprovider = 'openroutr'", 2, ['did you mean "openrouter"?']),
    ("[keys.X]\nprovider = 'local'", 2, ["the local provider needs no key"]),
    ("[keys.'a b']\nprovider = 'ollama'", 1, ['keys."a b"', "letters, digits"]),
    ("[keys.local]\nprovider = 'ollama'", 1, ["a call without a key"]),
    ("[keys.X]\nprovider = 'ollama'\npriority = 0", 3, ["whole number from 1"]),
    (
        "[keys.X]\nprovider = 'ollama'\npriority = 1\n[keys.Y]\nprovider = 'ollama'\npriority = 1",
        6,
        ["keys.Y.priority", "X has the same"],
    ),
    ("[keys.X]\nprovider = 'ollama'\nsecret = 'vault:x'", 3, ["env:NAME", "keyring:SERVICE/NAME"]),
    ("[keys.X]\nprovider = 'ollama'\nsecret = 'dotenv:.env'", 3, ["dotenv:PATH#NAME"]),
    ("keys = []", 1, ["expected a table, got an array"]),
    ("routing = 3", 1, ["expected a table, got 3"]),
    ("[[keys]]\nprovider = 'ollama'", 1, ["expected a table, got an array"]),
    ("[models.'']\nrc2 = true", 1, ["a model's name"]),
    ("[models.'m']\ninput_usd_per_mtok = 1", 1, ["models.m", "output_usd_per_mtok is missing"]),
    ("[models.'m']\npriced_on = 2026-01-01", 2, ["the date of a price that is not there"]),
    ("[models.'m']\ncached_input_usd_per_mtok = 1", 2, ["a part of a price", "input_usd_per_mtok is missing"]),
    ("[models.'m']\ncache_write_usd_per_mtok = 1", 2, ["a part of a price", "input_usd_per_mtok is missing"]),
    ("[models.'m']\ncached_usd_per_mtok = 1", 2, ['did you mean "cached_input_usd_per_mtok"?']),
    ("[models.'m']\ntemplate_tokens = 0", 2, ["models.m.template_tokens", "expected a whole number from 1"]),
    ("[routing]\ntemplate_tokens = 1.5", 2, ["routing.template_tokens", "expected a whole number from 1"]),
    ("[models.'kimi-k2.5']\npriced_on = '2026-01-01'", 2, ['models."kimi-k2.5".priced_on', "a date without quotes"]),
    ("[models.'kimi-k2.5']\npriced_on = 2026-01-01T00:00:00Z", 2, ["a date without quotes"]),
    ("[models.'kimi-k2.5']\nopenrouter = 'kimi'", 2, ["an OpenRouter id"]),
    ("[models.'kimi-k2.6']\nsuccessor = 'kimi-k2.5'", 2, ["goes in a circle", "kimi-k2.6 -> kimi-k2.5 -> kimi-k2.6"]),
    ("[models.'a']\nsuccessor = 'a'", 2, ["goes in a circle"]),
    ("[models.'a']\nsuccessor = 'x/y'", 2, ["the same seller"]),
    ("[pillars.soul.primary]\nkey = 'OLLAMA_KEY'", 2, ["no such key", 'did you mean "OLLAMA_API_KEY"?']),
    ("[pillars.soul.fallback]\nkey = 'NOPE'", 2, ["pillars.soul.fallback.key", "known keys: OLLAMA_API_KEY,"]),
    ("[pillars.gaurdian.auditor]\nprivacy = 'low'", 1, ["model: is missing", 'did you mean "guardian"?']),
    ("[pillars.new]", 1, ["at least one role"]),
    ("[pillars.new.fallback]\nmodel = 'x'", 1, ["at least one role"]),
    ("[pillars.soul.'x y']\nmodel = 'm'", 1, ["letters, digits"]),
    ("[alerts]\nurls = ['nothing']", 2, ["an Apprise URL"]),
    ("a = ", 1, ["no valid TOML"]),
    ("[routing]\na b", 2, ["no valid TOML, column 3"]),
    ("[routing]\n[routing]", 2, ["a table that is already there"]),
    ("a = 1\na = 2\n", 2, ["already has a value"]),
    ("a = " + "9" * 5000, None, ["a number or a date that cannot be"]),
    ("a = " + "[" * 5000, None, ["nested too deeply"]),
]


@pytest.mark.parametrize(("text", "line", "words"), ERRORS)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, line: int | None, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert caught.value.exit is Exit.UNUSABLE
    assert "config.toml" in message
    if line is not None:
        assert f"config.toml:{line}: " in message
    for word in words:
        assert word in message
    assert "\n" not in message, "one mistake, one line"


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        "[cooldowns]\nunavailable = 'soon'\n[pillars.soul.primary]\nkey = 'NOPE'\n[alerts]\nat_percent = 200\nx = 1\n"
    )
    with pytest.raises(ConfigProblems) as caught:
        load(tmp_path, text, Environment({"PREFER_OLLAMA": "perhaps"}))
    assert [problem.line for problem in caught.value.problems] == [2, 4, 6, 7, None]
    assert caught.value.problems[-1].variable == "PREFER_OLLAMA"


SECRET = "sk-or-v1-0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "text",
    [
        f"[keys.X]\nprovider = 'ollama'\nsecret = '{SECRET}'",
        f"[keys.X]\nprovider = 'ollama'\nsecret = 'env:{SECRET}'",
        f"[keys.X]\nprovider = '{SECRET}'",
        f"[keys.'{SECRET} ']\nprovider = 'ollama'",
        f"[keys.X]\n{SECRET} = 1",
        f"[keys.X]\nprovider = 'ollama'\nsecret = '{SECRET}",
        f"[keys.X]\nprovider = 'ollama'\nsecret = {SECRET}",
        f"[keys.X]\nprovider = 'ollama'\nsecret = ['{SECRET}']",
        f"[keys.{SECRET}]\n[keys.{SECRET}]",
        f"[providers.ollama]\nendpoints = ['https://me:{SECRET}@ollama.com']",
        f"[routing]\nprefer_ollama = '{SECRET}'",
        f"[alerts]\nurls = ['x{SECRET}']",
        f"[pillars.soul.primary]\nkey = '{SECRET}'",
    ],
)
def test_no_message_repeats_what_may_be_a_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert SECRET[9:] not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xef\xbb\xbftimezone = 'UTC'", "byte order mark"),
        ("timezone = 'UTC'".encode("utf-16"), "byte order mark"),
        (b"\n\na = '\0'", ":3: holds a NUL byte"),
        (b"\na = '\xff'", ":2: holds bytes that are no UTF-8"),
        (b"#" * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_text(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=words):
        config_file.load(path, NOTHING)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory"):
        config_file.load(tmp_path, NOTHING)
    with pytest.raises(ConfigError, match="no such file"):
        config_file.load(tmp_path / "missing.toml", NOTHING)
    with pytest.raises(ConfigError, match="no such file"):
        config_file.load(None, Environment({"LBK_CONFIG": str(tmp_path / "missing.toml")}))
    with pytest.raises(ConfigError, match="impossible path"):
        config_file.load(Path("a\0b"), NOTHING)
    assert not config_file.load(None, Environment({"HOME": str(tmp_path)})).found


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(tmp_path: Path) -> None:  # pragma: no cover - not as root
    path = tmp_path / "config.toml"
    path.touch(mode=0)
    with pytest.raises(ConfigError, match="permission denied"):
        config_file.load(path, NOTHING)


def test_a_pipe_will_do(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"[routing]\nprefer_ollama = false\n")
    os.close(writing)
    try:
        loaded = config_file.load(Path(f"/dev/fd/{reading}"), NOTHING, tmp_path / "cache")
    finally:
        os.close(reading)
    assert not loaded.config.routing.prefer_ollama
    assert not (tmp_path / "cache").exists()


def test_two_keys_with_one_secret_are_odd_but_possible(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[keys.X]\nprovider = 'ollama'\nsecret = 'env:OLLAMA_API_KEY'\n")
    (warning,) = config_file.load(path, NOTHING).warnings
    assert "keys.X and keys.OLLAMA_API_KEY" in warning


def test_lines_of_every_shape() -> None:
    text = '''# "x
a = 1 # ]
b.'c.d' = """
[not.a.table]
""" # c
[t] # d
x = [ # [
  "]", '#',
]
y = { z = 1, "w" = [2] }
[[q."r\\u0041"]]\r
k = """a""""
l = \'\'\'\\\'\'\'
m = 1
'''
    lines = line_numbers(text)
    wanted = {("a",): 2, ("b", "c.d"): 3, ("t",): 6, ("t", "x"): 7, ("t", "y"): 10, ("q", "rA"): 11}
    assert {path: lines[path] for path in wanted} == wanted
    assert [lines["q", "rA", name] for name in "klm"] == [12, 13, 14]
    assert ("not",) not in lines
    assert line_of(("t", "y", "z"), lines) == 10
    assert line_of(("nowhere",), lines) is None


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4, unique=True))
def test_a_key_path_reads_back_and_has_its_line(names: list[str]) -> None:
    path = tuple(name.encode("utf-8", "replace").decode() for name in names)
    assert line_numbers(f"\n{key_path(path)} = 'x'")[path] == 2


TREES = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
TABLES = st.dictionaries(st.sampled_from("abcd"), TREES, max_size=4)


def leaves(tree: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    if not isinstance(tree, dict):
        return {path: tree}
    return {at: value for name, below in tree.items() for at, value in leaves(below, (*path, name)).items()}


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(TABLES, TABLES)
def test_merging_keeps_everything_of_the_upper_tree_and_the_places_of_the_lower(
    under: dict[str, object], over: dict[str, object]
) -> None:
    merged = merge(under, over)
    found = leaves(merged)
    assert leaves(over).items() <= found.items()
    assert all(path in leaves(over) or leaves(under)[path] == value for path, value in found.items())
    assert list(merged)[: len(under)] == list(under)
    assert merge(merged, over) == merged
    assert merge(under, {}) == under
