"""Secrets of GitHub Actions: a real `gh` encrypts them, and a stand-in for GitHub decrypts what it sends."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from lollmsbot_keys.edges.secrets import Scrubber
from lollmsbot_keys.edges.targets import NOT_READABLE, Fate, MaybeWritten, NotAllWritten, Target, write_all
from lollmsbot_keys.edges.targets.subprocesses import Programs
from lollmsbot_keys.errors import SecretError
from tests.github_stand_in import TOKEN, GitHub, github
from tests.targets_lab import KEY, NEW, NEW_VALUE, OLD_VALUE, refusal, secret, target

pytest.importorskip("nacl", reason="PyNaCl decrypts what gh sends")
pytestmark = pytest.mark.skipif(shutil.which("gh") is None, reason="a real gh is needed (Debian: apt install gh)")

KEYS_SECRET = f"actions/secrets/{KEY.name}"


@pytest.fixture
def hub() -> Iterator[GitHub]:
    with github() as found:
        yield found


def place_at(text: str, hub: GitHub, limit_s: float = 60, **variables: str) -> Target:
    return target(text, hub.folder, limit_s, **{**hub.env, **variables})


@pytest.mark.parametrize(
    ("text", "stored_at"),
    [
        ("github:acme/app", f"repos/acme/app/{KEY.name}"),
        ("github:acme/app#my_key", "repos/acme/app/MY_KEY"),
        ("github:orgs/acme", f"orgs/acme/{KEY.name}"),
    ],
)
def test_gh_delivers_exactly_the_secret(hub: GitHub, text: str, stored_at: str) -> None:
    place = place_at(text, hub)
    place.check()
    assert hub.calls == []  # no network before it is meant
    place.write(NEW)
    assert hub.values == {stored_at: NEW_VALUE}
    assert place.read_back() is NOT_READABLE
    odd = "a'b\"c$d`e\\f#g=h%20~!"
    place.write(secret(odd))
    assert hub.values == {stored_at: odd}


def test_an_environment_has_secrets_of_its_own(hub: GitHub) -> None:
    place_at("github:acme/app@live/eu#K", hub).write(NEW)
    ((stored_at, value),) = hub.values.items()
    assert value == NEW_VALUE
    assert "/environments/live" in stored_at
    assert stored_at.endswith("/K")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, ("private", [])),
        (("private", []), ("private", [])),
        (("all", []), ("all", [])),
        (("selected", ["acme/repo-3", "acme/repo-55"]), ("selected", ["acme/repo-3", "acme/repo-55"])),
    ],
)
def test_an_organisations_secret_stays_with_the_repositories_that_have_it(
    hub: GitHub, before: tuple[str, list[str]] | None, after: tuple[str, list[str]]
) -> None:
    if before is not None:
        hub.values["orgs/acme/K"], hub.shared["orgs/acme/K"] = OLD_VALUE, before
    place_at("github:orgs/acme#K", hub).write(NEW)
    assert hub.values == {"orgs/acme/K": NEW_VALUE}
    assert hub.shared == {"orgs/acme/K": after}


def test_a_secret_shared_with_no_repository_is_left_alone(hub: GitHub) -> None:
    hub.values["orgs/acme/K"], hub.shared["orgs/acme/K"] = OLD_VALUE, ("selected", [])
    assert "none is selected" in refusal(lambda: place_at("github:orgs/acme#K", hub).write(NEW))
    assert hub.values == {"orgs/acme/K": OLD_VALUE}


def test_the_secret_is_in_no_process_list_while_gh_sends_it(hub: GitHub) -> None:
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("there is no /proc to look at")
    value = "sk-only-this-test-has-such-a-secret"
    hub.go_on.clear()
    writing = threading.Thread(target=place_at("github:acme/app", hub).write, args=(secret(value),))
    writing.start()
    try:
        assert hub.called.wait(60)
        seen = bytearray()
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                with suppress(OSError):
                    seen += (process / name).read_bytes()
    finally:
        hub.go_on.set()
        writing.join(60)
    assert f"gh\0secret\0set\0{KEY.name}\0--repo\0acme/app\0".encode() in seen
    assert value.encode() not in seen
    assert list(hub.values.values()) == [value]


@pytest.mark.parametrize(
    ("answers", "text", "kind", "says"),
    [
        ({"GET": 404}, "github:acme/app", SecretError, "HTTP 404"),
        ({"GET": 401}, "github:acme/app", SecretError, "gh auth login"),
        ({"PUT": 403}, "github:acme/app", SecretError, "leave to write secrets"),
        ({"GET": 500}, "github:acme/app", SecretError, "HTTP 500"),
        ({"PUT": 500}, "github:acme/app", MaybeWritten, "HTTP 500"),
        ({f"GET /orgs/acme/{KEYS_SECRET}": 403}, "github:orgs/acme", SecretError, "HTTP 403"),
        ({f"GET /orgs/acme/{KEYS_SECRET}": 500}, "github:orgs/acme", SecretError, "HTTP 500"),
    ],
)
def test_a_refusal_says_whether_the_secret_may_have_arrived(
    hub: GitHub, answers: dict[str, int], text: str, kind: type[SecretError], says: str
) -> None:
    hub.answers = answers
    place = place_at(text, hub)
    with pytest.raises(SecretError) as caught:
        place.write(NEW)
    assert type(caught.value) is kind
    words = str(caught.value)
    assert says in words
    assert place.label in words
    assert TOKEN not in words  # the stand-in repeats it
    assert NEW_VALUE not in words
    assert hub.values == {}


def test_gh_has_a_time_limit(hub: GitHub) -> None:
    hub.go_on.clear()
    said = "gh did not end within 0.5 seconds"
    assert said in refusal(lambda: place_at("github:acme/app", hub, 0.5).write(NEW), MaybeWritten)
    with pytest.raises(SecretError, match=said) as caught:
        place_at("github:orgs/acme", hub, 0.5).write(NEW)  # it was still asking who shares the old one
    assert type(caught.value) is SecretError


def test_a_login_is_asked_for_and_not_shown(hub: GitHub) -> None:
    ended = Programs(hub.env, timedelta(seconds=60), Scrubber()).run(["gh", "auth", "token"])
    assert ended.output.strip() == TOKEN
    assert TOKEN not in repr(ended)


def test_without_gh_or_a_login_the_next_step_is_named(hub: GitHub) -> None:
    assert "gh auth login" in refusal(place_at("github:acme/app", hub, GH_TOKEN="").check)
    assert "https://cli.github.com" in refusal(place_at("github:acme/app", hub, PATH=str(hub.folder)).check)
    assert hub.calls == []


def test_an_old_gh_that_cannot_tell_whether_it_is_logged_in_is_believed(hub: GitHub) -> None:
    gh = hub.folder / "gh"
    gh.write_text('#!/bin/sh\necho \'unknown command "token" for "gh auth"\' >&2\nexit 1\n')
    gh.chmod(0o755)
    place_at("github:acme/app", hub, PATH=f"{hub.folder}:/usr/bin:/bin").check()


def test_settings_of_the_caller_do_not_change_what_gh_says(hub: GitHub) -> None:
    hub.answers = {"PUT": 403}
    plain = place_at("github:acme/app", hub)
    noisy = place_at("github:acme/app", hub, GH_DEBUG="api", CLICOLOR_FORCE="1", GH_FORCE_TTY="80", GH_PAGER="false")
    assert refusal(lambda: noisy.write(NEW)) == refusal(lambda: plain.write(NEW))


def test_a_list_of_repositories_that_cannot_be_had_is_not_guessed(hub: GitHub) -> None:
    hub.values["orgs/acme/K"], hub.shared["orgs/acme/K"] = OLD_VALUE, ("selected", ["acme/repo-3"])
    hub.answers = {"GET /orgs/acme/actions/secrets/K/repositories": 502}
    assert "HTTP 502" in refusal(lambda: place_at("github:orgs/acme#K", hub).write(NEW))
    assert hub.values == {"orgs/acme/K": OLD_VALUE}


def test_what_was_there_is_put_back_only_by_who_knows_it(hub: GitHub) -> None:
    place = place_at("github:acme/app@live", hub)
    words = refusal(lambda: place.restore(None))
    assert f"gh secret delete {KEY.name} --repo acme/app --env live" in words
    assert hub.calls == []
    place.restore(secret(OLD_VALUE))
    assert list(hub.values.values()) == [OLD_VALUE]


def test_a_refusal_by_github_puts_the_dotenv_file_back(hub: GitHub) -> None:
    env = hub.folder / ".env"
    env.write_text(f"A=1\nK={OLD_VALUE}\n")
    hub.answers = {"PUT /repos/acme/two": 403}
    places = [place_at(text, hub) for text in ("github:acme/one", "github:acme/two", "dotenv:.env#K")]
    with pytest.raises(NotAllWritten) as caught:
        write_all(places, NEW)
    assert [found.fate for found in caught.value.placements] == [Fate.WRITTEN, Fate.UNCHANGED, Fate.RESTORED]
    assert env.read_text() == f"A=1\nK={OLD_VALUE}\n"
    hub.answers.clear()
    assert [found.fate for found in write_all(places, NEW)] == [Fate.WRITTEN, Fate.WRITTEN, Fate.VERIFIED]
    assert set(hub.values.values()) == {NEW_VALUE}
    assert env.read_text() == f"A=1\nK={NEW_VALUE}\n"
