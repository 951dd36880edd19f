"""Secrets are found where the references say, and never seen again."""

from __future__ import annotations

import base64
import copy
import json
import os
import pickle
import re
import shlex
import stat
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lollmsbot_keys.core.model.config import Key, Provider
from lollmsbot_keys.core.security.sanitize import clean
from lollmsbot_keys.edges.secrets import Scrubber, Secret, Secrets, fault_of, fingerprint, installation_key
from lollmsbot_keys.errors import SecretError, StateError
from tests.support import PATIENCE_S

VALUE = "sk-or-v1-0123456789abcdef0123456789abcdef"


def secret(characters: str = VALUE) -> Secret:
    return Secret(characters, Provider.OPENROUTER)


def store(
    folder: Path,
    references: Mapping[str, str],
    environ: Mapping[str, str] | None = None,
    limit: timedelta = timedelta(seconds=10),
) -> Secrets:
    keys = [Key(name, Provider.OLLAMA, reference) for name, reference in references.items()]
    environment = {"PATH": os.environ["PATH"], **(environ or {})}
    key_path = folder / "state" / "fingerprint.key"
    return Secrets(keys, environment, folder, key_path, create_key=True, command_limit=limit)


def file_of(folder: Path, content: str, name: str = "key", mode: int = 0o600) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)
    return path


# --- the type -------------------------------------------------------------------------------------------------------


def test_a_secret_does_not_print() -> None:
    hidden = secret()
    shown = f"{hidden} {hidden!r} {hidden!s} {hidden:>12} {str(hidden)} {[hidden]} {'%s' % hidden}"  # noqa: RUF010, UP031
    assert VALUE not in shown
    assert shown.count("<secret>") == 7
    assert hidden.header() == f"Bearer {VALUE}"
    assert hidden.reveal() == VALUE


def test_a_secret_is_not_copied_or_stored() -> None:
    hidden = secret()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not copied"):
            pickle.dumps(hidden, protocol)
    for leak in (copy.copy, copy.deepcopy, lambda one: one.__getstate__(), json.dumps, vars):
        with pytest.raises(TypeError) as caught:
            leak(hidden)
        assert VALUE not in str(caught.value)
    assert VALUE not in json.dumps({"a": hidden}, default=str)


