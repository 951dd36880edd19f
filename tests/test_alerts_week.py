"""A week of a pool on a virtual clock: cron looks every quarter of an hour, people call in between, one channel hears.

Cron has none of the secrets, and the callers have them. What is printed and what is sent is compared whole: nothing
comes twice, nothing is missing, and nothing comes that is not written here.
"""

from __future__ import annotations

import asyncio
import re
import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from lollmsbot_keys.commands.alerts import Alerting
from lollmsbot_keys.core.model.alert import Tone
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.edges.notifications.channels import Channels, Notification
from lollmsbot_keys.pool import KeyPool, question
from lollmsbot_keys.pool import Listener as Hearer
from lollmsbot_keys.runtime import Engine
from tests.lab import OLLAMA, OLLAMA_2, ROUTED, ROUTERS, SERVED, Lab, Listener, lab

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = timedelta(minutes=15)
R1, R2, R3 = ROUTERS


class Entry(NamedTuple):
    """Something that somebody was told at a time."""

    time: str
    lines: list[str]


def told(entries: Iterable[Entry]) -> str:
    """Entries as a text: the time, then each line, wrapped; forecasts are rough, for real seconds pass, too."""
    text = "".join(
        f"{entry.time}\n"
        + "".join(f"{textwrap.fill(line, 100, initial_indent='- ', subsequent_indent='  ')}\n" for line in entry.lines)
        for entry in entries
    )
    text = re.sub(r"\d+\.\d\d of 60 USD spent, \d+\.\d\d expected", "? of 60 USD spent, ? expected", text)
    return re.sub(r"(?<=at about \d{4}-\d\d-\d\d \d\d:)\d\d(?= \(Europe)", "??", text)


class Week:
    """The clock, the callers, cron, and a diary of all that anybody is told."""

    def __init__(self, here: Lab, channel: Listener, begin: datetime) -> None:
        self.here, self.channel, self.now = here, channel, begin
        self.cron: list[Entry] = []
        """What cron printed, whenever that changed: titles of what holds, and lines of what is over."""
        self.people: list[Entry] = []
        """What callers were noticed of."""
        self.sent: list[Entry] = []
        """The title of each message, and its lines."""
        bare = {name: here.env[name] for name in ("LBK_CONFIG", "LBK_STATE")}
        self._bare, self._own = Environment({**bare, "HOME": str(here.folder)}), Environment(here.env)

    def until(self, day: int, hour: int, minute: int = 0) -> None:
        """Let time pass to that moment of the month, or of the next one; cron looks at every quarter, then too."""
        end = datetime(2026, 11 + (day < 20), day, hour, minute, tzinfo=BERLIN)
        while (tick := self._next_quarter()) <= end:
            self.now = tick
            self._look()
        self.now = end

    def _next_quarter(self) -> datetime:
        return self.now + QUARTER - (self.now - datetime(2026, 1, 1, tzinfo=BERLIN)) % QUARTER

    def _look(self) -> None:
        alerting = Alerting(Engine.open(environment=self._bare, clock=lambda: self.now.astimezone(UTC), create=False))
        seen = alerting.look()
        lines = [*(alert.title for alert in seen.alerts), *(one.message for one in seen.resolved)]
        if lines != (self.cron[-1].lines if self.cron else []):
            self.cron.append(Entry(self._time, lines))
        alerting.tell()
        assert alerting.problems == ()
        self._gather()

    def call(self, key: str, usd: str = "", times: int = 1) -> None:
        """Somebody asks, so many times at this moment."""
        if usd:
            self.here.sandbox.add(f"{key}=over={usd}:{times}")
        asyncio.run(self._call(key, times))
        self._gather()

    async def _call(self, key: str, times: int) -> None:
        people, time = self.people, self._time

        class Person(Hearer):
            def notice(self, message: str) -> None:
                if "by the known price" not in message:
                    people.append(Entry(time, [message]))

        async with KeyPool(self._engine()) as pool:
            for _ in range(times):
                model = SERVED if "OLLAMA" in key else ROUTED
                await pool.answer(question("hello", {"model": model, "key": key}), Person())

    def mend(self, *keys: str) -> None:
        """Whatever was wrong with these keys is over, and somebody has them tried again."""
        self.here.sandbox.world.clear_faults()
        engine = self._engine()
        engine.state.update(engine.resetting(keys))

    def _engine(self) -> Engine:
        return Engine.open(environment=self._own, clock=lambda: self.now.astimezone(UTC))

    def _gather(self) -> None:
        for request in self.channel.heard:
            told = request.document
            self.sent.append(Entry(self._time, [told["title"], *told["message"].splitlines()[:-1]]))
        self.channel.heard.clear()

    @property
    def _time(self) -> str:
        return f"{self.now.astimezone(BERLIN):%a %d %H:%M}"


