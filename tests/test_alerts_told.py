"""Each channel hears of each alert once: in its window, however often and by however many it is looked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lollmsbot_keys.core.model.alert import STANDARD_OUTPUT, Alert, AlertKind, AlertsDelivered, Letter, Telling, Watched
from lollmsbot_keys.core.model.lease import Lease, Owner
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.state import alert_delivery
from lollmsbot_keys.core.state.events import record
from lollmsbot_keys.core.state.expiry import upkeep
from tests.examples import examples
from tests.strategies import DAY, HOUR, LONGEST, ME, MINUTE, NOW, OTHER, TODAY, snapshots

CHANNELS = ("mail", "chat")


def alert(name: str = "budget", window: str = "2026-11-23", level: int = 75, covers: Sequence[str] = ()) -> Alert:
    return Alert(AlertKind.BUDGET, name, f"title of {name} at {level}", "message", window, level, covers=tuple(covers))


LASTING = alert("disabled", window="", level=0)


class Diary:
    """One state, looked at by anybody at any time; `heard` is what reached whom."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self.heard: list[Letter] = []

    def look(
        self,
        *held: Alert,
        at: datetime = NOW,
        owner: Owner = ME,
        channels: Sequence[str] = CHANNELS,
        ends: bool = True,
        works: Callable[[Letter], bool] = lambda _: True,
        survives: bool = True,
    ) -> list[Letter]:
        """Look, tell, and note; who does not survive has told and not noted. The letters that were taken on."""
        lease, letters = self.begin(*held, at=at, owner=owner, channels=channels, ends=ends)
        arrived = tuple(filter(works, letters))
        self.heard += arrived
        if survives:
            self.snapshot = record(self.snapshot, AlertsDelivered(arrived, lease), at)
        return letters

    def begin(
        self,
        *held: Alert,
        at: datetime = NOW,
        owner: Owner = ME,
        channels: Sequence[str] = CHANNELS,
        ends: bool = True,
    ) -> tuple[Lease, list[Letter]]:
        """Only take it on."""
        lease = Lease(owner, at + MINUTE)
        self.snapshot = record(self.snapshot, Watched(held, frozenset(), tuple(channels), at.date(), ends), at)
        letters = [
            letter
            for letter in alert_delivery.owed(self.snapshot, channels, at)
            if ends or letter.channel != STANDARD_OUTPUT
        ]
        self.snapshot = record(self.snapshot, Telling(frozenset(letter.name for letter in letters), lease), at)
        return lease, letters

    def news(self) -> list[tuple[str, str, int | str]]:
        """What was heard since this was asked last: by whom, of what, at which level, or that it is over."""
        heard, self.heard = self.heard, []
        return sorted(((one.channel, one.name, "over" if one.over else one.level) for one in heard), key=str)


@pytest.fixture
def diary() -> Diary:
    return Diary()


def test_once_however_often_it_is_looked_for(diary: Diary) -> None:
    diary.look(alert())
    assert diary.news() == [("chat", "budget", 75), ("mail", "budget", 75)]
    for minutes in range(15, 120, 15):
        before = diary.snapshot
        assert diary.look(alert(), at=NOW + minutes * MINUTE) == []
        assert diary.snapshot is before, "nothing to write"


def test_more_of_it_is_news_and_less_of_it_is_not(diary: Diary) -> None:
    diary.look(alert())
    diary.news()
    diary.look(alert(level=100))
    assert diary.news() == [("chat", "budget", 100), ("mail", "budget", 100)]
    assert diary.look(alert(level=75)) == []
    assert diary.look(alert(level=100)) == []


def test_a_new_window_is_news_and_the_old_one_did_not_end(diary: Diary) -> None:
    diary.look(alert())
    diary.news()
    diary.look(alert(window="2026-11-24"), at=NOW + DAY)
    assert diary.news() == [("chat", "budget", 75), ("mail", "budget", 75)]
    assert diary.look(alert(window="2026-11-23"), at=NOW) == [], "a clock that steps back begins no window"


def test_the_end_is_printed_once_and_sent_once(diary: Diary) -> None:
    diary.look(alert())
    diary.news()
    diary.look(at=NOW + HOUR)
    assert diary.news() == [("", "budget", "over"), ("chat", "budget", "over"), ("mail", "budget", "over")]
    assert diary.look(at=NOW + 2 * HOUR) == []
    assert diary.look(at=NOW + 2 * DAY) == []
    assert diary.snapshot.alerts == {}, "and then it is forgotten"


def test_coming_and_going_within_a_window_is_told_once(diary: Diary) -> None:
    for held in ((alert(),), (), (alert(),), (), (alert(),), ()):
        diary.look(*held)
    heard = Counter(diary.news())
    assert heard == {
        ("", "budget", "over"): 3,
        ("chat", "budget", 75): 1,
        ("chat", "budget", "over"): 1,
        ("mail", "budget", 75): 1,
        ("mail", "budget", "over"): 1,
    }


