"""How many tokens a prompt can come to: never fewer than any tokenizer makes of it."""

from __future__ import annotations

import tracemalloc
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.base.prompt_tokens import MESSAGE_TOKENS, most_tokens
from tests.examples import examples

# What real tokenizers made of texts that were searched for. The normal form of an older Unicode than Python's leaves
# pairs apart that Python joins, and the other way round.
COUNTED = [
    ("\ufb2c", 5, "Qwen 3, which writes in NFC: more tokens than bytes"),
    ("\U0001d160", 6, "Qwen 3"),
    ("hi", 2, "plain"),
    (".", 2, "nomic v2: a mark of its own before each text"),
    ("\U0002712c", 5, "Llama 2, Mistral v3: the same, and four bytes"),
    ("\U0001d160" * 10 + "\U0001611e\U0001611e" * 20, 250, "Qwen 3.5, MiniMax: a Unicode older than 16"),
    ("\u0f76" * 6 + "\U00016d63\U00016d67" * 5, 76, "MiniMax, as above"),
    ("\ufdfa" * 2 + "\U0001fbf0" * 20, 90, "Claude 2, which writes in NFKC"),
    ("\ufc5e" * 4 + "\ua7f2" * 3, 29, "Claude 2, whose Unicode is older than 14"),
]


@pytest.mark.parametrize(("text", "tokens", "whose"), COUNTED, ids=range(len(COUNTED)))
def test_what_tokenizers_made_of_a_text(text: str, tokens: int, whose: str) -> None:
    assert most_tokens([text]) >= tokens, whose


def test_ordinary_text_is_bounded_by_its_bytes_and_a_mark() -> None:
    for text in ("Hello, world.", "Où est-il\u00a0? Là-bas.", "안녕하세요", "汉字", "\r\n\t{}\0"):
        assert most_tokens([text]) == len(text.encode()) + 1


def test_each_message_has_a_mark_and_what_the_template_writes_around_it() -> None:
    assert most_tokens([]) == 0
    assert most_tokens([""]) == 1
    assert most_tokens(["ab", "c"]) == 3 + 2 + MESSAGE_TOKENS


def plainly(text: str) -> int:
    """The bound as it is defined: bytes, of each form, and of each character's longest; and a mark."""

    def longest(part: str) -> int:
        forms = (part, normalize("NFC", part), normalize("NFKC", part))
        return max(len(form.encode("utf-8", "surrogatepass")) for form in forms)

    return 1 + max(longest(text), sum(map(longest, text)))


# Letters with marks to reorder and to compose with, jamo, what grows and what shrinks, line ends, halves of characters.
ODD = (
    "ae\u0301\u0323\u0345\u0300\ufb2c\U0001d160\u1100\u1161\u11a8\uac00\ufdfa\u2126\u0f76\uff21"
    "\u2026\u00a0 \n\r\ud800\udc00"
)
texts = st.text(st.sampled_from(ODD) | st.characters(), max_size=40)


@settings(max_examples=examples(400))
@given(texts)
def test_the_short_way_is_the_bound_as_it_is_defined(text: str) -> None:
    assert most_tokens([text]) == plainly(text)


@settings(max_examples=examples(100))
@given(st.lists(texts, max_size=4))
def test_messages_add_up(messages: list[str]) -> None:
    between = MESSAGE_TOKENS * max(0, len(messages) - 1)
    assert most_tokens(messages) == sum(most_tokens([message]) for message in messages) + between


def test_a_long_plain_prompt_is_not_even_looked_at() -> None:
    prompt = "x" * 8_000_000
    tracemalloc.start()
    try:
        assert most_tokens([prompt]) == 8_000_001
        assert tracemalloc.get_traced_memory()[1] < 10_000, "nothing of its size was made"
    finally:
        tracemalloc.stop()
