"""`lbk costs`: what the day cost, for people and for machines."""

from __future__ import annotations

import csv
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.outcome import CostSource, Usage
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.model.statement import By
from lollmsbot_keys.core.money.charges import Charge
from lollmsbot_keys.core.state.events import Settled, record
from lollmsbot_keys.render.costs.csv import COLUMNS
from tests.lab import OLLAMA, OLLAMA_2, ROUTED, ROUTERS, SERVED, Ended, lab, on_terminal
from tests.support import ROOT, claimed, command, hold, opened, run_lbk, utc_now

KEY = {"key", "provider", "status", "until", "calls", "prompt_tokens", "completion_tokens", "cost_usd", "errors"}
KEY |= {"today_usd", "month_usd", "daily_budget_usd", "used_percent", "monthly_budget_usd", "month_used_percent"}
PROVIDER = {"provider", "today_usd", "month_usd", "reserved_usd", "daily_budget_usd", "used_percent", "alert"}
PROVIDER |= {"monthly_budget_usd", "month_used_percent", "forecast"}
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
BLOCKS = frozenset("▏▎▍▌▋▊▉█")
DAY = timedelta(days=1)


def test_the_document(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=90:1") as here:
        answers = [here.ask("-m", SERVED), here.ask("-m", ROUTED), here.ask("-m", "gpt-oss:20b", "--key", "local")]
        requests = here.sandbox.requests
        done = here.run("costs", "--json")
        found = done.document
        assert (done.code, done.err) == (0, "")
        assert {"day", "timezone", "keys", "providers", "total", "alerts"} <= set(found)
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        assert (found["day"], found["timezone"], found["alerts"]) == (today, "UTC", [])
        assert (found["since"], found["until"], found["by"], found["complete"]) == (today, today, "key", True)
        assert all(set(key) >= KEY for key in found["keys"])
        assert all(set(provider) >= PROVIDER for provider in found["providers"])
        keys = {key["key"]: key for key in found["keys"]}
        assert [keys[OLLAMA][name] for name in ("status", "calls", "errors", "cost_usd")] == ["cooling_down", 1, 1, 0]
        assert keys[OLLAMA]["until"].endswith("Z")
        second = keys[OLLAMA_2]
        assert (second["status"], second["until"], second["calls"], second["failovers"]) == ("ready", None, 1, 1)
        assert second["cost_usd"] == pytest.approx(answers[0]["cost_usd"])
        assert second["completion_tokens"] == answers[0]["usage"]["completion_tokens"]
        assert keys[ROUTERS[0]]["cost_usd"] == pytest.approx(answers[1]["cost_usd"])
        assert (keys[None]["provider"], keys[None]["calls"], keys[None]["cost_usd"]) == ("local", 1, 0)
        assert found["total"]["calls"] == 4
        assert found["total"]["cost_usd"] == pytest.approx(sum(a["cost_usd"] for a in answers))
        providers = {p["provider"]: p for p in found["providers"]}
        assert providers["ollama"]["today_usd"] == pytest.approx(answers[0]["cost_usd"])
        assert providers["ollama"]["daily_budget_usd"] == 50
        assert (providers["local"]["daily_budget_usd"], providers["local"]["used_percent"]) == (None, None)
        assert not any(p["reserved_usd"] for p in found["providers"])
        assert here.sandbox.requests == requests


def test_the_table(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=cut:1", serve_retired=True) as here:
        here.ask("-m", SERVED, "--no-failover")
        here.ask("-m", "gemma3:12b", "--max-tokens", "10")
        done = here.run("costs")
        assert (done.code, done.err) == (0, "")
        lines, now = done.out.splitlines(), datetime.now(UTC)
        assert lines[0].startswith(f"{now:%A} {now.day} {now:%B %Y}, UTC · ends in ")
        assert lines[2].split() == ["KEY", "CALLS", "ERRORS", "FAILOVERS", "IN", "OUT", "USD", "STATE"]
        (row,) = [line for line in lines if line.startswith(f"{OLLAMA} ")]
        assert row.split()[1:4] == ["2", "1", "0"]
        assert row.split()[6].startswith("*?0.")
        (total,) = [line for line in lines if line.startswith("total ")]
        assert total.split()[1:3] == ["2", "1"]
        assert any(line.startswith("? unconfirmed, nobody saw the end") for line in lines)
        assert any(line.startswith("* of unknown price") for line in lines)
        assert not any(line.startswith("~") for line in lines)
        assert not any(line != line.rstrip() for line in lines)


def test_the_table_on_a_terminal(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=3000:1") as here:
        here.ask("-m", SERVED)
        drawn = on_terminal(["costs"], here.env)
        assert (drawn.code, "\x1b[" in drawn.out) == (0, True)
        plain = on_terminal(["costs"], {**here.env, "NO_COLOR": "1"})
        assert "\x1b" not in plain.out
        assert max(map(len, plain.out.splitlines())) <= 80
        assert "cooling down, back in 50 min" in " ".join(plain.out.split())
        wide = on_terminal(["costs"], {**here.env, "NO_COLOR": "1"}, columns=120)
        (row,) = [line for line in wide.out.splitlines() if line.startswith(f"{OLLAMA} ")]
        assert row.endswith("cooling down, back in 50 min")


def test_an_empty_day_in_another_zone(tmp_path: Path) -> None:
    with lab(tmp_path, settings='timezone = "Pacific/Kiritimati"') as here:
        found = here.run("costs", "--json").document
        assert found["timezone"] == "Pacific/Kiritimati"
        assert found["total"]["calls"] == 0
        assert {key["status"] for key in found["keys"]} == {"ready"}
        here.env = {name: value for name, value in here.env.items() if name != OLLAMA}
        keys = {key["key"]: key["status"] for key in here.run("costs", "--json").document["keys"]}
        assert (keys[OLLAMA], keys[OLLAMA_2]) == ("no_secret", "ready")
        assert "No calls." in here.run("costs", "--by", "model").out
        assert not here.state_file.exists()


# --- a ledger of some days, without a provider ---


def noon_somewhere() -> str:
    """A zone in which it is about noon: a test that lasts a minute sees one day, and two hours of it are over."""
    behind = utc_now().hour - 12
    return f"Etc/GMT{behind:+d}" if behind else "Etc/UTC"


class Shop:
    """A state with days before today, for real `lbk` processes."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.folder = folder
        (folder / "config.toml").write_text(f'timezone = "{noon_somewhere()}"\n{settings}', "utf-8")
        self.env = {
            "HOME": str(folder),
            "LBK_CONFIG": str(folder / "config.toml"),
            "LBK_STATE": str(folder / "state.json"),
            **dict.fromkeys((OLLAMA, OLLAMA_2, *ROUTERS), "made-up-for-this-test"),
        }
        self.today = date.fromisoformat(self.document()["day"])

    def spend(
        self,
        amount: str,
        *,
        days_ago: int = 0,
        source: CostSource = "provider",
        unconfirmed: bool = False,
        **changes: Any,  # noqa: ANN401 - the fields of a hold
    ) -> None:
        """One call, so many days ago."""
        now, usd = utc_now() - days_ago * DAY, Decimal(amount)
        held = hold(now, amount)._replace(day=self.today - days_ago * DAY, **changes)

        def change(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
            charge = Charge(usd, usd, source, unconfirmed)
            took = timedelta(milliseconds=5)
            settled = Settled(held.id, charge, Usage(1000, 200), took, failed=False, failover=False)
            return record(claimed(snapshot, held, now), settled, now), None

        opened(self.folder / "state.json", clock=lambda: now).update(change)

    def run(self, *args: str, **variables: str) -> Ended:
        done = run_lbk(["costs", *args], {**self.env, **variables}, timeout=60)
        return Ended(done.returncode, done.stdout, done.stderr)

    def document(self, *args: str) -> Any:  # noqa: ANN401 - looked into, not modelled
        return self.run("--json", *args).document

    def screen(self, columns: int, *args: str, **variables: str) -> list[str]:
        """The lines on a terminal, with their colours."""
        drawn = on_terminal(["costs", *args], {**self.env, **variables}, columns=columns)
        assert drawn.code == 0, drawn.out
        return drawn.out.splitlines()


def routed(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - the fields of a hold
    return {"key": ROUTERS[0], "provider": Provider.OPENROUTER, "model": "deepseek/deepseek-v3.2", **more}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Five days with everything that may be uncertain, on the days on which it is."""
    here = Shop(tmp_path, "[providers.ollama]\ndaily_budget_usd = 4\n[keys.OPENROUTER_API_KEY_1]\nmonthly_budget_usd=9")
    for days_ago in (70, 4, 3, 1):
        here.spend(f"0.{days_ago:02}", days_ago=days_ago, pillar="soul")
        here.spend("0.0000001", days_ago=days_ago, **routed(pillar="guardian"))
    here.spend("0.001", days_ago=3, source="unknown", model="nobody-knows")
    here.spend("0.25", source="estimate", pillar="soul")
    here.spend("1.50", source="estimate", unconfirmed=False, key=OLLAMA_2)
    here.spend("0.125", source="unknown", unconfirmed=True, **routed())
    here.spend("0", key="", provider=Provider.LOCAL, model="gpt-oss:20b")
    return here


def amounts(rows: list[dict[str, Any]], name: str) -> dict[str | None, float]:
    return {row[name]: row["cost_usd"] for row in rows}


def test_all_groupings_and_spans_tell_the_same_story(shop: Shop) -> None:
    spans = ((), ("--today",), ("--month",), ("--since", str(shop.today - 4 * DAY)), ("--since", "2020-01-01"))
    for span in spans:
        documents = [shop.document(*span, "--by", by) for by in By]
        totals = [{name: round(value, 9) for name, value in found["total"].items()} for found in documents]
        assert all(total == totals[0] for total in totals)
        for by, found in zip(By, documents, strict=True):
            assert (found["by"], found["complete"], found["gaps"]) == (by, True, [])
            for name in ("cost_usd", "calls", "prompt_tokens", "estimated_usd", "unconfirmed_usd", "unknown_usd"):
                assert sum(row[name] for row in found["rows"]) == pytest.approx(found["total"][name])
                assert sum(key[name] for key in found["keys"]) == pytest.approx(found["total"][name])


def test_the_rows_of_a_span(shop: Shop) -> None:
    since = str(shop.today - 4 * DAY)
    by_day = shop.document("--since", since, "--by", "day")
    assert (by_day["since"], by_day["until"], by_day["day"]) == (since, str(shop.today), str(shop.today))
    days = [str(shop.today - number * DAY) for number in (4, 3, 2, 1, 0)]
    assert list(amounts(by_day["rows"], "day")) == days
    assert list(amounts(by_day["rows"], "day").values()) == pytest.approx([0.0400001, 0.0310001, 0, 0.0100001, 1.875])
    models = shop.document("--since", since, "--by", "model")["rows"]
    assert [(row["model"], row["provider"]) for row in models] == [
        ("kimi-k2.6", "ollama"),
        ("deepseek/deepseek-v3.2", "openrouter"),
        ("nobody-knows", "ollama"),
        ("gpt-oss:20b", "local"),
    ]
    pillars = shop.document("--by", "pillar")["rows"]
    assert amounts(pillars, "pillar") == pytest.approx({None: 1.625, "soul": 0.25})
    keys = shop.document("--by", "key")["rows"]
    assert amounts(keys, "key") == pytest.approx({OLLAMA: 0.25, OLLAMA_2: 1.5, ROUTERS[0]: 0.125, None: 0})
    providers = shop.document("--by", "provider")["rows"]
    assert amounts(providers, "provider") == pytest.approx({"ollama": 1.75, "openrouter": 0.125, "local": 0})


def test_budgets_of_the_month_and_of_keys(shop: Shop) -> None:
    found = shop.document()
    days = {4: 0.04, 3: 0.031, 1: 0.01, 0: 1.75}
    month = sum(cost for number, cost in days.items() if (shop.today - number * DAY).month == shop.today.month)
    ollama = found["providers"][0]
    assert (ollama["daily_budget_usd"], ollama["used_percent"]) == (4, pytest.approx(43.8))
    assert (ollama["monthly_budget_usd"], ollama["month_used_percent"]) == (None, None)
    assert (ollama["today_usd"], ollama["month_usd"]) == (pytest.approx(1.75), pytest.approx(month))
    key = next(key for key in found["keys"] if key["key"] == ROUTERS[0])
    assert (key["monthly_budget_usd"], key["daily_budget_usd"], key["used_percent"]) == (9, None, None)
    assert key["month_used_percent"] == pytest.approx(1.4)


# --- tables ---


def rows_of(lines: list[str]) -> Iterator[list[str]]:
    return (ESCAPE.sub("", line).split() for line in lines)


def test_every_row_and_total_that_is_uncertain_bears_its_marks(shop: Shop) -> None:
    since = ("--since", str(shop.today - 4 * DAY))
    by_day = {row[1]: row[-1] for row in rows_of(shop.run(*since, "--by", "day").out.splitlines()) if len(row) == 8}
    assert by_day[str(shop.today)] == "~?1.875000"
    assert by_day[str(shop.today - 3 * DAY)] == "*0.031000"
    assert by_day[str(shop.today - 4 * DAY)] == "0.040000"
    done = shop.run(*since)
    (total,) = [row for row in rows_of(done.out.splitlines()) if row[:1] == ["total"]]
    assert total[-1] == "~*?1.956000"
    lines = done.out.splitlines()
    assert "~ estimated from tokens at a dated price: 1.750000 USD of the total" in lines
    assert "* of unknown price, booked at the most it can have cost: 0.001000 USD of the total" in lines
    (unsure,) = [line for line in lines if line.startswith("? unconfirmed")]
    assert unsure.endswith(": 0.125000 USD of the total")
    openrouter = next(
        row for row in rows_of(shop.run("--by", "provider").out.splitlines()) if row[:1] == ["openrouter"]
    )
    assert openrouter[-3] == "?0.125000"


def test_a_total_of_the_month_bears_the_marks_of_its_closed_days(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    days_ago = 1 if shop.today.day > 1 else 0
    shop.spend("0.5", days_ago=days_ago, source="estimate")
    shop.spend("0.25", days_ago=0)
    lines = shop.run().out.splitlines()
    (month,) = [row for row in rows_of(lines) if row[:2] == ["ollama", "month"]]
    assert month[2] == "~0.750000"
    assert any(line.endswith("0.500000 USD of this month") for line in lines if line.startswith("~"))


@pytest.mark.parametrize("args", [(), ("--month", "--by", "day"), ("--by", "model"), ("--by", "pillar", "--month")])
def test_nothing_is_wider_than_the_terminal_and_no_figure_is_cut(shop: Shop, args: tuple[str, ...]) -> None:
    total = shop.document(*args)["total"]
    for columns in (50, 80, 120):
        lines = [ESCAPE.sub("", line) for line in shop.screen(columns, *args)]
        assert max(map(len, lines)) <= columns
        (row,) = [line.split() for line in lines if line.startswith("total ")]
        digits = 4 if columns < 100 else 6
        assert row[1] == str(total["calls"])
        assert row[-1].lstrip("~*?") == f"{total['cost_usd']:.{digits}f}"


def test_bars_are_for_terminals_that_may_draw(shop: Shop) -> None:
    for args in ((), ("--by", "day", "--since", str(shop.today - 4 * DAY)), ("--by", "provider")):
        drawn = "\n".join(shop.screen(100, *args))
        assert BLOCKS & set(drawn), args
        for other in (
            "\n".join(shop.screen(100, *args, NO_COLOR="1")),
            "\n".join(shop.screen(100, *args, TERM="dumb")),
            shop.run(*args).out,
        ):
            assert not BLOCKS & set(other)
            assert "#" not in other
            assert "\x1b" not in other


def test_bars_are_as_long_as_what_they_stand_for_and_begin_together(shop: Shop) -> None:
    lines = [ESCAPE.sub("", line) for line in shop.screen(100, "--by", "day", "--since", str(shop.today - 4 * DAY))]
    days = [line for line in lines if re.match(r"\w{3} \d{4}-", line)]
    bars = [line.rstrip()[re.search(r"\.\d{6} *", line).end() :] for line in days]  # type: ignore[union-attr]
    begins = {len(line.rstrip()) - len(bar) for line, bar in zip(days, bars, strict=True) if bar}
    assert len(begins) == 1
    lengths = [len(bar) for bar in bars]
    assert lengths[2] == 0, "a day without calls"
    assert max(lengths) == lengths[4] > 10
    assert lengths[0] == lengths[1] == lengths[3] == 1, "little is not nothing"


def test_no_bar_is_cut(shop: Shop) -> None:
    """Where the longest one would lose its end, one that is a little shorter would look the same."""
    shop.spend("1.8375", days_ago=2)
    for columns in (76, 80, 100):
        drawn = shop.screen(columns, "--by", "day", "--since", str(shop.today - 2 * DAY))
        lines = [ESCAPE.sub("", line).rstrip() for line in drawn if " 20" in line]
        nearly, _, longest = (line for line in lines if re.match(r"\w{3} \d{4}-", line))
        assert longest.endswith("█")
        assert not nearly.endswith("█")


def test_bars_of_ascii_terminals(shop: Shop) -> None:
    drawn = "\n".join(shop.screen(100, PYTHONIOENCODING="ascii"))
    assert "####" in drawn
    assert not BLOCKS & set(drawn)


def test_a_budgets_bar_has_the_colour_of_its_use(shop: Shop) -> None:
    def colour(owner: str) -> str:
        (line,) = [line for line in shop.screen(100) if re.match(rf"{owner} +today", ESCAPE.sub("", line))]
        return line[line.index("%") - 30 : line.index("%")]

    assert "\x1b[32m" in colour("ollama"), "green"
    shop.spend("1.30")
    assert "\x1b[33m" in colour("ollama"), "yellow from the first threshold on"
    shop.spend("1.00")
    assert "\x1b[31m" in colour("ollama"), "red when it is used up"


def test_a_used_up_budget_is_a_state_of_its_keys(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "[keys.OLLAMA_API_KEY]\nmonthly_budget_usd = 0.5\n[providers.openrouter]\ndaily_budget_usd=1")
    shop.spend("0.5")
    shop.spend("1.00", **routed())
    status = {key["key"]: (key["status"], key["until"]) for key in shop.document()["keys"]}
    day_ends = shop.document()["day_ends"]
    assert status[OLLAMA][0] == "over_budget"
    assert status[OLLAMA][1] >= day_ends
    assert status[OLLAMA_2] == ("ready", None)
    assert {status[name] for name in ROUTERS} == {("over_budget", day_ends)}
    (row,) = [line for line in shop.run().out.splitlines() if line.startswith(f"{ROUTERS[2]} ")]
    assert re.search(r"over budget, back in \d+ h", row)


def test_how_old_the_prices_behind_todays_estimates_are(shop: Shop) -> None:
    found = shop.document("--month")["prices"]
    assert found["oldest"] == found["newest"]
    age = (shop.today - date.fromisoformat(found["oldest"])).days
    assert f"Today's estimates: prices of {found['oldest']}, {age} days old." in shop.run().out.splitlines()


def test_without_an_estimate_no_price_is_told(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.spend("0.5")
    assert shop.document()["prices"] is None
    assert "Today's estimates" not in shop.run().out


def test_what_a_model_is_called_is_neither_control_nor_markup(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.spend("0.5", model="\x1b]0;owned\x07[bold]x[/bold]\n::error::y")
    done = shop.run("--by", "model")
    assert "\x1b" not in done.out
    assert "[bold]x[/bold] ::error::y" in done.out


# --- forecasts ---


def test_too_early_is_said_and_nothing_is_made_up(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.spend("0.5")
    forecast = shop.document()["providers"][0]["forecast"]
    assert forecast.pop("reason") == "too early to tell: 1 of 10 calls today"
    assert set(forecast.values()) == {None}
    (row,) = [line for line in shop.run().out.splitlines() if re.match(r"ollama +–", line)]
    assert row.split(maxsplit=3)[1:] == ["–", "–", "too early to tell: 1 of 10 calls today"]


def test_where_a_day_is_heading(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "[providers.ollama]\ndaily_budget_usd = 2.1\nmonthly_budget_usd = 400\n")
    for days_ago in (3, 2, 1):
        shop.spend("4.00", days_ago=days_ago)
    for _ in range(10):
        shop.spend("0.2")
    forecast = shop.document()["providers"][0]["forecast"]
    assert 3 < forecast["day_usd"] < 5, "two dollars by noon, and four on the days before"
    assert forecast["month_usd"] >= forecast["day_usd"]
    assert utc_now() < datetime.fromisoformat(forecast["reached"]) < utc_now() + timedelta(hours=2)
    assert forecast["monthly_reached"] is None
    assert re.search(r"ollama +\d\.\d\d +\d+\.\d\d +the daily budget is used up in \d+ min", shop.run().out)


# --- spreadsheets ---


def records(done: Ended) -> list[dict[str, str]]:
    assert (done.code, done.err) == (0, "")
    return list(csv.DictReader(StringIO(done.out)))


def test_a_spreadsheet_gets_the_same_figures_exactly(shop: Shop) -> None:
    since = ("--since", str(shop.today - 70 * DAY))
    for by in By:
        found, rows = records(shop.run("--csv", *since, "--by", by)), shop.document(*since, "--by", by)["rows"]
        assert [one["name"] or None for one in found] == [row[by] for row in rows]
        assert {tuple(one) for one in found} == {COLUMNS}, "the same columns for every grouping"
        for one, row in zip(found, rows, strict=True):
            assert [int(one[name]) for name in COLUMNS[6:11]] == [row[name] for name in COLUMNS[6:11]]
            assert [float(one[name]) for name in COLUMNS[11:]] == [row[name] for name in COLUMNS[11:]]
    keys = {one["name"]: one for one in records(shop.run("--csv", *since))}
    assert keys[ROUTERS[0]]["cost_usd"] == "0.1250004"
    assert keys[OLLAMA]["provider"] == "ollama"
    assert (keys[OLLAMA]["since"], keys[OLLAMA]["until"]) == (since[1], str(shop.today))


def test_a_spreadsheet_is_never_drawn(shop: Shop) -> None:
    drawn = on_terminal(["costs", "--csv", "--by", "day"], shop.env, columns=40)
    assert "\x1b" not in drawn.out
    assert len(drawn.out.splitlines()) == 2
    raw = shop.run("--csv", "--by", "day").out
    assert raw.splitlines()[0] == ",".join(COLUMNS)


def test_lines_end_as_the_rfc_wants(shop: Shop) -> None:
    env = {"PYTHONPATH": str(ROOT), **shop.env}
    done = subprocess.run(command(["costs", "--csv"]), env=env, capture_output=True, timeout=60, check=True)
    lines = done.stdout.split(b"\r\n")
    assert lines[-1] == b""
    assert len(lines) == 1 + 4 + 1
    assert b"\n" not in b"".join(lines)


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1", " =1", "\uff1d1+1", 'x";=1+1', "a;=1+1", "a,=1+1"]
)
def test_no_name_is_a_formula(tmp_path: Path, name: str) -> None:
    shop = Shop(tmp_path)
    shop.spend("0.5", model=name)
    done = shop.run("--csv", "--by", "model")
    (only,) = records(done)
    assert not only["name"].lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
    assert only["cost_usd"] == "0.5"
    cells = next(csv.reader([done.out.splitlines()[1]], delimiter=";"))
    assert not any(cell.startswith("=") for cell in cells), "nor where the spreadsheet parts at semicolons"


# --- what cannot be ---


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--today", "--month"), "choose one"),
        (("--month", "--since", "2026-11-01"), "choose one"),
        (("--json", "--csv"), "choose one"),
        (("--since", "yesterday"), "expected a day such as 2026-11-01"),
        (("--since", "2026-13-01"), "expected a day such as 2026-11-01"),
        (("--since", "9999-01-01"), "--since 9999-01-01 is still to come"),
        (("--by", "week"), "'week' is not one of"),
    ],
)
def test_wrong_usage(tmp_path: Path, args: tuple[str, ...], words: str) -> None:
    done = Shop(tmp_path).run(*args)
    assert done.code == 2
    assert words in done.out + done.err


def test_a_month_that_is_lost_is_said_wherever_it_would_count(shop: Shop) -> None:
    since = shop.today - 70 * DAY
    month = f"{since:%Y-%m}"
    file = shop.folder / "history" / f"{month}.json"
    file.unlink()
    found = shop.document("--since", str(since))
    assert (found["complete"], found["gaps"]) == (
        False,
        [{"month": month, "lacking_usd": 0.7000001, "damaged": None}],
    )
    done = shop.run("--since", str(since))
    assert f"! incomplete: the history lacks 0.700000 USD of {month}" in done.out.splitlines()
    assert f"{file} lacks 0.7000001 USD of {month}" in done.err
    assert "Restore it from a backup" in done.err
    assert shop.run("--since", str(since), "--csv").err == done.err
    assert shop.document()["complete"] is True


def test_a_damaged_month_ends_the_report_that_needs_it(shop: Shop) -> None:
    since = shop.today - 70 * DAY
    file = shop.folder / "history" / f"{since:%Y-%m}.json"
    file.write_text("[]")
    for form in ((), ("--json",), ("--csv",)):
        done = shop.run("--since", str(since), *form)
        assert done.code == 3
        assert f"{file} is damaged" in done.out + done.err
        assert "cost_usd" not in done.out
    assert shop.run().code == 0
