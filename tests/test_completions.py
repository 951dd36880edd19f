"""TAB in bash, zsh and fish: everything that may come next, nothing else, and no trouble from anything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lollmsbot_keys.cli.completions.__main__ import FOLDER, sources
from lollmsbot_keys.cli.docs.all_commands import surface
from lollmsbot_keys.cli.introspect import Command, Option, ValueKind
from lollmsbot_keys.commands.completion_names import offered
from lollmsbot_keys.commands.config import show
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.sandbox.fault_completion import suggestions
from lollmsbot_keys.sandbox.fault_schedule import parse_fault
from tests.shells import COMPLETIONS, KINDS, Shell, program, world
from tests.support import ROOT

LBK = surface()
OWN = """
[pillars.mine.writer]
model = "gpt-oss:120b"
[pillars.mine.reader]
model = "vendor/odd:model"
privacy = "high"
[keys.MY_KEY]
provider = "ollama"
reserved = true
account = "team"
"""


@pytest.fixture(params=KINDS, scope="module")
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp(request.param)
    with KINDS[request.param](folder) as started:
        (folder / "home" / "own.toml").write_text(OWN)
        yield started


# --- the scripts ---


def test_the_scripts_are_as_typer_has_it_now() -> None:
    stale = [name for name, text in sources().items() if (FOLDER / name).read_text("utf-8") != text]
    assert stale == [], "something has changed: run python -m lollmsbot_keys.cli.completions"
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(sources())


@pytest.mark.parametrize("seed", ["1", "2", "3", "4"])
def test_they_are_the_same_in_every_process(seed: str) -> None:
    """Typer keeps the spellings of help in a set."""
    code = "from lollmsbot_keys.cli.docs.all_commands import surface; print(surface().options[-1].flags)"
    env = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "('-h', '--help')\n"


@pytest.mark.parametrize("name", KINDS)
def test_lbk_prints_them(name: str, tmp_path: Path) -> None:
    env = world(tmp_path)
    file = COMPLETIONS / {"bash": "lbk.bash", "zsh": "_lbk", "fish": "lbk.fish"}[name]
    printed = subprocess.run(["lbk", "completion", name], env=env, capture_output=True, check=True, timeout=60)
    assert printed.stdout == file.read_bytes()
    as_json = subprocess.run(
        ["lbk", "completion", "--json", name], env=env, capture_output=True, check=True, timeout=60
    )
    assert json.loads(as_json.stdout) == {"shell": name, "script": file.read_text("utf-8")}


@pytest.mark.parametrize("arguments", ["", "tcsh", "bash zsh", "bash --config x"])
def test_wrong_usage(arguments: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["lbk", "completion", *arguments.split()], env=world(tmp_path), capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.parametrize(
    ("name", "started"),
    [
        ("bash", ["--rcfile", ".bashrc", "-ic", "complete -p lbk; _lbk_know ' route'; echo ${options[*]}"]),
        ("zsh", ["-dic", "[[ $_comps[lbk] == _lbk ]] && print -r -- $functions[_lbk]"]),
        ("fish", ["-c", "complete -C 'lbk route --'"]),
    ],
)
def test_the_readmes_line_installs_them(name: str, started: list[str], tmp_path: Path) -> None:
    block = (ROOT / "README.md").read_text("utf-8").partition("\n## In a terminal\n")[2]
    (line,) = re.findall(rf"(?m)^echo '.*lbk completion {name}\b.*$", block)
    env = world(tmp_path)
    (tmp_path / "home/.config/fish/completions").mkdir(parents=True)  # fish makes it when it first starts
    quiet: dict[str, Any] = {"cwd": env["HOME"], "stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    subprocess.run([program(name), "-c", line], env=env, check=True, timeout=60, **quiet)
    done = subprocess.run([program(name), *started], env=env, check=True, timeout=60, **quiet)
    assert "--pillar" in done.stdout
    assert not (tmp_path / "home" / ".zcompdump").exists()


@pytest.mark.parametrize("first", ["", "autoload -Uz compinit; compinit -D -i;"])
def test_zsh_finds_the_file_that_a_wheel_brings(first: str, tmp_path: Path) -> None:
    begin = first or f"fpath=({COMPLETIONS} $fpath); autoload -Uz compinit; compinit -D -i;"
    source = f"source {COMPLETIONS}/_lbk;" if first else ""
    done = subprocess.run(
        [program("zsh"), "-fc", f"{begin} {source} print -r -- $_comps[lbk]"],
        env=world(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "_lbk\n", "")


def test_bash_3_2_would_understand() -> None:
    """macOS has no newer one. What came after it, in the order of bash's own list of changes."""
    script = (COMPLETIONS / "lbk.bash").read_text("utf-8")
    newer = (
        *(r"declare -[Agn]", r"local -[An]", r"\bmapfile\b", r"\breadarray\b", r"\bcoproc\b", r"\|&", r"&>>", r";;?&"),
        *(r"\$\{\w+(\[[^]]*\])?[\^,@]", r"\[ -v ", r"\[-1\]", r"printf [^\n]*%\("),
    )
    code = "\n".join(line for line in script.splitlines() if not line.lstrip().startswith("#"))
    assert [line for line in code.splitlines() if re.search("|".join(newer), line)] == []
    assert "compopt" not in re.sub(r"compopt [^\n]* 2>/dev/null", "", code), "an older bash has none: say nothing then"


