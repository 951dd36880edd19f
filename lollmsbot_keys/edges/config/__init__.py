"""Reading the configuration: defaults, the user's file, the environment; checked, compiled and kept."""

from __future__ import annotations
