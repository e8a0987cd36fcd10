"""The whole agent lives through rounds of a bad day and grows by nothing: memory, descriptors, threads. So does the
camera process with four busy cameras.

A few rounds here; `make torture` goes on for GATEHOUSE_TORTURE_S seconds with each.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from agent.settings import Settings
from agent.vision.client import VisionClient
from drivers.base import SystemClock
from simulators.camera import clip_source
from simulators.clips import fetch_bikes
from simulators.compound import SimCompound
from simulators.network import Line
from tests.system.conftest import compound, everything_confirmed

LONG_S = float(os.environ.get("GATEHOUSE_TORTURE_S", "0"))
WARM_ROUNDS = 3 if "GATEHOUSE_TORTURE_S" in os.environ else 1
ROUNDS = 2
pytestmark = pytest.mark.timeout(LONG_S + 1800)
GROWTH_MB = 4.0
"""What the allocator may keep between rounds; a leak passes it in an hour."""
CAMERAS = 4
CAMERAS_MB = 200
FRAMES = 250
"""Of all cameras; each clip has been round once."""


@dataclass(frozen=True, slots=True)
class Size:
    memory_mb: float
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Self:
        proc = Path(f"/proc/{pid}")
        fields = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        memory_mb = int(fields["VmRSS"].split()[0]) / 1024
        return cls(memory_mb, len(list((proc / "fd").iterdir())), int(fields["Threads"]))


async def a_bad_day(running: SimCompound) -> None:
    """Alarms and readings, people at the door, the line cut and silent, cables pulled, the camera process killed."""
    for on in (True, False) * 20:
        for point in ("gpio/cabinet", "gpio/mains-lost", "gpio/south-contact"):
            running.set_point(point, on)
    for how in (Line.REFUSED, Line.BLACK_HOLE):
        await running.network.cut(how=how)
        await running.walk_through("north-gate", "resident")
        await running.lock_is("north-gate", unlocked=False)
        await running.network.mend()
    for device in ("osdp-1", "modbus-1", "gpio"):
        await running.unplug(device)
        await running.plug(device)
    await running.kill_vision()
    await running.all_devices_up()
    await everything_confirmed(running, 60)


async def test_the_agent_grows_by_nothing(settings: Settings, folder: Path) -> None:
    clock = SystemClock()
    until_s = clock.mono_s() + LONG_S
    async with compound(settings, folder) as running:
        await running.all_devices_up()
        for _ in range(WARM_ROUNDS):
            await a_bad_day(running)
        before, rounds = Size.of(running.agent.pid), 0
        while rounds < ROUNDS or clock.mono_s() < until_s:
            await a_bad_day(running)
            rounds += 1
        after = Size.of(running.agent.pid)
        print(f"\n{rounds} bad days: {before} then {after}; {running.centre.proof()}")
        assert after.descriptors <= before.descriptors
        assert after.threads <= before.threads
        assert after.memory_mb - before.memory_mb <= GROWTH_MB
        assert running.centre.proof().gaps == 0


async def test_the_camera_process_grows_by_nothing(settings: Settings, tmp_path: Path) -> None:
    lane = settings.cameras[0].model_copy(update={"source": clip_source(fetch_bikes()), "zones": (), "snapshots": True})
    cameras = tuple(lane.model_copy(update={"id": f"cam-{number}"}) for number in range(CAMERAS))
    run = settings.run.model_copy(update={"folder": tmp_path})
    config = settings.model_copy(update={"cameras": cameras, "run": run})
    clock = SystemClock()
    news = asyncio.Event()
    client = VisionClient(config, clock, lambda _: news.set(), lambda _: None)
    watching = asyncio.create_task(client.run(), name="vision")

    async def frames(count: int) -> Size:
        """Once so many have been looked through since now."""
        begun = 0 if client.stats is None else client.stats.frames
        while client.stats is None or client.stats.frames - begun < count:
            news.clear()
            await asyncio.wait_for(news.wait(), 120)
        assert client.pid is not None
        return Size.of(client.pid)

    try:
        before, pid = await frames(FRAMES), client.pid
        until_s = clock.mono_s() + LONG_S
        after = await frames(FRAMES)
        while clock.mono_s() < until_s:
            after = await frames(FRAMES)
        print(f"\n{CAMERAS} cameras: {before} then {after}")
        assert client.pid == pid, "one process all the time"
        assert after.memory_mb <= CAMERAS_MB
        assert after.memory_mb - before.memory_mb <= GROWTH_MB
        assert after.descriptors <= before.descriptors
        assert after.threads <= before.threads
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