# --- what may come next ---


def test_every_command_is_offered(shell: Shell) -> None:
    assert set(shell.offers("lbk ")) == {command.name for command in LBK.commands}
    assert {command.name for command in LBK.commands} < set(shell.offers("lbk help "))
    assert set(shell.offers("lbk config ")) == {"path", "show", "check", "init"}
    assert shell.offers("lbk nonsense ") == []
    assert shell.offers("lbk config nonsense ") == []


COMMANDS = [command for command in LBK.walk() if not command.hidden]


@pytest.mark.parametrize("command", COMMANDS, ids=[" ".join(command.path) for command in COMMANDS])
def test_every_option_is_offered_once(shell: Shell, command: Command) -> None:
    line = " ".join(command.path)
    flags = {flag for option in command.options for flag in option.flags}
    assert set(shell.offers(f"{line} -")) == flags
    for option in command.options:
        if option.parameter in {"help", "version"}:
            continue
        given = f"{option.flags[0]} x" if option.value else option.flags[0]
        left = flags - (set() if option.repeatable else set(option.flags))
        assert set(shell.offers(f"{line} {given} -")) == left


CHOICES = [
    (" ".join(command.path), option)
    for command in COMMANDS
    for option in command.options
    if option.value is not None and option.value.kind is ValueKind.CHOICE
]


@pytest.mark.parametrize(("line", "option"), CHOICES, ids=[f"{line} {option.parameter}" for line, option in CHOICES])
def test_every_choice_is_offered(shell: Shell, line: str, option: Option) -> None:
    assert option.value is not None
    for flag in option.flags:
        assert set(shell.offers(f"{line} {flag} ")) == set(option.value.choices)
        joined = {offer.removeprefix(f"{flag}=") for offer in shell.offers(f"{line} {flag}=")}
        assert joined == set(option.value.choices)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("lbk route --key ", {"MY_KEY", "OLLAMA_API_KEY", "OPENROUTER_API_KEY_3", "local"}),
        ("lbk rotate ", {"MY_KEY", "OLLAMA_API_KEY_2"}),
        ("lbk reset-limits MY_KEY ", {"OLLAMA_API_KEY", "OPENROUTER_API_KEY_1"}),
        ("lbk ask --pillar ", {"mine", "soul", "guardian"}),
        ("lbk ask --pillar mine --role ", {"writer", "reader"}),
        ("lbk ask -p mine --role ", {"writer", "reader"}),
        ("lbk ask -pmine --role ", {"writer", "reader"}),
        ("lbk ask --pillar=mine --role ", {"writer", "reader"}),
        ("lbk ask --role ", {"writer", "auditor", "primary"}),
        ("lbk ask -m ", {"gpt-oss:120b", "moonshotai/kimi-k2.5", "vendor/odd:model", "openrouter/free"}),
        ("lbk route --assume ", {"MY_KEY=", "OLLAMA_API_KEY="}),
        ("lbk config show ", {"timezone", "routing.", "keys."}),
        ("lbk route --replay ", {"last"}),
        ("lbk rotate MY_KEY --to ", {"dotenv:", "file:", "keyring:", "github:", "command:"}),
        ("lbk sandbox --fault ", {"OLLAMA_API_KEY=", "ollama=", "local="}),
        ("lbk completion ", {"bash", "zsh", "fish"}),
    ],
)
def test_values_come_from_the_configuration_on_the_line(shell: Shell, line: str, offered: set[str]) -> None:
    configured = line.replace("lbk ", "lbk --config ~/own.toml ", 1) if "--to" not in line else line
    found = set(shell.offers(configured))
    assert offered <= found
    if line.endswith("--role ") and "mine" in line:
        assert found == offered
    if "MY_KEY " in line:
        assert "MY_KEY" not in found


