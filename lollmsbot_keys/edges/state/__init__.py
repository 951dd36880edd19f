"""The shared state on disk, its history, and the processes around it."""

from __future__ import annotations
