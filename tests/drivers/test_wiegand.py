"""Readers on two lines: by the line server, and by the kernel's interface through gpiod."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.base import (
    Card,
    Cue,
    DeviceFault,
    DeviceId,
    DeviceState,
    Keys,
    PointId,
    Signal,
    Status,
    Switch,
    SystemClock,
)
from drivers.gpio import put_outputs_safe
from drivers.wiegand import FormatName, WiegandBus, WiegandReaders, lines_of
from drivers.wiegand.device import REFUSED_IN_A_ROW, _Decoder
from drivers.wiegand.frames import Burst
from simulators.gpio_lines import SimGpioLines
from simulators.wiegand_reader import SimWiegandReader
from tests.drivers.reports import WAIT_S, Reports
from tests.drivers.test_wiegand_formats import with_parity
from tests.gpio_shim.kernel_chip import KernelChild, child_environment, gpio_shim

__all__ = ["gpio_shim"]

BUS, NORTH, SOUTH = DeviceId("wiegand-1"), DeviceId("north"), DeviceId("south")
LED, BUZZER = 8, 9


def frame(name: str, payload: int) -> Card:
    """A good card of that format."""
    form = FormatName(name)
    return Card(int(name.split("-")[1]), with_parity(form, payload))


class Chip:
    """Two readers on a chip; the north one has lamps."""

    def __init__(self, folder: Path, shim: Path | None) -> None:
        self.reports = Reports()
        self.socket = folder / "lines"
        self.shim = shim
        self.sim = SimGpioLines(self.socket)
        clock = SystemClock()
        self.north = SimWiegandReader(self.sim, 4, 5, clock)
        self.south = SimWiegandReader(self.sim, 6, 7, clock, interval_s=0.001)
        self.device: WiegandReaders | KernelChild

    def config(self, *formats: str) -> WiegandBus:
        north = {
            "id": NORTH, "data0": 4, "data1": 5, "formats": formats or ("wiegand-26",),
            "led": {"line": LED}, "buzzer": {"line": BUZZER},
        }  # fmt: skip
        south = {"id": SOUTH, "data0": 6, "data1": 7, "formats": ("wiegand-34", "keys-4")}
        address = "simulated" if self.shim else f"unix:{self.socket}"
        return WiegandBus.model_validate({"driver": "wiegand", "id": BUS, "chip": address, "readers": (north, south)})

    @asynccontextmanager
    async def running(self, *formats: str) -> AsyncIterator[Reports]:
        config = self.config(*formats)
        if self.shim:
            self.device = KernelChild(config, child_environment(self.shim, self.socket))
        else:
            self.device = WiegandReaders(config, SystemClock())
        task = asyncio.create_task(self.device.run(self.reports.emit))
        try:
            yield self.reports
        finally:
            task.cancel()
            await asyncio.wait([task])

    @asynccontextmanager
    async def ready(self, *formats: str) -> AsyncIterator[Reports]:
        """Both readers are open."""
        async with self.running(*formats) as reports:
            ok: set[DeviceId] = set()
            while not ok >= {NORTH, SOUTH}:
                ok.add((await reports.status(DeviceState.OK)).device)
            yield reports


@pytest.fixture(params=["server", "kernel"])
async def chip(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Chip]:
    found = Chip(tmp_path, request.getfixturevalue("gpio_shim") if request.param == "kernel" else None)
    async with found.sim, found.north, found.south:
        yield found


async def test_cards_of_two_readers_at_once(chip: Chip) -> None:
    north, south = frame("wiegand-26", 0xABCDEF), frame("wiegand-34", 0x123456789)
    async with chip.ready() as reports:
        begun = SystemClock().mono_s()
        chip.north.present_card(north)
        chip.south.present_card(south)
        seen = {}
        for _ in range(2):
            reading = await reports.reading("card")
            seen[reading.device] = reading
        assert {device: reading.value for device, reading in seen.items()} == {NORTH: north, SOUTH: south}
        assert seen[NORTH].mono_s == pytest.approx(chip.north.last_s, abs=1e-6)
        assert all(reading.mono_s > begun for reading in seen.values())


@pytest.mark.parametrize(
    "name", ["wiegand-26", "wiegand-34", "wiegand-35", "wiegand-36", "wiegand-37", "wiegand-37-facility"]
)
async def test_every_format(chip: Chip, name: str) -> None:
    card = frame(name, 0x15A5A5A5A5)
    async with chip.ready(name) as reports:
        chip.north.present_card(card)
        assert (await reports.reading("card", device=NORTH)).value == card


async def test_keys_come_one_at_a_time_and_cards_between_them(chip: Chip) -> None:
    card = frame("wiegand-34", 77)
    async with chip.ready() as reports:
        chip.south.press("19")
        chip.south.present_card(card)
        chip.south.press("*0#")
        for wanted in (Keys("1"), Keys("9"), card, Keys("*"), Keys("0"), Keys("#")):
            point = "keys" if isinstance(wanted, Keys) else "card"
            assert (await reports.reading(point, device=SOUTH)).value == wanted


async def test_what_is_no_card_is_counted_and_the_next_card_is_read(chip: Chip) -> None:
    card = frame("wiegand-26", 5)
    async with chip.ready() as reports:
        chip.north.crosstalk()
        assert (await reports.reading("rejected", device=NORTH)).value == 1
        chip.north.stray()
        assert (await reports.reading("rejected", device=NORTH)).value == 2
        chip.north.present_card(Card(26, card.number ^ 1))
        assert (await reports.reading("rejected", device=NORTH)).value == 3
        chip.north.present_card(frame("wiegand-34", 5))
        assert (await reports.reading("rejected", device=NORTH)).value == 4
        chip.north.present_card(card)
        assert (await reports.reading("card", device=NORTH)).value == card
        assert reports.values("card") == [card]


async def test_lost_pulses_spoil_the_card_and_not_the_next(chip: Chip) -> None:
    card = frame("wiegand-26", 0x654321)
    async with chip.ready() as reports:
        chip.sim.lose_edges(2)
        chip.north.present_card(card)
        await reports.reading("rejected", value=1, device=NORTH)
        chip.north.present_card(card)
        assert (await reports.reading("card", device=NORTH)).value == card


async def test_a_reader_that_sends_no_cards_is_in_fault_until_it_does(chip: Chip) -> None:
    async with chip.ready() as reports:
        for _ in range(REFUSED_IN_A_ROW):
            chip.north.present_card(frame("wiegand-34", 9))
        fault = await reports.status(DeviceState.FAULT, NORTH)
        while ": 34 bits" not in fault.reason:  # a machine that paused between two pulses has cut that frame in two
            chip.north.present_card(frame("wiegand-34", 9))
            fault = await reports.status(DeviceState.FAULT, NORTH)
        assert fault.reason == "it sends what is no card: 34 bits, and only wiegand-26 is declared"
        assert "formats" in fault.hint
        chip.north.present_card(frame("wiegand-26", 9))
        await reports.status(DeviceState.OK, NORTH)


async def test_a_data_line_held_low_is_a_fault_of_that_reader_alone(chip: Chip) -> None:
    chip.north.hold_low(on=True)
    async with chip.running() as reports:
        fault = await reports.status(DeviceState.FAULT, NORTH)
        assert fault.reason == "data0 is held low"
        assert "short" in fault.hint
        await reports.status(DeviceState.OK, SOUTH)
        chip.south.press("5")
        await reports.reading("keys", device=SOUTH)
        chip.north.hold_low(on=False)
        await reports.status(DeviceState.OK, NORTH)


async def test_a_line_in_use_is_a_fault_of_that_reader_alone(chip: Chip) -> None:
    chip.sim.hold(5, "onewire")
    async with chip.running() as reports:
        fault = await reports.status(DeviceState.FAULT, NORTH)
        assert "line 5 by onewire" in fault.reason
        await reports.status(DeviceState.OK, SOUTH)
        chip.south.press("5")
        await reports.reading("keys", device=SOUTH)
        assert not any(isinstance(r, Status) and r.state is DeviceState.FAULT and r.device == BUS for r in reports.all)
        chip.sim.let_go(5)
        await reports.status(DeviceState.OK, NORTH)


async def test_granted_lights_the_led_and_sounds_once(chip: Chip) -> None:
    async with chip.ready():
        chip.device.apply(Signal(NORTH, Cue.GRANTED))
        await _level(chip, LED, on=True)
        await _level(chip, BUZZER, on=True)
        await _level(chip, BUZZER, on=False)
        assert chip.sim.level(LED) is False
        chip.device.apply(Signal(NORTH, Cue.IDLE))
        await _level(chip, LED, on=False)


async def test_denied_blinks_and_sounds_thrice(chip: Chip) -> None:
    async with chip.ready():
        chip.device.apply(Signal(NORTH, Cue.DENIED))
        for _ in range(3):
            await _level(chip, BUZZER, on=True)
            await _level(chip, BUZZER, on=False)
        await _level(chip, LED, on=True)


async def test_lamps_are_off_after_the_end(chip: Chip) -> None:
    async with chip.ready():
        chip.device.apply(Signal(NORTH, Cue.PIN))
        await _level(chip, LED, on=True)
    await _level(chip, LED, on=False)
    await _level(chip, BUZZER, on=False)


async def test_lamps_left_on_by_a_killed_agent_are_put_off(tmp_path: Path) -> None:
    found = Chip(tmp_path, None)
    async with found.sim:
        found.sim.drive(LED, level=False)
        bus = found.config()
        await asyncio.to_thread(put_outputs_safe, lines_of(bus, bus.readers[0]))
        await _level(found, LED, on=False)


async def test_a_reader_without_lamps_takes_cues_in_silence(tmp_path: Path) -> None:
    device = WiegandReaders(Chip(tmp_path, None).config(), SystemClock())
    device.apply(Signal(SOUTH, Cue.GRANTED))


async def test_what_it_cannot_do_is_refused(tmp_path: Path) -> None:
    device = WiegandReaders(Chip(tmp_path, None).config(), SystemClock())
    for output in (Switch(NORTH, PointId("led"), on=True), Signal(DeviceId("nobody"), Cue.DENIED)):
        with pytest.raises(DeviceFault, match="cannot do that"):
            device.apply(output)
    with pytest.raises(DeviceFault, match="not yet open"):
        device.apply(Signal(NORTH, Cue.DENIED))


async def test_edges_that_wait_keep_a_burst_from_ending(tmp_path: Path) -> None:
    """The loop was busy when the burst was due: bits 27 to 34 are there and not yet read."""
    bursts: list[Burst] = []
    reading, writing = os.pipe()
    config = Chip(tmp_path, None).config().readers[0]
    decoder = _Decoder(config, reading, SystemClock(), bursts.append)
    now = SystemClock().mono_s() - 1.0
    for n in range(26):
        decoder._assembler.bit(0, now + n * 0.0015)
    os.write(writing, b"x")
    decoder._look()
    assert bursts == []
    os.read(reading, 1)
    decoder._look()
    assert [burst.bits for burst in bursts] == [26]
    decoder.stop()
    os.close(reading)
    os.close(writing)


async def _level(chip: Chip, line: int, *, on: bool) -> None:
    """Lamps are lit by a low level."""
    async with asyncio.timeout(WAIT_S):
        await chip.sim.wait_level(line, not on)
