"""A long outage: alarms first after it, the drain, and what a million entries waiting cost."""

import asyncio
import json
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

from agent.events import Lane
from agent.journal import Journal, Limits
from agent.uplink.progress import PROVEN_S
from simulators.broker import Broker
from simulators.children import ENDS_WITH_US
from simulators.network import Line, Network
from tests.bench.gateway import ALARM, CLOCK, READING, Gateway, Subscriber
from tests.bench.table import ROUNDS, Row, quantile

BACKLOG = 50_000
ALARMS = 100
MILLION = 1_000_000
CHUNK = 10_000
OUTAGES = 3
OUTAGE_S = 20.0
THINGSBOARD = 30_300
"""Readings a second that ThingsBoard Gateway drains at best."""


async def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="gh-bench-", dir=Path.cwd()) as name:
        folder = Path(name)
        broker = Broker.mosquitto(folder) if Broker.has("mosquitto") else Broker.iotcore(folder)
        async with broker:
            return [
                *await _after_an_outage(folder, broker),
                await _reconnect(folder, broker),
                *await _million(folder),
            ]


async def _after_an_outage(folder: Path, broker: Broker) -> list[Row]:
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
    alarm_ms, rate = quantile(last_alarm, 0.5) * 1000, BACKLOG / quantile(last_reading, 0.5)
    return [
        Row(f"last of {ALARMS} alarms in a backlog of {BACKLOG:,}, after reconnecting", f"{alarm_ms:.0f} ms", "",
            "≤ 50 ms", alarm_ms <= 50),
        Row("drain of that backlog", f"{rate:,.0f} readings/s", f"ThingsBoard {THINGSBOARD:,}/s", "≥ 35,000/s",
            rate >= 35_000),
    ]  # fmt: skip


async def _fill(journal: Journal) -> None:
    each = BACKLOG // ALARMS
    for _ in range(ALARMS):
        for _ in range(each - 1):
            journal.append_nowait(READING)
        await journal.append(READING)
        await journal.append(ALARM)


async def _reconnect(folder: Path, broker: Broker) -> Row:
    """From the mended line to the link, after a black hole."""
    took: list[float] = []
    async with Network(broker.port) as network:
        gateway = Gateway(folder / "reconnect", network.port)
        async with gateway.running():
            await gateway.up.wait()
            for _ in range(OUTAGES):
                await CLOCK.sleep(PROVEN_S + 1)  # a link that fails sooner is tried again ever more slowly
                await gateway.journal.append(ALARM)
                await CLOCK.sleep(1)
                gateway.up.clear()
                await network.cut(how=Line.BLACK_HOLE)
                gateway.journal.append_nowait(ALARM)
                await CLOCK.sleep(OUTAGE_S)
                await network.mend()
                begun = CLOCK.mono_s()
                await gateway.up.wait()
                took.append(CLOCK.mono_s() - begun)
    return Row(f"link up again after a black hole of {OUTAGE_S:.0f} s, worst of {OUTAGES}", f"{max(took):.1f} s", "",
               "≤ 4 s", max(took) <= 4)  # fmt: skip


async def _million(folder: Path) -> list[Row]:
    filled = await _child("fill", folder / "million")
    empty = [(await _child("open", folder / f"empty-{number}"))["s"] for number in range(ROUNDS)]
    full = [(await _child("open", folder / "million"))["s"] for _ in range(ROUNDS)]
    killed = (await _child("open", folder / "million", clean=False))["s"]
    grown, ratio = filled["grown_mb"], filled["last_us"] / filled["first_us"]
    more = quantile(full, 0.5) - quantile(empty, 0.5)
    more_killed = killed - quantile(empty, 0.5)
    return [
        Row(f"resident memory, backlog of 0 to {MILLION:,}", f"{grown:+.1f} MB", "", "± 2 MB", abs(grown) <= 2),
        Row("CPU an append, the last tenth against the first", f"{filled['last_us']:.1f} µs",
            f"{filled['first_us']:.1f} µs", f"constant, ≤ 1.15: {ratio:.2f}", ratio <= 1.15),
        Row(f"opening a journal with {MILLION:,} waiting, more than an empty one", f"{more:.2f} s", "", "≤ 1 s",
            more <= 1),
        Row("the same after kill -9", f"{more_killed:.2f} s", "", "≤ 1 s", more_killed <= 1),
    ]  # fmt: skip


async def _child(what: str, folder: Path, *, clean: bool = True) -> Any:
    if not clean:
        (folder / "journal.lock").write_bytes(b"")
    command = (sys.executable, "-m", "tests.bench.backlog", what, str(folder))
    child = await asyncio.create_subprocess_exec(*ENDS_WITH_US, *command, stdout=PIPE)
    out, _ = await child.communicate()
    return json.loads(out)


async def _fill_a_million(folder: Path) -> dict[str, float]:
    journal = await Journal.open(folder, Limits(), CLOCK)
    costs: list[float] = []
    before = 0.0
    for number in range(MILLION // CHUNK):
        begun = time.process_time()
        for _ in range(CHUNK - 1):
            journal.append_nowait(READING)
        await journal.append(READING)
        costs.append((time.process_time() - begun) / CHUNK * 1e6)
        if number == 2:
            before = _resident_mb()  # buffers and page cache have their size by now
    after = _resident_mb()
    await journal.close()
    tenth = len(costs) // 10
    first, last = quantile(costs[1 : tenth + 1], 0.5), quantile(costs[-tenth:], 0.5)
    return {"grown_mb": after - before, "first_us": first, "last_us": last}


async def _open(folder: Path) -> dict[str, float]:
    begun = time.perf_counter()
    journal = await Journal.open(folder, Limits(), CLOCK)
    took_s = time.perf_counter() - begun
    await journal.close()
    return {"s": took_s}


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / (1 << 20)


if __name__ == "__main__":
    todo = _fill_a_million if sys.argv[1] == "fill" else _open
    print(json.dumps(asyncio.run(todo(Path(sys.argv[2])))))