def test_a_key_is_rotated_one_at_a_time(shell: Shell) -> None:
    assert not {"OLLAMA_API_KEY", "OLLAMA_API_KEY_2"} & set(shell.offers("lbk rotate OLLAMA_API_KEY "))
    assert shell.offers("lbk rotate OLLAMA_API_KEY O") == []


@pytest.mark.parametrize(
    "config",
    [
        "--config ~/own.toml",
        "--config=~/own.toml",
        "--config $HOME/own.toml",
        '--config "$HOME/own.toml"',
        "--config ${HOME}/'own.toml'",
        "--config own.toml",
    ],
)
def test_the_file_may_be_named_in_any_way(shell: Shell, config: str) -> None:
    if shell.name == "fish" and "${" in config:
        config = config.replace("${HOME}", "$HOME")
    assert shell.press_tab(f"lbk route {config} -p mi").endswith("-p mine ")
    assert shell.press_tab(f"lbk {config} route -p mi").endswith("-p mine ")


def test_a_variable_before_the_command_counts(shell: Shell) -> None:
    if shell.name == "bash":
        pytest.skip("bash does not tell its completions of it")
    assert shell.press_tab("LBK_CONFIG=~/own.toml lbk route -p mi").endswith("-p mine ")
    assert not shell.press_tab("LBK_CONFIG=~/own.toml true; lbk route -p mi").endswith("mine ")
    assert "MY_KEY" not in shell.offers("LBK_CONFIG=~/own.toml lbk sandbox -- lbk ask --key ")


