"""Boards that start without a time, and clocks that are set: told, placed by the centre, and nothing hangs on it."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.contract import rfc3339
from agent.events import Event, Kind, Lane
from agent.journal import Limits
from agent.settings import Centre as CentreSettings
from agent.timekeeper import Timekeeper
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.centre import Centre
from tests.agent.house import GATEWAY, house
from tests.agent.rules.door import HELD_S, KNOWN, LOCK, UNLOCK_S, Run
from tests.agent.whole import agent
from tests.clock import ManualClock, ShiftedClock
from tests.conftest import need
from tests.journal import everything

CLOCK = SystemClock()
YEAR = timedelta(days=365)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Broker:
    need(Broker.has("mosquitto"), "mosquitto")
    return Broker.mosquitto(tmp_path / "broker")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for Unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="gh-"))
    yield path
    shutil.rmtree(path)


# ---------------------------------------------------------------- what is said of the clock


@asynccontextmanager
async def keeper(clock: ManualClock, note: Path, life: str = "boot/epoch") -> AsyncIterator[list[Event]]:
    said: list[Event] = []

    async def record(event: Event) -> None:
        said.append(event)

    task = asyncio.create_task(Timekeeper(clock, note, lambda: life, record).run())
    await clock.settle()
    try:
        yield said
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_the_offset_is_told_once_when_the_clock_is_trusted(tmp_path: Path) -> None:
    clock = ManualClock(utc=None)
    async with keeper(clock, tmp_path / "note") as said:
        await clock.advance(500)
        assert said == []
        clock.set_utc(NOON)
        await clock.advance(500)
        (event,) = said
        assert (event.kind, event.info.lane) == (Kind.CLOCK_OFFSET, Lane.LEDGER)
        assert event.data == {"began": rfc3339(NOON - timedelta(seconds=1500))}
    async with keeper(clock, tmp_path / "note") as said:
        await clock.advance(10)
        assert said == [], "another start in the same boot"
    for life in ("another-boot/epoch", "boot/another-epoch"):
        async with keeper(clock, tmp_path / "note", life) as said:
            assert len(said) == 1


@pytest.mark.parametrize("step", [1.5, -1.5, 3600.0, -365 * 86400.0])
async def test_a_step_is_told_and_so_is_the_way_back(tmp_path: Path, step: float) -> None:
    clock = ManualClock()
    true = clock.utc()
    assert true is not None
    async with keeper(clock, tmp_path / "note") as said:
        clock.set_utc(true + timedelta(seconds=step))
        await clock.advance(1)
        clock.set_utc(None)  # no server for a while
        await clock.advance(100)
        clock.set_utc(true + timedelta(seconds=101))
        await clock.advance(1)
        assert [event.data.get("step_s") for event in said] == [None, step, -step]
        assert said[0].data["began"] == said[2].data["began"]


async def test_what_is_less_than_a_second_is_no_step(tmp_path: Path) -> None:
    clock = ManualClock()
    true = clock.utc()
    assert true is not None
    async with keeper(clock, tmp_path / "note") as said:
        for n in range(20):
            clock.set_utc(true + timedelta(seconds=n + 0.9 * (n % 2)))
            await clock.advance(1)
        assert len(said) == 1


async def test_a_note_that_cannot_be_kept_or_read_costs_one_event_more(tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.mkdir()
    for _ in range(2):
        async with keeper(ManualClock(), note) as said:
            assert len(said) == 1
    note.rmdir()
    note.write_bytes(b"\xff nonsense")
    async with keeper(ManualClock(), note) as said:
        assert len(said) == 1


# ---------------------------------------------------------------- the whole agent, without devices


async def test_what_happened_before_the_first_sync_is_placed_by_the_offset(mosquitto: Broker, folder: Path) -> None:
    clock = ShiftedClock()
    clock.wall = None
    async with mosquitto, Centre(mosquitto.url, clock=CLOCK) as centre, agent(folder, mosquitto, clock):
        started = await centre.wait_for(lambda one: one.kind is Kind.AGENT_STARTED)
        book = centre.gateways[GATEWAY.id]
        assert (started.time, book.when(started)) == (None, None)
        clock.wall = timedelta()
        first = await centre.wait_for(lambda one: one.kind is Kind.CLOCK_OFFSET)
        true = CLOCK.utc()
        placed, told = book.when(started), book.when(first)
        assert placed is not None
        assert told is not None
        if true is not None:
            assert abs(placed - true) < timedelta(minutes=1)
        assert timedelta(0) < told - placed < timedelta(minutes=1)
        for jump in (YEAR, -YEAR, timedelta()):
            clock.wall, mark = jump, centre.mark()
            step = await centre.wait_for(lambda one: one.kind is Kind.CLOCK_OFFSET, since=mark)
            assert abs(step.data["step_s"]) > 300 * 86400
        again = book.when(started)
        assert again is not None
        assert abs(again - placed) < timedelta(seconds=1), "the last word counts"
        proof = centre.proof()
        assert (proof.gaps, proof.broken) == (0, 0)


# ---------------------------------------------------------------- nothing hangs on the wall clock


async def test_jumps_of_a_year_leave_order_link_time_outs_and_retention_alone(
    mosquitto: Broker, tmp_path: Path
) -> None:
    clock = ShiftedClock()
    limits = Limits(keep_days=7)
    async with (
        mosquitto,
        Centre(mosquitto.url, clock=CLOCK) as centre,
        house(tmp_path / "j", CentreSettings(broker=mosquitto.url), clock=clock, limits=limits) as made,
    ):
        await made.linked()
        links, number = len(made.links), 0
        for jump in (None, timedelta(), YEAR, -YEAR, None, timedelta()):
            clock.wall = jump
            began = clock.mono_s()
            for _ in range(20):
                number += 1
                made.report(Kind.SMOKE, "stairwell-1-smoke", number=number)
                made.report(Kind.ACCESS_GRANTED, "north-gate", number=number)
            await made.confirmed()
            assert clock.mono_s() - began < 5, "nothing waited for the clock"
        assert len(made.links) == links, "the link has not even blinked"
        for kind in (Kind.SMOKE, Kind.ACCESS_GRANTED):
            seen = [one.data["number"] for one in centre.received if one.kind is kind]
            assert seen == list(range(1, number + 1))
        for lane in (Lane.ALARM, Lane.ACCESS):
            kept = await everything(made.journal, lane)
            assert len(kept) == number, "confirmed today, kept although a year has passed twice"
        assert (centre.proof().gaps, centre.proof().broken, centre.proof().duplicates) == (0, 0, 0)


@pytest.mark.parametrize("jump", [YEAR, -YEAR], ids=["a-year-ahead", "a-year-back"])
def test_a_door_s_times_are_its_own(jump: timedelta) -> None:
    run = Run.of()
    run.present(KNOWN)
    run.take()
    run.wait(1.0)
    run.set_utc(NOON + jump)
    run.wait(UNLOCK_S - 1.01)
    assert run.take() == ([], [])
    run.contact(True)
    run.set_utc(NOON)
    run.wait(0.01)
    assert LOCK in run.take()[1]
    run.set_utc(None)
    run.wait(HELD_S - 0.02)
    assert Kind.DOOR_HELD not in run.take()[0]
    run.wait(0.02)
    assert Kind.DOOR_HELD in run.take()[0]
