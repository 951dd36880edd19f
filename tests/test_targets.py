"""Where a new secret can go: what references mean, what each place does, and several of them at once."""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import signal
import stat
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from lollmsbot_keys.core.model.config import Key, Provider
from lollmsbot_keys.edges.secrets import Secret, fingerprint
from lollmsbot_keys.edges.targets import (
    NOT_READABLE,
    Fate,
    MaybeWritten,
    NotAllWritten,
    Target,
    check_all,
    own_target,
    parse_target,
    write_all,
)
from lollmsbot_keys.errors import Exit, SecretError, UsageError
from tests.support import PATIENCE_S, finished, start
from tests.targets_lab import KEY, NEW, NEW_VALUE, OLD_VALUE, around, held, refusal, secret, target


def python(code: str, *arguments: str) -> str:
    """A `command:` target that runs `code`."""
    return f"command:{shlex.join([sys.executable, '-c', code, *arguments])}"


# --- references -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("dotenv:a/b.env#NAME", "dotenv:{base}/a/b.env#NAME"),
        ("dotenv:odd#path/.env#NAME", "dotenv:{base}/odd#path/.env#NAME"),
        ("dotenv:~/.env#NAME", "dotenv:{base}/.env#NAME"),
        ("file:/run/key", "file:/run/key"),
        ("keyring:https://a.example/me", "keyring:https://a.example/me"),
        ("github:acme/app", "github:acme/app#OPENROUTER_API_KEY_1"),
        ("github:acme/app.js#my_key", "github:acme/app.js#MY_KEY"),
        ("github:acme/app@live", "github:acme/app@live#OPENROUTER_API_KEY_1"),
        ("github:acme/app@two words/eu#K", "github:acme/app@two words/eu#K"),
        ("github:orgs/acme", "github:orgs/acme#OPENROUTER_API_KEY_1"),
        ("github:orgs/acme#K", "github:orgs/acme#K"),
        ("command:pass insert -e 'a b' --token=hidden", "command:pass"),
    ],
)
def test_a_reference_is_a_target(tmp_path: Path, text: str, label: str) -> None:
    found = target(text, tmp_path)
    assert found.label == label.format(base=tmp_path)
    assert repr(found) == f"<{found.label}>"
    if not text.startswith("command:"):  # a label means the same place
        assert target(found.label, tmp_path).label == found.label
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "dotenv:PATH#NAME"),
        (NEW_VALUE, "dotenv:PATH#NAME"),
        (f"vault:{NEW_VALUE}", "keyring:SERVICE/NAME"),
        ("gihub:acme/app", "Did you mean github: ?"),
        (f"Dotenv:{NEW_VALUE}", "Did you mean dotenv: ?"),
        ("dotenv:.env", "dotenv:PATH#NAME"),
        ("dotenv:#NAME", "dotenv:PATH#NAME"),
        ("dotenv:.env#2nd", "dotenv:PATH#NAME"),
        ("file: ", "file:PATH"),
        ("file:a\nb", "file:PATH"),
        ("keyring:service", "keyring:SERVICE/NAME"),
        ("keyring:/name", "keyring:SERVICE/NAME"),
        ("github:acme", "github:orgs/ORGANISATION"),
        ("github:acme/..", "github:OWNER/REPO"),
        ("github:acme/app/x", "github:OWNER/REPO"),
        ("github:acme/app@", "OWNER/REPO@ENVIRONMENT"),
        ("github:orgs/acme@live", "github:orgs/ORGANISATION"),
        ("github:-R/app", "github:OWNER/REPO"),
        ("github:acme/app#", "Choose one: --to github:acme/app#NAME"),
        ("github:acme/app#GitHub_token", "Choose one"),
        ("github:acme/app#1ST", "Choose one"),
        (f"github:acme/app#{NEW_VALUE}", "Choose one"),
        ("command:", "command:PROGRAM"),
        ("command:pass 'insert", "quote without an end"),
    ],
)
def test_what_is_no_target_is_explained_and_never_quoted(tmp_path: Path, text: str, says: str) -> None:
    words = refusal(lambda: target(text, tmp_path), UsageError)
    assert says in words
    assert "\n" not in words


