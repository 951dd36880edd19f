"""The command line.

`main` loads as little as it can before it knows what to do.
"""

from __future__ import annotations


def main() -> None:
    """Run `lbk` with the process's arguments, and exit."""
    try:
        import gc
        import sys

        # Modules and what they define are no garbage; looking for some took 7 % of the time to start.
        gc.set_threshold(50_000, 20, 20)

        from lollmsbot_keys.cli.exit import ending, keep_interrupts, mend_streams

        keep_interrupts()
        mend_streams()
        code = ending(lambda: _run(sys.argv[1:]))
        gc.freeze()  # nor are they at the end, where the interpreter looks once more: 10 % of `lbk route -q`
    except KeyboardInterrupt:  # before or after everything; else `ending` sees to it
        raise SystemExit(130) from None
    raise SystemExit(code)


def _run(arguments: list[str]) -> object:
    if arguments[:1] == ["__complete"]:
        from lollmsbot_keys.cli.completions.answers import answers

        return answers(arguments[1:])
    from lollmsbot_keys.cli import fast_path

    call = fast_path.read(arguments)
    if call is not None:
        return fast_path.call(*call)
    from lollmsbot_keys.cli import app

    return app.main(arguments)