# --- in any form ---


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("lbk rou", "lbk route "),
        ("lbk route --pill", "lbk route --pillar "),
        ("lbk route --quie", "lbk route --quiet "),
        ("lbk ask -p sou", "lbk ask -p soul "),
        ("lbk ask -psou", "lbk ask -psoul "),
        ("lbk ask -vpsou", "lbk ask -vpsoul "),
        ("lbk ask --pillar=sou", "lbk ask --pillar=soul "),
        ("lbk costs --by=d", "lbk costs --by=day "),
        ("lbk ask -m gpt-oss:1", "lbk ask -m gpt-oss:120b "),
        ("lbk ask -m qwen3-next:", "lbk ask -m qwen3-next:80b "),
        ("lbk ask --model=gpt-oss:1", "lbk ask --model=gpt-oss:120b "),
        ("lbk ask -m 'gpt-oss:1", "lbk ask -m 'gpt-oss:120b' "),
        ("lbk ask -m moonshotai/kimi-k2-", "lbk ask -m moonshotai/kimi-k2-thinking "),
        ("lbk ask -- --pill", "lbk ask -- --pill"),
        ("lbk ask -- -p sou", "lbk ask -- -p sou"),
        ("lbk --state x ask -p sou", "lbk --state x ask -p soul "),
        ("lbk ask --system text -p sou", "lbk ask --system text -p soul "),
        ("lbk route --assume MY", "lbk route --assume MY"),
        ("lbk route --assume OLLAMA_API_KEY_2", "lbk route --assume OLLAMA_API_KEY_2="),
        ("lbk route --assume OLLAMA_API_KEY_2=di", "lbk route --assume OLLAMA_API_KEY_2=disabled "),
        ("lbk route --assume=OLLAMA_API_KEY_2=di", "lbk route --assume=OLLAMA_API_KEY_2=disabled "),
        ("lbk sandbox -f ollama=504", "lbk sandbox -f ollama=504 "),
        ("lbk sandbox -f ollama@ch", "lbk sandbox -f ollama@ch"),
        ("lbk sandbox -f ollama@acc", "lbk sandbox -f ollama@account="),
        ("lbk sandbox -f ollama@check=leg", "lbk sandbox -f ollama@check=legacy "),
        ("lbk sandbox -f openrouter=leg", "lbk sandbox -f openrouter=leg"),
        ("lbk sandbox --fault=openrouter=429ret", "lbk sandbox --fault=openrouter=429retry="),
        ("lbk config show routing.prefer_o", "lbk config show routing.prefer_ollama "),
        ("lbk config show prov", "lbk config show providers."),
        ("lbk config show models.gpt-oss:120b.op", "lbk config show models.gpt-oss:120b.openrouter "),
        ("lbk rotate KEY --to dote", "lbk rotate KEY --to dotenv:"),
        ("lbk rotate KEY --to dotenv:~/spa", "lbk rotate KEY --to dotenv:~/spaces\\ here/"),
        ("lbk --config ~/spa", "lbk --config ~/spaces\\ here/"),
        ("lbk --config=~/spa", "lbk --config=~/spaces\\ here/"),
        ("lbk metrics -o spa", "lbk metrics -o spaces\\ here/"),
        ("lbk metrics --output 'spaces h", "lbk metrics --output 'spaces here/"),
        ("lbk ask --timeout 3", "lbk ask --timeout 3"),
        ("lbk sandbox -- lbk rou", "lbk sandbox -- lbk route "),
        ("lbk sandbox lbk ask -p sou", "lbk sandbox lbk ask -p soul "),
        (
            "lbk sandbox -f local=503 -- lbk ask --model=gpt-oss:1",
            "lbk sandbox -f local=503 -- lbk ask --model=gpt-oss:120b ",
        ),
        ("lbk sandbox -- lbk sandbox -- lbk rou", "lbk sandbox -- lbk sandbox -- lbk route "),
        ("lbk sandbox -- printen", "lbk sandbox -- printenv "),
        ("lbk sandbox printen", "lbk sandbox printenv "),
        ("lbk sandbox cat spa", "lbk sandbox cat spaces\\ here/"),
        ("lbk sandbox -- cat --fau", "lbk sandbox -- cat --fau"),
        ("true; lbk rou", "true; lbk route "),
        ("~/../bin/lbk rou", "~/../bin/lbk route "),
    ],
)
def test_forms(shell: Shell, line: str, completed: str) -> None:
    (Path(shell.env["HOME"]) / "spaces here").mkdir(exist_ok=True)
    assert shell.press_tab(line) in alike(shell, completed)


def test_what_is_behind_the_cursor_stays(shell: Shell) -> None:
    left = "\x02" * len(" --json")
    completed = shell.say(f"lbk route -p sou --json{left}\t")
    assert completed == ("lbk route -p soul  --json" if shell.name == "zsh" else "lbk route -p soul --json")


def test_an_older_bash_completes_files_too(tmp_path: Path) -> None:
    """It has no compopt, which 4.0 brought."""
    with KINDS["bash"](tmp_path, "enable -n compopt") as shell:
        home = Path(shell.env["HOME"])
        (home / "spaces here").mkdir()
        (home / "spaces here" / "a=b:c.toml").touch()
        assert shell.press_tab("lbk --config spa") == "lbk --config spaces\\ here/"
        assert shell.press_tab("lbk --config=~/spa") == "lbk --config=~/spaces\\ here/"
        assert shell.press_tab("lbk rotate KEY --to file:~/spaces\\ here/a=") == (
            "lbk rotate KEY --to file:~/spaces\\ here/a=b:c.toml "
        )
        assert shell.press_tab("lbk sandbox cat spa") == "lbk sandbox cat spa"
        assert shell.press_tab("lbk rou") == "lbk route "
        assert b"compopt" not in shell.screen.partition(b"enable")[2].replace(b"enable -n compopt", b"")


