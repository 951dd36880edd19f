"""The document of `lbk metrics --json`."""

from __future__ import annotations

from collections.abc import Iterable

from lollmsbot_keys.core.model.metric_family import Family


def families_tree(families: Iterable[Family], pool: str) -> dict[str, object]:
    """Return every sample of `pool` under its family, with names and values as in the text."""
    return {"pool": pool, "families": [_family(family) for family in families]}


def _family(family: Family) -> dict[str, object]:
    return {
        "name": family.name,
        "type": family.kind,
        "help": family.help,
        "samples": [
            {"name": sample.name, "labels": dict(sample.labels), "value": sample.value} for sample in family.samples
        ],
    }
