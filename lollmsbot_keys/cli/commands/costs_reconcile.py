"""`lbk costs --reconcile`."""

from __future__ import annotations

from decimal import Decimal

from lollmsbot_keys.cli.exit import say
from lollmsbot_keys.cli.paths import FilePaths
from lollmsbot_keys.cli.status_line import StatusLine
from lollmsbot_keys.core.base.numbers import number
from lollmsbot_keys.core.model.period import Window
from lollmsbot_keys.errors import Exit, UsageError


def reconcile(where: FilePaths, tolerance: str | None, *, month: bool, json: bool) -> Exit:
    """Compare both ledgers, and print the result.

    Exit code 1: a difference remains that nothing explains; 5: nobody could be asked.
    """
    from lollmsbot_keys.commands.reconcile import TOLERANCE_USD, Reconciling

    least = TOLERANCE_USD if tolerance is None else amount("--tolerance", tolerance)
    work = Reconciling(where.config, where.state, Window.MONTH if month else Window.DAY, least)
    status = StatusLine(work.output_style)
    status.show("lbk: asking the providers what they have charged …")
    try:
        found = work.run()
    finally:
        status.wipe()
        for warning in work.warnings:
            say(warning)
    if json:
        from lollmsbot_keys.render.json_documents import document
        from lollmsbot_keys.render.reconcile import reconciliation_tree

        print(document(reconciliation_tree(found)))
    elif found.comparisons:
        from lollmsbot_keys.render.reconcile import draw_reconciliation

        draw_reconciliation(found, work.output_style)
    if not found.compared:
        from lollmsbot_keys.render.reconcile import nobody

        if not json:
            say(nobody(found))
        return Exit.FAILED
    return Exit.NO if found.unexplained else Exit.DONE


def amount(option: str, text: str) -> Decimal:
    """Read the text of `option` as an amount in dollars.

    Raises:
        UsageError: it is no amount.
    """
    found = number(text)
    if found is None or found < 0:
        raise UsageError(f"{option} {text!r} is no amount in dollars. Write it like 0.05.")
    return found
