"""`lbk test-keys` against the sandbox: each verdict, what routing learns, how long it takes, how it ends."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.request import Reach
from lollmsbot_keys.edges.caches.key_checks import CachedKeyCheck, keep_checks, read_checks
from lollmsbot_keys.errors import UsageError
from lollmsbot_keys.sandbox import Fault, FaultScope
from lollmsbot_keys.sandbox.http import HttpReply, Pause, json_reply
from tests.lab import OLLAMA, OLLAMA_2, ROUTERS, Json, Lab, endpoints, lab
from tests.support import start_lbk, until

CLOSED = "http://127.0.0.1:9"
ALL = (OLLAMA, OLLAMA_2, *ROUTERS)
SLOW = ("ollama@any=slow=3600", "openrouter@any=slow=3600", "local@any=slow=3600")


def run_on(here: Lab, *args: str, code: int) -> Json:
    done = here.quick("test-keys", "--json", *args)
    assert done.code == code, done
    assert done.document["ok"] is (code == 0)
    return done.document


def key(document: Json, name: str) -> Json:
    return next(entry for entry in document["keys"] if entry["key"] == name)


def verdicts(document: Json) -> dict[str, str]:
    return {entry["key"]: entry["verdict"] for entry in document["keys"]}


# --- all is well ---


def test_five_good_keys(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        document = run_on(here, code=0)
        assert verdicts(document) == dict.fromkeys(ALL, "valid")
        assert (document["valid"], document["present"]) == (5, 5)
        first = key(document, OLLAMA)
        assert first["endpoint"] == here.sandbox.ollama_endpoints[0]
        assert first["status"] == 200
        assert 0 <= first["latency_ms"] < 10_000
        assert "kimi-k2.6" in first["models"]
        assert [(limit["name"], limit["left"]) for limit in first["limits"]] == [("plan", 100.0), ("purchased", 25.0)]
        assert key(document, ROUTERS[0])["limits"][0]["unlimited"] is True
        assert document["lists"]["ollama"] == {"models": 17, "problem": None}
        assert here.chats() == []
        last = here.quick("test-keys").out.splitlines()[-1]
        assert last == "5/5 keys valid"


def test_checks_and_lists_are_no_calls(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        run_on(here, code=0)
        assert (here.state.hours, here.state.days, here.state.holds) == ({}, {}, {})


def test_five_slow_keys_are_asked_at_once(tmp_path: Path) -> None:
    """All is asked before anything was answered: the checks, the lists, and what tells whose a key is."""
    with lab(tmp_path) as here:
        run_on(here, code=0)
        wanted = len(here.sandbox.requests)
    (tmp_path / "slow").mkdir()
    with lab(tmp_path / "slow", *SLOW) as here:
        process = start_lbk(["test-keys"], here.env)
        until(lambda: len(here.sandbox.requests) == wanted, "every request")
        process.kill()
        process.communicate()


def test_the_matrix_has_the_seventeen_and_where_they_are(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        document = run_on(here, code=0)
    models = {entry["model"]: entry for entry in document["models"]}
    assert sum(entry["rc2"] for entry in document["models"]) == 17
    assert models["mistral-large-3:675b"]["available_on"] == list(ALL)
    soul = models["kimi-k2.5"]
    assert (soul["status"], soul["successor"], soul["equivalent"]) == ("retired", "kimi-k2.6", "moonshotai/kimi-k2.5")
    assert models["gemma3:27b"]["available_on"] == [*ROUTERS, "local"]
    assert models["devstral-small-2:24b"]["stand_in"] == "gemma4:31b"
    assert (soul["retired_on"], document["catalogue"]) == ("2026-07-31", {"read_on": "2026-12-01"})
    assert document["warnings"] == []


def test_lists_are_kept_for_routing(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        assert here.candidate(OLLAMA, "news:9b", "-m", "news:9b")["eligible"] is True
        run_on(here, code=0)
        assert here.candidate(OLLAMA, "news:9b", "-m", "news:9b")["reason"] == "no_such_model"
        kept = json.loads((here.state_file.with_name("cache") / "models.json").read_text("utf-8"))
        assert set(kept["lists"]) == {"ollama", "openrouter", "local"}


def test_a_list_that_has_a_retired_model_overrules_the_catalogue(tmp_path: Path) -> None:
    again = {"object": "list", "data": [{"id": "kimi-k2.5", "object": "model"}]}
    with lab(tmp_path, Fault.raw("ollama", json_reply(200, again), where=FaultScope.LIST)) as here:
        retired = here.candidate(OLLAMA, "kimi-k2.5", "-m", "kimi-k2.5")
        assert (retired["reason"], retired["detail"]) == ("no_such_model", "retired by ollama on 2026-07-31")
        run_on(here, code=0)
        assert here.candidate(OLLAMA, "kimi-k2.5", "-m", "kimi-k2.5")["eligible"] is True
        lists = here.run("route", "--json").document["catalogue"]["lists"]
        assert all(datetime.fromisoformat(lists[name]) <= datetime.now(UTC) for name in ("ollama", "openrouter"))


def test_an_empty_list_of_a_provider_is_not_believed(tmp_path: Path) -> None:
    empty = Fault.raw("ollama", json_reply(200, {"object": "list", "data": []}), where=FaultScope.LIST)
    with lab(tmp_path, empty) as here:
        endpoints(here.config, ollama=here.sandbox.ollama_endpoints[0])
        document = run_on(here, code=0)
        assert "empty" in document["lists"]["ollama"]["problem"]
        assert next(m for m in document["models"] if m["model"] == "kimi-k2.5")["status"] == "unknown"
        assert key(document, OLLAMA)["models"] is None
        assert here.candidate(OLLAMA, "glm-5.3", "-m", "glm-5.3")["eligible"] is True


def test_after_an_empty_list_the_next_endpoint_is_asked(tmp_path: Path) -> None:
    empty = Fault.raw("ollama", json_reply(200, {"object": "list", "data": []}), where=FaultScope.LIST)
    with lab(tmp_path, empty) as here:
        document = run_on(here, code=0)
        assert document["lists"]["ollama"]["problem"] is None
        assert here.candidate(OLLAMA, "glm-5.3", "-m", "glm-5.3")["eligible"] is True


# --- each verdict ---


@pytest.mark.parametrize(
    ("fault", "name", "verdict", "words"),
    [
        (f"{OLLAMA}=401", OLLAMA, "invalid", "refused (401)"),
        (f"{ROUTERS[1]}@check=401", ROUTERS[1], "invalid", "User not found"),
        (f"{ROUTERS[1]}@check=expired", ROUTERS[1], "invalid", "expired on"),
        (f"{OLLAMA}@check=legacy=0", OLLAMA, "limited", "weekly"),
        (f"{OLLAMA}@check=legacy=1", OLLAMA, "valid", "accepted"),
        (f"{ROUTERS[0]}@check=spent", ROUTERS[0], "limited", "key limit"),
        (f"{OLLAMA_2}@check=spent", OLLAMA_2, "no_credit", "balance"),
        (f"{ROUTERS[0]}@check=402", ROUTERS[0], "no_credit", "Insufficient credits"),
        (f"{ROUTERS[0]}@check=html403", ROUTERS[0], "unknown", "a page"),
        (f"{OLLAMA}@check=html200", OLLAMA, "unknown", "a page"),
        (f"{OLLAMA}@check=500", OLLAMA, "unknown", "(500)"),
        (f"{OLLAMA}@check=429retry=33", OLLAMA, "unknown", "nothing against the key"),
        (f"{OLLAMA}@check=redirect", OLLAMA, "unknown", "(302)"),
        (f"{OLLAMA}@check=junk", OLLAMA, "unknown", "says nothing about the key"),
        (f"{OLLAMA}@check=drop", OLLAMA, "unreachable", "no answer"),
        (f"{OLLAMA}@check=slow=9", OLLAMA, "unreachable", "no answer"),
    ],
)
def test_each_verdict(fault: str, name: str, verdict: str, words: str, tmp_path: Path) -> None:
    with lab(tmp_path, fault) as here:
        patience = "1s" if "slow" in fault else "30s"
        document = run_on(here, "--timeout", patience, code=0 if verdict == "valid" else 1)
        entry = key(document, name)
        assert entry["verdict"] == verdict
        assert words in entry["detail"]
        if verdict == "valid":
            return
        assert entry["next"]
        assert [other for other, found in verdicts(document).items() if found != "valid"] == [name]
        disabled = set(here.state.disabled)
        assert disabled == ({name} if verdict == "invalid" else set())
        shown = here.quick("test-keys", "--timeout", patience, name).out
        assert shown.splitlines()[-1] == f"0/1 keys valid: {name} {verdict.replace('_', ' ')}"


def test_a_barred_account_is_limited(tmp_path: Path) -> None:
    barred = Fault.raw(OLLAMA, json_reply(403, {"error": "account suspended"}), where=FaultScope.CHECK)
    with lab(tmp_path, barred) as here:
        assert key(run_on(here, code=1), OLLAMA)["verdict"] == "limited"


def test_a_wrong_key_is_invalid_although_the_lists_are_public(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("test-keys", "--json", **{OLLAMA: "wrong-but-well-formed", ROUTERS[0]: "sk-or-v1-wrong"})
    assert done.code == 1
    assert verdicts(done.document) == {**dict.fromkeys(ALL, "valid"), OLLAMA: "invalid", ROUTERS[0]: "invalid"}
    assert key(done.document, OLLAMA)["models"] == []
    assert done.document["lists"]["ollama"]["models"] == 17


def test_a_key_of_the_wrong_kind_is_named_and_never_shown(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        wrong = {
            ROUTERS[0]: here.sandbox.management_key,
            OLLAMA: here.sandbox.keys[ROUTERS[1]],
            ROUTERS[2]: "sk-ant-api03-not-a-real-one",
        }
        done = here.run("test-keys", "--json", **wrong)
        plain = here.run("test-keys", **wrong)
    assert "a management key" in key(done.document, ROUTERS[0])["detail"]
    assert key(done.document, ROUTERS[0])["management_key"] is True
    assert "a key of OpenRouter" in key(done.document, OLLAMA)["detail"]
    assert "a key of Anthropic" in key(done.document, ROUTERS[2])["detail"]
    assert {verdicts(done.document)[name] for name in wrong} == {"invalid"}
    for secret in (*wrong.values(), *here.sandbox.keys.values()):
        assert secret not in done.out + done.err + plain.out + plain.err


def test_another_companys_key_is_not_sent_to_the_real_provider(tmp_path: Path) -> None:
    settings = '[providers.local]\nendpoints = ["http://127.0.0.1:9"]\n'
    (tmp_path / "config.toml").write_text(settings, "utf-8")
    (tmp_path / "unused").mkdir()
    with lab(tmp_path / "unused") as here:
        env = {"LBK_CONFIG": str(tmp_path / "config.toml"), "HTTPS_PROXY": CLOSED, OLLAMA: "sk-or-v1-" + "0" * 64}
        done = here.run("test-keys", OLLAMA, "--json", **env)
    (entry,) = done.document["keys"]
    assert (entry["verdict"], entry["endpoint"], entry["status"]) == ("invalid", None, None)
    assert "was not sent to ollama" in entry["detail"]


def test_missing_keys_are_shown_and_are_no_failure(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("test-keys", **{OLLAMA_2: "", ROUTERS[1]: "", ROUTERS[2]: ""})
        assert done.code == 0
        assert done.out.splitlines()[-1] == "2/2 keys valid (3 without a secret)"
        assert done.out.count("missing") == 3
        none = here.run("test-keys", "--json", **dict.fromkeys(ALL, ""))
        assert none.code == 1
        assert verdicts(none.document) == dict.fromkeys(ALL, "missing")


def test_a_secret_that_no_header_can_carry_is_invalid(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("test-keys", "--json", **{OLLAMA: "two words"})
        assert done.code == 1
        assert key(done.document, OLLAMA)["verdict"] == "invalid"
        assert "white space" in key(done.document, OLLAMA)["detail"]
        assert here.state.disabled == {}


# --- the network ---


def test_unreachable_is_not_invalid_and_may_be_allowed(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        endpoints(here.config, ollama=f"{CLOSED}/v1")
        document = run_on(here, code=1)
        assert verdicts(document)[OLLAMA] == "unreachable"
        assert "--allow-unreachable" in key(document, OLLAMA)["next"]
        assert here.state.disabled == {}
        assert verdicts(run_on(here, "--allow-unreachable", code=0))[OLLAMA] == "unreachable"
        here.sandbox.add(f"{ROUTERS[0]}=401")
        run_on(here, "--allow-unreachable", code=1)


def test_a_captive_portal_condemns_no_key(tmp_path: Path) -> None:
    with lab(tmp_path, "ollama@any=html200", "openrouter@any=html200") as here:
        document = run_on(here, code=1)
        assert set(verdicts(document).values()) == {"unknown"}
        assert (here.state.disabled, here.state.cooldowns) == ({}, {})
        assert document["lists"]["ollama"]["models"] is None
        assert not [model for model in document["models"] if model["status"] in {"unlisted", "retired"}]
        assert document["warnings"] == []


def test_an_endpoint_that_is_not_trusted_gets_nothing(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        endpoints(here.config, ollama="https://api.ollama.cloud/v1")
        done = here.run("test-keys", "--json")
        assert (done.code, done.document["error"]["code"]) == (3, "secret")
        assert "Nothing was sent" in done.document["error"]["message"]
        assert here.sandbox.requests == ()
        endpoints(here.config, ollama=here.sandbox.ollama_endpoints[0])
        text = here.config.read_text("utf-8").replace('/ollama/v1"]', '/ollama/v1", "https://api.ollama.cloud/v1"]')
        here.config.write_text(text, "utf-8")
        assert here.quick("test-keys").code == 3, "any of them may be the one that answers"
        assert here.sandbox.requests == ()


# --- what routing learns ---


def test_invalid_disables_at_once_and_valid_enables_again(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}@check=401:1") as here:
        run_on(here, code=1)
        assert here.candidate(OLLAMA, "kimi-k2.6", "-m", "kimi-k2.6")["reason"] == "disabled"
        document = run_on(here, code=0)
        assert f"{OLLAMA} had been disabled; it is used again." in document["notes"]
        assert here.candidate(OLLAMA, "kimi-k2.6", "-m", "kimi-k2.6")["eligible"] is True


def test_a_used_up_window_cools_the_account_until_it_opens(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}@check=legacy=0", one_ollama_account=True) as here:
        document = run_on(here, code=1)
        resets_at = key(document, OLLAMA)["limits"][1]["resets_at"]
        for name in (OLLAMA, OLLAMA_2):
            candidate = here.candidate(name, "kimi-k2.6", "-m", "kimi-k2.6")
            assert (candidate["reason"], candidate["until"]) == ("cooling_down", resets_at)
        assert key(document, OLLAMA_2)["verdict"] == "valid"
        assert key(document, OLLAMA_2)["routing"] == {"reason": "cooling_down", "until": resets_at}
        assert [OLLAMA, OLLAMA_2] in document["shared_accounts"]
        (scope,) = here.state.cooldowns
        assert scope.reach is Reach.ACCOUNT


def test_accounts_are_learnt_and_told_together(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.quick("test-keys")
        assert f"{ROUTERS[0]}, {ROUTERS[1]} and {ROUTERS[2]} are one account" in done.out
        assert "user_sandbox" not in done.out
        assert here.state.accounts[OLLAMA].name == "sandbox-user-1"
        assert {here.state.accounts[name].name for name in ROUTERS} == {"user_sandbox"}
        asked = [entry.path for entry in here.sandbox.requests if entry.path.endswith("/api/me")]
        assert len(asked) == 2
        here.sandbox.world.forget_requests()
        run_on(here, code=0)
        assert not [entry for entry in here.sandbox.requests if entry.path.endswith("/api/me")], "known by now"


def test_a_provider_that_does_not_tell_the_account_is_no_trouble(tmp_path: Path) -> None:
    with lab(tmp_path, "ollama@account=404") as here:
        assert key(run_on(here, code=0), OLLAMA)["account"] is None


# --- a real call ---


def test_a_deep_test_asks_one_token_of_each_key_and_counts_it(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        document = run_on(here, "--deep", code=0)
        assert sorted(here.chats()) == sorted(ALL)
        assert {entry.max_output_tokens for entry in here.sandbox.chats()} == {1}
        assert {entry.model for entry in here.sandbox.chats(OLLAMA)} == {"nemotron-3-nano:30b"}
        assert all("answered in" in entry["deep"] for entry in document["keys"]), document["keys"]
        (day,) = here.state.days.values()
        assert sum(cell.calls for cell in day.cells.values()) == 5
        assert sum(cell.cost_usd for cell in day.cells.values()) > 0


@pytest.mark.parametrize(
    ("fault", "verdict", "out"),
    [
        (f"{OLLAMA}=429", "limited", "cooling_down"),
        (f"{OLLAMA}=401chat", "unknown", None),
        (f"{OLLAMA}=500", "unknown", None),
        (f"{OLLAMA}=403", "limited", None),
        (f"{ROUTERS[0]}=402", "no_credit", "no_credit"),
        (f"{ROUTERS[0]}=429upstream", "unknown", None),
    ],
)
def test_a_deep_failure_changes_the_verdict(fault: str, verdict: str, out: str | None, tmp_path: Path) -> None:
    name = fault.partition("=")[0]
    with lab(tmp_path, fault) as here:
        entry = key(run_on(here, "--deep", name, code=1), name)
        assert (entry["verdict"], entry["routing"]["reason"]) == (verdict, out)
        assert here.chats() == [name], "one call, and no failover"


def test_a_key_that_fails_its_check_is_not_called(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}@check=401") as here:
        run_on(here, "--deep", OLLAMA, code=1)
        assert here.chats() == []


# --- usage ---


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["OLAMA_API_KEY"], "Did you mean 'OLLAMA_API_KEY'?"),
        ([OLLAMA, "--provider", "local"], "No key that you named"),
        (["--provider", "nobody"], "--provider"),
        (["--timeout", "soon"], "--timeout 'soon'"),
        (["--timeout", "0s"], "--timeout must be longer"),
        ([OLLAMA, "--provider", "openrouter"], "No key that you named"),
    ],
)
def test_wrong_usage_asks_nobody(args: list[str], words: str, tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("test-keys", *args)
        assert (done.code, done.out) == (2, "")
        assert words in done.err
        assert here.sandbox.requests == ()


def test_a_filter_asks_only_what_it_names(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        document = run_on(here, "--provider", "openrouter", code=0)
        assert set(verdicts(document)) == set(ROUTERS)
        assert {entry.caller or entry.path.split("/")[1] for entry in here.sandbox.requests} == {*ROUTERS, "openrouter"}
        assert {model["ollama"] for model in document["models"]} == {False}
        here.sandbox.world.forget_requests()
        assert set(verdicts(run_on(here, OLLAMA_2, code=0))) == {OLLAMA_2}
        assert {entry.key for entry in here.sandbox.requests} == {OLLAMA_2, None}


def test_a_key_that_is_off_is_tested_only_by_name(tmp_path: Path) -> None:
    with lab(tmp_path, settings=f"[keys.{OLLAMA_2}]\nenabled = false\n") as here:
        document = run_on(here, code=0)
        assert OLLAMA_2 not in verdicts(document)
        assert OLLAMA_2 in document["notes"][0]
        assert verdicts(run_on(here, OLLAMA_2, code=0)) == {OLLAMA_2: "valid"}


def test_the_timeout_bounds_a_check_that_drips(tmp_path: Path) -> None:
    drip: tuple[bytes | Pause, ...] = (Pause(0.4), b" ")
    frames = (b'{"included": {}', *drip * 75, b"}")
    with lab(tmp_path, Fault.raw(OLLAMA, HttpReply(200, frames), where=FaultScope.CHECK)) as here:
        began = time.monotonic()
        run_on(here, OLLAMA, "--timeout", "1s", code=1)
        assert time.monotonic() - began < 25


def test_a_limited_check_says_when_to_try_again(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}@check=429retry=40") as here:
        entry = key(run_on(here, OLLAMA, code=1), OLLAMA)
        again = datetime.fromisoformat(entry["try_again_at"])
        assert timedelta() < again - datetime.now(UTC) <= timedelta(seconds=41)
        assert here.state.cooldowns == {}


def test_who_asks_too_often_is_told_what_was_known_a_moment_ago(tmp_path: Path) -> None:
    with lab(tmp_path, one_ollama_account=True) as here:
        for _ in range(5):
            run_on(here, "--provider", "ollama", code=0)
        document = run_on(here, OLLAMA, code=0)
        assert here.sandbox.requests[-1].status in {200, 429}
        assert 429 in {entry.status for entry in here.sandbox.requests}
        assert f"{OLLAMA} is as it was" in document["notes"][0]
        assert key(document, OLLAMA)["limits"]
        other = here.run("test-keys", "--json", OLLAMA, **{OLLAMA: here.sandbox.keys[OLLAMA_2]})
        assert verdicts(other.document) == {OLLAMA: "unknown"}, "that is another secret"
        cache = here.state_file.with_name("cache") / "checks.json"
        run_on(here, ROUTERS[0], code=0)
        assert cache.stat().st_mode & 0o777 == 0o600
        text = cache.read_text("utf-8")
        assert "creator_user_id" in text
        assert not [secret for secret in here.sandbox.keys.values() if secret[:12] in text]
        cache.write_text("junk", "utf-8")
        assert verdicts(run_on(here, OLLAMA, code=1)) == {OLLAMA: "unknown"}


def test_checks_that_are_kept_at_once_are_all_kept(tmp_path: Path) -> None:
    now = datetime.now(UTC)

    def keep(name: str) -> list[int]:
        lacking = []
        for number in range(60):
            keep_checks(tmp_path, {name: CachedKeyCheck(str(number), now, {})}, now)
            if read_checks(tmp_path, now).get(name) != CachedKeyCheck(str(number), now, {}):
                lacking.append(number)
        return lacking

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(keep, ROUTERS)) == [[], [], []]


def test_a_fault_of_checks_says_how_to_write_it(tmp_path: Path) -> None:
    with lab(tmp_path) as here, pytest.raises(UsageError, match=rf"Write {OLLAMA}@check=spent"):
        here.sandbox.add(f"{OLLAMA}=spent")


# --- the daemon on this machine ---


def test_the_daemon_is_tested_as_a_provider_without_keys(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        found = run_on(here, "--provider", "local", "--deep", code=0)
        assert [(key["key"], key["provider"], key["verdict"]) for key in found["keys"]] == [(None, "local", "valid")]
        assert found["keys"][0]["models"]
        assert here.run("test-keys", "--provider", "local").out.splitlines()[-1] == "the local daemon answers"
        assert {entry.place for entry in here.sandbox.requests} == {"local"}
        gone = {"OLLAMA_HOST": "127.0.0.1:9"}
        dead = here.run("test-keys", "--provider", "local", "--json", **gone)
        assert (dead.code, dead.document["keys"][0]["verdict"]) == (1, "unreachable")
        assert "ollama serve" in here.run("test-keys", "--provider", "local", **gone).out
        assert here.run("test-keys", "--provider", "local", "--allow-unreachable", **gone).code == 0
        among = here.run("test-keys", **gone)
        assert among.code == 0, "nobody has to have one"
        assert next(line for line in among.out.splitlines() if "daemon" in line).startswith("local: no daemon (")
        assert len([line for line in among.out.splitlines() if "local" in line]) == 1
