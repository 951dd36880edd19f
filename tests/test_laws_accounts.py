"""Laws of who is who: what becomes known of a key's account, or is said of it no more, ends nothing that was known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.keys.apply import taught
from lollmsbot_keys.core.model.accounts import account_of, known_as
from lollmsbot_keys.core.model.config import Config, Provider
from lollmsbot_keys.core.model.findings import KeyProof, Verdict
from lollmsbot_keys.core.model.request import Candidate, Reach, Reason, Request
from lollmsbot_keys.core.model.snapshot import Account, Cooldown, Disabled, Scope, Snapshot
from lollmsbot_keys.core.routing import eligibility
from lollmsbot_keys.core.state.events import Cooled, Replaced, record, resettable
from lollmsbot_keys.edges.state.codec import decode, encode
from tests.examples import examples
from tests.lab import OLLAMA, OLLAMA_2, ROUTED, ROUTERS, SERVED, Lab, lab
from tests.strategies import (
    CONFIG,
    FACTS,
    HOUR,
    NOW,
    OPENROUTER_KEYS,
    World,
    by_scope,
    calls,
    fingerprint,
    with_key,
)

NOBODY_SAID: Mapping[str, str] = {}


class Known(NamedTuple):
    """Who is billed for which key: by the configuration's labels, and by what a key check found."""

    labels: Mapping[str, str] = NOBODY_SAID
    learnt: Mapping[str, str] = NOBODY_SAID

    def config(self) -> Config:
        config = CONFIG
        for key, label in self.labels.items():
            config = with_key(config, key, lambda key, label=label: key._replace(account=label))  # type: ignore[misc]
        return config

    def snapshot(self, snapshot: Snapshot) -> Snapshot:
        """What a round of `test-keys` leaves behind."""
        for key, account in self.learnt.items():
            proof = KeyProof(Verdict.VALID, "accepted", account=account)
            found = next(k for k in CONFIG.keys if k.name == key)
            snapshot = taught(snapshot, found, fingerprint(key), proof, NOW)
        return snapshot


def candidate_of(key: str, known: Known, snapshot: Snapshot) -> Candidate:
    plan = World(Request(free=True, key=key), known.config(), known.snapshot(snapshot)).plan()
    return next(candidate for candidate in plan.candidates if candidate.key == key)


def limited(key: str, reach: Reach, before: Known, ends_in: timedelta = HOUR) -> Snapshot:
    """The state after `key` met a limit of its account, as the pool writes it down."""
    scope = Scope.of(reach, candidate_of(key, before, Snapshot()))
    cooldown = Cooldown(scope, Reason.COOLING_DOWN, NOW, NOW + ends_in, "Retry-After")
    return record(before.snapshot(Snapshot()), Cooled(cooldown), NOW)


def out(known: Known, snapshot: Snapshot, keys: tuple[str, ...]) -> set[str]:
    found = {key: candidate_of(key, known, snapshot).set_aside for key in keys}
    assert {aside.until for aside in found.values() if aside is not None} <= {NOW + HOUR}
    return {key for key, aside in found.items() if aside is not None}


TEAM, SAME = {"R1": "team", "R2": "team"}, {"R1": "acc", "R2": "acc"}


@pytest.mark.parametrize("reach", [Reach.ACCOUNT, Reach.FREE_MODELS])
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # joins
        (Known(), Known(learnt={"R1": "acc"}), "R1"),
        (Known(), Known(learnt=SAME), "R1 R2"),
        (Known(), Known({"R1": "team"}), "R1"),
        (Known(), Known(TEAM), "R1 R2"),
        (Known(learnt={"R1": "acc"}), Known(learnt=SAME), "R1 R2"),
        (Known(learnt=SAME), Known(TEAM, SAME), "R1 R2"),
        (Known(learnt=SAME), Known({"R1": "team"}, SAME), "R1 R2"),
        (Known({"R1": "team"}), Known({"R1": "team"}, SAME), "R1 R2"),
        # leaves
        (Known(learnt={"R1": "acc"}), Known(), "R1"),
        (Known(TEAM), Known(), "R1"),
        (Known(TEAM), Known({"R1": "team"}), "R1"),
        (Known(TEAM), Known({"R2": "team"}), "R1 R2"),
        (Known(TEAM), Known(learnt=SAME), "R1 R2"),
        (Known(learnt=SAME), Known(learnt={"R1": "acc", "R2": "other"}), "R1"),
        (Known(learnt=SAME), Known(learnt={"R1": "other", "R2": "acc"}), "R1 R2"),
        # two accounts become one, or get other names
        (Known(learnt={"R1": "one", "R2": "two"}), Known(TEAM, {"R1": "one", "R2": "two"}), "R1 R2"),
        (Known({"R1": "a", "R2": "b"}), Known(TEAM), "R1 R2"),
        (Known(TEAM), Known({"R1": "a", "R2": "a"}), "R1 R2"),
        (Known(learnt=SAME), Known(learnt={"R1": "org", "R2": "org"}), "R1 R2"),
        # nobody else's
        (Known(), Known(learnt={"R1": "one", "R2": "two"}), "R1"),
        (Known(learnt=SAME), Known({"R2": "mine"}, SAME), "R1"),
    ],
)
def test_who_stays_out_when_it_becomes_known_who_is_who(
    before: Known, after: Known, expected: str, reach: Reach
) -> None:
    snapshot = limited("R1", reach, before)
    assert out(after, snapshot, ("R1", "R2", "R3")) == set(expected.split())
    # Read back it is the same, and `costs` says what `route` says.
    assert decode(encode(snapshot)).cooldowns == snapshot.cooldowns
    if reach is Reach.ACCOUNT:
        now_known = after.snapshot(snapshot)
        for key in after.config().keys_of(Provider.OPENROUTER):
            aside = eligibility.standing(key, after.config(), now_known, FACTS, NOW)
            assert (aside is not None) == (key.name in expected.split())


