"""The simulated units on their wire, asked raw."""

import asyncio
import os
import tty
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.modbus import ModbusBus
from simulators.modbus_sensors import SimModbusBus
from simulators.wire import Wire

WAIT_S = 5.0
UNIT = {
    "id": "room",
    "unit": 7,
    "points": [
        {"id": "temperature", "register": "input", "address": 2, "encoding": "i16", "scale": 0.1, "offset": -10},
        {"id": "volume", "register": "holding", "address": 8, "encoding": "u32"},
        {"id": "level", "register": "holding", "address": 20, "encoding": "f32"},
        {"id": "smoke", "register": "discrete", "address": 17, "encoding": "bit"},
        {"id": "valve", "register": "holding", "address": 30, "encoding": "bit", "bit": 3},
        {"id": "pump", "register": "holding", "address": 30, "encoding": "bit", "bit": 4, "inverted": True},
    ],
}
READS = {
    "temperature": (b"\x07\x04\x00\x02\x00\x01", 7),
    "volume": (b"\x07\x03\x00\x08\x00\x02", 9),
    "level": (b"\x07\x03\x00\x14\x00\x02", 9),
    "smoke": (b"\x07\x02\x00\x11\x00\x01", 6),
    "flags": (b"\x07\x03\x00\x1e\x00\x01", 7),
}


class Master:
    """The other end of the wire, spoken to in bytes."""

    def __init__(self, wire: Wire) -> None:
        self._fd = os.open(wire.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd)

    def send(self, request: bytes) -> None:
        os.write(self._fd, request + _crc(request))

    async def receive(self, count: int) -> bytes:
        loop = asyncio.get_running_loop()
        received = bytearray()
        done = asyncio.Event()

        def readable() -> None:
            received.extend(os.read(self._fd, 256))
            if len(received) >= count:
                done.set()

        loop.add_reader(self._fd, readable)
        try:
            async with asyncio.timeout(WAIT_S):
                await done.wait()
        finally:
            loop.remove_reader(self._fd)
        return bytes(received)

    async def ask(self, name: str) -> bytes:
        """The payload of the answer, checked for its CRC."""
        request, count = READS[name]
        self.send(request)
        answer = await self.receive(count)
        assert answer[-2:] == _crc(answer[:-2])
        return answer[3:-2]

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
async def sim(tmp_path: Path) -> AsyncIterator[tuple[SimModbusBus, Master]]:
    wire = Wire(tmp_path / "tty")
    config = ModbusBus.model_validate({"driver": "modbus", "id": "bus", "port": str(wire.path), "units": [UNIT]})
    async with SimModbusBus(wire, config) as bus:
        master = Master(wire)
        yield bus, master
        master.close()


async def test_values_are_set_in_engineering_units(sim: tuple[SimModbusBus, Master]) -> None:
    bus, master = sim
    for point, value in {
        "temperature": 12.5,
        "volume": 65537,
        "level": 23.5,
        "smoke": 1,
        "valve": 1,
        "pump": 1,
    }.items():
        bus.set("room", point, value)
    assert await master.ask("temperature") == (225).to_bytes(2, "big")
    assert await master.ask("volume") == b"\x00\x01\x00\x01"
    assert await master.ask("level") == b"\x41\xbc\x00\x00"
    assert await master.ask("smoke") == b"\x01"
    assert await master.ask("flags") == b"\x00\x08"
    bus.set("room", "pump", 0)
    assert await master.ask("flags") == b"\x00\x18"


async def test_a_value_that_does_not_fit_is_refused(sim: tuple[SimModbusBus, Master]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        sim[0].set("room", "temperature", 10_000)


async def test_other_units_and_a_silenced_one_say_nothing(sim: tuple[SimModbusBus, Master]) -> None:
    bus, master = sim
    bus.silence("room", on=True)
    for unit in (1, 6, 8, 247, 7):
        async with asyncio.timeout(WAIT_S):
            bus._news.clear()
            master.send(bytes([unit]) + READS["temperature"][0][1:])
            await bus._news.wait()
    bus.silence("room", on=False)
    assert len(await master.ask("temperature")) == 2
    assert bus.asked("room") == 2


async def test_unknown_addresses_are_refused(sim: tuple[SimModbusBus, Master]) -> None:
    master = sim[1]
    master.send(b"\x07\x04\x00\x03\x00\x01")
    assert (await master.receive(5))[:3] == b"\x07\x84\x02"


async def test_faults_are_injected_by_the_answer(sim: tuple[SimModbusBus, Master]) -> None:
    bus, master = sim
    bus.refuse("room", 6)
    master.send(READS["temperature"][0])
    assert (await master.receive(5))[:3] == b"\x07\x84\x06"
    bus.refuse("room", None)
    bus.garbage("room", 1)
    master.send(READS["temperature"][0])
    assert (await master.receive(16))[0] == 0x55
    bus.late("room", 0.01)
    assert len(await master.ask("temperature")) == 2
    bus.noise(b"\x01\x02")
    assert await master.receive(2) == b"\x01\x02"


async def test_a_new_cable_finds_the_same_values(sim: tuple[SimModbusBus, Master], tmp_path: Path) -> None:
    bus, _ = sim
    bus.set("room", "smoke", 1)
    await bus.unplug()
    assert not (tmp_path / "tty").exists()
    await bus.plug()
    second = Master(Wire(tmp_path / "tty"))
    assert await second.ask("smoke") == b"\x01"
    second.close()


def _crc(data: bytes) -> bytes:
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")
