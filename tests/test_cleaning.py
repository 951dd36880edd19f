"""Text from outside does nothing to a terminal or a CI runner, however it is cut into chunks."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lollmsbot_keys.core.security.sanitize import (
    LONGEST_STRING,
    Cleaner,
    WorkflowCommandGuard,
    clean,
    clean_line,
    guard_workflow_commands,
)

# Pieces that together make every kind of sequence, whole and broken, far more often than chance would.
PIECES = st.sampled_from("\x1b[]0;31mP\\\x07\x9b\x9d\x90\x9c\x18\u202e\u2066\u200d\ud83d\ude00é \r\n\tw5") | (
    st.sampled_from(["(B", "x" * 260, "x" * LONGEST_STRING])
)
WILD = st.lists(PIECES | st.text(max_size=4), max_size=24).map("".join)


def pieces_of(text: str, sizes: list[int]) -> list[str]:
    """`text` cut into chunks of `sizes`, used in turn; zero is an empty chunk."""
    chunks, at = [], 0
    while at < len(text):
        for size in sizes:
            chunks.append(text[at : at + size])
            at += size
    return chunks


# Small chunks for what is short, large ones now and then.
SIZES = st.lists(st.integers(0, 3) | st.integers(0, 300), min_size=1, max_size=6).filter(any)


@pytest.mark.parametrize(
    ("dirty", "harmless"),
    [
        ("plain\ttext\nwith é, 漢字 and 👩\u200d👩\u200d👧", "plain\ttext\nwith é, 漢字 and 👩\u200d👩\u200d👧"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[H\x1b[?25l", ""),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]0;title\x1b\\text", "text"),
        ("\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;ZXZpbA==\x07", ""),
        ("\x9b31mred\x9d0;t\x9ctext", "redtext"),
        ("\x1bP1$r q\x1b\\a\x90q\x9cb\x1b_x\x1b\\c\x1b^x\x1b\\d\x1bXx\x1b\\e", "abcde"),
        ("\x1b(Bcharset \x1bc reset \x1b7", "charset  reset "),
        ("a\x00b\x08c\x0bd\x0ce\x7ff\x85g", "abcdefg"),
        ("one\r\ntwo\rthree\r\r\n", "one\ntwothree\n"),
        ("\u202eevil\u202c \u2066x\u2069", "evil x"),
        ("\x1b]never ended\nnext line", "\nnext line"),
        ("\x1b]" + "x" * LONGEST_STRING + "shown", "shown"),
        ("half \ud83d of a pair, \ude00", "half \ufffd of a pair, \ufffd"),
        ("\ud83d\ude00", "😀"),
    ],
)
def test_whole_sequences_go_and_text_stays(dirty: str, harmless: str) -> None:
    assert clean(dirty) == harmless


def test_a_line_of_evidence_is_one_line() -> None:
    assert clean_line(" a\r\n b\tc\u2028d\x1b[31m e\n") == "a b c d e"


@given(WILD)
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    left = clean(text)
    bad = [char for char in left if unicodedata.category(char) in {"Cc", "Cs"} and char not in "\n\t"]
    assert not bad
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", left)
    assert clean(left) == left


@given(WILD, SIZES)
@example("\x1b]" + "x" * LONGEST_STRING + "\x9b1", [7])
@example("\ud83d\ude00", [1])
@example("\x1b[" + "1" * 256 + "m", [1])
def test_chunks_are_cleaned_like_the_whole(text: str, sizes: list[int]) -> None:
    cleaner = Cleaner()
    assert "".join([cleaner.feed(chunk) for chunk in pieces_of(text, sizes)]) + cleaner.flush() == clean(text)


@given(
    st.text(
        st.characters(
            exclude_categories=["Cc", "Cs"], exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        )
    )
)
def test_harmless_text_passes_unchanged_and_at_once(text: str) -> None:
    assert Cleaner().feed(text) == text


def test_an_endless_sequence_takes_no_memory() -> None:
    cleaner = Cleaner()
    shown = cleaner.feed("\x1b]") + "".join(cleaner.feed("x" * 100) for _ in range(1000))
    assert len(shown) >= 100_000 - LONGEST_STRING - 100


@pytest.mark.parametrize("hostile", ["\x1b" * 300_000, "\x1b[" * 150_000, "\x1b]" * 150_000, "\x9b1" * 150_000])
def test_hostile_text_costs_no_more_than_its_length(hostile: str) -> None:
    began = time.process_time()
    assert clean(hostile) == ""
    assert time.process_time() - began < 5


# What the runner does with a line (ActionCommand.cs of actions/runner), for any name of a command.
_V2 = re.compile(r"\s*::([A-Za-z][\w-]*)(?: [^\n]*?)?::")
_V1 = re.compile(r"##\[([A-Za-z][\w-]*)(?: [^\n]*?)?\]")


def obeys(text: str) -> bool:
    return any(_V2.match(line) or _V1.search(line) for line in re.split(r"\r\n|\r|\n", text))


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("::add-mask::x", r"\::add-mask::x"),
        ("a\n \t::error file=a::b", "a\n \t\\::error file=a::b"),
        ("a\r::error::b", "a\r\\::error::b"),
        ("\u3000::error::b", "\u3000\\::error::b"),
        ("##[error]x and ##[group]", r"##\[error]x and ##\[group]"),
        ("## [Unreleased] #[derive(Debug)] ::1 std::vector\n::1\n:: x\n: y", None),
        ("a ::error::b", None),
    ],
)
def test_a_workflow_command_is_defused_with_one_backslash(text: str, guarded: str | None) -> None:
    assert guard_workflow_commands(text) == (text if guarded is None else guarded)


COMMANDS = st.lists(
    st.sampled_from(["::", ":", "#", "##[", "[", "]", "error", "add-mask x=1", "\n", "\r", " ", "\t", "\u3000", "z"]),
    max_size=16,
).map("".join)


@given(COMMANDS, SIZES)
@example("::error::a", [1])
@example("a\n ::error::a", [4])
@example("##[error]", [1])
@example("##[error]", [2])
@example("a ::error::b", [1])
def test_the_guard_works_over_chunks_and_removes_nothing(text: str, sizes: list[int]) -> None:
    guard = WorkflowCommandGuard()
    guarded = "".join([guard.feed(chunk) for chunk in pieces_of(text, sizes)]) + guard.flush()
    assert guarded == guard_workflow_commands(text)
    assert not obeys(guarded)
    assert guarded.replace("\\", "") == text
    if not re.search(r"::[A-Za-z]|##\[", text):
        assert guarded == text
