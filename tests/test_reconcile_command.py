"""`lbk costs --reconcile` against providers that have ledgers of their own."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.snapshot import Cell, Snapshot
from lollmsbot_keys.sandbox import Fault
from lollmsbot_keys.sandbox.fault_kinds import FaultScope
from lollmsbot_keys.sandbox.http import json_reply
from tests.lab import OLLAMA, OLLAMA_2, ROUTED, ROUTERS, SERVED, Json, Lab, lab, on_terminal
from tests.support import claimed, finished, hold, opened, settled, start_lbk, utc_now

FIRST, SECOND, THIRD = ROUTERS


def rows(document: Json) -> dict[str, Json]:
    """The comparisons by the first of their keys."""
    return {row["keys"][0]: row for row in document["comparisons"]}


def of_key(here: Lab, key: str) -> Cell:
    """Everything that the ledger has of one key."""
    return Cell.total(cell for day in here.state.days.values() for place, cell in day.cells.items() if place.key == key)


def usages(here: Lab) -> int:
    """How often Ollama was asked for its sums."""
    return sum("/api/usage" in entry.path for entry in here.sandbox.requests)


def test_both_agree(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        here.ask("-m", ROUTED)
        done = here.run("costs", "--reconcile")
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert lines[0].startswith("Our ledger beside the providers', today (ours: UTC")
        assert lines[2].split() == ["KEY", "OURS", "THEIRS", "DIFFERENCE", "EXPLAINED", "BY", "UNEXPLAINED"]
        (row,) = [line.split() for line in lines if line.startswith(FIRST)]
        assert row[1] == row[2] == f"{of_key(here, FIRST).cost_usd:.6f}"
        assert row[3:] == ["0.000000", "–", "0.000000"]
        assert "\x1b" not in done.out
        found = here.run("costs", "--reconcile", "--json", "--month").document
        assert (found["ok"], found["window"], found["timezone"], found["tolerance_usd"]) == (True, "month", "UTC", 0.01)
        assert {row["verdict"] for row in found["comparisons"]} == {"agrees"}
        assert (rows(found)[OLLAMA]["our_calls"], rows(found)[OLLAMA]["their_calls"]) == (1, 1)
        assert rows(found)[FIRST]["since"].endswith("-01T00:00:00Z")
        assert "error" not in found


@pytest.mark.parametrize(("key", "per"), [(SECOND, "key"), (OLLAMA, "account")])
def test_somebody_else_is_found(tmp_path: Path, key: str, per: str) -> None:
    with lab(tmp_path, f"{key}@check=others=0.42") as here:
        here.ask("-m", SERVED)
        here.ask("-m", ROUTED)
        done = here.run("costs", "--reconcile", "--json")
        assert done.code == 1
        row = rows(done.document)[key]
        assert (row["verdict"], row["per"]) == ("unexplained", per)
        assert row["unexplained_usd"] == pytest.approx(0.42, abs=0.001)
        assert "more than lbk knows of: somebody else is using" in row["detail"]
        assert f"lbk rotate {key}" in row["detail"]
        others = [row["verdict"] for name, row in rows(done.document).items() if name != key]
        assert set(others) == {"agrees"}
        assert here.run("costs", "--reconcile", "--tolerance", "0.5").code == 0


def test_a_lost_figure_takes_the_place_of_the_hold(tmp_path: Path) -> None:
    with lab(tmp_path, f"{FIRST}=cut:1", f"{FIRST}@check=404:2") as here:
        here.ask("-m", ROUTED, "--no-failover")
        held = of_key(here, FIRST)
        assert held.unconfirmed_usd == held.cost_usd > 0
        done = here.run("costs", "--reconcile", "--json")
        assert (done.code, done.err) == (0, "")
        lost = done.document["lost"]
        assert (lost["found"], lost["left"]) == (1, 0)
        assert lost["held_usd"] == pytest.approx(float(held.cost_usd))
        cell = of_key(here, FIRST)
        assert cell.cost_usd == Decimal(str(lost["cost_usd"])) < held.cost_usd
        assert (cell.calls, cell.errors) == (1, 1)
        assert cell.unconfirmed_usd == 0
        assert cell.completion_tokens > 0
        assert here.state.lost == {}
        assert here.run("costs", "--reconcile", "--json").document["lost"]["found"] == 0
        asked = [entry.status for entry in here.sandbox.requests if "/generation" in entry.path]
        assert asked == [404, 404, 200]


def test_a_figure_that_nobody_tells_is_left_for_the_next_run_and_explains_what_it_holds(tmp_path: Path) -> None:
    gone = json_reply(404, {"error": {"code": 404, "message": "Generation not found"}})
    with lab(tmp_path, f"{FIRST}=cut:1") as here:
        here.ask("-m", ROUTED, "--no-failover")
        here.sandbox.add(Fault.raw(FIRST, gone, where=FaultScope.CHECK, times=4))
        done = here.run("costs", "--reconcile", "--json", "--tolerance", "0")
        assert done.code == 0
        assert (done.document["lost"]["found"], done.document["lost"]["left"]) == (0, 1)
        row = rows(done.document)[FIRST]
        assert [part["by"] for part in row["explained"]] == ["unconfirmed"]
        assert (row["verdict"], row["unexplained_usd"]) == ("explained", 0)
        assert here.state.lost
        assert here.run("costs", "--reconcile", "--json").document["lost"]["found"] == 1


@pytest.mark.parametrize(
    "data",
    [{}, {"total_cost": None}, {"total_cost": 0, "tokens_prompt": 9, "tokens_completion": 9}, {"id": "gen-another"}],
)
def test_a_figure_that_cannot_be_believed_changes_nothing(tmp_path: Path, data: Json) -> None:
    with lab(tmp_path, f"{FIRST}=cut:1") as here:
        here.ask("-m", ROUTED, "--no-failover")
        held = of_key(here, FIRST)
        (mine,) = here.state.lost
        told = {"id": mine, "total_cost": 0.0001, **data} if data else data
        here.sandbox.add(Fault.raw(FIRST, json_reply(200, {"data": told}), where=FaultScope.CHECK))
        found = here.run("costs", "--reconcile", "--json").document
        assert (found["lost"]["found"], found["lost"]["left"]) == (0, 1)
        assert of_key(here, FIRST) == held


def test_only_openrouters_names_of_calls_are_kept(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=cut:1") as here:
        here.ask("-m", SERVED, "--no-failover")
        assert of_key(here, OLLAMA).unconfirmed_usd > 0
        assert here.state.lost == {}


def test_keys_of_one_account_are_one_row(tmp_path: Path) -> None:
    with lab(tmp_path, one_ollama_account=True) as here:
        here.ask("-m", SERVED)
        here.ask("-m", SERVED, "--key", OLLAMA_2)
        found = here.run("costs", "--reconcile", "--json").document
        row = rows(found)[OLLAMA]
        assert (row["keys"], row["our_calls"], row["their_calls"]) == ([OLLAMA, OLLAMA_2], 2, 2)
        assert row["verdict"] == "agrees"
        assert usages(here) == 1
        done = here.run("costs", "--reconcile")
        assert f"{OLLAMA}  " in done.out
        assert f"+ {OLLAMA_2}\n" in done.out


def test_keys_that_nobody_calls_one_account_are_known_by_their_sums(tmp_path: Path) -> None:
    """Where the account is not told: each key's provider tells the same, so they share it."""
    with lab(tmp_path, "ollama@account=404", one_ollama_account=True) as here:
        here.ask("-m", SERVED, "--max-tokens", "500")
        here.ask("-m", SERVED, "--key", OLLAMA_2)
        done = here.run("costs", "--reconcile", "--json", "--tolerance", "0")
        assert done.code == 0
        assert rows(done.document)[OLLAMA]["keys"] == [OLLAMA, OLLAMA_2]