def test_a_traceback_with_its_local_variables_shows_no_secret(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    file_of(tmp_path / "state", "short", "fingerprint.key")
    with pytest.raises(StateError) as caught:
        store(tmp_path, {"A": "env:A"}, {"A": VALUE}).present()
    frames = traceback.walk_tb(caught.value.__traceback__)
    ours = [(frame, line) for frame, line in frames if "lollmsbot_keys" in frame.f_code.co_filename]
    text = "".join(traceback.StackSummary.extract(iter(ours), capture_locals=True).format())
    assert "<secrets of 1 keys>" in text
    assert VALUE not in text


@pytest.mark.parametrize(
    ("characters", "fault"),
    [
        (VALUE, None),
        ("a" * 8192, None),
        ("a" * 8193, "longer than 8192"),
        ("two\nlines", "more than one line"),
        ("two words", "white space"),
        ("“quoted”", "ASCII"),
        ("caf\udce9", "ASCII"),
        ("a\x00b", "control"),
        (f'"{VALUE}"', "quotation marks"),
        (f"'{VALUE}'", "quotation marks"),
        (f"`{VALUE}`", "quotation marks"),
        ('"', None),
        (f"OPENROUTER_API_KEY_1={VALUE}", "whole assignment"),
        (f"export OPENROUTER_API_KEY_1={VALUE}", "whole assignment"),
        (f"OPENROUTER_API_KEY_1='{VALUE}'", "whole assignment"),
        ("c2stb3ItdjEtMDEyMzQ1Njc4OQ==", None),
        ("user-1=part.of-the-secret", None),
        ("a\x1b[0mb", "control"),
    ],
)
def test_what_cannot_stand_in_a_header_is_no_secret(characters: str, fault: str | None) -> None:
    found = fault_of(characters)
    assert (found is None) if fault is None else (found is not None and fault in found and characters not in found)


# --- where secrets are ----------------------------------------------------------------------------------------------


def test_every_source_gives_its_secret_without_the_white_space_around(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    file_of(tmp_path, f"  {VALUE}1\r\n")
    file_of(home, f"\ufeff{VALUE}2", "key2")
    file_of(tmp_path, f'# comment\nexport A="{VALUE}3"\nB=${{HOME}}literal-text\n', "a#b.env")
    references = {
        "FILE": "file:key",
        "HOME_FILE": "file:~/key2",
        "DOTENV": "dotenv:a#b.env#A",
        "LITERAL": "dotenv:a#b.env#B",
        "ENV": "env:SOME_NAME",
        "COMMAND": f"command:{shlex.join([sys.executable, '-c', f'print({VALUE!r} + chr(52))'])}",
    }
    secrets = store(tmp_path, references, {"HOME": str(home), "SOME_NAME": f"{VALUE}5\n"})
    assert [secrets.open(name).reveal().removeprefix(VALUE) for name in references] == [
        "1", "2", "3", "${HOME}literal-text", "5", "4"
    ]  # fmt: skip
    assert secrets.warnings == ()


def test_present_reads_what_is_cheap_and_leaves_the_rest_unopened(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = shlex.join([sys.executable, "-c", f"open({str(trace)!r}, 'a').write('x'); print({VALUE!r})"])
    secrets = store(tmp_path, {"A": "env:A", "B": "env:B", "C": f"command:{command}", "K": "keyring:s/n"}, {"A": VALUE})
    first = secrets.present()
    assert first.keys() == {"A", "C", "K"}
    assert len(first["A"]) == 16
    assert first["C"] == first["K"] == ""
    assert not trace.exists()
    assert secrets.problem("A") is None
    assert secrets.problem("B") == "the environment variable B is not set"
    opened = secrets.open("C")
    assert secrets.open("C") is opened
    assert trace.read_text() == "x"
    # One secret, one fingerprint, wherever it lies.
    assert secrets.present() == {"A": first["A"], "C": first["A"], "K": ""}


def test_a_pipe_is_not_waited_for_until_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".env", 0o600)
    secrets = store(tmp_path, {"A": "dotenv:.env#A", "B": "dotenv:.env#B"})
    assert secrets.present() == {"A": "", "B": ""}
    with ThreadPoolExecutor(1) as pool:
        served = pool.submit((tmp_path / ".env").write_text, f"A={VALUE}\nB={VALUE}\n")
        assert secrets.open("A").reveal() == VALUE
        served.result()
    assert set(secrets.present().values()) == {secrets.open("A").fingerprint}


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("env:NOT_SET", "environment variable NOT_SET is not set"),
        ("env:EMPTY", "empty"),
        ("env:TWO_LINES", "more than one line"),
        ("file:missing", "No such file"),
        ("file:.", "directory"),
        ("file:a\0b", "no path"),
        ("file:binary", "UTF-8"),
        ("file:huge", "larger than 1 MiB"),
        ("dotenv:some.env#NONE", "gives no value to NONE"),
        ("dotenv:some.env#EMPTY", "empty"),
        ("dotenv:missing.env#A", "No such file"),
        ("dotenv:some.env", "must be one of"),
        ("keyring:service", "must be one of"),
        ("keyring:/name", "must be one of"),
        ("env:", "must be one of"),
        (VALUE, "must be one of"),
        (f"env:{VALUE}", "variable that it names is not set"),
        ("command:'open quote", "quote without an end"),
        ("command:no-such-program-anywhere", "cannot be started"),
        ("command:sh -c 'echo $SECRET; echo $SECRET >&2; exit 3'", "exit code 3"),
        ("command:sh -c 'printf \\\\377'", "UTF-8"),
        ("command:true", "empty"),
        ("command:sleep 30", "did not end within 0.3 seconds"),
    ],
)
def test_no_secret_is_a_reason_and_never_a_quotation(
    tmp_path: Path, reference: str, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file_of(tmp_path, "EMPTY=\nNONE\n", "some.env")
    (tmp_path / "binary").write_bytes(b"sk-\xff\xfe")
    file_of(tmp_path, "x" * ((1 << 20) + 1), "huge")
    (tmp_path / "binary").chmod(0o600)
    environ = {"EMPTY": " \n", "TWO_LINES": f"{VALUE}\n{VALUE}", "SECRET": VALUE}
    secrets = store(tmp_path, {"KEY": reference}, environ, timedelta(seconds=0.3 if "sleep" in reference else 10))
    began = time.monotonic()
    with pytest.raises(SecretError) as caught:
        secrets.open("KEY")
    assert time.monotonic() - began < 25
    assert why in (secrets.problem("KEY") or "")
    assert why in str(caught.value)
    assert "KEY" in str(caught.value)
    assert caught.value.__cause__ is None
    assert secrets.present() == {}
    said = capfd.readouterr()
    assert VALUE not in f"{caught.value} {said.out} {said.err}"


@pytest.mark.parametrize(
    ("printed", "is_secret"),
    [
        (f"{VALUE}\nuser: me\nurl: https://a.example/x\n", True),
        (f"\n{VALUE}\r\n---\r\n\r\notpauth://totp/x?secret=y\r\n", True),
        (f"{VALUE}\n{VALUE}\n", False),
        (f"user: me\n{VALUE}\n", False),
        (f"{VALUE}\nand some prose\n", False),
    ],
)
def test_of_an_entry_with_remarks_the_first_line_is_the_secret(tmp_path: Path, printed: str, is_secret: bool) -> None:  # noqa: FBT001
    (tmp_path / "entry").write_bytes(printed.encode())
    secrets = store(tmp_path, {"KEY": f"command:cat '{tmp_path}/entry'"})
    if is_secret:
        assert secrets.open("KEY").reveal() == VALUE
    else:
        with pytest.raises(SecretError):
            secrets.open("KEY")


def test_a_command_does_not_read_our_input() -> None:
    code = "from lollmsbot_keys.edges.secrets.sources import from_command; print(repr(from_command('cat', {})))"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write("the prompt")
        child.stdin.flush()
        assert child.stdout.readline() == "''\n"


def test_a_key_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="no key NOBODY"):
        store(tmp_path, {}).open("NOBODY")


