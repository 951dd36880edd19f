"""The CPU time of a routing decision in microseconds, with a new state and after many calls.

It must not grow with the calls.
"""

from __future__ import annotations

from time import process_time

from world import NOON, config, facts, lived_in

from lollmsbot_keys.core.model.config import Config
from lollmsbot_keys.core.model.request import Facts, Request
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.routing.route import route
from lollmsbot_keys.edges.state.codec import encode

ROUNDS = 2_000


def main() -> None:
    configured = config()
    known = facts(configured)
    requests = {
        "general inference": Request(prompt_tokens=2_000),
        "pillar soul": Request(pillar="soul", prompt_tokens=2_000),
    }
    for calls in (0, 500, 5_000):
        snapshot = lived_in(configured, calls) if calls else Snapshot()
        size = len(encode(snapshot))
        for name, request in requests.items():
            best = min(_timed(request, configured, snapshot, known) for _ in range(5))
            candidates = len(route(request, configured, snapshot, known, NOON).candidates)
            after = f"after {calls} calls ({size} bytes of state)"
            print(f"{name:<20} {best:6.1f} µs for {candidates} candidates {after}")


def _timed(request: Request, configured: Config, snapshot: Snapshot, known: Facts) -> float:
    began = process_time()
    for _ in range(ROUNDS):
        route(request, configured, snapshot, known, NOON)
    return (process_time() - began) / ROUNDS * 1_000_000


if __name__ == "__main__":
    main()
