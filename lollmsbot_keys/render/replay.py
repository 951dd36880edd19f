"""The page of `lbk route --replay`: each decision as `lbk route` would have drawn it then, and its outcome."""

from __future__ import annotations

from collections.abc import Sequence

from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.log_record import Entry, Sent
from lollmsbot_keys.core.security.sanitize import clean_line
from lollmsbot_keys.render.console.encoding import usd
from lollmsbot_keys.render.console.terminal import page
from lollmsbot_keys.render.json_documents import attempt_tree, plan_tree
from lollmsbot_keys.render.plan import draw_decision


def draw_replay(entries: Sequence[Entry], output_style: OutputStyle) -> None:
    """Print all decisions for one request, in order."""
    from rich.text import Text

    with page(output_style) as out:
        for place, entry in enumerate(entries):
            if place:
                out.print()
            out.print(Text(_heading(entry), style="bold"))
            draw_decision(out, entry.plan, entry.decided)
            for line in _endings(entry):
                out.print(Text(line))


def _heading(entry: Entry) -> str:
    what = f"attempt {entry.sent.number}" if entry.sent is not None else "refused"
    return f"Request {entry.request}, {what}, {entry.decided:%Y-%m-%d %H:%M:%S} UTC, by lbk {entry.lbk}"


def _endings(entry: Entry) -> list[str]:
    sent, choice = entry.sent, entry.plan.choice
    if sent is None:
        why = "" if choice is None else ": what is ready here had just been tried, or others had waited longer for it"
        return [f"Nothing was sent{why}."]
    taken = (sent.candidate.key, sent.candidate.provider, sent.candidate.model)
    lines = [_ending(sent)]
    if choice is not None and (choice.key, choice.provider, choice.model) != taken:
        lines.insert(0, f"Others had waited longer for {choice.label}.")
    return lines


def _ending(sent: Sent) -> str:
    attempt, booked = sent.attempt, sent.booked
    status = f" ({attempt.status})" if attempt.status else ""
    cooled = f", left out until {attempt.cooldown_until:%Y-%m-%d %H:%M:%S} UTC" if attempt.cooldown_until else ""
    cost = usd(booked.cost_usd) if booked.cost_usd is not None else f"at most {usd(booked.charged_usd)}"
    return (
        f"{sent.candidate.label} × {clean_line(attempt.model)}: {attempt.outcome.words}{status} "
        f"after {attempt.latency_ms} ms{cooled}; "
        f"{booked.prompt_tokens} tokens in, {booked.completion_tokens} out, {cost} ({booked.cost_source})"
    )


def replay_tree(entries: Sequence[Entry]) -> dict[str, object]:
    """Return the document of a replay.

    It is the first decision in the shape of `lbk route`; `later` holds those that followed it.
    """
    first, *later = [_decision(entry) for entry in entries]
    return {"request_id": entries[0].request, **first, "later": later}


def _decision(entry: Entry) -> dict[str, object]:
    return {"at": entry.decided, "lbk": entry.lbk, **plan_tree(entry.plan), "attempt": _attempt(entry.sent)}


def _attempt(sent: Sent | None) -> dict[str, object] | None:
    if sent is None:
        return None
    tree = attempt_tree(sent.attempt)
    del tree["detail"]  # the log has no words of providers
    return {"number": sent.number, **tree, "failover": sent.failover, **sent.booked._asdict()}
