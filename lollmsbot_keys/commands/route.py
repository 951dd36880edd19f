"""`lbk route`: the plan that a request would follow now, at another time, or under assumptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.config import Config
from lollmsbot_keys.core.model.request import ASSUMABLE, Known, Plan, Reason, Request, SetAside
from lollmsbot_keys.core.money.amounts import budget_day, day_end
from lollmsbot_keys.core.routing.resolve import unknown
from lollmsbot_keys.errors import UsageError
from lollmsbot_keys.runtime import Engine


class Decided(NamedTuple):
    """The plan, the age of the models that it knows, the time it is for, and how output should look."""

    plan: Plan
    known: Known
    now: datetime
    output_style: OutputStyle
    warnings: tuple[str, ...]


def decide(config: Path | None, state: Path | None, request: Request, at: str | None, assume: Sequence[str]) -> Decided:
    """Route `request`, and return the plan.

    `at` is ISO 8601 (without a zone: the budget's) or `+` and a duration; `assume` KEY=STATE.

    Raises:
        UsageError, ConfigError, StateError: see `errors`.
    """
    engine = Engine.open(config, state, create=False)
    now = engine.clock() if at is None else _moment(at, engine)
    plan = engine.plan(request, now, _assumptions(assume, engine.config, now))
    if request.model is not None and request.model not in engine.config.models:
        plan = _spelt(plan, request.model, engine)
    return Decided(plan, engine.known(), now, engine.environment.output_style, tuple(engine.warnings))


def _spelt(plan: Plan, model: str, engine: Engine) -> Plan:
    """Add to `plan` a word on a name that no list has.

    `ask` looks into the lists of its moment, which may be newer.

    Raises:
        UsageError: every provider that could have that model has a list, and it is close to a known name.
    """
    from lollmsbot_keys.core.routing.spelling import slip_of, unknown_model

    lists = engine.facts().lists
    near = slip_of(model, engine.config, lists)
    if near is None:
        return plan
    words = unknown_model(model, near)
    permitted = [c for c in plan.candidates if c.set_aside is None or c.set_aside.reason is not Reason.PRIVACY]
    sellers = {c.provider for c in permitted if c.key is not None}
    if sellers and sellers <= lists.keys():
        raise UsageError(words)
    return plan._replace(notices=(*plan.notices, words))


def _moment(text: str, engine: Engine) -> datetime:
    try:
        if text.startswith("+"):
            from lollmsbot_keys.core.base import durations

            return engine.clock() + durations.parse(text[1:])
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=engine.config.timezone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--at {text!r} is no time. Write it like 2026-11-23T18:30, 2026-11-23T18:30Z, or +2h from now."
        ) from None


def _assumptions(assume: Sequence[str], config: Config, now: datetime) -> dict[str, SetAside]:
    assumed = {}
    for text in assume:
        name, _, state = text.partition("=")
        if config.key(name) is None:
            raise UsageError(unknown("key", name, [key.name for key in config.keys]))
        if state not in [reason.value for reason in ASSUMABLE]:
            raise UsageError(f"--assume {text!r}: after = comes one of {', '.join(ASSUMABLE)}.")
        assumed[name] = _assumed(Reason(state), config, now)
    return assumed


def _assumed(reason: Reason, config: Config, now: datetime) -> SetAside:
    until = None
    if reason is Reason.COOLING_DOWN:
        until = now + config.cooldowns.rate_limited
    elif reason is Reason.OVER_BUDGET:
        until = day_end(budget_day(now, config.timezone), config.timezone)
    return SetAside(reason, until, "assumed")
