"""The process that has something in hand: a hold, a place in the queue, an alert to deliver, a rotation."""

from __future__ import annotations

from datetime import datetime

from lollmsbot_keys.core.base.namedtuple import NamedTuple


class Owner(NamedTuple):
    """The process behind a hold.

    It is enough to tell a living one from a later one with the same number.
    """

    pid: int
    boot: str
    started: str


class Lease(NamedTuple):
    """The right of one process to deliver something, until a time.

    What was lost on the way because the process died is delivered again.
    """

    owner: Owner
    until: datetime
