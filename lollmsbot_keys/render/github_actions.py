"""The messages to GitHub's runner: secrets to hide, annotations, and the Markdown of the step's summary.

Escapes are those of actions/toolkit, and what the runner undoes (ActionCommand.cs of actions/runner).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from lollmsbot_keys.core.model.findings import Findings, KeyFinding, ModelFinding, ModelStatus, Verdict
from lollmsbot_keys.core.security.sanitize import clean_line
from lollmsbot_keys.render.test_keys.allowances import still
from lollmsbot_keys.render.test_keys.page import conclusion

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~@:$-])")


def mask(secret: str) -> str:
    """Return the command that hides `secret` in everything printed after it.

    It is for a runner only: it holds the secret itself.
    """
    return f"::add-mask::{_data(secret)}"


def commands(found: Findings) -> Iterator[str]:
    """Yield an error for each key that fails the test, and a warning for each other problem."""
    for key in found.failing:
        words = f"{key.key} is {key.verdict}: {key.proof.reason}. {key.proof.next_step}"
        yield f"::error title={_property(f'{key.key}: {key.verdict.words}')}::{_data(clean_line(words))}"
    if not found.present:
        yield "::error title=No key::No key that was tested has a secret."
    for key in found.present:
        if key not in found.failing and key.verdict is not Verdict.VALID:
            title = _property(f"{key.key}: {key.verdict.words}")
            yield f"::warning title={title}::{_data(clean_line(key.proof.reason))}"
    for warning in (*found.warnings, *found.pillars):
        yield f"::warning title=lbk test-keys::{_data(clean_line(warning))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(found: Findings, now: datetime) -> str:
    """Return the findings as Markdown, to be appended to the step's summary."""
    lines = [
        f"### {'✅' if found.ok else '❌'} {_cell(conclusion(found))}",
        "",
        "| key | verdict | may still do, or why not | latency |",
        "| --- | --- | --- | ---: |",
        *(_key_row(key, now) for key in found.keys),
        "",
    ]
    if found.models:
        available = sum(model.status is ModelStatus.AVAILABLE for model in found.models)
        lines += [
            f"<details><summary>{available} of {len(found.models)} models are offered under their own name</summary>",
            "",
            "| model | status | available on | instead |",
            "| --- | --- | --- | --- |",
            *(_model_row(model) for model in found.models),
            "",
            "</details>",
            "",
        ]
    lines += [f"- ⚠️ {_cell(warning)}" for warning in (*found.warnings, *found.pillars)]
    return "\n".join(lines) + "\n\n"


def _key_row(key: KeyFinding, now: datetime) -> str:
    what = still(key.proof, now) if key.verdict is Verdict.VALID else key.proof.reason
    latency = f"{key.latency_ms} ms" if key.latency_ms is not None else ""
    return f"| {_cell(key.key)} | {_cell(key.verdict.words)} | {_cell(what)} | {latency} |"


def _model_row(model: ModelFinding) -> str:
    where = ", ".join(model.available_on) or "–"
    instead = ", ".join(name for name in (model.successor, model.stand_in, model.equivalent) if name) or "–"
    return f"| {_cell(model.name)} | {model.status} | {_cell(where)} | {_cell(instead)} |"


def _cell(text: str) -> str:
    """Escape text, so that it is no markup, no link and no mention."""
    plain = clean_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(lambda match: f"\\{match[0]}", plain)
