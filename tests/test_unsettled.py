"""What could not be written into the state: kept beside it, counted once, shown meanwhile."""

from __future__ import annotations

import os
import stat
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lollmsbot_keys.core.model.outcome import Usage
from lollmsbot_keys.core.model.snapshot import Hold, Snapshot
from lollmsbot_keys.core.model.unsettled import Settlement, UnsettledCharge
from lollmsbot_keys.core.money.charges import Charge
from lollmsbot_keys.core.money.template_tokens import TemplateSeen
from lollmsbot_keys.core.state.adoption import adopt, settlement_of
from lollmsbot_keys.core.state.events import (
    Answered,
    Claimed,
    Cooled,
    Event,
    Released,
    Remembered,
    Settled,
    Strike,
    record,
)
from lollmsbot_keys.edges.state.codec import decode
from lollmsbot_keys.edges.state.codec import settlement as codec
from lollmsbot_keys.errors import StateError
from tests.strategies import NOW, amounts, cooldowns, holds, scopes, snapshots
from tests.support import PATIENCE_S, calling, calls, claimed, ending, hold, opened, spending, spent, start

CENT = Decimal("0.01")


def taught(held: Hold) -> st.SearchStrategy[list[Event]]:
    seen = st.builds(TemplateSeen, st.just(held.provider), st.just(held.model), st.integers(1, 9999))
    return st.lists(seen, max_size=1)


@st.composite
def ends(draw: st.DrawFn) -> tuple[Hold, tuple[Event, ...]]:
    """A hold, and everything that the end of its call may have to say."""
    held = draw(holds())._replace(lapsed=False)
    charge = Charge(
        draw(amounts),
        draw(st.none() | amounts),
        draw(st.sampled_from(["provider", "estimate", "unknown", "local"])),
        unconfirmed=draw(st.booleans()),
    )
    usage = Usage(draw(st.integers(0, 10**6)), draw(st.integers(0, 10**6)), draw(st.none() | amounts))
    settled = Settled(
        held.id,
        charge,
        usage,
        timedelta(microseconds=draw(st.integers(0, 10**9))),
        failed=draw(st.booleans()),
        failover=draw(st.booleans()),
        outcome=draw(st.sampled_from(["answered", "rate_limited", ""])),
        generation=draw(st.sampled_from(["", "gen-1"])),
    )
    health = draw(st.sampled_from([None, Answered(draw(scopes)), Strike(draw(cooldowns()))]))
    cooled = map(Cooled, draw(st.lists(cooldowns(), max_size=2)))
    return held, (settled, *([] if health is None else [health]), *cooled, *draw(taught(held)))


def happened(snapshot: Snapshot, held: Hold, events: tuple[Event, ...]) -> Snapshot:
    """What the state says if it can be written."""
    (settled, *_) = events
    if isinstance(settled, Settled) and settled.charge.amount_usd > held.amount_usd:
        events = (Remembered(held), *events)
    for event in events:
        snapshot = record(snapshot, event, NOW)
    return snapshot


@given(snapshot=snapshots(), end=ends(), known=st.booleans())
def test_later_is_as_good_as_at_once_and_counts_once(
    snapshot: Snapshot, end: tuple[Hold, tuple[Event, ...]], *, known: bool
) -> None:
    held, events = end
    if known:
        snapshot = record(snapshot, Claimed(held, takes_turn=True), NOW)
    kept = codec.decode(held.id, codec.encode(settlement_of(held, events)))
    assert kept == settlement_of(held, events), "read as it was written"
    lying = {held.id: kept}
    once = adopt(snapshot._replace(adopted=frozenset()), lying, NOW)
    assert once._replace(adopted=frozenset()) == happened(snapshot, held, events)._replace(adopted=frozenset())
    assert adopt(once, lying, NOW) == once, "its file is still there"
    assert adopt(once, {}, NOW).adopted == frozenset()


def test_a_hold_whose_call_was_never_sent_is_given_back_later_too() -> None:
    held = hold(NOW)
    snapshot = claimed(Snapshot(), held, NOW)
    kept = codec.decode(held.id, codec.encode(settlement_of(held, [Released(held.id)])))
    assert kept == Settlement(held)
    assert adopt(snapshot, {held.id: kept}, NOW).holds == {}


def test_nothing_of_a_charge_or_an_entry_is_left_out() -> None:
    assert UnsettledCharge._fields == (*Charge._fields, *Settled._fields[2:])