def test_a_secret_is_read_anew_once_it_is_forgotten(tmp_path: Path) -> None:
    path = file_of(tmp_path, VALUE)
    secrets = store(tmp_path, {"A": "file:key"})
    old = secrets.open("A")
    path.write_text(f"{VALUE}-new")
    assert secrets.open("A") is old
    secrets.forget("A")
    assert secrets.open("A").reveal() == f"{VALUE}-new"
    assert secrets.open("A").fingerprint != old.fingerprint
    assert secrets.scrubber.text(f"{VALUE} {VALUE}-new") == "[secret] [secret]"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_can_read_is_a_warning(tmp_path: Path, mode: int) -> None:
    file_of(tmp_path, f"A={VALUE}\nB={VALUE}", ".env", mode)
    secrets = store(tmp_path, {"A": "dotenv:.env#A", "B": "dotenv:.env#B"})
    assert secrets.present().keys() == {"A", "B"}
    (warning,) = secrets.warnings
    assert "chmod 600" in warning
    assert str(tmp_path / ".env") in warning


def test_a_secret_too_short_to_be_recognised_is_a_warning(tmp_path: Path) -> None:
    secrets = store(tmp_path, {"A": "env:A"}, {"A": "ollama"})
    assert secrets.present().keys() == {"A"}
    assert "too short" in secrets.warnings[0]
    assert secrets.scrubber.text("ollama runs; Authorization: Bearer ollama") == "ollama runs; Authorization: [secret]"


KEYRING = """
import sys
from pathlib import Path
from lollmsbot_keys.core.model.config import Key, Provider
from lollmsbot_keys.edges.secrets import Secrets
from lollmsbot_keys.errors import SecretError
{setup}
try:
    secret = Secrets([Key("A", Provider.OLLAMA, "keyring:https://a.example/me")], {{}}, Path(), Path("none")).open("A")
except SecretError as error:
    print(error)
else:
    print(secret, secret.reveal() == "from-https://a.example-for-me", repr(secret.fingerprint))
"""
BACKEND = """
import keyring
from keyring.backend import KeyringBackend
class Ours(KeyringBackend):
    priority = 1
    def get_password(self, service, username): return {answer}
    def set_password(self, service, username, password): ...
    def delete_password(self, service, username): ...
keyring.set_keyring(Ours())
"""


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        ("sys.modules['keyring'] = None", "not installed"),
        ("import keyring.backends.fail as f, keyring; keyring.set_keyring(f.Keyring())", "no keyring service"),
        (BACKEND.format(answer="None"), "nothing for https://a.example/me"),
        (BACKEND.format(answer="1 / 0"), "refused (ZeroDivisionError)"),
        (BACKEND.format(answer="f'from-{service}-for-{username}'"), "<secret> True ''"),
    ],
)
def test_a_keyring_is_asked_and_its_absence_is_explained(setup: str, said: str) -> None:
    pytest.importorskip("keyring")
    child = [sys.executable, "-c", KEYRING.format(setup=setup)]
    done = subprocess.run(child, capture_output=True, text=True, check=True, timeout=30)
    assert said in done.stdout
    assert done.stderr == ""


