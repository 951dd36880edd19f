"""`lbk costs --alert` and its channels: real processes, a real state, loopback servers that hear, refuse or hang."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from apprise import AppriseAsset

from lollmsbot_keys.core.model.alert import Tone
from lollmsbot_keys.core.model.snapshot import Raised
from lollmsbot_keys.edges.config.cache import SETTLED_NS
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.edges.notifications.channels import Channels, Notification
from lollmsbot_keys.edges.state.codec import decode
from lollmsbot_keys.pool import KeyPool, question
from lollmsbot_keys.pool import Listener as Hearer
from lollmsbot_keys.runtime import Engine
from tests.lab import OLLAMA, SERVED, Ended, Heard, Json, Lab, Listener, lab
from tests.support import PATIENCE_S, ROOT, command, finished, opened, run_lbk, spending, start_lbk, until

BUDGET = "budget providers.ollama.daily_budget_usd"
LINE = r"ollama has spent 40 of 50 USD \(80 %\) of its budget for \d{4}-\d\d-\d\d\. .+ See: lbk costs\n"
PASSWORD, TOKEN = "hunter2-hunter2", "T0KENT0KENT0KEN"
LONG = timedelta(seconds=60)


class Home:
    """A person's files: a configuration, and a state with money in it."""

    def __init__(self, folder: Path, *urls: str) -> None:
        self.folder = folder
        self.config, self.state = folder / "config.toml", folder / "state" / "state.json"
        self.env = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "LBK_CONFIG": str(self.config),
            "LBK_STATE": str(self.state),
        }
        self.configure(*urls)

    def configure(self, *urls: str, budget: int = 50) -> None:
        self.config.write_text(
            f"[alerts]\nurls = {json.dumps(urls)}\n[providers.ollama]\ndaily_budget_usd = {budget}\n", "utf-8"
        )

    def spend(self, usd: str) -> None:
        opened(self.state).update(spending(usd))

    def alert(self, *options: str, **variables: str) -> Ended:
        done = run_lbk(["costs", "--alert", *options], {**self.env, **variables})
        return Ended(done.returncode, done.stdout, done.stderr)

    @property
    def raised(self) -> Raised:
        return decode(self.state.read_bytes()).alerts[BUDGET]

    def everything_kept(self) -> bytes:
        return b"".join(path.read_bytes() for path in (self.folder / "state").rglob("*") if path.is_file())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@contextmanager
def channel(status: int = 200) -> Iterator[Listener]:
    """A webhook; its `answer` may be changed."""
    with Listener(lambda _: (status, {}, [])) as listener:
        yield listener


def url(listener: Listener, path: str = "") -> str:
    return f"json://somebody:{PASSWORD}@127.0.0.1:{listener.port}/{path}"


def told(listener: Listener) -> list[str]:
    """The titles of what a webhook heard."""
    return [request.document["title"] for request in listener.heard]


# --- what is printed ---


def test_a_standstill_is_printed_and_sent_once_by_whoever_meets_it(tmp_path: Path) -> None:
    with channel() as listener:
        settings = f"[alerts]\nurls = {json.dumps([url(listener)])}\n"
        with lab(tmp_path, "ollama=429", "openrouter=429retry=3600", settings=settings) as here:
            for _ in range(2):
                asked = here.run("ask", "hello", "-m", SERVED)
                assert asked.code in {4, 5}
                assert "Nothing could answer" not in asked.err
            for _ in range(2):
                alert = here.run("costs", "--alert")
                assert alert.code == 1
                assert re.fullmatch(r"Nothing could answer since .{16} UTC: .+\. See: lbk route\n", alert.out)
            assert here.run("costs", "--alert", "--json").document["alerts"][0]["kind"] == "standstill"
            here.run("reset-limits", "--all")
            assert here.run("costs", "--alert").out.startswith("resolved: nothing could answer (since ")
        assert told(listener) == ["lbk: nothing could answer", "lbk: resolved: nothing could answer"]


