"""Loopback providers that behave like the real ones, with faults on request.

with Sandbox(faults=["OLLAMA_API_KEY=429:1"]) as sandbox:
    environment = sandbox.environment(tmp_path)
    subprocess.run(["lbk", "ask", "Hello"], env=environment)
    assert len(sandbox.chats("OLLAMA_API_KEY")) == 1
"""

from __future__ import annotations

from lollmsbot_keys.sandbox.faults import Fault, Where
from lollmsbot_keys.sandbox.server import Sandbox
from lollmsbot_keys.sandbox.world import Place, RecordedRequest

__all__ = ["Fault", "Place", "RecordedRequest", "Sandbox", "Where"]
