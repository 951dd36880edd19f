"""The journal of rotations: their steps, the report on each step, and the age of a key's secret."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.lease import Owner


class Step(StrEnum):
    """The steps of a rotation in order.

    The last three are the way back.
    """

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
    """One target of a new secret: its label, and the fingerprint of its former content.

    `before` is "" where it held nothing, `None` where it cannot be read back.
    """

    label: str
    before: str | None


class Replacement(NamedTuple):
    """The journal of one key's rotation: the last step that was begun, and whether it was finished.

    `old` and `new` are fingerprints ("": there is none yet), `owner` the process at work (`None`: it waits for time or
    a person). `since` and `former` are the age and the generation of the old secret, which stays good for `grace`, that
    is `until` a time. `name` is the new key's name at its provider, chosen before the key is made ("": a person makes
    it). `hash` and `old_hash` are the provider's numbers of both, `likely_hash` the number of the key that seems to be
    the old one.
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
        """Whether a key or a target may have changed without being settled.

        If not, the rotation may end without a trace.
        """
        return bool(self.places or self.name) and not self.over


class StepStatus(StrEnum):
    """The result of a step."""

    DONE = "done"
    SKIPPED = "skipped"  # there was nothing to do, or no way to do it: the detail says which
    WAITING = "waiting"  # for a time
    TODO = "todo"  # for a person


class StepReport(NamedTuple):
    step: Step
    status: StepStatus
    detail: str


class RotationReport(NamedTuple):
    """The progress of a rotation.

    `todo` is what is left for a person; `until` is the end of the old secret's grace. `over` says that nothing is left
    for lbk either; `back` that the old secret is the key's again.
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
    """The age of a secret against the time for a new one.

    It is `unknown` where no secret was ever seen.
    """

    OK = "ok"
    DUE = "due"
    OVERDUE = "overdue"
    UNKNOWN = "unknown"


class Standing(NamedTuple):
    """One key's secret, with its first sight here, the due time of the next one, and any rotation.

    `late` is the number of days since it was due. `step` is "" where no rotation is under way; `at_work` says that a
    process is at it now, `until` when the old secret's grace ends.
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