def test_silent_while_all_is_well(home: Home) -> None:
    assert home.alert() == (0, "", "")
    assert [path for path in home.state.parent.iterdir() if "cache" not in path.name] == []
    home.spend("1")
    assert home.alert() == (0, "", "")
    assert home.alert("--json").document["alerts"] == []


def test_a_line_and_1_on_every_run(home: Home) -> None:
    home.spend("40")
    for _ in range(3):
        done = home.alert()
        assert (done.code, done.err) == (1, "")
        assert re.fullmatch(LINE, done.out)
    since = home.raised.since
    home.alert()
    assert home.raised.since == since


@pytest.mark.parametrize("urls", [(), ("json://127.0.0.1:9/",)])
def test_a_state_that_cannot_be_written_is_said_and_the_alert_all_the_same(home: Home, urls: tuple[str, ...]) -> None:
    home.spend("40")
    home.configure(*urls)
    lock = opened(home.state).lock
    lock.unlink(missing_ok=True)
    lock.mkdir()
    done = home.alert()
    assert done.code == 1
    assert re.fullmatch(LINE, done.out)
    assert f"Cannot write the state {home.state}" in done.err
    assert ("Nothing was sent to alerts.urls." in done.err) == bool(urls)


def test_the_document(home: Home) -> None:
    home.spend("40")
    done = home.alert("--json")
    assert (done.code, done.err) == (1, "")
    (found,) = done.document["alerts"]
    assert set(found) == {
        "kind", "provider", "key", "threshold", "window", "severity", "title", "message", "since",
    }  # fmt: skip
    assert (found["kind"], found["provider"], found["key"], found["threshold"]) == ("budget", "ollama", None, 75)
    assert (found["window"], found["severity"]) == (done.document["day"], "warning")
    assert found["since"].endswith("Z")
    assert done.document["resolved"] == []
    report = run_lbk(["costs", "--json"], home.env)
    assert (report.returncode, json.loads(report.stdout)["alerts"]) == (0, [found])


def test_the_end_is_printed_once(home: Home) -> None:
    home.spend("40")
    home.alert()
    home.configure(budget=500)
    done = home.alert()
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"resolved: ollama: 75 % of the budget for \S+ \(since .+ UTC\)\n", done.out)
    assert home.alert() == (0, "", "")


@pytest.mark.parametrize("option", ["--month", "--since=2026-11-01", "--csv"])
def test_what_makes_no_sense_together(home: Home, option: str) -> None:
    assert home.alert(option).code == 2


def test_a_state_that_cannot_be_written_hides_nothing_and_sends_nothing(home: Home) -> None:
    with channel() as webhook:
        home.configure(url(webhook))
        home.spend("40")
        lock = home.state.with_name("state.json.lock")
        lock.unlink()
        lock.mkdir()
        done = home.alert()
        assert done.code == 1
        assert re.fullmatch(LINE, done.out)
        assert "Cannot write the state" in done.err
        assert "Nothing was sent" in done.err
        assert webhook.heard == []
        lock.rmdir()
        assert home.alert().err == ""
        assert len(webhook.heard) == 1


# --- what is sent ---


