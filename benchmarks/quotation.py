"""The search for words of an 8 MB prompt in the text of a provider.

It measures CPU for each failed attempt, beside the plain search.
"""

from __future__ import annotations

import json
from random import Random
from time import process_time

from lollmsbot_keys.core.failures.error_body import Words

BYTES = 8_000_000
ATTEMPTS = 3
EVIDENCE = "You have reached your hourly usage limit: wait, or upgrade at https://ollama.com/upgrade. " * 2
TEXTS = {
    "ASCII": "the quick brown fox jumps over a lazy dog while nobody watches line 12345",
    "quotation marks": "the quick “brown” fox jumps over “a” lazy dog while nobody’s watching line 12345",
    "umlauts": "der flinke braune Fuchs springt über den trägen Hund während Äpfel zur Erde fallen",
    "Chinese": "敏捷的棕色狐狸 跳过了 一只懒狗 而 没有人 在看着",
}


def main() -> None:
    for name, words in TEXTS.items():
        prompt = _prompt(words.split())
        began = process_time()
        _plainly(prompt)
        plain = process_time() - began
        sought = Words((prompt,))
        took = [_timed(sought) for _ in range(ATTEMPTS)]
        each = ", ".join(f"{1000 * seconds:4.0f} ms ({plain / seconds:3.0f} times)" for seconds in took)
        print(
            f"{name:<16} {1000 * plain:5.0f} ms plainly; by attempt {each}; together {ATTEMPTS * plain / sum(took):.0f}"
        )


def _prompt(words: list[str]) -> str:
    chance, chosen, size = Random(1), list[str](), 0  # noqa: S311 - no secret
    while size < BYTES:
        chosen.append(chance.choice(words))
        size += len(chosen[-1].encode()) + 1
    return " ".join(chosen)


def _timed(words: Words) -> float:
    began = process_time()
    words.are_quoted(EVIDENCE)
    return process_time() - began


def _plainly(prompt: str) -> bool:
    found = _even(EVIDENCE)
    windows = [found[at : at + 16] for at in range(len(found) - 15)]
    return any(window in even for even in (_even(prompt), _even(json.dumps(prompt)[1:-1])) for window in windows)


def _even(text: str) -> bytes:
    return " ".join(text.casefold().split()).encode()


if __name__ == "__main__":
    main()
