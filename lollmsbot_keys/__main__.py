"""`python -m lollmsbot_keys` is `lbk`."""

from __future__ import annotations

from lollmsbot_keys.cli import main

main()