def test_a_key_whose_name_no_github_secret_can_have_needs_another_one(tmp_path: Path) -> None:
    key = Key("team-a.key", Provider.OLLAMA, "env:X")
    said = refusal(lambda: parse_target("github:acme/app", key, around(tmp_path)), UsageError)
    assert "team-a.key cannot be the name of a GitHub secret" in said
    assert parse_target("github:acme/app#TEAM_A", key, around(tmp_path)).label == "github:acme/app#TEAM_A"


def test_an_environment_variable_is_no_target_and_one_is_suggested(tmp_path: Path) -> None:
    for action in (lambda: target("env:X", tmp_path), lambda: own_target(KEY, around(tmp_path))):
        words = refusal(action)
        assert "--to dotenv:.env#OPENROUTER_API_KEY_1" in words
        assert "[keys.OPENROUTER_API_KEY_1]" in words


def test_a_key_is_written_where_it_is_read_unless_that_is_a_command(tmp_path: Path) -> None:
    for reference in ("dotenv:.env#A", "file:key", "keyring:lbk/A"):
        found = own_target(Key("A", Provider.OLLAMA, reference), around(tmp_path))
        assert found.label == target(reference, tmp_path).label
    key = Key("A", Provider.OLLAMA, "command:pass show a")
    assert "--to " in refusal(lambda: own_target(key, around(tmp_path)))


def test_what_is_read_back_is_never_shown_afterwards_and_is_known_by_its_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(OLD_VALUE)
    surroundings = around(tmp_path)
    found = parse_target("file:key", KEY, surroundings).read_back()
    assert isinstance(found, Secret)
    assert found.fingerprint == fingerprint(OLD_VALUE, surroundings.fingerprint_key)
    assert found.provider is KEY.provider
    assert surroundings.scrubber.text(OLD_VALUE) == "[secret]"


def test_surroundings_do_not_print(tmp_path: Path) -> None:
    assert NEW_VALUE not in repr(around(tmp_path, TOKEN=NEW_VALUE))


# --- file: ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "{}\n"),
        ("", "{}\n"),
        ("\n", "{}\n"),
        (OLD_VALUE, "{}"),
        (f"{OLD_VALUE}\r\n", "{}\r\n"),
        (f"\ufeff {OLD_VALUE}\n\n", "\ufeff {}\n\n"),
    ],
)
def test_a_file_holds_the_secret_and_keeps_the_white_space_around_it(
    tmp_path: Path, before: str | None, after: str
) -> None:
    path = tmp_path / "key"
    if before is not None:
        path.write_bytes(before.encode())
    place = target("file:key", tmp_path)
    place.check()
    previous = place.read_back()
    assert held(place) == (None if before is None else before.strip("\ufeff \r\n"))
    place.write(NEW)
    assert path.read_bytes() == after.format(NEW_VALUE).encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert held(place) == NEW_VALUE
    assert previous is not NOT_READABLE
    place.restore(previous)
    if before is None:
        assert not path.exists()
        place.restore(None)  # twice is once
    else:
        assert path.read_bytes() == before.encode() or not before.strip()
        assert held(place) == before.strip("\ufeff \r\n")


@pytest.mark.parametrize("content", ['{"key": "x"}\n', "A=1\nB=2\n", "two words", "\x00binary"])
def test_a_file_with_anything_else_in_it_is_not_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    place = target("file:key", tmp_path)
    for action in (place.check, lambda: place.write(NEW)):
        assert "is not overwritten" in refusal(action)
    assert (tmp_path / "key").read_text() == content


# --- command: -------------------------------------------------------------------------------------------------------


SPY = """
import glob, json, sys
from contextlib import suppress
secret = sys.stdin.read()
lines = bytearray()
for path in [*glob.glob("/proc/[0-9]*/cmdline"), "/proc/self/environ"]:
    with suppress(OSError), open(path, "rb") as file:
        lines += file.read()
found = {"secret": secret, "shown": secret.strip().encode() in lines, "arguments": sys.argv[2:]}
found["looked"] = b"a-spy-argument" in lines
json.dump(found, open(sys.argv[1], "w"))
"""


