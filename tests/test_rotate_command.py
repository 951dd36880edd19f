"""`lbk rotate` as a person and a script use it: real processes, a real dotenv file, the sandbox's providers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.rotation_journal import Step
from lollmsbot_keys.core.model.snapshot import Disabled, Snapshot
from tests.lab import OLLAMA, OLLAMA_2, ROUTED, ROUTERS, SERVED, on_terminal
from tests.rotation_lab import MINTED, RotationLab, rotation_lab
from tests.support import opened


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[RotationLab]:
    with rotation_lab(tmp_path) as running:
        yield running


# --- the whole way ---


def test_a_minted_secret_from_begin_to_end(pool: RotationLab) -> None:
    old = pool.secret()
    begun = pool.document(MINTED, "--mint")
    assert pool.steps(begun) == {
        "obtain": "done",
        "prove": "done",
        "store": "done",
        "read_back": "done",
        "adopt": "done",
        "grace": "waiting",
    }
    assert (begun["key"], begun["generation"], begun["finished"]) == (MINTED, 2, False)
    assert len(begun["todo"]) == 1
    new = pool.secret()
    assert new != old
    assert pool.secret(f"{MINTED}_PREVIOUS") == old
    assert {old, new} <= set(pool.sandbox.living_keys().values())
    assert pool.here.ask("-m", ROUTED, "--key", MINTED)["key"] == MINTED

    over = pool.document(MINTED, "--resume", "--grace", "0s")
    assert pool.steps(over) == {"revoke": "done", "confirm": "done"}
    assert over["finished"]
    assert over["todo"] == []
    assert pool.dotenv.read_text("utf-8") == pool.before.replace(str(old), str(new))
    assert old not in pool.sandbox.living_keys().values()
    assert len(pool.made()) == 1
    assert pool.sighting().generation == 2
    nothing = pool.document(MINTED, "--resume")
    assert (nothing["steps"], nothing["finished"]) == ([], True)


def test_name_and_limits_are_carried_over_and_the_number_is_remembered(pool: RotationLab) -> None:
    ring = {key.name: key for key in pool.sandbox.world.keys}
    ring[MINTED].title = "Guardian of the pool"
    ring[MINTED].limit_usd, ring[MINTED].limit_reset = Decimal("25.5"), "monthly"
    ring[MINTED].expires_at = "2099-12-31T23:59:59Z"
    pool.document(MINTED, "--mint", "--grace", "0s")
    (made,) = (key for key in pool.sandbox.world.keys if key.title.startswith("Guardian"))
    assert made.title.startswith("Guardian of the pool (lbk 20")
    assert made.title.endswith(" g2)")
    assert (made.limit_usd, made.limit_reset, made.expires_at) == (
        Decimal("25.5"),
        "monthly",
        "2099-12-31T23:59:59Z",
    )
    journal = pool.journal()
    assert journal is not None
    assert journal.hash == made.hash
    pool.document(MINTED, "--mint", "--grace", "0s")
    (second,) = (key for key in pool.sandbox.world.keys if key.title.startswith("Guardian"))
    assert second.title.endswith(" g3)")
    assert second.title.count("(lbk ") == 1
    assert second.limit_usd == Decimal("25.5")


def test_a_secret_made_by_hand(pool: RotationLab) -> None:
    old_name, old = OLLAMA, pool.secret(OLLAMA)
    _, new = pool.sandbox.make_key(OLLAMA)
    done = pool.rotate(OLLAMA, "--grace", "0s", stdin=f"{new}\n")
    assert done.code == 0
    assert pool.secret(OLLAMA) == new
    assert "https://ollama.com/settings/keys" in done.out
    assert pool.secret(f"{OLLAMA}_PREVIOUS") == old
    waiting = pool.document(OLLAMA, "--resume")
    assert pool.steps(waiting) == {"confirm": "todo"}
    assert pool.sandbox.remove_key(old_name)
    over = pool.document(OLLAMA, "--resume")
    assert pool.steps(over) == {"confirm": "done"}
    assert over["finished"]
    assert pool.secret(f"{OLLAMA}_PREVIOUS") is None
    assert pool.journal(OLLAMA) is None


def test_going_back_during_the_grace(pool: RotationLab) -> None:
    first = pool.sandbox.living_keys()
    pool.document(MINTED, "--mint")
    seen = pool.sighting()
    back = pool.document(MINTED, "--rollback")
    assert back["rolled_back"]
    assert back["finished"]
    assert back["generation"] == 1
    assert pool.dotenv.read_text("utf-8") == pool.before
    assert pool.sandbox.living_keys() == first
    assert pool.sighting().generation == 1
    assert pool.sighting().fingerprint in seen.others
    assert pool.sighting().since < seen.since
    again = pool.document(MINTED, "--rollback")
    assert again["steps"] == []


def test_what_was_said_of_the_old_secret_does_not_hold_for_the_new_one_and_the_books_stay(pool: RotationLab) -> None:
    pool.sandbox.add(f"{MINTED}=429:1")
    pool.here.ask("-m", ROUTED, "--key", MINTED)
    pool.here.ask("-m", ROUTED, "--key", ROUTERS[1])
    assert pool.here.candidate(MINTED, ROUTED, "-m", ROUTED)["reason"] == "cooling_down"
    before = pool.here.state
    pool.document(MINTED, "--mint")
    assert pool.here.candidate(MINTED, ROUTED, "-m", ROUTED)["eligible"]
    after = pool.here.state
    assert after.days == before.days
    assert after.hours == before.hours
    assert pool.here.ask("-m", ROUTED, "--key", MINTED)["key"] == MINTED


def test_a_disabled_key_is_used_again_with_its_new_secret(pool: RotationLab) -> None:
    store = opened(pool.here.state_file)
    pool.here.ask("-m", ROUTED, "--key", MINTED)
    print_ = pool.sighting().fingerprint
    store.update(lambda state, now: (state._replace(disabled={MINTED: Disabled(print_, now)}), None))
    assert pool.here.candidate(MINTED, ROUTED, "-m", ROUTED)["reason"] == "disabled"
    pool.document(MINTED, "--mint")
    assert pool.here.candidate(MINTED, ROUTED, "-m", ROUTED)["eligible"]


# --- what is refused ---


def test_a_refused_secret_changes_nothing(pool: RotationLab) -> None:
    _, typed = pool.sandbox.make_key(OLLAMA_2)
    for secret, why in (
        ("sk-or-v1-nobody-knows-this-one", "openrouter does not take"),
        (pool.secret() or "", "the very secret that"),
        (pool.here.env[ROUTERS[1]], f"the secret of {ROUTERS[1]}"),
        (pool.sandbox.management_key, "a management key"),
        (typed, "openrouter does not take"),
        ("two words", "cannot be a secret"),
        ("ends“typographically”-somewhere", "cannot be a secret"),
    ):
        done = pool.rotate(MINTED, stdin=secret)
        assert done.code == 1, done
        assert why in done.err
        assert done.out == ""
        assert pool.dotenv.read_text("utf-8") == pool.before
        assert pool.journal() is None
        assert secret not in done.err
    refused = pool.rotate(MINTED, "--json", stdin="sk-or-v1-nobody-knows-this-one")
    assert refused.code == 1
    assert refused.document["error"]["code"] == "secret_refused"


@pytest.mark.parametrize("stdin", ["", " \n"])
def test_no_new_secret_is_wrong_usage(pool: RotationLab, stdin: str) -> None:
    done = pool.rotate(MINTED, stdin=stdin)
    assert done.code == 2
    assert "No new secret" in done.err
    assert pool.journal() is None


def test_another_account_must_be_meant(pool: RotationLab) -> None:
    _, new = pool.sandbox.make_key(OLLAMA_2)
    done = pool.rotate(OLLAMA, stdin=new)
    assert done.code == 1
    assert "--other-account" in done.err
    assert pool.dotenv.read_text("utf-8") == pool.before
    meant = pool.rotate(OLLAMA, "--other-account", stdin=new)
    assert meant.code == 0
    assert pool.secret(OLLAMA) == new


def test_a_provider_that_cannot_be_asked(pool: RotationLab) -> None:
    _, new = pool.sandbox.make_key(OLLAMA)
    pool.sandbox.add("ollama@check=503")
    done = pool.rotate(OLLAMA, stdin=new)
    assert done.code == 5
    assert pool.dotenv.read_text("utf-8") == pool.before
    assert pool.journal(OLLAMA) is None
    pool.sandbox.add("OPENROUTER_MANAGEMENT_KEY@manage=500")
    minted = pool.rotate(MINTED, "--mint", "--json")
    assert minted.code == 5
    assert minted.document["error"]["code"] == "failed"
    assert pool.journal() is None


def test_a_target_that_cannot_be_written_is_found_before_anybody_is_asked(pool: RotationLab) -> None:
    for target in ("file:/no/such/folder/secret", f"dotenv:{pool.folder}#{MINTED}"):
        done = pool.rotate(MINTED, "--mint", "--to", target)
        assert done.code == 3, done
        assert pool.journal() is None
    assert not pool.sandbox.requests
    environment = pool.rotate(ROUTERS[1], "--mint")
    assert environment.code == 3
    assert "--to" in environment.err
    wrong = pool.rotate(MINTED, "--mint", "--to", "sk-or-v1-a-secret-in-the-wrong-place")
    assert wrong.code == 2
    assert "wrong-place" not in wrong.err


def test_files_of_lbk_itself_are_no_place_for_a_secret(pool: RotationLab) -> None:
    pool.here.ask("-m", ROUTED, "--key", MINTED)
    state = pool.here.state_file
    (pool.folder / "link").symlink_to(state)
    before = state.read_bytes()
    for target in (f"file:{state}", "file:link", f"dotenv:{state.parent / 'history' / 'x'}#{MINTED}"):
        done = pool.rotate(MINTED, "--mint", "--to", target)
        assert done.code == 3
        assert "lbk keeps itself" in done.err
    assert state.read_bytes() == before
    assert pool.made() == []


def test_something_where_the_old_secret_would_be_kept(pool: RotationLab) -> None:
    pool.dotenv.write_text(f"{pool.before}{MINTED}_PREVIOUS=precious\n", "utf-8")
    done = pool.rotate(MINTED, "--mint")
    assert done.code == 3
    assert f"{MINTED}_PREVIOUS" in done.err
    assert pool.secret(f"{MINTED}_PREVIOUS") == "precious"
    assert pool.made() == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["NOBODY"],
        [MINTED, "--resume", "--rollback"],
        ["--due", "--status"],
        ["--due", "--rollback"],
        ["--status", "--mint"],
        [MINTED, "--grace", "soon"],
        [OLLAMA, "--mint"],
        ["--due", "--resume", MINTED],
    ],
)
def test_wrong_usage(pool: RotationLab, arguments: list[str]) -> None:
    done = pool.rotate(*arguments)
    assert done.code == 2
    assert done.err.startswith("lbk: ")
    assert not pool.sandbox.requests


def test_minting_needs_a_management_key(pool: RotationLab) -> None:
    config = pool.here.config.read_text("utf-8")
    missing = pool.rotate(MINTED, "--mint", OPENROUTER_MANAGEMENT_KEY="")
    assert (missing.code, "management_secret" in missing.err) == (3, True)
    ordinary = pool.rotate(MINTED, "--mint", OPENROUTER_MANAGEMENT_KEY=pool.here.env[ROUTERS[1]])
    assert (ordinary.code, "management key" in ordinary.err) == (3, True)
    pool.here.config.write_text(config.replace("management_secret", "# management_secret"), "utf-8")
    unset = pool.rotate(MINTED, "--mint")
    assert (unset.code, "management_secret" in unset.err) == (3, True)
    assert pool.journal() is None


# --- two at once, and unfinished ones ---


def test_an_unfinished_one_is_not_begun_again(pool: RotationLab) -> None:
    pool.document(MINTED, "--mint")
    second = pool.rotate(MINTED, "--mint")
    assert second.code == 2
    assert "--resume" in second.err
    assert "--rollback" in second.err
    assert len(pool.made()) == 1


def test_an_environment_key_is_rotated_into_a_file_and_says_what_is_left(pool: RotationLab) -> None:
    key, target = ROUTERS[1], pool.folder / "secrets" / "router"
    target.parent.mkdir()
    document = pool.document(key, "--mint", "--to", f"file:{target}")
    assert target.read_text("utf-8").strip() in pool.sandbox.living_keys().values()
    assert target.with_name("router.previous").read_text("utf-8").strip() == pool.here.env[key]
    assert any("environment variable" in entry for entry in document["todo"])
    over = pool.document(key, "--resume", "--grace", "0s")
    assert over["finished"]
    assert sorted(path.name for path in target.parent.iterdir()) == ["router"]


def test_several_targets_are_written_all_or_none(pool: RotationLab) -> None:
    """A command passes every check, fails when it has to store, and nobody can read what it did."""
    fails = pool.folder / "fails"
    fails.write_text("#!/bin/sh\ncat >/dev/null; exit 3\n", "utf-8")
    fails.chmod(0o755)
    target = ["--to", f"command:{fails} --into vault"]
    done = pool.rotate(MINTED, "--mint", *target)
    assert done.code == 3
    assert pool.dotenv.read_text("utf-8").startswith(pool.before)
    assert "--rollback" in done.err
    assert "vault" not in pool.here.state_file.read_text("utf-8")
    journal = pool.journal()
    assert journal is not None
    assert journal.step is Step.STORE

    unnamed = pool.rotate(MINTED, "--rollback")
    assert (unnamed.code, "--to" in unnamed.err) == (2, True)
    back = pool.document(MINTED, "--rollback", *target)
    assert back["finished"]
    assert len(back["todo"]) == 1
    assert pool.dotenv.read_text("utf-8") == pool.before
    assert pool.made() == []


def test_a_command_that_stores_gets_the_secret_and_is_named_again(pool: RotationLab) -> None:
    kept = pool.folder / "kept"
    stores = pool.folder / "stores"
    stores.write_text(f"#!/bin/sh\ncat > {kept}\n", "utf-8")
    stores.chmod(0o755)
    pool.document(MINTED, "--mint", "--to", f"command:{stores}")
    assert kept.read_text("utf-8").strip() == pool.secret()
    pool.document(MINTED, "--rollback", "--to", f"command:{stores}")
    assert kept.read_text("utf-8").strip() == pool.secret()
    assert pool.works()


# --- looking ---


def test_the_list_of_all_keys(pool: RotationLab) -> None:
    listed = pool.document("--due")["keys"]
    assert [entry["key"] for entry in listed] == [OLLAMA, OLLAMA_2, *ROUTERS]
    assert {entry["status"] for entry in listed} == {"ok"}
    assert set(listed[0]) >= {"key", "provider", "generation", "since", "age_days", "due", "status", "step"}
    assert all(entry["due"] for entry in listed)
    pool.document(MINTED, "--mint")
    (standing,) = pool.document("--status", MINTED)["keys"]
    assert (standing["step"], standing["generation"]) == ("grace", 2)


def _aged(pool: RotationLab, days: int, name: str = MINTED) -> None:
    pool.here.quick("rotate", "--due")
    store = opened(pool.here.state_file)

    def change(state: Snapshot, now: datetime) -> tuple[Snapshot, None]:
        old = state.sightings[name]._replace(since=now - timedelta(days=days))
        return state._replace(sightings={**state.sightings, name: old}), None

    store.update(change)


def test_something_overdue_ends_with_one(pool: RotationLab) -> None:
    _aged(pool, 100)
    late = pool.rotate("--due")
    assert late.code == 1
    assert f"{MINTED} has been overdue for" in late.out
    assert pool.rotate("--status").code == 0
    document = json.loads(pool.rotate("--due", "--json").out)
    (entry,) = (entry for entry in document["keys"] if entry["key"] == MINTED)
    assert entry["status"] == "overdue"
    assert entry["age_days"] == 100
    assert entry["overdue_days"] > 30
    pool.document(MINTED, "--mint")
    assert pool.rotate("--due").code == 0


def test_what_waits_for_nobody_goes_on_by_cron(pool: RotationLab) -> None:
    pool.document(MINTED, "--mint", "--grace", "1s")
    while True:
        done = pool.rotate("--due", "--resume")
        assert done.code == 0
        journal = pool.journal()
        if journal is not None and journal.over:
            break
    assert pool.secret(f"{MINTED}_PREVIOUS") is None
    assert len(pool.made()) == 1


# --- where the new secret is seen ---


def test_a_hidden_prompt(pool: RotationLab) -> None:
    _, new = pool.sandbox.make_key(OLLAMA)
    drawn = on_terminal(["rotate", OLLAMA], pool.here.env, typed=("not shown", f"{new}\n"))
    assert drawn.code == 0, drawn.out
    assert "it is not shown" in drawn.out
    assert new not in drawn.out
    assert pool.secret(OLLAMA) == new


def test_in_a_workflow_the_new_secret_is_masked_before_anything_else(pool: RotationLab) -> None:
    done = pool.rotate(MINTED, "--mint", GITHUB_ACTIONS="true")
    assert done.code == 0
    lines = done.out.splitlines()
    masked = [line.removeprefix("::add-mask::") for line in lines if line.startswith("::add-mask::")]
    assert pool.secret() in masked
    assert lines[: len(masked)] == [f"::add-mask::{secret}" for secret in masked]
    assert len(set(masked)) == len(masked)
    rest = "\n".join(lines[len(masked) :]) + done.err
    assert not any(secret in rest for secret in masked)

    machine = pool.rotate(MINTED, "--resume", "--json", GITHUB_ACTIONS="true")
    assert machine.document["key"] == MINTED
    assert "::add-mask::" in machine.err
    assert "::add-mask::" not in pool.rotate("--due").out


def test_a_person_s_terminal_never_shows_a_mask(pool: RotationLab) -> None:
    done = pool.rotate(MINTED, "--mint")
    assert "add-mask" not in done.out + done.err


def test_a_management_key_that_names_a_key_twice_is_survived(pool: RotationLab) -> None:
    """A reply that is lost on its way leaves a key whose secret nobody has: it is found by its name, and deleted."""
    pool.sandbox.add("OPENROUTER_MANAGEMENT_KEY@manage=slow=0.01:1", "OPENROUTER_MANAGEMENT_KEY@manage=lost:1")
    done = pool.rotate(MINTED, "--mint", "--grace", "0s")
    assert done.code == 0, done.err
    assert len(pool.made()) == 1
    assert pool.works()
    creations = [entry for entry in pool.sandbox.requests if entry.method == "POST" and entry.path.endswith("/keys")]
    assert len(creations) == 2


def test_ask_uses_the_new_secret_at_once_and_the_step_is_seen(pool: RotationLab) -> None:
    assert pool.here.ask("-m", SERVED, "--key", OLLAMA)["key"] == OLLAMA
    _, new = pool.sandbox.make_key(OLLAMA)
    pool.rotate(OLLAMA, stdin=new)
    assert pool.here.ask("-m", SERVED, "--key", OLLAMA)["key"] == OLLAMA
    assert pool.sandbox.chats()[-1].key not in {None, OLLAMA}
    journal = pool.journal(OLLAMA)
    assert journal is not None
    assert journal.step is Step.GRACE


# --- a dotenv file that programs read differently ---


def test_a_line_that_programs_read_differently_ends_it_before_a_key_is_made(pool: RotationLab) -> None:
    """A neighbour on the line, one behind `;`, a second value, and a name that only the next rotation would need."""
    old = f"{MINTED}={pool.first}"
    for line, says in (
        (f"export {old} OTHER=abc", "line 5 has more than the value"),
        (f"{old}; B=2", "line 5 has more than the value"),
        (f"{old}\n{MINTED}=another", "different values (lines 5, 6)"),
        (f"{old}\nif true; then {MINTED}_PREVIOUS=x; fi", "line 6 names"),
    ):
        text = pool.before.replace(old, line)
        pool.dotenv.write_text(text.replace("# mine\n", "# mine\n\n"), "utf-8")
        before = pool.dotenv.read_bytes()
        done = pool.rotate(MINTED, "--mint", "--json")
        assert (done.code, done.document["error"]["code"]) == (3, "secret"), done
        assert says in done.document["error"]["message"]
        assert pool.first not in done.out + done.err
        assert pool.dotenv.read_bytes() == before
        assert pool.made() == []
        assert pool.journal() is None


def test_a_file_with_a_byte_order_mark_keeps_it_and_who_cannot_read_it_is_named(pool: RotationLab) -> None:
    pool.dotenv.write_bytes(f"\ufeff{pool.before}".encode())
    done = pool.rotate(MINTED, "--mint")
    assert done.code == 0
    assert "begins with a byte order mark, which stays. Shells, node and uv" in done.err
    assert pool.works()
    assert pool.dotenv.read_bytes().startswith(b"\xef\xbb\xbf")


def test_a_file_with_crlf_stays_one_and_shells_are_warned_of_it(pool: RotationLab) -> None:
    pool.dotenv.write_bytes(pool.before.replace("\n", "\r\n").encode())
    done = pool.rotate(MINTED, "--mint")
    assert done.code == 0
    assert "carriage return at the end of every value" in done.err
    assert pool.works()
    assert pool.dotenv.read_bytes().count(b"\n") == pool.dotenv.read_bytes().count(b"\r\n") == 7