def test_ollama_is_asked_once_a_minute(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        found = [here.quick("costs", "--reconcile", "--json").document for _ in range(7)]
        assert {rows(document)[OLLAMA]["verdict"] for document in found} == {"agrees"}
        assert usages(here) == 2, "once for each of two accounts"
        assert any("s old" in note for note in found[-1]["notes"])
        here.quick("costs", "--reconcile", "--month")
        assert usages(here) == 4, "the month is another question"


def test_a_provider_that_is_asked_too_often_is_not_compared(tmp_path: Path) -> None:
    with lab(tmp_path, "ollama@check=429") as here:
        here.ask("-m", SERVED)
        done = here.run("costs", "--reconcile", "--json")
        assert done.code == 0
        assert rows(done.document)[OLLAMA]["verdict"] == "not_compared"
        assert rows(done.document)[OLLAMA]["theirs_usd"] is None
        assert "asked too often (429)" in rows(done.document)[OLLAMA]["detail"]
        assert rows(done.document)[FIRST]["verdict"] == "agrees"


def test_a_plan_that_tells_no_money_is_not_compared(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        body = {"range": "24h", "from": "2026-11-22T06:00:00Z", "totals": {"request_count": 3}, "buckets": []}
        here.sandbox.add(Fault.raw(OLLAMA, json_reply(200, body), where=FaultScope.CHECK))
        row = rows(here.run("costs", "--reconcile", "--json").document)[OLLAMA]
        assert "not billed by the token" in row["detail"]


def test_where_nobody_can_be_asked(tmp_path: Path) -> None:
    with lab(tmp_path, "ollama@check=drop", "openrouter@check=drop") as here:
        done = here.run("costs", "--reconcile")
        assert done.code == 5
        assert "No provider could be asked" in done.err
        done = here.run("costs", "--reconcile", "--json")
        assert (done.code, done.document["error"]["code"], done.document["ok"]) == (5, "failed", False)
        here.env = {name: value for name, value in here.env.items() if name not in {OLLAMA, OLLAMA_2, *ROUTERS}}
        done = here.run("costs", "--reconcile")
        assert (done.code, "No key has a secret" in done.err) == (5, True)


def test_one_that_is_refused_does_not_hide_the_others(tmp_path: Path) -> None:
    with lab(tmp_path, f"{SECOND}@check=401") as here:
        done = here.run("costs", "--reconcile")
        assert done.code == 0
        assert f"{SECOND}: not compared: refused (401)" in done.out
        for name, secret in here.sandbox.secrets.items():
            assert secret not in done.out + done.err, name


@pytest.mark.parametrize("kind", ["echo", "html200", "junk", "error200", "redirect", "cut"])
def test_whatever_comes_back_no_secret_is_shown_or_kept(tmp_path: Path, kind: str) -> None:
    with lab(tmp_path, f"{FIRST}=cut:1", f"ollama@check={kind}", f"openrouter@check={kind}") as here:
        here.ask("-m", ROUTED, "--no-failover")
        done = here.run("costs", "--reconcile")
        assert (done.code, "Traceback" in done.err) == (5, False)
        kept = b"".join(file.read_bytes() for file in here.state_file.parent.rglob("*") if file.is_file())
        for name, secret in here.sandbox.secrets.items():
            assert secret not in done.out + done.err, name
            assert secret.encode() not in kept, name


def test_a_key_without_a_secret_is_named_where_it_spent(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.ask("-m", ROUTED)
        here.env = {name: value for name, value in here.env.items() if name not in {FIRST, THIRD}}
        found = rows(here.run("costs", "--reconcile", "--json").document)
        assert found[FIRST]["detail"] == f"{FIRST}: not compared: it has no secret."
        assert THIRD not in found


def test_two_names_for_one_secret_are_one_row(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.env |= {SECOND: here.env[FIRST]}
        here.ask("-m", ROUTED, "--key", FIRST)
        here.ask("-m", ROUTED, "--key", SECOND)
        done = here.run("costs", "--reconcile", "--json", "--tolerance", "0")
        assert done.code == 0
        assert rows(done.document)[FIRST]["keys"] == [FIRST, SECOND]


def test_a_call_on_its_way_explains_itself(tmp_path: Path) -> None:
    with lab(tmp_path, f"{FIRST}=stall=600:1") as here:
        asking = start_lbk(["ask", "-m", ROUTED, "hello"], here.env)
        try:
            assert asking.stdout is not None
            assert asking.stdout.read(1), "OpenRouter has begun, and booked it"
            done = here.run("costs", "--reconcile", "--json", "--tolerance", "0")
            row = rows(done.document)[FIRST]
            assert done.code == 0
            assert [part["by"] for part in row["explained"]] == ["on_their_way"]
            assert row["theirs_usd"] > row["ours_usd"] == 0
        finally:
            asking.kill()
            finished(asking)


def test_another_zone(tmp_path: Path) -> None:
    """Our day is not theirs: what is unclear for that reason is said to be."""
    with lab(tmp_path, settings='timezone = "Pacific/Kiritimati"') as here:
        here.ask("-m", SERVED)
        here.ask("-m", ROUTED)
        done = here.run("costs", "--reconcile", "--json", "--tolerance", "0")
        assert done.code == 0
        assert done.document["timezone"] == "Pacific/Kiritimati"
        assert {row["verdict"] for row in done.document["comparisons"]} <= {"agrees", "explained"}
        assert rows(done.document)[FIRST]["ours_usd"] > 0


def test_closed_days_count_for_the_month(tmp_path: Path) -> None:
    """Their sums are in the history, where this month's report looks for them."""
    first = utc_now().replace(day=1, hour=0, minute=0, second=1)

    def spend(snapshot: Snapshot, _now: datetime) -> tuple[Snapshot, None]:
        held = hold(first, "0.30")._replace(key=FIRST, provider=Provider.OPENROUTER)
        return settled(claimed(snapshot, held, first), held, first), None

    with lab(tmp_path) as here:
        opened(here.state_file, clock=lambda: first).update(spend)
        here.sandbox.add(f"{FIRST}@check=others=0.30")
        here.ask("-m", ROUTED)  # which closes that day, if it is not today
        done = here.run("costs", "--reconcile", "--month", "--json")
        assert (done.code, rows(done.document)[FIRST]["verdict"]) == (0, "agrees")
        assert rows(done.document)[FIRST]["ours_usd"] >= 0.3


def test_on_a_terminal(tmp_path: Path) -> None:
    with lab(tmp_path, f"{SECOND}@check=others=0.42") as here:
        here.ask("-m", ROUTED)
        drawn = on_terminal(["costs", "--reconcile"], {**here.env, "NO_COLOR": "1"})
        assert (drawn.code, "\x1b" in drawn.out) == (1, False)
        assert max(map(len, drawn.out.splitlines())) <= 80
        assert "somebody else is using" in " ".join(drawn.out.split())
        coloured = on_terminal(["costs", "--reconcile"], here.env).out
        assert "\x1b[31m" in coloured
        assert "lbk: asking the providers what they have charged …\r\x1b[K" in coloured


@pytest.mark.parametrize(
    "arguments",
    [
        ["--reconcile", "--by", "model"],
        ["--reconcile", "--csv"],
        ["--reconcile", "--since", "2026-11-01"],
        ["--reconcile", "--alert"],
        ["--reconcile", "--tolerance", "much"],
        ["--reconcile", "--tolerance", "-1"],
        ["--reconcile", "--tolerance", "NaN"],
        ["--tolerance", "1"],
    ],
)
def test_wrong_usage_asks_nobody(tmp_path: Path, arguments: list[str]) -> None:
    with lab(tmp_path) as here:
        done = here.quick("costs", *arguments)
        assert (done.code, done.out) == (2, "")
        assert here.sandbox.requests == ()
