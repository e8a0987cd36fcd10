"""The OSDP control panel against the wire's own limits, libosdp's readers, and frames that are none."""

import asyncio
import gc
import logging
import random
import resource
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from drivers.base import (
    Card,
    Cue,
    DeviceFault,
    DeviceId,
    DeviceState,
    Output,
    PointId,
    Reading,
    Report,
    Signal,
    Status,
    Switch,
    SystemClock,
)
from drivers.osdp.config import OsdpBus, OsdpReader
from drivers.osdp.cp import OsdpControlPanel
from simulators.osdp_reader import Manipulator, SimOsdpBus, noisy
from simulators.wire import Wire
from tests.bench.far_end import FarEnd, far_end
from tests.bench.table import Row
from tests.drivers.osdp_fuzz import fuzz

CLOCK = SystemClock()
INTEROP_CARDS = 20_000
FUZZ_FRAMES = 1_000_000
REST_S = 10.0


async def rows() -> list[Row]:
    found: list[Row] = []
    for baud in (9600, 115200):
        found += await _paced(baud)
    return [*found, await interop_row(INTEROP_CARDS), _fuzz_row()]


# ---------------------------------------------------------------- a paced wire in a process of its own


@dataclass
class Panel:
    """The control panel and what it has said, with the moment at which it did."""

    said: list[tuple[float, Report]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def emit(self, report: Report) -> None:
        self.said.append((CLOCK.mono_s(), report))
        self.news.set()

    async def until(self, count: int) -> None:
        """Wait for so many reports in all."""
        async with asyncio.timeout(20):
            while len(self.said) < count:
                self.news.clear()
                await self.news.wait()

    def cards(self) -> list[tuple[float, Card]]:
        return [(at, r.value) for at, r in self.said if isinstance(r, Reading) and isinstance(r.value, Card)]


def config(folder: Path, keys: list[bytes], baud: int, poll_interval_s: float = 0.05) -> OsdpBus:
    readers = []
    for number, key in enumerate(keys):
        path = folder / f"r{number}.key"
        path.touch(mode=0o600)
        path.write_text(key.hex())
        readers.append(OsdpReader(id=f"r{number}", address=number, key_file=path))
    return OsdpBus(
        driver="osdp", id="osdp-1", port=str(folder / "tty"), baud=baud, poll_interval_s=poll_interval_s,
        readers=tuple(readers),
    )  # fmt: skip


@asynccontextmanager
async def paced(baud: int) -> AsyncIterator[tuple[FarEnd, Panel]]:
    """Two readers in secure channel, online, with every question answered."""
    keys = [secrets.token_bytes(16) for _ in range(2)]
    with tempfile.TemporaryDirectory(prefix="gh-bench-") as name:
        folder = Path(name)
        panel = Panel()
        async with far_end(folder / "tty", baud, keys) as far:
            task = asyncio.create_task(OsdpControlPanel(config(folder, keys, baud), CLOCK).run(panel.emit))
            try:
                await _all_known(panel)
                yield far, panel
            finally:
                task.cancel()
                await asyncio.wait([task])


async def _all_known(panel: Panel) -> None:
    async with asyncio.timeout(20):
        while sum(isinstance(r, Reading) and r.point == "input-0" for _, r in panel.said) < 2:
            panel.news.clear()
            await panel.news.wait()


async def _paced(baud: int) -> list[Row]:
    async with paced(baud) as (far, panel):
        rest = await _rest(far, baud)
        back_s = await _returning(far, panel)
        frames = await far.frames()
    empty = await _empty_loop(rest.wakes)
    where = f"OSDP at {baud}, two readers in secure channel"
    return [
        Row(
            f"{where}: polls a second of each reader", f"{rest.polls_s:.1f}", f"{rest.limit_s:.1f}",
            "≥ 90 % of the wire", rest.polls_s >= 0.9 * rest.limit_s,
        ),
        Row(
            f"{where}: CPU at rest, beside an empty loop that wakes as often ({rest.wakes / REST_S:.0f}/s)",
            f"{rest.share:.1%} of a core", f"{empty:.1%}", "≤ 2 %", rest.share <= 0.02,
        ),
        Row(f"{where}: a reader is powered again and serves", f"{back_s:.2f} s", "", "≤ 1 s", back_s <= 1),
        frames.collisions_row(baud),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rest:
    """While nothing happens: CPU share of this process, how often it woke, polls a second made and possible."""

    share: float
    wakes: int
    polls_s: float
    limit_s: float


async def _rest(far: FarEnd, baud: int) -> Rest:
    await far.frames()
    woken = _wakes()
    begun, used = CLOCK.mono_s(), time.process_time()
    await CLOCK.sleep(REST_S)
    share = (time.process_time() - used) / (CLOCK.mono_s() - begun)
    woken = _wakes() - woken
    frames = await far.frames()
    return Rest(share, woken, frames.polls / 2 / (CLOCK.mono_s() - begun), 1 / frames.cycle_s(baud))


async def _empty_loop(wakes: int) -> float:
    """CPU share of a task that wakes so often, as the panel at rest does, and does nothing."""
    begun, used = CLOCK.mono_s(), time.process_time()
    for number in range(1, wakes + 1):
        await CLOCK.sleep(max(0.0, begun + number * REST_S / wakes - CLOCK.mono_s()))
    return (time.process_time() - used) / (CLOCK.mono_s() - begun)


def _wakes() -> int:
    """How often this process has slept and woken."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw


async def _returning(far: FarEnd, panel: Panel) -> float:
    """The longest of five returns after outages of different lengths."""
    found = []
    for outage_s in (1.5, 2.0, 2.7, 3.3, 4.1):
        seen = len(panel.said)
        far.order("off", "r0")
        await CLOCK.sleep(outage_s)
        far.order("on", "r0")
        begun = float(await far.answer("on"))
        while True:
            back = [at for at, r in panel.said[seen:] if isinstance(r, Status) and r.state is DeviceState.OK]
            if back:
                found.append(back[0] - begun)
                break
            await panel.until(len(panel.said) + 1)
    return max(found)


# ---------------------------------------------------------------- libosdp's readers, commands and a bad cable


async def interop(cards: int, readers: int = 4, fault_share: float = 0.02) -> tuple[int, int, int, float]:
    """Present cards on several readers at once among commands and faults.

    Returns cards read in order and once, losses, faulty transmissions survived, and seconds.
    """
    keys = [secrets.token_bytes(16) for _ in range(readers)]
    source = random.Random(cards)
    faults = 0

    def counting(spoil: Manipulator) -> Manipulator:
        def count(data: bytes) -> bytes:
            nonlocal faults
            spoilt = spoil(data)
            faults += spoilt != data
            return spoilt

        return count

    with tempfile.TemporaryDirectory(prefix="gh-bench-") as name:
        folder = Path(name)
        panel = Panel()
        bus = SimOsdpBus(Wire(folder / "tty"), {f"r{n}": (n, key) for n, key in enumerate(keys)}, 230400)
        async with bus:
            device = OsdpControlPanel(config(folder, keys, 230400, 0.01), CLOCK)
            task = asyncio.create_task(device.run(panel.emit))
            await _online(panel, readers)
            bus.to_agent = counting(noisy(fault_share, source))
            bus.to_readers = counting(noisy(fault_share, source, damage=False))
            begun, good, lost = CLOCK.mono_s(), 0, 0
            for first in range(0, cards, readers):
                panel.said.clear()
                wanted = {f"r{n}": Card(26, (first + n) % (1 << 26)) for n in range(readers)}
                for reader, card in wanted.items():
                    bus.present_card(reader, card)
                _command(device, source, readers)
                got = await _round(panel, readers)
                good += sum(got.get(DeviceId(reader)) == [card] for reader, card in wanted.items())
                lost += sum(got.get(DeviceId(reader)) != [card] for reader, card in wanted.items())
                bus.cues.clear()
            took_s = CLOCK.mono_s() - begun
            task.cancel()
            await asyncio.wait([task])
    return good, lost, faults, took_s


async def _online(panel: Panel, readers: int) -> None:
    async with asyncio.timeout(20):
        while sum(isinstance(r, Status) and r.state is DeviceState.OK for _, r in panel.said) <= readers:
            panel.news.clear()
            await panel.news.wait()


def _command(device: OsdpControlPanel, source: random.Random, readers: int) -> None:
    """Something to do for one of the readers."""
    reader = DeviceId(f"r{source.randrange(readers)}")
    with suppress(DeviceFault):  # contact may just be lost
        device.apply(_output(reader, source))


def _output(reader: DeviceId, source: random.Random) -> Output:
    if source.random() < 0.5:
        return Signal(reader, source.choice((Cue.GRANTED, Cue.DENIED)))
    return Switch(reader, PointId("output-1"), on=True, for_s=1.0)


async def _round(panel: Panel, readers: int) -> dict[DeviceId, list[Card]]:
    """The cards of one round by reader, once every reader has told one."""
    async with asyncio.timeout(20):
        while len(panel.cards()) < readers:
            panel.news.clear()
            await panel.news.wait()
    found: dict[DeviceId, list[Card]] = {}
    for _, report in panel.said:
        if isinstance(report, Reading) and isinstance(report.value, Card):
            found.setdefault(report.device, []).append(report.value)
    return found


async def interop_row(cards: int) -> Row:
    good, lost, faults, took_s = await interop(cards, fault_share=0.005)
    return Row(
        f"OSDP with libosdp's readers: cards read once and in order among commands and {faults} faults of the cable",
        f"{good} ({good / took_s:.0f}/s)", "", "≥ 20,000, none lost", lost == 0 and good >= INTEROP_CARDS,
    )  # fmt: skip


# ---------------------------------------------------------------- frames that are none


def _fuzz_row() -> Row:
    logging.getLogger("drivers.osdp").setLevel(logging.CRITICAL)  # each frame refused is a line
    fuzz(20_000, random.Random(1))
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = CLOCK.mono_s()
    read = fuzz(FUZZ_FRAMES, random.Random(2))
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return Row(
        f"OSDP decoder: mutated frames, after each the next good one is read ({CLOCK.mono_s() - begun:.0f} s)",
        f"{read:,}; memory + {grown_kb / 1024:.1f} MB", "", "1,000,000, no exception, < 4 MB", grown_kb < 4096,
    )  # fmt: skip