def warm_up(channel: Listener, folder: Path) -> None:
    """Load Apprise, for which nobody waits as long as a busy machine may need."""
    channels = Channels([f"json://127.0.0.1:{channel.port}/"], folder / "key", {})
    assert channels.send({channels.marks[0]: Notification("warm", "up", Tone.GOOD)}, timedelta(minutes=1)) == {
        channels.marks[0]: ""
    }
    channel.heard.clear()


def settings(channel: Listener) -> str:
    return f"""
timezone = "Europe/Berlin"
[routing]
default_model = "nobody-knows-its-price"
[alerts]
urls = ["json://127.0.0.1:{channel.port}/"]
[keys.{R3}]
enabled = false
"""


SENT = """
Thu 26 14:03
- lbk: openrouter: 75 % of the budget for 2026-11-26
- openrouter has spent 16 of 20 USD (80 %) of its budget for 2026-11-26. When all of it is spent,
  its calls are refused until midnight (Europe/Berlin). See: lbk costs
Thu 26 16:10
- lbk: openrouter: 100 % of the budget for 2026-11-26
- openrouter has used up its budget for 2026-11-26: 21 of 20 USD. Its calls are refused until
  midnight (Europe/Berlin), unless you raise providers.openrouter.daily_budget_usd.
Fri 27 00:00
- lbk: resolved: openrouter: 100 % of the budget for 2026-11-26
- resolved: openrouter: 100 % of the budget for 2026-11-26 (since 2026-11-26 13:03 UTC)
Fri 27 02:30
- lbk: openrouter: the budget for 2026-11-27 will not last
- openrouter will have used up its budget for 2026-11-27 at about 2026-11-27 06:?? (Europe/Berlin)
  at the recent pace: 5 of 20 USD spent, 80.25 expected. Slow down, or raise
  providers.openrouter.daily_budget_usd.
Fri 27 04:00
- lbk: resolved: openrouter: the budget for 2026-11-27 will not last
- resolved: openrouter: the budget for 2026-11-27 will not last (since 2026-11-27 01:30 UTC)
Sat 28 11:02
- lbk: OLLAMA_API_KEY_2: disabled
- OLLAMA_API_KEY_2 has been disabled since 2026-11-28 10:02 UTC: ollama refused its secret. Replace
  the secret, or try it again: lbk reset-limits OLLAMA_API_KEY_2
Sun 29 10:30
- lbk: resolved: OLLAMA_API_KEY_2: disabled
- resolved: OLLAMA_API_KEY_2: disabled (since 2026-11-28 10:02 UTC)
Mon 30 08:02
- lbk: OLLAMA_API_KEY: disabled
- OLLAMA_API_KEY has been disabled since 2026-11-30 07:02 UTC: ollama refused its secret. Replace
  the secret, or try it again: lbk reset-limits OLLAMA_API_KEY
Mon 30 08:02
- lbk: OLLAMA_API_KEY_2: disabled
- OLLAMA_API_KEY_2 has been disabled since 2026-11-30 07:02 UTC: ollama refused its secret. Replace
  the secret, or try it again: lbk reset-limits OLLAMA_API_KEY_2
Mon 30 08:02
- lbk: pool: only OPENROUTER_API_KEY_1 is left (and 1 more)
- Only OPENROUTER_API_KEY_1 is left of the 4 that could be used on 2026-11-29; OLLAMA_API_KEY
  (disabled), OLLAMA_API_KEY_2 (disabled), OPENROUTER_API_KEY_2 (disabled). If OPENROUTER_API_KEY_1
  fails too, no provider answers. See: lbk test-keys
- OPENROUTER_API_KEY_2 has been disabled since 2026-11-30 07:02 UTC: openrouter refused its secret.
  Replace the secret, or try it again: lbk reset-limits OPENROUTER_API_KEY_2
Mon 30 12:01
- lbk: openrouter: 75 % of the budget for 2026-11-30 (and 1 more)
- openrouter has spent 19.50 of 20 USD (97 %) of its budget for 2026-11-30. When all of it is spent,
  its calls are refused until midnight (Europe/Berlin). See: lbk costs
- openrouter has spent 47.50 of 60 USD (79 %) of its budget for 2026-11. When all of it is spent,
  its calls are refused until the end of 2026-11-30 (Europe/Berlin). See: lbk costs
Tue 01 00:00
- lbk: resolved: openrouter: 75 % of the budget for 2026-11-30 (and 1 more)
- resolved: openrouter: 75 % of the budget for 2026-11-30 (since 2026-11-30 11:01 UTC)
- resolved: openrouter: 75 % of the budget for 2026-11 (since 2026-11-30 11:01 UTC)
Tue 01 09:15
- lbk: resolved: OLLAMA_API_KEY: disabled (and 3 more)
- resolved: OLLAMA_API_KEY: disabled (since 2026-11-30 07:02 UTC)
- resolved: OLLAMA_API_KEY_2: disabled (since 2026-11-30 07:02 UTC)
- resolved: pool: only OPENROUTER_API_KEY_1 is left (since 2026-11-30 07:02 UTC)
- resolved: OPENROUTER_API_KEY_2: disabled (since 2026-11-30 07:02 UTC)
Wed 02 15:01
- lbk: openrouter: the budget for 2026-12 will not last (and 1 more)
- openrouter will have used up its budget for 2026-12 at about 2026-12-10 02:?? (Europe/Berlin) at
  the recent pace: ? of 60 USD spent, ? expected. Slow down, or raise
  providers.openrouter.monthly_budget_usd.
- OPENROUTER_API_KEY_1 was used far more than on its last days: 51 calls (the median of 6 days is 1,
  and up to 50 would be nothing unusual). If that is not your doing, replace its secret. See: lbk
  costs
Thu 03 00:00
- lbk: resolved: OPENROUTER_API_KEY_1: unusual use on 2026-12-02
- resolved: OPENROUTER_API_KEY_1: unusual use on 2026-12-02 (since 2026-12-02 14:01 UTC)
"""
CRON = """
Thu 26 14:15
- openrouter: 75 % of the budget for 2026-11-26
Thu 26 16:15
- openrouter: 100 % of the budget for 2026-11-26
Fri 27 00:00
- resolved: openrouter: 100 % of the budget for 2026-11-26 (since 2026-11-26 13:03 UTC)
Fri 27 00:15
Fri 27 02:30
- openrouter: the budget for 2026-11-27 will not last
Fri 27 04:00
- resolved: openrouter: the budget for 2026-11-27 will not last (since 2026-11-27 01:30 UTC)
Fri 27 04:15
Sat 28 11:15
- OLLAMA_API_KEY_2: disabled
Sun 29 10:30
- resolved: OLLAMA_API_KEY_2: disabled (since 2026-11-28 10:02 UTC)
Sun 29 10:45
Mon 30 08:15
- pool: only OPENROUTER_API_KEY_1 is left
- OLLAMA_API_KEY: disabled
- OLLAMA_API_KEY_2: disabled
- OPENROUTER_API_KEY_2: disabled
Mon 30 12:15
- pool: only OPENROUTER_API_KEY_1 is left
- OLLAMA_API_KEY: disabled
- OLLAMA_API_KEY_2: disabled
- OPENROUTER_API_KEY_2: disabled
- openrouter: 75 % of the budget for 2026-11-30
- openrouter: 75 % of the budget for 2026-11
Tue 01 00:00
- pool: only OPENROUTER_API_KEY_1 is left
- OLLAMA_API_KEY: disabled
- OLLAMA_API_KEY_2: disabled
- OPENROUTER_API_KEY_2: disabled
- resolved: openrouter: 75 % of the budget for 2026-11-30 (since 2026-11-30 11:01 UTC)
- resolved: openrouter: 75 % of the budget for 2026-11 (since 2026-11-30 11:01 UTC)
Tue 01 00:15
- pool: only OPENROUTER_API_KEY_1 is left
- OLLAMA_API_KEY: disabled
- OLLAMA_API_KEY_2: disabled
- OPENROUTER_API_KEY_2: disabled
Tue 01 09:15
- resolved: OLLAMA_API_KEY: disabled (since 2026-11-30 07:02 UTC)
- resolved: OLLAMA_API_KEY_2: disabled (since 2026-11-30 07:02 UTC)
- resolved: pool: only OPENROUTER_API_KEY_1 is left (since 2026-11-30 07:02 UTC)
- resolved: OPENROUTER_API_KEY_2: disabled (since 2026-11-30 07:02 UTC)
Tue 01 09:30
Wed 02 15:15
- openrouter: the budget for 2026-12 will not last
- OPENROUTER_API_KEY_1: unusual use on 2026-12-02
Thu 03 00:00
- openrouter: the budget for 2026-12 will not last
- resolved: OPENROUTER_API_KEY_1: unusual use on 2026-12-02 (since 2026-12-02 14:01 UTC)
Thu 03 00:15
- openrouter: the budget for 2026-12 will not last
"""
PEOPLE = """
Thu 26 14:03
- openrouter has spent 16 of 20 USD (80 %) of its budget for 2026-11-26. When all of it is spent,
  its calls are refused until midnight (Europe/Berlin). See: lbk costs
Thu 26 16:10
- openrouter has used up its budget for 2026-11-26: 21 of 20 USD. Its calls are refused until
  midnight (Europe/Berlin), unless you raise providers.openrouter.daily_budget_usd.
Sat 28 11:02
- OLLAMA_API_KEY_2 was refused by ollama and is disabled. Replace its secret, or try it again with:
  lbk reset-limits OLLAMA_API_KEY_2
Mon 30 08:02
- OLLAMA_API_KEY was refused by ollama and is disabled. Replace its secret, or try it again with:
  lbk reset-limits OLLAMA_API_KEY
Mon 30 08:02
- OLLAMA_API_KEY_2 was refused by ollama and is disabled. Replace its secret, or try it again with:
  lbk reset-limits OLLAMA_API_KEY_2
Mon 30 08:02
- OPENROUTER_API_KEY_2 was refused by openrouter and is disabled. Replace its secret, or try it
  again with: lbk reset-limits OPENROUTER_API_KEY_2
Mon 30 08:02
- Only OPENROUTER_API_KEY_1 is left of the 4 that could be used on 2026-11-29; OLLAMA_API_KEY
  (disabled), OLLAMA_API_KEY_2 (disabled), OPENROUTER_API_KEY_2 (disabled). If OPENROUTER_API_KEY_1
  fails too, no provider answers. See: lbk test-keys
Mon 30 12:01
- openrouter has spent 19.50 of 20 USD (97 %) of its budget for 2026-11-30. When all of it is spent,
  its calls are refused until midnight (Europe/Berlin). See: lbk costs
Mon 30 12:01
- openrouter has spent 47.50 of 60 USD (79 %) of its budget for 2026-11. When all of it is spent,
  its calls are refused until the end of 2026-11-30 (Europe/Berlin). See: lbk costs
Wed 02 15:01
- openrouter will have used up its budget for 2026-12 at about 2026-12-10 02:?? (Europe/Berlin) at
  the recent pace: ? of 60 USD spent, ? expected. Slow down, or raise
  providers.openrouter.monthly_budget_usd.
Wed 02 15:01
- OPENROUTER_API_KEY_1 was used far more than on its last days: 51 calls (the median of 6 days is 1,
  and up to 50 would be nothing unusual). If that is not your doing, replace its secret. See: lbk
  costs
"""