def test_five_keys_are_read_in_well_under_a_millisecond(tmp_path: Path) -> None:
    names = [f"KEY_{number}" for number in range(5)]
    environ = {name: f"{VALUE}{name}" for name in names}
    keys = [Key(name, Provider.OLLAMA, f"env:{name}") for name in names]
    path = tmp_path / "fingerprint.key"
    installation_key(path, create=True)

    def once() -> float:
        began = time.perf_counter()
        assert len(Secrets(keys, environ, tmp_path, path).present()) == 5
        return time.perf_counter() - began

    end = time.monotonic() + PATIENCE_S
    while once() >= 0.001:  # on a busy machine most are slow, but not all
        assert time.monotonic() < end


# --- the installation's fingerprint key -----------------------------------------------------------------------------


def test_fingerprints_depend_on_the_secret_and_the_installation() -> None:
    one, other = bytes(32), bytes(31) + b"\1"
    assert fingerprint(VALUE, one) == fingerprint(VALUE, one)
    assert len({fingerprint(VALUE, one), fingerprint(VALUE, other), fingerprint(f"{VALUE}x", one)}) == 3
    assert fingerprint(VALUE, None) == ""


def test_the_key_is_made_only_when_asked_to(tmp_path: Path) -> None:
    path = tmp_path / "new" / "fingerprint.key"
    assert installation_key(path, create=False) is None
    assert not path.parent.exists()
    made = installation_key(path, create=True)
    assert made is not None
    assert len(made) == 32
    assert installation_key(path, create=False) == installation_key(path, create=True) == made
    assert [found.name for found in path.parent.iterdir()] == ["fingerprint.key"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_loose_umask_does_not_loosen_the_key(tmp_path: Path) -> None:
    path = tmp_path / "fingerprint.key"
    code = f"import os; os.umask(0); from pathlib import Path; {MAKE.format(path=str(path))}"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=30)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_the_wrong_size_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "fingerprint.key"
    path.write_bytes(bytes(size))
    with pytest.raises(StateError, match=f"has {size} bytes instead of 32"):
        installation_key(path, create=True)


def test_a_key_that_cannot_be_read_or_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "fingerprint.key"):
        with pytest.raises(StateError, match="lies beside the state"):
            installation_key(path, create=True)


def test_a_pipe_in_the_key_s_place_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "fingerprint.key"
    os.mkfifo(path)
    for create in (True, False):
        with pytest.raises(StateError, match="not a regular file"):
            installation_key(path, create=create)


def test_a_key_that_is_just_being_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "fingerprint.key"
    path.touch()
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(installation_key, path, create=False)
        time.sleep(0.1)
        path.write_bytes(bytes(32))
        assert read.result() == bytes(32)


MAKE = (
    "from lollmsbot_keys.edges.secrets.fingerprint import installation_key; "
    "print(installation_key(Path({path!r}), create=True).hex())"
)
RACE = """
import sys, time
from pathlib import Path
from lollmsbot_keys.edges.secrets.fingerprint import installation_key
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    print(installation_key(Path(sys.argv[1], str(number), "fingerprint.key"), create=True).hex())
"""


