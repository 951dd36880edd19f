"""The names and values of a dotenv text, as python-dotenv splits it; `${…}` stays as it is."""

from __future__ import annotations

import io

from dotenv.parser import Binding, parse_stream

BYTE_ORDER_MARK = "\ufeff"


def pieces(body: str) -> list[Binding]:
    """Split `body` into its assignments, comments and other lines; joined they are `body`.

    `body` has no byte order mark.
    """
    return list(parse_stream(io.StringIO(body)))


def values(text: str) -> dict[str, str | None]:
    """Return the last value of each name; `None` where a name never has one.

    A bare `export NAME` takes no earlier value away, as in a shell; python-dotenv itself forgets that value.
    """
    found: dict[str, str | None] = {}
    for piece in pieces(text.removeprefix(BYTE_ORDER_MARK)):
        if piece.key is not None and (piece.value is not None or piece.key not in found):
            found[piece.key] = piece.value
    return found
