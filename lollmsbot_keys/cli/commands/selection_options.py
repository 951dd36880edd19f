"""The options that say what is asked for, which `lbk ask` and `lbk route` share."""

from __future__ import annotations

from typing import Annotated

import typer

from lollmsbot_keys.cli.options import SELECTION
from lollmsbot_keys.core.model.config import Privacy
from lollmsbot_keys.core.model.request import Priority

PillarOption = Annotated[
    str | None,
    typer.Option(
        "--pillar", "-p", metavar="PILLAR", help="Who asks, such as soul or guardian.", rich_help_panel=SELECTION
    ),
]
RoleOption = Annotated[
    str | None,
    typer.Option(
        "--role",
        metavar="ROLE",
        help="As what the pillar asks; its first role by default.",
        rich_help_panel=SELECTION,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="An Ollama name, or an OpenRouter id (with a slash).",
        rich_help_panel=SELECTION,
    ),
]
PrivacyOption = Annotated[
    Privacy | None,
    typer.Option(
        "--privacy",
        metavar="LEVEL",
        help="How far the prompt may travel; critical stays on this machine.",
        rich_help_panel=SELECTION,
    ),
]
FreeOption = Annotated[
    bool, typer.Option("--free", help="Free models only; never silently a paid one.", rich_help_panel=SELECTION)
]
PriorityOption = Annotated[
    Priority,
    typer.Option(
        "--priority",
        metavar="PRIORITY",
        help="critical may use reserved keys, and goes first in the queue.",
        rich_help_panel=SELECTION,
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="NAME",
        help="This key only (local: the machine's own Ollama).",
        rich_help_panel=SELECTION,
    ),
]
