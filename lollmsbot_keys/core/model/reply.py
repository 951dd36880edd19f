"""The reply or the trouble of a failed attempt, which the failure table judges."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.outcome import Failure


class Reply(NamedTuple):
    """An HTTP reply that holds an error, or an error that came inside a 200.

    Header names are in lower case. `body` is the parsed JSON, else the text (""), shortened and redacted like the
    headers. `html` says that a page came instead of an API's answer.
    """

    status: int
    headers: Mapping[str, str]
    body: object = ""
    html: bool = False


class Trouble(StrEnum):
    """A fault without an error that could be read."""

    UNREACHABLE = "unreachable"  # no endpoint took the connection: nothing was sent
    UNPROVEN = "unproven"  # not shown to be local: nothing was sent
    TIMEOUT = "timeout"  # sent, then silence
    DROPPED = "dropped"  # sent, then the connection ended before any text
    CUT = "cut"  # some text was passed on, then no end came
    JUNK = "junk"  # a 200 that makes no sense
    EMPTY = "empty"  # an end in good order, of nothing


class Classifier(Protocol):
    """The failure table with its times filled in.

    `core.failures.table.classifier` makes one.
    """

    def __call__(self, what: Reply | Trouble, provider: Provider, *, free: bool, detail: str = "") -> Failure:
        """Judge one failed attempt.

        `detail` is evidence where `what` has none of its own.
        """
