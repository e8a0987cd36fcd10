"""One rig for each driver: the real driver, its device simulated at the wire, and what the world can do to both."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from agent.credentials.numbers import card_of
from drivers.base import Card, Device, DeviceId, DeviceState, PointId, Switch, SystemClock
from drivers.gpio import Active, Bias, GpioChip, GpioInput, GpioLines, GpioOutput
from drivers.modbus import ModbusBus, ModbusLine
from drivers.osdp.config import OsdpBus, OsdpReader
from drivers.osdp.cp import OsdpControlPanel
from drivers.wiegand import WiegandBus, WiegandReaders
from simulators.gpio_lines import SimGpioLines
from simulators.modbus_sensors import SimModbusBus
from simulators.osdp_pd import Seen
from simulators.osdp_reader import SimOsdpBus
from simulators.wiegand_reader import SimWiegandReader
from simulators.wire import Wire
from tests.drivers.reports import Reports
from tests.gpio_shim.kernel_chip import KernelChild, child_environment


class Rig(ABC):
    """`watched` is the device whose state tells of silence, `point` what `change` makes it read anew."""

    watched: ClassVar[DeviceId]
    point: ClassVar[str]
    output: ClassVar[PointId | None] = None
    device: Device

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._start(self._stack)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @abstractmethod
    async def _start(self, stack: AsyncExitStack) -> None: ...

    @abstractmethod
    def change(self) -> None:
        """Let the device measure something new at `point`."""

    @abstractmethod
    async def garbage(self, reports: Reports) -> None:
        """Disturb the wire until the driver has taken notice, then let it rest."""

    @abstractmethod
    async def silence(self, on: bool) -> None:
        """Let the watched device be out of reach, though its cable is plugged."""

    @abstractmethod
    async def unplug(self) -> None: ...

    @abstractmethod
    async def plug(self) -> None: ...

    def switch(self, on: bool) -> None:
        assert self.output
        self.device.apply(Switch(self.watched, self.output, on))

    async def wait_output(self, on: bool) -> None:
        """Wait until the device has been seen to put its output so."""
        raise NotImplementedError


class ModbusRig(Rig):
    watched = DeviceId("unit")
    point = "value"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        wire = Wire(folder / "tty")
        points = [{"id": self.point, "register": "input", "address": 3}]
        unit = {"id": self.watched, "unit": 9, "poll_s": 0.05, "points": points}
        config = ModbusBus.model_validate(
            {
                "driver": "modbus",
                "id": "bus",
                "port": str(wire.path),
                "baud": 115200,
                "timeout_s": 0.05,
                "units": [unit],
            }
        )
        self._sim = SimModbusBus(wire, config)
        self._value = 0
        self.device = ModbusLine(config, SystemClock())

    async def _start(self, stack: AsyncExitStack) -> None:
        await stack.enter_async_context(self._sim)

    def change(self) -> None:
        self._value += 1
        self._sim.set(self.watched, self.point, self._value)

    async def garbage(self, reports: Reports) -> None:
        self._sim.noise()
        self._sim.garbage(self.watched, 10**6)
        await reports.status(DeviceState.FAULT, self.watched)
        self._sim.garbage(self.watched, 0)

    async def silence(self, on: bool) -> None:
        self._sim.silence(self.watched, on)

    async def unplug(self) -> None:
        await self._sim.unplug()

    async def plug(self) -> None:
        await self._sim.plug()


class OsdpRig(Rig):
    watched = DeviceId("reader")
    point = "card"
    output = PointId("output-0")

    def __init__(self, folder: Path) -> None:
        super().__init__()
        wire = Wire(folder / "tty")
        key, key_file = secrets.token_bytes(16), folder / "reader.key"
        key_file.touch(mode=0o600)
        key_file.write_text(key.hex())
        reader = OsdpReader(id=self.watched, address=3, key_file=key_file)
        config = OsdpBus(
            driver="osdp", id="bus", port=str(wire.path), baud=115200, poll_interval_s=0.01, readers=(reader,)
        )
        self._sim = SimOsdpBus(wire, {self.watched: (3, key)}, baud=115200)
        self._number = 0
        self.device = OsdpControlPanel(config, SystemClock())

    async def _start(self, stack: AsyncExitStack) -> None:
        await stack.enter_async_context(self._sim)

    def change(self) -> None:
        self._number += 1
        self._sim.present_card(self.watched, Card(26, self._number))

    async def garbage(self, reports: Reports) -> None:
        self._sim.to_agent = lambda reply: bytes(byte ^ 0x20 for byte in reply)
        await reports.status(DeviceState.FAULT, self.watched)
        self._sim.to_agent = bytes

    async def silence(self, on: bool) -> None:
        self._sim.silence(self.watched, on)

    async def unplug(self) -> None:
        await self._sim.unplug()

    async def plug(self) -> None:
        await self._sim.plug()

    async def wait_output(self, on: bool) -> None:
        code = 2 if on else 1  # OSDP 2.2, table 18: permanent on, permanent off
        seen = await self._sim.wait_seen(lambda s: _is_output(s, code))
        self._sim.cues.remove(seen)


def _is_output(seen: Seen, code: int) -> bool:
    return seen.what == "output" and seen.values["control_code"] == code


class GpioRig(Rig):
    """By the line server, or with the shim by the kernel's interface in a child process."""

    watched = DeviceId("chip")
    point = "contact"
    output = PointId("lock")

    def __init__(self, folder: Path, shim: Path | None = None) -> None:
        super().__init__()
        socket = folder / "lines"
        config = GpioChip(
            driver="gpio",
            id=self.watched,
            chip="simulated" if shim else f"unix:{socket}",
            inputs=(GpioInput(id=self.point, line=17, bias=Bias.PULL_UP, debounce_ms=5),),
            outputs=(GpioOutput(id="lock", line=5, active=Active.LOW),),
        )
        self._sim = SimGpioLines(socket)
        self.device = KernelChild(config, child_environment(shim, socket)) if shim else GpioLines(config, SystemClock())

    async def _start(self, stack: AsyncExitStack) -> None:
        await stack.enter_async_context(self._sim)

    def change(self) -> None:
        self._sim.drive(17, not self._sim.level(17))

    async def garbage(self, reports: Reports) -> None:
        """A contact that chatters, while the kernel loses edges."""
        self._sim.lose_edges(1)
        for _ in range(101):
            self.change()
        await self._sim.wait_lost()

    async def silence(self, on: bool) -> None:
        """Another program takes the line first."""
        if on:
            await self._sim.unplug()
            self._sim.hold(5)
            await self._sim.plug()
        else:
            self._sim.let_go(5)

    async def unplug(self) -> None:
        await self._sim.unplug()

    async def plug(self) -> None:
        await self._sim.plug()

    async def wait_output(self, on: bool) -> None:
        await self._sim.wait_level(5, level=not on)


