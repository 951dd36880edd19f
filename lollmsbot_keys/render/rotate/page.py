"""The output of `lbk rotate`: each step as it ends, the result, and the standing of every key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.rotation_journal import Age, RotationReport, Standing, Step, StepReport, StepStatus
from lollmsbot_keys.core.security.sanitize import clean_line
from lollmsbot_keys.render.console.terminal import grid, page
from lollmsbot_keys.render.console.times import until

if TYPE_CHECKING:
    from rich.text import Text

_DAY = timedelta(days=1)
_STYLE = {Age.OK: "green", Age.DUE: "yellow", Age.OVERDUE: "bold red", Age.UNKNOWN: "dim"}
_MARKS = {StepStatus.DONE: "", StepStatus.SKIPPED: "skipped: ", StepStatus.WAITING: "", StepStatus.TODO: "to do: "}


def step_line(report: StepReport) -> str:
    """Return a line for one step that ended, or came to a stop."""
    return clean_line(f"{step_word(report.step)}: {_MARKS[report.status]}{report.detail}")


def step_word(step: Step) -> str:
    """Return the name of a step as people read it."""
    return step.value.replace("_", " ")


def report_lines(key: str, report: RotationReport | None, now: datetime) -> Iterator[str]:
    """Yield the result of a rotation, and what is left to do."""
    if report is None:
        yield f"{key} has no rotation under way: there is nothing to do."
        return
    yield clean_line(_conclusion(report, now))
    if report.todo:
        yield "To do:"
        yield from (f"  - {clean_line(entry)}" for entry in report.todo)


def _conclusion(report: RotationReport, now: datetime) -> str:
    key = report.key
    if report.back:
        return f"{key} has its old secret again (generation {report.generation})."
    new = f"{key} has a new secret (generation {report.generation})."
    if report.until is not None:
        return f"{new} The old one stays good beside it, and its grace ends {until(report.until, now)}."
    if not report.over:
        return f"{new} The old one is still accepted."
    confirmed = any(step.step is Step.CONFIRM and step.status is StepStatus.DONE for step in report.steps)
    return f"{new} The old one is refused." if confirmed else new


# --- how it stands ---


def draw_standings(standings: Sequence[Standing], now: datetime, output_style: OutputStyle) -> None:
    """Print the table of all keys, and what to do about each key that needs it."""
    from rich.text import Text

    with page(output_style) as out:
        table = grid(["KEY", "GEN", "AGE", "DUE", "STATUS", "ROTATION"], right=["GEN", "AGE"], wraps=["ROTATION"])
        for standing in standings:
            table.add_row(
                standing.key,
                str(standing.generation) if standing.generation else "–",
                _age(standing.since, now),
                _due(standing, now),
                Text(standing.status.value, style=_STYLE[standing.status]),
                _stage(standing, now),
            )
        out.print(table)
        advice = [line for standing in standings if (line := _advice(standing))]
        if advice:
            out.print()
        for line in advice:
            out.print(Text(line))


def _age(since: datetime | None, now: datetime) -> str:
    if since is None:
        return "–"
    age = max(now - since, timedelta())
    if age < timedelta(hours=1):
        return f"{age // timedelta(minutes=1)} min"
    if age < 2 * _DAY:
        return f"{age // timedelta(hours=1)} h"
    return f"{age // _DAY} d"


def _due(standing: Standing, now: datetime) -> str:
    if standing.due is None:
        return "–"
    left = standing.due - now
    if left <= timedelta():
        return "now" if not standing.late else f"{standing.late} d late"
    if left < timedelta(hours=1):
        return f"in {-(-left // timedelta(minutes=1))} min"
    return f"in {left // timedelta(hours=1)} h" if left < 2 * _DAY else f"in {left // _DAY} d"


def _stage(standing: Standing, now: datetime) -> Text:
    from rich.text import Text

    if standing.step is None:
        return Text("–", style="dim")
    words = step_word(standing.step)
    if standing.at_work:
        return Text(f"{words}, at work")
    if standing.until is not None and standing.until > now:
        return Text(f"{words}, ends {until(standing.until, now)}")
    return Text("grace is over" if standing.until is not None else f"{words}, stopped", style="yellow")


def _advice(standing: Standing) -> str:
    if standing.at_work:
        return ""
    if standing.step is not None and standing.status in {Age.DUE, Age.OVERDUE}:
        return f"{standing.key}: its rotation waits for you: lbk rotate {standing.key} --resume"
    if standing.status is Age.OVERDUE:
        days = "a day" if standing.late == 1 else f"{standing.late} days"
        return f"{standing.key} has been overdue for {days}: lbk rotate {standing.key}"
    if standing.status is Age.DUE:
        return f"{standing.key} is due: lbk rotate {standing.key}"
    return ""
