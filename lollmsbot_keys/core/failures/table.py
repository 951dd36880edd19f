"""The failure table: the meaning of a failed attempt, its reach and its time.

One list of rows, tried from the top; the first that holds decides. Statuses, codes and texts are those of the
providers' documentation and of live replies that others recorded until autumn 2026.

A local daemon belongs to its user, who may mend it at any moment, so its failures are forgotten after the request.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import assert_never

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.failures.error_body import Symptoms, evidence, symptoms
from lollmsbot_keys.core.failures.retry_after import Hint, retry_hint
from lollmsbot_keys.core.model.config import Cooldowns, Provider
from lollmsbot_keys.core.model.outcome import Billing, Failure, OutcomeKind
from lollmsbot_keys.core.model.reply import Classifier, Reply, Trouble
from lollmsbot_keys.core.model.request import Reach

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
_OK, _TOO_MANY = 200, 429


class _Wait(Enum):
    """A length of time.

    `HINT_OR_…` believes the provider first.
    """

    NOTHING = auto()
    HINT_OR_RATE_LIMITED = auto()
    HINT_OR_UNAVAILABLE = auto()
    HINT_OR_DEFAULT = auto()
    HOUR = auto()
    DAY = auto()


_Test = Callable[[Symptoms], bool]


class _Row(NamedTuple):
    tests: tuple[_Test, ...]
    kind: OutcomeKind
    reach: Reach
    wait: _Wait = _Wait.NOTHING
    final: bool = False
    strike: bool = False
    billing: Billing = Billing.NOTHING


def _status(*statuses: int) -> _Test:
    return lambda seen: seen.status in statuses


def _by(provider: Provider) -> _Test:
    return lambda seen: seen.provider is provider


def _code(*codes: str) -> _Test:
    """Test whether the error has one of these machine-readable words.

    They are its type, its code, its limit source and its reason.
    """
    return lambda seen: not seen.codes.isdisjoint(codes)


def _says(*phrases: str) -> _Test:
    return lambda seen: any(phrase in seen.text for phrase in phrases)


def _either(*tests: _Test) -> _Test:
    return lambda seen: any(test(seen) for test in tests)


_OLLAMA, _OPENROUTER, _LOCAL = _by(Provider.OLLAMA), _by(Provider.OPENROUTER), _by(Provider.LOCAL)
_PLAIN = frozenset({408, 429, 503, 504, 524})
"""Statuses whose meaning does not depend on the sender or the body."""
_PAGE: _Test = lambda seen: seen.html and seen.status not in _PLAIN  # noqa: E731 - reads as a column of the table
_JSON: _Test = lambda seen: seen.json  # noqa: E731
_FREE: _Test = lambda seen: seen.free  # noqa: E731
_UPSTREAM: _Test = lambda seen: seen.upstream  # noqa: E731
_FLAGGED: _Test = lambda seen: seen.flagged  # noqa: E731
_INSIDE: _Test = lambda seen: seen.inside  # noqa: E731
_ELSEWHERE: _Test = lambda seen: seen.elsewhere  # noqa: E731
_REDIRECT: _Test = lambda seen: 300 <= seen.status < 400  # noqa: E731

_SLOW = _status(408, 504, 524)
_BAD = _status(400, 412, 413, 422)
_GONE = _status(404, 410)
_MODERATION = _either(
    _FLAGGED,
    _code("content_policy_violation", "refusal", "moderation"),
    _says("moderation", "content policy", "prompt injection"),
)
_IN_FLIGHT = _code("openrouter_in_flight_budget", "in_flight_budget_exhausted")
_TOO_DEAR = _either(_code("weight_exceeds_budget"), _says("can only afford"))
_KEY_BUDGET = _either(
    _code("openrouter_key_limit", "openrouter_guardrail_budget", "openrouter_workspace_budget"),
    _says("key limit exceeded"),
)
_FREE_TIER = _either(_code("openrouter_free_tier_daily", "openrouter_free_tier"), _says("free-models-per-"))
_SHARED = _either(
    _UPSTREAM,
    _code("upstream_provider_shared_pool", "openrouter_shared_capacity", "capacity_exhausted"),
    _says("provider returned error", "rate-limited upstream"),
)
# What one account has set, or what this request is: another key may be free to do it.
_TERMS = _either(
    _ELSEWHERE,
    _code("privacy_restricted", "constraint_filtered", "wrong_endpoint"),
    _says("no allowed providers", "all providers have been ignored", "data policy"),
    _says("zero data retention", "zero-data-retention", "zdr"),
    _says("guardrail restriction", "settings/privacy", "settings/preferences"),
    _says("max price", "max_price", "requested parameters"),
    _says("prompt tokens limit exceeded", "token capacity"),
)
_CANNOT = _says("no endpoints found that support")
_NO_MODEL = _either(_code("model_not_found"), _says("not a valid model id"))
_SLOTS = _says("concurrent request", "too many concurrent", "concurrency")

_K, _R, _W = OutcomeKind, Reach, _Wait
_POSSIBLY = Billing.POSSIBLY

TABLE: tuple[_Row, ...] = (
    # A page instead of JSON comes from something in between. It says nothing about a key. Nor does a redirect.
    _Row((_REDIRECT,), _K.REDIRECTED, _R.KEY_AND_MODEL, strike=True),
    _Row((_PAGE, _INSIDE), _K.JUNK, _R.KEY_AND_MODEL, strike=True, billing=_POSSIBLY),
    _Row((_PAGE,), _K.JUNK, _R.KEY_AND_MODEL, strike=True),
    # 401. A local daemon refuses cloud models so, until its user signs in: no key of ours.
    _Row((_LOCAL, _status(401)), _K.FORBIDDEN, _R.KEY_AND_MODEL),
    _Row((_status(401),), _K.UNAUTHORIZED, _R.KEY),
    # Content policy, under any status; the settings of one account and the size of one request: the next key.
    _Row((_status(400, 403), _MODERATION), _K.MODERATED, _R.REQUEST, final=True),
    _Row((_status(402, 404), _TOO_DEAR), _K.NO_CREDIT, _R.REQUEST),
    _Row((_status(400, 402, 404), _TERMS), _K.UNAVAILABLE, _R.REQUEST),
    # 402: who has no money left?
    _Row((_OPENROUTER, _status(402), _IN_FLIGHT), _K.RATE_LIMITED, _R.ACCOUNT, _W.HINT_OR_UNAVAILABLE),
    _Row((_OPENROUTER, _status(402), _KEY_BUDGET), _K.NO_CREDIT, _R.KEY, _W.HINT_OR_DEFAULT),
    _Row((_OPENROUTER, _status(402)), _K.NO_CREDIT, _R.ACCOUNT, _W.HOUR),
    _Row((_status(402),), _K.NO_CREDIT, _R.KEY_AND_MODEL, _W.HOUR),
    # 403.
    _Row((_OPENROUTER, _status(403), _KEY_BUDGET), _K.NO_CREDIT, _R.KEY, _W.HINT_OR_DEFAULT),
    _Row((_status(403),), _K.FORBIDDEN, _R.KEY_AND_MODEL, _W.HOUR),
    # No such model; or none that can do this.
    _Row((_OPENROUTER, _status(404), _CANNOT), _K.UNAVAILABLE, _R.MODEL),
    _Row((_status(400), _NO_MODEL), _K.NO_SUCH_MODEL, _R.MODEL, _W.DAY),
    _Row((_status(410),), _K.NO_SUCH_MODEL, _R.MODEL, _W.DAY),
    _Row((_GONE, _JSON), _K.NO_SUCH_MODEL, _R.MODEL, _W.DAY),
    # The request's own fault: no other key would take it.
    _Row((_LOCAL, _status(400), _says("does not support")), _K.FORBIDDEN, _R.KEY_AND_MODEL),
    _Row((_BAD,), _K.BAD_REQUEST, _R.REQUEST, final=True),
    # 429: who is counted?
    _Row((_OLLAMA, _status(429), _SLOTS), _K.RATE_LIMITED, _R.ACCOUNT, _W.HINT_OR_UNAVAILABLE),
    _Row(
        (_OPENROUTER, _status(429), _says("free-models-per-min")),
        _K.RATE_LIMITED,
        _R.FREE_MODELS,
        _W.HINT_OR_UNAVAILABLE,
    ),
    _Row((_OPENROUTER, _status(429), _FREE_TIER), _K.RATE_LIMITED, _R.FREE_MODELS, _W.HINT_OR_RATE_LIMITED),
    _Row((_OPENROUTER, _status(429), _SHARED), _K.RATE_LIMITED, _R.MODEL, _W.HINT_OR_RATE_LIMITED),
    _Row((_OPENROUTER, _status(429), _FREE), _K.RATE_LIMITED, _R.FREE_MODELS, _W.HINT_OR_RATE_LIMITED),
    _Row((_status(429),), _K.RATE_LIMITED, _R.ACCOUNT, _W.HINT_OR_RATE_LIMITED),
    # The provider's trouble.
    _Row((_OPENROUTER, _status(503)), _K.UNAVAILABLE, _R.MODEL, _W.HINT_OR_UNAVAILABLE),
    _Row((_status(503),), _K.UNAVAILABLE, _R.KEY, _W.HINT_OR_UNAVAILABLE),
    _Row((_SLOW,), _K.TIMEOUT, _R.KEY_AND_MODEL, strike=True, billing=_POSSIBLY),
    _Row((_status(500, 502, 529),), _K.SERVER_ERROR, _R.KEY_AND_MODEL, strike=True),
    # An error inside a 200 that gives no status: something had begun.
    _Row((_INSIDE, _status(0)), _K.SERVER_ERROR, _R.KEY_AND_MODEL, strike=True, billing=_POSSIBLY),
    # Whatever else: harmless alone, suspicious in a row.
    _Row((_INSIDE,), _K.JUNK, _R.KEY_AND_MODEL, strike=True, billing=_POSSIBLY),
    _Row((), _K.JUNK, _R.KEY_AND_MODEL, strike=True),
)

_POSSIBLE_KINDS = {
    Trouble.TIMEOUT: OutcomeKind.TIMEOUT,
    Trouble.DROPPED: OutcomeKind.DROPPED,
    Trouble.CUT: OutcomeKind.CUT,
    Trouble.JUNK: OutcomeKind.JUNK,
    Trouble.EMPTY: OutcomeKind.EMPTY,
}


def classifier(cooldowns: Cooldowns, clock: Callable[[], datetime]) -> Classifier:
    """Make the failure table for one configuration.

    `clock` tells the time (aware, UTC) when it is asked.
    """

    def judge(what: Reply | Trouble, provider: Provider, *, free: bool, detail: str = "") -> Failure:
        return classify(what, provider, free=free, cooldowns=cooldowns, now=clock(), detail=detail)

    return judge


def classify(
    what: Reply | Trouble, provider: Provider, *, free: bool, cooldowns: Cooldowns, now: datetime, detail: str = ""
) -> Failure:
    """Judge one failed attempt.

    `free` says whether the model was one that the provider gives away. Never raises, whatever the reply holds.
    """
    if isinstance(what, Trouble):
        # What an HTTP library says of a broken answer quotes it.
        quoting = what is Trouble.DROPPED or what is Trouble.CUT
        failure = _trouble(what)._replace(evidence=evidence(detail), transient=quoting)
    else:
        failure = _judge(what, symptoms(what, provider, free=free), cooldowns, now, detail)
    return _forgotten(failure) if provider is Provider.LOCAL else failure


def _trouble(trouble: Trouble) -> Failure:
    match trouble:
        case Trouble.UNREACHABLE:
            return Failure(OutcomeKind.UNREACHABLE, Reach.PROVIDER)
        case Trouble.UNPROVEN:
            return Failure(OutcomeKind.UNPROVEN, Reach.KEY_AND_MODEL)
        case Trouble.TIMEOUT | Trouble.DROPPED | Trouble.CUT | Trouble.JUNK | Trouble.EMPTY:
            return Failure(_POSSIBLE_KINDS[trouble], Reach.KEY_AND_MODEL, strike=True, billing=_POSSIBLY)
        case _:
            assert_never(trouble)


def _judge(reply: Reply, seen: Symptoms, cooldowns: Cooldowns, now: datetime, detail: str) -> Failure:
    row = next(row for row in TABLE if all(test(seen) for test in row.tests))
    until, source = _until(row.wait, reply, seen, cooldowns, now)
    ours = _ours(row.kind, reply.status, seen)
    words = evidence(ours or seen.message or detail)
    # What an upstream says of a request that is wrong may quote it.
    transient = not ours and (not seen.json or (seen.relayed and row.final))
    return Failure(row.kind, row.reach, until, source, words, row.final, row.strike, row.billing, transient)


def _ours(kind: OutcomeKind, status: int, seen: Symptoms) -> str:
    """Return our own words for a page for browsers, or for a reply that may be an answer."""
    if kind is OutcomeKind.REDIRECTED:
        return "the address leads elsewhere; redirects are not followed"
    if seen.inside and status != _OK and not seen.html:
        return f"something came under the status {status}, where an answer has {_OK}"
    return "an HTML page came instead of an answer" if seen.html else ""


def _until(
    wait: _Wait, reply: Reply, seen: Symptoms, cooldowns: Cooldowns, now: datetime
) -> tuple[datetime | None, str]:
    default: timedelta
    match wait:
        case _Wait.NOTHING:
            return None, ""
        case _Wait.HOUR:
            return now + HOUR, "default"
        case _Wait.DAY:
            return now + DAY, "default"
        case _Wait.HINT_OR_RATE_LIMITED:
            default = cooldowns.rate_limited
        case _Wait.HINT_OR_UNAVAILABLE:
            default = cooldowns.unavailable
        case _Wait.HINT_OR_DEFAULT:
            default = HOUR
        case _:
            assert_never(wait)
    hint = retry_hint(reply.headers, reply.body, now, cooldowns.longest, limited=seen.status == _TOO_MANY)
    return (now + default, "default") if hint is None else (hint.until, _word(hint))


def _word(hint: Hint) -> str:
    """Return the source of a hint.

    A value that was not believed in full is shown as it was.
    """
    return f"{hint.source} (shortened from {hint.raw})" if hint.clamped else hint.source


def _forgotten(failure: Failure) -> Failure:
    reach = Reach.KEY_AND_MODEL if failure.reach in {Reach.KEY, Reach.ACCOUNT} else failure.reach
    return failure._replace(reach=reach, until=None, source="", strike=False)
