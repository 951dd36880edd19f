"""A pool of LLM keys that keeps itself healthy: failover, limits, privacy and budgets, shared by every process."""

from __future__ import annotations

__version__ = "0.1.0"
