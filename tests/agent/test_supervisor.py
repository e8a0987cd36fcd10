"""A device's bug stops that device, visibly, and it is tried again."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from agent.supervisor import WELL_AFTER_S, Boundary, Supervisor
from drivers.base import DeviceId, DeviceState, Emit, Output, PointId, Reading, Report, Status
from tests.clock import ManualClock

BUS = DeviceId("bus")
READING = Reading(DeviceId("reader"), PointId("tamper"), False, 1000.0)


class FakeDevice:
    """Runs one behaviour after the other, and then for ever."""

    def __init__(self, *behaviours: Callable[[Emit], Awaitable[None]], name: str = BUS) -> None:
        self.id = DeviceId(name)
        self.serves = frozenset({self.id, DeviceId("reader")})
        self.runs = 0
        self.closed = 0
        self.task_name = ""
        self._behaviours = list(behaviours)

    async def run(self, emit: Emit) -> None:
        self.runs += 1
        task = asyncio.current_task()
        assert task is not None
        self.task_name = task.get_name()
        try:
            if self._behaviours:
                await self._behaviours.pop(0)(emit)
            else:
                await asyncio.Event().wait()
        finally:
            self.closed += 1

    def apply(self, output: Output) -> None:
        raise AssertionError(output)


async def bug(_: Emit) -> None:
    raise KeyError("register")


async def grouped_bug(_: Emit) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(bug(_))


async def end(_: Emit) -> None:
    return


async def cancel_oneself(_: Emit) -> None:
    raise asyncio.CancelledError


@asynccontextmanager
async def supervised(clock: ManualClock, *devices: FakeDevice) -> AsyncIterator[list[Report]]:
    said: list[Report] = []
    task = asyncio.create_task(Supervisor(clock, said.append).run(devices, said.append))
    await clock.settle()
    yield said
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_devices_run_side_by_side_under_their_names() -> None:
    async def speak(emit: Emit) -> None:
        emit(READING)
        await asyncio.Event().wait()

    one, other = FakeDevice(speak), FakeDevice(name="chip")
    async with supervised(ManualClock(), one, other) as said:
        assert said == [READING]
        assert (one.task_name, other.task_name) == ("device:bus", "device:chip")
    assert (one.closed, other.closed) == (1, 1)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (bug, "bug: KeyError: 'register'"),
        (grouped_bug, "bug: ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)"),
        (end, "bug: ended by itself"),
        (cancel_oneself, "bug: cancelled from inside"),
    ],
)
async def test_a_bug_is_a_fault_of_all_it_serves_and_is_retried(
    behaviour: Callable[[Emit], Awaitable[None]], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock, device, other = ManualClock(), FakeDevice(behaviour), FakeDevice(name="chip")
    async with supervised(clock, device, other) as said:
        assert [status.device for status in said if isinstance(status, Status)] == ["bus", "reader"]
        assert all(isinstance(s, Status) and s.state is DeviceState.FAULT and s.reason == reason for s in said)
        assert "bus" in next(r.getMessage() for r in caplog.records if r.levelno == logging.ERROR)
        await clock.advance(1.0)
        assert (device.runs, other.runs) == (2, 1)


async def test_retries_come_slower_and_slower_but_never_cease() -> None:
    clock, device = ManualClock(), FakeDevice(*[bug] * 1000)
    async with supervised(clock, device):
        await clock.advance(10.0)
        assert 4 <= device.runs <= 12
        before = device.runs
        await clock.advance(600.0)
        assert 20 <= device.runs - before <= 50


async def test_after_a_good_while_the_first_retry_is_quick_again() -> None:
    clock = ManualClock()

    async def run_well(_: Emit) -> None:
        await clock.sleep(WELL_AFTER_S)
        raise KeyError("late")

    device = FakeDevice(*[bug] * 10, run_well)
    async with supervised(clock, device):
        while device.runs < 11:
            await clock.advance(5.0)
        while device.closed < 11:
            await clock.advance(1.0)
        await clock.advance(0.5)
        assert device.runs == 12


def test_the_boundary_lets_cancellation_and_exits_through() -> None:
    problems: list[str] = []
    for error in (asyncio.CancelledError, SystemExit, KeyboardInterrupt):
        with pytest.raises(error), Boundary("part", problems.append):
            raise error
    assert problems == []