def test_sent_once_and_once_more_when_it_is_over(home: Home) -> None:
    with channel() as webhook:
        home.configure(url(webhook))
        home.spend("40")
        for _ in range(3):
            assert home.alert().code == 1
        (heard,) = webhook.heard
        assert heard.document["type"] == "warning"
        assert re.fullmatch(LINE + "-- lbk on .+", heard.document["message"])
        home.spend("15")
        home.alert()
        home.alert()
        home.configure(url(webhook), budget=500)
        assert home.alert().out.startswith("resolved: ")
        assert home.alert() == (0, "", "")
    day = heard.document["title"][-10:]
    whole = f"ollama: 100 % of the budget for {day}"
    first, second, third = told(webhook)
    assert first == f"lbk: ollama: 75 % of the budget for {day}"
    assert second == "lbk: nothing could answer (and 1 more)", "it was the only key that was ever used"
    assert third.startswith("lbk: resolved: ")
    assert "ollama has used up its budget" in webhook.heard[1].document["message"]
    assert f"resolved: {whole} (since " in webhook.heard[2].document["message"]
    assert [request.document["type"] for request in webhook.heard] == ["warning", "failure", "success"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_output_that_takes_nothing_keeps_nobody_from_being_told(home: Home) -> None:
    with channel() as webhook:
        home.configure(url(webhook))
        home.spend("40")
        home.alert()
        home.configure(url(webhook), budget=500)
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                command(["costs", "--alert"]),
                env={"PYTHONPATH": str(ROOT), **home.env},
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
        assert done.returncode == 3
        assert "No space left" in done.stderr
        assert [request.document["type"] for request in webhook.heard] == ["warning", "success"]
        assert home.alert().out.startswith("resolved: "), "it was not printed yet"
        assert home.alert().out == ""
        assert len(webhook.heard) == 2


def test_looking_at_the_report_tells_nobody(home: Home) -> None:
    with channel() as webhook:
        home.configure(url(webhook))
        home.spend("40")
        before = home.state.read_bytes()
        for options in ([], ["--json"], ["--month"]):
            assert run_lbk(["costs", *options], home.env).returncode == 0
        assert (webhook.heard, home.state.read_bytes()) == ([], before)


@pytest.mark.skipif(not hasattr(AppriseAsset, "http_redirects"), reason="this Apprise follows every redirect")
def test_a_channel_that_leads_elsewhere_was_not_reached(home: Home) -> None:
    with channel() as there, Listener(lambda _: (302, {"Location": f"http://127.0.0.1:{there.port}/"}, [])) as here:
        home.configure(url(here))
        home.spend("40")
        done = home.alert()
        assert done.code == 1
        assert "alerts.urls entry 1 (json) was not reached: it answered 302." in done.err
        assert there.heard == []


def test_a_channel_that_is_down_is_told_later_and_the_other_not_again(home: Home) -> None:
    with channel() as good, channel(status=503) as bad:
        home.configure(url(good), url(bad, TOKEN))
        home.spend("40")
        done = home.alert()
        assert re.fullmatch(LINE, done.out)
        assert done.code == 1
        assert done.err == (
            "lbk: alerts.urls entry 2 (json) was not reached: it answered 503. "
            "The next lbk costs --alert tries again.\n"
        )
        assert (len(good.heard), len(bad.heard)) == (1, 1)
        bad.answer = lambda _: (200, {}, [])
        for _ in range(3):
            assert home.alert().err == ""
        assert (len(good.heard), len(bad.heard)) == (1, 2)
        bad.answer = lambda _: (503, {}, [])
        home.configure(url(good), url(bad, TOKEN), budget=500)
        done = home.alert()
        assert done.out.startswith("resolved: ")
        assert done.code == 0
        done = home.alert()
        assert (done.code, done.out) == (0, ""), "printed once, whatever becomes of the channels"
        assert "503" in done.err
        bad.answer = lambda _: (200, {}, [])
        assert home.alert() == (0, "", "")
        assert home.alert() == (0, "", "")
        assert (len(good.heard), len(bad.heard)) == (2, 5)


def test_many_crons_at_once_send_once(home: Home) -> None:
    """The one that sends is not answered before the others have looked, and have ended."""
    others_have_ended = threading.Event()

    def answer(_: Heard) -> tuple[int, Mapping[str, str], list[bytes]]:
        assert others_have_ended.wait(PATIENCE_S)
        return 200, {}, []

    with Listener(answer) as webhook:
        home.configure(url(webhook))
        home.spend("40")
        running = [start_lbk(["costs", "--alert"], home.env) for _ in range(4)]
        deadline = time.monotonic() + PATIENCE_S
        while sum(one.poll() is not None for one in running) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        others_have_ended.set()
        ended = [finished(one) for one in running]
        assert [one.returncode for one in ended] == [1] * 4
        assert all(re.fullmatch(LINE, one.stdout) for one in ended)
        assert len(webhook.heard) == 1
        assert home.alert().code == 1
        assert len(webhook.heard) == 1


def children_of(pid: int) -> list[int]:
    """Processes that `pid` has started, where the system tells."""
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return []


def is_running(pid: int) -> bool:
    """Whether the process is there, and not only its remains that nobody has looked after."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_kill_9_before_it_arrived_and_the_next_run_sends(home: Home) -> None:
    heard, killed = threading.Event(), threading.Event()

    def answer(_: Heard) -> tuple[int, Mapping[str, str], list[bytes]]:
        heard.set()
        killed.wait(PATIENCE_S)
        return 200, {}, []

    with Listener(answer) as webhook:
        home.configure(url(webhook, "?cto=3600&rto=3600"))
        home.spend("40")
        process = start_lbk(["costs", "--alert"], home.env)
        assert heard.wait(PATIENCE_S)
        lease = home.raised.lease
        assert lease is not None
        assert lease.owner.pid == process.pid
        couriers = children_of(process.pid)
        process.kill()
        ended = finished(process)
        deadline = time.monotonic() + 30  # Apprise alone gives up after a minute
        while any(map(is_running, couriers)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not any(map(is_running, couriers)), "nobody goes on sending"
        killed.set()
        assert re.fullmatch(LINE, ended.stdout), "what was to be printed was printed first"
        assert home.raised.told == ()
        assert home.alert().code == 1
        assert len(webhook.heard) == 2
        assert home.raised.lease is None
        home.alert()
        assert len(webhook.heard) == 2


def test_what_hangs_hides_nothing(home: Home) -> None:
    answered = threading.Event()

    def answer(_: Heard) -> tuple[int, Mapping[str, str], list[bytes]]:
        answered.wait(PATIENCE_S)
        return 200, {}, []

    with Listener(answer) as webhook:
        home.configure(url(webhook))
        home.spend("40")
        process = start_lbk(["costs", "--alert"], home.env)
        assert process.stdout is not None
        assert re.fullmatch(LINE, process.stdout.readline())
        assert process.poll() is None, "the line came while the channel hung"
        answered.set()
        assert finished(process).returncode == 1


def test_patience_ends_whatever_a_service_does(tmp_path: Path) -> None:
    """Both hang: one would not be given up by Apprise for an hour."""
    enough = threading.Event()

    def answer(_: Heard) -> tuple[int, Mapping[str, str], list[bytes]]:
        enough.wait(PATIENCE_S)
        return 200, {}, []

    with Listener(answer) as webhook, channel() as good:
        slow = f"?cto=3600&rto=3600&{TOKEN}=1"
        channels = Channels([url(webhook, slow), url(webhook, f"2{slow}"), url(good)], tmp_path / "key", {})
        warm_up(tmp_path)
        began = time.monotonic()
        outcome = channels.send(dict.fromkeys(channels.marks, Notification("t", "b", Tone.GOOD)), timedelta(seconds=2))
        took = time.monotonic() - began
        enough.set()
    first, second, third = (outcome[mark] for mark in channels.marks)
    assert first == "alerts.urls entry 1 (json) was not reached: no answer within 2 s"
    assert second == "alerts.urls entry 2 (json) was not reached: no answer within 2 s"
    assert third == ""
    assert 1.9 < took < 60


def warm_up(folder: Path) -> None:
    """Load Apprise first, for as long as a busy machine may need."""
    with channel() as webhook:
        channels = Channels([url(webhook)], folder / "key", {})
        assert channels.send(dict.fromkeys(channels.marks, Notification("t", "b", Tone.GOOD)), LONG) == {
            channels.marks[0]: ""
        }


def test_apprise_missing(home: Home) -> None:
    stand_in = home.folder / "without" / "apprise.py"
    stand_in.parent.mkdir()
    stand_in.write_text("raise ModuleNotFoundError('no such module', name='apprise')\n")
    with channel() as webhook:
        home.configure(url(webhook))
        home.spend("40")
        done = home.alert(PYTHONPATH=f"{stand_in.parent}{os.pathsep}{ROOT}")
        assert done.code == 1
        assert re.fullmatch(LINE, done.out)
        assert 'pip install "lollmsbot-keys[alerts]"' in done.err
        assert home.alert().err == ""
        assert len(webhook.heard) == 1


def test_whoever_sends_gets_no_key(home: Home) -> None:
    """Apprise and the libraries under it are others' code."""
    stand_in = home.folder / "spy" / "apprise.py"
    stand_in.parent.mkdir()
    stand_in.write_text(
        "import json, os\nfrom pathlib import Path\n"
        "Path(__file__).with_name('seen').write_text(json.dumps(dict(os.environ)))\nraise ImportError\n"
    )
    passed_on = {"LC_ALL": "C.UTF-8", "https_proxy": "http://127.0.0.1:9", "SSL_CERT_FILE": "/certificates"}
    with channel() as webhook:
        home.configure(url(webhook))
        home.spend("40")
        path = f"{stand_in.parent}{os.pathsep}{ROOT}"
        home.alert(PYTHONPATH=path, OLLAMA_API_KEY=TOKEN, AWS_SECRET_ACCESS_KEY=TOKEN, MY_OWN=TOKEN, **passed_on)
    seen = json.loads(stand_in.with_name("seen").read_text())
    assert seen == {"PATH": os.defpath, "HOME": str(home.folder), **passed_on}


def test_credentials_are_nowhere(home: Home) -> None:
    """Refused, unreachable, unknown to Apprise, and what it would say of them; at its most talkative."""

    def answer(request: Heard) -> tuple[int, Mapping[str, str], list[bytes]]:
        return 404, {}, [f"no {request.path} for {request.headers['authorization']}".encode()]

    with Listener(answer) as webhook:
        places = [url(webhook, TOKEN), f"jsons://somebody:{PASSWORD}@127.0.0.1:{webhook.port}/{TOKEN}"]
        places += [f"json://somebody:{PASSWORD}@127.0.0.1:1/{TOKEN}", f"nosuch://{PASSWORD}@{TOKEN}"]
        places += [f"slack://{PASSWORD}/{TOKEN}", f"mailto://{TOKEN}:{PASSWORD}@127.0.0.1:1"]
        home.configure(*places)
        home.spend("40")
        done = home.alert("--json")
        shown = run_lbk(["config", "show"], home.env)
    assert done.code == 1
    assert [line.split(" was")[0] for line in done.err.splitlines()] == [
        f"lbk: alerts.urls entry {place} ({service})"
        for place, service in enumerate(["json", "jsons", "json", "nosuch", "slack", "mailto"], 1)
    ]
    everything = done.out.encode() + done.err.encode() + home.everything_kept() + shown.stdout.encode()
    for credential in (PASSWORD, TOKEN, "somebody"):
        assert credential.encode() not in everything
    assert len(home.raised.told) == 0


def test_what_apprise_logs_stays_with_it(tmp_path: Path) -> None:
    """In a program that logs everything."""
    seen: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    root, before = logging.getLogger(), logging.getLogger().level
    handler = Keep()
    root.addHandler(handler)
    root.setLevel(1)
    try:
        with channel(status=500) as webhook:
            channels = Channels([url(webhook, TOKEN), f"nosuch://{PASSWORD}"], tmp_path / "key", {})
            outcome = channels.send(dict.fromkeys(channels.marks, Notification("t", "b", Tone.GOOD)), LONG)
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    assert [problem.partition("reached: ")[2][:15] for problem in outcome.values()] == [
        "it answered 500",
        "Apprise knows n",
    ]
    assert seen == []
    assert PASSWORD not in repr(channels)


# --- start-up ---

HEAVY = {"asyncio", "httpx", "pydantic", "rich", "ssl", "apprise", "requests"}
RUN = """
import json, sys
from lollmsbot_keys.cli import main
sys.argv = ["lbk", "costs", "--alert"]
try:
    sys.exit(main())
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def loaded(home: Home) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        env={"PYTHONPATH": str(ROOT), **home.env},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, set(json.loads(done.stderr.splitlines()[-1]))


def compiled(home: Home) -> None:
    """A file that is new to lbk is checked once, and what came out is kept unless it may just be changing."""
    since_ns = time.time_ns()
    until(lambda: time.time_ns() - since_ns > 2 * SETTLED_NS, "a file that has settled")
    home.alert()


def test_nothing_heavy_is_loaded_while_nothing_is_to_be_sent(home: Home) -> None:
    with channel() as webhook:
        compiled(home)
        code, modules = loaded(home)
        assert (code, modules & HEAVY) == (0, set())
        home.spend("40")
        code, modules = loaded(home)
        assert (code, modules & HEAVY) == (1, set())
        home.configure(url(webhook))
        compiled(home)
        code, modules = loaded(home)
        assert (code, modules & HEAVY, len(webhook.heard)) == (1, set(), 1)


# --- cron ---


def crontab_line() -> str:
    """The command of the README's line for cron."""
    readme = (ROOT / "README.md").read_text("utf-8")
    (line,) = re.findall(r"^\*/15 \* \* \* \* (.+ costs --alert)$", readme, re.MULTILINE)
    return str(line)


def test_the_line_of_the_readme_in_the_bare_environment_of_cron(tmp_path: Path) -> None:
    """No variable but cron's own, no key, no terminal, no directory but home; `lbk` lies where the README puts it."""
    with channel() as webhook:
        settings = Home(tmp_path, url(webhook)).config
        launcher = tmp_path / re.findall(r"^\$HOME/(\S+)", crontab_line())[0]
        launcher.parent.mkdir(parents=True)
        launcher.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m lollmsbot_keys "$@"\n')
        launcher.chmod(0o755)
        config = tmp_path / ".config" / "lollmsbot-keys" / "config.toml"
        config.parent.mkdir(parents=True)
        settings.rename(config)
        state = tmp_path / ".local" / "state" / "lollmsbot-keys" / "state.json"
        bare = {"HOME": str(tmp_path), "LOGNAME": "somebody", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}

        def cron() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["env", "-i", *(f"{name}={value}" for name, value in bare.items()), "/bin/sh", "-c", crontab_line()],
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )

        quiet = cron()
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
        opened(state).update(spending("40"))
        for _ in range(2):
            done = cron()
            assert (done.returncode, done.stderr) == (1, "")
            assert re.fullmatch(LINE, done.stdout)
        assert len(webhook.heard) == 1


