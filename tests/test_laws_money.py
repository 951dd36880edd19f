"""Laws of money: no budget is ever passed and no cent is ever lost, whatever happens in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.lease import Owner
from lollmsbot_keys.core.model.outcome import Billing, Failure, Outcome, OutcomeKind, Usage
from lollmsbot_keys.core.model.request import Reach, Request
from lollmsbot_keys.core.model.snapshot import Cell, Day, Hold, Snapshot, Spender, Uncertain
from lollmsbot_keys.core.money import amounts
from lollmsbot_keys.core.routing.claim import Claim, Claimant, Claiming, Nothing, claim
from lollmsbot_keys.core.state.events import Event, Released, Settled, record
from lollmsbot_keys.core.state.expiry import Housekeeping
from lollmsbot_keys.core.state.settlement import Finished, charge_for, events_of
from lollmsbot_keys.edges.state.codec import decode, encode
from tests.examples import examples
from tests.strategies import CONFIG, DAY, FACTS, HOUR, KEY_NAMES, LONGEST, MINUTE, NOW, with_key, with_settings

T = TypeVar("T")

# Tight enough that a few calls fill them: a call for `plain:8b` may cost 0.31 USD, one for `kimi` 0.012.
TIGHT = with_settings(CONFIG, Provider.OLLAMA, lambda it: it._replace(daily_budget_usd=Decimal("0.40")))
TIGHT = with_settings(TIGHT, Provider.OPENROUTER, lambda it: it._replace(daily_budget_usd=Decimal("0.05")))
TIGHT = with_key(TIGHT, "O2", lambda it: it._replace(daily_budget_usd=Decimal("0.02")))
TIGHT = with_key(TIGHT, "R1", lambda it: it._replace(daily_budget_usd=Decimal("0.015")))
TIGHT = with_settings(TIGHT, Provider.OLLAMA, lambda it: it._replace(monthly_budget_usd=Decimal("0.70")))
TIGHT = with_settings(TIGHT, Provider.OPENROUTER, lambda it: it._replace(monthly_budget_usd=Decimal("0.08")))
TIGHT = with_key(TIGHT, "O1", lambda it: it._replace(monthly_budget_usd=Decimal("0.50")))
TIGHT = with_key(TIGHT, "R1", lambda it: it._replace(monthly_budget_usd=Decimal("0.02")))

REQUESTS = (
    Request(),
    Request(model="plain:8b"),
    Request(pillar="soul"),
    Request(model="moon/kimi"),
    Request(free=True),
)
OWNERS = tuple(Owner(pid, "boot", str(pid)) for pid in (11, 12, 13))
DATES = (timedelta(), DAY, 2 * DAY, *(number * 30 * DAY for number in range(1, 11)), 366 * DAY)
"""More days, and more months, than the state remembers: the history has the others."""


def failed(billing: Billing, *, strike: bool = False) -> Outcome:
    return Outcome(
        OutcomeKind.DROPPED, failure=Failure(OutcomeKind.DROPPED, Reach.REQUEST, None, strike=strike, billing=billing)
    )


class Live(NamedTuple):
    claim: Claim
    owner: Owner


class Pool(RuleBasedStateMachine):
    """Processes that claim, settle, die and come back late, on one state whose clock cannot be trusted."""

    @initialize(zone=st.sampled_from(["UTC", "Asia/Beirut"]))
    def begin(self, zone: str) -> None:
        from zoneinfo import ZoneInfo

        self.config = TIGHT._replace(timezone=UTC if zone == "UTC" else ZoneInfo(zone))
        self.keeper = Housekeeping(self.config.timezone, LONGEST)
        self.snapshot, self.now = Snapshot(), NOW
        self.live: dict[str, Live] = {}
        self.held: dict[str, Hold] = {}
        self.settled: list[Settled] = []
        self.charged: dict[str, Decimal] = {}
        self.history: dict[tuple[date, str], Day] = {}
        self.dead: set[Owner] = set()
        self.count = 0

    def change(self, step: Callable[[Snapshot, datetime], tuple[Snapshot, T]]) -> T:
        """One locked change, as the state store makes it: upkeep, the step, closed days out, to bytes and back."""
        alive = set(OWNERS) - self.dead if self.count % 2 else set[Owner]()
        before = self.keeper.before(self._with_history(), self.now, self.dead, alive)
        self._note_lapsed(before)
        after, answer = step(before, self.now)
        after, closed = self.keeper.after(after, self.now)
        for day in closed:
            self.history[day.date, day.day.part] = day.day
        self.snapshot = decode(encode(after))
        assert self.snapshot == after
        return answer

    def _with_history(self) -> Snapshot:
        today = self.keeper.forgotten(self.snapshot, self.now)
        if today is None:
            return self.snapshot
        known = {(day, content.part) for day, content in self.snapshot.days.items()}
        stored = [(key[0], content) for key, content in self.history.items() if key not in known]
        return self.keeper.recalled(
            self.snapshot, today, (part for part in stored if amounts.month_of(part[0]) == amounts.month_of(today))
        )

    def _note_lapsed(self, before: Snapshot) -> None:
        for hold in before.holds.values():
            if hold.lapsed and not self.snapshot.holds[hold.id].lapsed:
                assert hold.owner in self.dead or self.snapshot.holds[hold.id].expires <= self.now
                self.charged[hold.id] = hold.amount_usd

    def record(self, *events: Event) -> None:
        def step(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
            for event in events:
                snapshot = record(snapshot, event, now)
            return snapshot, None

        self.change(step)

    # --- what happens ---

    @rule(
        request=st.sampled_from(REQUESTS),
        owner=st.sampled_from(OWNERS),
        size=st.sampled_from([0, 2_000, 60_000]),
        burst=st.integers(1, 4),
    )
    def ask(self, request: Request, owner: Owner, size: int, burst: int) -> None:
        """One process that begins some calls of a kind."""
        if owner not in self.dead:
            for _ in range(burst):
                self._ask(request, owner, size)

    def _ask(self, request: Request, owner: Owner, size: int) -> None:
        self.count += 1
        claimant = Claimant(owner, f"h{self.count}", set(KEY_NAMES))
        sized = request._replace(prompt_tokens=size)

        def step(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, Claiming]:
            return claim(sized, self.config, snapshot, FACTS, now, (), claimant)

        answer = self.change(step)
        if isinstance(answer, Claim):
            self.live[answer.hold.id] = Live(answer, owner)
            self.held[answer.hold.id] = answer.hold
        else:
            assert isinstance(answer, Nothing)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), part=st.sampled_from([None, Decimal(0), Decimal("0.4"), Decimal(1)]))
    def answer(self, data: st.DataObject, part: Decimal | None) -> None:
        """An answer that cost some part of the bound; `None` if the provider does not say what."""
        live = self._take(data)
        bound = live.claim.hold.amount_usd
        prompt = data.draw(st.integers(0, live.claim.candidate.prompt_tokens))
        completion = data.draw(st.integers(0, live.claim.plan.max_output_tokens))
        cached = data.draw(st.integers(0, prompt))
        usage = Usage(prompt, completion, None if part is None else part * bound, cached)
        self._settle(live, Outcome(OutcomeKind.ANSWERED, 200, usage=usage))

    @precondition(lambda self: self.live)
    @rule(data=st.data(), billing=st.sampled_from(Billing))
    def fail(self, data: st.DataObject, billing: Billing) -> None:
        self._settle(self._take(data), failed(billing))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        """Interrupted before anything was sent. A hold that had lapsed meanwhile stays charged."""
        hold = self._take(data).claim.hold
        self.record(Released(hold.id))

    @precondition(lambda self: self.settled)
    @rule(data=st.data())
    def settle_again(self, data: st.DataObject) -> None:
        self.record(data.draw(st.sampled_from(self.settled)))

    @rule(owner=st.sampled_from(OWNERS))
    def die(self, owner: Owner) -> None:
        """Seen as dead from now on; its calls may still be settled late, by a process that only seemed dead."""
        self.dead.add(owner)

    @rule(owner=st.sampled_from(OWNERS))
    def start_again(self, owner: Owner) -> None:
        self.dead.discard(owner)

    @rule(passed=st.sampled_from([MINUTE, HOUR, 7 * HOUR]))
    def wait(self, passed: timedelta) -> None:
        self.now += passed

    @rule(to=st.sampled_from(DATES), hour=st.integers(0, 23))
    def set_clock(self, to: timedelta, hour: int) -> None:
        self.now = NOW.replace(hour=hour) + to

    @rule(owner=st.sampled_from(OWNERS), hour=st.integers(0, 23), step=st.sampled_from([1, -1]))
    def wander(self, owner: Owner, hour: int, step: int) -> None:
        """One call each on more days, and in more months, than the state remembers."""
        if owner in self.dead:
            return
        for to in DATES[::step]:
            self.set_clock(to, hour)
            self._ask(Request(model="plain:8b"), owner, 0)
            live = self.live.pop(f"h{self.count}", None)
            if live is not None:
                self._settle(live, failed(Billing.POSSIBLY))

    @rule()
    def look(self) -> None:
        self.record()

    def _take(self, data: st.DataObject) -> Live:
        return self.live.pop(data.draw(st.sampled_from(sorted(self.live))))

    def _settle(self, live: Live, outcome: Outcome) -> None:
        finished = Finished(live.claim.candidate, live.claim.hold, outcome, timedelta(seconds=1), failover=False)
        charge = charge_for(finished)
        assert charge.amount_usd <= live.claim.hold.amount_usd
        events = events_of(finished, charge, self.config.cooldowns, self.now)
        assert isinstance(events[0], Settled)
        self.settled.append(events[0])
        before = self.snapshot.holds.get(live.claim.hold.id)
        self.record(*events)
        if before is None:
            assert live.claim.hold.id in self.charged, "a hold that nobody settled or let lapse is gone"
        elif live.claim.hold.id not in self.snapshot.holds and not self._purged(before):
            self.charged[live.claim.hold.id] = charge.amount_usd

    def _purged(self, hold: Hold) -> bool:
        """Whether upkeep dropped the hold before its settlement came: it had lapsed long ago, and stays charged."""
        return hold.lapsed and hold.expires <= self.now

    # --- what stays true ---

    def _parts(self) -> list[tuple[date, Day]]:
        return [(day, content) for (day, _), content in self.history.items()] + list(self.snapshot.days.items())

    def _by_day(self) -> dict[tuple[date, Spender], Decimal]:
        """Everything booked, in the history and in the state, by day and spender."""
        total: dict[tuple[date, Spender], Decimal] = {}
        for day, content in self._parts():
            for place, cell in content.cells.items():
                spender = Spender(place.provider, place.key)
                total[day, spender] = total.get((day, spender), Decimal(0)) + cell.cost_usd
        return total

    def _committed(self) -> dict[tuple[date, Spender], Decimal]:
        """The same with what is held."""
        total = self._by_day()
        for hold in self.snapshot.holds.values():
            if not hold.lapsed:
                spender = Spender(hold.provider, hold.key)
                total[hold.day, spender] = total.get((hold.day, spender), Decimal(0)) + hold.amount_usd
        return total

    @invariant()
    def no_budget_of_a_day_is_passed(self) -> None:
        total = self._committed()
        for day in {day for day, _ in total}:
            of_day = {spender: amount for (when, spender), amount in total.items() if when == day}
            for provider in (Provider.OLLAMA, Provider.OPENROUTER):
                budget = self.config.providers[provider].daily_budget_usd
                assert budget is not None
                assert amounts.of_provider(of_day, provider) <= budget
            for key in self.config.keys:
                if key.daily_budget_usd is not None:
                    assert of_day.get(Spender(key.provider, key.name), 0) <= key.daily_budget_usd

    @invariant()
    def no_budget_of_a_month_is_passed(self) -> None:
        total: dict[tuple[str, Spender], Decimal] = {}
        for (day, spender), amount in self._committed().items():
            total[amounts.month_of(day), spender] = total.get((amounts.month_of(day), spender), Decimal(0)) + amount
        for month in {month for month, _ in total}:
            of_month = {spender: amount for (when, spender), amount in total.items() if when == month}
            for provider in (Provider.OLLAMA, Provider.OPENROUTER):
                budget = self.config.providers[provider].monthly_budget_usd
                assert budget is not None
                assert amounts.of_provider(of_month, provider) <= budget
            for key in self.config.keys:
                if key.monthly_budget_usd is not None:
                    assert of_month.get(Spender(key.provider, key.name), 0) <= key.monthly_budget_usd

    @invariant()
    def a_month_is_the_sum_of_its_days(self) -> None:
        """Also how much of it is uncertain. Of months that the state has dropped it says nothing."""
        cells: dict[tuple[str, Spender], list[Cell]] = {}
        for day, content in self._parts():
            for place, cell in content.cells.items():
                cells.setdefault((amounts.month_of(day), Spender(place.provider, place.key)), []).append(cell)
        for month in self._remembered({month for month, _ in cells}):
            sums = {spender: Cell.total(found) for (when, spender), found in cells.items() if when == month}
            recorded = amounts.recorded_in_month(self.snapshot, month)
            assert recorded == {spender: cell.cost_usd for spender, cell in sums.items()}
            for spender in sums:
                closed = Cell.total(
                    cell
                    for (day, _), content in self.history.items()
                    for place, cell in content.cells.items()
                    if amounts.month_of(day) == month and (place.provider, place.key) == spender
                )
                told = self.snapshot.uncertain.get(month, {}).get(spender, Uncertain())
                assert told == (closed.estimated_usd, closed.unconfirmed_usd, closed.unknown_usd)

    def _remembered(self, months: set[str]) -> set[str]:
        return {month for month in months if not amounts.dropped(self.snapshot.months, month)}

    @invariant()
    def no_money_is_lost_or_made(self) -> None:
        booked = sum(self._by_day().values(), Decimal(0))
        assert booked == sum(self.charged.values(), Decimal(0))

    @invariant()
    def every_call_is_booked_on_the_day_it_was_claimed(self) -> None:
        expected: dict[tuple[date, Spender], Decimal] = {}
        for id_, amount in self.charged.items():
            hold = self.held[id_]
            place = hold.day, Spender(hold.provider, hold.key)
            expected[place] = expected.get(place, Decimal(0)) + amount
        assert expected == self._by_day()

    @invariant()
    def the_sums_beside_the_cells_are_right(self) -> None:
        for day in self.snapshot.days.values():
            assert Day.of(day.part, day.cells).spent == day.spent

    @invariant()
    def every_open_call_is_held(self) -> None:
        for id_, live in self.live.items():
            assert id_ in self.charged or self.snapshot.holds[id_] == live.claim.hold or self._rebased(id_)

    def _rebased(self, id_: str) -> bool:
        """A wrong clock may move a hold's times, never its money."""
        now, then = self.snapshot.holds[id_], self.held[id_]
        return (now.amount_usd, now.day, now.key) == (then.amount_usd, then.day, then.key)


Pool.TestCase.settings = settings(max_examples=examples(120), stateful_step_count=40)
TestPool = Pool.TestCase