class WiegandRig(Rig):
    """By the line server, or with the shim by the kernel's interface in a child process."""

    watched = DeviceId("reader")
    point = "card"

    def __init__(self, folder: Path, shim: Path | None = None) -> None:
        super().__init__()
        socket = folder / "lines"
        reader = {"id": self.watched, "data0": 4, "data1": 5, "formats": ("wiegand-26",)}
        address = "simulated" if shim else f"unix:{socket}"
        config = WiegandBus.model_validate({"driver": "wiegand", "id": "bus", "chip": address, "readers": (reader,)})
        self._lines = SimGpioLines(socket)
        self._sim = SimWiegandReader(self._lines, 4, 5, SystemClock())
        clock = SystemClock()
        self.device = KernelChild(config, child_environment(shim, socket)) if shim else WiegandReaders(config, clock)
        self._number = 0

    async def _start(self, stack: AsyncExitStack) -> None:
        await stack.enter_async_context(self._lines)
        await stack.enter_async_context(self._sim)

    def change(self) -> None:
        self._number += 1
        self._sim.present_card(card_of(str(self._number), 26))

    async def garbage(self, reports: Reports) -> None:
        self._sim.crosstalk(40)
        await reports.reading("rejected")

    async def silence(self, on: bool) -> None:
        """Another program takes a data line first."""
        if on:
            await self._lines.unplug()
            self._lines.hold(5)
            await self._lines.plug()
        else:
            self._lines.let_go(5)

    async def unplug(self) -> None:
        await self._lines.unplug()

    async def plug(self) -> None:
        await self._lines.plug()


RIGS: dict[str, Callable[[Path, Callable[[], Path]], Rig]] = {
    "modbus": lambda folder, _: ModbusRig(folder),
    "osdp": lambda folder, _: OsdpRig(folder),
    "gpio": lambda folder, _: GpioRig(folder),
    "gpio-kernel": lambda folder, shim: GpioRig(folder, shim()),
    "wiegand": lambda folder, _: WiegandRig(folder),
    "wiegand-kernel": lambda folder, shim: WiegandRig(folder, shim()),
}
"""Makes a rig in a folder; the second argument builds the kernel shim when it is wanted."""

WITH_OUTPUTS = ("osdp", "gpio", "gpio-kernel")
