"""`lbk test-keys --deep`: one real call of one token for each key that its check does not rule out.

It takes the way of every call: money is held, counted and settled, and the meaning of its failure is recorded.
"""

from __future__ import annotations

from datetime import timedelta

from lollmsbot_keys.core.keys.verdict import deepened
from lollmsbot_keys.core.model.config import Price, Privacy, Provider, match_name
from lollmsbot_keys.core.model.findings import KeyFinding, Verdict
from lollmsbot_keys.core.model.outcome import Answer, NoAnswer
from lollmsbot_keys.core.money.pricing import pricing
from lollmsbot_keys.core.routing import eligibility
from lollmsbot_keys.pool import KeyPool, Options, question
from lollmsbot_keys.runtime import Engine

PROMPT = "Hi"


async def deepen(engine: Engine, pool: KeyPool, found: KeyFinding, silence: timedelta) -> KeyFinding:
    """Make a real call to the cheapest model that the key may ask, and return `found` with its result.

    Or with the reason why there was none.

    Raises:
        ConfigError, SecretError, StateError: see `KeyPool.ask`.
    """
    if found.verdict not in {Verdict.VALID, Verdict.UNKNOWN}:
        return found
    model = cheapest(engine, found)
    if model is None:
        return found._replace(deep="no real call: no model is known that it could be asked")
    options = Options(
        key=found.key,
        model=model,
        privacy=Privacy.LOW,
        max_output_tokens=1,
        timeout=silence,
        failover=False,
        stream=False,
    )
    report = await pool.answer(question(PROMPT, options))
    match report:
        case Answer():
            last = report.attempts[-1]
            proof = deepened(found.proof, last.outcome, "", None, None)
            cost = f"{report.cost_usd:f} USD" if report.cost_usd is not None else f"at most {report.charged_usd:f} USD"
            return found._replace(proof=proof, deep=f"{model} answered in {last.latency_ms} ms, {cost}")
        case NoAnswer():
            return _failed(engine, found, report, model)


def _failed(engine: Engine, found: KeyFinding, report: NoAnswer, model: str) -> KeyFinding:
    if not report.attempts:
        return found._replace(deep=f"no real call: {report.message}")
    last = report.attempts[-1]
    status = f" ({last.status})" if last.status else ""
    words = f"{model}: {last.outcome.words}{status}" + (f": {last.detail}" if last.detail else "")
    now, key = engine.clock(), engine.config.key(found.key)
    out = (
        eligibility.standing(key, engine.config, engine.state.read(now), engine.facts(), now)
        if key is not None
        else None
    )
    proof = deepened(found.proof, last.outcome, words, out.reason if out else None, last.cooldown_until)
    return found._replace(proof=proof, deep=words)


def cheapest(engine: Engine, found: KeyFinding) -> str | None:
    """Return the cheapest listed model with a known price; `None` if there is none.

    A free one where no credit was ever bought.
    """
    config, listed, prices, now = engine.config, found.models, engine.facts().prices, engine.clock()
    if found.provider is Provider.OPENROUTER and found.proof.free_tier:
        named_free = sorted(name for name in listed or () if name.endswith(":free"))
        free = [name for name in named_free if not pricing(config, prices, found.provider, name, now).not_free]
        return free[0] if free else "openrouter/free"
    priced: list[tuple[Price, str]] = []
    for name in config.models:
        price = pricing(config, prices, found.provider, name, now).price
        at_home = ("/" in name) is (found.provider is Provider.OPENROUTER) and not config.is_free(name)
        if at_home and price is not None and (listed is None or match_name(name, listed) is not None):
            priced.append((price, name))
    if priced:
        return min(priced, key=lambda entry: (entry[0].input_usd_per_mtok + entry[0].output_usd_per_mtok, entry[1]))[1]
    default = config.routing.default_model
    return default if listed is not None and match_name(default, listed) is not None else None