_whose = st.dictionaries(st.sampled_from(OPENROUTER_KEYS), st.sampled_from("abc"))
_of_accounts = st.sampled_from([Reach.ACCOUNT, Reach.FREE_MODELS])
_known = st.builds(Known, _whose, _whose)


@settings(max_examples=examples(150))
@given(
    st.sampled_from(OPENROUTER_KEYS), st.sampled_from([Reach.ACCOUNT, Reach.FREE_MODELS]), st.lists(_known, max_size=3)
)
def test_whoever_met_a_limit_stays_out_and_so_does_each_key_of_the_same_account(
    key: str, reach: Reach, knowledge: list[Known]
) -> None:
    first, *later = [*knowledge, Known()]
    snapshot = limited(key, reach, first)
    for known in later:
        snapshot = known.snapshot(snapshot)
        left_out = out(known, snapshot, OPENROUTER_KEYS)
        assert key in left_out
        config = known.config()
        accounts = {k.name: account_of(k, fingerprint(k.name), snapshot) for k in config.keys}
        assert {name for name in OPENROUTER_KEYS if accounts[name] == accounts[key]} <= left_out
        reset = resettable(snapshot, {key: accounts[key]}, set(), lambda s: known_as(s, config, snapshot, FACTS))  # noqa: B023
        assert not out(known, record(snapshot, reset, NOW), OPENROUTER_KEYS)


def test_a_label_says_nothing_of_a_secret_that_was_replaced() -> None:
    """The limit was the old secret's account's; the label is the new one's."""
    snapshot = limited("R1", Reach.ACCOUNT, Known())
    facts = FACTS._replace(secrets={**FACTS.secrets, "R1": "new"})
    config = Known(TEAM).config()
    plan = World(Request(model="moon/kimi"), config, snapshot, facts).plan()
    assert all(candidate.eligible for candidate in plan.candidates if candidate.key)
    unseen = facts._replace(secrets={key: secret for key, secret in facts.secrets.items() if key != "R1"})
    replaced = record(snapshot, Replaced("R1", "new"), NOW)
    for state, free in ((snapshot, False), (replaced, True)):
        plan = World(Request(model="moon/kimi", key="R2"), config, state, unseen).plan()
        assert plan.candidates[0].eligible is free


def test_a_state_of_an_older_lbk_keeps_what_its_names_tell() -> None:
    """It had no key beside the account, whose name tells it where nobody had said more."""
    scope = Scope(Reach.ACCOUNT, Provider.OPENROUTER, account=f"R1#{fingerprint('R1')}")
    snapshot = Snapshot(cooldowns=by_scope(Cooldown(scope, Reason.COOLING_DOWN, NOW, NOW + HOUR)))
    assert out(Known(), snapshot, OPENROUTER_KEYS) == {"R1"}
    assert out(Known(learnt=SAME), snapshot, OPENROUTER_KEYS) == {"R1", "R2"}
    assert out(Known(TEAM), snapshot, OPENROUTER_KEYS) == {"R1", "R2"}


@given(_known, _known)
def test_the_rest_of_what_is_known_is_of_keys_and_stays(before: Known, after: Known) -> None:
    snapshot = before.snapshot(
        Snapshot(
            disabled={"R1": Disabled("refused", NOW)},
            hours={"R1": calls(3)},
            accounts={"R2": Account(fingerprint("R2"), "learnt")},
        )
    )
    later = after.snapshot(snapshot)
    for name in ("disabled", "hours", "waiters", "cursors", "streaks", "days", "holds", "cooldowns"):
        assert getattr(later, name) == getattr(snapshot, name)


def status(here: Lab, key: str) -> str:
    keys = here.quick("costs", "--json").document["keys"]
    return str(next(entry["status"] for entry in keys if entry["key"] == key))


def test_the_first_test_keys_ends_no_cooldown_and_nor_does_a_label(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429:1") as here:
        asked = here.ask("--model", SERVED)
        assert asked["key"] == OLLAMA_2
        until = here.candidate(OLLAMA, SERVED, "--model", SERVED)["until"]
        plain = here.config.read_text("utf-8")
        for label in ("", f'keys.{OLLAMA}.account = "mine"\n', ""):
            here.config.write_text(label + plain, "utf-8")
            for command in (("costs",), ("test-keys",)):
                here.quick(*command)
                assert status(here, OLLAMA) == "cooling_down"
                assert here.candidate(OLLAMA, SERVED, "--model", SERVED)["until"] == until
        assert here.quick("reset-limits", OLLAMA).out.startswith("cleared account of ")
        assert status(here, OLLAMA) == "ready"


def test_what_one_key_met_holds_for_all_that_turn_out_to_be_its_account(tmp_path: Path) -> None:
    """The sandbox's keys of OpenRouter are one account, which nobody knows before a key check."""
    with lab(tmp_path, f"{ROUTERS[0]}=429=600:1", f"{ROUTERS[1]}=429free:1") as here:
        here.ask("--model", ROUTED, "--key", ROUTERS[0])
        here.ask("--free", "--key", ROUTERS[1])
        assert [status(here, key) for key in ROUTERS] == ["cooling_down", "ready", "ready"]
        here.quick("test-keys")
        assert [status(here, key) for key in ROUTERS] == ["cooling_down"] * 3
        assert here.quick("reset-limits", ROUTERS[2]).out.count("cleared account of ") == 2
        assert [status(here, key) for key in ROUTERS] == ["ready"] * 3
        assert not here.state.cooldowns
