"""Fire releases and lockdowns are on the disk soon after they are decided, and nothing waits for it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.events import Event, Kind
from agent.latches import AGAIN_S, Latches
from agent.rules.doors import Standing
from drivers.base import SystemClock
from tests.clock import ManualClock

CLOCK = SystemClock()


@asynccontextmanager
async def running(latches: Latches) -> AsyncIterator[None]:
    task = asyncio.create_task(latches.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        for writer in [thread for thread in threading.enumerate() if thread.name == "latches"]:
            writer.join()  # what it wrote is seen before it ends


async def kept(path: Path, door: str, wanted: Standing) -> None:
    async with CLOCK.timeout(5):
        while Latches(path, CLOCK).of(door) != wanted:
            await CLOCK.sleep(0.005)


def event(kind: Kind, door: str = "north") -> Event:
    return Event(kind, door, 1.0, {})


async def test_what_stands_is_known_to_the_next_run_and_what_was_ended_is_not(tmp_path: Path) -> None:
    path = tmp_path / "latches"
    latches = Latches(path, CLOCK)
    async with running(latches):
        for kind in (Kind.FIRE_RELEASE, Kind.DOOR_FORCED, Kind.LOCKDOWN):
            latches.note(event(kind))
        await kept(path, "north", Standing(fire=True, lockdown=True))
        assert Latches(path, CLOCK).of("south") == Standing()
        latches.note(event(Kind.FIRE_RELEASE_RESTORED))
        await kept(path, "north", Standing(lockdown=True))
        latches.note(event(Kind.LOCKDOWN_RESTORED))
        await kept(path, "north", Standing())
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"north": "fire"}', b"[[[],[]]"])
async def test_a_file_that_is_none_is_named_and_counts_as_nothing(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "latches"
    path.write_bytes(content)
    assert Latches(path, CLOCK).of("north") == Standing()
    assert str(path) in caplog.text


async def test_a_disk_that_refuses_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, clock = tmp_path / "state", ManualClock()
    folder.write_text("in the way")
    latches = Latches(folder / "latches", clock)
    async with running(latches):
        latches.note(event(Kind.FIRE_RELEASE))
        async with CLOCK.timeout(5):
            while "memory only" not in caplog.text:
                await CLOCK.sleep(0.005)
        assert latches.of("north").fire
        folder.unlink()
        await clock.advance(AGAIN_S)
        await kept(folder / "latches", "north", Standing(fire=True))
