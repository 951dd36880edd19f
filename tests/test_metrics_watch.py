"""What is made for one configuration: rules that Prometheus tests, and a dashboard whose queries it answers."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

import pytest
import yaml

from lollmsbot_keys.core.metrics.collect import measured
from lollmsbot_keys.core.model.config import Config, Provider
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.render.monitoring.grafana import dashboard
from lollmsbot_keys.render.monitoring.prometheus_rules import rules_tree, rules_yaml
from tests.lab import OLLAMA, ROUTED, SERVED, Lab, lab
from tests.strategies import CONFIG, FACTS, NOW, with_key, with_settings
from tests.support import PATIENCE_S, finished, start_lbk

Tree = dict[str, Any]

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def all_budgets() -> Config:
    config = with_settings(CONFIG, Provider.OLLAMA, lambda s: s._replace(monthly_budget_usd=Decimal(200)))
    config = config._replace(alerts=config.alerts._replace(at_percent=(Decimal("62.5"), Decimal(80), Decimal(100))))
    return with_key(config, "O1", lambda key: key._replace(daily_budget_usd=Decimal(4), monthly_budget_usd=Decimal(40)))


def no_budgets() -> Config:
    for_free = CONFIG
    for provider in Provider:
        for_free = with_settings(for_free, provider, lambda s: s._replace(daily_budget_usd=None))
    return for_free


CONFIGS = {
    "usual": CONFIG,
    "all budgets": all_budgets(),
    "no budgets": no_budgets(),
    "no keys": CONFIG._replace(keys=()),
}
each_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def rules_of(config: Config) -> list[Tree]:
    (group,) = cast("list[Tree]", rules_tree(config)["groups"])
    return cast("list[Tree]", group["rules"])


def panels_of(config: Config) -> list[Tree]:
    return cast("list[Tree]", dashboard(config)["panels"])


def queries_of(config: Config) -> list[tuple[str, str]]:
    return [(panel["title"], target["expr"]) for panel in panels_of(config) for target in panel["targets"]]


# --- rules ---


@each_config
def test_the_yaml_says_the_same_as_the_tree(config: Config) -> None:
    text = rules_yaml(config)
    assert yaml.safe_load(text) == json.loads(json.dumps(rules_tree(config)))
    assert text.isascii()
    assert all(line == line.rstrip() for line in text.splitlines())


def test_rules_are_made_for_the_budgets_and_thresholds_there_are() -> None:
    def alerts(config: Config) -> list[tuple[str, str | None]]:
        return [
            (r["alert"], r["labels"].get("threshold"))
            for r in rules_of(config)
            if "alert" in r and "Budget" in r["alert"]
        ]

    assert alerts(CONFIG) == [("LbkBudgetUsed", "75"), ("LbkBudgetUsed", "100"), ("LbkBudgetForecast", None)]
    assert alerts(all_budgets()) == [
        ("LbkBudgetUsed", "62.5"),
        ("LbkBudgetUsed", "80"),
        ("LbkBudgetUsed", "100"),
        ("LbkBudgetForecast", None),
        ("LbkKeyBudgetForecast", None),
    ]
    assert alerts(no_budgets()) == []
    assert "O1, O2, R1, R2, R3; shares of a budget that alert: 62.5 %, 80 %, 100 %" in rules_yaml(all_budgets())


def names_in(expressions: Iterable[str]) -> set[str]:
    return {
        name for text in expressions for name in re.findall(r"\b(?:api|provider|daily|monthly|budget|lbk)_\w+", text)
    }


@each_config
def test_every_name_in_a_rule_or_a_query_is_measured(config: Config) -> None:
    """A family without a sample so far counts too."""
    found = {family.name for family in measured(config, Snapshot(), FACTS, NOW, "1")}
    found |= {f"api_latency_seconds_{part}" for part in ("bucket", "sum", "count")}
    recorded = {rule["record"].partition(":")[2].partition(":")[0] for rule in rules_of(config) if "record" in rule}
    used = names_in([rule["expr"] for rule in rules_of(config)] + [query for _, query in queries_of(config)])
    assert used - recorded <= found
    assert len(used) >= 12


@needs_promtool
@each_config
def test_promtool_finds_the_rules_in_order(config: Config, tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(rules_yaml(config))
    done = promtool("check", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules_of(config))} rules found" in done.stdout


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False)


BUDGET = 'provider="ollama", scope="provider", window="day"'
KEY_BUDGET = 'key="O1", provider="ollama", scope="key", window="day"'
A_DAY = {
    'lbk_budget_start_timestamp_seconds{window="day"}': "0x2000",
    'lbk_budget_end_timestamp_seconds{window="day"}': "86400x2000",
}


def key_state(key: str, state: str, values: str, provider: str = "ollama") -> dict[str, str]:
    return {f'lbk_key_state{{key="{key}", provider="{provider}", state="{state}"}}': values}


class Due(NamedTuple):
    """An alert that is to be there, with all it says."""

    name: str
    labels: Mapping[str, str]
    summary: str
    description: str


def used(share: str, percent: int, end: str, *, key: str = "") -> Due:
    owner = f"keys.{key}" if key else "providers.ollama"
    return Due(
        "LbkBudgetUsed",
        {
            "severity": "critical" if percent >= 100 else "warning",
            "threshold": share,
            "provider": "ollama",
            "window": "day",
            "scope": "key" if key else "provider",
            **({"key": key} if key else {}),
        },
        f"{f'ollama {key}'.strip()}: {percent} % of the budget of the day is spent or held",
        f"{end} until the day ends. lbk costs --by model shows what cost most; the limit is {owner}.daily_budget_usd.",
    )


def heading_for(percent: int) -> Due:
    return Due(
        "LbkKeyBudgetForecast",
        {"severity": "warning", "key": "O1", "provider": "ollama", "window": "day", "scope": "key"},
        f"O1 is heading for {percent} % of its budget of the day",
        "At its average pace it is used up before the day ends. lbk costs --by model shows what costs most; "
        "the limit is keys.O1.daily_budget_usd.",
    )


NOTHING_MORE, AT_100 = "Nothing more is sent on it", "At 100 % nothing more is sent on it"
CASES: dict[str, tuple[Mapping[str, str], Mapping[str, Sequence[Due]]]] = {
    # What is fed, one value a minute from 1970 on, and the alerts that are there at which time, and no others.
    "a share of a budget": (
        {f"budget_utilization_percent{{{BUDGET}}}": "50x4 70x9 85x9 100x9 3x9"},
        {
            "4m": [],
            "5m": [],
            "7m": [used("62.5", 70, AT_100)],
            "18m": [used("80", 85, AT_100)],
            "28m": [used("100", 100, NOTHING_MORE)],
            "37m": [],
        },
    ),
    "a key's own budget": (
        {f"budget_utilization_percent{{{KEY_BUDGET}}}": "104x9"},
        {"5m": [used("100", 104, NOTHING_MORE, key="O1")]},
    ),
    "a provider is heading beyond its budget": (
        {
            'lbk_forecast_usd{provider="ollama", window="day"}': "40x9 66x60 20x30",
            f"lbk_budget_limit_usd{{{BUDGET}}}": "50x100",
            f"budget_utilization_percent{{{BUDGET}}}": "20x50 100x50",
        },
        {
            "12m": [],
            "30m": [
                Due(
                    "LbkBudgetForecast",
                    {"severity": "warning", "provider": "ollama", "window": "day"},
                    "ollama is heading for 132 % of its budget of the day",
                    "At the recent pace it is used up before the day ends. lbk costs --by model shows what costs most; "
                    "the limit is providers.ollama.daily_budget_usd.",
                )
            ],
            "60m": [used("100", 100, NOTHING_MORE)],  # it has come true
        },
    ),
    "a key is heading beyond its budget": (
        {
            **A_DAY,
            f"budget_utilization_percent{{{KEY_BUDGET}}}": "20x400",
            'lbk_daily_calls{key="O1", provider="ollama"}': "9x150 10x400",
        },
        {
            "149m": [],  # there were too few calls
            "180m": [heading_for(160)],
            "300m": [],
        },
    ),
    "a key that is heading beyond its budget early in the day": (
        {
            **A_DAY,
            f"budget_utilization_percent{{{KEY_BUDGET}}}": "11x400",
            'lbk_daily_calls{key="O1", provider="ollama"}': "10x400",
        },
        {"119m": [], "144m": [heading_for(110)], "200m": []},  # not in the first two hours
    ),
    "a disabled key": (
        {**key_state("O1", "disabled", "0x4 1x4 0x4"), **key_state("O2", "ready", "1x20")},
        {
            "4m": [],
            "6m": [
                Due(
                    "LbkKeyDisabled",
                    {"severity": "warning", "key": "O1", "provider": "ollama", "state": "disabled"},
                    "O1 is disabled: ollama refused its secret",
                    "Replace it with lbk rotate O1, or if it is good after all, prove it with lbk test-keys O1.",
                )
            ],
            "12m": [],
        },
    ),
    "a shrinking pool": (
        {
            **key_state("O1", "ready", "1x60 0x2000"),
            **key_state("O1", "no_credit", "0x60 1x2000"),
            **key_state("O2", "ready", "1x90 0x30 1x2000"),
            **key_state("O2", "cooling_down", "0x90 1x30 0x2000"),
        },
        {
            "59m": [],
            "65m": [],
            "85m": [
                Due(
                    "LbkPoolShrinking",
                    {"severity": "warning"},
                    "Keys that are of use: 1, fewer than within the last day",
                    "The others are disabled, without credit, without a secret, or switched off. lbk costs shows "
                    "which, lbk test-keys why.",
                )
            ],
            "1600m": [],  # this is the pool now
        },
    ),
    "a pool of which a key cools down": (
        {
            **key_state("O1", "ready", "1x200"),
            **key_state("O2", "ready", "1x60 0x140"),
            **key_state("O2", "cooling_down", "0x60 1x140"),
        },
        {"59m": [], "120m": []},
    ),
    "no key of a provider is ready": (
        {
            **key_state("O1", "ready", "1x5 0x60"),
            **key_state("O1", "hourly_limit", "0x5 1x60"),
            **key_state("R1", "ready", "0x60", "openrouter"),  # a provider without a secret was never in the pool
            **key_state("R1", "no_secret", "1x60", "openrouter"),
            **key_state("R2", "off", "1x60", "openrouter"),
        },
        {
            "5m": [],
            "15m": [
                Due(
                    "LbkNoKeyReady",
                    {"severity": "critical", "provider": "ollama"},
                    "No key of ollama is ready",
                    "lbk route says why, and when the first comes free; lbk reset-limits --provider ollama tries "
                    "again now.",
                )
            ],
        },
    ),
    "figures that stand still": (
        {"lbk_metrics_last_run_timestamp_seconds": "0+60x5 300x60"},
        {
            "20m": [],
            "25m": [
                Due(
                    "LbkMetricsStale",
                    {"severity": "warning"},
                    "lbk metrics has not run for 20m 0s",
                    "Its figures are old, and no other alert can be believed. Run the line that cron runs by hand: "
                    "lbk metrics --output FILE says what is wrong.",
                )
            ],
        },
    ),
    "no figures at all": (
        {"lbk_metrics_last_run_timestamp_seconds": "0+60x5 stale"},
        {
            "19m": [],
            "25m": [
                Due(
                    "LbkMetricsMissing",
                    {"severity": "warning"},
                    "There are no figures of lbk",
                    "Neither a textfile nor a scrape brings any. See that lbk metrics --serve runs and is scraped, or "
                    "that the collector reads the FILE of lbk metrics --output.",
                )
            ],
        },
    ),
}


@needs_promtool
def test_each_alert_is_there_when_it_should_be_and_only_then(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rules_yaml(all_budgets()))
    names = sorted({rule["alert"] for rule in rules_of(all_budgets()) if "alert" in rule})
    tests = []
    for case, (fed, due) in CASES.items():
        fresh = {"lbk_metrics_last_run_timestamp_seconds": "0+60x3000"} | dict(fed)
        tests.append(
            {
                "name": case,
                "interval": "1m",
                "input_series": [{"series": series, "values": values} for series, values in fresh.items()],
                "alert_rule_test": [
                    {"eval_time": at, "alertname": name, "exp_alerts": [_alert(d) for d in alerts if d.name == name]}
                    for at, alerts in due.items()
                    for name in names
                ],
            }
        )
    assert {alert.name for _, due in CASES.values() for alerts in due.values() for alert in alerts} == set(names)
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}))
    done = promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def _alert(due: Due) -> Tree:
    return {
        "exp_labels": dict(due.labels),
        "exp_annotations": {"summary": due.summary, "description": due.description},
    }


# --- the dashboard ---


@each_config
def test_panels_fill_the_grid_and_none_hides_another(config: Config) -> None:
    panels = panels_of(config)
    assert len({panel["id"] for panel in panels}) == len(panels) == 17
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells = {(column, row) for column in columns for row in rows}
        assert taken.isdisjoint(cells), panel["title"]
        taken |= cells
    assert taken == {(column, row) for column in range(24) for row in range(max(row for _, row in taken) + 1)}


def test_the_dashboard_is_made_for_these_keys_and_thresholds() -> None:
    made = dashboard(all_budgets())
    variables = {v["name"]: v for v in cast("Any", made)["templating"]["list"]}
    assert variables["key"]["query"] == "O1,O2,R1,R2,R3,local"
    assert variables["provider"]["query"] == "ollama,openrouter,local"
    assert variables["DS_PROMETHEUS"]["type"] == "datasource"
    panels = {panel["title"]: panel for panel in panels_of(all_budgets())}
    steps = panels["Budget use"]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["value"], step["color"]) for step in steps] == [
        (None, "green"),
        (62.5, "yellow"),
        (80, "orange"),
        (100, "red"),
    ]
    assert len(panels["Time left to a budget"]["targets"]) == 2
    assert len({p["title"]: p for p in panels_of(CONFIG)}["Time left to a budget"]["targets"]) == 1


@each_config
def test_every_query_goes_to_the_chosen_prometheus(config: Config) -> None:
    for panel in panels_of(config):
        for target in [panel, *panel["targets"]]:
            assert target["datasource"] == {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    assert all(f'"${name}"' in query for _, query in queries_of(config) for name in ["instance"])


@each_config
def test_grafanas_own_models_know_every_field(config: Config) -> None:
    models = pytest.importorskip("grafana_foundation_sdk.models.dashboard", reason="grafana-foundation-sdk is not here")
    plugins = pytest.importorskip("grafana_foundation_sdk.cog.plugins")
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder")
    plugins.register_default_plugins()
    made = json.loads(json.dumps(dashboard(config)))
    read = json.loads(json.dumps(models.Dashboard.from_json(made), cls=encoder.JSONEncoder))
    assert list(lost(made, read)) == []


def lost(one: object, other: object, place: str = "") -> Iterator[str]:
    """What of `one` is not in `other`."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name, value in one.items():
            yield from lost(value, other.get(name), f"{place}/{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (value, counterpart) in enumerate(zip(one, other, strict=True)):
            yield from lost(value, counterpart, f"{place}/{number}")
    elif one != other:
        yield place


@needs_promtool
def test_time_left_to_a_budget(tmp_path: Path) -> None:
    """Each provider spends 1 and 4 dollars an hour, twenty hours before the day ends."""
    owners = {
        'provider="ollama", scope="provider", window="day"': ("50", "90", 5 * 3600),
        'provider="openrouter", scope="provider", window="day"': ("20", "110", 0),  # a bound was too low
        'provider="ollama", scope="provider", window="month"': ("500", "10", -1),
        'provider="ollama", key="O1", scope="key", window="day"': ("4", "50", 2 * 3600),
        'provider="ollama", key="O2", scope="key", window="day"': ("4", "100", 0),  # and spends nothing now
        'provider="ollama", key="O3", scope="key", window="day"': ("4", "50", -1),
    }
    where = 'instance="a", job="lbk"'
    fed = {
        f'lbk_budget_end_timestamp_seconds{{{where}, window="day"}}': f"{22 * 3600}x200",
        f'lbk_budget_end_timestamp_seconds{{{where}, window="month"}}': f"{300 * 3600}x200",
        f'api_cost_usd_total{{{where}, provider="ollama", key="O1"}}': f"0+{1 / 60!r}x200",
        f'api_cost_usd_total{{{where}, provider="ollama", key="O2"}}': "3x200",
        f'api_cost_usd_total{{{where}, provider="ollama", key="O3"}}': "3x200",
        f'api_cost_usd_total{{{where}, provider="openrouter", key="R1"}}': f"0+{4 / 60!r}x200",
    }
    for labels, (limit, percent, _) in owners.items():
        fed[f"lbk_budget_limit_usd{{{where}, {labels}}}"] = f"{limit}x200"
        fed[f"budget_utilization_percent{{{where}, {labels}}}"] = f"{percent}x200"
    queries = [query for title, query in queries_of(all_budgets()) if title == "Time left to a budget"]
    expected = [
        [
            {"labels": f"{{{where}, {labels}}}", "value": left}
            for labels, (_, _, left) in owners.items()
            if kind in labels
        ]
        for kind in ('scope="provider"', 'scope="key"')
    ]
    tests = [
        # Rounded, because a rate is not exact to the last digit.
        {"eval_time": "2h", "expr": f"round({chosen(query, 'a')})", "exp_samples": samples}
        for query, samples in zip(queries, expected, strict=True)
    ]
    series = [{"series": name, "values": values} for name, values in fed.items()]
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": tests}]}))
    done = promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


# --- a real Prometheus ---


class Prometheus:
    """A server that scrapes some targets once a second."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, query: str) -> list[Tree]:
        """The series that a query gives now. Fails where the server finds it wrong."""
        try:
            with urllib.request.urlopen(f"{self._url}/api/v1/query?{urlencode({'query': query})}") as reply:  # noqa: S310 - our own
                return cast("list[Tree]", json.load(reply)["data"]["result"])
        except urllib.error.HTTPError as error:
            pytest.fail(f"{query}: {error.read().decode()}")

    def wait_for(self, query: str) -> list[Tree]:
        deadline = monotonic() + PATIENCE_S / 2
        while not (found := self.ask(query)):
            assert monotonic() < deadline, f"no data: {query}"
            sleep(0.2)
        return found


@contextmanager
def running(arguments: Sequence[str], folder: Path) -> Iterator[None]:
    with (folder / f"{Path(arguments[0]).name}.log").open("w") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log, cwd=folder)
        try:
            yield
        finally:
            process.kill()
            process.wait()


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, str], rules: str) -> Iterator[Prometheus]:
    """One that scrapes each job's target, with those rules."""
    (folder / "rules.yml").write_text(rules)
    jobs = [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in targets.items()]
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (folder / "prometheus.yml").write_text(
        json.dumps({"global": every, "rule_files": ["rules.yml"], "scrape_configs": jobs})
    )
    address = f"127.0.0.1:{free_port()}"
    server = [
        "prometheus",
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address={address}",
    ]
    with running(server, folder):
        deadline = monotonic() + PATIENCE_S / 2
        while True:
            try:
                urllib.request.urlopen(f"http://{address}/-/ready").close()
                break
            except OSError:
                assert monotonic() < deadline, (folder / "prometheus.log").read_text()
                sleep(0.2)
        yield Prometheus(f"http://{address}")


def free_port() -> int:
    """One that nobody has; where somebody takes it in between, the test says so."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def scraped(here: Lab) -> Iterator[str]:
    """`lbk metrics --serve`; the value is its address."""
    process = start_lbk(["metrics", "--serve", "--json", "--listen", "127.0.0.1:0"], here.env)
    try:
        assert process.stdout is not None
        told = json.loads("".join(process.stdout.readline() for _ in range(3)))
        yield told["url"].removeprefix("http://").removesuffix("/metrics")
    finally:
        process.terminate()
        process.communicate()


def chosen(query: str, instance: str, pool: str = "") -> str:
    """A query of the dashboard as Grafana sends it, with everything chosen of one pool; old figures have no name."""
    whole = {"$__rate_interval": "1m", "$instance": instance, "$pool": pool, "$provider": ".*", "$key": ".*"}
    for name, value in whole.items():
        query = query.replace(name, value)
    return query


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
def test_a_real_prometheus_answers_every_query_with_data(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}=500:2") as here:
        use_budgets(here)
        rules, made = here.quick("metrics", "--rules").out, here.quick("metrics", "--grafana").document
        with scraped(here) as address, prometheus(tmp_path, {"lbk": address}, rules) as server:
            server.wait_for('lbk_build_info{job="lbk"}')
            for _ in range(3):
                here.ask("-m", SERVED)
            here.ask("-m", ROUTED)
            server.wait_for('increase(api_errors_total{outcome="server_error"}[1m]) > 0')
            for panel in made["panels"]:
                for target in panel["targets"]:
                    server.wait_for(chosen(target["expr"], address, str(here.state_file)))
            calls = sum(key["calls"] for key in here.quick("costs", "--json").document["keys"])
            assert calls == 6
            assert server.wait_for(f"sum(api_calls_total) == {calls}")  # the last scrape may be older
            server.wait_for("lbk:keys_usable:sum")
            assert server.ask('ALERTS{alertname=~"Lbk.*"}') == []
            assert server.wait_for("scrape_samples_scraped")[0]["value"][1] != "0"


@pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("prometheus-node-exporter")),
    reason="prometheus and its node exporter are not installed",
)
def test_a_real_collector_reads_the_file(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        here.ask("-m", SERVED)
        folder = tmp_path / "collector"
        folder.mkdir()
        file = folder / "lbk.prom"
        assert finished(start_lbk(["metrics", "--output", str(file)], here.env)).returncode == 0
        address = f"127.0.0.1:{free_port()}"
        exporter = [
            "prometheus-node-exporter",
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={folder}",
            f"--web.listen-address={address}",
        ]
        beside = tmp_path / "beside.json"  # another pool, with the same keys
        other = ["metrics", "--state", str(beside), "--output", str(folder / "beside.prom")]
        assert finished(start_lbk(other, here.env)).returncode == 0
        rules = here.quick("metrics", "--rules").out
        with running(exporter, tmp_path), prometheus(tmp_path, {"node": address}, rules) as server:
            found = server.wait_for(f'api_calls_total{{key="{OLLAMA}"}}')
            counted = {calls["metric"]["pool"]: (calls["metric"]["job"], calls["value"][1]) for calls in found}
            assert counted == {str(here.state_file): ("node", "1"), str(beside): ("node", "0")}
            assert server.wait_for("node_textfile_scrape_error")[0]["value"][1] == "0"
            assert server.wait_for(chosen('budget_utilization_percent{pool="$pool"}', address, str(here.state_file)))
            for age in server.wait_for("time() - lbk_metrics_last_run_timestamp_seconds"):
                assert 0 <= float(age["value"][1]) < PATIENCE_S


def use_budgets(here: Lab) -> None:
    """Budgets of a key and of a month, which nobody has by default."""
    text = here.config.read_text("utf-8")
    text = text.replace("[providers.openrouter]\n", "[providers.openrouter]\nmonthly_budget_usd = 100\n")
    here.config.write_text(f"{text}\n[keys.{OLLAMA}]\ndaily_budget_usd = 5\n", "utf-8")