# On the disk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def lying(path: Path) -> list[str]:
    folder = opened(path).unsettled
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("cost_usd", ["0.02", "0.50", "0.70", "0"])
def test_it_shows_at_once_and_is_booked_by_the_next_change(path: Path, cost_usd: str) -> None:
    held = calling(path)
    opened(path).keep(ending(held, cost_usd))
    assert lying(path) == [f"{held.id}.json"]
    if os.name == "posix":
        assert stat.S_IMODE(opened(path).unsettled.stat().st_mode) == 0o700
        assert stat.S_IMODE((opened(path).unsettled / f"{held.id}.json").stat().st_mode) == 0o600
    before = path.read_bytes()
    for _ in range(2):
        seen = opened(path).read()
        assert (seen.holds, spent(seen), calls(seen)) == ({}, Decimal(cost_usd), 1)
    assert (path.read_bytes(), len(lying(path))) == (before, 1), "who only looks changes nothing"
    for _ in range(3):
        assert opened(path).update(lambda snapshot, _now: (snapshot, spent(snapshot))) == Decimal(cost_usd)
        assert lying(path) == []
    opened(path).update(spending("1"))
    written = decode(path.read_bytes())
    assert (written.holds, written.adopted, spent(written)) == ({}, frozenset(), 1 + Decimal(cost_usd))


@pytest.mark.parametrize("cost_usd", ["0.02", "0.70"])
def test_a_file_that_outlived_its_booking_is_not_booked_again(path: Path, cost_usd: str) -> None:
    """Whoever took it over was killed before it could go, or may not remove it."""
    held = calling(path)
    opened(path).keep(ending(held, cost_usd))
    file = opened(path).unsettled / f"{held.id}.json"
    content = file.read_bytes()
    opened(path).update(lambda snapshot, _now: (snapshot, None))
    for change in (lambda snapshot, _now: (snapshot, None), spending("0")):
        file.write_bytes(content)
        assert spent(opened(path).read()) == Decimal(cost_usd)
        opened(path).update(change)
        assert spent(opened(path).read()) == Decimal(cost_usd)


def test_what_is_none_of_ours_is_told_and_left(path: Path) -> None:
    held = calling(path)
    state = opened(path)
    state.keep(ending(held, "0.02"))
    whole = (state.unsettled / f"{held.id}.json").read_bytes()
    for number, content in enumerate([b"", b"{}", b"[1]", whole[:-9], whole.replace(b'"version":1', b'"version":2')]):
        (state.unsettled / f"{number}.json").write_bytes(content)
    (state.unsettled / "notes.txt").write_text("mine")
    warnings: list[str] = []
    opened(path, warn=warnings.append).update(lambda snapshot, _now: (snapshot, None))
    assert spent(opened(path).read()) == 2 * CENT
    assert lying(path) == ["0.json", "1.json", "2.json", "3.json", "4.json", "notes.txt"]
    assert len(warnings) == 5
    assert all("stays booked at its most" in warning for warning in warnings)


def test_without_a_place_it_is_said(path: Path) -> None:
    held = calling(path)
    opened(path).unsettled.write_text("a file")
    with pytest.raises(StateError, match="Cannot write"):
        opened(path).keep(ending(held, "0.02"))
    assert list(decode(path.read_bytes()).holds) == [held.id]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_kill_9_at_any_moment_loses_and_doubles_nothing(path: Path) -> None:
    """One process calls and cannot settle, another takes over; either dies whenever. Half the calls cost an excess."""
    script = """
import sys
from decimal import Decimal
from pathlib import Path
from tests.support import calling, ending, opened
path, number = Path(sys.argv[1]), 0
while True:
    if sys.argv[2] == "call":
        held = calling(path, "0.02")
        opened(path).keep(ending(held, ("0.01", "0.03")[number % 2]))
        number += 1
    else:
        opened(path).update(lambda snapshot, _now: (snapshot, None))
    print("done", flush=True)
"""
    made, money = 0, Decimal(0)
    for turn in range(4):
        processes = [start([sys.executable, "-c", script, str(path), role], os.environ) for role in ("call", "take")]
        said = []
        for process in processes:
            assert process.stdout is not None
            said.append(os.read(process.stdout.fileno(), 65_536).decode())
        for number in (turn % 2, 1 - turn % 2):
            processes[number].kill()
            said[number] += processes[number].communicate(timeout=PATIENCE_S)[0]
        done = said[0].count("done")
        seen = opened(path).read()
        last = spent(seen) - money - CENT * (done * 2 - done % 2)
        assert (calls(seen) - made - done, last) in {(0, 0), (1, CENT * (3 if done % 2 else 1)), (1, CENT * 2)}
        opened(path).update(lambda snapshot, _now: (snapshot, None))
        assert (calls(opened(path).read()), spent(opened(path).read())) == (calls(seen), spent(seen))
        # One that was killed while it wrote leaves half a file, which has no name yet and counts nothing.
        assert [name for name in lying(path) if not name.startswith(".")] == []
        made, money = calls(seen), spent(seen)
