"""`lbk metrics`: the text, the document, the file for a collector, and the port for a scrape."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from lollmsbot_keys.core.model.metric_family import Family
from lollmsbot_keys.edges.prometheus.http_endpoint import serving
from tests.lab import OLLAMA, OLLAMA_2, ROUTED, SERVED, Lab, lab
from tests.support import PATIENCE_S, command, finished, start_lbk

Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]
LAST_RUN = ("lbk_metrics_last_run_timestamp_seconds", ())


def read(text: str) -> Values:
    """Every sample of a text, by the official parser; that each says of which pool it is is not repeated."""
    return {
        (sample.name, tuple(sorted(pair for pair in sample.labels.items() if pair[0] != "pool"))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found: Values, name: str, **labels: str) -> float:
    """The sum of the samples of that name with at least these labels."""
    wanted = labels.items()
    return sum(value for (known, names), value in found.items() if known == name and wanted <= dict(names).items())


def names(here: Lab) -> set[str]:
    """What lies beside the state, but for the compiled configuration, which any command may write anew."""
    return {path.name for path in here.state_file.parent.iterdir() if "cache" not in path.name}


# --- the text and the document ---


def test_the_text_agrees_with_costs_and_changes_nothing(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=429retry=900:1") as here:
        here.ask("-m", SERVED)
        here.ask("-m", ROUTED)
        here.ask("-m", "gpt-oss:20b", "--key", "local")
        before = here.state_file.read_bytes(), here.sandbox.requests, names(here)
        done = here.run("metrics")
        assert (done.code, done.err) == (0, "")
        assert before == (here.state_file.read_bytes(), here.sandbox.requests, names(here))
        found, costs = read(done.out), here.run("costs", "--json").document
    for key in costs["keys"]:
        name = key["key"] or "local"
        assert of(found, "api_calls_total", key=name) == key["calls"]
        assert of(found, "api_cost_usd_total", key=name) == pytest.approx(key["cost_usd"])
        assert of(found, "daily_cost_usd", key=name) == pytest.approx(key["cost_usd"])
        assert of(found, "api_tokens_total", key=name, direction="out") == key["completion_tokens"]
        assert of(found, "api_errors_total", key=name) == key["errors"]
    for provider in costs["providers"]:
        name = provider["provider"]
        assert of(found, "monthly_cost_usd", provider=name) == pytest.approx(provider["month_usd"])
        if provider["used_percent"] is not None:
            used = of(found, "budget_utilization_percent", provider=name, window="day")
            assert used == pytest.approx(provider["used_percent"], abs=0.06)
    assert of(found, "api_calls_total") == 4
    assert of(found, "api_errors_total", key=OLLAMA, outcome="rate_limited") == 1
    assert of(found, "provider_failovers_total", provider="ollama") == 1
    assert of(found, "lbk_key_state", key=OLLAMA, state="cooling_down") == 1
    assert 0 < of(found, "lbk_key_cooldown_seconds", key=OLLAMA) <= 900
    assert time() - of(found, "lbk_key_last_success_timestamp_seconds", key=OLLAMA_2) < PATIENCE_S
    assert found["api_latency_seconds_bucket", (("key", "local"), ("le", "+Inf"), ("provider", "local"))] == 1
    assert not any(name.endswith("_created") for name, _ in found)


def test_the_document_has_the_same_samples(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        text, document = here.quick("metrics").out, here.quick("metrics", "--json").document
    told = {
        (sample["name"], tuple(sorted(sample["labels"].items()))): sample["value"]
        for family in document["families"]
        for sample in family["samples"]
    }
    moving = {"lbk_metrics_last_run_timestamp_seconds", "lbk_key_secret_age_seconds"}
    steady = {place: value for place, value in read(text).items() if place[0] not in moving}
    assert {place: value for place, value in told.items() if place[0] not in moving} == pytest.approx(steady)
    assert {family["type"] for family in document["families"]} == {"counter", "gauge", "histogram"}
    assert f"# HELP {document['families'][0]['name']} {document['families'][0]['help']}\n" in text


def test_without_secrets_the_state_tells_which_keys_are_ready(tmp_path: Path) -> None:
    """As cron runs it, with next to no environment."""
    with lab(tmp_path) as here:
        here.ask("-m", SERVED, "--key", OLLAMA)
        bare = {name: here.env[name] for name in ("HOME", "LBK_CONFIG", "LBK_STATE")}
        done = start_lbk(["metrics"], bare)
        found = read(finished(done).stdout)
    assert of(found, "lbk_key_state", key=OLLAMA, state="ready") == 1
    assert of(found, "lbk_key_state", key=OLLAMA_2, state="no_secret") == 1


def test_no_secret_no_account_no_address_of_an_alert(tmp_path: Path) -> None:
    settings = '[alerts]\nurls = ["mailtos://ada:hunter2@mail.example"]\n[keys.OLLAMA_API_KEY]\naccount = "ada"\n'
    with lab(tmp_path, f"{OLLAMA_2}=401", settings=settings) as here:
        here.ask("-m", SERVED)
        printed = [here.quick("metrics", *more).out for more in ([], ["--json"], ["--grafana"], ["--rules"])]
        hidden = {here.env[name] for name in here.sandbox.secrets} | {"hunter2", "mail.example", "ada"}
    for text in printed:
        assert len(text) > 1_000
        assert not [word for word in hidden if word in text]


def test_where_no_call_was_ever_made(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("metrics")
        assert (done.code, done.err) == (0, "")
        assert of(read(done.out), "api_calls_total") == 0
        assert not here.state_file.exists()


def test_a_damaged_state_is_said(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.state_file.write_text("no state of ours")
        done = here.run("metrics", "--json")
        assert (done.code, done.document["error"]["code"]) == (3, "state")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--serve", "--grafana"], "Choose one of --output, --serve, --grafana and --rules."),
        (["--output", "x.prom", "--rules"], "Choose one of"),
        (["--listen", "9847"], "Write it like 127.0.0.1:9847"),
        (["--listen", ":9847"], "Write it like 127.0.0.1:9847"),
        (["--listen", "127.0.0.1:99999"], "is no address"),
        (["--listen", "::1:9847"], "is no address"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], words: str) -> None:
    with lab(tmp_path) as here:
        done = here.quick("metrics", *arguments)
        assert done.code == 2
        assert words in done.err


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_has_one_remark(tmp_path: Path) -> None:
    """The design asks for a gauge of that name; by Prometheus's custom only a counter's name ends so."""
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        text = here.quick("metrics").out
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (checked.stdout + checked.stderr).strip().splitlines() == [
        'api_cost_total non-counter metrics should not have "_total" suffix'
    ]


# --- the file ---


def test_the_file_is_for_everybody_to_read_whatever_the_umask(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        file = tmp_path / "collector" / "lbk.prom"
        file.parent.mkdir()
        for _ in range(2):
            umask = f"umask 077; exec {' '.join(command(['metrics', '--output', str(file)]))}"
            done = subprocess.run(
                ["sh", "-c", umask], env=here.env, capture_output=True, text=True, timeout=PATIENCE_S, check=False
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            assert stat.S_IMODE(file.stat().st_mode) == 0o644
            assert list(file.parent.iterdir()) == [file]
        found = read(file.read_text())
        assert of(found, "api_calls_total") == 1
        assert time() - found[LAST_RUN] < PATIENCE_S
        told = here.run("metrics", "-o", str(file), "--json").document
        assert told == {"output": str(file), "samples": len(found)}


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o600, 0o664])
def test_a_file_that_was_there_keeps_its_mode_and_owner(tmp_path: Path, mode: int) -> None:
    with lab(tmp_path) as here:
        file = tmp_path / "lbk.prom"
        file.write_text("")
        file.chmod(mode)
        if os.getuid() == 0:
            os.chown(file, 65534, 65534)
        owners = file.stat().st_uid, file.stat().st_gid
        assert here.quick("metrics", "--output", str(file)).code == 0
        found = file.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (mode, *owners)


def test_each_pool_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Two of them may lie in one folder, where the same series twice is none at all."""
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        link = tmp_path / "link.json"
        link.symlink_to(here.state_file)
        calls = (("key", OLLAMA), ("provider", "ollama"))
        for arguments, pool in (
            ([], str(here.state_file.resolve())),
            (["--state", str(link)], str(here.state_file.resolve())),
            (["--state", str(tmp_path / "other.json")], str(tmp_path.resolve() / "other.json")),
            (["--pool", 'the "first"'], 'the "first"'),
        ):
            found = {
                (sample.name, tuple(sorted(sample.labels.items())))
                for family in text_string_to_metric_families(here.quick("metrics", *arguments).out)
                for sample in family.samples
            }
            assert all(("pool", pool) in labels for _, labels in found)
            assert ("api_calls_total", tuple(sorted((*calls, ("pool", pool))))) in found
            assert here.quick("metrics", "--json", *arguments).document["pool"] == pool


