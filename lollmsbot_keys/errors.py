"""The failures that a person can mend, as exceptions with their exit code and their word in ``--json``.

    LbkError
    ├── UsageError    2   the command line asks for something that does not exist
    ├── ConfigError   3   the configuration cannot be used
    ├── StateError    3   the shared state cannot be read or written
    ├── SecretError   3   a secret cannot be had, stored, or may not be sent where it would go
    ├── SecretRefused 1   a secret that was to take over is not good, or is not the one that it should be
    ├── Unasked       5   a provider could not be asked, or its reply says nothing
    └── NoAnswerError     what `KeyPool` raises where `lbk ask` reports (core.model.outcome)
        ├── Refused   4   nothing may take the request now; nothing was sent
        └── AllFailed 5   tried, and no answer came
            └── AnswerCut   an answer began and ended early

What the world does (a refused key, a dropped connection) is a value, never an exception.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    NO = 1
    USAGE = 2
    UNUSABLE = 3
    REFUSED = 4
    FAILED = 5
    BUG = 70
    INTERRUPTED = 130


class LbkError(Exception):
    """A failure that the user can mend.

    The message says what failed, for which thing, and what to do next.
    """

    exit: Exit = Exit.UNUSABLE
    code: str = "config"


class UsageError(LbkError):
    exit = Exit.USAGE
    code = "usage"


class ConfigError(LbkError):
    exit = Exit.UNUSABLE
    code = "config"


class StateError(LbkError):
    exit = Exit.UNUSABLE
    code = "state"


class SecretError(LbkError):
    exit = Exit.UNUSABLE
    code = "secret"


class SecretRefused(LbkError):
    exit = Exit.NO
    code = "secret_refused"


class Unasked(LbkError):
    exit = Exit.FAILED
    code = "failed"
