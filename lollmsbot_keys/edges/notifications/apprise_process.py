"""The process that hands messages to Apprise, and may be ended at any moment.

Apprise and the libraries under it log addresses and tokens, print, warn, wait for as long as a URL says, and leave
threads behind that Python waits for at its end. Here all of that disturbs nobody: nothing is logged, output goes
nowhere, and the process that started this one ends it when the time is over. If that process has died, this one ends by
itself.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase

MISSING = "missing"
"""The report for every message where Apprise is not installed."""

_REPORTING = threading.Lock()
_STATUS: ContextVar[list[str]] = ContextVar("status")
"""The HTTP statuses of the present delivery, which Apprise's threads inherit."""


def run(messages: Sequence[Mapping[str, str]]) -> None:
    """Deliver every message, and report each as a line of JSON.

    The line has its `mark`, and what went wrong ("" is nothing).
    """
    reports = _take_output()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        import apprise  # noqa: F401 - or one of the libraries that it needs
    except ImportError:
        _report(reports, *((message["mark"], MISSING) for message in messages))
        os._exit(0)
    logging.root.addHandler(_Statuses())
    threads = [
        threading.Thread(target=_deliver, args=(message, _service(message["url"]), reports)) for message in messages
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(0)  # without waiting for what Apprise has left behind


def _take_output() -> TextIO:
    """Keep standard output for reports; all other output and error output goes nowhere."""
    reports = os.fdopen(os.dup(1), "w", encoding="ascii")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return reports


def _end_with_parent() -> None:
    """End this process when its parent has ended.

    Then the other end of standard input is closed.
    """
    sys.stdin.read()
    os._exit(1)


def _report(reports: TextIO, *outcomes: tuple[str, str]) -> None:
    with _REPORTING:
        reports.writelines(json.dumps(outcome) + "\n" for outcome in outcomes)
        reports.flush()


def _service(url: str) -> NotifyBase | None:
    from apprise import Apprise

    return Apprise.instantiate(url, asset=_asset())


def _asset() -> AppriseAsset:
    """Return the name under which services show lbk: no pictures from elsewhere, and nothing kept on disk."""
    from apprise import AppriseAsset

    asset = AppriseAsset(storage_mode="memory")
    asset.app_id, asset.app_desc = "lbk", "lbk: a pool of LLM keys"
    asset.image_url_mask = asset.image_url_logo = ""
    asset.async_mode = False
    # A message that follows a 301, 302 or 303 arrives as a GET without words, and counts as sent.
    asset.http_redirects = False
    return asset


def _deliver(message: Mapping[str, str], service: NotifyBase | None, reports: TextIO) -> None:
    seen = list[str]()
    _STATUS.set(seen)
    try:
        problem = _problem(message, service, seen)
    except Exception as error:  # noqa: BLE001 - services raise what they like; its words may hold the URL
        problem = type(error).__name__
    _report(reports, (message["mark"], problem))


def _problem(message: Mapping[str, str], service: NotifyBase | None, seen: Sequence[str]) -> str:
    from apprise import Apprise

    if service is None:
        return "Apprise knows no such URL: github.com/caronc/apprise tells how they are written"
    apprise = Apprise(asset=_asset())
    apprise.add(service)
    if apprise.notify(message["body"], title=message["title"], notify_type=message["kind"], body_format="text"):
        return ""
    return f"it answered {seen[-1]}" if seen else "it did not take the message"


class _Statuses(logging.Handler):
    """A log handler that takes the HTTP status of a refusal from Apprise's log, and nothing else."""

    def emit(self, record: logging.LogRecord) -> None:
        found = re.search(r"\berror=([1-5]\d\d)\b", record.getMessage())
        if found is not None:
            _STATUS.get([]).append(found[1])