# --- ask, and programs ---


def crossing(here: Lab, webhook: Listener) -> None:
    """The first call of this sandbox crosses a line, and the second does not."""
    text = here.config.read_text("utf-8")
    settings = f"[alerts]\nat_percent = [0.0001, 100]\nurls = {json.dumps([url(webhook, TOKEN)])}\n"
    here.config.write_text(f"{settings}\n{text}", "utf-8")


def test_ask_tells_of_the_line_it_crosses(tmp_path: Path) -> None:
    with channel() as webhook, lab(tmp_path) as here:
        crossing(here, webhook)
        first = here.run("ask", "hello", "-m", SERVED)
        assert first.code == 0
        assert first.out.startswith("Sandbox kimi")
        assert re.fullmatch(r"lbk: ollama has spent 0\.\d+ of 50 USD \(0 %\) of its budget .+\n", first.err)
        assert len(webhook.heard) == 1
        again = here.run("ask", "hello", "-m", SERVED)
        assert (again.code, again.err) == (0, "")
        assert here.run("costs", "--alert").code == 1
        assert len(webhook.heard) == 1


def test_ask_says_it_beside_the_document(tmp_path: Path) -> None:
    with channel(status=500) as webhook, lab(tmp_path) as here:
        crossing(here, webhook)
        done = here.run("ask", "hello", "-m", SERVED, "--json")
        assert done.code == 0
        assert done.document["text"].startswith("Sandbox kimi")
        notice, problem = done.err.splitlines()
        assert "of its budget" in notice
        assert problem.endswith("it answered 500. The next lbk costs --alert tries again.")
        assert TOKEN not in done.err
        webhook.answer = lambda _: (200, {}, [])
        assert here.run("costs", "--alert").err == ""
        assert len(webhook.heard) == 2


