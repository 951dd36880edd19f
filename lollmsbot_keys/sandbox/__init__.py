"""Loopback providers that behave like the real ones, with faults on request.

    with Sandbox(faults=["OLLAMA_API_KEY=429:1"]) as sandbox:
        environment = sandbox.environment(tmp_path)
        subprocess.run(["lbk", "ask", "Hello"], env=environment)
        assert len(sandbox.chats("OLLAMA_API_KEY")) == 1

Names are loaded when they are first used: a shell that completes a fault needs no server.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lollmsbot_keys.sandbox.dispatch import RecordedRequest, SandboxPort
    from lollmsbot_keys.sandbox.fault_kinds import FaultScope
    from lollmsbot_keys.sandbox.fault_schedule import Fault
    from lollmsbot_keys.sandbox.server import Sandbox

__all__ = ["Fault", "FaultScope", "RecordedRequest", "Sandbox", "SandboxPort"]

_HOMES = {
    "Fault": "fault_schedule",
    "SandboxPort": "dispatch",
    "RecordedRequest": "dispatch",
    "Sandbox": "server",
    "FaultScope": "fault_kinds",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
