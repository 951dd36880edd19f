"""The measurement of two things in turn (A B A B …).

Where the speed of a machine drifts, it drifts under both.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter


def paired(subject: Callable[[], object], yardstick: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    """Return the median seconds of each, and the median of the ratios pair by pair.

    One round before is not counted.
    """
    ours, theirs = [], []
    for number in range(rounds + 1):
        took = _timed(subject), _timed(yardstick)
        if number:
            ours.append(took[0])
            theirs.append(took[1])
    return median(ours), median(theirs), median(a / b for a, b in zip(ours, theirs, strict=True))


def _timed(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def line(name: str, ours: float, theirs: float, ratio: float, yardstick: str) -> None:
    """Print one result."""
    print(f"{name:<44} {_time(ours)}   {yardstick} {_time(theirs)}   ratio {ratio:.2f}")


def _time(seconds: float) -> str:
    return f"{seconds * 1000:8.2f} ms" if seconds >= 0.0005 else f"{seconds * 1_000_000:8.1f} µs"