def test_a_command_gets_the_secret_on_its_input_alone(tmp_path: Path) -> None:
    (tmp_path / "spy").write_text(SPY)
    argv = [sys.executable, str(tmp_path / "spy"), str(tmp_path / "seen"), "a-spy-argument", "$HOME;`id`"]
    place = target(f"command:{shlex.join(argv)}", tmp_path)
    place.check()
    place.write(secret("sk-no-other-process-has-this-one"))
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["secret"] == "sk-no-other-process-has-this-one\n"
    assert seen["arguments"] == ["a-spy-argument", "$HOME;`id`"]
    assert not seen["shown"]
    assert seen["looked"] is Path("/proc/self/cmdline").exists()
    assert place.read_back() is NOT_READABLE


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import sys; sys.exit(3)", "exit code 3. Run it by hand"),
        (
            "import sys; s = sys.stdin.read(); print('one', file=sys.stderr); sys.exit('\\x1b[31mno ' + s + ' thanks')",
            "exit code 1. It says: one no [secret] thanks",
        ),
        ("import os, sys; sys.exit('with ' + os.environ['STORE_TOKEN'])", "It says: with [secret]"),
        ("import os, sys; sys.exit('through ' + os.environ['https_proxy'])", "through http://[secret]@proxy.example"),
        ("import os; os.kill(os.getpid(), 9)", "exit code -9"),
        ("import time; time.sleep(100)", "did not end within 0.5 seconds"),
    ],
)
def test_a_command_that_fails_may_have_stored_it_and_its_words_are_scrubbed(
    tmp_path: Path, code: str, says: str
) -> None:
    variables = {"STORE_TOKEN": "a-token-of-the-store", "https_proxy": "http://somebody:hunter2@proxy.example"}
    place = target(python(code), tmp_path, 0.5 if "sleep" in code else PATIENCE_S, **variables)
    assert says in refusal(lambda: place.write(NEW), MaybeWritten)


@pytest.mark.parametrize("width", [5, 12, 76])
def test_a_secret_that_a_command_writes_over_many_lines_is_scrubbed(tmp_path: Path, width: int) -> None:
    code = (
        "import base64, sys, textwrap; digits = base64.b64encode(sys.stdin.buffer.read()).decode(); "
        "sys.exit(chr(10).join(textwrap.wrap(digits, int(sys.argv[1]))))"
    )
    said = refusal(lambda: target(python(code, str(width)), tmp_path).write(NEW), MaybeWritten)
    words = said.partition("It says: ")[2]
    assert "[secret]" in words
    digits = base64.b64encode(NEW_VALUE.encode()).decode()
    assert not [digits[at : at + 5] for at in range(len(digits) - 6) if digits[at : at + 5] in words]


def test_a_command_that_is_not_there_is_seen_before(tmp_path: Path) -> None:
    place = target("command:no-such-store --now", tmp_path)
    assert "no program no-such-store" in refusal(place.check)
    with pytest.raises(SecretError, match="cannot be started: No such file") as caught:
        place.write(NEW)
    assert not isinstance(caught.value, MaybeWritten)


PASS = """#!/bin/sh
case $1 in show) cat "$HOME/$2.entry" ;; insert) cat >"$HOME/$3.entry" ;; esac
"""


@pytest.mark.parametrize("remarks", ["", "\n", "\nuser: me\n"])
def test_a_password_store_does_not_lose_what_is_noted_beside_a_secret(tmp_path: Path, remarks: str) -> None:
    program, entry = tmp_path / "pass", tmp_path / "key.entry"
    program.write_text(PASS)
    program.chmod(0o755)
    place = target(f"command:{program} insert -ef key", tmp_path)
    place.check()  # there is no entry yet
    entry.write_text(f"{OLD_VALUE}{remarks}")
    if remarks.strip():
        assert "has more lines than its secret" in refusal(place.check)
        assert entry.read_text() == f"{OLD_VALUE}{remarks}"
    else:
        place.check()


def test_a_command_cannot_take_a_secret_back(tmp_path: Path) -> None:
    store = tmp_path / "store"
    place = target(python("import sys; open(sys.argv[1], 'w').write(input())", str(store)), tmp_path)
    place.write(NEW)
    assert "by hand" in refusal(lambda: place.restore(None))
    place.restore(secret(OLD_VALUE))  # the caller may know what was there
    assert store.read_text() == OLD_VALUE


