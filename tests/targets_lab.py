"""What the tests of rotation targets have in common."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.config import Key, Provider
from lollmsbot_keys.edges.secrets import Scrubber, Secret
from lollmsbot_keys.edges.targets import NotReadable, Surroundings, Target, parse_target
from lollmsbot_keys.errors import LbkError, SecretError
from tests.support import PATIENCE_S

KEY = Key("OPENROUTER_API_KEY_1", Provider.OPENROUTER, "env:OPENROUTER_API_KEY_1")
OLD_VALUE = "sk-or-v1-00000000000000000000old"
NEW_VALUE = "sk-or-v1-11111111111111111111new"


def secret(characters: str = NEW_VALUE) -> Secret:
    return Secret(characters, Provider.OPENROUTER)


NEW = secret()


def around(folder: Path, limit_s: float = PATIENCE_S, **variables: str) -> Surroundings:
    environ: Mapping[str, str] = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    return Surroundings(folder, environ, Scrubber(), bytes(32), timedelta(seconds=limit_s))


def target(text: str, folder: Path, limit_s: float = PATIENCE_S, **variables: str) -> Target:
    return parse_target(text, KEY, around(folder, limit_s, **variables))


def held(place: Target) -> str | None:
    """The characters that are there, of a target that can be read."""
    found = place.read_back()
    assert not isinstance(found, NotReadable)
    return None if found is None else found.reveal()


def refusal(action: object, kind: type[LbkError] = SecretError) -> str:
    """What the error says that calling `action` raises; never a secret."""
    assert callable(action)
    with pytest.raises(kind) as caught:
        action()
    words = str(caught.value)
    assert OLD_VALUE not in words
    assert NEW_VALUE not in words
    assert caught.value.__cause__ is None
    return words
