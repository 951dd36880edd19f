"""`KeyPool` on one event loop: any number of questions on their way, and every law holds."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, SupportsIndex

import pytest

from lollmsbot_keys.core.model.outcome import (
    AllFailed,
    Answer,
    AnswerCut,
    Attempt,
    NoAnswer,
    NoAnswerError,
    OutcomeKind,
    Refused,
)
from lollmsbot_keys.core.model.request import Reason
from lollmsbot_keys.core.model.snapshot import Cell, Hold, Snapshot
from lollmsbot_keys.core.money.ledger import added
from lollmsbot_keys.core.money.template_tokens import configured
from lollmsbot_keys.core.state.events import Lapsed, record
from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.edges.files.lock import locked
from lollmsbot_keys.edges.state.codec import decode
from lollmsbot_keys.edges.state.write_queue import StateQueue
from lollmsbot_keys.errors import StateError, UsageError
from lollmsbot_keys.pool import KeyPool, Listener, Options, question
from lollmsbot_keys.runtime import Engine
from lollmsbot_keys.sandbox import Fault, Sandbox
from lollmsbot_keys.sandbox.http import HttpReply
from tests.support import PATIENCE_S, calls, finished, opened, spending, spent, start, utc_now

OLLAMA = "OLLAMA_API_KEY", "OLLAMA_API_KEY_2"
OPENROUTER = "OPENROUTER_API_KEY_1", "OPENROUTER_API_KEY_2", "OPENROUTER_API_KEY_3"
UNPRICED = "gemma3:12b"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(serve_retired=True) as running:
        yield running


@pytest.fixture
def slow_sandbox() -> Iterator[Sandbox]:
    """Between two pieces of an answer there is time to do something."""
    with Sandbox(serve_retired=True, pace_seconds=0.05) as running:
        yield running


class World:
    """One state file in one sandbox, and pools on it."""

    def __init__(self, sandbox: Sandbox, folder: Path, **variables: str) -> None:
        self.sandbox = sandbox
        self.env = {**sandbox.environment(folder), **variables}
        self.path = Path(self.env["LBK_STATE"])

    @asynccontextmanager
    async def pool(self) -> AsyncIterator[KeyPool]:
        async with KeyPool(Engine.open(environment=Environment(self.env))) as pool:
            yield pool

    @property
    def written(self) -> Snapshot:
        return decode(self.path.read_bytes())

    @property
    def sums(self) -> Cell:
        """All cells of today as one."""
        return summed(self.written)

    @property
    def committed(self) -> Decimal:
        """What is spent and held in one and the same state: between two, a hold becomes spending."""
        one = self.written
        holds = (hold.amount_usd for hold in one.holds.values() if not hold.lapsed)
        return summed(one).cost_usd + sum(holds, Decimal(0))

    def served(self) -> Counter[str | None]:
        return Counter(chat.caller for chat in self.sandbox.chats())

    def check_books(self) -> None:
        """What holds whenever nothing is on its way and everything that was claimed was sent."""
        snapshot = self.written
        assert snapshot.holds == {}
        assert snapshot.waiters == {}
        booked = Counter[str | None]()
        for day in snapshot.days.values():
            for place, cell in day.cells.items():
                booked[place.key or "local"] += cell.calls
        assert booked == self.served(), "the ledger is what the providers saw"
        windows = Counter({key: sum(window.values()) for key, window in snapshot.hours.items()})
        windows["local"] = booked["local"]
        assert +windows == booked


def summed(snapshot: Snapshot) -> Cell:
    total = Cell()
    for day in snapshot.days.values():
        for cell in day.cells.values():
            total = added(total, cell)
    return total


async def settled(work: Sequence[Awaitable[Answer]]) -> list[Answer | NoAnswerError]:
    """All results; a question without an answer is its exception, every other exception is the test's."""
    results: list[Answer | NoAnswerError] = []
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, NoAnswerError):
            raise result
        results.append(result)
    return results


async def until(condition: Callable[[], object], what: str) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE_S
    while not condition():
        assert loop.time() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.005)