# --- keyring: -------------------------------------------------------------------------------------------------------

BACKEND = """
import json, pathlib
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError
class FileKeyring(KeyringBackend):
    priority = 1
    path = pathlib.Path(__file__).with_name("entries.json")
    def entries(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}
    def get_password(self, service, username):
        return self.entries().get(f"{service}|{username}")
    def set_password(self, service, username, password):
        self.path.write_text(json.dumps({**self.entries(), f"{service}|{username}": password}))
    def delete_password(self, service, username):
        entries = self.entries()
        if entries.pop(f"{service}|{username}", None) is None:
            raise PasswordDeleteError
        self.path.write_text(json.dumps(entries))
class Forgetful(FileKeyring):
    def set_password(self, service, username, password):
        super().set_password(service, username, password[:12])
class Talkative(FileKeyring):
    def set_password(self, service, username, password):
        raise RuntimeError("cannot store " + password)
class Shut(FileKeyring):
    def get_password(self, service, username):
        from keyring.errors import KeyringLocked
        raise KeyringLocked
"""
KEYRING = """
import sys
from pathlib import Path
from tests.targets_lab import NEW, NEW_VALUE, OLD_VALUE, held, secret, target
from lollmsbot_keys.edges.targets import write_all
from lollmsbot_keys.errors import SecretError
if "hidden" in sys.argv:
    sys.modules["keyring"] = None
place = target("keyring:lbk test/a", Path())
try:
    place.check()
    assert held(place) is None
    place.write(secret(OLD_VALUE))
    assert held(place) == OLD_VALUE
    before = place.read_back()
    print([fate.value for _, fate in write_all([place], NEW)])
    assert held(place) == NEW_VALUE
    place.restore(before)
    assert held(place) == OLD_VALUE
    place.restore(None)
    place.restore(None)
    assert held(place) is None
    print("all well")
except SecretError as error:
    print(type(error).__name__, error)
"""


def keyring_says(folder: Path, backend: str, *arguments: str) -> str:
    pytest.importorskip("keyring")
    (folder / "own_keyring.py").write_text(BACKEND)
    env = {"PATH": os.defpath, "HOME": str(folder), "PYTHON_KEYRING_BACKEND": backend}
    here = Path(__file__).parent.parent
    env["PYTHONPATH"] = os.pathsep.join([str(here), str(folder)])
    done = finished(start([sys.executable, "-c", KEYRING, *arguments], env))
    assert done.stderr == ""
    assert NEW_VALUE not in done.stdout
    return done.stdout


def test_a_keyring_is_written_read_and_put_back(tmp_path: Path) -> None:
    assert keyring_says(tmp_path, "own_keyring.FileKeyring") == "['verified']\nall well\n"
    assert json.loads((tmp_path / "entries.json").read_text()) == {}


@pytest.mark.parametrize(
    ("backend", "says"),
    [
        ("keyring.backends.fail.Keyring", "no keyring service"),
        ("keyring.backends.null.Keyring", "switched off"),
        ("own_keyring.Talkative", "refused keyring:lbk test/a (RuntimeError)"),
        ("own_keyring.Shut", "(KeyringLocked). Is it locked?"),
    ],
)
def test_a_keyring_that_cannot_be_used_is_explained(tmp_path: Path, backend: str, says: str) -> None:
    assert says in keyring_says(tmp_path, backend)


def test_a_keyring_that_is_not_installed_is_explained(tmp_path: Path) -> None:
    assert 'pip install "lollmsbot-keys[keyring]"' in keyring_says(tmp_path, "", "hidden")


