"""Secrets: their sources, the type that holds them, and the code that keeps them out of all text.

Only this package and the ``Authorization`` header ever see a secret's characters.
"""

from __future__ import annotations

from lollmsbot_keys.edges.secrets.fingerprint import fingerprint, installation_key
from lollmsbot_keys.edges.secrets.scrubber import Scrubber, StreamScrubber
from lollmsbot_keys.edges.secrets.secret import Secret, fault_of
from lollmsbot_keys.edges.secrets.store import Secrets

__all__ = ["Scrubber", "Secret", "Secrets", "StreamScrubber", "fault_of", "fingerprint", "installation_key"]
