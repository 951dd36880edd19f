"""The version, for those who must not load the package's front door."""

from __future__ import annotations

__version__ = "0.1.0"
