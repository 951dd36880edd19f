"""A line of the log as JSON and back.

The words of a provider are left out, also where another part repeats them: they may repeat the prompt. So are endpoints
other than the first, prices, accounts and fingerprints, which nobody needs in order to understand a decision. The rest
comes back as it was, so that a replayed plan reads like the one that `lbk route` would have printed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from math import isfinite
from typing import Any, cast, get_args

from lollmsbot_keys.core.model.config import Privacy, Provider
from lollmsbot_keys.core.model.log_record import Entry, LoggedCost, Sent
from lollmsbot_keys.core.model.outcome import Attempt, CostSource, OutcomeKind
from lollmsbot_keys.core.model.request import Candidate, Plan, Reason, Rule, SetAside
from lollmsbot_keys.core.security.sanitize import clean_line

VERSION = 1
"""The version of a line: raise it when older readers would misunderstand one; new fields do not need that."""

REFUSED = "refused"
MOST_CANDIDATES = 64
LONGEST_TEXT = 200
"""The limit in characters. Names are shorter, but a request may name anything as a model."""

OWN_WORDS = frozenset(
    {
        Reason.NO_SECRET,
        Reason.HOURLY_LIMIT,
        Reason.OVER_BUDGET,
        Reason.HELD,
        Reason.PRIVACY,
        Reason.UNPROVEN,
        Reason.PROVIDER_OFF,
        Reason.RESERVED,
        Reason.UNTRUSTED_HOST,
        Reason.LACKS,
    }
)
"""Reasons whose details are lbk's own; those of the others may quote a provider."""

Tree = Mapping[str, Any]
"""A JSON object. Its values are checked one by one as they are read."""


class NotAnEntry(ValueError):
    """A line that is not one of ours: torn, foreign, or damaged."""


class NewerEntry(ValueError):
    """A line that a newer lbk wrote; `args[0]` is its version."""


# --- writing ---


def encode(entry: Entry, scrub: Callable[[str], str]) -> bytes:
    """Return `entry` as one line of pure ASCII, with its end.

    `scrub` takes secrets out of a text.
    """
    word = _writer_of_words(entry, scrub)
    plan = entry.plan
    tree = {
        "time": _instant(entry.time),
        "event": REFUSED if entry.sent is None else "attempt",
        "request_id": entry.request,
        **_sent_tree(entry.sent, word),
        "pillar": plan.pillar,
        "role": plan.role,
        "privacy": plan.privacy,
        "plan": {"at": _instant(entry.decided), **_plan_tree(plan, word)},
        "lbk": entry.lbk,
        "version": VERSION,
    }
    text = json.dumps(tree, separators=(",", ":"), default=float)  # only amounts are not JSON's own
    return text.replace("##[", "##\\u005b").encode() + b"\n"  # GitHub's runner obeys that, should it see the log


def _writer_of_words(entry: Entry, scrub: Callable[[str], str]) -> Callable[[str], str]:
    """Return the function that makes a text fit for the log.

    All texts are searched together first, because there is hardly ever a secret in them.
    """
    together = "\n".join(_words_of(entry.plan))
    if scrub(together) == together:
        return _short
    return lambda text: _short(scrub(text))


def _words_of(plan: Plan) -> set[str]:
    """Return all text of `plan` that does not come from lbk or the configuration alone.

    A model's name is one: a request may name anything.
    """
    words = {candidate.model for candidate in plan.candidates}
    words |= {c.set_aside.detail for c in plan.candidates if c.set_aside is not None}
    return words | {plan.model or "", *plan.notices}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _sent_tree(sent: Sent | None, word: Callable[[str], str]) -> dict[str, object]:
    if sent is None:
        return {"attempt": None, "key": None, "provider": None, "model": None, "outcome": REFUSED}
    candidate, attempt, booked = sent.candidate, sent.attempt, sent.booked
    return {
        "attempt": sent.number,
        "key": candidate.key,
        "provider": candidate.provider,
        "model": word(candidate.model),
        "rule": candidate.rule,
        "failover": sent.failover,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "latency_ms": attempt.latency_ms,
        "cooldown_until": _maybe(attempt.cooldown_until),
        **booked._asdict(),
    }


def _plan_tree(plan: Plan, word: Callable[[str], str]) -> dict[str, object]:
    shown = plan.candidates[:MOST_CANDIDATES]
    return {
        "model": None if plan.model is None else word(plan.model),
        "max_output_tokens": plan.max_output_tokens,
        "retry_at": _maybe(plan.retry_at),
        "notices": [word(notice) for notice in plan.notices],
        "endpoints": {candidate.provider: candidate.endpoints[0] for candidate in shown},
        "candidates": [_candidate_tree(candidate, word) for candidate in shown],
        "left_out": len(plan.candidates) - len(shown),
    }


