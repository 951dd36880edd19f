"""The whole process of `lbk costs` on a ledger with a year of days, beside one without any.

Every day of the year has as many combinations of key, model and pillar as a day can have (200).
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from random import Random

from pairs import line, paired
from world import config

from lollmsbot_keys.core.model.config import Config
from lollmsbot_keys.core.model.snapshot import LATENCY_BOUNDS_MS, Cell, CellKey, Day, Snapshot
from lollmsbot_keys.core.money.ledger import MOST_CELLS, close_days
from lollmsbot_keys.edges.state.codec import encode
from lollmsbot_keys.edges.state.history import History

ROUNDS = 15
DAYS = 400
COMMANDS = (
    (),
    ("--json",),
    ("--alert",),
    ("--month", "--json"),
    ("--month", "--by", "model", "--json"),
    *(("--since", "YEAR", "--by", by, "--json") for by in ("key", "day", "model", "pillar")),
    ("--since", "YEAR", "--by", "day"),
)


def main() -> None:
    root = Path(__file__).parent.parent
    compileall.compile_dir(root / "lollmsbot_keys", quiet=1)
    today = datetime.now(UTC).date()
    with tempfile.TemporaryDirectory() as folder:
        full, empty = Path(folder, "full"), Path(folder, "empty")
        _write(full, today, DAYS)
        _write(empty, today, 0)
        size = sum(file.stat().st_size for file in (full / "history").iterdir())
        print(f"{DAYS} days of {MOST_CELLS} combinations: {size / 1e6:.1f} MB of history")
        year = str(today - timedelta(days=364))
        for command in COMMANDS:
            arguments = [year if word == "YEAR" else word for word in command]
            took = paired(lambda: _run(root, full, arguments), lambda: _run(root, empty, arguments), ROUNDS)  # noqa: B023
            line(" ".join(["lbk costs", *command]), *took, "empty ledger")


def _run(root: Path, folder: Path, arguments: list[str]) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env |= {"HOME": str(folder), "LBK_STATE": str(folder / "state.json"), "PYTHONPATH": str(root)}
    env |= dict.fromkeys(("OLLAMA_API_KEY", "OPENROUTER_API_KEY_1"), "made-up-for-the-benchmark")
    argv = [sys.executable, "-m", "lollmsbot_keys", "costs", *arguments]
    done = subprocess.run(argv, env=env, stdout=subprocess.DEVNULL, check=False)
    assert done.returncode in {0, 1}


def _write(folder: Path, today: date, days: int) -> None:
    """Write a state and its history, as so many days of use leave them, today among them."""
    folder.mkdir()
    configured, chance, snapshot = config(), Random(1), Snapshot()  # noqa: S311 - figures to add up
    for number in range(days - 1, -1, -1):
        day = Day.of(f"{number:016x}", _cells(configured, chance))
        snapshot, closed = close_days(snapshot, today - timedelta(days=number))
        History(folder / "history", print).store(closed)
        snapshot = snapshot._replace(days={today - timedelta(days=number): day})
    (folder / "state.json").write_bytes(encode(snapshot))


def _cells(configured: Config, chance: Random) -> dict[CellKey, Cell]:
    places = [
        CellKey(key.provider, key.name, model, pillar)
        for key, model, pillar in product(configured.keys, configured.models, ["", *configured.pillars])
    ]
    return {place: _cell(chance) for place in chance.sample(places, MOST_CELLS)}


def _cell(chance: Random) -> Cell:
    calls, cost = chance.randint(1, 99), Decimal(chance.randint(1, 90_000)).scaleb(-6)
    latencies = (calls, *(0,) * len(LATENCY_BOUNDS_MS))
    tokens = chance.randint(100, 99_999), chance.randint(100, 9_999)
    return Cell(calls, 1, 1, *tokens, cost, cost, Decimal(0), Decimal(0), 900 * calls, latencies)


if __name__ == "__main__":
    main()
