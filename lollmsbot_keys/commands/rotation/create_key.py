"""The making of a key at the provider, without leaving over a key that nobody knows of.

The name is chosen and journalled before the key is made: whatever happens then, what was made is found by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from lollmsbot_keys.commands.rotation.context import RotationContext
from lollmsbot_keys.commands.rotation.manual_steps import KEYS_PAGE
from lollmsbot_keys.commands.rotation.provider import likely
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.rotation_journal import Step
from lollmsbot_keys.core.rotation.steps import new_name
from lollmsbot_keys.edges.providers.keys_api import ManagedKey, terms
from lollmsbot_keys.edges.secrets import Secret
from lollmsbot_keys.errors import Unasked


class _Model(NamedTuple):
    """The pattern for the new key: the old one's name, terms, and number if that seems to be known."""

    name: str
    terms: Mapping[str, object]
    likely_hash: str = ""


async def mint(work: RotationContext) -> tuple[Secret, str]:
    """Make a key at the provider, and return its secret and its number there.

    The journal knows its name before it is made.

    Raises:
        Unasked: it may have been made, or not.
        SecretError, ConfigError: see `RotationClient`.
    """
    rotation = work.journal.rotation
    if rotation.name and not rotation.places:  # else a target may hold it, until the next is stored
        await sweep(work, rotation.name)
    listed = await work.client.keys()
    model = await _model(work, listed)
    name = rotation.name or new_name(
        model.name, work.journal.now.date(), rotation.generation, {key.name for key in listed}
    )
    work.journal.begin(Step.OBTAIN, rotation._replace(name=name, likely_hash=model.likely_hash, new="", hash=""))
    try:
        made = await work.client.make(name, model.terms)
    except Unasked:
        if not rotation.places:
            await sweep(work, name)  # a key made by then is of no use: its secret is lost
        made = await work.client.make(name, model.terms)
    return work.secret_of(made.characters), made.hash


async def sweep(work: RotationContext, name: str, keep: str = "") -> int:
    """Delete every key called `name`, except the one with the number `keep`, and return how many."""
    orphans = [key.hash for key in await work.client.keys() if key.name == name and key.hash != keep]
    for number in orphans:
        await work.client.delete(number)
    return len(orphans)


async def _model(work: RotationContext, listed: tuple[ManagedKey, ...]) -> _Model:
    rotation = work.journal.rotation
    old = await work.client.prove(work.old) if work.old is not None else None
    known = next((key for key in listed if rotation.old_hash and key.hash == rotation.old_hash), None)
    like = known or likely(old, listed)
    if like is not None:
        return _Model(like.name or work.key.name, _in_time(work, like.terms), "" if known else like.hash)
    told = _in_time(work, terms(old.facts)) if old is not None else {}
    if rotation.old and (old is None or not old.facts):
        work.todo.append(
            f"No limit was carried over, for {work.key.provider} tells nothing about the old key. Set one, if it had "
            f"one: {KEYS_PAGE[work.key.provider]}"
        )
    return _Model(work.key.name, told)


def _in_time(work: RotationContext, carried: Mapping[str, object]) -> dict[str, object]:
    """Return the terms to carry over, without an end that has passed.

    With it the new key would be of no use.
    """
    ends = carried.get("expires_at")
    try:
        over = isinstance(ends, str) and datetime.fromisoformat(ends) <= work.journal.now
    except (ValueError, TypeError):  # no time, or one without a zone
        over = True
    if over:
        work.todo.append(
            f"The old key's end ({str(ends)[:40]}) was not carried over. Set a new one, if it should have one."
        )
    return {name: value for name, value in carried.items() if not (over and name == "expires_at")}
