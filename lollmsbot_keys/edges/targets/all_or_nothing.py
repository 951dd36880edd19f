"""Writing one secret to several targets: to all of them or to none, as far as that is possible.

What cannot be undone is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.edges.secrets import Secret
from lollmsbot_keys.edges.targets.target import NOT_READABLE, MaybeWritten, NotReadable, Target
from lollmsbot_keys.errors import SecretError


class Fate(StrEnum):
    """The state of one target in the end."""

    VERIFIED = "verified"  # written and read back
    WRITTEN = "written"  # the new secret is there, and this place gives none back
    UNCHANGED = "unchanged"
    RESTORED = "restored"  # it had been written, and holds again what it held before
    UNKNOWN = "unknown"  # it may hold the new secret, or what it held before


class Placement(NamedTuple):
    label: str
    fate: Fate


class NotAllWritten(SecretError):
    """The error that not every target could be written.

    `placements` tells the fate of each, in the order they were given.
    """

    def __init__(self, message: str, placements: tuple[Placement, ...]) -> None:
        super().__init__(message)
        self.placements = placements


def check_all(targets: Iterable[Target]) -> None:
    """Raise `SecretError`, naming every target of `targets` that cannot be written."""
    problems = list[str]()
    for target in targets:
        try:
            target.check()
        except SecretError as error:
            problems.append(str(error))
    if problems:
        raise SecretError(" ".join(dict.fromkeys(problems)))


def write_all(targets: Sequence[Target], secret: Secret) -> tuple[Placement, ...]:
    """Put `secret` into all `targets`; where one refuses, restore the others, if their content was known.

    The targets that can be read come first, and are read back at once; the others follow, because they cannot be
    undone.

    Raises:
        NotAllWritten: one refused, before anything was written or while it was.
    """
    writing = _Writing(targets)
    try:
        check_all(targets)
        writing.go(secret)
    except SecretError as error:
        writing.undo(arrived=isinstance(error, MaybeWritten))
        raise NotAllWritten(f"{error} {writing.summary()}", writing.placements()) from None
    except BaseException:  # Ctrl-C, or a bug
        writing.undo(arrived=True)
        raise
    return writing.placements()


class _Slot:
    """One target, its former content, and its fate so far."""

    __slots__ = ("before", "fate", "target")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.before: Secret | NotReadable | None = NOT_READABLE
        self.fate = Fate.UNCHANGED

    def write(self, secret: Secret) -> None:
        self.target.write(secret)
        if self.before is NOT_READABLE:
            self.fate = Fate.WRITTEN
        elif _same(self.target.read_back(), secret):
            self.fate = Fate.VERIFIED
        else:
            raise SecretError(f"{self.target.label} takes a secret, but gives another one back. Choose another place.")

    def put_back(self) -> None:
        """Restore the target if it can be read and may have been written."""
        if isinstance(self.before, NotReadable):
            return
        try:
            if _same(self.target.read_back(), self.before):
                self.fate = Fate.UNCHANGED
                return
            self.target.restore(self.before)
            self.fate = Fate.RESTORED if _same(self.target.read_back(), self.before) else Fate.UNKNOWN
        except SecretError:
            self.fate = Fate.UNKNOWN


class _Writing:
    """The writing of all targets, and its undoing."""

    __slots__ = ("_begun", "_slots")

    def __init__(self, targets: Iterable[Target]) -> None:
        self._slots = [_Slot(target) for target in targets]
        self._begun: list[_Slot] = []

    def go(self, secret: Secret) -> None:
        for slot in self._slots:
            slot.before = slot.target.read_back()
        for slot in sorted(self._slots, key=lambda slot: slot.before is NOT_READABLE):
            self._begun.append(slot)
            slot.write(secret)

    def undo(self, *, arrived: bool) -> None:
        """Put back every former content that is known.

        `arrived`: the target that failed may have got the secret all the same.
        """
        for slot in reversed(self._begun):
            slot.put_back()
        if arrived and self._begun and self._begun[-1].before is NOT_READABLE:
            self._begun[-1].fate = Fate.UNKNOWN

    def placements(self) -> tuple[Placement, ...]:
        return tuple(Placement(slot.target.label, slot.fate) for slot in self._slots)

    def summary(self) -> str:
        """Describe the fates after `undo`, in sentences."""
        if all(slot.fate is Fate.UNCHANGED for slot in self._slots):
            return "Nothing was changed."
        groups = ((words, [slot.target.label for slot in self._slots if slot.fate is fate]) for fate, words in _AFTER)
        return " ".join(f"{words}: {', '.join(labels)}." for words, labels in groups if labels)


_AFTER = (
    (Fate.WRITTEN, "Holds the new secret, and cannot be put back from here"),
    (Fate.UNKNOWN, "May hold the new secret or the old one, see for yourself"),
    (Fate.RESTORED, "Put back as it was"),
    (Fate.UNCHANGED, "Not touched"),
)


def _same(one: Secret | NotReadable | None, other: Secret | None) -> bool:
    if isinstance(one, Secret) and isinstance(other, Secret):
        return one.reveal() == other.reveal()
    return one is other