def test_eight_processes_at_once_end_with_the_same_key(tmp_path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", RACE, tmp_path], stdin=-1, stdout=-1, text=True) for _ in range(8)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    seen = [child.communicate(timeout=30)[0].split() for child in children]
    assert all(child.returncode == 0 for child in children)
    assert len(seen[0]) == len(set(seen[0])) == 40
    assert all(found == seen[0] for found in seen)
    assert {found.name for found in tmp_path.glob("*/*")} == {"fingerprint.key"}


# --- scrubbing ------------------------------------------------------------------------------------------------------

PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
SECRETS = st.text(PRINTABLE, min_size=8, max_size=40) | st.text("ab[]", min_size=8, max_size=12)
SIZES = st.lists(st.integers(0, 3) | st.integers(0, 30), min_size=1, max_size=6).filter(any)


def streamed(scrubber: Scrubber, text: str, sizes: list[int]) -> str:
    stream, out, at = scrubber.stream(), [""], 0
    while at < len(text):
        for size in sizes:
            out.append(stream.feed(text[at : at + size]))
            at += size
    return "".join(out) + stream.flush()


@st.composite
def texts_with(draw: st.DrawFn, secrets: list[str]) -> str:
    """Text full of the secrets, their beginnings and ends, and control sequences."""
    pieces = st.sampled_from(secrets)
    cut = st.builds(lambda piece, at: (piece[:at], piece[at:])[at % 2], pieces, st.integers(0, 40))
    noise = st.text(max_size=5) | st.sampled_from(["\x1b[0m", "\x1b", "\x1b]0;", "\x07", "\r", "[secret]"])
    return "".join(draw(st.lists(pieces | cut | noise, max_size=12)))


@given(st.data(), st.lists(SECRETS, min_size=1, max_size=3), SIZES)
def test_no_secret_passes_however_the_text_is_cut(data: st.DataObject, values: list[str], sizes: list[int]) -> None:
    assume("[secret]" not in values)
    scrubber = Scrubber(*map(secret, values))
    text = data.draw(texts_with(values))
    whole = streamed(scrubber, text, [len(text) or 1])
    assert streamed(scrubber, text, sizes) == whole
    assert not [value for value in values if value in whole or value in scrubber.text(text)]


@given(SECRETS, st.text() | st.text("abk-\x1b[0m"), SIZES)
@example(VALUE, "sk-or-v1-0123456789abcdef0123456789abcde", [1])
@example(VALUE, "sk-or-v1-sk-or-v1-01234 sk-o sk sk", [3])
def test_other_text_is_only_cleaned(value: str, text: str, sizes: list[int]) -> None:
    assume(value.lower() not in "".join(re.findall("[!-~]", clean(text))).lower())
    scrubber = Scrubber(secret(value))
    assert streamed(scrubber, text, sizes) == scrubber.text(text) == clean(text)


@given(st.text(max_size=8), SECRETS, st.text(max_size=8))
def test_a_secret_alone_leaves_its_surroundings(before: str, value: str, after: str) -> None:
    before, after = clean(before), clean(after)
    text = f"{before}{value}{after}"
    ink = "".join(re.findall("[!-~]", text))
    assume(sum(ink.startswith(value, at) for at in range(len(ink))) == 1)
    mark = "⟦secret⟧" if set(value) & set("[]") else "[secret]"
    assert Scrubber(secret(value)).text(text) == f"{before}{mark}{after}"


@pytest.mark.parametrize(
    ("values", "text", "scrubbed"),
    [
        (["abcdefgh", "abcdefghijkl"], "abcdefgh abcdefghijk abcdefghijkl.", "[secret] [secret]ijk [secret]."),
        (["abcdefgh", "efghijkl"], "xabcdefghijklx", "x[secret]x"),
        (["abababab"], "ababababab", "[secret]"),
        (["abcdefgh"], "abcdefghabcdefgh", "[secret][secret]"),
        (["abcdefghijkl", "cdefghij"], "abcdefghijkl", "[secret]"),
        (["12345678", "cd12345678ef"], "abcd12345678e", "abcd[secret]e"),
        ([VALUE], f"{VALUE[:20]}\x1b[0m{VALUE[20:]}", "[secret]"),
        ([VALUE], f"{VALUE[:20]}\r{VALUE[20:]}", "[secret]"),
        ([VALUE], f"\x9d{VALUE}\x07shown", "shown"),
        ([VALUE], VALUE.upper(), "[secret]"),
    ],
)
def test_overlapping_prefixes_and_disguises(values: list[str], text: str, scrubbed: str) -> None:
    scrubber = Scrubber(*map(secret, values))
    assert scrubber.text(text) == scrubbed
    assert streamed(scrubber, text, [1]) == scrubbed


def test_an_escape_before_a_secret_does_not_bite_a_piece_off_it() -> None:
    for escape in ("\x1b", "\x1b[", "\x9b"):
        left = Scrubber(secret()).text(f"{escape}{VALUE}")
        assert VALUE[1:] not in left
        assert "0123456789" not in left
        assert "all" not in Scrubber(secret("one-piece-after-all")).text(f"{escape}one-piece-after-all")


ODD = "a/b+c\"d\\e&f<g>h%i!j'k"


@pytest.mark.parametrize("value", [VALUE, ODD])
def test_encoded_secrets_are_recognised(value: str) -> None:
    scrubber = Scrubber(secret(value))
    go = json.dumps(value)[1:-1].replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
    html = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    html = html.replace('"', "&quot;").replace("'", "&#x27;")
    percent = [quote(value), quote(value, safe=""), quote_plus(value), quote(value, safe="!'()*")]
    lower = [re.sub("%..", lambda digits: digits[0].lower(), form) for form in percent]
    for form in [
        json.dumps(value)[1:-1],
        value.replace("/", r"\/"),
        go,
        html,
        *percent,
        *lower,
        quote(quote(value, safe="")),
    ]:
        assert scrubber.text(f"<{form}>") == "<[secret]>", form


@given(SECRETS.filter(lambda value: len(value) > 11), st.binary(max_size=9), st.binary(max_size=9), st.booleans())
def test_base64_of_a_secret_is_recognised_wherever_it_begins(
    value: str,
    before: bytes,
    after: bytes,
    url_safe: bool,  # noqa: FBT001  hypothesis gives it by name
) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    encoded = encode(before + value.encode() + after).decode()
    left = Scrubber(secret(value)).text(encoded)
    assert "secret" in left
    # At each edge one digit holds bits of the secret and of its neighbour; nothing more stays.
    expected = len(encode(before)) + len(encode(after)) + 4
    assert len(left) - len("[secret]") <= expected


# --- parts of secrets, and gaps in them ---

OLLAMA_VALUE = "0123456789abcdef0123456789abcdef.AbCdEfGhIjKlMnOpQrStUvWx"
PROXY_VALUE = "somebody:correct-horse-9-battery"


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (VALUE, VALUE.removeprefix("sk-or-v1-")),
        (f"sk-{VALUE[9:]}", VALUE[9:]),
        (f"github_pat_{'1aB' * 8}_{'2cD' * 20}", f"{'1aB' * 8}_{'2cD' * 20}"),
        (OLLAMA_VALUE, OLLAMA_VALUE.partition(".")[0]),
        (OLLAMA_VALUE, OLLAMA_VALUE.partition(".")[2]),
        (PROXY_VALUE, PROXY_VALUE.partition(":")[2]),
    ],
)
def test_what_is_as_good_as_a_secret_is_recognised_in_every_form(value: str, part: str) -> None:
    scrubber = Scrubber(secret(value))
    for form in (part, part.upper(), part.encode().hex(), part.encode().hex().upper(), value.encode().hex()):
        assert scrubber.text(f"bad key <{form}>") == "bad key <[secret]>", form
        assert streamed(scrubber, f"bad key <{form}>", [3]) == "bad key <[secret]>", form
    left = scrubber.text(base64.b64encode(f"xy{part}".encode()).decode())
    assert len(left) <= len("[secret]") + 8


