"""The steps by which a key gets a new secret, their journal, what is told of each, and how a key's secret stands."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.lease import Owner


class Step(StrEnum):
    """The steps in order; the last three are the way back."""

    OBTAIN = "obtain"
    PROVE = "prove"
    STORE = "store"
    READ_BACK = "read_back"
    ADOPT = "adopt"
    GRACE = "grace"
    REVOKE = "revoke"
    CONFIRM = "confirm"
    FORGET = "forget"
    RESTORE = "restore"
    DISCARD = "discard"
    CLEAR = "clear"


class TargetRecord(NamedTuple):
    """One target of a new secret: its label, and the fingerprint of what it held before.

    `before` is "" where it held nothing, `None` where it gives nothing back to anybody.
    """

    label: str
    before: str | None


class Replacement(NamedTuple):
    """The journal of one key's new secret: the last step that was begun, and whether it was finished.

    `old` and `new` are fingerprints ("": there is none yet), `owner` the process at work (`None`: it waits for time or
    a person). `since` and `former` are the age and the generation of the old secret, which stays good for `grace`, that
    is `until` a time. `name` is what the new key is called at its provider, chosen before it is made ("": a person
    makes it); `hash`, `old_hash` are the provider's numbers of both, `likely_hash` that of what seems the old one.
    """

    step: Step
    done: bool
    began: datetime
    changed: datetime
    generation: int = 1
    old: str = ""
    new: str = ""
    owner: Owner | None = None
    since: datetime | None = None
    former: int = 0
    grace: timedelta = timedelta()
    until: datetime | None = None
    places: tuple[TargetRecord, ...] = ()
    name: str = ""
    hash: str = ""
    old_hash: str = ""
    likely_hash: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing is left to do, in either direction."""
        return self.done and self.step in {Step.FORGET, Step.CLEAR}

    @property
    def under_way(self) -> bool:
        """Whether anything may have been made or written that is not settled; else it may end without a trace."""
        return bool(self.places or self.name) and not self.over


class StepStatus(StrEnum):
    """What became of a step."""

    DONE = "done"
    SKIPPED = "skipped"  # there was nothing to do, or no way to do it: the detail says which
    WAITING = "waiting"  # for a time
    TODO = "todo"  # for a person


class StepReport(NamedTuple):
    step: Step
    status: StepStatus
    detail: str


class RotationReport(NamedTuple):
    """How far a rotation has come. `todo` is what is left for a person; `until` the end of the old secret's grace.

    `over` says that nothing is left for lbk either; `back` that the old secret is the key's again.
    """

    key: str
    provider: Provider
    generation: int
    steps: tuple[StepReport, ...]
    todo: tuple[str, ...] = ()
    until: datetime | None = None
    over: bool = False
    back: bool = False


class Age(StrEnum):
    """Whether it is time for a new secret; `unknown` where none was ever seen."""

    OK = "ok"
    DUE = "due"
    OVERDUE = "overdue"
    UNKNOWN = "unknown"


class Standing(NamedTuple):
    """One key's secret: since when it is known here, when the next one is due, and what rotation is under way.

    `late` is for how many days it has been overdue. `step` is "" where no rotation is under way; `at_work` says that
    a process is at it now, `until` when the old secret's grace ends.
    """

    key: str
    provider: Provider
    generation: int
    since: datetime | None
    due: datetime | None
    status: Age
    late: int = 0
    step: Step | None = None
    at_work: bool = False
    until: datetime | None = None
