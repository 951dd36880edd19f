"""The options that say what is asked for: the same of `lbk ask` and `lbk route`."""

from __future__ import annotations

from typing import Annotated

import typer

from lollmsbot_keys.core.catalogue import Privacy
from lollmsbot_keys.core.request import Priority

PillarOption = Annotated[
    str | None, typer.Option("--pillar", "-p", metavar="PILLAR", help="Who asks: soul, guardian, heartbeat, …")
]
RoleOption = Annotated[
    str | None, typer.Option("--role", metavar="ROLE", help="As what the pillar asks; its first role by default.")
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="MODEL", help="An Ollama name, or an OpenRouter id (with a slash)."),
]
PrivacyOption = Annotated[
    Privacy | None, typer.Option("--privacy", help="How far the prompt may travel; critical stays on this machine.")
]
FreeOption = Annotated[bool, typer.Option("--free", help="Free models only; never silently a paid one.")]
PriorityOption = Annotated[
    Priority, typer.Option("--priority", help="critical may use reserved keys, and goes first in the queue.")
]
KeyOption = Annotated[
    str | None, typer.Option("--key", metavar="NAME", help="This key only (local: the machine's own Ollama).")
]
