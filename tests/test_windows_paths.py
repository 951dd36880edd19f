r"""What a person on Windows writes: `C:\…` in references, in TOML and in commands."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

import pytest

from lollmsbot_keys.core.model.config_origin import ConfigProblems
from lollmsbot_keys.edges.config import load as config_file
from lollmsbot_keys.edges.config.validators import secret_reference
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.edges.secrets.command_line import words
from lollmsbot_keys.edges.secrets.sources import split_reference

BASE = PureWindowsPath(r"C:\Users\me\lbk")


@pytest.mark.parametrize(
    ("reference", "scheme", "path"),
    [
        (r"file:C:\keys\ollama", "file", r"C:\keys\ollama"),
        (r"file:D:/keys/ollama", "file", r"D:\keys\ollama"),
        (r"file:keys\ollama", "file", r"C:\Users\me\lbk\keys\ollama"),
        (r"file:\\server\share\key", "file", r"\\server\share\key"),
        (r"dotenv:C:\app\.env#OLLAMA_API_KEY", "dotenv", r"C:\app\.env"),
        (r"dotenv:C:\a #1\.env#OLLAMA_API_KEY", "dotenv", r"C:\a #1\.env"),
    ],
)
def test_a_drive_is_no_scheme(reference: str, scheme: str, path: str) -> None:
    assert secret_reference(reference) == reference
    found, rest = split_reference(reference)
    assert found == scheme
    assert BASE / PureWindowsPath(rest.rpartition("#")[0] if scheme == "dotenv" else rest) == PureWindowsPath(path)


@pytest.mark.parametrize(
    ("line", "windows", "posix"),
    [
        (r"C:\bin\pass.exe show x", [r"C:\bin\pass.exe", "show", "x"], ["C:binpass.exe", "show", "x"]),
        (r'"C:\Program Files\p.exe" a', [r"C:\Program Files\p.exe", "a"], [r"C:\Program Files\p.exe", "a"]),
        (r"pass 'a b' #c", ["pass", "'a", "b'", "#c"], ["pass", "a b", "#c"]),
        (r'pass "" x', ["pass", "", "x"], ["pass", "", "x"]),
        (r"pass a\ b", ["pass", "a\\", "b"], ["pass", "a b"]),
    ],
)
def test_the_words_of_a_command(line: str, windows: list[str], posix: list[str]) -> None:
    assert words(line, windows=True) == windows
    assert words(line, windows=False) == posix


def test_a_quote_without_an_end() -> None:
    for windows in (True, False):
        with pytest.raises(ValueError, match="quotation"):
            words('pass "x', windows=windows)


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (r'"file:C:\Users\me\key"', r"single quotes: 'C:\Users\me'"),
        (r'"file:C:\keys\me"', r"single quotes: 'C:\Users\me'"),
        (r'"file:C:\new\tmp"', "a backslash changed it"),
        (r'"dotenv:C:\new\.env#K"', r"single quotes: 'C:\Users\me'"),
        ('"file:"', "expected where the secret is"),
    ],
)
def test_a_path_between_double_quotes_is_explained(secret: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f"[keys.OLLAMA_API_KEY]\nsecret = {secret}\n")
    with pytest.raises(ConfigProblems) as raised:
        config_file.read(path, Environment({"HOME": str(tmp_path)}))
    assert said in str(raised.value)
    path.write_text("[keys.OLLAMA_API_KEY]\nsecret = 'file:C:\\new\\tmp'\n")
    config_file.read(path, Environment({"HOME": str(tmp_path)}))
