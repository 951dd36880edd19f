"""What a dotenv text gives to each name, as python-dotenv splits it; nothing is put in for `${…}`."""

from __future__ import annotations

import io

from dotenv.parser import Binding, parse_stream

BYTE_ORDER_MARK = "\ufeff"


def pieces(body: str) -> list[Binding]:
    """The assignments, comments and other lines of `body`, which has no byte order mark; joined they are `body`."""
    return list(parse_stream(io.StringIO(body)))


def values(text: str) -> dict[str, str | None]:
    """The last value of each name; `None` where a name never has one.

    A bare `export NAME` takes no earlier value away, as it does not for a shell; python-dotenv forgets that value.
    """
    found: dict[str, str | None] = {}
    for piece in pieces(text.removeprefix(BYTE_ORDER_MARK)):
        if piece.key is not None and (piece.value is not None or piece.key not in found):
            found[piece.key] = piece.value
    return found
