"""The page of `lbk test-keys`: the keys, the models and their providers, the problems, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.findings import Findings, KeyFinding, ModelFinding, ModelStatus, Verdict
from lollmsbot_keys.core.security.sanitize import clean_line
from lollmsbot_keys.render.console.encoding import can_print, shortened
from lollmsbot_keys.render.console.terminal import grid, page
from lollmsbot_keys.render.console.times import until
from lollmsbot_keys.render.test_keys.allowances import still

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_STYLE = {
    Verdict.VALID: "green",
    Verdict.INVALID: "bold red",
    Verdict.LIMITED: "yellow",
    Verdict.NO_CREDIT: "yellow",
    Verdict.UNREACHABLE: "magenta",
    Verdict.UNKNOWN: "magenta",
    Verdict.MISSING: "dim",
}
_STATUS_STYLE = {
    ModelStatus.AVAILABLE: "dim",
    ModelStatus.RETIRED: "yellow",
    ModelStatus.UNLISTED: "red",
    ModelStatus.UNKNOWN: "magenta",
}
_WIDE = 100
_REASON = 160


class Depth(NamedTuple):
    """The choice of what is drawn in full, and not only counted."""

    models: bool = False
    pillars: bool = False


def draw_findings(found: Findings, now: datetime, output_style: OutputStyle, depth: Depth) -> None:
    """Print all findings, some only as a count; the last line says whether all is well."""
    with page(output_style) as out:
        _draw_keys(out, found, now)
        if found.models and depth.models:
            _draw_models(out, found)
        _draw_talk(out, found, now, depth)


def conclusion(found: Findings) -> str:
    """Return `5/5 keys valid`, or what is wrong."""
    lacking = len(found.keys) - len(found.present)
    without = f" ({lacking} without a secret)" if lacking else ""
    if found.keys and all(key.provider is Provider.LOCAL for key in found.keys):
        return (
            "the local daemon answers" if found.keys[0].verdict is Verdict.VALID else "the local daemon does not answer"
        )
    if not found.present:
        return f"no key to test: {len(found.keys)} without a secret"
    valid = sum(key.verdict is Verdict.VALID for key in found.present)
    wrong = ", ".join(f"{key.key} {key.verdict.words}" for key in found.present if key.verdict is not Verdict.VALID)
    return f"{valid}/{len(found.present)} keys valid{without}" + (f": {wrong}" if wrong else "")


# --- keys ---


def _draw_keys(out: Console, found: Findings, now: datetime) -> None:
    from rich.text import Text

    wide = out.width >= _WIDE
    headings = ["KEY", "VERDICT", "LATENCY", *(["MODELS"] if wide else []), "MAY STILL DO"]
    table = grid(headings, right=["LATENCY", "MODELS"], wraps=["MAY STILL DO"])
    for key in found.keys:
        models = [str(len(key.models)) if key.models else "–"] if wide else []
        table.add_row(
            key.key,
            Text(_mark(key.verdict) + key.verdict.words, style=_STYLE[key.verdict]),
            f"{key.latency_ms} ms" if key.latency_ms is not None else "–",
            *models,
            _what(key, now),
        )
    out.print(table)


def _mark(verdict: Verdict) -> str:
    sign = {Verdict.VALID: "✓ ", Verdict.MISSING: "- "}.get(verdict, "✗ " if verdict is Verdict.INVALID else "! ")
    return sign if can_print(sign) else ""


def _what(key: KeyFinding, now: datetime) -> Text:
    from rich.text import Text

    proof, aside = key.proof, key.set_aside
    if key.verdict is Verdict.VALID:
        text = Text(clean_line(still(proof, now)))
        if aside is not None:
            when = f", back {until(aside.until, now)}" if aside.until is not None else ""
            text.append(f" · routing leaves it out: {aside.reason.words}{when}", style="yellow")
        return text
    return Text(shortened(clean_line(proof.reason), _REASON), style=_STYLE[key.verdict].split()[-1])


# --- models ---


def _draw_models(out: Console, found: Findings) -> None:
    from rich.text import Text

    wide = out.width >= _WIDE
    asked = {provider for provider, _ in (*found.lists, *found.silent)}
    places = [place for place in _PLACES if place in asked]
    out.print()
    headings = [_PLACES[place] if wide else _PLACES[place].removeprefix("OPEN") for place in places]
    table = grid(["MODEL", *headings, "STATUS"], wraps=["MODEL", "STATUS"])
    for model in found.models:
        style = _STATUS_STYLE[model.status]
        offers = (_offer(_at(model, place), _alias(model, place) if wide else "") for place in places)
        name = Text(clean_line(model.name), style="" if model.status is ModelStatus.AVAILABLE else style)
        table.add_row(name, *offers, Text(_instead(model, wide=wide), style=style))
    out.print(table)
    for line in _legend(found, wide=wide):
        out.print(Text(line, style="dim"))


_PLACES = {Provider.OLLAMA: "OLLAMA", Provider.OPENROUTER: "OPENROUTER", Provider.LOCAL: "LOCAL"}


def _at(model: ModelFinding, place: Provider) -> bool | None:
    match place:
        case Provider.OLLAMA:
            return model.ollama
        case Provider.OPENROUTER:
            return model.openrouter
        case Provider.LOCAL:
            return model.local


def _alias(model: ModelFinding, place: Provider) -> str:
    """Return the model's name at `place`, if it is another one there."""
    return clean_line(model.equivalent) if place is Provider.OPENROUTER and model.equivalent else ""


