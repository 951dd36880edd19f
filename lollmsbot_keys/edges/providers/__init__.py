"""The providers over HTTP: `Wire` is the only way to them, and the other names are its arguments and results.

This package loads asyncio and TLS: import it where a request is about to be sent, not before.
"""

from __future__ import annotations

from lollmsbot_keys.edges.providers.call import (
    Call,
    ChatMessage,
    KeyCheck,
    KeyVerdict,
    Locality,
    LocalityProof,
    ModelList,
)
from lollmsbot_keys.edges.providers.client import Wire

__all__ = ["Call", "ChatMessage", "KeyCheck", "KeyVerdict", "Locality", "LocalityProof", "ModelList", "Wire"]