def test_words_that_a_secret_is_made_of_are_left_alone() -> None:
    scrubber = Scrubber(secret("my-internationalization-secret"), secret("sk-or-v1-short.Incomprehensibility"))
    for text in ("The internationalization of sk-or-v1- keys: INCOMPREHENSIBILITY.", "short. sk-or-v1-short"):
        assert scrubber.text(text) == streamed(scrubber, text, [4]) == text


UNSEEN = st.text("\u200b\u00ad\u200d\ufeff\u2060\u180e\ufe0f\U000e0061\u0600\u3164", min_size=1, max_size=3)
GAPS = UNSEEN | st.text(" \n\t\u00a0\u2003\u2028é漢·\u0301", min_size=1, max_size=3)


def forms_of(value: str) -> st.SearchStrategy[str]:
    data = f"Bearer {value}\n".encode()
    encoded = (quote(value, safe=""), base64.b64encode(data).decode(), data.hex(), value.upper())
    return st.sampled_from((value, *encoded))


@st.composite
def gappy(draw: st.DrawFn, value: str, gaps: st.SearchStrategy[str]) -> str:
    """One form of `value` with up to eight gaps, as far as its middle at least, in text of no importance."""
    form = draw(forms_of(value))
    places = draw(st.lists(st.integers(1, len(form) - 1), min_size=1, max_size=8))
    for place in sorted({*places, len(form) // 2}, reverse=True):
        form = form[:place] + draw(gaps) + form[place:]
    return f"bad key {form} was refused"


def digits_left(value: str, text: str) -> str:
    """Any eight characters in a row that `text`, without its gaps, still has of a form of `value`."""
    plain = "".join(re.findall("[!-~]", text))
    forms = [value, value.upper(), value.encode().hex(), base64.b64encode(f"Bearer {value}\n".encode()).decode()[10:-8]]
    shared = (form[at : at + 8] for form in forms for at in range(len(form) - 7))
    return next((eight for eight in shared if eight in plain), "")


@pytest.mark.parametrize("value", [VALUE, OLLAMA_VALUE])
@given(data=st.data(), sizes=SIZES)
def test_a_secret_with_gaps_is_recognised(value: str, data: st.DataObject, sizes: list[int]) -> None:
    scrubber = Scrubber(secret(value))
    text = data.draw(gappy(value, GAPS))
    for left in (scrubber.text(text), scrubber.line(text, 300), str(scrubber.tree([text]))):
        assert "[secret]" in left
        assert not digits_left(value, left.replace("sk-or-v1", ""))
    answer = data.draw(gappy(value, UNSEEN))
    left = streamed(scrubber, answer, sizes)
    assert left == streamed(scrubber, answer, [len(answer)])
    assert "[secret]" in left
    assert not digits_left(value, left.replace("sk-or-v1", ""))


SEQUENCES = st.sampled_from(
    ["\x1b[0m", "\x1b[38;5;1m", "\x1b]8;;https://x.example\x07", "\x1b(B", "\x9b1m", "\x00", "\u202e"]
)


@pytest.mark.parametrize("value", [VALUE.removeprefix("sk-or-v1-"), OLLAMA_VALUE])
@given(data=st.data(), sizes=SIZES)
def test_a_secret_with_escape_sequences_and_unseen_characters_is_recognised(
    value: str, data: st.DataObject, sizes: list[int]
) -> None:
    """Neither the search before cleaning sees it whole, nor one after it that knows no gaps."""
    scrubber = Scrubber(secret(value))
    text = data.draw(gappy(value, st.lists(SEQUENCES | UNSEEN, min_size=1, max_size=3).map("".join)))
    for left in (scrubber.text(text), scrubber.line(text, 300), streamed(scrubber, text, sizes)):
        assert "[secret]" in left
        assert not digits_left(value, left)


def test_one_escape_sequence_and_one_unseen_character_hide_no_secret() -> None:
    text = f"<{VALUE[:12]}\x1b[1m{VALUE[12:20]}\u200b{VALUE[20:]}>"
    scrubber = Scrubber(secret())
    assert scrubber.text(text) == streamed(scrubber, text, [1]) == streamed(scrubber, text, [99]) == "<[secret]>"


@pytest.mark.parametrize("width", [1, 16, 60, 64, 76])
def test_wrapped_base64_and_hexadecimal_are_recognised(width: int) -> None:
    scrubber = Scrubber(secret())
    for form in (base64.b64encode(VALUE.encode()).decode(), VALUE.encode().hex(), VALUE):
        lines = [form[at : at + width] for at in range(0, len(form), width)]
        for line_break in ("\n", "\r\n", "\n  "):
            left = scrubber.text(f"it said:\n{line_break.join(lines)}\nand no more")
            assert re.fullmatch(r"it said:\n(.\s*)?\[secret\](\s*\S){0,3}\nand no more", left), left


ORDINARY = [
    "The key sk-or-v1-… was revoked; keys look like sk-or-v1-0123…cdef, or sk-proj-….",
    "👩\u200d👩\u200d👧 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 ❤\ufe0f",
    "soft\u00adhyphens and\u200bzero-width\u200bspaces stay",
    "```python\nfor i in range(0x10):\n    print(f'{i:x}')  # 0 1 2 3 4 5 6 7 8 9 a b c d e f\n```\n",
    "sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, c2stb3ItdjE=, 736b2d6f722d",
    "| a | b |\n|---|---|\n| 123e4567-e89b-12d3-a456-426614174000 | Bearer of bad news |\n",
    "日本語の文章と English 混在。\n\n\n1.\tone\n2.\ttwo\n",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_text_passes_untouched(text: str) -> None:
    scrubber = Scrubber(secret(), secret(OLLAMA_VALUE), secret(PROXY_VALUE))
    assert scrubber.text(text) == text
    for size in (1, 7, len(text)):
        assert streamed(scrubber, text, [size]) == text


@given(st.lists(st.sampled_from([*ORDINARY, *" \n\u200b\u00ad\u200d"]) | st.text(max_size=9), max_size=6), SIZES)
def test_ordinary_texts_side_by_side_are_only_cleaned(texts: list[str], sizes: list[int]) -> None:
    scrubber = Scrubber(secret(), secret(OLLAMA_VALUE), secret(PROXY_VALUE))
    text = "".join(texts)
    assert streamed(scrubber, text, sizes) == scrubber.text(text) == clean(text)


def test_an_answer_keeps_its_own_blanks_and_lines() -> None:
    """What a model wrote belongs to who asked; only what nobody can see does not make a secret another text."""
    lines = f"{VALUE[:20]}\n{VALUE[20:]}"
    assert streamed(Scrubber(secret()), lines, [5]) == lines
    assert Scrubber(secret()).text(lines) == "[secret]"


def test_unseen_characters_are_not_held_back_without_end() -> None:
    stream = Scrubber(secret()).stream()
    passed = [stream.feed(piece) for piece in [VALUE[:20], *["\u200b" * 100] * 1000, VALUE[20:]]]
    assert "".join(passed) + stream.flush() == "[secret]"
    stream = Scrubber(secret()).stream()
    began = time.process_time()
    passed = [stream.feed(piece) for piece in [VALUE[:20], *["\u200b"] * 20_000, "! ok"]]
    left = "".join(passed) + stream.flush()
    assert left.replace("\u200b", "") == f"{VALUE[:20]}! ok"
    assert len(left) < 4_000
    assert time.process_time() - began < 10


@pytest.mark.parametrize("text", [" ".join(VALUE[:-1]), VALUE[:-1], "s\u200bk-o", "0123 4567", "\u200b \n"])
def test_a_long_text_costs_little(text: str) -> None:
    scrubber = Scrubber(*(secret(f"{VALUE}{number}") for number in range(5)))
    long = (text + "!") * (1_000_000 // len(text))
    began = time.process_time()
    assert scrubber.text(long) == long
    stream = scrubber.stream()
    assert "".join([stream.feed(long[at : at + 500]) for at in range(0, len(long), 500)]) + stream.flush() == long
    # Measured: at most 1 s. This fails when the cost grows with the square of the length.
    assert time.process_time() - began < 20


def test_a_tree_is_scrubbed_in_names_and_values() -> None:
    scrubber = Scrubber(secret())
    tree = {"a": [VALUE, 1, None, True, 1.5], f"x{VALUE}": {"b": f"Bearer {VALUE}\x1b[31m"}}
    assert scrubber.tree(tree) == {"a": ["[secret]", 1, None, True, 1.5], "x[secret]": {"b": "Bearer [secret]"}}
    assert scrubber.tree(VALUE) == "[secret]"
    deep: object = VALUE
    for _ in range(5000):
        deep = [deep]
    assert VALUE not in repr(scrubber.tree(deep))


def test_lines_are_scrubbed_before_they_are_cut() -> None:
    scrubber = Scrubber(secret())
    assert scrubber.line(f"key\n{VALUE} was refused", 20) == "key [secret] was re…"
    assert scrubber.line(VALUE, 10) == "[secret]"


def test_a_scrubber_learns_and_does_not_print() -> None:
    scrubber = Scrubber()
    assert scrubber.text(VALUE) == VALUE
    scrubber.learn(secret())
    assert scrubber.text(VALUE) == "[secret]"
    assert VALUE not in repr([scrubber, scrubber.stream()])


class Interrupted(str):
    """Characters of a secret during whose preparation something else happens, once."""

    __slots__ = ("happening",)

    def __init__(self, _characters: str) -> None:
        self.happening: Callable[[], object] = list

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        happening, self.happening = self.happening, list
        happening()
        return super().encode(encoding, errors)


def test_a_secret_that_is_learnt_while_others_are_prepared_is_not_lost() -> None:
    """Whoever opens a slow secret does so in a thread, at any moment of what the event loop does."""
    slow, other = Interrupted(VALUE), VALUE[::-1]
    scrubber = Scrubber(secret(slow))

    def in_a_thread() -> None:
        with ThreadPoolExecutor(1) as threads:
            threads.submit(scrubber.learn, secret(other)).result()

    slow.happening = in_a_thread
    assert scrubber.text(VALUE) == "[secret]"
    for _ in range(2):
        assert scrubber.text(f"{VALUE} {other}") == "[secret] [secret]"
        assert streamed(scrubber, f"{VALUE}! {other}!", [4]) == "[secret]! [secret]!"


def test_a_store_teaches_its_scrubber_every_secret_it_opens(tmp_path: Path) -> None:
    other = VALUE[::-1]
    secrets = store(tmp_path, {"A": "env:A", "C": f"command:echo {other}"}, {"A": VALUE})
    secrets.present()
    assert secrets.scrubber.text(VALUE) == "[secret]"
    secrets.open("C")
    assert secrets.scrubber.text(other) == "[secret]"


@pytest.mark.parametrize("tail", ["", "s", "sk-", VALUE[:-1]])
def test_only_what_may_begin_a_secret_is_held_back(tail: str) -> None:
    stream = Scrubber(secret()).stream()
    assert stream.feed(f"Hello!! {tail}") == "Hello!! "
    assert stream.feed("!") == f"{tail}!"


@pytest.mark.parametrize("piece", ["ordinary words, here", VALUE[:20], "sk-o" * 5])
def test_a_long_answer_costs_little(piece: str) -> None:
    stream = Scrubber(*(secret(f"{VALUE}{number}") for number in range(5))).stream()
    began = time.process_time()
    passed = sum(len(stream.feed(piece)) for _ in range(50_000))
    assert passed + len(stream.flush()) == 1_000_000
    # Measured: 0.3 s for ordinary words. This fails when the cost grows with what went before.
    assert time.process_time() - began < 10
