"""How many examples a law is tried on: a seventh of its usual number every day, all of it where time is no matter."""

from __future__ import annotations

from hypothesis import settings

PROFILES = {"everyday": 15, "thorough": 100}
"""In percent. `--hypothesis-profile=thorough` is what `.ci/run` adds for the laws."""


def examples(usual: int) -> int:
    """So many examples, in the profile at hand, of a law that is usually tried on `usual`."""
    return max(10, usual * settings().max_examples // 100)
