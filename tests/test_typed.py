"""A secret that is typed in the wrong place is not said again, whatever the message is about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lollmsbot_keys.cli.typed_words import without_secrets, without_words
from lollmsbot_keys.core.model.request import Request
from lollmsbot_keys.core.routing.resolve import understand
from lollmsbot_keys.core.security.key_forms import may_be_secret
from lollmsbot_keys.errors import UsageError
from tests.lab import lab
from tests.strategies import CONFIG
from tests.support import run_lbk

OLLAMA_FORM = "0123456789abcdef0123456789abcdef.AbCdEfGhIjKlMnOpQrStUvWx"
FORMS = [
    "sk-or-v1-0123456789abcdef0123456789abcdef",
    OLLAMA_FORM,
    "sk-short",
    "AIzaSyA0b1C2d3E4f5G6h7",
    "a1b2" * 8,
]


@pytest.mark.parametrize("word", [*FORMS, f"OLLAMA_API_KEY={OLLAMA_FORM}", f"'{OLLAMA_FORM}'", f"Bearer {FORMS[0]}"])
def test_what_looks_like_a_key_may_be_one(word: str) -> None:
    assert may_be_secret(word)


@pytest.mark.parametrize(
    "word",
    [
        "OPENROUTER_API_KEY_1",
        "mistral-large-3:675b",
        "nvidia/nemotron-3-super-120b-a12b:free",
        "deepseek-ai/DeepSeek-V3.2-Exp",
        "providers.openrouter.daily_budget_usd",
        "2026-11-23T18:30:00Z",
        "OLLAMA_API_KEY=429retry=90:3",
        "github:orgs/example/environment#NAME",
        "ollama_usage_threshold_percent",
        "http://127.0.0.1:11434",
    ],
)
def test_other_words_are_none(word: str) -> None:
    assert not may_be_secret(word)


@pytest.mark.parametrize("secret", [*FORMS, "correct horse battery", "correcthorse"])
@pytest.mark.parametrize("argument", ["{}", "--x={}", "-s{}", "NAME={}"])
def test_words_where_nothing_is_meant_are_hidden(secret: str, argument: str) -> None:
    typed = argument.format(secret)
    for message in (f"extra argument(s) ({typed})", f"{secret!r} is not one of", f"No such option: {typed}"):
        assert secret not in without_words(message, ["ask", typed], {"ask", "--privacy"})


@pytest.mark.parametrize("command", ["rotate", "sandbox", "config show"])
def test_what_is_given_to_a_variable_is_hidden_however_it_looks(command: str) -> None:
    typed = [*command.split(), "OLLAMA_API_KEY=hunter2!"]
    assert without_secrets("no key 'OLLAMA_API_KEY=hunter2!'", typed) == "no key 'OLLAMA_API_KEY=…'"


@pytest.mark.parametrize("option", ["--assume", "--fault", "-f"])
def test_what_an_option_takes_for_a_key_is_shown(option: str) -> None:
    assert "cooling_dwn" in without_secrets("OLLAMA_API_KEY=cooling_dwn", [option, "OLLAMA_API_KEY=cooling_dwn"])


@pytest.mark.parametrize("word", [FORMS[0], OLLAMA_FORM, "AIzaSyA0b1C2d3E4f5G6h7", f" {FORMS[0]} "])
def test_a_key_in_place_of_a_model_is_sent_to_nobody(word: str) -> None:
    with pytest.raises(UsageError, match="looks like a key") as refused:
        understand(Request(model=word), CONFIG)
    assert word not in str(refused.value)


@pytest.mark.parametrize(
    "word", ["pplx-7b-online", "hf_model", "sk-tiny", "hf.co/unsloth/Qwen3CoderA3B30B-GGUF:Q4_K_M"]
)
def test_a_model_that_only_begins_like_a_key_is_one(word: str) -> None:
    assert understand(Request(model=word), CONFIG).model == word


def test_a_misspelt_word_is_shown() -> None:
    message = "No such option: --privcy"
    assert without_words(message, [f"--privcy={FORMS[0]}"], {"--privacy"}) == message


def test_a_word_in_other_letters_is_shown() -> None:
    message = "'CRITICAL' is not one of 'low', 'critical'"
    assert without_words(message, ["ask", "--privacy", "CRITICAL"], {"--privacy", "critical"}) == message


def test_a_path_is_shown_and_a_secret_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "a1b2c3d4e5f6a7b8.toml")
    for typed in (path, f"file:{path}", f"dotenv:{path}#NAME"):
        assert without_secrets(f"{typed} cannot be read", [typed]) == f"{typed} cannot be read"
    typed = f"nowhere/{OLLAMA_FORM}"
    assert without_secrets(f"{typed!r} cannot be read", [typed]) == "'…' cannot be read"


SECRET = FORMS[0]
PLACES = [
    [SECRET],
    [f"--{SECRET}"],
    [f"--{SECRET}=x"],
    ["help", SECRET],
    ["ask", "hello", SECRET],
    ["ask", "--privacy", SECRET, "hello"],
    ["ask", f"--max-tokens={SECRET}", "hello"],
    ["ask", "--timeout", SECRET, "hello"],
    ["ask", "--key", SECRET, "hello"],
    ["ask", "-p", SECRET, "hello"],
    ["ask", "-p", "soul", "--role", SECRET, "hello"],
    ["ask", "--api-key", SECRET, "hello"],
    ["ask", f"--api-key={SECRET}", "hello"],
    ["ask", "--config", SECRET, "hello"],
    ["ask", "-m", SECRET, "hello"],
    ["ask", "-m", SECRET, "--json", "hello"],
    ["route", "-m", SECRET],
    ["route", "-m", SECRET, "--json"],
    ["route", SECRET],
    ["route", f"--privacy={SECRET}"],
    ["route", "--key", SECRET],
    ["route", "--at", SECRET],
    ["route", "--assume", f"{SECRET}=disabled"],
    ["route", "--assume", f"OLLAMA_API_KEY={SECRET}"],
    ["route", "--replay", SECRET],
    ["costs", SECRET],
    ["costs", "--by", SECRET],
    ["costs", "--since", SECRET],
    ["completion", SECRET],
    ["completion", "bash", SECRET],
    ["metrics", SECRET],
    ["reset-limits", SECRET],
    ["test-keys", SECRET],
    ["test-keys", "--provider", SECRET],
    ["rotate", SECRET],
    ["rotate", "OLLAMA_API_KEY", SECRET],
    ["rotate", "OLLAMA_API_KEY", "--to", SECRET],
    ["rotate", "OLLAMA_API_KEY", "--to", f"dotenv:{SECRET}"],
    ["config", SECRET],
    ["config", "show", SECRET],
    ["config", "check", SECRET],
    ["sandbox", "-f", SECRET, "--", "true"],
    ["sandbox", "-f", f"OLLAMA_API_KEY={SECRET}", "--", "true"],
    ["sandbox", "--", SECRET],
    ["__complete", "bash", "key", "lbk", "rotate", SECRET],
]


@pytest.mark.parametrize("arguments", PLACES, ids=" ".join)
def test_no_command_repeats_a_secret(arguments: list[str], tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.env = {**here.env, "OLLAMA_HOST": "127.0.0.1:9"}
        done = run_lbk(arguments, here.env)
        assert done.returncode != 70
        assert SECRET not in done.stdout + done.stderr
        assert SECRET[9:] not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments", [["ask", "hi", "-m"], ["route", "-m"], ["ask", "--json", "hi", "-m"]], ids=" ".join
)
def test_one_s_own_secret_is_no_model_however_it_looks(arguments: list[str], tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        secret = here.env["OLLAMA_API_KEY"]
        for model in (secret, f"vendor/{secret}", f" {secret}:free"):
            done = run_lbk([*arguments, model], here.env)
            assert (done.returncode, secret in done.stdout + done.stderr) == (2, False)
        assert here.sandbox.requests == ()


def test_json_repeats_no_secret(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = run_lbk(["route", "--json", "--key", OLLAMA_FORM], here.env)
    assert json.loads(done.stdout)["error"]["code"] == "usage"
    assert OLLAMA_FORM not in done.stdout + done.stderr


def test_a_pass_phrase_in_place_of_a_key_s_name_is_not_repeated(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        for command in ("rotate", "reset-limits", "test-keys"):
            done = run_lbk([command, "correct-horse-battery"], here.env)
            assert (done.returncode, "correct-horse" in done.stdout + done.stderr) == (2, False)