FORGETFUL = """
from pathlib import Path
from tests.targets_lab import NEW, target
from lollmsbot_keys.edges.targets import write_all
try:
    write_all([target("keyring:lbk/a", Path())], NEW)
except Exception as error:
    print(error, error.placements)
"""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {}, "Put back as it was: keyring:lbk/a."),
        (
            {"lbk|a": OLD_VALUE},
            {"lbk|a": OLD_VALUE[:12]},
            "May hold the new secret or the old one, see for yourself",
        ),
    ],
)
def test_a_keyring_that_keeps_something_else_is_found_out(
    tmp_path: Path, before: dict[str, str], after: dict[str, str], said: str
) -> None:
    pytest.importorskip("keyring")
    (tmp_path / "entries.json").write_text(json.dumps(before))
    (tmp_path / "own_keyring.py").write_text(BACKEND)
    paths = os.pathsep.join([str(Path(__file__).parent.parent), str(tmp_path)])
    env = {"PATH": os.defpath, "PYTHON_KEYRING_BACKEND": "own_keyring.Forgetful", "PYTHONPATH": paths}
    done = finished(start([sys.executable, "-c", FORGETFUL], env))
    assert "gives another one back" in done.stdout, done
    assert said in done.stdout
    assert json.loads((tmp_path / "entries.json").read_text()) == after


SERVICE = """
printf made-up | gnome-keyring-daemon --unlock --components=secrets --foreground >/dev/null 2>&1 &
daemon=$!
for _ in $(seq 200); do
    dbus-send --session --dest=org.freedesktop.DBus --print-reply --type=method_call / \\
        org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q 'boolean true' && break
    sleep 0.05
done
"$@"
kill $daemon
"""


@pytest.mark.skipif(
    not all(map(shutil.which, ("dbus-run-session", "dbus-send", "gnome-keyring-daemon"))),
    reason="a real Secret Service needs dbus and gnome-keyring (Debian: apt install dbus gnome-keyring)",
)
def test_a_real_secret_service_keeps_the_secret(tmp_path: Path) -> None:
    pytest.importorskip("secretstorage")
    for folder in ("run", "data"):
        (tmp_path / folder).mkdir(mode=0o700)
    env = {"PATH": os.defpath, "HOME": str(tmp_path)}
    env |= {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "XDG_DATA_HOME": str(tmp_path / "data")}
    argv = ["dbus-run-session", "--", "sh", "-c", SERVICE, "sh", sys.executable, "-c", KEYRING]
    done = finished(start(argv, env))
    assert done.stdout == "['verified']\nall well\n", done


# --- several at once ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a dotenv file, a key file and a program that stores."""
    (tmp_path / "store").write_text("import sys; open(sys.argv[1], 'a').write(sys.stdin.read())")
    (tmp_path / "key").write_text(OLD_VALUE)
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / ".env").write_text(f"# pool\nNAME='{OLD_VALUE}' # live\n")
    return tmp_path


def command(folder: Path, argument: str) -> Target:
    return target(f"command:{shlex.join([sys.executable, str(folder / 'store'), argument])}", folder)


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def failure(targets: list[Target], new: object = NEW) -> tuple[str, dict[str, Fate]]:
    with pytest.raises(NotAllWritten) as caught:
        write_all(targets, new)  # type: ignore[arg-type]
    assert caught.value.exit is Exit.UNUSABLE
    assert NEW_VALUE not in str(caught.value)
    assert OLD_VALUE not in str(caught.value)
    return str(caught.value), dict(caught.value.placements)


def test_all_targets_are_written_and_those_that_can_be_are_read_back(folder: Path) -> None:
    stored = folder / "stored"
    texts = ["file:key", "dotenv:pool/.env#NAME", "file:new", "file:key"]
    places = [command(folder, str(stored)), *(target(text, folder) for text in texts)]
    assert [found.fate for found in write_all(places, NEW)] == [Fate.WRITTEN, *[Fate.VERIFIED] * 4]
    assert [found.label for found in write_all(places[:2], NEW)] == [places[0].label, f"file:{folder}/key"]
    assert {held(place) for place in places[1:]} == {NEW_VALUE}
    assert stored.read_text() == f"{NEW_VALUE}\n" * 2


def test_two_commands_of_one_program_are_two_targets(folder: Path) -> None:
    places = [command(folder, str(folder / name)) for name in ("one", "two")]
    assert len(write_all(places, NEW)) == 2
    assert (folder / "one").read_text() == (folder / "two").read_text() == f"{NEW_VALUE}\n"


