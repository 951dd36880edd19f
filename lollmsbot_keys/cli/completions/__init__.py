"""The source of the completion scripts: `python -m lollmsbot_keys.cli.completions` makes them from `cli.introspect`.

Commands, options and choices are fixed and stand in the scripts. For names of the configuration the scripts ask
`lbk __complete`. Each script is written in its shell's own manner, and all of them survive odd settings, offer
nothing that cannot come next, and never let a shell run what they offer.
"""

from __future__ import annotations
