"""The folder `unsettled/` beside the state: settlements that could not be written, one file each, named by the hold.

Whoever changes the state next takes them over under its lock. A file goes only when the state that has it is on the
disk, and until it has gone the state knows its name; so each counts once, whoever dies when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from lollmsbot_keys.core.model.unsettled import Settlement
from lollmsbot_keys.edges.files.atomic import replace_file, sync_folder
from lollmsbot_keys.edges.files.regular import read_plain
from lollmsbot_keys.edges.state.codec import settlement as codec

_END = ".json"


class Unsettled:
    """What lies in `folder`. Most of the time there is none."""

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self.folder, self._warn = folder, warn

    def keep(self, settlement: Settlement) -> None:
        """Put one on the disk.

        Raises:
            OSError: that cannot be written either.
        """
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.folder.parent)
        replace_file(self._file(settlement.hold.id), codec.encode(settlement), durable=True)

    def lying(self) -> dict[str, Settlement]:
        """All that can be read, by the name of the hold. What cannot be read is told, and stays."""
        found = {}
        for file in sorted(self.folder.glob(f"[!.]*{_END}")):
            name = file.name.removesuffix(_END)
            try:
                found[name] = codec.decode(name, read_plain(file))
            except FileNotFoundError:  # somebody has just taken it over
                continue
            except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
                self._warn(f"{file} cannot be booked ({type(error).__name__}): its call stays booked at its most.")
        return found

    def forget(self, names: Iterable[str]) -> None:
        """Remove what the state has by now, and what a killed process left half-written."""
        for name in names:
            with suppress(OSError):
                self._file(name).unlink()
                for half in self.folder.glob(f".{name}{_END}.*.new"):
                    half.unlink()

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}{_END}"