def alike(shell: Shell, line: str) -> set[str]:
    """The line as it was meant, in the spellings of a shell."""
    spellings = {line}
    if shell.name == "zsh":
        spellings |= {re.sub(r" (--\w+) $", r" \1=", line), line.removesuffix("=") + "=", line.removesuffix(" ")}
    if shell.name in {"bash", "fish"}:
        spellings |= {line.replace("120b' ", "120b'"), line.replace("'spaces here/", "'spaces here'/")}
    return spellings


# --- names that would like to be more ---

HOSTILE = [
    "a$(touch canary)",
    "b`touch canary`",
    "c; touch canary",
    "d' \"\\ touch",
    "e e  e",
    "f&|<>(){}[]*?#~!^%",
    "g:h=i@j/k,l",
    "h$HOME${PATH}",
    "jüñ→",
    "k\\n\\t\\x41",
    "m~",
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "config.toml"
    names = [*HOSTILE, "-rf", "new\nline", "esc\x1b]0;x\x07", " led", "bidi\u202e"]
    path.write_text("".join(f"[keys.{json.dumps(name)}]\nprovider = 'ollama'\n" for name in names), "utf-8")
    return path


@pytest.mark.parametrize("opening", ["", "'", '"'], ids=["bare", "single", "double"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_one_word_and_is_never_run(shell: Shell, hostile: Path, name: str, opening: str) -> None:
    if shell.name != "fish" and opening == '"' and "!" in name:
        pytest.skip("a backslash before ! is needed there at a prompt, and stays")
    line = shell.press_tab(f"lbk --config {hostile} ask --key {opening}{name[0]}")
    assert shell.words_of(line.removeprefix("lbk "))[-1] == name
    assert not list(Path(shell.env["HOME"]).rglob("canary"))


def test_what_is_no_name_is_not_offered(shell: Shell, hostile: Path) -> None:
    offers = shell.offers(f"lbk --config {hostile} ask --key ")
    assert len(offers) == len(HOSTILE) + len(["the five", "that", "everybody", "has", "and"]) + len(["local"])
    assert not any("rf" in one or "line" in one or "\x1b" in one for one in offers)


# --- whoever sits there ---


@pytest.mark.parametrize(
    ("name", "settings", "seen"),
    [
        ("bash", "set -u; set -e; set -o pipefail", "echo $-"),
        ("bash", "set -f; IFS=:; shopt -s extglob nullglob", 'echo "$- $IFS"; shopt extglob nullglob'),
        ("bash", "IFS=-lbk; shopt -s failglob nocasematch", 'echo "$- $IFS"; shopt failglob nocasematch'),
        ("bash", "unset IFS; set -o posix", "echo ${IFS-unset}; set -o | grep posix"),
        ("bash", "BASH_COMPAT=3.2; shopt -u progcomp_alias", "echo $BASH_COMPAT"),
        ("bash", "COMP_WORDBREAKS=$' \\t\\n'", 'echo "$COMP_WORDBREAKS"'),
        ("zsh", "setopt ksh_arrays nounset sh_word_split", "setopt"),
        ("zsh", "setopt no_glob no_equals glob_subst ksh_glob ksh_autoload", "setopt"),
        ("zsh", "setopt err_return pipe_fail null_glob rc_quotes csh_null_glob", "setopt"),
        ("zsh", "IFS=:; setopt posix_builtins sh_file_expansion no_short_loops", "setopt; echo $IFS"),
        ("fish", "set -g IFS :; set -g fish_complete_path", "set -U; echo $IFS"),
        ("fish", "set -U what nothing; set -g known nothing; set -g given --pillar", "echo $what $known $given"),
    ],
)
def test_odd_settings_neither_hurt_nor_change(name: str, settings: str, seen: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "own.toml").write_text(OWN)
    before, after = tmp_path / "before", tmp_path / "after"
    with KINDS[name](tmp_path, f"{settings}\n") as shell:
        shell.say(f"{{ {seen}; }} >{before}\n" if name != "fish" else f"begin; {seen}; end >{before}\n")
        assert shell.press_tab("lbk rou") == "lbk route "
        assert shell.press_tab("lbk --config ~/own.toml ask -p mi").endswith("-p mine ")
        assert shell.press_tab("lbk ask -m gpt-oss:1") == "lbk ask -m gpt-oss:120b "
        assert shell.press_tab("lbk ask --model=gpt-oss:1") == "lbk ask --model=gpt-oss:120b "
        assert shell.press_tab("lbk sandbox -- lbk --config ~/own.toml ask -p mi").endswith("-p mine ")
        assert "--pillar" in shell.offers("lbk route --p")
        shell.say(f"{{ {seen}; }} >{after}\n" if name != "fish" else f"begin; {seen}; end >{after}\n")
        assert before.read_text() == after.read_text() != ""
        assert b"rror" not in shell.screen
        assert b"lbk: " not in shell.screen


@pytest.mark.parametrize(
    "config",
    [
        "keys = 5\npillars = []\nmodels = 'x'",
        "[keys]\nOLLAMA_API_KEY = 1\n",
        "[[[",
        "\udcff\udcfe",
        "",
        "[keys.A]\nprovider = []",
    ],
)
def test_a_broken_configuration_still_has_the_names_that_everybody_has(config: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(config, "utf-8", "surrogateescape")
    for kind, name in (
        ("key", "OPENROUTER_API_KEY_1"),
        ("pillar", "soul"),
        ("model", "kimi-k2.6"),
        ("role", "auditor"),
    ):
        done = complete(tmp_path, "bash", kind, "lbk", "--config", str(path), "")
        assert name in [line.split("\t")[0] for line in done.stdout.splitlines()]
        assert (done.returncode, done.stderr) == (0, "")


def complete(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["lbk", "__complete", *words],
        env={**world(folder), **env},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nothing_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for named in (
        tmp_path / "pipe",
        "/dev/zero",
        "/dev/stdin",
        tmp_path,
        tmp_path / "missing",
        "~nobody-here/x",
        "\x01",
    ):
        done = complete(tmp_path, "bash", "pillar", "lbk", "--config", str(named), "")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("soul\t")
    with (tmp_path / "huge.toml").open("w") as file:
        file.truncate(1 << 30)
    assert complete(tmp_path, "bash", "pillar", "", LBK_CONFIG=str(tmp_path / "huge.toml")).stdout.startswith("soul\t")


@pytest.mark.parametrize(
    "words", ["", "bash", "bash key", "bash what lbk", "tcsh key lbk", "fish role -- -p --pillar", "-h", "--json"]
)
def test_nonsense_is_answered_with_silence(words: str, tmp_path: Path) -> None:
    done = complete(tmp_path, *words.split())
    assert (done.returncode, done.stderr) == (0, "")


def test_tab_writes_nothing_and_reads_no_secret(tmp_path: Path) -> None:
    env = world(tmp_path)
    (tmp_path / "home" / "own.toml").write_text(f'{OWN}secret = "command:touch {tmp_path}/read"\n')
    before = sorted(tmp_path.rglob("*"))
    for kind in ("key", "role", "model", "fault", "assumption", "setting"):
        done = complete(
            tmp_path, "bash", kind, "lbk", "--config", "~/own.toml", "", LBK_STATE=str(tmp_path / "state" / "s")
        )
        assert done.stdout.count("\n") >= 3
        assert "touch" not in done.stdout
    assert sorted(tmp_path.rglob("*")) == before
    assert env["HOME"] == str(tmp_path / "home")


def test_where_there_is_no_lbk_fixed_words_are_offered_all_the_same(shell: Shell, tmp_path: Path) -> None:
    with KINDS[shell.name](tmp_path) as alone:
        (tmp_path / "bin" / "lbk").unlink()
        alone.say("PATH=/nowhere\n" if shell.name != "fish" else "set PATH /nowhere\n")
        assert alone.press_tab("lbk rou") == "lbk route "
        assert alone.press_tab("lbk ask -p so") == "lbk ask -p so"
        assert b"not found" not in alone.screen
        assert b"nknown command" not in alone.screen


# --- commands in the sandbox ---

OTHERS = """
_other() { COMPREPLY=($(compgen -W 'alpha beta' -- "${COMP_WORDS[COMP_CWORD]}")); }
complete -F _other other
"""


def test_bash_completes_what_runs_in_the_sandbox(tmp_path: Path) -> None:
    with KINDS["bash"](tmp_path, OTHERS) as shell:
        assert shell.press_tab("lbk sandbox -- other al") == "lbk sandbox -- other alpha "
        assert shell.press_tab("lbk sandbox -f local=503 other -x al") == "lbk sandbox -f local=503 other -x alpha "
        assert shell.press_tab("lbk sandbox -- other ") == "lbk sandbox -- other "


def test_bash_leaves_that_to_the_package_bash_completion(tmp_path: Path) -> None:
    package = Path("/usr/share/bash-completion/bash_completion")
    if not package.exists():
        pytest.skip("there is no bash-completion on this machine")
    with KINDS["bash"](tmp_path, f". {package}\n{OTHERS}") as shell:
        assert shell.press_tab("lbk sandbox -- other al") == "lbk sandbox -- other alpha "
        assert shell.press_tab("lbk sandbox -- lbk rou") == "lbk sandbox -- lbk route "
        assert shell.press_tab("lbk ask --model=gpt-oss:1") == "lbk ask --model=gpt-oss:120b "


def test_the_sandbox_has_a_configuration_of_its_own(shell: Shell) -> None:
    variable = "export LBK_CONFIG=~/own.toml" if shell.name != "fish" else "set -gx LBK_CONFIG ~/own.toml"
    shell.say(f"{variable}\n")
    try:
        assert "MY_KEY" in shell.offers("lbk ask --key ")
        assert "MY_KEY" not in shell.offers("lbk sandbox -- lbk ask --key ")
        assert "MY_KEY" in shell.offers("lbk ask --key "), "and that was for this one line"
    finally:
        shell.say("unset LBK_CONFIG\n" if shell.name != "fish" else "set -e LBK_CONFIG\n")


# --- what is offered is understood ---


def test_every_fault_that_is_offered_is_one() -> None:
    targets = {"OLLAMA_API_KEY": Provider.OLLAMA, "openrouter": Provider.OPENROUTER, "local": Provider.LOCAL}
    whole = set[str]()
    beginnings = [f"{target}{at}" for target in targets for at in ("=", "@")]
    while beginnings:
        begun = beginnings.pop()
        for text, _ in suggestions(begun, targets):
            if not text.startswith(begun):
                continue
            if text.endswith("=") and "=" not in text.removesuffix("="):
                beginnings.append(text)
            else:
                whole.add(f"{text}1" if text.endswith("=") else text)
    assert len(whole) > 300
    for text in whole:
        parse_fault(text, targets)


def test_every_setting_that_is_offered_is_one(tmp_path: Path) -> None:
    nowhere = Environment({"HOME": str(tmp_path)})
    tables, leaves = [""], list[str]()
    while tables:
        begun = tables.pop()
        for name in offered("setting", [begun], nowhere, typed=False):
            if name.text.startswith(begun):
                (tables if name.text.endswith(".") else leaves).append(name.text)
    assert {"timezone", "routing.prefer_ollama", "pillars.soul.primary.model"} < set(leaves)
    shown = {setting.key.replace('"', "") for setting in show(None, None, nowhere).settings}
    assert set(leaves) <= shown


def test_a_value_is_of_a_known_kind() -> None:
    taken = [option.value for command in LBK.walk() for option in command.options if option.value]
    taken += [argument.value for command in LBK.walk() for argument in command.arguments]
    assert {value.kind for value in taken} == set(ValueKind), "a kind that nothing takes"
