"""The results of requests: outcomes of single attempts, and the report at the end."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum, auto
from typing import Literal, assert_never

from lollmsbot_keys.core.base.namedtuple import Code, NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.request import Reach
from lollmsbot_keys.errors import Exit, LbkError


class OutcomeKind(Code):
    """The result of one attempt."""

    ANSWERED = "answered"
    CUT = "cut"
    INTERRUPTED = "interrupted"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    NO_CREDIT = "no_credit"
    FORBIDDEN = "forbidden"
    MODERATED = "moderated"
    BAD_REQUEST = "bad_request"
    NO_SUCH_MODEL = "no_such_model"
    UNAVAILABLE = "unavailable"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    DROPPED = "dropped"
    JUNK = "junk"
    EMPTY = "empty"
    REDIRECTED = "redirected"
    UNREACHABLE = "unreachable"
    UNPROVEN = "unproven"


class Billing(StrEnum):
    """The possible spending on an attempt that gave no complete answer."""

    NOTHING = "nothing"
    POSSIBLY = "possibly"


class Usage(NamedTuple):
    """The use of one call, by the provider's own word.

    `cost_usd` is its own figure (`None`: it named none). `cached_tokens` of the prompt's tokens were read from a cache,
    and `cache_write_tokens` written to one.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: Decimal | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def then(self, later: Usage) -> Usage:
        """Merge an earlier and a later report of one answer.

        The later one counts. The earlier cost is kept if the later report names none and counts no more tokens.
        """
        counts = later if later.tokens else self
        same = counts.prompt_tokens <= self.prompt_tokens and counts.completion_tokens <= self.completion_tokens
        kept = same and not later.cost_usd and self.cost_usd is not None
        return counts._replace(cost_usd=self.cost_usd if kept else later.cost_usd)


class Failure(NamedTuple):
    """The verdict of the failure table on one failed attempt.

    `reach` says what is left out until `until`. With `until` of `None` nothing is left out, and `reach` only says what
    is not worth another try for this very request. `source` says who named the time (`Retry-After`, `default`, …),
    `evidence` has the provider's own words, already redacted and short. A `final` failure is not tried on another
    candidate. `strike` failures cool their key and model only when three come in a row. `transient`: the evidence may
    hold words of the prompt or of an answer, so it is shown to the caller and kept nowhere.
    """

    kind: OutcomeKind
    reach: Reach
    until: datetime | None = None
    source: str = ""
    evidence: str = ""
    final: bool = False
    strike: bool = False
    billing: Billing = Billing.NOTHING
    transient: bool = False

    @property
    def lasting_evidence(self) -> str:
        """The part of `evidence` that may be kept."""
        return "" if self.transient else self.evidence


class Outcome(NamedTuple):
    """The result of one HTTP attempt.

    A failure is a value, never an exception. `started` is true from the first piece of text on: a caller that passed it
    on may send nothing again. `failure` is `None` exactly when `kind` is `answered`. `interim`: `usage` is that of a
    moment amid the answer; more may have been used.
    """

    kind: OutcomeKind
    status: int | None = None
    failure: Failure | None = None
    usage: Usage | None = None
    finish_reason: str | None = None
    started: bool = False
    generation_id: str | None = None
    interim: bool = False


class Attempt(NamedTuple):
    """One finished HTTP attempt in the form of reports."""

    key: str | None
    provider: Provider
    model: str
    outcome: OutcomeKind
    status: int | None
    latency_ms: int
    cooldown_until: datetime | None = None
    detail: str = ""


class Ending(Enum):
    """The reason why an answer ended, as far as its reader must know."""

    WHOLE = auto()
    CAP = auto()
    FILTER = auto()
    OTHER = auto()

    @classmethod
    def of(cls, finish_reason: str | None) -> Ending:
        """Return the ending that a provider's word for it means.

        The words of vendors behind a relay come through unchanged.
        """
        return _ENDINGS.get((finish_reason or "stop").casefold(), cls.OTHER)


_ENDINGS = {
    **dict.fromkeys(
        ("stop", "tool_calls", "function_call", "end_turn", "stop_sequence", "tool_use", "eos", "completed"),
        Ending.WHOLE,
    ),
    **dict.fromkeys(
        ("length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"), Ending.CAP
    ),
    **dict.fromkeys(
        ("content_filter", "refusal", "safety", "sensitive", "recitation", "prohibited_content", "blocklist", "spii"),
        Ending.FILTER,
    ),
}

NoAnswerCode = Literal["refused", "failed", "cut"]
CostSource = Literal["provider", "estimate", "unknown", "local"]


class Answer(NamedTuple):
    """A complete answer with its cost and its attempts.

    `charged_usd` is what the ledger holds for it, also where `cost_usd` is `None` because nobody knows the price.
    `request_id` is its id in the log; `None` where no log is kept. `instead_of` is the model that was asked for, where
    its successor or a stand-in answered.
    """

    text: str
    key: str | None
    provider: Provider
    model: str
    pillar: str | None
    role: str | None
    finish_reason: str | None
    usage: Usage
    cost_usd: Decimal | None
    cost_source: CostSource
    charged_usd: Decimal
    latency_ms: int
    attempts: tuple[Attempt, ...]
    request_id: str | None = None
    instead_of: str | None = None


class NoAnswer(NamedTuple):
    """The report of a request without a complete answer.

    `text` is what came before a cut (of several, the last). `retry_at` is when a key may come free by itself.
    `request_id` is its id in the log; `None` where no log is kept.
    """

    code: NoAnswerCode
    message: str
    retry_at: datetime | None
    attempts: tuple[Attempt, ...]
    text: str = ""
    request_id: str | None = None


Report = Answer | NoAnswer


class NoAnswerError(LbkError):
    """A request without a complete answer, for Python callers.

    `report` has the attempts and when to try again.
    """

    def __init__(self, report: NoAnswer) -> None:
        super().__init__(report.message)
        self.report = report


class Refused(NoAnswerError):
    exit = Exit.REFUSED
    code = "refused"


class AllFailed(NoAnswerError):
    exit = Exit.FAILED
    code = "failed"


class AnswerCut(AllFailed):
    code = "cut"


def delivered(report: Report) -> Answer:
    """Return the answer, or raise the reason that there is none."""
    if isinstance(report, Answer):
        return report
    match report.code:
        case "refused":
            raise Refused(report)
        case "failed":
            raise AllFailed(report)
        case "cut":
            raise AnswerCut(report)
        case _:
            assert_never(report.code)
