"""The page of `lbk route`: the chosen key and why, the others and why not, and until when."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.explain import how_old, what_next
from lollmsbot_keys.core.model.request import Candidate, Known, Plan, Reason, Rule
from lollmsbot_keys.core.security.sanitize import clean_line
from lollmsbot_keys.render.console.encoding import shortened, usd
from lollmsbot_keys.render.console.terminal import grid, page
from lollmsbot_keys.render.console.times import until

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_WHY = {
    Rule.PINNED_KEY: "the key this role begins with",
    Rule.NAMED_MODEL: "next Ollama key in order",
    Rule.SUCCESSOR: "named as successor by the provider",
    Rule.STAND_IN: "lbk's own stand-in: no successor is named",
    Rule.EQUIVALENT: "the same model on OpenRouter",
    Rule.FALLBACK: "the pillar's fallback",
    Rule.OPENROUTER_MODEL: "an OpenRouter id",
    Rule.FREE: "a free model",
    Rule.GENERAL: "its turn",
    Rule.LOCAL: "this machine",
}
_STYLE = {
    Reason.COOLING_DOWN: "yellow",
    Reason.HOURLY_LIMIT: "yellow",
    Reason.RESERVED: "cyan",
    Reason.NO_SECRET: "dim",
    Reason.PRIVACY: "dim",
    Reason.PROVIDER_OFF: "dim",
}


def draw_plan(plan: Plan, known: Known, now: datetime, output_style: OutputStyle) -> None:
    """Print `plan` as a table that explains itself."""
    from rich.text import Text

    with page(output_style) as out:
        draw_decision(out, plan, now)
        if plan.choice is None:
            out.print(what_next(plan))
        out.print(Text(how_old(known), style="dim"))


def draw_decision(out: Console, plan: Plan, now: datetime) -> None:
    """Draw the meaning of `plan` at `now`: the choice, or that there is none, and every candidate."""
    from rich.text import Text

    out.print(Text(_asked_for(plan)))
    choice = plan.choice
    if choice is not None:
        line = Text(f"→ {choice.label}", style="bold green")
        line.append(f"  {clean_line(choice.model)}, at most {usd(choice.bound_usd)}", style="default")
        if choice.price is not None and choice.price.priced_on is not None:
            line.append(f", at the price of {choice.price.priced_on}", style="dim")
        out.print(line)
    else:
        out.print(Text(_nothing(plan, now), style="bold red"))
    out.print()
    table = grid(["", "KEY", "MODEL", "STATE"], wraps=["STATE"])
    longest = 96 if out.width >= 120 else 48
    for candidate in plan.candidates:
        chosen = candidate is choice
        table.add_row(
            Text("→" if chosen else " ", style="green"),
            Text(candidate.label, style="bold" if chosen else ""),
            Text(clean_line(candidate.model)),
            _state(candidate, now, longest),
        )
    if plan.candidates:
        out.print(table)
    for notice in plan.notices:
        out.print(Text(f"Note: {clean_line(notice)}"))


def _asked_for(plan: Plan) -> str:
    who = [f"{plan.pillar} / {plan.role}"] if plan.pillar else []
    what = [clean_line(plan.model)] if plan.model else ["general inference"] if not plan.pillar else []
    return " · ".join([*who, *what, f"privacy {plan.privacy}", f"up to {plan.max_output_tokens} tokens out"])


def _nothing(plan: Plan, now: datetime) -> str:
    if plan.untrusted is not None:
        return f"{plan.untrusted.label} is next, but its endpoint is not trusted with a secret"
    if plan.retry_at is not None:
        return f"nothing may take this now; the first comes free {until(plan.retry_at, now)}"
    return "nothing can take this, and waiting will not help"


def _state(candidate: Candidate, now: datetime, longest: int) -> Text:
    from rich.text import Text

    aside = candidate.set_aside
    if aside is None:
        why = _WHY[candidate.rule]
        if candidate.unproven:
            why += "; unproven until asked"
        return Text("ready", style="green").append(f" · {why}", style="dim")
    when = f" {until(aside.until, now)}" if aside.until is not None else ""
    text = Text(aside.reason.words + (f", back{when}" if when else ""), style=_STYLE.get(aside.reason, "red"))
    if aside.detail:
        text.append(f" · {shortened(clean_line(aside.detail), longest)}", style="dim")
    return text
