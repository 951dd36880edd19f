"""The completion scripts are made here, of `cli.introspect`: `python -m lollmsbot_keys.cli.completions`.

What is fixed (commands, options, choices) stands in the scripts; names of the configuration they ask of
`lbk __complete`. Each script is written in its shell's own manner, and all of them survive odd settings, offer
nothing that cannot come next, and never let a shell run what they offer.
"""

from __future__ import annotations
