"""The command line. `main` loads as little as it can before it knows what to do."""

from __future__ import annotations


def main() -> None:
    """Run `lbk` with the process's arguments, and exit."""
    try:
        from lollmsbot_keys.cli.app import app
        from lollmsbot_keys.cli.boundary import mend_streams

        mend_streams()
        app(prog_name="lbk")
    except KeyboardInterrupt:  # before or after a command; within one, `boundary` sees to it
        raise SystemExit(130) from None