def test_a_critical_prompt_without_a_model_is_answered_here_or_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """As the README has it."""

    async def run(world: World) -> Answer:
        async with world.pool() as pool:
            return await pool.ask("dear diary", privacy="critical")

    answer = asyncio.run(run(World(sandbox, tmp_path)))
    assert (answer.key, answer.model) == (None, "gemma3:27b")
    (tmp_path / "dead").mkdir()
    with pytest.raises(Refused, match="its list is not known"):
        asyncio.run(run(World(sandbox, tmp_path / "dead", OLLAMA_HOST="127.0.0.1:9")))


# Words of the prompt in what a provider says


class Watched(str):
    """A prompt that knows which threads took pieces out of it."""

    __slots__ = ("threads",)

    def __init__(self, _text: str) -> None:
        self.threads = set[int]()

    def __getitem__(self, place: SupportsIndex | slice) -> str:
        self.threads.add(threading.get_ident())
        return super().__getitem__(place)


@pytest.mark.parametrize(("size", "beside"), [(1_000, False), (200_000, True)])
def test_a_long_prompt_is_looked_through_beside_the_event_loop(
    sandbox: Sandbox,
    tmp_path: Path,
    size: int,
    beside: bool,  # noqa: FBT001
) -> None:
    world, prompt = World(sandbox, tmp_path), Watched("word " * (size // 5))
    sandbox.add("ollama=503", "openrouter=503")

    async def run() -> None:
        async with world.pool() as pool:
            with pytest.raises(AllFailed):
                await pool.ask(prompt)

    asyncio.run(run())
    assert prompt.threads
    assert (threading.get_ident() not in prompt.threads) is beside


# Two hundred at once


def test_two_hundred_at_once_are_shared_evenly(sandbox: Sandbox, tmp_path: Path) -> None:
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            answers = await asyncio.gather(*(pool.ask(f"Number {number}") for number in range(200)))
        assert [answer.text.rpartition(" ")[2] for answer in answers] == [str(number) for number in range(200)]
        assert sum(answer.charged_usd for answer in answers) == world.sums.cost_usd > 0

    asyncio.run(run())
    assert world.served() == dict.fromkeys(OLLAMA, 100)
    world.check_books()


def test_two_hundred_at_once_keep_the_hourly_limits(sandbox: Sandbox, tmp_path: Path) -> None:
    world = World(sandbox, tmp_path, OLLAMA_MAX_CALLS_PER_HOUR="40", OPENROUTER_MAX_CALLS_PER_HOUR="30")

    async def run() -> None:
        async with world.pool() as pool:
            results = await settled([pool.ask("Hello") for _ in range(200)])
        refused = [result for result in results if isinstance(result, Refused)]
        assert len(refused) == 30
        assert all(one.report.attempts == () and one.report.retry_at is not None for one in refused)
        assert all(isinstance(result, Answer) for result in results if result not in refused)

    asyncio.run(run())
    assert world.served() == {**dict.fromkeys(OLLAMA, 40), **dict.fromkeys(OPENROUTER, 30)}
    world.check_books()


def test_two_hundred_at_once_keep_the_budget(sandbox: Sandbox, tmp_path: Path) -> None:
    template = configured(Engine.open(environment=Environment(sandbox.environment(tmp_path))).config, UNPRICED)
    bound, admitted = (Decimal(15) * (6 + template) + Decimal(75) * 100) / 1_000_000, 37
    budget = bound * admitted + bound / 2
    world = World(sandbox, tmp_path, OLLAMA_DAILY_BUDGET=str(budget), OPENROUTER_FALLBACK="false")
    highest: list[Decimal] = []

    async def watch() -> None:
        while True:
            if world.path.exists():
                highest.append(world.committed)
            await asyncio.sleep(0.001)

    async def run() -> None:
        watching = asyncio.create_task(watch())
        async with world.pool() as pool:
            asks = [pool.ask("Hello", model=UNPRICED, max_output_tokens=100) for _ in range(200)]
            results = await settled(asks)
        watching.cancel()
        answers = [result for result in results if isinstance(result, Answer)]
        assert len(answers) == admitted
        assert {(answer.cost_usd, answer.cost_source, answer.charged_usd) for answer in answers} == {
            (None, "unknown", bound)
        }
        assert all(isinstance(result, Refused) for result in results if result not in answers)

    asyncio.run(run())
    assert sum(world.served().values()) == admitted
    assert world.committed == bound * admitted
    assert max(highest) <= budget
    world.check_books()


def test_two_hundred_at_once_through_trouble(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whatever fails, each attempt is in a report, in the ledger and in the providers' own log exactly once."""
    sandbox.add("OLLAMA_API_KEY=500:12", "OLLAMA_API_KEY_2=drop:7", "ollama=lost:5", "ollama=cut:6", "ollama=429:1")
    sandbox.add("OPENROUTER_API_KEY_1=429retry=60:1", "OPENROUTER_API_KEY_2=402:1", "openrouter=errormid:9")
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            asks = [pool.answer(question(f"Number {number}", {})) for number in range(200)]
            reports = await asyncio.gather(*asks)
        attempts = [attempt for report in reports for attempt in report.attempts]
        failed = [attempt for attempt in attempts if attempt.outcome is not OutcomeKind.ANSWERED]
        assert (world.sums.calls, world.sums.errors) == (len(attempts), len(failed))
        assert len(failed) > 20
        assert Counter(attempt.key for attempt in attempts) == world.served()
        answers = [report for report in reports if isinstance(report, Answer)]
        assert all(
            answer.text.endswith(f"You said: Number {n}") for n, answer in enumerate(reports) if answer in answers
        )
        assert Counter(attempt.outcome for attempt in attempts)[OutcomeKind.CUT] > 0
        assert world.sums.cost_usd == sum(a.charged_usd for a in answers) + world.sums.unconfirmed_usd

    asyncio.run(run())
    world.check_books()


def test_one_wrong_question_does_not_spoil_the_others(sandbox: Sandbox, tmp_path: Path) -> None:
    """They share writes of the state: what is wrong with one belongs to whoever asked it."""
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            wrong = {7, 40, 41, 99}
            asks = [pool.ask("Hello", pillar="nobody" if n in wrong else None) for n in range(100)]
            results = await asyncio.gather(*asks, return_exceptions=True)
        assert {n for n, result in enumerate(results) if isinstance(result, UsageError)} == wrong
        assert {n for n, result in enumerate(results) if isinstance(result, Answer)} == set(range(100)) - wrong

    asyncio.run(run())
    world.check_books()


def test_an_option_that_does_not_exist_is_refused_and_nothing_is_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    """A misspelt `privacy` that went unnoticed would send the prompt anywhere."""
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            with pytest.raises(UsageError, match=r"'privcy'.*'privacy'"):
                await pool.ask("dear diary", privcy="critical")  # type: ignore[call-arg]  # the mistake

    asyncio.run(run())
    assert list(sandbox.chats()) == []


def test_two_pools_in_two_processes_share_one_state(sandbox: Sandbox, tmp_path: Path) -> None:
    script = """
import asyncio
from lollmsbot_keys.pool import KeyPool
async def run():
    async with KeyPool.open() as pool:
        print(len(await asyncio.gather(*(pool.ask("Hello") for _ in range(60)))))
asyncio.run(run())
"""
    world = World(sandbox, tmp_path)
    other = start([sys.executable, "-c", script], world.env)

    async def run() -> None:
        async with world.pool() as pool:
            await asyncio.gather(*(pool.ask("Hello") for _ in range(60)))

    asyncio.run(run())
    done = finished(other)
    assert (done.stdout, done.stderr) == ("60\n", "")
    assert world.served() == dict.fromkeys(OLLAMA, 60)
    world.check_books()


# Streams


def test_a_stream_gives_the_pieces_and_then_the_answer(sandbox: Sandbox, tmp_path: Path) -> None:
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            stream = pool.stream("Hello", pillar="soul")
            pieces = [piece async for piece in stream]
        assert len(pieces) > 1
        assert stream.answer is not None
        assert stream.answer.text == "".join(pieces)
        assert stream.answer.pillar == "soul"

    asyncio.run(run())
    world.check_books()


def test_a_stream_that_is_cut_gives_what_came_and_then_raises(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add("ollama=cut:1")
    world = World(sandbox, tmp_path)

    async def run() -> None:
        pieces: list[str] = []

        async def listen(pool: KeyPool) -> None:
            async for piece in pool.stream("Hello"):
                pieces.append(piece)  # noqa: PERF401  what came before the exception is the point

        async with world.pool() as pool:
            with pytest.raises(AnswerCut) as cut:
                await listen(pool)
        assert "".join(pieces) == cut.value.report.text != ""

    asyncio.run(run())
    assert len(sandbox.chats()) == 1, "nothing is sent again"
    world.check_books()


@pytest.mark.parametrize("kind", ["cut", "unfinished", "errormid", "stall=60"])
def test_an_answer_that_breaks_off_unseen_is_asked_for_elsewhere(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    sandbox.add(f"OLLAMA_API_KEY={kind}")
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            answer = await pool.ask("Hello", timeout=timedelta(seconds=1 if "stall" in kind else 60))
        assert answer.text == "Sandbox kimi-k2.6 here, on ollama. You said: Hello"
        assert [(attempt.key, attempt.outcome) for attempt in answer.attempts] == [
            ("OLLAMA_API_KEY", "cut"),
            ("OLLAMA_API_KEY_2", "answered"),
        ]
        assert world.sums.cost_usd == answer.charged_usd + world.sums.unconfirmed_usd
        assert world.sums.unconfirmed_usd > 0, "the first try stays charged"

    asyncio.run(run())
    world.check_books()


@pytest.mark.parametrize(
    ("options", "tried"), [(Options(), 5), (Options(failover=False), 1), (Options(key="OLLAMA_API_KEY"), 1)]
)
def test_what_came_is_not_lost_when_every_answer_breaks_off(
    sandbox: Sandbox, tmp_path: Path, options: Options, tried: int
) -> None:
    sandbox.add("ollama=cut", "openrouter=cut")
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            with pytest.raises(AnswerCut) as cut:
                await pool.ask("Hello", **options)
        assert cut.value.report.text.startswith("Sandbox")
        assert [attempt.outcome for attempt in cut.value.report.attempts] == ["cut"] * tried

    asyncio.run(run())
    world.check_books()


def test_a_refusal_amid_an_unseen_answer_is_final(sandbox: Sandbox, tmp_path: Path) -> None:
    word = b'data: {"choices": [{"delta": {"content": "Well"}}]}\n\n'
    error = b'data: {"error": {"code": 403, "message": "moderation", "metadata": {"reasons": ["x"]}}}\n\n'
    sandbox.add(Fault.raw("ollama", HttpReply(200, (word, error), (("Content-Type", "text/event-stream"),))))
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            with pytest.raises(AllFailed, match="would not take"):
                await pool.ask("Hello")

    asyncio.run(run())
    assert len(sandbox.chats()) == 1


class Stopped(Exception):
    """Something of the caller's own."""


async def _break(pool: KeyPool) -> None:
    async for _ in pool.stream("Hello"):
        break


async def _raise(pool: KeyPool) -> None:
    async for _ in pool.stream("Hello"):
        raise Stopped


async def _keep(pool: KeyPool) -> None:
    KEPT.append(aiter(pool.stream("Hello")))
    await anext(KEPT[-1])


async def _keep_elsewhere(pool: KeyPool) -> None:
    await asyncio.create_task(_keep(pool))


async def _leave_to_another(pool: KeyPool) -> None:
    async def read() -> str:
        return "".join([piece async for piece in pool.stream("Hello")])

    KEPT.append(asyncio.create_task(read()))


async def _leave_unread(pool: KeyPool) -> None:
    async def ask() -> str:
        return (await pool.ask("Hello")).text

    KEPT.append(asyncio.create_task(ask()))


KEPT: list[Any] = []
"""What outlives a block."""


@pytest.mark.parametrize("leave", [_break, _raise, _keep, _keep_elsewhere, _leave_to_another, _leave_unread])
def test_leaving_the_block_waits_for_all_that_was_begun(
    slow_sandbox: Sandbox, tmp_path: Path, leave: Callable[[KeyPool], Awaitable[None]]
) -> None:
    world = World(slow_sandbox, tmp_path)
    waits = leave in {_leave_to_another, _leave_unread}

    async def run() -> None:
        KEPT.clear()
        with suppress(Stopped):
            async with world.pool() as pool:
                await leave(pool)
        world.check_books()
        assert (world.sums.calls, world.sums.unconfirmed_usd > 0) == (1, not waits)
        for left in KEPT:
            if waits:
                assert (await left).endswith("Hello")
            else:
                with pytest.raises(UsageError, match="closed before the answer was over"):
                    [piece async for piece in left]

    asyncio.run(run())


def test_a_closed_pool_takes_no_question(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nobody would wait for what it costs."""
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            unread = pool.stream("Hello")
        for _ in range(2):
            with pytest.raises(UsageError, match="pool is closed"):
                await pool.ask("Hello")
            with pytest.raises(UsageError, match="pool is closed"):
                [piece async for piece in unread]
        async with pool:
            assert (await pool.ask("Hello")).text.endswith("Hello")

    asyncio.run(run())
    assert world.sums.calls == len(sandbox.chats()) == 1
    world.check_books()


@pytest.mark.parametrize("then", ["the pool stays open", "the pool is closed at once"])
def test_a_stream_that_is_left_early_is_charged_and_leaves_no_hold(
    slow_sandbox: Sandbox, tmp_path: Path, then: str
) -> None:
    world = World(slow_sandbox, tmp_path)
    held: list[Decimal] = []

    async def run() -> None:
        async with world.pool() as pool:
            async for _ in pool.stream("Hello"):
                held.extend(hold.amount_usd for hold in world.written.holds.values())
                break
            if then == "the pool stays open":
                await until(lambda: world.written.holds == {}, "the end of the hold")

    asyncio.run(run())
    assert len(slow_sandbox.chats()) == 1
    assert (world.sums.calls, world.sums.unconfirmed_usd) == (1, held[0])
    assert held[0] > 0
    world.check_books()


# Cancelled


def test_cancelling_at_random_moments_leaks_no_hold(slow_sandbox: Sandbox, tmp_path: Path) -> None:
    world = World(slow_sandbox, tmp_path)
    chance = random.Random(11)  # noqa: S311  when to cancel, not a secret

    async def ask(pool: KeyPool, seconds: float) -> Answer | None:
        try:
            async with asyncio.timeout(seconds):
                return await pool.ask("Hello")
        except TimeoutError:
            return None

    async def run() -> None:
        async with world.pool() as pool:
            moments = [chance.uniform(0, 1.2) if number % 6 else PATIENCE_S for number in range(120)]
            results = await asyncio.gather(*(ask(pool, moment) for moment in moments))
            await until(lambda: world.written.holds == {}, "the end of all holds")
            answers = [result for result in results if result is not None]
            assert 0 < len(answers) < 120
            assert world.sums.calls - world.sums.errors >= len(answers), "a whole answer may have come too late"
            assert len(slow_sandbox.chats()) <= world.sums.calls <= 120
            assert world.sums.cost_usd >= sum(a.charged_usd for a in answers) + world.sums.unconfirmed_usd
            assert world.sums.unconfirmed_usd > 0
            assert (await pool.ask("Hello again")).text.endswith("Hello again")

    asyncio.run(run())
    assert world.written.holds == {}


def test_a_loop_that_ends_at_any_moment_is_held_up_by_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its end cancels all tasks: of the pool's own too, and those that did not even begin."""
    world = World(sandbox, tmp_path)

    async def run(turns: int) -> None:
        pool = KeyPool(Engine.open(environment=Environment(world.env)))
        KEPT.append(asyncio.create_task(pool.ask("Hello")))
        for _ in range(turns):
            await asyncio.sleep(0)

    for turns in range(12):
        asyncio.run(run(turns))
    assert world.written.holds == {}


def test_cancelling_before_the_call_is_sent_costs_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            for turns in range(12):
                work = asyncio.create_task(pool.ask("Hello"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                work.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await work
                if world.path.exists():
                    assert world.written.holds == {}

    asyncio.run(run())
    assert len(sandbox.chats()) <= calls(world.written if world.path.exists() else Snapshot())


def test_a_call_that_was_given_up_and_forgotten_is_booked_in_full_after_all(
    slow_sandbox: Sandbox, tmp_path: Path
) -> None:
    """It was taken for dead, so many have lapsed since that its hold is dropped, and then it costs more than that."""
    world = World(slow_sandbox, tmp_path)
    slow_sandbox.add("OPENROUTER_API_KEY_1=over=2")

    def give_up(snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
        lapsed = record(snapshot, Lapsed(frozenset(snapshot.holds)), now)
        return lapsed._replace(holds={}), None

    async def run() -> Answer:
        async with world.pool() as pool:
            work = asyncio.create_task(pool.ask("Hello", model="deepseek/deepseek-v3.2", key="OPENROUTER_API_KEY_1"))
            await until(slow_sandbox.chats, "the call")
            opened(world.path).update(give_up)
            assert 0 < world.sums.cost_usd < 2
            return await work

    answer = asyncio.run(run())
    assert answer.cost_usd == 2
    assert (world.sums.cost_usd, world.sums.unconfirmed_usd) == (Decimal(2), Decimal(0))
    world.check_books()


def test_a_waiting_question_that_is_refused_again_keeps_its_place(sandbox: Sandbox, tmp_path: Path) -> None:
    """Else whoever came later would be served first, and the unlucky one last."""
    sandbox.add(f"{OLLAMA[0]}=429retry=1")
    world = World(sandbox, tmp_path)
    places: dict[str, datetime] = {}

    def seen() -> int:
        places.update({ticket: waiter.since for ticket, waiter in world.written.waiters.items()})
        return len(places)

    async def run() -> None:
        async with world.pool() as pool:
            ask = asyncio.create_task(pool.ask("Hello", key=OLLAMA[0], wait=timedelta(hours=1)))
            await until(lambda: world.path.exists() and seen() > 1, "a second refusal")
            ask.cancel()
            with pytest.raises(asyncio.CancelledError):
                await ask

    asyncio.run(run())
    assert len(set(places.values())) == 1


def test_a_waiting_question_that_is_cancelled_leaves_the_queue(sandbox: Sandbox, tmp_path: Path) -> None:
    """Also when it is cancelled just as its place is written down."""
    sandbox.add("ollama=429retry=300", "openrouter=429retry=300")
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            for number in range(8):
                ask = asyncio.create_task(pool.ask("Hello", wait=timedelta(hours=1)))
                while not (world.path.exists() and world.written.waiters):  # noqa: ASYNC110  a file tells, no event
                    await asyncio.sleep(0.02 * (number % 2))
                ask.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await ask
                assert world.written.waiters == {}

    asyncio.run(run())
    world.check_books()


def test_what_was_asked_for_is_written_even_if_the_loop_ends(tmp_path: Path) -> None:
    """A settlement that waits for the lock must not be forgotten when the program is interrupted."""
    state = opened(tmp_path / "state.json")
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(state.lock):
            held.set()
            free.wait(PATIENCE_S)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, hold)
        await until(held.is_set, "the lock")
        queue = StateQueue(state)
        changes = [queue.update(spending("0.01")), queue.later(spending("0.01")), queue.update(spending("0.01"))]
        await asyncio.sleep(0.05)
        assert not any(change.done() for change in changes)
        loop.call_later(0.2, free.set)  # while the loop ends

    asyncio.run(run())
    assert spent(state.read()) == Decimal("0.03")


def test_a_secret_that_takes_long_is_opened_once_and_stops_nobody_else(sandbox: Sandbox, tmp_path: Path) -> None:
    world = World(sandbox, tmp_path)
    slow, other = OLLAMA
    gate, runs = tmp_path / "gate", tmp_path / "runs"
    os.mkfifo(gate)
    command = f"sh -c 'echo one >> {runs}; cat {gate}'"
    with Path(world.env["LBK_CONFIG"]).open("a", encoding="utf-8") as config:
        config.write(f'\n[keys.{slow}]\nsecret = "command:{command}"\n')

    async def run() -> None:
        async with world.pool() as pool:
            waiting = [asyncio.create_task(pool.ask("Hello", key=slow)) for _ in range(100)]
            await until(runs.exists, "the command")
            waiting.pop().cancel()
            await asyncio.wait_for(pool.ask("Hello", key=other), PATIENCE_S)
            assert not any(asking.done() for asking in waiting)
            await asyncio.to_thread(gate.write_text, world.env[slow])
            await asyncio.gather(*waiting)

    asyncio.run(run())
    assert runs.read_text() == "one\n"
    assert world.served() == {slow: 99, other: 1}
    world.check_books()


def test_twenty_that_wait_are_all_served_when_the_keys_come_free(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add(*(f"{key}=429retry=1:1" for key in (*OLLAMA, *OPENROUTER)))
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            asks = (pool.ask(f"Number {n}", wait=timedelta(minutes=2)) for n in range(20))
            answers = await asyncio.gather(*asks)
        assert len({answer.text.rpartition(" ")[2] for answer in answers}) == 20

    asyncio.run(run())
    world.check_books()


# No answer


def test_refused_says_why_and_when_and_sends_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    world = World(sandbox, tmp_path, OLLAMA_DAILY_BUDGET="0", OPENROUTER_DAILY_BUDGET="0")

    async def run() -> None:
        async with world.pool() as pool:
            with pytest.raises(Refused, match="over budget") as refused:
                await pool.ask("Hello")
            assert refused.value.report.attempts == ()
            assert (refused.value.exit, refused.value.code) == (4, "refused")

    asyncio.run(run())
    assert sandbox.chats() == ()


def test_all_failed_tells_of_every_attempt(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add("ollama=503", "openrouter=429retry=90")
    world = World(sandbox, tmp_path)

    async def run() -> None:
        before = utc_now()
        async with world.pool() as pool:
            with pytest.raises(AllFailed) as failed:
                await pool.ask("Hello")
        report = failed.value.report
        assert type(failed.value) is AllFailed
        assert Counter(attempt.key for attempt in report.attempts) == world.served()
        assert {attempt.status for attempt in report.attempts} == {503, 429}
        assert report.retry_at is not None
        assert timedelta(seconds=80) < report.retry_at - before < timedelta(seconds=100)

    asyncio.run(run())
    assert world.sums.cost_usd == 0
    world.check_books()


# Limits and sums


def test_reset_limits_clears_what_keeps_keys_out_and_no_money(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add("OLLAMA_API_KEY@any=401:2", "OLLAMA_API_KEY_2=429:1")
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            assert (await pool.ask("Hello")).key in OPENROUTER
            assert (await pool.ask("Hello")).key in OPENROUTER
            spent = world.sums
            with pytest.raises(UsageError, match="OLLAMA_API_KEY_2"):
                await pool.reset_limits(["OLLAMA_API_KEY_3"])
            cleared = await pool.reset_limits(["OLLAMA_API_KEY"])
            assert cleared.keys == {"OLLAMA_API_KEY"}
            assert world.written.disabled == {}
            assert (await pool.ask("Hello")).key == "OLLAMA_API_KEY"
            assert world.written.cooldowns, "the other key was not named"
            await pool.reset_limits()
            assert world.written.cooldowns == {}
            assert {(await pool.ask("Hello")).key for _ in range(2)} == set(OLLAMA)
            assert world.sums.calls == spent.calls + 3
            assert world.sums.cost_usd > spent.cost_usd > 0

    asyncio.run(run())
    world.check_books()


def test_the_daily_summary_is_the_ledger(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.add("OLLAMA_API_KEY=429:1")
    world = World(sandbox, tmp_path)

    async def run() -> None:
        async with world.pool() as pool:
            answers = [await pool.ask("Hello") for _ in range(4)]
            summary = await pool.daily_summary()
        assert summary.total == world.sums
        assert summary.total.calls == 5
        rows = {row.key: row for row in summary.keys}
        assert (rows["OLLAMA_API_KEY"].sums.calls, rows["OLLAMA_API_KEY"].sums.errors) == (1, 1)
        aside = rows["OLLAMA_API_KEY"].set_aside
        assert aside is not None
        assert aside.reason is Reason.COOLING_DOWN
        assert rows["OLLAMA_API_KEY_2"].set_aside is None
        assert sum(row.today_usd for row in summary.providers) == sum(answer.charged_usd for answer in answers)
        assert {answer.key for answer in answers} == {"OLLAMA_API_KEY_2"}

    asyncio.run(run())


# A disk that fails


class Saboteur(Listener):
    """Blocks the place where the state would be written, as soon as the answer begins; hears what is said of it."""

    def __init__(self, state: Path, *, everything: bool = False) -> None:
        self.blocked = state.with_name(f".{state.name}.{os.getpid()}.new")
        self.unsettled = state.with_name("unsettled") if everything else None
        self.notices: list[str] = []
        self.attempts: list[Attempt] = []

    def text(self, piece: str) -> None:
        assert piece
        (self.blocked / "occupied").mkdir(parents=True, exist_ok=True)
        if self.unsettled is not None:
            self.unsettled.touch()

    def give_way(self) -> None:
        shutil.rmtree(self.blocked)
        if self.unsettled is not None:
            self.unsettled.unlink()

    def attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    def notice(self, message: str) -> None:
        self.notices.append(message)


def test_an_answer_that_cannot_be_booked_is_booked_by_whoever_comes_next(sandbox: Sandbox, tmp_path: Path) -> None:
    world = World(sandbox, tmp_path)

    async def run() -> None:
        saboteur = Saboteur(world.path)
        async with world.pool() as pool:
            report = await pool.answer(question("Hello", {}), saboteur)
            assert isinstance(report, Answer)
            await until(lambda: saboteur.notices, "what is said of the settlement")
            assert f"is kept in {pool.engine.state.unsettled}" in " ".join(saboteur.notices)
            assert [attempt.outcome for attempt in saboteur.attempts] == [OutcomeKind.ANSWERED]
            assert len(world.written.holds) == 1
            shown = (await pool.daily_summary()).total
            assert (shown.calls, shown.cost_usd) == (1, report.charged_usd), "who looks meanwhile sees what it cost"
            with pytest.raises(StateError, match="Cannot write"):
                await pool.ask("Hello")
            assert len(sandbox.chats()) == 1, "no paid call without a hold"
        saboteur.give_way()
        async with world.pool() as later:
            other = await later.ask("Hello")
        assert world.sums.cost_usd == report.charged_usd + other.charged_usd
        assert list(later.engine.state.unsettled.iterdir()) == []

    asyncio.run(run())
    world.check_books()


@pytest.mark.parametrize("when", ["with the next call", "at the end", "never"])
def test_where_nothing_can_be_written_it_is_kept_in_mind(sandbox: Sandbox, tmp_path: Path, when: str) -> None:
    world = World(sandbox, tmp_path)

    async def run() -> tuple[Answer, Hold]:
        saboteur = Saboteur(world.path, everything=True)
        async with world.pool() as pool:
            report = await pool.answer(question("Hello", {}), saboteur)
            assert isinstance(report, Answer)
            await until(lambda: saboteur.notices, "what is said of the settlement")
            assert "stays booked at the most" in " ".join(saboteur.notices)
            (held,) = world.written.holds.values()
            if when != "never":
                saboteur.give_way()
            if when == "with the next call":
                await pool.ask("Hello")
        return report, held

    report, held = asyncio.run(run())
    if when == "never":
        assert world.written.holds == {held.id: held}, "its process lives: the hold counts, and lapses with it"
    else:
        assert world.sums.cost_usd == report.charged_usd * len(sandbox.chats())
        world.check_books()


def test_a_failure_that_cannot_be_written_counts_against_its_key_for_whoever_comes_next(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.add(f"{OLLAMA[0]}=cut:1")
    world = World(sandbox, tmp_path)

    async def run() -> Decimal:
        saboteur = Saboteur(world.path)
        async with world.pool() as pool:
            report = await pool.answer(question("Hello", {"key": OLLAMA[0]}), saboteur)
        assert isinstance(report, NoAnswer)
        assert report.code == "cut"
        assert "is kept in" in " ".join(saboteur.notices)
        (held,) = world.written.holds.values()
        saboteur.give_way()
        async with world.pool() as later:
            await later.ask("Hello", key=OLLAMA[1])
        assert [(scope.key, count) for scope, count in world.written.streaks.items()] == [(OLLAMA[0], 1)]
        return held.amount_usd

    held_usd = asyncio.run(run())
    (lost,) = (cell for day in world.written.days.values() for cell in day.cells.values() if cell.errors)
    assert lost.cost_usd == lost.unconfirmed_usd == held_usd
    world.check_books()
