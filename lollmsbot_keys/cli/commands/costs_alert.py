"""The output of `lbk costs --alert`: lines on standard output first, whatever becomes of the channels after that."""

from __future__ import annotations

import sys

from lollmsbot_keys.cli.exit import say
from lollmsbot_keys.cli.paths import FilePaths
from lollmsbot_keys.commands.alerts import Alerting, Watch
from lollmsbot_keys.errors import Exit


def alert(where: FilePaths, *, json: bool) -> Exit:
    """Print what holds and what is over, tell the channels, and return the exit code."""
    alerting = Alerting.open(where.config, where.state)
    seen, printed = alerting.look(), False
    try:
        _print(alerting, seen, json=json)
        sys.stdout.flush()  # what hangs, or kills us, while channels are told must not swallow it
        printed = True
    finally:  # where nobody reads what is printed, channels are told all the same
        alerting.tell(printed=printed)
        for problem in alerting.problems:
            say(problem)
    return Exit.NO if seen.alerts else Exit.DONE


def _print(alerting: Alerting, seen: Watch, *, json: bool) -> None:
    if json:
        from lollmsbot_keys.render.alerts import alert_trees, ended_trees
        from lollmsbot_keys.render.costs.json import statement_tree
        from lollmsbot_keys.render.json_documents import document

        tree = statement_tree(alerting.statement())
        print(document({**tree, "alerts": alert_trees(seen.alerts), "resolved": ended_trees(seen.resolved)}))
    elif seen.alerts or seen.resolved:
        from lollmsbot_keys.render.alerts import alert_lines

        print("\n".join(alert_lines(seen.alerts, seen.resolved)))
