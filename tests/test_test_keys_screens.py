"""How `lbk test-keys` looks: on terminals of two widths, plain, in a pipe, and to GitHub's runner."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.findings import Findings, KeyFinding, KeyProof, Verdict
from lollmsbot_keys.render.github_actions import commands, mask, summary
from lollmsbot_keys.render.test_keys.page import conclusion
from lollmsbot_keys.sandbox import Fault, FaultScope
from lollmsbot_keys.sandbox.http import json_reply
from tests.lab import OLLAMA, OLLAMA_2, ROUTERS, Lab, lab, on_terminal
from tests.support import utc_now

ALL = (OLLAMA, OLLAMA_2, *ROUTERS)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TROUBLE = (
    f"{OLLAMA}@check=401",
    f"{OLLAMA_2}@check=legacy=0",
    f"{ROUTERS[0]}@check=html200",
    f"{ROUTERS[1]}@check=expired",
)


def screen(here: Lab, columns: int, *options: str, **variables: str) -> str:
    return on_terminal(["test-keys", *options], {**here.env, **variables}, columns=columns).out


def final_lines(drawn: str) -> list[str]:
    """What stands there at the end: without colour, and without lines that were wiped."""
    return [ESCAPES.sub("", line.rpartition("\r\x1b[K")[2]) for line in drawn.rstrip("\n").split("\n")]


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("faults", [(), TROUBLE], ids=["well", "trouble"])
def test_the_screen_fits_and_wraps_no_key(columns: int, faults: tuple[str, ...], tmp_path: Path) -> None:
    with lab(tmp_path, *faults) as here:
        lines = final_lines(screen(here, columns, "--models", "--pillars"))
        short = final_lines(screen(here, columns))
    assert max(map(len, short)) <= columns
    assert not any("kimi-k2.5" in line for line in short)
    counts = [line for line in short if "RC2" in line]
    assert len(counts) == 1
    assert re.match(r"\d+ of 17 RC2 models are offered under their own name, \d+ retired: --models", counts[0])
    assert max(map(len, lines)) <= columns
    for name in ALL:
        assert any(line.startswith(f"{name}  ") for line in lines), name
    text = " ".join(" ".join(lines).split())
    if faults:
        wrong = f"{OLLAMA} invalid, {OLLAMA_2} limited, {ROUTERS[0]} unknown, {ROUTERS[1]} invalid"
        assert text.endswith(f"1/5 keys valid: {wrong}")
    else:
        assert lines[-1] == "5/5 keys valid"
    if columns == 120:
        assert any("moonshotai/kimi-k2.5" in line and "retired → kimi-k2.6" in line for line in lines)
    else:
        assert any(line.startswith("kimi-k2.5 ") and "→ kimi-k2.6" in line for line in lines)


def test_colour_is_for_terminals_that_want_it(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        assert "\x1b[32m" in screen(here, 80)
        plain = screen(here, 80, NO_COLOR="1")
        assert ESCAPES.sub("", plain.replace("\r\x1b[K", "")) == plain.replace("\r\x1b[K", ""), "only the progress"
        piped = here.run("test-keys")
        assert "\x1b" not in piped.out + piped.err
        assert piped.err == ""


def test_progress_is_for_terminals_and_wipes_itself(tmp_path: Path) -> None:
    with lab(tmp_path, f"{OLLAMA}@check=slow=0.3") as here:
        drawn = screen(here, 80)
    assert f"waiting for {OLLAMA} …" in drawn
    assert not any("waiting for" in line for line in final_lines(drawn))


def test_a_terminal_without_unicode_still_reads(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        done = here.run("test-keys", "--models", PYTHONIOENCODING="ascii")
    assert "valid" in done.out.splitlines()[1]
    assert any(line.startswith("mistral-large-3:675b") and "yes" in line for line in done.out.splitlines())
    assert not any("?" in line for line in done.out.splitlines() if line.startswith("mistral-large-3:675b"))


def test_what_a_provider_says_is_neither_control_nor_markup(tmp_path: Path) -> None:
    nasty = {"error": "\x1b]0;owned\x07[bold]no[/bold]\n::error::gotcha ##[group]x"}
    with lab(tmp_path, Fault.raw(OLLAMA, json_reply(401, nasty), where=FaultScope.CHECK, times=2)) as here:
        done = here.run("test-keys", GITHUB_ACTIONS="true")
    assert "\x1b" not in done.out
    assert "[bold]no[/bold]" in done.out
    assert not [line for line in done.out.splitlines() if line.startswith("::error::gotcha") or "##[" in line]


def test_a_models_name_at_the_beginning_of_a_line_is_no_command(tmp_path: Path) -> None:
    with lab(tmp_path, settings='[pillars.soul.primary]\nmodel = "::error::gotcha"\n') as here:
        here_out = here.run("test-keys", "--models", GITHUB_ACTIONS="true").out
    assert "\\::error::gotcha" in here_out
    assert not [line for line in here_out.splitlines() if line.startswith("::error::gotcha")]


# --- GitHub's runner ---


def test_the_runner_is_told_what_to_hide_before_anything_else(tmp_path: Path) -> None:
    gone = "".join(f'[pillars.own.role{number}]\nmodel = "nobody/nothing{number}"\n' for number in range(5))
    with lab(tmp_path, *TROUBLE, settings=gone) as here:
        secrets = [here.sandbox.keys[name] for name in ALL]
        done = here.run("test-keys", GITHUB_ACTIONS="true")
        lines = done.out.splitlines()
        assert lines[:5] == [f"::add-mask::{secret}" for secret in secrets]
        rest = "\n".join(lines[5:]) + done.err
        assert not [secret for secret in secrets if secret in rest]
        errors = [line for line in lines if line.startswith("::error ")]
        assert [line.partition("::")[2].split("::")[0] for line in errors] == [
            f"error title={OLLAMA}%3A invalid",
            f"error title={OLLAMA_2}%3A limited",
            f"error title={ROUTERS[0]}%3A unknown",
            f"error title={ROUTERS[1]}%3A invalid",
        ]
        assert sum(line.startswith("::warning ") for line in lines) >= 5
        assert "add-mask" not in here.run("test-keys").out


def test_with_json_stdout_stays_one_document(tmp_path: Path) -> None:
    with lab(tmp_path, *TROUBLE) as here:
        done = here.run("test-keys", "--json", GITHUB_ACTIONS="true")
        assert done.document["ok"] is False
        assert done.err.splitlines()[0] == f"::add-mask::{here.sandbox.keys[OLLAMA]}"
        assert "::error " in done.err


def test_the_summary_is_appended(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n", "utf-8")
    with lab(tmp_path, *TROUBLE) as here:
        here.run("test-keys", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(file))
        written = file.read_text("utf-8")
        assert written.startswith("before\n### ❌ 1/5 keys valid")
        rows = [line for line in written.splitlines() if line.startswith("| OPENROUTER")]
        assert len(rows) == 3
        assert all(row.count("|") - row.count("\\|") == 5 for row in rows)
        assert not [secret for secret in here.sandbox.keys.values() if secret in written]
        here.run("test-keys", GITHUB_STEP_SUMMARY=str(file))
        assert file.read_text("utf-8") == written, "only for the runner"
        lost = here.run("test-keys", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(tmp_path))
        assert (lost.code, "GITHUB_STEP_SUMMARY cannot be written" in lost.err) == (1, True)


def findings(*proofs: KeyProof, allow_unreachable: bool = False, warnings: tuple[str, ...] = ()) -> Findings:
    keys = tuple(KeyFinding(f"K{number}", Provider.OLLAMA, proof) for number, proof in enumerate(proofs, start=1))
    return Findings(keys, (), (), (), (), warnings, (), allow_unreachable)


GOOD = KeyProof(Verdict.VALID, "accepted")


def test_workflow_commands_are_escaped() -> None:
    bad = KeyProof(Verdict.INVALID, "50% of it\r\n::error::x", "a, b: c")
    error, warning = commands(findings(bad, warnings=("one\ntwo 100%",)))
    assert error == "::error title=K1%3A invalid::K1 is invalid: 50%25 of it ::error::x. a, b: c"
    assert warning == "::warning title=lbk test-keys::one two 100%25"
    assert mask("100%") == "::add-mask::100%25"


def test_an_allowed_failure_is_a_warning() -> None:
    away = KeyProof(Verdict.UNREACHABLE, "no route")
    assert list(commands(findings(GOOD, away, allow_unreachable=True))) == [
        "::warning title=K2%3A unreachable::no route"
    ]
    assert next(commands(findings(away))).startswith("::error ")
    assert list(commands(findings(KeyProof(Verdict.MISSING, "x")))) == [
        "::error title=No key::No key that was tested has a secret."
    ]


def test_markdown_is_escaped() -> None:
    text = summary(findings(KeyProof(Verdict.UNKNOWN, "a|b <img src=x> [x](http://y) `z` @me")), utc_now())
    (row,) = [line for line in text.splitlines() if line.startswith("| K1")]
    assert r"a\|b &lt;img src=x&gt; \[x\]\(http\://y\) \`z\` \@me" in row


@pytest.mark.parametrize(
    ("proofs", "line"),
    [
        ([GOOD] * 5, "5/5 keys valid"),
        ([GOOD, KeyProof(Verdict.MISSING, "x")], "1/1 keys valid (1 without a secret)"),
        ([GOOD, KeyProof(Verdict.NO_CREDIT, "x")], "1/2 keys valid: K2 no credit"),
        ([KeyProof(Verdict.MISSING, "x")], "no key to test: 1 without a secret"),
    ],
)
def test_the_last_line_says_it_all(proofs: list[KeyProof], line: str) -> None:
    assert conclusion(findings(*proofs)) == line
