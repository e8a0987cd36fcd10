"""Journal and uplink against one fsync, bare paho and raw SQLite, with a real broker."""

import tempfile
import time
from pathlib import Path

from agent.events import Lane
from simulators.broker import Broker
from tests.bench import bare_paho, bare_sqlite
from tests.bench.gateway import ALARM, CLOCK, Gateway, Subscriber, fsync_s
from tests.bench.table import ROUNDS, Row, interleaved, quantile

EVENTS = 5_000
BUSY_RATE = 500
BUSY_EVENTS = 5_000


async def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="gh-bench-", dir=Path.cwd()) as name:
        folder = Path(name)
        broker = Broker.mosquitto(folder) if Broker.has("mosquitto") else Broker.iotcore(folder)
        async with broker:
            return [
                *await _at_rest(folder, broker),
                *await _busy(folder, broker),
                *await _sustained(folder, broker),
            ]


async def _at_rest(folder: Path, broker: Broker) -> list[Row]:
    gateway = Gateway(folder / "rest", broker.port)
    async with gateway.running(), Subscriber(broker.port) as subscriber:
        await gateway.up.wait()
        ours: list[float] = []
        raw: list[float] = []
        for _ in range(80 * ROUNDS):
            raw.append(fsync_s(folder / "fsync"))
            begun = CLOCK.mono_s()
            gateway.journal.append_nowait(ALARM)
            ours.append(await _arrival(subscriber) - begun)
            await CLOCK.sleep(0.01)
    p50, p99, fsync50, fsync99 = (quantile(values, share) * 1000 for values in (ours, raw) for share in (0.5, 0.99))
    return [
        Row("alarm at rest, append to subscriber, p50", f"{p50:.2f} ms", f"one fsync {fsync50:.2f} ms",
            "≤ fsync + 3 ms", p50 <= fsync50 + 3),
        Row("the same, p99", f"{p99:.2f} ms", f"one fsync {fsync99:.2f} ms", "≤ fsync + 10 ms", p99 <= fsync99 + 10),
    ]  # fmt: skip


async def _busy(folder: Path, broker: Broker) -> list[Row]:
    """Events come evenly at a rate; each one's delay, append to subscriber."""
    gateway = Gateway(folder / "busy", broker.port)
    begun: list[float] = []
    arrived: list[float] = []
    raw = [fsync_s(folder / "fsync") for _ in range(1000)]
    async with gateway.running(), Subscriber(broker.port) as subscriber:
        await gateway.up.wait()
        first = CLOCK.mono_s()
        while len(begun) < BUSY_EVENTS:
            while len(begun) < min(BUSY_EVENTS, (CLOCK.mono_s() - first) * BUSY_RATE):
                begun.append(CLOCK.mono_s())
                gateway.journal.append_nowait(ALARM)
            await CLOCK.sleep(0.5 / BUSY_RATE)
        while len(arrived) < BUSY_EVENTS:
            arrived.append(await _arrival(subscriber))
    late = [there - sent for sent, there in zip(begun, arrived, strict=True)]
    p99, fsync99 = quantile(late, 0.99) * 1000, quantile(raw, 0.99) * 1000
    return [
        Row(f"alarm at {BUSY_RATE} events/s, p99", f"{p99:.2f} ms", f"one fsync {fsync99:.2f} ms",
            "≤ fsync + 10 ms", p99 <= fsync99 + 10),
    ]  # fmt: skip


async def _arrival(subscriber: Subscriber) -> float:
    while True:
        arrived, lane, _ = await subscriber.take()
        if lane == Lane.ALARM:
            return arrived


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
    sqlite_us = bare_sqlite.insert(folder / "bare.db", EVENTS) / EVENTS * 1e6
    return [
        Row("sustained single events, committed and acknowledged", f"{rate:,.0f}/s", f"bare paho {limit:,.0f}/s",
            f"≥ 65 % of bare paho: {rate / limit:.0%}", rate >= 0.65 * limit),
        Row("CPU an event", f"{ours_us:.0f} µs", f"bare paho {raw_us:.0f} µs, raw SQLite {sqlite_us:.0f} µs",
            f"≤ 1.7 times bare paho: {ours_us / raw_us:.2f}", ours_us <= 1.7 * raw_us),
    ]  # fmt: skip
