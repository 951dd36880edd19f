"""The command line. `main` loads as little as it can before it knows what to do."""

from __future__ import annotations


def main() -> None:
    """Run `lbk` with the process's arguments, and exit."""
    try:
        import gc
        import sys

        # Modules and what they define are no garbage; looking for some took 7 % of the time to start.
        gc.set_threshold(50_000, 20, 20)

        from lollmsbot_keys.cli.app import build
        from lollmsbot_keys.cli.boundary import mend_streams

        mend_streams()
        build(sys.argv[1:])(prog_name="lbk")
    except KeyboardInterrupt:  # before or after a command; within one, `boundary` sees to it
        raise SystemExit(130) from None