HELP = {
    "api_calls_total": "Calls sent to a provider, failed ones too.",
    "api_tokens_total": "Tokens as the providers count them: in (prompts), out (answers).",
    "api_cost_usd_total": "US dollars charged since the state began; later corrections count upwards only.",
    "api_cost_total": "The same US dollars as a gauge, for dashboards that know this name.",
    "api_latency_seconds": "How long calls took, from sending to the last byte. Calls whose end nobody saw are not in "
    "it.",
    "api_errors_total": "Calls that gave no whole answer, by what became of them.",
    "provider_calls_total": "Calls sent to a provider with any of its keys.",
    "provider_failovers_total": "Calls to a provider that stood in for one that had failed.",
    "daily_cost_usd": "US dollars charged on this budget day, without what is held.",
    "monthly_cost_usd": "US dollars charged in the month of this budget day, without what is held.",
    "lbk_daily_calls": "Calls of this budget day.",
    "budget_utilization_percent": "Share of a budget that is spent or held; at 100 nothing more is sent.",
    "lbk_budget_limit_usd": "The budget in US dollars.",
    "lbk_forecast_usd": "What a provider will have cost by the end at the recent pace; missing where it is too early "
    "to tell.",
    "lbk_budget_start_timestamp_seconds": "When this budget day and this month began.",
    "lbk_budget_end_timestamp_seconds": "When this budget day and this month end, and their budgets begin anew.",
    "lbk_holds": "Calls on their way, for each of which money is held.",
    "lbk_holds_usd": "US dollars held for calls on their way.",
    "lbk_key_state": "1 for the state that a key is in, 0 for all others.",
    "lbk_key_cooldown_seconds": "Time until a key that is left out for a while may be used again; 0 where it is not.",
    "lbk_key_hourly_calls": "Calls of the last sixty minutes.",
    "lbk_key_hourly_calls_limit": "Calls that a key may make in any sixty minutes.",
    "lbk_key_secret_age_seconds": "Time since a key's secret was first seen here; missing where it never was.",
    "lbk_key_last_success_timestamp_seconds": "When a key last gave a whole answer; missing where it never did.",
    "lbk_build_info": "The version of lbk that measured this.",
    "lbk_metrics_last_run_timestamp_seconds": "When this was measured.",
}
"""The words of every family. They stay as they are: node_exporter drops a series that two files explain differently."""


