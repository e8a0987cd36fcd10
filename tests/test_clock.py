"""The hand-moved clock keeps the promises the other tests lean on."""

import asyncio
from datetime import UTC, datetime

import pytest

from drivers.base import SystemClock
from tests.clock import ManualClock


async def test_sleepers_wake_in_order_at_their_own_moment() -> None:
    clock, seen = ManualClock(0.0), list[tuple[str, float]]()

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        seen.append((name, clock.mono_s()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 3.0), ("early", 1.0), ("middle", 2.0)):
            group.create_task(sleeper(name, seconds))
        await clock.advance(2.5)
        assert seen == [("early", 1.0), ("middle", 2.0)]
        assert clock.next_alarm_s == 3.0
        await clock.advance(10.0)
    assert seen[-1] == ("late", 3.0)
    assert clock.mono_s() == 12.5


async def test_a_timeout_cancels_the_block_and_raises() -> None:
    clock, never = ManualClock(), asyncio.Event()

    async def waiter() -> str:
        try:
            async with clock.timeout(5.0):
                await never.wait()
        except TimeoutError:
            return "timed out"
        return "finished"

    task = asyncio.create_task(waiter())
    await clock.advance(4.9)
    assert not task.done()
    await clock.advance(0.2)
    assert await task == "timed out"
    assert clock.next_alarm_s is None


async def test_a_block_that_ends_in_time_leaves_no_alarm() -> None:
    clock = ManualClock()
    async with clock.timeout(5.0):
        await clock.sleep(0)
    assert clock.next_alarm_s is None
    await clock.advance(10.0)


async def test_a_timeout_of_nothing_is_over_at_the_first_wait() -> None:
    clock = ManualClock()
    with pytest.raises(TimeoutError):
        async with clock.timeout(0):
            await asyncio.Event().wait()


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(5.0))
    await clock.settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.next_alarm_s is None


async def test_wall_time_moves_along_until_it_is_taken_away() -> None:
    clock = ManualClock(utc=datetime(2026, 1, 1, tzinfo=UTC))
    await clock.advance(60.0)
    assert clock.utc() == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    clock.set_utc(None)
    assert clock.utc() is None


async def test_a_clean_up_may_wait_with_a_limit_while_its_task_is_cancelled() -> None:
    """Python 3.11.2 lets the cancellation out instead; SystemClock does not."""
    clock, ended = SystemClock(), list[str]()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                async with clock.timeout(0.01):
                    await asyncio.Event().wait()
            except TimeoutError:
                ended.append("timed out")
            async with clock.timeout(10):
                ended.append("and went on")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert ended == ["timed out", "and went on"]