def _offer(offered: bool | None, alias: str) -> Text:  # noqa: FBT001 - yes, no, and nobody knows
    from rich.text import Text

    if offered is None:
        return Text("?", style="magenta")
    yes = "✓" if can_print("✓") else "yes"
    return (
        Text(f"{yes} {alias}".rstrip(), style="green") if offered else Text("–" if can_print("–") else "-", style="dim")
    )


def _instead(model: ModelFinding, *, wide: bool) -> str:
    arrow = "→" if can_print("→") else "->"
    match model.status:
        case ModelStatus.AVAILABLE:
            return ""
        case ModelStatus.RETIRED | ModelStatus.UNLISTED:
            instead = f"({model.stand_in})" if model.stand_in else model.successor
            said = [model.status.value] if wide or not instead else []
            return " ".join([*said, *([arrow, instead] if instead else [])])
        case ModelStatus.UNKNOWN:
            return "unknown"


def _legend(found: Findings, *, wide: bool) -> Iterator[str]:
    counts = ", ".join(f"{provider.value} {count}" for provider, count in found.lists)
    if counts:
        yield f"Offered in all: {counts}."
    ollama = [key.key for key in found.keys if key.provider is Provider.OLLAMA and key.verdict.is_good_key]
    if len(ollama) > 1:
        yield f"OLLAMA stands for {' and '.join(ollama)}: its list is public, the same for each key."
    if not wide:
        yield "ROUTER: OpenRouter has it, under an id of its own (a wider window shows it)."
        yield "→ retired by Ollama; the name is its successor, in brackets lbk's own stand-in."
    elif any(model.stand_in for model in found.models):
        yield "In brackets: no successor is named, and this is lbk's own stand-in."
    yield f"Successors and prices are shipped, as of {found.read_on or 'an unknown day'}; what is listed is of today."


# --- what is wrong ---


def _counted(found: Findings, depth: Depth) -> Iterator[str]:
    """Yield a line for each group that is not drawn in full."""
    known = [model for model in found.models if model.rc2]
    if known and not depth.models:
        words = {ModelStatus.RETIRED: "retired", ModelStatus.UNLISTED: "unlisted", ModelStatus.UNKNOWN: "unknown"}
        counts = {word: sum(model.status is status for model in known) for status, word in words.items()}
        rest = "".join(f", {count} {word}" for word, count in counts.items() if count)
        here = sum(model.status is ModelStatus.AVAILABLE for model in known)
        yield f"{here} of {len(known)} RC2 models are offered under their own name{rest}: --models"
        yield f"Successors and prices are those of {found.read_on or 'an unknown day'}."
    if found.pillars and not depth.pillars:
        number = len(found.pillars)
        yield f"{number} model{'s' * (number > 1)} of roles or settings cannot be had as named: --pillars"
    for provider, problem in found.silent:
        if provider is Provider.LOCAL and not any(key.provider is Provider.LOCAL for key in found.keys):
            yield f"local: no daemon ({clean_line(problem)})"


def _draw_talk(out: Console, found: Findings, now: datetime, depth: Depth) -> None:
    from rich.text import Text

    deep = [f"{key.key}: {key.deep}." for key in found.keys if key.deep]
    notes = [*_shared(found), *_silence(found), *found.notes, *deep]
    lines, warnings = list(_counted(found, depth)), [*found.warnings, *(found.pillars if depth.pillars else ())]
    if lines or notes or warnings:
        out.print()
    for line in lines:
        out.print(Text(line))
    for note in notes:
        out.print(Text(f"Note: {clean_line(note)}"))
    for warning in warnings:
        out.print(Text(f"Warning: {clean_line(warning)}", style="yellow"))
    out.print()
    for key in found.present:
        if key.verdict is not Verdict.VALID:
            when = f" Back {until(key.proof.until, now)}." if key.proof.until is not None else ""
            out.print(Text(f"{key.key}: {clean_line(key.proof.next_step)}{when}"))
    if not found.present:
        out.print(Text("Store a secret where a key's `secret` points: lbk config show."))
        out.print(Text("To see it without one: lbk sandbox -- lbk test-keys"))
    out.print(Text(conclusion(found), style="bold green" if found.ok else "bold red"))


def _shared(found: Findings) -> Iterator[str]:
    for group in found.shared:
        names = f"{', '.join(group[:-1])} and {group[-1]}"
        yield f"{names} are one account: its limits are theirs together, so none helps when another is limited."


def _silence(found: Findings) -> Iterator[str]:
    for provider, problem in found.silent:
        if provider is not Provider.LOCAL:
            yield f"no list of models from {provider}: {problem}"
