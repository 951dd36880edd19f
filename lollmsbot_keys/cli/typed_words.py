"""The words that a person typed, in messages about them.

A secret may stand at any place of a command line, by mistake.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence

from lollmsbot_keys.core.security.key_forms import may_be_secret

HIDDEN = "…"
_SHORTEST = 8
"""The length of the shortest text that can be a key, in characters."""
_ASSIGNED = re.compile("[A-Z][A-Z0-9_]*=(.+)", re.DOTALL)
_TAKE_ASSIGNMENTS = frozenset({"--assume", "--fault", "-f"})


def without_secrets(message: str, arguments: Sequence[str]) -> str:
    """Return `message` without typed words that look like a secret or are given to a variable.

    A path into a folder that exists is no secret.
    """
    output_style = (p for p in _pieces(arguments) if may_be_secret(p) and not _is_path(p))
    return _without(message, (*output_style, *_assigned(arguments)))


def without_words(message: str, arguments: Sequence[str], known: Collection[str]) -> str:
    """Return `message` without the words that were typed, except short ones and those that are `known`, or nearly.

    It is for words in places where nothing is meant: nobody can say how a secret looks that stands there.
    """
    return _without(message, (piece for piece in _pieces(arguments) if not _is_near(piece, known)))


def _pieces(arguments: Sequence[str]) -> Iterable[str]:
    """Yield each argument, the parts before and after its `=`, and the part after a short option."""
    for argument in arguments:
        name, sign, value = argument.partition("=")
        yield from (argument, name, value) if sign else (argument,)
        if argument.startswith("-") and not argument.startswith("--"):
            yield argument[2:]


def _assigned(arguments: Sequence[str]) -> Iterable[str]:
    """Yield the part after `NAME=` of each argument, where no option takes such a pair."""
    for before, argument in zip(("", *arguments), arguments, strict=False):
        if before not in _TAKE_ASSIGNMENTS and (found := _ASSIGNED.fullmatch(argument)) is not None:
            yield found[1]


def _without(message: str, pieces: Iterable[str]) -> str:
    for piece in sorted({piece for piece in pieces if len(piece) >= _SHORTEST}, key=len, reverse=True):
        for form in (piece, repr(piece)[1:-1], " ".join(piece.split())):
            message = message.replace(form, HIDDEN)
    return message


def _is_near(piece: str, known: Collection[str]) -> bool:
    from difflib import get_close_matches  # only a mistake pays for this import

    return piece in known or (
        not may_be_secret(piece) and bool(get_close_matches(piece.casefold(), known, n=1, cutoff=0.75))
    )


def _is_path(piece: str) -> bool:
    place = re.sub(r"^[a-z]+:(?=[/~.])", "", piece).partition("#")[0]
    return os.sep in place and os.path.isdir(os.path.dirname(os.path.expanduser(place)))  # noqa: PTH111, PTH112, PTH120