def test_what_lasts_is_told_once_for_all_its_days(diary: Diary) -> None:
    for day in range(5):
        diary.look(LASTING, at=NOW + day * DAY)
    assert diary.news() == [("chat", "disabled", 0), ("mail", "disabled", 0)]
    diary.look(at=NOW + 5 * DAY)
    diary.news()
    assert diary.look(LASTING, at=NOW + 5 * DAY) == [], "it ended today already"
    diary.look(LASTING, at=NOW + 6 * DAY)
    assert diary.news() == [("chat", "disabled", 0), ("mail", "disabled", 0)], "the last they heard was that it is over"


def test_what_another_alert_makes_pointless_ends_in_silence(diary: Diary) -> None:
    diary.look(alert("forecast"))
    diary.news()
    diary.look(alert(covers=["forecast"]))
    assert diary.news() == [("chat", "budget", 75), ("mail", "budget", 75)]
    assert diary.look(alert(covers=["forecast"])) == []


def test_a_channel_that_was_down_is_told_later_and_the_others_not_again(diary: Diary) -> None:
    diary.look(alert(), works=lambda letter: letter.channel == "mail")
    assert diary.news() == [("mail", "budget", 75)]
    diary.look(alert(), works=lambda _: False)
    diary.look(alert())
    assert diary.news() == [("chat", "budget", 75)]


def test_a_channel_that_was_down_throughout_hears_of_the_end(diary: Diary) -> None:
    diary.look(alert(), works=lambda letter: letter.channel == "mail")
    diary.look(at=NOW + HOUR, works=lambda letter: letter.channel != "chat")
    diary.news()
    diary.look(at=NOW + DAY)
    assert diary.news() == [("chat", "budget", "over")], "what ended is in it"
    diary.look(alert(window="2026-11-24"), at=NOW + DAY)
    diary.look(at=NOW + DAY, works=lambda letter: letter.channel != "chat")
    diary.news()
    diary.look(at=NOW + 5 * DAY)
    assert diary.news() == [], "too old by now"


def test_a_new_channel_hears_what_holds_and_not_what_is_over(diary: Diary) -> None:
    diary.look(alert(), alert("other"), channels=())
    diary.look(alert(), channels=())
    diary.news()
    diary.look(alert())
    assert diary.news() == [("chat", "budget", 75), ("mail", "budget", 75)]


def test_two_at_once_do_not_tell_the_same(diary: Diary) -> None:
    lease, letters = diary.begin(alert())
    assert len(letters) == 2
    assert diary.look(alert(), alert("other"), owner=OTHER) == [
        Letter("other", "2026-11-23", 75, over=False, channel=channel) for channel in CHANNELS
    ]
    diary.snapshot = record(diary.snapshot, AlertsDelivered(tuple(letters), lease), NOW)
    assert diary.look(alert(), alert("other")) == []


def test_who_dies_on_the_way_leaves_it_to_the_next(diary: Diary) -> None:
    _, letters = diary.begin(alert(), owner=OTHER)
    assert diary.look(alert(), at=NOW + 59 * timedelta(seconds=1)) == []
    left = upkeep(diary.snapshot, NOW, LONGEST, dead={OTHER})
    assert alert_delivery.owed(left, CHANNELS, NOW) == tuple(letters), "known to be dead: at once"
    assert upkeep(diary.snapshot, NOW, LONGEST, dead={ME}).alerts == diary.snapshot.alerts
    assert diary.look(alert(), at=NOW + MINUTE) == letters, "else when its time is over"


@pytest.mark.parametrize("another_tries", [True, False])
def test_who_dies_on_the_way_with_the_end_may_have_told_it(diary: Diary, *, another_tries: bool) -> None:
    """So when it comes back, everybody who may believe that it is over is told, in the same window too."""
    diary.look(alert())
    diary.begin(owner=OTHER)
    later = NOW + 2 * MINUTE
    if another_tries:
        diary.look(at=later, works=lambda letter: letter.channel == "chat")
    diary.news()
    diary.look(alert(), at=later)
    expected = [("mail", "budget", 75)]
    assert diary.news() == (expected if another_tries else [("chat", "budget", 75), *expected])


def test_what_changes_while_it_is_told_is_told_again(diary: Diary) -> None:
    lease, letters = diary.begin(alert())
    diary.look(alert(level=100), owner=OTHER)
    assert diary.news() == [("chat", "budget", 100), ("mail", "budget", 100)]
    diary.snapshot = record(diary.snapshot, AlertsDelivered(tuple(letters), lease), NOW)
    assert diary.look(alert(level=100)) == [], "old news marks nothing as untold"


def test_the_end_waits_for_who_is_on_the_way_with_the_beginning(diary: Diary) -> None:
    lease, letters = diary.begin(alert())
    assert diary.look(owner=OTHER) == []
    diary.snapshot = record(diary.snapshot, AlertsDelivered(tuple(letters), lease), NOW)
    diary.look(owner=OTHER)
    assert diary.news() == [("", "budget", "over"), ("chat", "budget", "over"), ("mail", "budget", "over")]


