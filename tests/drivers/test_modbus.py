"""The real driver on a pty, pymodbus's server at the other end."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.base import DeviceFault, DeviceId, DeviceState, PointId, Quality, Reading, Status, Switch, SystemClock
from drivers.modbus import ModbusBus, ModbusLine
from simulators.modbus_sensors import SimModbusBus
from simulators.wire import Wire
from tests.drivers.reports import Reports

FAST_S = 0.05
BUS = {
    "driver": "modbus",
    "id": "bus",
    "baud": 115200,
    "timeout_s": FAST_S,
    "units": [
        {
            "id": "pump",
            "unit": 1,
            "poll_s": FAST_S,
            "points": [
                {"id": "water", "register": "discrete", "address": 3, "encoding": "bit"},
                {
                    "id": "temperature",
                    "register": "input",
                    "address": 0,
                    "encoding": "i16",
                    "scale": 0.1,
                    "deadband": 0.5,
                },
                {"id": "humidity", "register": "input", "address": 1, "encoding": "u16", "scale": 0.1, "deadband": 0.5},
            ],
        },
        {
            "id": "stair",
            "unit": 2,
            "poll_s": FAST_S,
            "points": [{"id": "smoke", "register": "coil", "address": 0, "encoding": "bit", "inverted": True}],
        },
    ],
}


class Bus:
    """A wired bus and the device that polls it."""

    def __init__(self, folder: Path) -> None:
        self.reports = Reports()
        self.wire = Wire(folder / "tty")
        self.config = ModbusBus.model_validate({**BUS, "port": str(self.wire.path)})
        self.sim = SimModbusBus(self.wire, self.config)
        self.device = ModbusLine(self.config, SystemClock())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Reports]:
        task = asyncio.create_task(self.device.run(self.reports.emit))
        try:
            yield self.reports
        finally:
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    found = Bus(tmp_path)
    async with found.sim:
        found.sim.set("stair", "smoke", 0)
        yield found


async def test_every_point_is_read_out_at_the_start(bus: Bus) -> None:
    bus.sim.set("pump", "temperature", -4.5)
    bus.sim.set("pump", "humidity", 61)
    async with bus.running() as reports:
        assert (await reports.reading("water")).value is False
        assert (await reports.reading("temperature")).value == -4.5
        assert (await reports.reading("humidity")).value == 61.0
        assert (await reports.reading("smoke", device="stair")).value is False
        await reports.status(DeviceState.OK, "stair")
    ok = {r.device for r in reports.all if isinstance(r, Status) and r.state is DeviceState.OK}
    assert ok == {"bus", "pump", "stair"}


async def test_bits_are_told_when_they_change_and_numbers_beyond_their_deadband(bus: Bus) -> None:
    bus.sim.set("pump", "temperature", 20)
    async with bus.running() as reports:
        await reports.reading("temperature", value=20.0)
        bus.sim.set("pump", "temperature", 20.4)
        await bus.sim.wait_asked("pump", 4)
        bus.sim.set("pump", "temperature", 20.5)
        bus.sim.set("pump", "water", 1)
        await reports.reading("temperature", value=20.5)
        await reports.reading("water", value=True)
        await bus.sim.wait_asked("pump", 4)
    assert reports.values("temperature") == [20.0, 20.5]
    assert reports.values("water") == [False, True]


async def test_neighbours_are_read_in_one_request(bus: Bus) -> None:
    async with bus.running() as reports:
        await reports.status(DeviceState.OK, "pump")
        assert bus.sim.asked("pump") == 2


async def test_a_silent_unit_is_in_fault_and_the_others_go_on(bus: Bus) -> None:
    async with bus.running() as reports:
        await reports.status(DeviceState.OK, "pump")
        await reports.status(DeviceState.OK, "stair")
        bus.sim.silence("pump", on=True)
        fault = await reports.status(DeviceState.FAULT)
        assert fault.device == "pump"
        assert "does not answer" in fault.reason
        assert fault.hint
        bus.sim.set("stair", "smoke", 1)
        await reports.reading("smoke", value=True)
        before = bus.sim.asked("pump")
        await bus.sim.wait_asked("stair", 10)
        assert bus.sim.asked("pump") - before <= 2
        bus.sim.silence("pump", on=False)
        await reports.status(DeviceState.OK, "pump")
    assert not [r for r in reports.all if isinstance(r, Status) and r.device == "bus" and r.state is DeviceState.FAULT]


async def test_readings_after_a_fault_are_told_again(bus: Bus) -> None:
    async with bus.running() as reports:
        await reports.status(DeviceState.OK, "pump")
        bus.sim.silence("pump", on=True)
        await reports.status(DeviceState.FAULT, "pump")
        bus.sim.silence("pump", on=False)
        await reports.reading("water", value=False)
        await reports.status(DeviceState.OK, "pump")


async def test_garbage_for_one_answer_changes_nothing(bus: Bus) -> None:
    async with bus.running() as reports:
        await reports.status(DeviceState.OK, "pump")
        await reports.status(DeviceState.OK, "stair")
        bus.sim.garbage("pump", 1)
        bus.sim.noise()
        await bus.sim.wait_asked("pump", 4)
        bus.sim.set("pump", "water", 1)
        await reports.reading("water", value=True)
    assert not [r for r in reports.all if isinstance(r, Status) and r.state is DeviceState.FAULT]


async def test_garbage_for_all_answers_is_a_fault_that_says_so(bus: Bus) -> None:
    async with bus.running() as reports:
        await reports.status(DeviceState.OK, "pump")
        bus.sim.garbage("pump", 10**6)
        fault = await reports.status(DeviceState.FAULT, "pump")
        assert "garbage" in fault.reason
        assert "parity" in fault.hint
        bus.sim.garbage("pump", 0)
        await reports.status(DeviceState.OK, "pump")


async def test_a_late_answer_is_never_taken_for_the_next_one(tmp_path: Path) -> None:
    """Two registers apart, one question each: the first one's late answer has the form of the second's."""
    found = Bus(tmp_path)
    points = [{"id": f"p{n}", "register": "input", "address": 10 * n} for n in range(2)]
    found.config = ModbusBus.model_validate(
        {**BUS, "port": str(found.wire.path), "units": [{"id": "pump", "unit": 1, "poll_s": FAST_S, "points": points}]}
    )
    found.sim = SimModbusBus(found.wire, found.config)
    found.device = ModbusLine(found.config, SystemClock())
    found.sim.set("pump", "p0", 1000)
    found.sim.set("pump", "p1", 2000)
    async with found.sim, found.running() as reports:
        await reports.reading("p1")
        for lateness, questions in itertools.product((1.2, 6), (3, 4)):
            found.sim.late("pump", lateness * FAST_S)
            await found.sim.wait_asked("pump", questions)
        assert set(reports.values("p0")) == {1000.0}
        assert set(reports.values("p1")) == {2000.0}


async def test_a_refused_register_is_bad_and_named(bus: Bus) -> None:
    bus.sim.set("pump", "water", 1)
    async with bus.running() as reports:
        await reports.reading("water", value=True)
        await reports.status(DeviceState.OK, "pump")
        bus.sim.refuse("pump", 4)
        bad = await reports.until(lambda r: isinstance(r, Reading) and r.quality is Quality.BAD)
        assert isinstance(bad, Reading)
        assert (bad.point, bad.value) == ("water", True)
        fault = await reports.status(DeviceState.FAULT, "pump")
        assert "discrete 3: device failure (4)" in fault.reason
        assert "input 0 to 1: device failure (4)" in fault.reason
        bus.sim.refuse("pump", None)
        good = await reports.reading("water", value=True)
        assert good.quality is Quality.GOOD
        await reports.status(DeviceState.OK, "pump")


async def test_an_address_the_unit_does_not_have_is_named(bus: Bus) -> None:
    points = [{"id": "odd", "register": "holding", "address": 7}]
    config = bus.config.model_copy(
        update={
            "units": ModbusBus.model_validate(
                {**BUS, "port": "x", "units": [{"id": "pump", "unit": 1, "points": points}]}
            ).units
        }
    )
    bus.device = ModbusLine(config, SystemClock())
    async with bus.running() as reports:
        fault = await reports.status(DeviceState.FAULT, "pump")
        assert "holding 7: illegal data address (2)" in fault.reason
        assert "manual" in fault.hint


async def test_a_pulled_cable_is_a_fault_of_bus_and_units_and_heals(bus: Bus) -> None:
    async with bus.running() as reports:
        await reports.status(DeviceState.OK, "stair")
        await bus.sim.unplug()
        for device in ("bus", "pump", "stair"):
            fault = await reports.status(DeviceState.FAULT, device)
            assert "port" in fault.reason
            assert fault.hint
        bus.sim.set("stair", "smoke", 1)
        await bus.sim.plug()
        await reports.status(DeviceState.OK, "bus")
        await reports.reading("smoke", value=True)


async def test_a_missing_port_is_waited_for(bus: Bus) -> None:
    await bus.sim.unplug()
    async with bus.running() as reports:
        fault = await reports.status(DeviceState.FAULT, "bus")
        assert "missing" in fault.reason
        await bus.sim.plug()
        await reports.status(DeviceState.OK, "pump")


async def test_it_has_no_outputs(bus: Bus) -> None:
    with pytest.raises(DeviceFault, match="no outputs"):
        bus.device.apply(Switch(DeviceId("pump"), PointId("water"), on=True))
    assert bus.device.serves == {"bus", "pump", "stair"}
