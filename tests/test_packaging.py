"""What people install: one wheel, with all that it needs and nothing else, that warns of nothing on any Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from lollmsbot_keys import __version__
from tests.support import PATIENCE_S, ROOT

STEM = f"lollmsbot_keys-{__version__}"
LEFT_BEHIND = {"__pycache__", ".mypy_cache", ".ruff_cache"}
"""What tools leave in a checkout."""
SHARED = {
    "completions/lbk.bash": "share/bash-completion/completions/lbk",
    "completions/_lbk": "share/zsh/site-functions/_lbk",
    "completions/lbk.fish": "share/fish/vendor_completions.d/lbk.fish",
}

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")


class Built(NamedTuple):
    wheel: Path
    source: Path


def build(tree: Path, into: Path) -> Built:
    """Build both archives of a source tree, as `pip` and `build` have them built, without the network."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(into)]
    subprocess.run(command, cwd=tree, check=True, capture_output=True, timeout=PATIENCE_S)
    return Built(into / f"{STEM}-py3-none-any.whl", into / f"{STEM}.tar.gz")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(ROOT, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def python(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, and for the rest borrows what these tests run on."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, symlinks=os.name != "nt")
    place = {"base": str(home), "platbase": str(home)}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=place))
    shutil.unpack_archive(built.wheel, packages, "zip")
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "borrowed.pth").write_text("\n".join(sorted(borrowed)), encoding="utf-8")
    return Path(sysconfig.get_path("scripts", "venv", vars=place)) / Path(sys.executable).name