def test_whoever_only_raises_neither_sees_nor_prints_an_end(diary: Diary) -> None:
    diary.look(alert())
    diary.news()
    assert diary.look(ends=False) == []
    diary.look(works=lambda letter: letter.channel != STANDARD_OUTPUT)
    diary.news()
    assert diary.look(ends=False) == []
    diary.look()
    assert diary.news() == [("", "budget", "over")]


def test_a_flood_is_bounded() -> None:
    diary = Diary()
    for round_ in range(3):
        diary.look(*(alert(f"{round_} {number}") for number in range(100)), works=lambda _: False)
        assert len(diary.snapshot.alerts) <= alert_delivery.MOST_RAISED


def test_the_day_before_stays_the_measure_until_the_pool_has_recovered() -> None:
    def looked(snapshot: Snapshot, days: int, usable: Iterable[str], *held: Alert) -> Snapshot:
        event = Watched(held, frozenset(usable), (), TODAY + days * DAY, ends=True)
        return record(snapshot, event, NOW + days * DAY)

    pool = Alert(AlertKind.POOL, "pool", "pool", "pool")
    snapshot = looked(looked(Snapshot(), 0, ["O1"]), 0, ["O2"])
    assert snapshot.usable == {TODAY: {"O1", "O2"}}, "whatever could be used on that day"
    snapshot = looked(looked(snapshot, 1, ["O1", "O2"]), 3, ["O1", "O2"])
    assert snapshot.usable == {TODAY + DAY: {"O1", "O2"}, TODAY + 3 * DAY: {"O1", "O2"}}
    for days in (4, 5, 6):
        snapshot = looked(snapshot, days, ["O1"], pool)
        assert max(snapshot.usable) == TODAY + 3 * DAY
    snapshot = looked(snapshot, 7, ["O1", "O2"])
    assert snapshot.usable == {TODAY + 3 * DAY: {"O1", "O2"}, TODAY + 7 * DAY: {"O1", "O2"}}


# --- laws ---


class Turn(NamedTuple):
    """One look of a random history."""

    hours: int
    held: tuple[str, ...]
    level: int
    failing: frozenset[str]
    survives: bool


turns = st.builds(
    Turn,
    hours=st.sampled_from([0, 0, 1, 5, 20]),
    held=st.sampled_from([(), ("budget",), ("disabled",), ("budget", "disabled")]),
    level=st.sampled_from([75, 75, 100]),
    failing=st.sampled_from([frozenset(), frozenset(), frozenset({"mail"}), frozenset({"mail", "chat"})]),
    survives=st.integers(0, 5).map(bool),
)


def play(diary: Diary, history: Sequence[Turn], *, mortal: bool) -> datetime:
    now = NOW
    for turn in history:
        now += turn.hours * HOUR + 2 * MINUTE
        diary.look(
            *held_at(turn, now),
            at=now,
            works=lambda letter, turn=turn: letter.channel not in turn.failing,  # type: ignore[misc]  # bound at once
            survives=turn.survives or not mortal,
        )
    return now


def held_at(turn: Turn, now: datetime) -> list[Alert]:
    every = {"budget": alert(window=f"{now:%Y-%m-%d}", level=turn.level), "disabled": LASTING}
    return [every[name] for name in turn.held]


@given(st.lists(turns, max_size=25))
@settings(max_examples=examples(200))
def test_nobody_is_told_twice_in_a_window(history: list[Turn]) -> None:
    diary = Diary()
    play(diary, history, mortal=False)
    sent = Counter(letter for letter in diary.heard if letter.channel != STANDARD_OUTPUT)
    assert set(sent.values()) <= {1}


@given(history=st.lists(turns, max_size=25), mortal=st.booleans())
@settings(max_examples=examples(200))
def test_everybody_knows_how_it_stands_once_the_channels_work(history: list[Turn], *, mortal: bool) -> None:
    diary = Diary()
    end = play(diary, history, mortal=mortal)
    last = history[-1] if history else Turn(0, (), 75, frozenset(), survives=True)
    for hours in (1, 25):  # what ended and came back today is told tomorrow
        now = end + hours * HOUR
        diary.look(*held_at(last, now), at=now)
    believed: dict[tuple[str, str], bool] = {}
    for letter in diary.heard:
        if letter.channel != STANDARD_OUTPUT:
            believed[letter.channel, letter.name] = not letter.over
    for name in ("budget", "disabled"):
        for channel in CHANNELS:
            assert believed.get((channel, name), False) is (name in last.held)


@given(snapshots(), st.sets(st.sampled_from(["a", "b", "x"])))
def test_telling_twice_changes_nothing_more(snapshot: Snapshot, channels: set[str]) -> None:
    held = (alert(), LASTING)
    lease = Lease(ME, NOW + MINUTE)
    for event in (
        Watched(held, frozenset({"O1"}), tuple(channels), TODAY, ends=True),
        Telling(frozenset({"budget"}), lease),
        AlertsDelivered((Letter("budget", "2026-11-23", 75, over=False, channel="a"),), lease),
    ):
        snapshot = record(snapshot, event, NOW)
        assert record(snapshot, event, NOW) == snapshot
