"""The folder `unsettled/` beside the state: settlements that could not be written, one file each.

A file has the name of its hold. The next process that changes the state takes them over under its lock. A file goes
only when the state that has it is on the disk, and until it has gone the state knows its name; so each counts once,
whichever process dies at whatever moment.
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
    """The settlements in `folder`, which usually does not exist."""

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self.folder, self._warn = folder, warn

    def keep(self, settlement: Settlement) -> None:
        """Put one settlement on the disk.

        Raises:
            OSError: that cannot be written either.
        """
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.folder.parent)
        replace_file(self._file(settlement.hold.id), codec.encode(settlement), durable=True)

    def lying(self) -> dict[str, Settlement]:
        """Return all settlements that can be read, by the name of the hold.

        A file that cannot be read is reported, and stays.
        """
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
        """Remove the files that the state has by now, and the half-written ones of killed processes."""
        for name in names:
            with suppress(OSError):
                self._file(name).unlink()
                for half in self.folder.glob(f".{name}{_END}.*.new"):
                    half.unlink()

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}{_END}"
