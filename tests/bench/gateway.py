"""What the benchmarks of journal and uplink share: a gateway without devices, and a subscriber in its own process."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent.contract import Topics
from agent.events import Kind, Lane
from agent.journal import Draft, Journal, Limits
from agent.settings import Centre, Confirm, load
from agent.uplink import CONFIRM_WITHIN_S, LinkPhase, LinkState, Uplink
from drivers.base import ClockTrust, SystemClock
from simulators.children import ENDS_WITH_US

SIMULATED = Path(__file__).parents[2] / "config" / "simulated.toml"
CLOCK = SystemClock(ClockTrust.ALWAYS)
BODY = (
    b'{"type":"gatehouse.door.forced","subject":"north-gate","time":"2026-03-01T08:00:00.000Z","boot":"%s",'
    % (b"0" * 36)
    + b'"uptime":"12345.678","severity":"critical","datacontenttype":"application/json","data":{"title_zh":"-"}}'
)
ALARM = Draft(Lane.ALARM, Kind.DOOR_FORCED, BODY)
READING = Draft(
    Lane.TELEMETRY,
    Kind.READINGS,
    b'["pump-room/temperature",21.5,"C","good","12345.678","2026-03-01T08:00:00.000Z","00000000"]',
)


class Gateway:
    """Journal and uplink of one gateway, without devices; PUBACKs confirm, so that no centre shares the CPU."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._centre = Centre(broker=f"mqtt://127.0.0.1:{port}", confirm=Confirm.BROKER, window=100)
        self.up = asyncio.Event()
        self.up_s = 0.0
        self.journal: Journal

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Gateway"]:
        self.journal = await Journal.open(self._folder, Limits(confirmation_wait_s=CONFIRM_WITHIN_S), CLOCK)
        uplink = Uplink(
            self._centre, Topics.of(load(SIMULATED).gateway), self.journal, CLOCK, "0" * 36,
            status=lambda: b"{}", on_link=self._on_link,
        )  # fmt: skip
        task = asyncio.create_task(uplink.run())
        try:
            yield self
        finally:
            await uplink.stop(0.5)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.journal.close()

    async def confirmed(self, lane: Lane, upto: int) -> None:
        while self.journal.lanes[lane].confirmed < upto:
            await CLOCK.sleep(0.002)

    def _on_link(self, link: LinkState) -> None:
        if link.phase is LinkPhase.UP:
            self.up_s = CLOCK.mono_s()
            self.up.set()


class Subscriber:
    """The subscriber process; `take` gives (arrival, lane, count) of the next message."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> "Subscriber":
        self._process = await asyncio.create_subprocess_exec(
            *ENDS_WITH_US, sys.executable, "-m", "tests.bench.subscriber", str(self._port),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        await self._process.stdout.readline()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await self._process.wait()

    async def take(self) -> tuple[float, str, int]:
        assert self._process.stdout is not None
        arrived, lane, count = (await self._process.stdout.readline()).split()
        return float(arrived), lane.decode(), int(count)


def fsync_s(path: Path) -> float:
    """Seconds of one append of a typical event to a file, with its fsync."""
    begun = time.perf_counter()
    with path.open("ab", buffering=0) as file:
        file.write(BODY)
        os.fsync(file.fileno())
    return time.perf_counter() - begun
