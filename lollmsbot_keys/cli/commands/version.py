"""`lbk --version`."""

from __future__ import annotations


def version() -> None:
    """Print the version."""
    from lollmsbot_keys._version import __version__

    print(f"lbk {__version__}")