def test_the_explanations_are_the_same_for_ever(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        said = {family["name"]: family["help"] for family in here.quick("metrics", "--json").document["families"]}
    assert {name: said[name] for name in HELP} == HELP
    assert said.keys() == HELP.keys(), "add the new family here"


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        file = tmp_path / "lbk.prom"
        whole = len(read(here.quick("metrics").out))
        here.quick("metrics", "--output", str(file))
        seen: list[int] = []
        over = threading.Event()

        def look() -> None:
            while not over.is_set():
                seen.append(len(read(file.read_text())))

        reader = threading.Thread(target=look)
        reader.start()
        try:
            writers = [start_lbk(["metrics", "--output", str(file)], here.env) for _ in range(4)]
            assert [finished(writer).returncode for writer in writers] == [0] * 4
        finally:
            over.set()
            reader.join()
    assert set(seen) == {whole}


def test_counters_do_not_go_back_with_a_state_that_was_restored(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        file = tmp_path / "lbk.prom"
        here.ask("-m", SERVED, "--key", OLLAMA)
        older = here.state_file.read_bytes()
        for _ in range(2):
            here.ask("-m", SERVED, "--key", OLLAMA)

        def written() -> Values:
            assert here.quick("metrics", "--output", str(file)).code == 0
            return read(file.read_text())

        before = written()
        assert of(before, "api_calls_total") == 3
        here.state_file.write_bytes(older)
        assert of(read(here.quick("metrics").out), "api_calls_total") == 1
        after = written()
        counters = {p for p in before if p[0].startswith(("api_", "provider_")) and p[0] != "api_cost_total"}
        assert {place for place in counters if after[place] < before[place]} == set()
        assert of(after, "api_calls_total") == 3
        here.ask("-m", SERVED, "--key", OLLAMA)
        last = written()
        assert of(last, "api_calls_total") == 4
        assert of(last, "api_latency_seconds_count") == 4
        assert of(last, "daily_cost_usd") < of(last, "api_cost_usd_total")


def test_what_cannot_be_measured_leaves_the_old_file(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        file = tmp_path / "lbk.prom"
        here.quick("metrics", "--output", str(file))
        before = file.read_bytes()
        for damaged in (here.state_file, here.state_file.with_name("state.json.last-good")):
            damaged.write_text("no state of ours")
        done = here.run("metrics", "--output", str(file))
        assert (done.code, done.out, file.read_bytes()) == (3, "", before)
        assert "damaged" in done.err


@pytest.mark.parametrize("own", ["state.json", "fingerprint.key", "history/2026-10.json"])
def test_what_lbk_keeps_itself_is_not_overwritten(tmp_path: Path, own: str) -> None:
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        before = here.state_file.read_bytes()
        done = here.quick("metrics", "--output", str(here.state_file.parent / own))
        assert (done.code, done.out) == (3, "")
        assert "lbk keeps itself" in done.err
        assert here.state_file.read_bytes() == before


@pytest.mark.parametrize("place", ["missing/lbk.prom", "a-file/lbk.prom", "a-folder", "a-pipe"])
def test_a_file_that_cannot_be_written(tmp_path: Path, place: str) -> None:
    with lab(tmp_path) as here:
        (tmp_path / "a-file").touch()
        (tmp_path / "a-folder").mkdir()
        os.mkfifo(tmp_path / "a-pipe")
        done = here.quick("metrics", "--output", str(tmp_path / place))
        assert (done.code, done.out) == (3, "")
        assert str(tmp_path / place) in done.err
        assert "--output" in done.err
        assert stat.S_ISFIFO((tmp_path / "a-pipe").stat().st_mode)


# --- the port ---


class Served(NamedTuple):
    """A running `lbk metrics --serve`."""

    process: subprocess.Popen[str]
    url: str

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def get(self, path: str | None = None, **headers: str) -> tuple[int, str, str]:
        """Status, content type and body."""
        url = self.url if path is None else self.url.replace("/metrics", path)
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=PATIENCE_S) as reply:  # noqa: S310 - our own URL
                return reply.status, reply.headers["Content-Type"], reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read().decode()

    def values(self) -> Values:
        status, _, text = self.get()
        assert status == 200, text
        return read(text)

    def ended(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Its exit code and what it said."""
        self.process.send_signal(number)
        done = finished(self.process)
        return done.returncode, done.stderr


@contextmanager
def served(here: Lab, *arguments: str) -> Iterator[Served]:
    process = start_lbk(["metrics", "--serve", "--json", "--listen", "127.0.0.1:0", *arguments], here.env)
    try:
        assert process.stdout is not None
        announced = "".join(process.stdout.readline() for _ in range(3))
        yield Served(process, json.loads(announced)["url"])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_each_scrape_measures_anew(tmp_path: Path) -> None:
    with lab(tmp_path) as here, served(here) as server:
        assert of(server.values(), "api_calls_total") == 0
        here.ask("-m", SERVED)
        found = server.values()
        assert of(found, "api_calls_total") == 1
        assert time() - found[LAST_RUN] < PATIENCE_S
        status, kind, text = server.get(Accept="application/openmetrics-text;version=1.0.0")
        assert (status, kind.split(";")[0]) == (200, "application/openmetrics-text")
        families = {family.name: family.type for family in openmetrics_families(text)}  # type: ignore[no-untyped-call]
        assert families["api_calls"] == "counter"
        assert families["api_latency_seconds"] == "histogram"
        assert "_created" not in text
        assert server.get("/")[0] == 404
        assert server.get("/favicon.ico")[0] == 404


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_when_it_is_told_to(tmp_path: Path, number: int) -> None:
    """Also while somebody is connected who says nothing."""
    with lab(tmp_path) as here, served(here) as server, socket.create_connection(("127.0.0.1", server.port)):
        server.values()
        assert server.ended(number) == (0, "")


def test_a_state_that_cannot_be_read_is_a_scrape_that_fails_until_it_can(tmp_path: Path) -> None:
    with lab(tmp_path) as here, served(here) as server:
        here.ask("-m", SERVED, "--key", OLLAMA)
        older = here.state_file.read_bytes()
        here.ask("-m", SERVED, "--key", OLLAMA)
        assert of(server.values(), "api_calls_total") == 2
        copy = here.state_file.with_name("state.json.last-good")
        good = copy.read_bytes()
        for damaged in (here.state_file, copy):
            damaged.write_text("no state of ours")
        for _ in range(2):
            status, _, body = server.get()
            assert status == 503
            assert str(tmp_path) not in body
        copy.write_bytes(good)
        here.state_file.write_bytes(older)
        assert of(server.values(), "api_calls_total") == 2
        here.config.write_text("[nonsense]\n")
        assert server.get()[0] == 503
        code, said = server.ended()
        assert code == 0
        lines = said.splitlines()
        assert len([line for line in lines if "damaged" in line]) == 1
        assert lines.index("lbk: measuring again") == 1
        assert "nonsense" in lines[2]
        assert "Traceback" not in said


def test_many_scrapes_at_once(tmp_path: Path) -> None:
    with lab(tmp_path) as here, served(here) as server:
        here.ask("-m", SERVED)
        found: list[float] = []
        threads = [
            threading.Thread(target=lambda: found.append(of(server.values(), "api_calls_total"))) for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [1] * 12
        assert server.ended() == (0, "")


def test_a_bug_is_said_without_its_words() -> None:
    """They may hold anything. Here over IPv6, where this machine has it."""

    def measure() -> tuple[tuple[Family, ...], str]:
        raise ValueError("sk-hidden")

    said: list[str] = []
    host = "::1" if socket.has_ipv6 and Path("/proc/net/if_inet6").exists() else "127.0.0.1"
    with serving(host, 0, measure, lambda error: said.append(str(error))) as url:
        assert host in url
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url, timeout=PATIENCE_S)  # noqa: S310 - our own URL
        with refused.value:
            assert refused.value.code == 503
            assert b"sk-hidden" not in refused.value.read()
    assert len(said) == 1
    assert "ValueError" in said[0]
    assert "sk-hidden" not in said[0]


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with lab(tmp_path) as here, socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = here.run("metrics", "--listen", address)
        assert (done.code, done.out) == (3, "")
        assert f"Cannot listen on {address}" in done.err
        assert "--listen" in done.err


def test_whoever_opens_it_to_others_is_told(tmp_path: Path) -> None:
    with lab(tmp_path) as here, served(here, "--listen", "0.0.0.0:0") as server:
        server.get(server.url and None)
        assert "whoever reaches this address" in server.ended()[1]
