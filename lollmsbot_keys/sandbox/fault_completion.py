"""The possible continuations of a fault that somebody has begun to write.

The grammar is that of `fault_schedule`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.sandbox.fault_kinds import KINDS, FaultKind, FaultScope, FaultValue


def suggestions(begun: str, targets: Mapping[str, Provider]) -> Iterator[tuple[str, str]]:
    """Yield each possible next text with its meaning.

    After a text that ends with `=`, more is to follow.
    """
    aim, equals, _ = begun.partition("=")
    target, at, place = aim.partition("@")
    if target not in targets or not (at or equals):
        yield from (
            (f"{name}=", f"a key of {provider}" if name != provider else "") for name, provider in targets.items()
        )
    elif not equals:
        yield from ((f"{target}@{where}=", "") for where in FaultScope)
    else:
        for kind in KINDS.values():
            if targets[target] in kind.providers and _fits(kind, place or FaultScope.CHAT):
                needs_value = kind.value is not FaultValue.NONE and kind.default is None
                yield f"{aim}={kind.name}{'=' if needs_value else ''}", kind.meaning


def _fits(kind: FaultKind, where: str) -> bool:
    if kind.check_only:
        return where == FaultScope.CHECK
    return where == FaultScope.CHAT or not kind.chat_only
