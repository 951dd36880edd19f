"""The output of `lbk reset-limits`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lollmsbot_keys.core.model.snapshot import Cooldown, Disabled, Scope
from lollmsbot_keys.core.security.sanitize import clean_line


def cleared_lines(cooldowns: Iterable[Cooldown], disabled: Mapping[str, Disabled], *, dry_run: bool) -> Iterator[str]:
    """Yield one line for each thing that was cleared, or one that says that there was nothing."""
    verb = "would clear" if dry_run else "cleared"
    any_cleared = False
    for key, mark in disabled.items():
        any_cleared = True
        yield f"{verb} {key}: disabled since {mark.since:%Y-%m-%d %H:%M} UTC, {clean_line(mark.source)}"
    for cooldown in cooldowns:
        any_cleared = True
        yield (
            f"{verb} {_name(cooldown.scope)}: {cooldown.reason.words} until {cooldown.until:%Y-%m-%d %H:%M:%S} UTC, "
            f"{clean_line(cooldown.source)}"
        )
    if not any_cleared:
        yield "nothing to clear: no cooldown, no disabled key"


def _name(scope: Scope) -> str:
    account = f"account of {scope.account.partition('#')[0]}"
    parts = [account if scope.account else scope.key or scope.provider.value]
    if scope.model:
        parts.append(clean_line(scope.model))
    return " × ".join(parts)
