"""The configuration: defaults, the user's file and the environment, checked, compiled and kept."""

from __future__ import annotations

from pathlib import Path

DEFAULTS = Path(__file__).parents[2] / "data" / "defaults.toml"
"""The shipped defaults."""