def test_a_week(tmp_path: Path) -> None:
    with Listener(lambda _: (200, {}, [])) as channel, lab(tmp_path, settings=settings(channel)) as here:
        text = here.config.read_text("utf-8")
        budgets = "[providers.openrouter]\nmonthly_budget_usd = 60"
        here.config.write_text(text.replace("[providers.openrouter]", budgets), "utf-8")
        warm_up(channel, tmp_path)
        week = Week(here, channel, datetime(2026, 11, 26, tzinfo=BERLIN))

        # Thursday: an expensive afternoon.
        week.until(26, 9, 1)
        for key, usd in ((OLLAMA, ""), (OLLAMA_2, ""), (R1, "3"), (R2, "1")):
            week.call(key, usd)
        week.until(26, 14, 3)
        week.call(R1, "12")
        week.until(26, 16, 10)
        week.call(R2, "5")

        # Friday: ten calls in the small hours, and then nothing.
        week.until(27, 2, 20)
        week.call(R1, "0.5", times=10)

        # Saturday: a key is revoked. It is replaced on Sunday.
        week.until(28, 11, 2)
        week.call(R1, "1")
        here.sandbox.add(f"{OLLAMA_2}@any=401")
        week.call(OLLAMA_2)
        week.until(29, 10, 20)
        week.mend(OLLAMA_2)
        week.call(R1, "1")
        week.call(OLLAMA_2)

        # Monday: one key after the other is lost, and what is left is expensive. Mended on Tuesday, in a new month.
        week.until(30, 8, 2)
        here.sandbox.add(*(f"{key}@any=401" for key in (OLLAMA, OLLAMA_2, R2)))
        for key in (OLLAMA, OLLAMA_2, R2):
            week.call(key)
        week.until(30, 12, 1)
        week.call(R1, "19.5")
        week.until(1, 9, 5)
        week.mend(OLLAMA, OLLAMA_2, R2)
        week.call(R1, "1")

        # Wednesday: somebody else has found the key.
        week.until(2, 15, 1)
        week.call(R1, "0.01", times=60)
        week.until(3, 0, 30)

    assert told(week.sent) == SENT.lstrip()
    assert told(week.cron) == CRON.lstrip()
    assert told(week.people) == PEOPLE.lstrip()
