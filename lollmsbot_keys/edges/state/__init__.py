"""The shared state on disk, its history, and the locks and processes around it."""

from __future__ import annotations