def _candidate_tree(candidate: Candidate, word: Callable[[str], str]) -> dict[str, object]:
    tree: dict[str, object] = {
        "key": candidate.key,
        "provider": candidate.provider,
        "model": word(candidate.model),
        "rule": candidate.rule,
        "eligible": candidate.eligible,
        "bound_usd": candidate.bound_usd,
    }
    if candidate.unproven:
        tree["unproven"] = True
    aside = candidate.set_aside
    if aside is not None:
        tree["reason"] = aside.reason
        if aside.until is not None:
            tree["until"] = _instant(aside.until)
        if aside.detail and aside.reason in OWN_WORDS:
            tree["detail"] = word(aside.detail)
    return tree


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _maybe(moment: datetime | None) -> str | None:
    return None if moment is None else _instant(moment)


# --- reading ---


def decode(line: bytes) -> Entry:
    """Read the entry in `line`.

    Whatever stands there, its texts become harmless and no longer than a limit.

    Raises:
        NotAnEntry: there is none, or not a whole one.
        NewerEntry: it has a version that this lbk does not know.
    """
    try:
        tree = json.loads(line)
        version = tree["version"]
        if type(version) is int and version > VERSION:
            raise NewerEntry(version)  # noqa: TRY301 - the reading and its judgement belong together
        return _entry(tree)
    except (NewerEntry, NotAnEntry):
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise NotAnEntry("no line of this log") from None


def _entry(tree: Tree) -> Entry:
    plan = _plan(tree["plan"], tree)
    return Entry(
        time=_moment(tree["time"]),
        request=_text(tree["request_id"]),
        decided=_moment(tree["plan"]["at"]),
        plan=plan,
        sent=None if tree["event"] == REFUSED else _sent(tree),
        lbk=_text(tree["lbk"]),
    )


def _plan(tree: Tree, around: Tree) -> Plan:
    endpoints = {Provider(name): _text(url) for name, url in tree["endpoints"].items()}
    listed = _each(tree["candidates"])
    return Plan(
        candidates=tuple(_candidate(entry, endpoints[Provider(entry["provider"])]) for entry in listed),
        model=_maybe_text(tree["model"]),
        privacy=Privacy(around["privacy"]),
        pillar=_maybe_text(around["pillar"]),
        role=_maybe_text(around["role"]),
        max_output_tokens=_count(tree["max_output_tokens"]),
        retry_at=_maybe_moment(tree["retry_at"]),
        notices=tuple(_text(notice) for notice in _each(tree["notices"])),
    )


def _candidate(tree: Tree, endpoint: str) -> Candidate:
    aside = None
    if not tree["eligible"]:
        aside = SetAside(Reason(tree["reason"]), _maybe_moment(tree.get("until")), _text(tree.get("detail", "")))
    return Candidate(
        key=_maybe_text(tree["key"]),
        provider=Provider(tree["provider"]),
        model=_text(tree["model"]),
        endpoints=(endpoint,),
        rule=Rule(tree["rule"]),
        price=None,
        bound_usd=_amount(tree["bound_usd"]),
        unproven=tree.get("unproven") is True,
        set_aside=aside,
    )


def _sent(tree: Tree) -> Sent:
    provider, model, key = Provider(tree["provider"]), _text(tree["model"]), _maybe_text(tree["key"])
    attempt = Attempt(
        key=key,
        provider=provider,
        model=model,
        outcome=OutcomeKind(tree["outcome"]),
        status=None if tree["status"] is None else _count(tree["status"]),
        latency_ms=_count(tree["latency_ms"]),
        cooldown_until=_maybe_moment(tree["cooldown_until"]),
    )
    candidate = Candidate(key, provider, model, (), Rule(tree["rule"]), None, _amount(tree["hold_usd"]))
    return Sent(_count(tree["attempt"]), candidate, attempt, _booked(tree), tree["failover"] is True)


def _booked(tree: Tree) -> LoggedCost:
    if tree["cost_source"] not in get_args(CostSource):
        raise NotAnEntry("no source of a cost")
    return LoggedCost(
        hold=_text(tree["hold"]),
        hold_usd=_amount(tree["hold_usd"]),
        cost_usd=None if tree["cost_usd"] is None else _amount(tree["cost_usd"]),
        cost_source=cast("CostSource", tree["cost_source"]),
        charged_usd=_amount(tree["charged_usd"]),
        prompt_tokens=_count(tree["prompt_tokens"]),
        completion_tokens=_count(tree["completion_tokens"]),
    )


def _each(value: object) -> Iterator[Any]:
    if not isinstance(value, list):
        raise NotAnEntry("expected a list")
    return islice(cast("Iterable[Any]", value), MOST_CANDIDATES)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NotAnEntry("expected text")
    return _short(clean_line(value[: 2 * LONGEST_TEXT]))


def _maybe_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _count(value: object) -> int:
    if type(value) is not int or not -(10**12) < value < 10**12:
        raise NotAnEntry("expected a whole number")
    return value


def _amount(value: object) -> Decimal:
    """Return the amount that was written: the shortest decimal of the float that it became."""
    if type(value) not in (int, float) or not isfinite(cast("float", value)):
        raise NotAnEntry("expected an amount")
    return Decimal(repr(value))


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise NotAnEntry("a time without a zone")
    return moment.astimezone(UTC)


def _maybe_moment(value: object) -> datetime | None:
    return None if value is None else _moment(value)