def test_the_answer_is_out_before_a_channel_is_told(tmp_path: Path) -> None:
    heard, enough = threading.Event(), threading.Event()

    def answer(_: Heard) -> tuple[int, Mapping[str, str], list[bytes]]:
        heard.set()
        enough.wait(PATIENCE_S)
        return 200, {}, []

    with Listener(answer) as webhook, lab(tmp_path) as here:
        crossing(here, webhook)
        process = start_lbk(["ask", "hello", "-m", SERVED, "--no-stream"], here.env)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Sandbox kimi")
        assert heard.wait(PATIENCE_S)
        enough.set()
        assert finished(process).returncode == 0


def test_ask_loads_nothing_more_where_no_line_is_crossed(tmp_path: Path) -> None:
    program = RUN.replace('["lbk", "costs", "--alert"]', f'["lbk", "ask", "hello", "-m", "{SERVED}"]')
    with channel() as webhook, lab(tmp_path) as here:
        crossing(here, webhook)
        loads = []
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", program],
                env={"PYTHONPATH": str(ROOT), **here.env},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=True,
            )
            loads.append(set(json.loads(done.stderr.splitlines()[-1])))
    extra = {
        f"lollmsbot_keys.{name}"
        for name in ("alerting", "core.alerts.evaluate", "core.state.alert_delivery", "edges.notifications.channels")
    }
    assert loads[0] >= extra
    assert loads[1] & extra == set()


