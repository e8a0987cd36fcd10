"""Journal and uplink against one fsync and against bare paho, with a real broker."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent.contract import Topics
from agent.events import Kind, Lane
from agent.journal import Draft, Journal, Limits
from agent.settings import Centre, Confirm, load
from agent.uplink import LinkPhase, LinkState, Uplink
from drivers.base import ClockTrust, SystemClock
from simulators.broker import Broker
from simulators.network import Network
from tests.bench import bare_paho
from tests.bench.table import ROUNDS, Row, interleaved, quantile

SIMULATED = Path(__file__).parents[2] / "config" / "simulated.toml"
CLOCK = SystemClock(ClockTrust.ALWAYS)
EVENTS = 5_000
BACKLOG = 50_000
ALARMS = 100
BODY = (
    b'{"type":"gatehouse.door.forced","subject":"north-gate","time":"2026-03-01T08:00:00.000Z","boot":"%s",'
    % (b"0" * 36)
    + b'"uptime":"12345.678","severity":"critical","datacontenttype":"application/json","data":{"title_zh":"-"}}'
)
READING = b'["pump-room/temperature",21.5,"C","good","12345.678","2026-03-01T08:00:00.000Z","00000000"]'
ALARM = Draft(Lane.ALARM, Kind.DOOR_FORCED, BODY)


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
        self.journal = await Journal.open(self._folder, Limits(), CLOCK)
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
            sys.executable, "-m", "tests.bench.subscriber", str(self._port), stdout=asyncio.subprocess.PIPE
        )
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


async def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="gh-bench-", dir=Path.cwd()) as name:
        folder = Path(name)
        broker = Broker.mosquitto(folder) if Broker.has("mosquitto") else Broker.iotcore(folder)
        async with broker:
            return [
                await _at_rest(folder, broker),
                *await _sustained(folder, broker),
                *await _backlog(folder, broker),
            ]


async def _at_rest(folder: Path, broker: Broker) -> Row:
    gateway = Gateway(folder / "rest", broker.port)
    async with gateway.running(), Subscriber(broker.port) as subscriber:
        await gateway.up.wait()
        ours: list[float] = []
        raw: list[float] = []
        for _ in range(40 * ROUNDS):
            raw.append(_fsync_s(folder / "fsync"))
            begun = CLOCK.mono_s()
            gateway.journal.append_nowait(ALARM)
            lane = ""
            while lane != Lane.ALARM:
                arrived, lane, _count = await subscriber.take()
            ours.append(arrived - begun)
            await CLOCK.sleep(0.01)
    p50, fsync = quantile(ours, 0.5) * 1000, quantile(raw, 0.5) * 1000
    return Row(
        f"alarm at rest, append to subscriber, p50 (p99 {quantile(ours, 0.99) * 1000:.1f} ms)",
        f"{p50:.2f} ms",
        f"one fsync {fsync:.2f} ms",
        "≤ fsync + 3 ms",
        p50 <= fsync + 3,
    )


async def _sustained(folder: Path, broker: Broker) -> list[Row]:
    cpu: dict[str, list[float]] = {"ours": [], "raw": []}
    number = 0

    async def ours() -> float:
        nonlocal number
        number += 1
        gateway = Gateway(folder / f"sustained-{number}", broker.port)
        async with gateway.running():
            await gateway.up.wait()
            wall, spent = time.perf_counter(), time.process_time()
            for _ in range(EVENTS):
                gateway.journal.append_nowait(ALARM)
            await gateway.confirmed(Lane.ALARM, EVENTS)
            cpu["ours"].append((time.process_time() - spent) / EVENTS)
            return EVENTS / (time.perf_counter() - wall)

    async def raw() -> float:
        wall, spent = await bare_paho.publish(broker.port, EVENTS)
        cpu["raw"].append(spent / EVENTS)
        return EVENTS / wall

    rate, limit = await interleaved(ours, raw)
    ours_us, raw_us = (quantile(cpu[who], 0.5) * 1e6 for who in ("ours", "raw"))
    return [
        Row("sustained single events, committed and acknowledged", f"{rate:,.0f}/s", f"bare paho {limit:,.0f}/s",
            f"≥ 60 % of bare paho: {rate / limit:.0%}", rate >= 0.6 * limit),
        Row("CPU an event", f"{ours_us:.0f} µs", f"bare paho {raw_us:.0f} µs; {ours_us / raw_us:.1f} times"),
    ]  # fmt: skip


async def _backlog(folder: Path, broker: Broker) -> list[Row]:
    last_alarm: list[float] = []
    last_reading: list[float] = []
    for number in range(ROUNDS):
        async with Network(broker.port) as network, Subscriber(broker.port) as subscriber:
            await network.cut()
            gateway = Gateway(folder / f"backlog-{number}", network.port)
            async with gateway.running():
                await _fill(gateway.journal)
                await network.mend()
                alarms = readings = 0
                while alarms < ALARMS or readings < BACKLOG:
                    arrived, lane, count = await subscriber.take()
                    if lane == Lane.ALARM:
                        alarms += count
                        alarm_s = arrived
                    elif lane == Lane.TELEMETRY:
                        readings += count
                        reading_s = arrived
                last_alarm.append(alarm_s - gateway.up_s)
                last_reading.append(reading_s - gateway.up_s)
    alarm_ms, drain_s = quantile(last_alarm, 0.5) * 1000, quantile(last_reading, 0.5)
    return [
        Row(f"last of {ALARMS} alarms in a backlog of {BACKLOG:,}, after reconnecting", f"{alarm_ms:.0f} ms", "",
            "≤ 50 ms", alarm_ms <= 50),
        Row("last reading of that backlog", f"{drain_s:.2f} s ({BACKLOG / drain_s:,.0f}/s)"),
    ]  # fmt: skip


async def _fill(journal: Journal) -> None:
    each = BACKLOG // ALARMS
    for _ in range(ALARMS):
        for _ in range(each - 1):
            journal.append_nowait(Draft(Lane.TELEMETRY, Kind.READINGS, READING))
        await journal.append(Draft(Lane.TELEMETRY, Kind.READINGS, READING))
        await journal.append(ALARM)


def _fsync_s(path: Path) -> float:
    begun = time.perf_counter()
    with path.open("ab", buffering=0) as file:
        file.write(BODY)
        os.fsync(file.fileno())
    return time.perf_counter() - begun
