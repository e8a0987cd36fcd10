"""Bounded runs of what `make bench` does at length, and what the panel does on a wire of real pace."""

import asyncio
import random
import secrets
from pathlib import Path

from drivers.base import Card, Cue, DeviceId, DeviceState, Signal, SystemClock
from drivers.osdp.config import OsdpBus, OsdpReader
from drivers.osdp.cp import OsdpControlPanel
from simulators.osdp_reader import SimOsdpBus
from simulators.wire import Pace, Wire
from tests.bench.osdp import interop
from tests.drivers.osdp_fuzz import fuzz
from tests.drivers.reports import Reports

CLOCK = SystemClock()


def test_whatever_is_on_the_wire_nothing_escapes_and_the_next_good_frame_is_read() -> None:
    assert fuzz(20_000, random.Random(7)) == 20_000


async def test_no_card_is_lost_or_doubled_among_commands_and_faults() -> None:
    good, lost, faults, _ = await interop(400)
    assert (good, lost) == (400, 0)
    assert faults > 10


async def test_on_a_wire_of_real_pace_every_card_is_read_and_the_panel_never_speaks_into_a_reply(
    tmp_path: Path,
) -> None:
    wire, reports = Wire(tmp_path / "tty"), Reports()
    keys = {name: secrets.token_bytes(16) for name in ("north", "south")}
    for name, key in keys.items():
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(key.hex())
    readers = tuple(OsdpReader(id=name, address=n, key_file=tmp_path / name) for n, name in enumerate(keys))
    config = OsdpBus(driver="osdp", id="osdp-1", port=str(wire.path), baud=9600, readers=readers)
    async with SimOsdpBus(wire, {name: (n, keys[name]) for n, name in enumerate(keys)}, 9600, Pace()) as sim:
        panel = OsdpControlPanel(config, CLOCK)
        task = asyncio.create_task(panel.run(reports.emit))
        for name in keys:
            await reports.status(DeviceState.OK, name)
        await reports.reading("input-0", device="south")
        for number in range(10):
            sim.present_card("south", Card(26, number))
            panel.apply(Signal(DeviceId("north"), Cue.GRANTED))
            await reports.reading("card", Card(26, number))
        assert sim.collisions == 0
        task.cancel()
        await asyncio.wait([task])
