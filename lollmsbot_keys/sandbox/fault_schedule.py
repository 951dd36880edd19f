"""The grammar of faults, and the queue that hands them out.

    TARGET[@WHERE]=KIND[=VALUE][:N]

`OLLAMA_API_KEY=429:3` fails the next three chat requests of that key; without `:N` it fails all of them, for ever.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.errors import UsageError
from lollmsbot_keys.sandbox.fault_kinds import KINDS, RAW, FaultKind, FaultScope, FaultValue
from lollmsbot_keys.sandbox.http import HttpReply


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault for a key or a whole provider; `times` `None` is for ever."""

    target: str
    kind: FaultKind
    where: FaultScope = FaultScope.CHAT
    value: str | None = None
    times: int | None = None
    reply: HttpReply | None = None

    def __str__(self) -> str:
        where = "" if self.where is FaultScope.CHAT else f"@{self.where}"
        value = "" if self.value is None or self.value == self.kind.default else f"={self.value}"
        times = "" if self.times is None else f":{self.times}"
        return f"{self.target}{where}={self.kind.name}{value}{times}"

    @property
    def amount(self) -> float:
        """The value as a number: seconds or dollars."""
        return float(self.value or 0)

    @classmethod
    def raw(cls, target: str, reply: HttpReply, *, where: FaultScope = FaultScope.CHAT, times: int | None = 1) -> Fault:
        """Make a fault that has `target` answered with exactly this reply."""
        return cls(target, RAW, where, "", times, reply)

    def concerns(self, where: FaultScope) -> bool:
        return self.where in (where, FaultScope.ANY)


def parse_fault(text: str, targets: Mapping[str, Provider]) -> Fault:
    """Read one fault in the module's grammar.

    `targets` are the keys (and providers) that exist. Raises UsageError that says what exists instead.
    """
    aim, equals, rest = text.strip().partition("=")
    if not equals:
        raise UsageError(f"fault {text!r}: expected KEY=KIND or KEY=KIND:N, for example OLLAMA_API_KEY=429:3")
    target, _, where_name = aim.partition("@")
    if target not in targets:
        raise UsageError(
            f"fault {text!r}: no key {target!r}{_nearest(target, targets)} There are: {', '.join(targets)}"
        )
    where = _where(where_name or FaultScope.CHAT, text)
    rest, times = _split_times(rest, text)
    name, valued, value = rest.partition("=")
    kind = _kind(name, targets[target], target, text)
    if kind.chat_only and where is not FaultScope.CHAT:
        raise UsageError(f"fault {text!r}: {name} is for chat only, not for @{where}")
    if kind.check_only and where is not FaultScope.CHECK:
        raise UsageError(f"fault {text!r}: {name} is for key checks only. Write {target}@check={rest}")
    return Fault(target, kind, where, _value(kind, value if valued else None, text), times)


def _split_times(rest: str, text: str) -> tuple[str, int | None]:
    found = re.fullmatch(r"(.*):(\d{1,9})", rest, re.ASCII | re.DOTALL)
    if found is None:
        return rest, None
    if int(found[2]) == 0:
        raise UsageError(f"fault {text!r}: :N counts requests, from 1; without it the fault stays for ever")
    return found[1], int(found[2])


def _where(name: str, text: str) -> FaultScope:
    try:
        return FaultScope(name)
    except ValueError:
        raise UsageError(f"fault {text!r}: no @{name}. There are: {', '.join(FaultScope)}") from None


def _kind(name: str, provider: Provider, target: str, text: str) -> FaultKind:
    known = [kind.name for kind in KINDS.values() if provider in kind.providers]
    if name in known:
        return KINDS[name]
    problem = f"{provider} has no fault {name!r}" if name in KINDS else f"no fault {name!r}"
    raise UsageError(f"fault {text!r}: {problem}{_nearest(name, known)} {target} can have: {', '.join(known)}")


def _value(kind: FaultKind, given: str | None, text: str) -> str | None:
    if kind.value is FaultValue.NONE:
        if given is not None:
            raise UsageError(f"fault {text!r}: {kind.name} takes no value; a count is written :N")
        return None
    value = kind.default if given is None else given
    if value is None:
        raise UsageError(f"fault {text!r}: {kind.name} needs a value, for example {kind.name}=30")
    if kind.value is not FaultValue.TEXT and not _is_amount(value):
        raise UsageError(f"fault {text!r}: {kind.name} takes a number of {kind.value}, not {value!r}")
    if not value.isprintable():
        raise UsageError(f"fault {text!r}: the value of {kind.name} goes into a header, it must be printable")
    return value


def _is_amount(value: str) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    return math.isfinite(number) and number >= 0


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {found[0]}?)." if found else "."


class FaultBoard:
    """The faults that are due, a queue for each target."""

    __slots__ = ("_due",)

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._due: list[Fault] = list(faults)

    @property
    def due(self) -> tuple[Fault, ...]:
        return tuple(self._due)

    def add(self, fault: Fault) -> None:
        self._due.append(fault)

    def clear(self) -> None:
        self._due.clear()

    def peek(self, targets: Iterable[str], where: FaultScope) -> Fault | None:
        """Return the fault that the next such request would meet; the first target's own faults come first."""
        for target in targets:
            for fault in self._due:
                if fault.target == target and fault.concerns(where):
                    return fault
        return None

    def take(self, targets: Iterable[str], where: FaultScope) -> Fault | None:
        """Return the same fault as `peek`, and use up one of its times."""
        fault = self.peek(targets, where)
        if fault is not None and fault.times is not None:
            place = self._due.index(fault)
            self._due[place : place + 1] = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
        return fault
