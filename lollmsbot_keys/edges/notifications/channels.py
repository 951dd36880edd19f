"""Messages to people's channels: mail, chat, push, webhooks, by whatever Apprise knows.

A channel's URL holds credentials. It is in no output, log, state, error or argument: a channel is called by its place
in `alerts.urls` and its service's name, and known in the state by a keyed hash. A process of its own
(`apprise_process`) sends the messages: it gets the URLs through a pipe and is ended when the caller's time is over.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import assert_never

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.alert import Tone
from lollmsbot_keys.edges.notifications.apprise_process import MISSING
from lollmsbot_keys.edges.secrets.fingerprint import fingerprint, installation_key

_NO_APPRISE = 'Apprise is not installed. Run: pip install "lollmsbot-keys[alerts]"'
# Isolated (-I), then with our own path: what lies in the current folder is not imported, what we can import is found.
_COURIER = (
    "import json, sys; job = json.loads(sys.stdin.readline()); sys.path[:] = job['path']; "
    "from lollmsbot_keys.edges.notifications.apprise_process import run; run(job['messages'])"
)


class Notification(NamedTuple):
    """The message for one channel; `tone` chooses the colour, where a service has colours."""

    title: str
    body: str
    tone: Tone


class Channels:
    """The channels of one configuration.

    `environ` is the whole environment of the process that sends.

    Raises:
        StateError: the fingerprint key at `key_path` cannot be used, so that channels could not be told apart.
    """

    __slots__ = ("_environ", "_urls")

    def __init__(self, urls: Sequence[str], key_path: Path, environ: Mapping[str, str]) -> None:
        self._environ = environ
        key = installation_key(key_path, create=True) if urls else None
        self._urls = {fingerprint(url, key): (place, url) for place, url in enumerate(urls, 1)}

    def __repr__(self) -> str:
        return f"<{len(self._urls)} channels>"

    @property
    def marks(self) -> tuple[str, ...]:
        """The names of the channels in the state."""
        return tuple(self._urls)

    def send(self, messages: Mapping[str, Notification], patience: timedelta) -> dict[str, str]:
        """Send each channel (by its mark) its message, all at once, and return the problems by mark.

        "" is no problem. Whatever a service does, this is over after `patience`: a channel that has not taken its
        message by then has failed.
        """
        if not messages:
            return {}
        outcome = dict.fromkeys(messages, f"no answer within {patience.total_seconds():g} s")
        try:
            outcome |= _sent(self._job(messages), self._environ, patience)
        except OSError as error:
            outcome |= dict.fromkeys(messages, f"no process for it can be started: {error.strerror}")
        return {mark: self._told(mark, problem) for mark, problem in outcome.items() if mark in messages}

    def _job(self, messages: Mapping[str, Notification]) -> bytes:
        letters = [
            {"mark": mark, "url": self._urls[mark][1], "title": one.title, "body": one.body, "kind": _kind(one.tone)}
            for mark, one in messages.items()
        ]
        return json.dumps({"path": sys.path, "messages": letters}).encode() + b"\n"

    def _told(self, mark: str, problem: str) -> str:
        place, url = self._urls[mark]
        service = url.partition(":")[0].lower()
        words = _NO_APPRISE if problem == MISSING else problem
        return f"alerts.urls entry {place} ({service}) was not reached: {words}" if problem else ""


def _sent(job: bytes, environ: Mapping[str, str], patience: timedelta) -> dict[str, str]:
    """Return the result of each message, as far as it was known in time."""
    # A session of its own: Ctrl-C is for us, and the courier ends with us whatever ends us, for its input ends then.
    with subprocess.Popen(  # noqa: S603 - our own Python, our own program
        [sys.executable or "", "-I", "-c", _COURIER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environ),
        start_new_session=True,
    ) as courier:
        reports: list[bytes] = []
        listener = threading.Thread(target=_listen, args=(courier, job, reports), daemon=True)
        try:
            listener.start()
            listener.join(patience.total_seconds())
        finally:
            courier.kill()
            listener.join()
    return dict(json.loads(report) for report in reports if report.endswith(b"\n"))


def _listen(courier: subprocess.Popen[bytes], job: bytes, reports: list[bytes]) -> None:
    if courier.stdin is None or courier.stdout is None:
        return
    try:
        courier.stdin.write(job)
        courier.stdin.flush()
        for report in courier.stdout:
            reports.append(report)  # noqa: PERF402 - as they come: the process may be ended in between
    except (OSError, ValueError):
        return


def _kind(tone: Tone) -> str:
    """Return Apprise's name for a tone."""
    match tone:
        case Tone.GRAVE:
            return "failure"
        case Tone.WARNING:
            return "warning"
        case Tone.GOOD:
            return "success"
        case _:
            assert_never(tone)
