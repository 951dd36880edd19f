"""The command line. `main` loads as little as it can before it knows what to do."""

from __future__ import annotations


def main() -> None:
    """Run `lbk` with the process's arguments, and exit."""
    try:
        import sys

        from lollmsbot_keys.cli.app import build
        from lollmsbot_keys.cli.boundary import mend_streams

        mend_streams()
        build(sys.argv[1:])(prog_name="lbk")
    except KeyboardInterrupt:  # before or after a command; within one, `boundary` sees to it
        raise SystemExit(130) from None
