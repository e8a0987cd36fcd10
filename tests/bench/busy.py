"""What a gateway is busy with while doors are timed: cameras with somebody before them, and a backlog that drains."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from agent.journal import Journal, Limits
from agent.settings import Profile, Settings
from simulators.compound import SimCompound
from simulators.network import Line
from tests.bench.backlog import BACKLOG
from tests.bench.gateway import CLOCK, READING
from tests.bench.processes import cpu_s

CAMERAS = 6
"""More pictures a second than one core can look at."""
READINGS = 8 * BACKLOG
"""So many that the backlog of 50,000 drains for as long as cards are presented."""
LINE_BYTES_PER_S = 300_000
KILL_EVERY_S = 1.0

Meanwhile: TypeAlias = Callable[[], Coroutine[None, None, None]]


def with_cameras(settings: Settings) -> Settings:
    """The compound with a vision process that has more to look at than a core can, and room for the backlog."""
    cameras = tuple(
        camera.model_copy(update={"id": f"{camera.id}-{n}", "fps": 10.0, "zones": ()})
        for camera in settings.cameras
        for n in range(CAMERAS)
    )
    vision = settings.vision.model_copy(update={"profile": Profile.THOROUGH})
    storage = settings.storage.model_copy(update={"max_mb": 512})
    return settings.model_copy(update={"storage": storage, "cameras": cameras, "vision": vision})


async def back_with_a_backlog(running: SimCompound) -> None:
    """Stop the agent, give it an outage's readings, and start it with a line on which they drain for two minutes."""
    await running.network.cut()
    await running.agent.stop()
    await _fill(running.file.parent / "state", READINGS)
    await running.agent.start()
    await running.all_devices_up()
    running.network.slow_bytes_per_s = LINE_BYTES_PER_S
    await running.network.mend()
    await running.network.cut(how=Line.SLOW)


class Load:
    """How busy the vision process was, and how much of the backlog went, from its making to `words`."""

    def __init__(self, pid: int) -> None:
        self._pid, self._begun_s, self._used_s = pid, CLOCK.mono_s(), cpu_s(pid)

    @classmethod
    async def of(cls, running: SimCompound) -> "Load":
        return cls(await running.vision_pid())

    async def words(self, running: SimCompound) -> str:
        share = (cpu_s(self._pid) - self._used_s) / (CLOCK.mono_s() - self._begun_s)
        gone = READINGS - await running.waiting()
        return f"vision at {share:.0%} of a core, {gone:,} readings draining meanwhile"


async def nothing() -> None:
    """The compound is at rest."""


def walking(running: SimCompound) -> Meanwhile:
    """Somebody is always before the camera: every picture is looked at."""

    async def walk() -> None:
        while True:
            for camera in running.cameras:
                running.walk(camera)
            await CLOCK.sleep(9.0)

    return walk


def killing(running: SimCompound) -> Meanwhile:
    """SIGKILL to the vision process, over and over."""

    async def kill() -> None:
        while True:
            with suppress(AssertionError, ProcessLookupError):  # it is being started again
                await running.kill_vision()
            await CLOCK.sleep(KILL_EVERY_S)

    return kill


async def _fill(folder: Path, count: int) -> None:
    journal = await Journal.open(folder, Limits(), CLOCK)
    for number in range(count):
        if number % 500 == 499:
            await journal.append(READING)
        else:
            journal.append_nowait(READING)
    await journal.close()
