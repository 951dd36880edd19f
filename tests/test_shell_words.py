"""What somebody has typed so far, understood without running any of it."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lollmsbot_keys.core.base.shell_words import expanded, option, unquoted

VARIABLES = {"HOME": "/home/me", "A": "a b", "EMPTY": ""}
PIECES = [
    "'a b'",
    '"a b"',
    "\\ ",
    "\\'",
    '"\\""',
    '"\\\\"',
    '"\\a"',
    "x",
    "$A",
    "${A}",
    '"$A"',
    "'$A'",
    "$EMPTY",
    "~",
    "=",
    ":",
]


def test_it_is_what_a_shell_makes_of_it() -> None:
    words = [a + b + c for a in PIECES for b in PIECES for c in ("", *PIECES[:12])]
    words = [word for word in words if not word.startswith("~") and "$" not in re.sub(r"\$\{?\w+\}?", "", word)]
    script = "\n".join(f"printf '%s\\0' x{word}" for word in words)  # the x keeps ~ and an empty word as they are
    done = subprocess.run(["sh", "-fc", f"IFS=; {script}"], env=VARIABLES, capture_output=True, check=True, timeout=60)
    said = done.stdout.decode().split("\0")[:-1]
    assert len(said) == len(words) > 1000
    assert [unquoted(f"x{word}", VARIABLES) for word in words] == said


@given(st.text())
def test_what_is_quoted_comes_back(text: str) -> None:
    assert unquoted(shlex.quote(text), {}) == text
    assert unquoted("".join(f"\\{letter}" for letter in text), {}) == text


@given(st.text(alphabet="ab'\"\\$`{}() ~=\n"))
def test_nothing_is_too_odd(word: str) -> None:
    meant = unquoted(word, VARIABLES)
    assert meant is None or "$" in word or "`" in word or set(meant) <= set(word)
    assert isinstance(expanded(word, VARIABLES), str)


@pytest.mark.parametrize("word", ["$(id)", "`id`", '"$(id)"', "${HOME:-x}", "$1", '"\\$HOME"', "$"])
def test_what_only_the_shell_could_tell_is_not_guessed(word: str) -> None:
    assert unquoted(word, VARIABLES) is None


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("lbk ask -p soul", "soul"),
        ("lbk ask -psoul", "soul"),
        ("lbk ask --pillar soul", "soul"),
        ("lbk ask --pillar=soul", "soul"),
        ("lbk ask --pillar=", ""),
        ("lbk ask -p soul -p tools", "tools"),
        ("lbk ask -p soul --pillar", "soul"),
        ("lbk ask -- -p soul", None),
        ("lbk ask --pillars soul", None),
        ("", None),
    ],
)
def test_an_option_of_the_line(line: str, found: str | None) -> None:
    assert option(line.split(), "--pillar", "-p") == found
