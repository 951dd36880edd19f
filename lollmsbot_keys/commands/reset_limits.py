"""`lbk reset-limits`: another try for what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.snapshot import Cooldown, Disabled
from lollmsbot_keys.errors import UsageError
from lollmsbot_keys.runtime import Engine


class Cleared(NamedTuple):
    """The marks that were cleared, or with a dry run would be."""

    cooldowns: tuple[Cooldown, ...]
    disabled: dict[str, Disabled]
    dry_run: bool
    warnings: tuple[str, ...]


def reset_limits(
    config: Path | None,
    state: Path | None,
    keys: Sequence[str],
    provider: Provider | None,
    *,
    everything: bool,
    dry_run: bool,
) -> Cleared:
    """Clear cooldowns and disabled marks of the named keys, of a provider, or all.

    Money and hourly use stay.

    Raises:
        UsageError: nothing was named, too much was, or there is no such key.
        ConfigError, StateError: see `errors`.
    """
    named = bool(keys) + (provider is not None) + everything
    if named != 1:
        raise UsageError("Name the keys to reset, or one of --provider and --all.")
    engine = Engine.open(config, state, create=not dry_run)
    change = engine.resetting(None if everything else keys, () if provider is None else (provider,))
    before = engine.state.read()
    _, reset = change(before, engine.clock())
    if not dry_run and (
        reset.scopes & before.cooldowns.keys() or reset.keys & before.disabled.keys() or before.streaks
    ):
        reset = engine.state.update(change)
    return Cleared(
        tuple(cooldown for scope, cooldown in before.cooldowns.items() if scope in reset.scopes),
        {key: disabled for key, disabled in before.disabled.items() if key in reset.keys},
        dry_run,
        tuple(engine.warnings),
    )
