"""A whole rotation whose secret also lives in GitHub: `lbk`, a real `gh`, the sandbox, a stand-in for GitHub."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.github_stand_in import GitHub, github
from tests.rotation_lab import MINTED, RotationLab, rotation_lab

pytest.importorskip("nacl", reason="PyNaCl decrypts what gh sends")
pytestmark = pytest.mark.skipif(shutil.which("gh") is None, reason="a real gh is needed (Debian: apt install gh)")

TARGET = ("--to", "github:acme/app")
STORED_AT = f"repos/acme/app/{MINTED}"


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[RotationLab]:
    with rotation_lab(tmp_path) as running:
        yield running


@pytest.fixture
def hub() -> Iterator[GitHub]:
    with github() as found:
        yield found


def test_the_new_secret_is_at_both_places_before_the_old_one_goes(pool: RotationLab, hub: GitHub) -> None:
    old = pool.secret()
    done = pool.rotate(MINTED, "--mint", *TARGET, "--grace", "0s", **hub.env)
    assert done.code == 0, done.err
    new = pool.secret()
    assert new != old
    assert hub.values == {STORED_AT: new}
    assert old not in pool.sandbox.living_keys().values()


def test_a_refusal_by_github_leaves_everything_as_it_was(pool: RotationLab, hub: GitHub) -> None:
    before = pool.sandbox.living_keys()
    hub.answers["PUT"] = 403
    done = pool.rotate(MINTED, "--mint", *TARGET, "--grace", "0s", **hub.env)
    assert done.code == 3
    assert "acme/app" in done.err
    assert pool.dotenv.read_text("utf-8") == pool.before
    assert hub.values == {}
    assert pool.sandbox.living_keys().items() >= before.items()


def test_going_back_gives_github_the_old_secret_again(pool: RotationLab, hub: GitHub) -> None:
    old = pool.secret()
    pool.rotate(MINTED, "--mint", *TARGET, **hub.env)
    assert hub.values == {STORED_AT: pool.secret()}
    back = pool.rotate(MINTED, "--rollback", **hub.env)
    assert back.code == 0, back.err
    assert pool.secret() == old
    assert hub.values == {STORED_AT: old}