def test_all_are_checked_before_any_is_written_and_every_fault_is_named(folder: Path) -> None:
    before = contents(folder)
    places = [
        target(text, folder)
        for text in ("file:key", "dotenv:missing/.env#A", "dotenv:missing/.env#B", "command:no-such-store")
    ]
    words, fates = failure(places)
    assert words == f"{refusal(places[1].check)} {refusal(places[3].check)} Nothing was changed."
    assert set(fates.values()) == {Fate.UNCHANGED}
    assert len(fates) == 4
    assert contents(folder) == before
    assert "missing" in refusal(lambda: check_all(places))


def test_when_a_readable_one_fails_the_others_are_put_back_and_nothing_else_was_begun(folder: Path) -> None:
    before = contents(folder)
    places = [
        command(folder, str(folder / "stored")),
        target("file:key", folder),
        target("file:new", folder),
        target("file:key", folder),  # twice by mistake
        target("dotenv:pool/.env#NAME", folder),
    ]
    # Files can hold it, a dotenv file that shells read cannot.
    words, fates = failure(places, secret("mix-of-'-and-$-in-a-secret"))
    assert fates.pop(f"file:{folder}/new") is Fate.RESTORED
    assert fates.pop(f"file:{folder}/key") in {Fate.RESTORED, Fate.UNCHANGED}
    assert set(fates.values()) == {Fate.UNCHANGED}
    assert "Put back as it was: file:" in words
    assert "Not touched: command:" in words
    assert contents(folder) == before


def test_when_one_fails_that_cannot_be_read_the_others_are_put_back_and_what_stays_is_said(folder: Path) -> None:
    stored = folder / "stored"
    before = contents(folder)
    places = [
        target(f"command:tee {stored}", folder),
        target(python("import sys; sys.exit('no')"), folder),
        target("command:true", folder),
        target("dotenv:pool/.env#NAME", folder),
        target("dotenv:pool/.env#ANOTHER", folder),
    ]
    words, fates = failure(places)
    assert list(fates.values()) == [Fate.WRITTEN, Fate.UNKNOWN, Fate.UNCHANGED, Fate.RESTORED, Fate.RESTORED]
    assert "It says: no" in words
    assert "Holds the new secret, and cannot be put back from here: command:tee." in words
    assert f"May hold the new secret or the old one, see for yourself: command:{sys.executable}." in words
    assert contents(folder) == {**before, "stored": f"{NEW_VALUE}\n"}


def test_what_cannot_be_put_back_is_said(folder: Path) -> None:
    saboteur = python("import shutil, sys; shutil.rmtree(sys.argv[1]); sys.exit(1)", str(folder / "pool"))
    words, fates = failure([target("dotenv:pool/.env#NAME", folder), target(saboteur, folder)])
    assert list(fates.values()) == [Fate.UNKNOWN, Fate.UNKNOWN]
    assert f"dotenv:{folder}/pool/.env#NAME" in words


INTERRUPTED = """
import sys
from pathlib import Path
from tests.targets_lab import NEW, target
from lollmsbot_keys.edges.targets import write_all
folder = Path(sys.argv[1])
write_all([target("file:key", folder), target("command:sh -c 'kill -INT $PPID; sleep 60'", folder)], NEW)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interruption_puts_back_what_was_written(folder: Path) -> None:
    done = finished(start([sys.executable, "-c", INTERRUPTED, str(folder)], {"PATH": os.environ["PATH"]}))
    assert done.returncode == -signal.SIGINT, done
    assert NEW_VALUE not in done.stderr
    assert (folder / "key").read_text() == OLD_VALUE


def test_no_local_variable_of_ours_shows_a_new_secret_when_writing_fails(folder: Path) -> None:
    odd = "mix-of-'-and-$-in-a-secret"
    actions: list[Callable[[], object]] = [
        lambda: target(python("import sys; sys.exit(sys.stdin.read())"), folder).write(secret(odd)),
        lambda: target("dotenv:pool/.env#NAME", folder).write(secret(odd)),
        lambda: write_all([target("file:key", folder), target("dotenv:pool/.env#NAME", folder)], secret(odd)),
    ]
    for action in actions:
        with pytest.raises(SecretError) as caught:
            action()
        frames = traceback.walk_tb(caught.value.__traceback__)
        ours = [(frame, line) for frame, line in frames if "lollmsbot_keys" in frame.f_code.co_filename]
        assert ours
        assert odd not in "".join(traceback.StackSummary.extract(iter(ours), capture_locals=True).format())
