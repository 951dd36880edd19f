"""`lbk sandbox`: what a command inside sees, its exit code and signals, what is printed, what is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lollmsbot_keys.cli.commands.sandbox import CONTEXT_SETTINGS, sandbox
from lollmsbot_keys.commands.sandbox import rehearse
from lollmsbot_keys.errors import UsageError
from lollmsbot_keys.sandbox import Sandbox
from tests.support import PATIENCE_S

ROOT = Path(__file__).parent.parent
PROGRAM = """
import sys, typer
from lollmsbot_keys.cli.commands.sandbox import CONTEXT_SETTINGS, sandbox
app = typer.Typer(rich_markup_mode=None)
app.command("sandbox", context_settings=CONTEXT_SETTINGS)(sandbox)
app.callback()(lambda: None)
app()
"""
ASK = """
import http.client, json, os, sys, tomllib
from urllib.parse import urlsplit
with open(os.environ["LBK_CONFIG"], "rb") as file:
    url = urlsplit(tomllib.load(file)["providers"]["ollama"]["endpoints"][1])
connection = http.client.HTTPConnection(url.hostname, url.port)
body = json.dumps({"model": "kimi-k2.6", "messages": [], "stream": False})
connection.request("POST", url.path + "/chat", body, {"Authorization": "Bearer " + os.environ["OLLAMA_API_KEY"]})
print(connection.getresponse().status)
"""


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the sandbox's temporary folders go: empty again when it has cleaned up."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def start(temporary: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), **variables}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "sandbox", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # no terminal, as under cron
    )


def run(temporary: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    process = start(temporary, *arguments, **variables)
    out, err = process.communicate(timeout=30)
    assert list(temporary.iterdir()) == []
    return process.returncode, out, err


def seen_inside(variables: Mapping[str, str], capfd: pytest.CaptureFixture[str]) -> dict[str, str]:
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    done = rehearse([sys.executable, "-c", show], [], lambda _serving: None, variables=variables)
    assert done.exit_code == 0
    environment: dict[str, str] = json.loads(capfd.readouterr().out)
    return environment


def test_the_command_sees_the_sandbox_and_nothing_of_its_caller(capfd: pytest.CaptureFixture[str]) -> None:
    foreign = {
        **dict.fromkeys(("PREFER_OLLAMA", "PREFER_FREE_TIER", "ALERT_AT_PERCENT", "OPENROUTER_FALLBACK"), "foreign"),
        **dict.fromkeys(("OLLAMA_FAILOVER", "OLLAMA_DAILY_BUDGET", "OPENROUTER_DAILY_BUDGET"), "foreign"),
        **dict.fromkeys(("OLLAMA_MAX_CALLS_PER_HOUR", "OPENROUTER_MAX_CALLS_PER_HOUR", "OLLAMA_HOST"), "foreign"),
        **dict.fromkeys(("HTTP_PROXY", "https_proxy", "all_proxy", "NO_PROXY", "LBK_ANYTHING"), "foreign"),
        **dict.fromkeys(("OLLAMA_API_KEY", "OPENROUTER_API_KEY_7", "LBK_CONFIG", "LBK_STATE"), "foreign"),
    }
    inside = seen_inside({**foreign, "PATH": "/usr/bin:/bin", "HOME": "/home/of/caller", "MINE": "kept"}, capfd)
    assert "foreign" not in inside.values()
    assert (inside["HOME"], inside["MINE"]) == ("/home/of/caller", "kept")
    launchers, rest = inside["PATH"].split(os.pathsep, 1)
    assert rest == "/usr/bin:/bin"
    assert Path(inside["LBK_CONFIG"]).parent == Path(launchers).parent == Path(inside["LBK_STATE"]).parents[1]
    keys = {name for name in inside if "API_KEY" in name or "MANAGEMENT" in name}
    assert keys == set(Sandbox().secrets)
    assert inside["LBK_SANDBOX_URL"].startswith("http://127.0.0.1:")


def test_a_bare_environment_for_a_child(tmp_path: Path) -> None:
    with Sandbox() as running:
        environment = running.environment(tmp_path)
        written = tomllib.loads((tmp_path / "config.toml").read_text("utf-8"))
        expected: dict[str, dict[str, object]] = {name: {"endpoints": list(u)} for name, u in running.endpoints.items()}
        expected["openrouter"]["management_secret"] = "env:OPENROUTER_MANAGEMENT_KEY"
        assert written == {"providers": expected}
        done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == "200\n"
        assert len(running.chats("OLLAMA_API_KEY")) == 1
        assert environment["HOME"] == str(tmp_path)
        assert {name: environment[name] for name in running.secrets} == running.secrets


def test_lbk_inside_is_this_installation_from_any_folder(tmp_path: Path) -> None:
    decoy = tmp_path / "elsewhere" / "lollmsbot_keys"
    decoy.mkdir(parents=True)
    (decoy / "__main__.py").write_text("print('the wrong one')")
    with Sandbox() as running:
        environment = running.environment(tmp_path)
        launcher = shutil.which("lbk", path=environment["PATH"])
        assert launcher is not None
        trace = (
            Path(launcher)
            .read_text("utf-8")
            .replace("-m lollmsbot_keys", "-c 'import lollmsbot_keys as l; print(l.__file__)'")
        )
        Path(launcher).write_text(trace, "utf-8")
        done = subprocess.run(["lbk"], env=environment, cwd=decoy.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(ROOT / "lollmsbot_keys" / "__init__.py")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -9 $$"], 137),
        (["sh", "-c", "kill -INT $$"], 130),
        (["nosuch-command"], 127),
        (["/etc/passwd"], 126),
        (["/"], 126),
    ],
)
def test_the_exit_code_is_the_command_s(command: Sequence[str], code: int) -> None:
    done = rehearse(command, [], lambda _serving: None, variables={"PATH": os.defpath})
    assert done.exit_code == code
    assert (done.problem is not None) == (code in {126, 127})


def test_faults_reach_the_command_and_the_end_tells_who_answered(temporary: Path) -> None:
    script = f"{sys.executable} -c '{ASK}'; {sys.executable} -c '{ASK}'; echo talk >&2; exit 3"
    code, out, err = run(temporary, "--fault", "OLLAMA_API_KEY=429:1", "--", "sh", "-c", script)
    assert (code, out) == (3, "429\n200\n")
    assert err.splitlines() == [
        "sandbox: all providers are on loopback; faults: OLLAMA_API_KEY=429:1",
        "talk",
        "sandbox: OLLAMA_API_KEY answered 429, 200",
    ]


def test_options_after_the_command_are_the_command_s(temporary: Path) -> None:
    show = [sys.executable, "-c", "import sys; print(*sys.argv[1:])"]
    assert run(temporary, *show, "--json", "--", "-f")[1] == "--json -- -f\n"
    assert run(temporary, "--", *show, "--help", "--fault")[1] == "--help --fault\n"


def test_wrong_usage_is_said_before_anything_starts(temporary: Path) -> None:
    marker = temporary.parent / "marker"
    with pytest.raises(UsageError, match="did you mean"):
        rehearse(["touch", str(marker)], ["OLAMA_API_KEY=1"], lambda _serving: None, variables={"PATH": os.defpath})
    assert not marker.exists()
    app = typer.Typer()
    app.command(context_settings=CONTEXT_SETTINGS)(sandbox)
    refused = CliRunner().invoke(app, ["--json", "--", "true"])
    assert isinstance(refused.exception, UsageError)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_ends_the_command_and_all_that_it_started(
    temporary: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $! $$ > {pids}.part; mv {pids}.part {pids}; sleep 60; echo survived"
    if number == signal.SIGINT:
        # A shell ignores SIGINT in its background jobs, and while it waits for a program that takes no notice (mv).
        script = f"echo $$ > {pids}; exec sleep 60"
    process = start(temporary, "--", "sh", "-c", script)
    wait_for(pids)
    process.send_signal(number)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (code, "")
    deadline = time.monotonic() + 30
    while any(is_alive(int(pid)) for pid in pids.read_text().split()):
        assert time.monotonic() < deadline, "something of the command is still there"
        time.sleep(0.01)
    assert list(temporary.iterdir()) == []


def test_ctrl_c_is_the_command_s_to_handle(temporary: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'echo caught; exit 5' INT; touch {ready}; while :; do sleep 0.05; done"
    process = start(temporary, "--", "sh", "-c", script)
    wait_for(ready)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (5, "caught\n")
    assert list(temporary.iterdir()) == []


def test_ctrl_c_at_a_terminal_reaches_the_command_once(temporary: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'echo caught' INT; touch {ready}; while :; do sleep 0.05; [ -e {ready} ] || exit 6; done"
    terminal = "import os, pty, sys; os._exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    process = subprocess.Popen(
        [sys.executable, "-c", terminal, sys.executable, "-c", PROGRAM, "sandbox", "--", "sh", "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for(ready)
    assert process.stdin is not None
    process.stdin.write(b"\x03")
    process.stdin.flush()
    time.sleep(0.3)
    ready.unlink()
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out.count(b"caught")) == (6, 1)
    assert list(temporary.iterdir()) == []


def serve(temporary: Path, number: signal.Signals, *arguments: str, **variables: str) -> tuple[int, str, str, int]:
    """Serve, use it through what it printed, end it with a signal. The last value: what a chat inside answered."""
    process = start(temporary, *arguments, **variables)
    assert process.stdout is not None
    lines: list[str] = []
    while not (lines and (lines[-1].rstrip() == "}" or " PATH" in lines[-1])):
        lines.append(process.stdout.readline())
        assert lines[-1], process.communicate()[1]
    text = "".join(lines)
    status = asked_with(text, temporary.parent)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert list(temporary.iterdir()) == []
    return process.returncode, text + out, err, status


def asked_with(text: str, folder: Path) -> int:
    if text.startswith("{"):
        environment = {**os.environ, **json.loads(text)["environment"]}
        done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    elif text.startswith("set "):
        return 0  # fish may not be here; its own test reads the text
    else:
        (folder / "exports.sh").write_text(text)
        script = (
            f". {folder}/exports.sh; {sys.executable} -c '{ASK}'; command -v lbk >&2; echo ${{OLLAMA_HOST-unset}} >&2"
        )
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert done.stderr.splitlines()[0].endswith("/bin/lbk")
        assert done.stderr.splitlines()[1] == "unset"
    return int(done.stdout)


def test_exports_to_paste_and_ctrl_c_to_end(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://foreign")
    code, out, err, status = serve(temporary, signal.SIGINT, "--fault", "OLLAMA_API_KEY=503")
    assert (code, status) == (0, 503)
    assert "unset OLLAMA_HOST\n" in out
    assert "Ctrl-C here ends it" in err
    assert "OLLAMA_API_KEY=503" in err


def test_one_json_document_and_an_end_by_sigterm(temporary: Path) -> None:
    code, out, err, status = serve(temporary, signal.SIGTERM, "--json", OLLAMA_HOST="foreign")
    document = json.loads(out)
    assert (code, status, err) == (143, 200, "")
    assert document["unset"] == ["OLLAMA_HOST"]
    assert document["endpoints"]["openrouter"][0].endswith("/openrouter/api/v1")
    assert document["faults"] == []
    assert document["control"].endswith("/_sandbox")


def test_fish_exports(temporary: Path) -> None:
    code, out, _, _ = serve(temporary, signal.SIGINT, "--shell", "fish", TMPDIR=str(quirky(temporary)))
    assert code == 0
    assert "set -gx LBK_CONFIG '" in out
    assert "it\\'s/lbk-sandbox-" in out
    assert out.rstrip().endswith("/bin' $PATH")


def quirky(temporary: Path) -> Path:
    folder = temporary.parent / "it's"
    folder.mkdir()
    return folder


def test_the_kinds_of_faults_can_be_listed(temporary: Path) -> None:
    code, out, _ = run(temporary, "--list-faults")
    assert code == 0
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert {"429", "drop", "errormid", "over"} <= lines.keys()
    code, out, _ = run(temporary, "--list-faults", "--json")
    assert code == 0
    assert {entry["kind"]: entry["meaning"] for entry in json.loads(out)["faults"]} == lines