def test_a_refused_key_is_told_at_once_and_said_once(tmp_path: Path) -> None:
    with channel() as webhook, lab(tmp_path, f"{OLLAMA}@any=401") as here:
        crossing(here, webhook)
        here.config.write_text(here.config.read_text("utf-8").replace("0.0001, ", ""), "utf-8")
        done = here.run("ask", "hello", "-m", SERVED)
        assert done.code == 0
        (notice,) = done.err.splitlines()
        assert "was refused by ollama and is disabled" in notice
        assert told(webhook) == [f"lbk: {OLLAMA}: disabled"]


class Notes(Hearer):
    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, message: str) -> None:
        self.notices.append(message)


@pytest.mark.parametrize("alerts", [True, False])
def test_a_program_has_its_answer_before_anybody_is_told(tmp_path: Path, *, alerts: bool) -> None:
    returned, heard = threading.Event(), threading.Event()

    def answer(_: Heard) -> tuple[int, Mapping[str, str], list[bytes]]:
        heard.set()
        returned.wait(PATIENCE_S)
        return 200, {}, []

    async def program(env: Mapping[str, str], notes: Notes) -> tuple[Json, bool]:
        async with KeyPool(Engine.open(environment=Environment(env)), alerts=alerts) as pool:
            report = await pool.answer(question("hello", {"model": SERVED}), notes)
            if alerts:
                assert await asyncio.to_thread(heard.wait, PATIENCE_S)
            returned.set()
        return report, pool.crossed

    notes = Notes()
    with Listener(answer) as webhook, lab(tmp_path) as here:
        warm_up(tmp_path)
        crossing(here, webhook)
        report, crossed = asyncio.run(program(here.env, notes))
        assert report.text.startswith("Sandbox kimi")
        assert crossed
        assert [bool(re.match("ollama has spent", notice)) for notice in notes.notices] == [True] * alerts
        assert len(webhook.heard) == alerts


def test_a_program_without_channels_gets_its_notice(tmp_path: Path) -> None:
    async def program(env: Mapping[str, str], notes: Notes) -> None:
        async with KeyPool(Engine.open(environment=Environment(env))) as pool:
            for _ in range(3):
                await pool.answer(question("hello", {"model": SERVED}), notes)

    notes = Notes()
    with lab(tmp_path, settings="[alerts]\nat_percent = [0.0001]") as here:
        asyncio.run(program(here.env, notes))
        assert len(notes.notices) == 1
        assert here.run("costs", "--alert").code == 1