def run(python: Path, *arguments: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the installed package far from the checkout."""
    return subprocess.run(
        [str(python), *arguments],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


# What is inside


def files_of(folder: Path) -> Iterator[Path]:
    """Its files, without what tools leave."""
    for file in folder.rglob("*"):
        if file.is_file() and LEFT_BEHIND.isdisjoint(file.parts):
            yield file


def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    package = {file.relative_to(ROOT).as_posix() for file in files_of(ROOT / "lollmsbot_keys")}
    assert {"lollmsbot_keys/py.typed", "lollmsbot_keys/data/defaults.toml"} <= package
    about = {f"{STEM}.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
    about.add(f"{STEM}.dist-info/licenses/LICENSE")
    pages = [page.relative_to(ROOT).as_posix() for page in files_of(ROOT / "docs" / "man")]
    shared = SHARED | {page: f"share/man/man1/{Path(page).name}" for page in pages}
    package |= {f"lollmsbot_keys/data/{script}" for script in SHARED}  # for `lbk completion`
    with zipfile.ZipFile(built.wheel) as wheel:
        assert set(wheel.namelist()) == package | about | {f"{STEM}.data/data/{place}" for place in shared.values()}
        for name, place in shared.items():
            assert wheel.read(f"{STEM}.data/data/{place}") == (ROOT / name).read_bytes()


def test_the_source_archive_holds_what_a_packager_needs(built: Built) -> None:
    with tarfile.open(built.source) as archive:
        names = {name.removeprefix(f"{STEM}/") for name in archive.getnames()}
    needed = {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", ".ci/run"}
    needed |= {"requirements-dev.txt", "requirements-tokenizers.txt"}
    needed |= {file.relative_to(ROOT).as_posix() for file in files_of(ROOT / "tests")}
    assert needed <= names
    tops = {name.partition("/")[0] for name in names} - {name for name in needed if "/" not in name}
    assert tops <= {
        ".ci",
        ".gitignore",
        "CODE_OF_CONDUCT.md",
        "CONTRIBUTING.md",
        "PKG-INFO",
        "SECURITY.md",
        "benchmarks",
        "completions",
        "docs",
        "lollmsbot_keys",
        "tests",
    }
    assert not [name for name in names if LEFT_BEHIND & set(name.split("/"))]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_whoever_builds_it_builds_the_same_bytes(built: Built, tmp_path: Path) -> None:
    """From the archive as from the checkout, whatever the times and modes of files there."""
    subprocess.run(["tar", "-xzf", str(built.source), "-C", str(tmp_path)], check=True, timeout=PATIENCE_S)
    tree = tmp_path / STEM
    for file in files_of(tree):
        file.chmod(0o600 | file.stat().st_mode & 0o100)
        os.utime(file, (1_900_000_000, 1_900_000_000))
    again = build(tree, tmp_path / "again")
    assert again.wheel.read_bytes() == built.wheel.read_bytes()
    assert again.source.read_bytes() == built.source.read_bytes()


@pytest.fixture(scope="module")
def metadata(built: Built) -> Message:
    with zipfile.ZipFile(built.wheel) as wheel:
        return message_from_string(wheel.read(f"{STEM}.dist-info/METADATA").decode("utf-8"))


def test_what_the_wheel_says_of_itself(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("lollmsbot-keys", __version__)
    assert (metadata["License-Expression"], metadata.get_all("License-File")) == ("Apache-2.0", ["LICENSE"])
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_all("Provides-Extra") == ["alerts", "dev", "keyring"]
    versions = [f"3.{minor}" for minor in versions_tested()]
    assert versions[0] == metadata["Requires-Python"].removeprefix(">=")
    named = [line.rpartition(" ")[2] for line in metadata.get_all("Classifier", []) if ":: Python :: 3." in line]
    assert named == versions


def versions_tested() -> range:
    """The minor versions of Python that `.ci/run` looks for."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    minors = [int(minor) for minor in re.findall(r"python3\.(\d+)\b", script)]
    return range(min(minors), max(minors) + 1)


# As it is installed


@pytest.mark.parametrize("flags", ["", "-I", "-O", "-OO", "-B", "-P", "-E -s", "-X utf8=0", "-W error -X dev"])
def test_it_starts_from_any_folder(python: Path, tmp_path: Path, flags: str) -> None:
    options = flags.split()
    done = run(python, *options, "-m", "lollmsbot_keys", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"lbk {__version__}\n", "")
    done = run(python, *options, "-m", "lollmsbot_keys", "config", "check", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_command_is_the_package(python: Path, tmp_path: Path) -> None:
    script = """if True:
        import sys
        from importlib.metadata import entry_points
        (command,) = entry_points(group="console_scripts", name="lbk")
        sys.argv = ["lbk", "--version"]
        command.load()()
    """
    assert run(python, "-c", script, cwd=tmp_path).stdout == f"lbk {__version__}\n"


def test_a_whole_call_warns_of_nothing(python: Path, tmp_path: Path) -> None:
    loud = {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1", "PYTHONWARNDEFAULTENCODING": "1"}
    script = "lbk ask --json Hello && lbk test-keys && lbk costs && lbk metrics && lbk route && lbk config show"
    arguments = ["-m", "lollmsbot_keys", "sandbox", "--fault", "OLLAMA_API_KEY=429:1", "--", "sh", "-ec", script]
    done = run(python, *arguments, cwd=tmp_path, **loud)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


# Every module, on this Python


def test_no_module_warns_when_it_is_imported(python: Path, tmp_path: Path) -> None:
    script = """if True:
        import importlib, pkgutil, lollmsbot_keys
        for module in pkgutil.walk_packages(lollmsbot_keys.__path__, "lollmsbot_keys."):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)
        print(lollmsbot_keys.__file__)
    """
    flags = ["-W", "error", "-X", "dev", "-X", "warn_default_encoding"]
    done = run(python, *flags, "-c", script, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(done.stdout.strip()).is_relative_to(python.parents[1]), "not the wheel's, but a checkout's"


@pytest.mark.parametrize("folder", ["lollmsbot_keys", "tests", "benchmarks"])
def test_no_file_warns_when_it_is_compiled(folder: str) -> None:
    """A compiled file that is there already would hide it."""
    for file in files_of(ROOT / folder):
        if file.suffix == ".py":
            compile(file.read_bytes(), str(file), "exec", dont_inherit=True)


# Which versions


def requirements() -> list[Requirement]:
    """All that the project names, under whatever condition, without itself."""
    extras = PROJECT["optional-dependencies"].values()
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    found = [Requirement(line) for line in lines]
    return [each for each in found if canonicalize_name(each.name) != PROJECT["name"]]


def locked() -> dict[str, str]:
    """The version of each package in the lock."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", LOCK, re.MULTILINE))


def test_the_wheel_requires_what_the_project_names(metadata: Message) -> None:
    told = {Requirement(line).name for line in metadata.get_all("Requires-Dist", [])}
    assert told - {"lollmsbot-keys"} == {each.name for each in requirements()}


def test_the_lock_has_all_that_the_project_names() -> None:
    versions = locked()
    assert {each.name for each in requirements()} <= versions.keys()
    assert [str(each) for each in requirements() if not each.specifier.contains(versions[each.name])] == []


def test_the_lock_holds_on_any_machine() -> None:
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^ *#.*\n", "", LOCK, flags=re.MULTILINE))
    assert {re.split(r"[^a-z0-9-]", entry)[0] for entry in entries} == set(locked())
    assert set(re.findall(r"(?<!\S)-\S+", "\n".join(entries))) == set(re.findall(r"--hash=\S+", LOCK))
    assert [entry for entry in entries if not re.search(r" --hash=sha256:[0-9a-f]{64}\b", entry)] == []
    assert "://" not in LOCK, "where to find packages is the business of the machine"


def test_every_lower_bound_is_tested() -> None:
    """`.ci/run` installs exactly these for its second run."""
    bounds = {}
    for each in requirements():
        (lower,) = [bound for bound in each.specifier if bound.operator in {">=", "=="}]
        bounds[each.name] = lower
    done = subprocess.run(
        [str(ROOT / ".ci" / "run"), "--lowest"], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    shown = {line.name: line.specifier for line in map(Requirement, done.stdout.splitlines())}
    assert shown == {
        name: SpecifierSet(f"=={bound.version}") for name, bound in bounds.items() if bound.operator == ">="
    }
